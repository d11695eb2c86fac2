package keep_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kakusho/blob"
	"kakusho/blob/dir"
	"kakusho/trail"
	"kakusho/trail/audit"
	"kakusho/trail/pack"
)

// The test binary plays two parts: with KAKUSHO_KEEP_MOVER set it moves the packs of a
// trail and kills itself before the n-th thing it does to the disk or the archive.
func TestMain(m *testing.M) {
	if where := os.Getenv("KAKUSHO_KEEP_MOVER"); where != "" {
		if err := moveAndDie(where); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func options(archive trail.Archive) trail.Options {
	return trail.Options{Now: time.Now, Installation: "test", PackSize: 1, Archive: archive}
}

// countdown kills the process when it is at its end.
type countdown struct{ left atomic.Int64 }

func (c *countdown) step() { c.stepOr(func() {}) }

// stepOr does something before it kills.
func (c *countdown) stepOr(last func()) {
	if c.left.Add(-1) == 0 {
		last()
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // it comes at once
	}
}

// deadly is a disk that counts what is done to it.
type deadly struct {
	pack.OS
	c *countdown
}

func (d deadly) Create(name string) (pack.File, error) {
	d.c.step()
	f, err := d.OS.Create(name)
	return deadlyFile{f, d.c}, err
}

func (d deadly) Open(name string, write bool) (pack.File, error) {
	f, err := d.OS.Open(name, write)
	if err != nil || !write {
		return f, err
	}
	return deadlyFile{f, d.c}, nil
}

func (d deadly) Remove(name string) error {
	d.c.step()
	return d.OS.Remove(name)
}

func (d deadly) Rename(from, to string) error {
	d.c.step()
	return d.OS.Rename(from, to)
}

func (d deadly) SyncDir(name string) error {
	d.c.step()
	return d.OS.SyncDir(name)
}

type deadlyFile struct {
	pack.File
	c *countdown
}

func (f deadlyFile) WriteAt(b []byte, off int64) (int, error) {
	f.c.stepOr(func() { f.File.WriteAt(b[:len(b)/2], off) }) // half of it is there
	return f.File.WriteAt(b, off)
}

func (f deadlyFile) Sync() error {
	f.c.step()
	return f.File.Sync()
}

type deadlyArchive struct {
	trail.Archive
	c *countdown
}

func (d deadlyArchive) Put(ctx context.Context, name string, r io.Reader, size int64, sum [32]byte) error {
	d.c.step()
	return d.Archive.Put(ctx, name, r, size, sum)
}

func (d deadlyArchive) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	d.c.step()
	return d.Archive.Get(ctx, name, off, n)
}

func (d deadlyArchive) Delete(ctx context.Context, name string) error {
	d.c.step()
	return d.Archive.Delete(ctx, name)
}

func moveAndDie(where string) error {
	n, err := strconv.ParseInt(os.Getenv("KAKUSHO_KEEP_STEP"), 10, 64)
	if err != nil {
		return err
	}
	store, err := dir.Open(filepath.Join(where, "archive"))
	if err != nil {
		return err
	}
	c := &countdown{}
	o := options(deadlyArchive{store, c})
	o.FS = deadly{c: c}
	l, err := trail.Open(filepath.Join(where, "trail"), o)
	if err != nil {
		return err
	}
	c.left.Store(n)
	if err := move(l); err != nil {
		return err
	}
	c.left.Store(0)
	return l.Close()
}

// move archives the packs 1 and 2 and retires 0 and 1, as far as that is not done yet.
func move(l *trail.Log) error {
	ctx := context.Background()
	packs, err := l.Packs()
	if err != nil {
		return err
	}
	for _, p := range packs[1:3] {
		if p.State == trail.PackLocal {
			if err := l.Archive(ctx, p.Name); err != nil {
				return err
			}
		}
	}
	var names []string
	for _, p := range packs[:2] {
		if p.State != trail.PackHashes {
			names = append(names, p.Name)
		}
	}
	return l.Retire(ctx, names, "P10")
}

// six makes a trail of six packs with two entries each.
func six(t *testing.T, where string) {
	t.Helper()
	l, err := trail.Open(filepath.Join(where, "trail"), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		e := trail.Entry{At: time.Unix(1, 0), Kind: "test", Body: json.RawMessage(strconv.Itoa(i))}
		if _, err := l.Append(t.Context(), e, e); err != nil {
			t.Fatal(err)
		}
		if err := l.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Close(), os.Mkdir(filepath.Join(where, "archive"), 0o700)); err != nil {
		t.Fatal(err)
	}
}

func ramDir(t *testing.T) string {
	t.Helper()
	name, err := os.MkdirTemp("/dev/shm", "kakusho-keep-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(name) })
	return name
}

func TestKilledAtAnyStepEachPackIsInOnePlaceAndNothingGoesWithoutAStatement(t *testing.T) {
	base := ramDir(t)
	six(t, base)
	stride := 1
	if testing.Short() {
		stride = 5
	}
	kills := 0
	for step := 1 + int(time.Now().UnixNano()%int64(stride)); ; step += stride {
		where := ramDir(t)
		if err := os.CopyFS(where, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "KAKUSHO_KEEP_MOVER="+where, "KAKUSHO_KEEP_STEP="+strconv.Itoa(step))
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Logf("%d kills, the whole is %d steps or fewer", kills, step)
			break
		}
		if st, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !st.Signaled() {
			t.Fatalf("step %d: %v: %s", step, err, out)
		}
		kills++
		afterKill(t, where, step)
		os.RemoveAll(where)
	}
	if kills < 30/stride {
		t.Errorf("killed %d times only", kills)
	}
}

// afterKill is the whole invariant.
func afterKill(t *testing.T, where string, step int) {
	t.Helper()
	store, err := dir.Open(filepath.Join(where, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	name := filepath.Join(where, "trail")
	for range 2 { // as it was left, and when the move was made again
		l, err := trail.Open(name, options(store))
		if err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		whole(t, l, store, step)
		if err := l.Close(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		verified(t, name, store, step)
		left, err := filepath.Glob(filepath.Join(name, "pack", "*.new"))
		if err != nil || len(left) > 0 {
			t.Errorf("step %d: left over: %v, %v", step, left, err)
		}
		if l, err = trail.Open(name, options(store)); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if packs, _ := l.Packs(); packs[0].State != trail.PackHashes || packs[1].State != trail.PackHashes {
			if err := move(l); err != nil {
				t.Errorf("step %d: again: %v", step, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
	}
}

// whole checks that each entry is there, or its pack is retired.
func whole(t *testing.T, l *trail.Log, store blob.Store, step int) {
	t.Helper()
	packs, err := l.Packs()
	if err != nil {
		t.Fatalf("step %d: %v", step, err)
	}
	for i, p := range packs[:6] {
		for seq := p.First; seq < p.First+p.Count; seq++ {
			e, err := l.Get(seq)
			switch {
			case p.State == trail.PackHashes && i < 2 && errors.Is(err, trail.ErrRetired):
			case p.State == trail.PackHashes || err != nil || string(e.Body) != strconv.Itoa(i):
				t.Errorf("step %d: entry %d of pack %d, %s: got %s, %v", step, seq, i, p.State, e.Body, err)
			}
		}
		if _, err := store.Size(t.Context(), p.Name); p.State == trail.PackHashes && err == nil {
			t.Errorf("step %d: pack %d is retired and still in the archive", step, i)
		}
	}
}

func verified(t *testing.T, name string, store blob.Store, step int) {
	t.Helper()
	key, err := trail.PublicKey(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.VerifyWith(t.Context(), name, key, audit.Options{Archive: store})
	if err != nil || !r.OK() || r.Entries != 12 {
		t.Errorf("step %d: got %+v, %v", step, r, err)
	}
	names, err := pack.Files(filepath.Join(name, "pack"))
	if err != nil || len(names) != len(slices.CompactFunc(slices.Clone(names), func(a, b pack.FileName) bool { return a.Segment == b.Segment })) {
		t.Errorf("step %d: two files of one pack: %v, %v", step, names, err)
	}
}

// An archive that fails changes nothing that counts.
func TestAnArchiveThatFailsLosesNothing(t *testing.T) {
	where := ramDir(t)
	six(t, where)
	store, err := dir.Open(filepath.Join(where, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	broken := &moody{Archive: store}
	l, err := trail.Open(filepath.Join(where, "trail"), options(broken))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first, second := pack.Name(0), pack.Name(1)
	for _, how := range []string{"put", "get", "short", "wrong"} {
		broken.how = how
		if err := l.Archive(t.Context(), first); err == nil {
			t.Errorf("%s: archived", how)
		}
		if packs, err := l.Packs(); err != nil || packs[0].State != trail.PackLocal {
			t.Errorf("%s: got %v, %v, want it to stay", how, packs[0].State, err)
		}
	}
	broken.how = ""
	if err := errors.Join(l.Archive(t.Context(), first), l.Archive(t.Context(), second)); err != nil {
		t.Fatal(err)
	}
	broken.how = "wrong" // the hashes would be of something else
	if err := l.Retire(t.Context(), []string{first}, "P10"); err == nil {
		t.Error("retired what could not be read")
	}
	broken.how = "delete"
	if err := l.Retire(t.Context(), []string{first}, "P10"); err == nil || !strings.Contains(err.Error(), "not yet removed") {
		t.Errorf("got %v, want that it is retired but not removed", err)
	}
	if _, err := l.Get(0); !errors.Is(err, trail.ErrRetired) {
		t.Errorf("got %v, want ErrRetired", err)
	}
	broken.how = ""
	if err := l.Retire(t.Context(), []string{second}, "P10"); err != nil { // takes what was left with it
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(where, "archive")); err != nil || len(left) > 0 {
		t.Errorf("still in the archive: %v, %v", left, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	verified(t, filepath.Join(where, "trail"), store, 0)
}

// What was put and could not be read back is not left there when the pack goes.
func TestAPackThatWasPutInVainIsNotLeftInTheArchive(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		where := ramDir(t)
		six(t, where)
		store, err := dir.Open(filepath.Join(where, "archive"))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		broken := &moody{Archive: store, how: "get"}
		name := filepath.Join(where, "trail")
		l, err := trail.Open(name, options(broken))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Archive(t.Context(), pack.Name(0)); err == nil {
			t.Fatal("archived")
		}
		broken.how = ""
		if reopened {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if l, err = trail.Open(name, options(broken)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(l.Retire(t.Context(), []string{pack.Name(0)}, "P10"), l.Close()); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(filepath.Join(where, "archive")); err != nil || len(left) > 0 {
			t.Errorf("reopened %v: still in the archive: %v, %v", reopened, left, err)
		}
		verified(t, name, store, 0)
	}
}

// moody is an archive with a fault.
type moody struct {
	trail.Archive
	how string
}

var errMoody = errors.New("the archive does not want to")

func (m *moody) Put(ctx context.Context, name string, r io.Reader, size int64, sum [32]byte) error {
	if m.how == "put" {
		return errMoody
	}
	return m.Archive.Put(ctx, name, r, size, sum)
}

func (m *moody) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r, err := m.Archive.Get(ctx, name, off, n)
	switch {
	case err != nil:
		return nil, err
	case m.how == "get":
		return nil, errors.Join(errMoody, r.Close())
	case m.how == "short":
		return io.NopCloser(io.LimitReader(r, 100)), nil
	case m.how == "wrong":
		return io.NopCloser(&flipping{r: r, at: 300}), nil
	}
	return r, nil
}

func (m *moody) Delete(ctx context.Context, name string) error {
	if m.how == "delete" {
		return errMoody
	}
	return m.Archive.Delete(ctx, name)
}

type flipping struct {
	r  io.Reader
	at int
}

func (f *flipping) Read(b []byte) (int, error) {
	n, err := f.r.Read(b)
	if f.at >= 0 && f.at < n {
		b[f.at] ^= 1
	}
	f.at -= n
	return n, err
}

// A check that was stopped goes on where it was, and finds what a whole one finds.
func TestAStoppedCheckGoesOn(t *testing.T) {
	where := ramDir(t)
	six(t, where)
	store, err := dir.Open(filepath.Join(where, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	name := filepath.Join(where, "trail")
	l, err := trail.Open(name, options(store))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(move(l), l.Close()); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(where, "state")
	for stop := range 6 {
		counting := &counted{Archive: store}
		o := audit.Options{Archive: counting, Resume: state, Parallel: 1}
		ctx, cancel := context.WithCancel(t.Context())
		packs := 0
		o.Progress = func(done, total int64) {
			if packs++; packs > stop+1 {
				cancel()
			}
		}
		if _, err := audit.VerifyWith(ctx, name, l.PublicKey(), o); !errors.Is(err, context.Canceled) {
			t.Fatalf("stop after %d: got %v, want context.Canceled", stop, err)
		}
		cancel()
		before := counting.gets
		o.Progress = nil
		r, err := audit.VerifyWith(t.Context(), name, l.PublicKey(), o)
		if err != nil || !r.OK() || r.Entries != 12 || len(r.Gone) != 3 {
			t.Errorf("stopped after %d: got %+v, %v", stop, r, err)
		}
		if stop >= 3 && counting.gets != before {
			t.Errorf("stopped after %d: fetched pack 2 again", stop)
		}
		if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
	}
	altered(t, name, l.PublicKey(), store, state)
}

// altered stops a check behind pack 4, alters that and sees that it is found.
func altered(t *testing.T, name, key string, store trail.Archive, state string) {
	ctx, cancel := context.WithCancel(t.Context())
	o := audit.Options{Archive: store, Resume: state, Parallel: 1, Progress: func(done, total int64) {
		if done == total {
			cancel()
		}
	}}
	if _, err := audit.VerifyWith(ctx, name, key, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	file := filepath.Join(name, "pack", pack.Name(4))
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b[150] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	o.Progress = nil
	r, err := audit.VerifyWith(t.Context(), name, key, o)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].What != audit.Damaged || r.Problems[0].FirstSeq != 8 {
		t.Errorf("altered after it was looked at: got %+v, %v", r.Problems, err)
	}
	if slices.ContainsFunc(r.Gone, func(g audit.Gone) bool { return !g.Checked }) {
		t.Errorf("got %+v, want all checked", r.Gone)
	}
}

type counted struct {
	trail.Archive
	gets int
}

func (c *counted) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	c.gets++
	return c.Archive.Get(ctx, name, off, n)
}
