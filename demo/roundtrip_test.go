package demo_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/demo"
	"kakusho/gate"
	"kakusho/kind/table"
	"kakusho/posture"
	"kakusho/register/exchange"
	"kakusho/server"
	"kakusho/server/fold"
	"kakusho/trail"
	"kakusho/verdict"
)

// mover is who may take every register out and in: the program at the machine.
var mover = actor.Actor{Person: actor.Program.Person, Assignments: []actor.Assignment{{Duty: actor.SecurityAdministrator, Scope: "*"}}}

func archive(t *testing.T, s *server.Server, format table.Format) []byte {
	t.Helper()
	b, err := s.Exchange.Archive(t.Context(), mover, exchange.Archive{Format: format, Lang: bilingual.JA, Personal: true}, at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// filesOf are the files of an archive.
func filesOf(t *testing.T, data []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(b)
	}
	return out
}

// replay brings what is no register from one trail through the gate of another
// installation: facts, decisions, parameters, as they were, by whom they were.
func replay(t *testing.T, from string, to *server.Server) (n int) {
	t.Helper()
	l, err := trail.Open(filepath.Join(from, "trail"), trail.Options{Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for e, err := range l.Read(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		room, _, _ := strings.Cut(e.Kind, ".")
		if !slices.Contains([]string{"fact", "decision", "parameter", "directive"}, room) {
			continue
		}
		who := actor.Actor{Person: e.Actor}
		if e.Actor != actor.Program.Person {
			for _, d := range actor.Duties {
				who.Assignments = append(who.Assignments, actor.Assignment{Post: e.Post, Duty: d, Scope: "*"})
			}
		}
		_, err := to.Gate.Ask(t.Context(), gate.Request{Actor: who, At: e.At, Action: gate.Action(e.Kind), Object: e.Object, Control: e.Control, Clauses: e.Clauses,
			Changes: []gate.Change{{Object: e.Object, Body: e.Body}}})
		if err != nil {
			t.Fatalf("replay %s %s: %v", e.Kind, e.Object, err)
		}
		n++
	}
	return n
}

func pairsOf(t *testing.T, s *server.Server) map[string]verdict.Outcome {
	t.Helper()
	st, err := s.Posture.Now(t.Context(), ask(t, s), at)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]verdict.Outcome{}
	for _, p := range st.Pairs(posture.Filter{}) {
		out[string(p.Subject)+" "+p.Control] = p.Outcome
	}
	return out
}

// The registers of the sample are taken out, and into an empty installation: they are
// the same there, and with the same evidence and decisions so is every verdict.
func TestTheSamplesRegistersAreTheSameElsewhere(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a sample")
	}
	dir := filepath.Join(t.TempDir(), "sample")
	if _, err := demo.Fill(t.Context(), dir, now, nil); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir)
	defer a.Close()
	first := archive(t, a, table.CSV)
	want := pairsOf(t, a)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}

	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	b := open(t, elsewhere)
	defer b.Close()
	took := at.AddDate(-1, 0, 0) // before any evidence, as the sample's own were
	taken, err := b.Exchange.TakeArchive(t.Context(), mover, exchange.File{Name: "registers.zip", Data: first}, "移行", took, nil)
	if err != nil {
		var wrong exchange.Wrong
		if errors.As(err, &wrong) {
			for _, f := range wrong[:min(len(wrong), 10)] {
				t.Log(f.Text().JA)
			}
		}
		t.Fatal(err)
	}
	t.Logf("%d entries in %d decisions", taken.New, len(taken.Imports))
	if len(taken.Imports) != 1 || taken.Changed+taken.Same != 0 {
		t.Errorf("taken in: %+v, want all new in one decision", taken)
	}
	if a, b := filesOf(t, first), filesOf(t, archive(t, b, table.CSV)); !maps.Equal(a, b) {
		for name := range a {
			if a[name] != b[name] {
				t.Errorf("%s differs: %d bytes, were %d", name, len(b[name]), len(a[name]))
			}
		}
	}
	n := replay(t, dir, b)
	got := pairsOf(t, b)
	different := 0
	for pair, o := range want {
		if got[pair] != o {
			if different++; different <= 20 {
				t.Errorf("%s: %s, was %s", pair, got[pair], o)
			}
		}
	}
	if different > 0 || len(got) != len(want) {
		t.Errorf("%d of %d verdicts differ, %d there", different, len(want), len(got))
	}
	t.Logf("%d other entries replayed, %d verdicts equal", n, len(want)-different)

	// Again, it changes nothing; as workbooks too.
	for _, again := range [][]byte{first, archive(t, b, table.XLSX)} {
		taken, err := b.Exchange.TakeArchive(t.Context(), mover, exchange.File{Name: "again.zip", Data: again}, "", at, nil)
		if err != nil || len(taken.Imports) != 0 || taken.Same == 0 {
			t.Errorf("taken in again: %+v %v, want all unchanged", taken, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	diffs, err := fold.Refold(context.WithoutCancel(t.Context()), elsewhere, "", true, now, nil)
	if err != nil || len(diffs) > 0 {
		t.Errorf("refold: %d differences, %v: %.3v", len(diffs), err, diffs)
	}
}
