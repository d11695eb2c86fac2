package trail_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kakusho/trail"
)

const (
	golden    = "testdata/golden"
	goldenKey = "kakusho/test+86a84be6+AU5tzvVYsRzPsxfpDs3qtR3/C6LU1xvySBHmvEh5ZNp7"
	goldenLen = 13
)

// TestTheGoldenTrailVerifiesForEver keeps the format: testdata/golden was written
// by version 1 and is never written again. KAKUSHO_TRAIL_GOLDEN=new makes one where
// there is none.
func TestTheGoldenTrailVerifiesForEver(t *testing.T) {
	if os.Getenv("KAKUSHO_TRAIL_GOLDEN") == "new" {
		makeGolden(t)
	}
	r, err := trail.Verify(t.Context(), golden, goldenKey, nil)
	if err != nil || !r.OK() || r.Entries != goldenLen || r.Segments != 5 || r.Unsealed != 0 {
		t.Errorf("got %+v, %v, want %d entries in 5 segments and no problems", r, err, goldenLen)
	}
	if n, err := second(golden, goldenKey); n != goldenLen || err != nil {
		t.Errorf("second verifier: got %d entries, %v, want %d", n, err, goldenLen)
	}
	proof, err := os.ReadFile(golden + ".tlog-proof")
	if err != nil {
		t.Fatal(err)
	}
	p, err := trail.VerifyProof(proof, goldenKey)
	if err != nil || p.Seq != 6 || p.Object != "computer/PC-6" || string(p.Body) != `{"n":6,"名":"端末<6>"}` {
		t.Errorf("proof of entry 6: got %+v, %v", p, err)
	}
}

// The private half of the golden key was thrown away: nobody can add to that trail,
// and a new key must not be made for it.
func TestTheGoldenTrailIsNotOpenedWithoutItsKey(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	if l, err := trail.Open(dir, options()); err == nil {
		l.Close()
		t.Error("opened a trail without its private key")
	}
}

func makeGolden(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	small(t, dir)
	l := open(t, dir, options())
	p, err := l.Prove(t.Context(), 6)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "key")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(golden, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	write(t, golden+".tlog-proof", p)
	t.Log(l.PublicKey())
}

func TestTheSecondVerifierAgreesWithTheFirst(t *testing.T) {
	dir := t.TempDir()
	entries := small(t, dir)
	key, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := second(dir, key); int64(n) != entries || err != nil {
		t.Fatalf("got %d entries, %v, want %d", n, err, entries)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for name, data := range files(t, dir) {
		// It does not read what a verifier can do without.
		if len(data) == 0 || strings.Contains(name, ".state") || strings.Contains(name, ".p/") && !strings.HasSuffix(name, ".p/5") {
			continue
		}
		for range 60 {
			off := random.IntN(len(data))
			bad := append([]byte(nil), data...)
			bad[off] ^= 1 << random.IntN(8)
			write(t, filepath.Join(dir, name), bad)
			if _, err := second(dir, key); err == nil {
				t.Errorf("%s: byte %d flipped and not found", name, off)
			}
			if r, err := trail.Verify(t.Context(), dir, key, nil); err != nil || r.OK() {
				t.Errorf("%s: byte %d flipped: first verifier got %+v, %v", name, off, r, err)
			}
		}
		write(t, filepath.Join(dir, name), data)
	}
}
