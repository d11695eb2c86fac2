package trail_test

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

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
	dir := ramDir(t)
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

func TestATrailInUseVerifiesWhileItGrows(t *testing.T) {
	dir := ramDir(t)
	o := options()
	o.SealEvery, o.PackSize = 5*time.Millisecond, 4000
	l := open(t, dir, o)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if _, err := l.Append(t.Context(), entry(i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		before := l.SealedLen() // what has been signed is what counts, however fast it grows
		r, err := trail.Verify(t.Context(), dir, l.PublicKey(), nil)
		if err != nil || !r.InUse || len(r.Problems) > 0 || r.Entries < before {
			t.Errorf("got %+v, %v, want no problems and at least %d entries", r, err, before)
			break
		}
	}
	cancel()
	wg.Wait()
	n := l.Len()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkTrail(t, dir, n)
	t.Logf("%d entries", n)
}

func TestVerifyNeedsAKeyAndATrail(t *testing.T) {
	dir := ramDir(t)
	if _, err := trail.Verify(t.Context(), dir, "kakusho/test+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", nil); err == nil {
		t.Error("verified an empty directory")
	}
	fill(t, dir, options(), 1, 1)
	if _, err := trail.Verify(t.Context(), dir, "no key", nil); err == nil {
		t.Error("verified with no key")
	}
	public := dir + "/trail.pub"
	sound, err := os.ReadFile(public)
	if err != nil {
		t.Fatal(err)
	}
	write(t, public, []byte("kakusho/test+00000000+AAAA\n"))
	bad, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := findings(t, dir, bad), []string{"key"}; !slices.Equal(got, want) {
		t.Errorf("with a damaged key taken from beside the trail: got %q, want %q", got, want)
	}
	write(t, public, sound)
	other := ramDir(t)
	fill(t, other, options(), 1, 1)
	key, err := trail.PublicKey(other)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := findings(t, dir, key), []string{"checkpoint", "key"}; !slices.Equal(got, want) {
		t.Errorf("with the key of another trail of that name: got %q, want %q", got, want)
	}
}
