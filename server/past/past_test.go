package past

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kakusho/calendar"
	"kakusho/store"
	"kakusho/trail"
	"kakusho/web"
)

// blank is a trail in which nothing was recorded yet.
type blank struct{}

func (blank) Read(context.Context, int64) iter.Seq2[trail.Sealed, error] {
	return func(func(trail.Sealed, error) bool) {}
}
func (blank) Len() int64                      { return 0 }
func (blank) Get(int64) (trail.Sealed, error) { return trail.Sealed{}, os.ErrNotExist }

func day(n int) calendar.Past {
	at := time.Date(2026, 6, n, 0, 0, 0, 0, time.UTC)
	return calendar.Past{AsOf: at, KnownAt: at}
}

func keeper(t *testing.T, furnish func(store.Store, calendar.Past) (http.Handler, error)) *Keeper {
	t.Helper()
	k, err := Open(Config{Dir: t.TempDir(), Trail: blank{}, Furnish: furnish, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
		if left := k.kept(t); left != 0 {
			t.Errorf("%d pasts are left behind", left)
		}
	})
	return k
}

// kept is how many pasts are on the disk.
func (k *Keeper) kept(t *testing.T) int {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(k.cfg.Dir, "room-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(dirs)
}

func plain(store.Store, calendar.Past) (http.Handler, error) { return http.NotFoundHandler(), nil }

func TestOnlySoManyPastsAreKeptAndNoneThatIsLookedAtGoes(t *testing.T) {
	k := keeper(t, plain)
	first, err := k.Open(t.Context(), day(1), time.Minute)
	if err != nil || first.Handler == nil {
		t.Fatalf("the first: %v %v", first.Handler, err)
	}
	for n := 2; n <= 8; n++ {
		o, err := k.Open(t.Context(), day(n), time.Minute)
		if err != nil || o.Handler == nil {
			t.Fatalf("day %d: %v %v", n, o.Handler, err)
		}
		o.Close()
	}
	if n := k.kept(t); n != 3 || k.rooms[day(1)] == nil || k.rooms[day(8)] == nil {
		t.Errorf("%d pasts are kept, the first among them: %v", n, k.rooms[day(1)] != nil)
	}
	k.expire(k.rooms[day(1)])
	if k.rooms[day(1)] == nil {
		t.Error("a past goes while it is looked at")
	}
	first.Close()
	k.expire(k.rooms[day(1)])
	if n := k.kept(t); n != 2 || k.rooms[day(1)] != nil {
		t.Errorf("a past that nobody looks at stays: %d are kept", n)
	}
}

func TestAPastThatIsStillFoldedSaysSoAndTooManyAreTurnedAway(t *testing.T) {
	folding := make(chan struct{})
	k := keeper(t, func(store.Store, calendar.Past) (http.Handler, error) { <-folding; return http.NotFoundHandler(), nil })
	for n := 1; n <= waiting; n++ {
		if o, err := k.Open(t.Context(), day(n), 0); err != nil || o.Handler != nil {
			t.Errorf("day %d: %v %v, want neither pages nor an error", n, o.Handler, err)
		}
	}
	if _, err := k.Open(t.Context(), day(waiting+1), 0); !errors.Is(err, web.ErrBusy) {
		t.Errorf("one too many: %v, want ErrBusy", err)
	}
	close(folding)
	o, err := k.Open(t.Context(), day(waiting), time.Minute)
	if err != nil || o.Handler == nil {
		t.Fatalf("after folding: %v %v", o.Handler, err)
	}
	o.Close()
}

func TestAPastThatWasStillFoldedWhenItWasRenewedIsMadeAgain(t *testing.T) {
	folded, folding, made := make(chan struct{}, 2), make(chan struct{}), 0
	k := keeper(t, func(store.Store, calendar.Past) (http.Handler, error) {
		folded <- struct{}{}
		<-folding
		made++
		return http.NotFoundHandler(), nil
	})
	known := calendar.Past{AsOf: day(1).AsOf}
	if o, err := k.Open(t.Context(), known, 0); err != nil || o.Handler != nil {
		t.Fatalf("before: %v %v, want neither pages nor an error", o.Handler, err)
	}
	<-folded
	if err := k.Renew(); err != nil {
		t.Fatal(err)
	}
	close(folding)
	o, err := k.Open(t.Context(), known, time.Minute)
	if err != nil || o.Handler == nil {
		t.Fatalf("after: %v %v", o.Handler, err)
	}
	o.Close()
	if made != 2 {
		t.Errorf("it was made %d times, want again", made)
	}
}

func TestAPastThatCouldNotBeMadeIsMadeAgain(t *testing.T) {
	broken := errors.New("no space")
	k := keeper(t, func(store.Store, calendar.Past) (http.Handler, error) { return http.NotFoundHandler(), broken })
	if _, err := k.Open(t.Context(), day(1), time.Minute); !errors.Is(err, broken) {
		t.Errorf("got %v, want why", err)
	}
	if n := k.kept(t); n != 0 {
		t.Errorf("%d pasts are left behind", n)
	}
	broken = nil
	o, err := k.Open(t.Context(), day(1), time.Minute)
	if err != nil || o.Handler == nil {
		t.Fatalf("again: %v %v", o.Handler, err)
	}
	o.Close()
}
