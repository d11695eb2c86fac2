package fleet

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"kakusho/judge/fleet/body"
	"kakusho/judge/fleet/frame"
	"kakusho/judge/fleet/sight"
	"kakusho/kind"
)

// ErrOutdated means that what was saved does not fit any more, or is damaged:
// build the fleet again from the rows.
var ErrOutdated = errors.New("saved fleet is outdated: build it again")

// format names what Save writes. Another is outdated.
const format = "kakusho fleet 1"

// Save writes the subjects so that Load finds them again; outcomes are judged
// anew. Every frame of the file has a checksum. Whoever wants a file that is whole
// or not there writes it beside and renames it.
//
// A fleet that can fetch cells saves those that rules read, another all.
func (f *Fleet) Save(to io.Writer) error {
	g := f
	if f.fetch == nil {
		g = f.Fork()
		for _, b := range g.bodies {
			b.Whole()
		}
	}
	moments, bodies := g.packed()
	w := frame.NewWriter(to)
	w.Text(format)
	w.Bool(f.fetch == nil)
	moments.Write(w)
	w.Uint(uint64(len(bodies)))
	for _, id := range slices.Sorted(maps.Keys(bodies)) {
		w.Text(id)
		bodies[id].Write(w)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("save fleet: %w", err)
	}
	return nil
}

// packed is every body without what nobody uses any more, and their moments.
func (f *Fleet) packed() (*sight.Moments, map[string]*body.Body) {
	used := make([]bool, len(f.moments.List()))
	for _, b := range f.bodies {
		b.Mark(used)
	}
	moments, to := f.moments.Compact(used)
	bodies := make(map[string]*body.Body, len(f.bodies))
	for id, b := range f.bodies {
		bodies[id] = b.Packed(moments, to)
	}
	return moments, bodies
}

// Load reads a fleet that Save wrote. It fails with ErrOutdated when the file is
// damaged, or does not hold what the rules read. A fleet that fetched cells before
// needs Recall again before other terms are held.
func Load(from io.Reader, kinds kind.Set, t Terms) (*Fleet, error) {
	f := New(kinds, t)
	r := frame.NewReader(from)
	if name := r.Text(); name != format {
		r.Fail("the format is %q", name)
	}
	complete := r.Bool()
	f.moments = sight.ReadMoments(r)
	for n := r.Count(len(kinds)); r.Err() == nil && len(f.bodies) < n; {
		k, ok := kinds[r.Text()]
		if !ok || f.bodies[k.ID] != nil {
			r.Fail("kind %q", k.ID)
			break
		}
		b := &kin{Body: body.Read(r, k, f.moments, f.scopes), over: newOverlays()}
		b.Renew(complete, nil)
		f.bodies[k.ID] = b
	}
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	for id, b := range f.bodies {
		if b.hold(t.Rules); !b.Fit() {
			return nil, fmt.Errorf("%w: the rules read other fields of %s", ErrOutdated, id)
		}
	}
	return f, nil
}
