package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"kakusho/trail/keep"
	"kakusho/trail/key"
	"kakusho/trail/seal"
	"kakusho/trail/witness"
)

// Options say what an auditor brings beside the public key.
type Options struct {
	Progress func(done, total int64) // hears how many bytes of packs are done; may be nil
	Accepted []string                // keys put for lost ones that he accepts
	Beside   bool                    // the key was taken from beside the trail: nobody has accepted anything
	Policy   witness.Policy          // whose cosignatures he wants; zero: nobody's
	Parallel int                     // packs looked at side by side; 0: as many as there are processors
	Archive  keep.Archive            // where archived packs are fetched from; nil: they are reported, not checked
	Resume   string                  // file that remembers how far it got, until it is at the end; not in the trail's folder
}

// follow finds the key that signs today, from the one that is given and the
// statements beside the trail.
func (a *audit) follow(given string, o Options) (last string) {
	text, err := a.read(key.ChainFile, key.MaxChain)
	if errors.Is(err, fs.ErrNotExist) {
		return given
	}
	if err == nil {
		a.chainOf, err = key.ParseChain(text)
	}
	if err == nil && len(a.chainOf) == 0 {
		err = errors.New("is empty")
	}
	if err != nil {
		a.file(Key, key.ChainFile, -1, err.Error())
		return given
	}
	last, lost := a.chainOf.Follow(given, o.Accepted...)
	if o.Beside {
		lost = nil
		for _, s := range a.chainOf {
			if s.Lost && !slices.Contains(o.Accepted, s.New) {
				lost = append(lost, s)
			}
		}
	}
	for _, s := range lost {
		a.file(Lost, key.ChainFile, -1, fmt.Sprintf("statement %d of %s, from segment %d on: %s", s.Number, s.At.UTC().Format("2006-01-02"), s.Size, s.New))
	}
	if end := a.chainOf[len(a.chainOf)-1].New; end != last {
		a.file(Key, key.ChainFile, -1, "leads to another key: "+end)
	}
	return last
}

// stated sees that each statement names the log that is here.
func (a *audit) stated() {
	for _, s := range a.chainOf {
		if s.Size > int64(len(a.want)) || seal.Root(a.want[:s.Size]) != s.Root {
			a.file(Key, key.ChainFile, -1, fmt.Sprintf("statement %d does not sign the first %d segments that are here", s.Number, s.Size))
		}
	}
}

// witnessed compares the log with what witnesses have signed of it.
func (a *audit) witnessed(public string, p witness.Policy) {
	entries, err := os.ReadDir(filepath.Join(a.dir, path.Dir(witness.CosignedFile)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.file(Unreadable, path.Dir(witness.CosignedFile), -1, err.Error())
	}
	for _, e := range entries {
		if name := path.Join(path.Dir(witness.CosignedFile), e.Name()); name != witness.CosignedFile && !a.live {
			a.file(Extra, name, -1, "")
		}
	}
	text, err := a.read(witness.CosignedFile, maxLog)
	if errors.Is(err, fs.ErrNotExist) {
		if p.Quorum != "" && p.Quorum != "none" {
			a.file(Witness, witness.CosignedFile, -1, "is missing: nothing is witnessed")
		}
		return
	}
	if err != nil {
		a.file(Unreadable, witness.CosignedFile, -1, err.Error())
		return
	}
	if err := a.cosigned(text, public, p); err != nil {
		a.file(Witness, witness.CosignedFile, -1, err.Error())
	}
}

func (a *audit) cosigned(text []byte, public string, p witness.Policy) error {
	own, lines, err := seal.Cosigned(text)
	if err != nil {
		return err
	}
	c, _, err := a.chainOf.Checkpoint(own, public)
	if err != nil {
		return err
	}
	here := a.want
	if a.live && c.Size > int64(len(here)) {
		if a.grow(); a.signed > int64(len(here)) {
			here = a.leaves
		}
	}
	switch {
	case c.Size > int64(len(here)):
		return fmt.Errorf("%d segments were witnessed, here are %d: an old copy was put back", c.Size, len(here))
	case seal.Root(here[:c.Size]) != c.Root:
		return fmt.Errorf("the first %d segments are not those that were witnessed", c.Size)
	}
	a.report.Witnessed = c.Size
	if p.Quorum == "" {
		return nil
	}
	by, err := p.Check(text)
	if err != nil {
		return err
	}
	a.report.Witnesses = by
	if !p.Satisfied(by) {
		return fmt.Errorf("%d of the policy's witnesses have signed, which is not enough", len(by))
	}
	known := strings.Builder{}
	for _, c := range by {
		known.WriteString(c.Line)
	}
	for _, line := range lines {
		if !strings.Contains(known.String(), line) {
			return fmt.Errorf("a signature of nobody in the policy: %q", line)
		}
	}
	return nil
}
