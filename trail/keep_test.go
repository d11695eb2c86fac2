package trail_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/trail"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// folder is an archive in a folder, as plain as can be.
type folder struct{ dir string }

func (f folder) Put(_ context.Context, name string, r io.Reader, size int64, sum [32]byte) error {
	b, err := io.ReadAll(r)
	if err == nil && (int64(len(b)) != size || sha256.Sum256(b) != sum) {
		err = errors.New("not what was announced")
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.dir, name), b, 0o600)
}

func (f folder) Get(_ context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		return nil, err
	}
	b = b[min(off, int64(len(b))):]
	if n >= 0 {
		b = b[:min(n, int64(len(b)))]
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (f folder) Size(_ context.Context, name string) (int64, error) {
	st, err := os.Stat(filepath.Join(f.dir, name))
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func (f folder) Delete(_ context.Context, name string) error {
	if err := os.Remove(filepath.Join(f.dir, name)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// manyPacks makes a trail of many small packs, one a segment of four entries, and the
// options to open it with an archive.
func manyPacks(t testing.TB, dir string, segments int) trail.Options {
	t.Helper()
	o := options()
	o.PackSize = 1
	o.Archive = folder{ramDir(t)}
	fill(t, dir, o, segments, 2)
	return o
}

func packNames(t testing.TB, l *trail.Log) (names []string, states []trail.PackState) {
	t.Helper()
	packs, err := l.Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packs {
		names, states = append(names, p.Name), append(states, p.State)
	}
	return names, states
}

func TestPacksTellWhatIsInThem(t *testing.T) {
	dir := ramDir(t)
	l := open(t, dir, manyPacks(t, dir, 6))
	packs, err := l.Packs()
	if err != nil || len(packs) != 6 {
		t.Fatalf("got %d packs, %v, want 6", len(packs), err)
	}
	for i, p := range packs {
		whole := i < 5 // the last segment is needed to open
		if p.First != int64(4*i) || p.Count != 4 || p.FirstSegment != int64(i) || p.State != trail.PackLocal || p.Whole != whole || p.From.IsZero() || p.To.Before(p.From) {
			t.Errorf("pack %d: got %+v, want entries from %d, whole: %v", i, p, 4*i, whole)
		}
	}
	for _, p := range packs[5:] {
		if err := l.Archive(t.Context(), p.Name); !errors.Is(err, trail.ErrNotWhole) {
			t.Errorf("archive %s: got %v, want ErrNotWhole", p.Name, err)
		}
		if err := l.Retire(t.Context(), []string{p.Name}, "P10"); !errors.Is(err, trail.ErrNotWhole) {
			t.Errorf("retire %s: got %v, want ErrNotWhole", p.Name, err)
		}
	}
}

func TestAnArchivedPackIsReadAndProvedAsBefore(t *testing.T) {
	dir := ramDir(t)
	o := manyPacks(t, dir, 6)
	l := open(t, dir, o)
	names, _ := packNames(t, l)
	before, err := l.Prove(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names[:3] {
		if err := l.Archive(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "pack", n)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still here: %v", n, err)
		}
	}
	for range 2 { // as it was moved, and opened again
		if _, states := packNames(t, l); !slices.Equal(states[:4], []trail.PackState{"archived", "archived", "archived", "local"}) {
			t.Errorf("got %v", states)
		}
		n := 0
		for s, err := range l.Read(t.Context(), 0) {
			if err != nil || s.Seq != int64(n) || s.Object != fmt.Sprint("computer/PC-", n) {
				t.Fatalf("got %+v, %v, want entry %d", s, err, n)
			}
			n++
		}
		if n != 24 {
			t.Errorf("got %d entries, want 24", n)
		}
		if after, err := l.Prove(t.Context(), 5); err != nil || !bytes.Equal(after, before) {
			t.Errorf("another proof than before: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir, o)
	}
	l.Close()
	o.Archive = nil
	l = open(t, dir, o)
	if _, err := l.Get(1); !errors.Is(err, trail.ErrElsewhere) {
		t.Errorf("without an archive: got %v, want ErrElsewhere", err)
	}
	if s, err := l.Get(20); err != nil || s.Seq != 20 {
		t.Errorf("a pack that is here: got %+v, %v", s, err)
	}
}

func TestRetiredEntriesAreGoneAndStillProve(t *testing.T) {
	dir := ramDir(t)
	o := manyPacks(t, dir, 7)
	l := open(t, dir, o)
	names, _ := packNames(t, l)
	proofs := map[int64]trail.Proof{}
	for _, seq := range []int64{0, 5, 10, 15, 20} {
		p, err := l.Prove(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		proofs[seq] = p
	}
	line, err := l.GetLine(5)
	if err != nil {
		t.Fatal(err)
	}
	secret := bytes.Clone(line.Bytes)
	if err := l.Archive(t.Context(), names[1]); err != nil {
		t.Fatal(err)
	}
	if err := l.Retire(t.Context(), names[:3], "log.retention.min P1Y"); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(o.Archive.(folder).dir); len(left) > 0 {
		t.Errorf("still in the archive: %v", left)
	}
	for range 2 {
		checkRetired(t, l, proofs, secret)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, dir, o)
	}
	if err := l.Retire(t.Context(), names[:1], "again"); err == nil {
		t.Error("retired a pack twice")
	}
}

// checkReceiptOf holds a receipt for entries against the trail: that the lines of
// some are retired does not break the trail's word.
func checkReceiptOf(t *testing.T, l *trail.Log, first, count int64) {
	t.Helper()
	leaves, err := l.Leaves(t.Context(), first, count)
	if err != nil || int64(len(leaves)) != count {
		t.Fatalf("got %d hashes, %v, want %d", len(leaves), err, count)
	}
	r := trail.Receipt{First: first, Count: count, Leaves: seal.Digest(leaves)}
	if err := trail.Honoured(t.Context(), r, l); err != nil {
		t.Error(err)
	}
	r.First++
	if err := trail.Honoured(t.Context(), r, l); !errors.Is(err, trail.ErrReceipt) {
		t.Errorf("moved by one: got %v, want ErrReceipt", err)
	}
	for line, err := range l.Lines(t.Context(), first) {
		if err != nil {
			t.Fatal(err)
		}
		if i := line.Seq - first; i < count && seal.Leaf(line.Bytes) != leaves[i] {
			t.Errorf("entry %d has another hash", line.Seq)
		}
	}
}

func checkRetired(t *testing.T, l *trail.Log, proofs map[int64]trail.Proof, secret []byte) {
	t.Helper()
	if _, states := packNames(t, l); !slices.Equal(states[:4], []trail.PackState{"hashes", "hashes", "hashes", "local"}) {
		t.Errorf("got %v", states)
	}
	if _, err := l.Get(5); !errors.Is(err, trail.ErrRetired) {
		t.Errorf("entry 5: got %v, want ErrRetired", err)
	}
	if _, _, err := l.Checked(t.Context(), 5); !errors.Is(err, trail.ErrRetired) {
		t.Errorf("entry 5, checked: got %v, want ErrRetired", err)
	}
	if n := l.Kept(2); n != 12 {
		t.Errorf("kept from %d on, want 12", n)
	}
	var seqs []int64
	for s, err := range l.Read(t.Context(), 2) {
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, s.Seq)
	}
	if len(seqs) != 16 || seqs[0] != 12 {
		t.Errorf("read from 2 on: got %v, want 12 to 27", seqs)
	}
	checkReceiptOf(t, l, 2, 20)
	for seq, p := range proofs {
		if got, err := trail.VerifyProof(p, l.PublicKey()); err != nil || got.Seq != seq {
			t.Errorf("old proof of %d: got %+v, %v", seq, got, err)
		}
	}
	if _, err := l.Prove(t.Context(), 5); !errors.Is(err, trail.ErrRetired) {
		t.Errorf("prove 5 without its line: got %v, want ErrRetired", err)
	}
	p, err := l.ProveLine(t.Context(), 5, secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := trail.VerifyProof(p, l.PublicKey()); err != nil || got.Seq != 5 || !bytes.Equal(got.Line, secret) {
		t.Errorf("proof of the line that was kept outside: got %+v, %v", got, err)
	}
	if _, err := l.ProveLine(t.Context(), 5, bytes.ReplaceAll(secret, []byte("PC-5"), []byte("PC-6"))); !errors.Is(err, trail.ErrDamage) {
		t.Errorf("proof of another line: got %v, want ErrDamage", err)
	}
}

// A purge must not hide that a pack was altered.
func TestADamagedPackIsNotRetired(t *testing.T) {
	for _, archived := range []bool{false, true} {
		t.Run(fmt.Sprint("archived ", archived), func(t *testing.T) {
			dir := ramDir(t)
			o := manyPacks(t, dir, 6)
			f := newForger(t, dir)
			f.edit(f.packs()[1], func(fs []frame) []frame { fs[0] = fs[0].lines(change); reseal(fs, 0, 2); return fs })
			l := open(t, dir, o)
			names, _ := packNames(t, l)
			if archived {
				if err := l.Archive(t.Context(), names[1]); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Retire(t.Context(), names[:2], "P10"); err == nil || !strings.Contains(err.Error(), "segment 1") {
				t.Errorf("got %v, want an error that names segment 1", err)
			}
			if _, states := packNames(t, l); slices.Contains(states, "hashes") {
				t.Errorf("got %v, want nothing retired", states)
			}
			left, err := filepath.Glob(filepath.Join(dir, "pack", "*.hashes*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
			if _, err := l.Get(0); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRetiringWantsAReasonAndKnownPacks(t *testing.T) {
	dir := ramDir(t)
	l := open(t, dir, manyPacks(t, dir, 6))
	names, _ := packNames(t, l)
	for _, why := range []string{"", "two\nlines", strings.Repeat("x", 2000), "\xff"} {
		if err := l.Retire(t.Context(), names[:1], why); err == nil {
			t.Errorf("retired because of %.20q", why)
		}
	}
	for _, bad := range [][]string{{"0000000000000009.pack"}, {"../trail.pub"}, {names[1], names[0]}, {names[0], names[0]}} {
		if err := l.Retire(t.Context(), bad, "P10"); err == nil {
			t.Errorf("retired %v", bad)
		}
	}
	if _, states := packNames(t, l); slices.Contains(states, "hashes") {
		t.Errorf("got %v, want nothing retired", states)
	}
}

func TestReadersGoOnWhilePacksMove(t *testing.T) {
	dir := ramDir(t)
	o := manyPacks(t, dir, 14)
	l := open(t, dir, o)
	names, _ := packNames(t, l)
	stop, done := make(chan struct{}), make(chan error, 2)
	for range 2 {
		go func() {
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				last := int64(-1)
				for s, err := range l.Read(context.Background(), 0) {
					if err != nil || s.Seq <= last {
						done <- fmt.Errorf("entry %d after %d: %w", s.Seq, last, err)
						return
					}
					last = s.Seq
				}
			}
		}()
	}
	for i, n := range names[:12] {
		if err := l.Archive(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 {
			if err := l.Retire(t.Context(), names[i-1:i+1], "P10"); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Whoever found the frames of a pack before it was retired is told so: what stands in
// their place now is not damage.
func TestAFrameFoundBeforeItsPackWasRetiredIsRetired(t *testing.T) {
	dir := ramDir(t)
	o := manyPacks(t, dir, 4)
	codec, err := pack.NewCodec(1)
	if err != nil {
		t.Fatal(err)
	}
	defer codec.Close()
	set, err := pack.Open(pack.OS{}, filepath.Join(dir, "pack"), "kakusho/test", 0, codec, nil)
	if err != nil {
		t.Fatal(err)
	}
	refs, err := set.Segment(0)
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, dir, o)
	names, _ := packNames(t, l)
	if err := l.Retire(t.Context(), names[:1], "P10"); err != nil {
		t.Fatal(err)
	}
	bare := pack.FileName{Segment: 0, Form: pack.Bare, Statement: 4}
	bare.Name = bare.String()
	if err := set.Move(bare, sizeOf(t, filepath.Join(dir, "pack", bare.Name))); err != nil {
		t.Fatal(err)
	}
	for _, r := range refs {
		if _, err := set.Read(r); !errors.Is(err, trail.ErrRetired) {
			t.Errorf("frame %q: got %v, want ErrRetired", byte(r.Type), err)
		}
	}
}

func TestAPackIsBegunByAge(t *testing.T) {
	dir := ramDir(t)
	o := options()
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return at }
	o.PackAge = 24 * time.Hour
	l := open(t, dir, o)
	for range 5 {
		if _, err := l.Append(t.Context(), entry(0)); err != nil {
			t.Fatal(err)
		}
		if err := l.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		at = at.Add(16 * time.Hour)
	}
	if names, _ := packNames(t, l); len(names) != 3 {
		t.Errorf("got %v, want three packs of two entries, two, and one", names)
	}
}
