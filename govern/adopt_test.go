package govern_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/control"
	"kakusho/control/carry"
	"kakusho/directive/library"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/kind"
	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/trail"
)

// slow seals and folds as a river does, and takes its time before: whoever decided
// meanwhile by the same rows would be seen.
type slow struct {
	trail *trail.Log
	rows  store.Store
}

func (s slow) Append(ctx context.Context, entries ...trail.Entry) (int64, error) {
	time.Sleep(50 * time.Millisecond)
	first, err := s.trail.Append(ctx, entries...)
	if err != nil {
		return 0, err
	}
	return first, s.rows.Fold(ctx, s.trail.Len(), func(tx store.Tx) error {
		for e, err := range s.trail.Read(ctx, first) {
			if err != nil {
				return err
			}
			if err := govern.Fold(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestOfAdoptionsAtTheSameMomentOneIsSealed(t *testing.T) {
	at := time.Date(2026, 6, 30, 0, 0, 0, 0, time.UTC)
	log, err := trail.Open(t.TempDir(), trail.Options{Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	rows, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	lib, kinds := library.Shipped(), kind.Default()
	from, _ := lib.Of("npa-r3")
	to, _ := lib.Of("npa-next")
	walk, _ := lib.Crosswalk(from.Source, to.Source)
	before, after := control.For(kinds, lib, from), control.For(kinds, lib, to)
	s := govern.Succession{Planner: carry.New(from, to, walk, before, after), Document: "通達第1号", Reason: "改正", Drafts: true}
	who := actor.Actor{Person: "E-1", Assignments: []actor.Assignment{{Duty: actor.SecurityAdministrator, Scope: "*"}}}

	first := govern.New(rows, gate.New(slow{log, rows}), from, before, kinds)
	keepers := []*govern.Govern{first, first, first.Under(from, before), first.Under(to, after)}
	answers := make(chan error)
	for _, g := range keepers {
		go func() { answers <- g.Adopt(t.Context(), who, s, at) }()
	}
	taken := 0
	for range keepers {
		if err := <-answers; err == nil {
			taken++
		} else if !errors.As(err, new(govern.Faults)) {
			t.Error(err)
		}
	}
	if taken != 1 || log.Len() != 1 {
		t.Errorf("%d were taken and %d entries sealed, want 1", taken, log.Len())
	}
	if source, err := govern.InForce(t.Context(), rows); err != nil || source != to.Source {
		t.Errorf("in force is %q, %v; want %s", source, err, to.Source)
	}
}
