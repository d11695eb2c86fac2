package carry

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"kakusho/event"
)

// counter is a source of the numbers up to end.
type counter struct {
	next, end int
	lost      int64
}

func (c *counter) Close() {}

func (c *counter) Read(most int) (Load, error) {
	var l Load
	for range min(most, 3, c.end-c.next) {
		l.Events = append(l.Events, event.Event{At: time.Unix(1_700_000_000, 0), Text: strconv.Itoa(c.next)})
		c.next++
	}
	if c.lost > 0 {
		l.Lost = []Loss{{c.lost, "test"}}
		c.lost = 0
	}
	l.Place, l.More = json.RawMessage(strconv.Itoa(c.next)), len(l.Events) > 0
	return l, nil
}

// shelf is a sink in memory.
type shelf struct {
	texts   []string
	last    map[string]int64
	numbers []int64
	lost    int64
	stop    func() // called when it has want texts
	want    int
	errs    []error // said before it takes
}

func (s *shelf) Accept(_ context.Context, b event.Batch, _ bool) (event.Receipt, error) {
	if len(s.errs) > 0 {
		err := s.errs[0]
		s.errs = s.errs[1:]
		return event.Receipt{}, err
	}
	if b.Number <= s.last[b.Sender] {
		return event.Receipt{Duplicate: true}, nil
	}
	s.last[b.Sender] = b.Number
	s.numbers = append(s.numbers, b.Number)
	for _, e := range b.Events {
		s.texts = append(s.texts, e.Text)
	}
	if len(s.texts) >= s.want {
		s.stop()
	}
	return event.Receipt{}, nil
}

func (s *shelf) Lost(_ event.Origin, n int64, _ string) { s.lost += n }

// run carries until the shelf has as many events.
func run(t *testing.T, file string, s *shelf, c *counter, want int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	s.want, s.stop = want, stop
	err := Run(ctx, Options{File: file, Name: "test", Sink: s, Now: time.Now, Every: time.Millisecond,
		Open: func(place json.RawMessage) (Source, error) {
			if place != nil {
				c.next, _ = strconv.Atoi(string(place))
			}
			return c, nil
		}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v, with %d of %d events", err, len(s.texts), want)
	}
}

func (s *shelf) inOrder(t *testing.T, n int) {
	t.Helper()
	if len(s.texts) != n {
		t.Fatalf("%d events, want %d", len(s.texts), n)
	}
	for i, text := range s.texts {
		if text != strconv.Itoa(i) {
			t.Fatalf("event %d is %s", i, text)
		}
	}
}

func TestASourceIsCarriedOnFromWhereItWas(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hand")
	s := &shelf{last: map[string]int64{}, errs: []error{event.ErrFull}}
	for want := 3; want <= 30; want += 3 {
		run(t, file, s, &counter{end: 30}, want)
	}
	s.inOrder(t, 30)
	for i, n := range s.numbers {
		if n != int64(i+1) {
			t.Fatalf("batch %d has the number %d", i, n)
		}
	}
}

func TestALossIsToldOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hand")
	s := &shelf{last: map[string]int64{}}
	run(t, file, s, &counter{end: 9, lost: 5}, 9)
	if s.inOrder(t, 9); s.lost != 5 {
		t.Errorf("%d lost", s.lost)
	}
}

func TestAPlaceThatWasSetBackBringsAgainAndLosesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hand")
	s := &shelf{last: map[string]int64{}}
	run(t, file, s, &counter{end: 3}, 3)
	before, _ := os.ReadFile(file)
	run(t, file, s, &counter{end: 9}, 9)
	os.WriteFile(file, before, 0o600)
	run(t, file, s, &counter{end: 12}, 18)
	seen := map[string]bool{}
	for _, text := range s.texts {
		seen[text] = true
	}
	if len(seen) != 12 {
		t.Errorf("%d of 12 came: %v", len(seen), s.texts)
	}
}

func TestAHandThatCannotBeReadStops(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hand")
	s := &shelf{last: map[string]int64{}}
	run(t, file, s, &counter{end: 3}, 3)
	b, _ := os.ReadFile(file)
	os.WriteFile(file, b[:len(b)-2], 0o600)
	if err := Run(t.Context(), Options{File: file, Name: "test", Sink: s, Now: time.Now}); err == nil {
		t.Error("a cut file was read")
	}
}

func FuzzHand(f *testing.F) {
	f.Add([]byte(`{"sender":"a","number":1,"place":3,"count":0}` + "\n"))
	f.Add([]byte(`{"sender":"a","number":1,"place":{},"count":1}` + "\n" + `{"id":"00000000000000000000000000000000","at":"2026-11-24T00:00:00Z"}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := parse(b); err == nil && (h.Sender == "" || len(h.events) != h.Count) {
			t.Fatalf("read %+v", h)
		}
	})
}
