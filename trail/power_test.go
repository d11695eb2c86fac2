package trail_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"kakusho/trail/pack"
)

// memory is a machine whose files are in the page cache until they are synced. A
// sync that fails leaves its pages in the cache and marks them clean: the next
// sync says nothing of them, and the power cut takes them.
type memory struct {
	pack.OS

	mu    sync.Mutex
	left  int // operations until the one that fails
	dead  bool
	stop  bool // after the failure nothing works any more, as when the power goes
	some  bool // of what was not synced the power cut leaves some sectors, in no order
	files map[string]*page
}

// page is one file: what the disk has, and what it does not have yet.
type page struct {
	disk  []byte
	dirty map[int64][]byte
	named bool // the directory was synced since it was made
}

// flush writes to the disk.
func (p *page) flush(off int64, b []byte) {
	p.disk = append(p.disk, make([]byte, max(0, off+int64(len(b))-int64(len(p.disk))))...)
	copy(p.disk[off:], b)
}

// scatter writes some sectors of what is not on the disk yet.
func (p *page) scatter() {
	for off, b := range p.dirty {
		for len(b) > 0 {
			n := min(512-int(off%512), len(b))
			if rand.N(3) > 0 {
				p.flush(off, b[:n])
			}
			b, off = b[n:], off+int64(n)
		}
	}
}

func (m *memory) fails() bool {
	m.left--
	if m.left == 0 {
		m.dead = m.stop
		return true
	}
	return m.dead
}

func (m *memory) Create(name string) (pack.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails() {
		return nil, syscall.EIO
	}
	m.files[name] = &page{dirty: map[int64][]byte{}}
	f, err := m.OS.Create(name)
	return &memoryFile{f, m, m.files[name]}, err
}

func (m *memory) Open(name string, write bool) (pack.File, error) {
	f, err := m.OS.Open(name, write)
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memoryFile{f, m, m.files[name]}, err
}

func (m *memory) SyncDir(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails() {
		return syscall.EIO
	}
	for name, p := range m.files {
		if filepath.Dir(name) == dir {
			p.named = true
		}
	}
	return nil
}

type memoryFile struct {
	pack.File
	m *memory
	p *page
}

func (f *memoryFile) WriteAt(b []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	dead := f.m.dead
	if f.m.fails() {
		if f.m.some && !dead { // the power goes in the middle of it
			f.p.dirty[off] = append([]byte(nil), b...)
		}
		return 0, syscall.EIO
	}
	f.p.dirty[off] = append([]byte(nil), b...)
	return f.File.WriteAt(b, off)
}

func (f *memoryFile) Truncate(n int64) error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.p.disk = f.p.disk[:min(int64(len(f.p.disk)), n)]
	return f.File.Truncate(n)
}

func (f *memoryFile) Sync() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	failed := f.m.fails()
	for off, b := range f.p.dirty {
		switch {
		case !failed:
			f.p.flush(off, b)
		case f.m.some:
			continue // some of it is still to come
		}
		delete(f.p.dirty, off)
	}
	if failed {
		return syscall.EIO
	}
	return nil
}

// cut takes the power away: files are what the disk has.
func (m *memory) cut(t *testing.T) {
	for name, p := range m.files {
		if filepath.Base(filepath.Dir(name)) != "pack" {
			continue
		}
		if !p.named {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			continue
		}
		if m.some {
			p.scatter()
		}
		write(t, name, p.disk)
	}
}

// TestAPowerCutTakesNothingAcknowledged cuts the power at each operation; and after
// each failed one, when the program was opened again and had gone on.
func TestAPowerCutTakesNothingAcknowledged(t *testing.T) {
	for name, m := range map[string]struct{ stop, some bool }{
		"what is not synced is gone":             {stop: true},
		"some sectors of it are there":           {stop: true, some: true},
		"after an error, and life with it after": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, torn, step := 0, 0, oneIn(2)
			for at := 1 + rand.N(step); ; at += step {
				cut, failed := powerCut(t, &memory{left: at, stop: m.stop, some: m.some, files: map[string]*page{}}, at)
				if !failed {
					break
				}
				if n++; cut {
					torn++
				}
			}
			t.Logf("%d operations failed, %d times an end was torn", n, torn)
			if m.some && torn == 0 {
				t.Error("no end was torn")
			}
		})
	}
}

// powerCut lives until an operation of m fails, cuts the power and looks what is left.
func powerCut(t *testing.T, m *memory, at int) (torn, failed bool) {
	dir := filepath.Join(ramDir(t), "trail")
	acked := map[string]int64{}
	o := options()
	o.FS, o.PackSize, o.SealEvery = m, 900, time.Hour
	err := live(t, dir, o, acked)
	m.dead = false
	if !m.stop && err != nil {
		if err := live(t, dir, o, acked); err != nil {
			t.Fatalf("after operation %d failed: %v", at, err)
		}
	}
	m.cut(t)
	torn = checkAcked(t, dir, acked)
	if t.Failed() {
		t.Fatalf("power cut, operation %d failed", at)
	}
	return torn, err != nil
}

// TestWhatAnInterruptedWriteOfTheLogLeavesIsSweptAway puts there what Tessera leaves
// when it is killed between writing a file and giving it its name.
func TestWhatAnInterruptedWriteOfTheLogLeavesIsSweptAway(t *testing.T) {
	first := ramDir(t)
	o := options()
	fill(t, first, o, 2, 1)
	before := files(t, first)
	fill(t, first, o, 1, 1)
	names := []string{"log/checkpoint1804289383", "log/.state/treeState846930886", "log/tile/0/0001681692777", "log/tile/0/000.p/31957747793", "log/tile/entries/000.p/3424238335"}
	for _, name := range names {
		write(t, filepath.Join(first, name), []byte("half"))
	}
	// The checkpoint was on its way.
	write(t, filepath.Join(first, "log/checkpoint"), before["log/checkpoint"])
	if err := open(t, first, o).Close(); err != nil {
		t.Fatal(err)
	}
	// This one is left when only its removal fails.
	names = append(names, "log/.state/version1350490027")
	write(t, filepath.Join(first, names[len(names)-1]), []byte("1"))
	if err := open(t, first, o).Close(); err != nil {
		t.Fatal(err)
	}
	checkTrail(t, first, 6)
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(first, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}
