package trail_test

import (
	"context"
	"os"
	"testing"

	"kakusho/trail"
)

// checkTrail is the whole invariant: the closed trail verifies, and holds want
// entries, gap-free.
func checkTrail(t testing.TB, dir string, want int64) {
	t.Helper()
	key, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trail.Verify(context.Background(), dir, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Problems {
		t.Error("verify: ", p)
	}
	if r.Entries != want || r.Unsealed != 0 {
		t.Errorf("got %d entries under the checkpoint and %d unsealed, want %d and 0", r.Entries, r.Unsealed, want)
	}
}

func fill(t testing.TB, dir string, o trail.Options, segments, each int) {
	t.Helper()
	l := open(t, dir, o)
	for i := range segments {
		for j := range each {
			if _, err := l.Append(t.Context(), entry(2*(i*each+j)), entry(2*(i*each+j)+1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASoundTrailVerifies(t *testing.T) {
	dir := t.TempDir()
	o := options()
	o.PackSize = 2000
	fill(t, dir, o, 8, 3)
	checkTrail(t, dir, 48)
	names, _ := os.ReadDir(dir + "/pack")
	if len(names) < 3 {
		t.Errorf("got %d packs, want several", len(names))
	}
	fill(t, dir, o, 2, 1)
	checkTrail(t, dir, 52)
}
