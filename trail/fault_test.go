package trail_test

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kakusho/trail"
	"kakusho/trail/pack"
)

// fault is how the disk fails.
type fault int

const (
	lost    fault = iota // an error, and what was not synced is gone
	kept                 // an error, but all of it is there
	short                // half of it is there
	silent               // half of it is there, and no error
	noSpace              // ENOSPC in the middle
	faults
)

func (f fault) String() string {
	return [...]string{"lost", "lost but kept", "short write", "short write without an error", "no space left"}[f]
}

// faulty is a file system whose at-th operation fails.
type faulty struct {
	pack.OS
	how fault

	mu   sync.Mutex
	left int // operations before the fault
	hit  string
}

// turn reports whether it is this operation's turn to fail.
func (f *faulty) turn(op string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left--
	if f.left == 0 {
		f.hit = op
		return true
	}
	return false
}

func (f *faulty) Create(name string) (pack.File, error) {
	if f.turn("create") {
		return nil, &os.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	file, err := f.OS.Create(name)
	return &faultyFile{File: file, fs: f}, err
}

func (f *faulty) Open(name string, write bool) (pack.File, error) {
	file, err := f.OS.Open(name, write)
	if err != nil {
		return nil, err
	}
	n, err := file.Size()
	return &faultyFile{File: file, fs: f, synced: n}, err
}

func (f *faulty) SyncDir(name string) error {
	if f.turn("sync dir") {
		return &os.PathError{Op: "sync", Path: name, Err: syscall.EIO}
	}
	return f.OS.SyncDir(name)
}

type faultyFile struct {
	pack.File
	fs     *faulty
	synced int64
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	if !f.fs.turn("write") {
		return f.File.WriteAt(b, off)
	}
	n, err := 0, error(syscall.EIO)
	switch f.fs.how {
	case kept:
		n = len(b)
	case short:
		n, err = len(b)/2, io.ErrShortWrite
	case silent:
		n, err = len(b)/2, nil
	case noSpace:
		n, err = len(b)-1, syscall.ENOSPC
	}
	if _, err := f.File.WriteAt(b[:n], off); err != nil {
		return 0, err
	}
	if f.fs.how == kept {
		n = 0
	}
	return n, err
}

func (f *faultyFile) Sync() error {
	if !f.fs.turn("sync") {
		n, err := f.Size()
		f.synced = n
		return errors.Join(err, f.File.Sync())
	}
	if f.fs.how == lost {
		if err := f.Truncate(f.synced); err != nil {
			return err
		}
	}
	return syscall.EIO
}

// TestAFaultOfTheDiskIsNeverAnAcknowledgement lets each operation of a short life
// fail in each way; by day every second.
func TestAFaultOfTheDiskIsNeverAnAcknowledgement(t *testing.T) {
	for how := range faults {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			n, step := 0, oneIn(2)
			for at := 1 + rand.N(step); ; at += step {
				fs := &faulty{how: how, left: at}
				if !surviveFault(t, fs, at) {
					break
				}
				n++
			}
			if n < 40/step {
				t.Errorf("only %d operations", n)
			}
			t.Logf("%d operations failed", n)
		})
	}
}

// surviveFault lives with fs until it fails and once more without. It reports
// whether it failed at all.
func surviveFault(t *testing.T, fs *faulty, at int) bool {
	t.Helper()
	dir := filepath.Join(ramDir(t), "trail")
	acked := map[string]int64{}
	o := options()
	o.FS, o.PackSize, o.SealEvery = fs, 900, time.Hour
	err := live(t, dir, o, acked)
	if (err != nil) != (fs.hit != "") {
		t.Fatalf("operation %d (%s) failed: got error %v", at, fs.hit, err)
	}
	o.FS = nil
	if err := live(t, dir, o, acked); err != nil {
		t.Fatalf("after operation %d (%s) failed: %v", at, fs.hit, err)
	}
	checkAcked(t, dir, acked)
	return fs.hit != ""
}

// live opens, appends and seals a few times and closes, up to the first error.
func live(t *testing.T, dir string, o trail.Options, acked map[string]int64) error {
	t.Helper()
	l, err := trail.Open(dir, o)
	if err != nil {
		return err
	}
	for i := range 6 {
		a, b := id(len(acked)), id(len(acked)+1)
		first, err := appendEither(l, i, a, b)
		if err == nil {
			acked[a], acked[b] = first, first+1
		}
		if err == nil && i%2 == 1 {
			err = l.Seal(t.Context())
		}
		if err != nil {
			before := l.Len()
			if _, err := l.Append(t.Context(), entry(99)); !errors.Is(err, trail.ErrBroken) {
				t.Errorf("append after a fault: got %v, want ErrBroken", err)
			}
			if l.Len() != before || before != int64(len(acked)) {
				t.Errorf("%d entries on disk, then %d, %d acknowledged", before, l.Len(), len(acked))
			}
			if err := l.Close(); !errors.Is(err, trail.ErrBroken) {
				t.Errorf("close after a fault: got %v, want ErrBroken", err)
			}
			return err
		}
	}
	return l.Close()
}

// appendEither appends entries with these IDs, or, every other time, lines: long
// ones, that no compression makes short.
func appendEither(l *trail.Log, i int, ids ...string) (int64, error) {
	var es []trail.Entry
	var lines [][]byte
	for _, id := range ids {
		e := entry(i)
		e.ID = id
		es = append(es, e)
		var noise [600]byte
		crand.Read(noise[:]) // never fails
		lines = append(lines, fmt.Appendf(nil, `{"id":"%s","text":"端末 %d","noise":"%x"}`, id, i, noise))
	}
	if i%2 == 0 {
		return l.Append(context.Background(), es...)
	}
	return l.AppendLines(context.Background(), lines)
}

var lives atomic.Int64 // of entries that tests have named

// id is a fresh one each time: an entry that failed must not be taken for its retry.
func id(n int) string {
	return fmt.Sprintf("%016x%016x", lives.Add(1), n)
}

// crashed copies a trail with two entries that are not sealed, as a crash would
// leave it, and returns the pack's name and where the last frame begins.
func crashed(t *testing.T) (dir, name string, off int64) {
	t.Helper()
	first := ramDir(t)
	o := options()
	o.SealEvery = time.Hour
	l := open(t, first, o)
	for i := range 4 {
		if _, err := l.Append(t.Context(), entry(i)); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := l.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir = ramDir(t)
	if err := os.CopyFS(dir, os.DirFS(first)); err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(dir, "pack", pack.Name(0))
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	ps := pack.Scan(b)
	return dir, name, ps[len(ps)-1].Off
}

func TestWhatACrashLeavesUnsealedIsSealedAtOpen(t *testing.T) {
	dir, _, _ := crashed(t)
	key, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trail.Verify(t.Context(), dir, key, nil)
	if err != nil || !r.OK() || r.Entries != 2 || r.Unsealed != 2 {
		t.Errorf("before open: got %+v, %v, want 2 entries, 2 unsealed", r, err)
	}
	if err := open(t, dir, options()).Close(); err != nil {
		t.Fatal(err)
	}
	checkTrail(t, dir, 4)
}

func TestATornFrameIsCutOffWhereverItIsTorn(t *testing.T) {
	dir, name, off := crashed(t)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for n := off; n < int64(len(whole)); n += 7 {
		for _, end := range []string{"", string(make([]byte, 5000))} {
			if end != "" && n != off {
				continue // a frame in part, then zeros, is damage: it was never so long
			}
			d := ramDir(t)
			if err := os.CopyFS(d, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(d, "pack", pack.Name(0)), append(whole[:n:n], end...))
			l := open(t, d, options())
			if first, err := l.Append(t.Context(), entry(9)); err != nil || first != 3 {
				t.Errorf("cut at %d: got entry %d, %v, want 3", n, first, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			checkTrail(t, d, 4)
		}
	}
}

func TestDamageThatNoCrashLeavesIsNotCutOff(t *testing.T) {
	dir, name, off := crashed(t)
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{off, off + 9, off + pack.HeaderSize + 3, int64(len(whole)) - 1, off - 1, 70, 3} {
		bad := append([]byte(nil), whole...)
		bad[at] ^= 4
		write(t, name, bad)
		if l, err := trail.Open(dir, options()); !errors.Is(err, trail.ErrDamage) {
			t.Errorf("byte %d flipped: got %v, want ErrDamage", at, err)
			if err == nil {
				l.Close()
			}
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != string(bad) {
			t.Errorf("byte %d flipped: the pack was written to", at)
		}
	}
}

func TestOpenRefusesALogAndPacksThatDisagree(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(dir string, old map[string][]byte) error
	}{
		{"the log is gone", func(dir string, _ map[string][]byte) error { return os.RemoveAll(dir + "/log") }},
		{"the packs are gone", func(dir string, _ map[string][]byte) error { return os.RemoveAll(dir + "/pack") }},
		{"the last pack is gone", func(dir string, _ map[string][]byte) error { return os.Remove(dir + "/pack/" + pack.Name(2)) }},
		{"the first pack is gone", func(dir string, _ map[string][]byte) error { return os.Remove(dir + "/pack/" + pack.Name(0)) }},
		{"the checkpoint is gone", func(dir string, _ map[string][]byte) error { return os.Remove(dir + "/log/checkpoint") }},
		{"the key is gone", func(dir string, _ map[string][]byte) error { return os.Remove(dir + "/key/trail.key") }},
		{"the log is older than the packs", func(dir string, old map[string][]byte) error {
			if err := os.RemoveAll(dir + "/log"); err != nil {
				return err
			}
			for name, data := range old {
				if filepath.Dir(name) == "pack" {
					continue
				}
				if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := ramDir(t)
			o := options()
			o.PackSize = 900
			fill(t, dir, o, 1, 1)
			old := files(t, dir)
			fill(t, dir, o, 3, 1)
			if err := c.do(dir, old); err != nil {
				t.Fatal(err)
			}
			if l, err := trail.Open(dir, o); err == nil {
				l.Close()
				t.Error("opened it")
			} else {
				t.Log(err)
			}
		})
	}
}

// What stands behind the last frame may be as long as somebody likes: it is not read
// into memory to find out that no crash has left it.
func TestALongTailThatIsNoFrameTakesNoMemory(t *testing.T) {
	dir, name, off := crashed(t)
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("not a frame"), off)
	if err = errors.Join(err, f.Truncate(1<<30), f.Close()); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := trail.NewReader(dir); !errors.Is(err, trail.ErrDamage) {
		t.Errorf("got %v, want ErrDamage", err)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 256<<20 {
		t.Errorf("took %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}
