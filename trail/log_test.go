package trail_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"kakusho/trail"
)

func options() trail.Options { return trail.Options{Now: time.Now, Installation: "test"} }

func open(t testing.TB, dir string, o trail.Options) *trail.Log {
	t.Helper()
	l, err := trail.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func entry(n int) trail.Entry {
	return trail.Entry{
		At: time.Date(2026, 11, 1, 0, 0, n, 0, time.UTC), Kind: "register.put", Actor: "person/1", Object: fmt.Sprint("computer/PC-", n),
		Body: json.RawMessage(fmt.Sprintf(`{"n":%d,"名":"端末<%d>"}`, n, n)),
	}
}

func TestWhatIsAppendedIsReadBackInOrder(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, options())
	for i := range 20 {
		first, err := l.Append(context.Background(), entry(2*i), entry(2*i+1))
		if err != nil || first != int64(2*i) {
			t.Fatalf("got %d, %v, want %d", first, err, 2*i)
		}
	}
	if err := l.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for s, err := range l.Read(t.Context(), 0) {
		if err != nil || s.Seq != int64(n) || s.Object != fmt.Sprint("computer/PC-", n) {
			t.Fatalf("got %+v, %v, want entry %d", s, err, n)
		}
		n++
	}
	if n != 40 {
		t.Fatalf("got %d entries, want 40", n)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, options())
	if s, err := l.Get(39); err != nil || s.Object != "computer/PC-39" || l.Len() != 40 {
		t.Fatalf("got %+v, %v of %d, want entry 39 of 40", s, err, l.Len())
	}
}
