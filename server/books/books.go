// Package books holds the directives on hand, the controls that check them, and which
// of them is in force.
//
// Each is read when it is first asked for: an installation that keeps to one
// directive needs no other.
package books

import (
	"context"
	"fmt"
	"sync"

	"kakusho/control"
	"kakusho/control/carry"
	"kakusho/directive"
	"kakusho/directive/library"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/under"
	"kakusho/store"
)

// Books are the directives on hand. They are safe for concurrent use.
type Books struct {
	Library func() *library.Library

	kinds  kind.Set
	chosen string

	reading  sync.Mutex
	controls map[string][]control.Control // by source
	terms    map[string]*posture.Terms    // by source
}

// Open is the directives that ship with the program. chosen is the source of the one
// to judge by, whatever was adopted; empty: the one adopted last.
func Open(kinds kind.Set, chosen string) (*Books, error) {
	b := &Books{Library: sync.OnceValue(library.Shipped), kinds: kinds, chosen: chosen,
		controls: map[string][]control.Control{}, terms: map[string]*posture.Terms{}}
	_, err := b.Of(chosen)
	return b, err
}

// Of finds a directive by its source; empty is the first.
func (b *Books) Of(source string) (*directive.Directive, error) {
	if source == "" || source == directive.First {
		return directive.Default(), nil
	}
	d, ok := b.Library().Of(source)
	if !ok {
		var known []string
		for _, d := range b.Library().Directives {
			known = append(known, d.Source)
		}
		return nil, fmt.Errorf("there is no directive %q: choose one of %v", source, known)
	}
	return d, nil
}

// Controls are the controls that check a directive.
func (b *Books) Controls(d *directive.Directive) []control.Control {
	b.reading.Lock()
	defer b.reading.Unlock()
	if _, ok := b.controls[d.Source]; !ok {
		if d.Source == directive.First {
			b.controls[d.Source] = control.Default(b.kinds, d)
		} else {
			b.controls[d.Source] = control.For(b.kinds, b.Library(), d)
		}
	}
	return b.controls[d.Source]
}

// Terms are what is judged by under a directive, compiled once.
func (b *Books) Terms(d *directive.Directive) *posture.Terms {
	controls := b.Controls(d)
	b.reading.Lock()
	defer b.reading.Unlock()
	if _, ok := b.terms[d.Source]; !ok {
		b.terms[d.Source] = posture.NewTerms(d, controls, b.kinds)
	}
	return b.terms[d.Source]
}

// InForce is the directive that rows say is in force, unless another was chosen at
// the start.
func (b *Books) InForce(ctx context.Context, rows store.Store) (*directive.Directive, error) {
	if b.chosen != "" {
		return b.Of(b.chosen)
	}
	source, err := govern.InForce(ctx, rows)
	if err != nil {
		return nil, err
	}
	return b.Of(source)
}

// Sees says which decisions count under a directive: those given under it, and, when
// it was not adopted, those that would be carried over if it were.
func (b *Books) Sees(ctx context.Context, rows store.Store, d *directive.Directive) (under.Sees, error) {
	source, err := govern.InForce(ctx, rows)
	if err != nil {
		return nil, err
	}
	from, err := b.Of(source)
	if err != nil {
		return nil, err
	}
	return b.SeenFrom(from, d), nil
}

// SeenFrom says which decisions count under a directive while another holds: those that
// would be carried over as well. It may be the same.
func (b *Books) SeenFrom(held, d *directive.Directive) under.Sees {
	if held.Source != d.Source {
		if p, ok := b.Planner(held, d); ok {
			return under.Planned(p)
		}
	}
	return under.Adopted(d.Source)
}

// Planner plans what becomes of answers between two directives; false when no
// crosswalk leads from one to the other.
func (b *Books) Planner(from, to *directive.Directive) (*carry.Planner, bool) {
	walk, ok := b.Library().Crosswalk(from.Source, to.Source)
	if !ok {
		return nil, false
	}
	return carry.New(from, to, walk, b.Controls(from), b.Controls(to)), true
}
