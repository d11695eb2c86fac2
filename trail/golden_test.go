package trail_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kakusho/trail"
	"kakusho/trail/audit"
)

const (
	golden    = "testdata/golden"
	goldenKey = "kakusho/test+86a84be6+AU5tzvVYsRzPsxfpDs3qtR3/C6LU1xvySBHmvEh5ZNp7"
	goldenLen = 13
)

// TestTheGoldenTrailVerifiesForEver keeps the format: testdata/golden was written
// by version 1 and is never written again. KAKUSHO_TRAIL_GOLDEN=new1, or new for the second, makes
// one where there is none.
func TestTheGoldenTrailVerifiesForEver(t *testing.T) {
	if os.Getenv("KAKUSHO_TRAIL_GOLDEN") == "new1" {
		makeGolden(t)
	}
	r, err := trail.Verify(t.Context(), golden, goldenKey, nil)
	if err != nil || !r.OK() || r.Entries != goldenLen || r.Segments != 5 || r.Unsealed != 0 {
		t.Errorf("got %+v, %v, want %d entries in 5 segments and no problems", r, err, goldenLen)
	}
	if n, err := second(golden, goldenKey, ""); n != goldenLen || err != nil {
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

// TestTheSecondGoldenTrailVerifiesForEver keeps what version 2 added: testdata/golden2
// has a retired pack that was archived before, one that was not, one in the archive
// beside it, and the statement.
func TestTheSecondGoldenTrailVerifiesForEver(t *testing.T) {
	const dir, archive = golden + "2", golden + "2.archive"
	if os.Getenv("KAKUSHO_TRAIL_GOLDEN") == "new" {
		makeGolden2(t, dir, archive)
	}
	key, err := os.ReadFile(dir + ".key")
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.VerifyWith(t.Context(), dir, string(key), audit.Options{Archive: folder{archive}})
	if err != nil || !r.OK() || r.Entries != 28 || r.Segments != 8 || len(r.Gone) != 4 || !r.Gone[3].Checked || r.Gone[1].Why != "log.retention.min P1Y" {
		t.Errorf("got %+v, %v, want 28 entries in 8 segments, four packs gone and no problems", r, err)
	}
	if n, err := second(dir, string(key), archive); n != 28 || err != nil {
		t.Errorf("second verifier: got %d entries, %v, want 28", n, err)
	}
	proof, err := os.ReadFile(dir + ".tlog-proof")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := trail.VerifyProof(proof, string(key)); err != nil || p.Seq != 5 || p.Object != "computer/PC-5" {
		t.Errorf("proof of entry 5, which is retired: got %+v, %v", p, err)
	}
	reader, err := trail.NewReaderWith(dir, folder{archive})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if e, err := reader.Get(9); err != nil || e.Object != "computer/PC-9" {
		t.Errorf("entry 9, which is in the archive: got %+v, %v", e, err)
	}
	if _, err := reader.Get(5); !errors.Is(err, trail.ErrRetired) {
		t.Errorf("entry 5: got %v, want ErrRetired", err)
	}
}

func makeGolden2(t *testing.T, to, archive string) {
	t.Helper()
	dir := ramDir(t)
	o := manyPacks(t, dir, 7)
	l := open(t, dir, o)
	p, err := l.Prove(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	names, _ := packNames(t, l)
	for _, n := range names[1:4] {
		if err := l.Archive(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Retire(t.Context(), names[:2], "log.retention.min P1Y"), l.Close(), os.RemoveAll(filepath.Join(dir, "key")),
		os.CopyFS(to, os.DirFS(dir)), os.CopyFS(archive, os.DirFS(o.Archive.(folder).dir))); err != nil {
		t.Fatal(err)
	}
	write(t, to+".tlog-proof", p)
	write(t, to+".key", []byte(l.PublicKey()))
}

// The private half of the golden key was thrown away: nobody can add to that trail,
// and a new key must not be made for it.
func TestTheGoldenTrailIsNotOpenedWithoutItsKey(t *testing.T) {
	dir := ramDir(t)
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
	dir := ramDir(t)
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
	dir := ramDir(t)
	entries := small(t, dir)
	key, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := second(dir, key, ""); int64(n) != entries || err != nil {
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
			if _, err := second(dir, key, ""); err == nil {
				t.Errorf("%s: byte %d flipped and not found", name, off)
			}
			if r, err := trail.Verify(t.Context(), dir, key, nil); err != nil || r.OK() {
				t.Errorf("%s: byte %d flipped: first verifier got %+v, %v", name, off, r, err)
			}
		}
		write(t, filepath.Join(dir, name), data)
	}
}

func TestTheSecondVerifierAgreesAboutWhatIsGone(t *testing.T) {
	dir := ramDir(t)
	archive := mixed(t, dir)
	key, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := second(dir, key, archive.dir); n != 28 || err != nil {
		t.Fatalf("got %d entries, %v, want 28", n, err)
	}
	random := rand.New(rand.NewPCG(7, 8))
	for _, base := range []string{dir, archive.dir} {
		for name, data := range files(t, base) {
			if base == dir && !strings.HasSuffix(name, ".away") && !strings.HasSuffix(name, ".hashes") {
				continue
			}
			for range 60 {
				off := random.IntN(len(data))
				bad := append([]byte(nil), data...)
				bad[off] ^= 1 << random.IntN(8)
				write(t, filepath.Join(base, name), bad)
				if _, err := second(dir, key, archive.dir); err == nil {
					t.Errorf("%s: byte %d flipped and not found", name, off)
				}
			}
			write(t, filepath.Join(base, name), data)
		}
	}
	for _, c := range goneForgeries {
		bad, away := ramDir(t), folder{ramDir(t)}
		if err := errors.Join(os.CopyFS(bad, os.DirFS(dir)), os.CopyFS(away.dir, os.DirFS(archive.dir))); err != nil {
			t.Fatal(err)
		}
		c.do(newForger(t, bad), away)
		if _, err := second(bad, key, away.dir); (err == nil) != (len(c.want) == 0) {
			t.Errorf("%s: got %v, the first verifier says %q", c.name, err, c.want)
		}
	}
}
