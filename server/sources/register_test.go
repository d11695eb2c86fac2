package sources_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"kakusho/directive"
	"kakusho/event"
	"kakusho/kind"
	"kakusho/server/sources"
	"kakusho/store"
	"kakusho/store/sqlite"
)

const year = 365 * 24 * time.Hour

var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// looking is sources over a register of these rows. Prefecture 13 keeps for 10 years,
// everybody else for one.
func looking(t *testing.T, rows ...store.Subject) *sources.Sources {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	err = s.Fold(t.Context(), 1, func(tx store.Tx) error {
		for _, row := range rows {
			if err := tx.Put(t.Context(), &row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources.New(sources.Options{
		Rows: s, Kinds: kind.Default(), Changed: func() int64 { return 1 }, Now: func() time.Time { return now }, Failed: func(err error) { t.Error(err) },
		Values: func(_ context.Context, at directive.Scope, _ time.Time) (directive.Values, error) {
			keep := year
			if at.Prefecture == "13" {
				keep = 10 * year
			}
			return directive.Values{"log.retention.min": {Value: keep}}, nil
		},
	})
}

func row(kind, id, unit string, retired bool, values map[string]any) store.Subject {
	return store.Subject{Kind: kind, ID: id, Name: id, Unit: unit, Retired: retired, Values: values, Rev: 1}
}

// A system, or a unit, that is struck out of the register leaves its events behind:
// they are kept as long as before, and seen by whom they were seen before.
func TestWhatIsStruckOutOfTheRegisterKeepsItsPeriod(t *testing.T) {
	s := looking(t, row("unit", "U", "", true, map[string]any{"prefecture": "13"}), row("system", "OLD", "U", true, map[string]any{}),
		row("system", "LONG", "", true, map[string]any{"trail_kept": "5y"}))
	for system, want := range map[string]time.Duration{"OLD": 10 * year, "LONG": 5 * year, "": year} {
		if n, err := s.NeedAt(t.Context(), system, now); err != nil || n.Keep != want {
			t.Errorf("system %q: kept %v, want %v (%v)", system, n.Keep, want, err)
		}
	}
	if got := s.Within("unit/U"); !slices.Equal(got, []string{"OLD"}) {
		t.Errorf("systems of the unit: %q", got)
	}
}

// What is written as an address and is none narrows an entry to nobody: it must not
// open it to everybody who says the host's name.
func TestAnAddressThatIsNoneMatchesNobody(t *testing.T) {
	entry := func(id, address string) store.Subject {
		return row("log-source", id, "", false, map[string]any{"door": "syslog-udp", "match_host": id, "match_address": address, "status": "in-service"})
	}
	s := looking(t, entry("fw-1", "10.22.1.300"), entry("fw-2", "10.22.1.3"))
	for host, want := range map[string]string{"fw-1": "", "fw-2": "fw-2"} {
		if f := s.Resolve(event.Origin{Door: "syslog-udp", Address: "10.22.1.3", Host: host}); f.ID != want {
			t.Errorf("host %s: feed %q, want %q", host, f.ID, want)
		}
	}
}
