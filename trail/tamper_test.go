package trail_test

import (
	"context"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kakusho/trail"
	"kakusho/trail/audit"
	"kakusho/trail/pack"
)

// small makes a trail: segments 0 to 2 hold entries 0..3, 4..7 and 8..11 in frames
// of two, segment 3 is empty, segment 4 holds entry 12. The first pack has the
// segments 0 and 1.
func small(t testing.TB, dir string) int64 {
	t.Helper()
	o := options()
	o.PackSize = 1600
	fill(t, dir, o, 3, 2)
	o.Heartbeat = time.Hour
	beat(t, dir, o)
	l := open(t, dir, o)
	if _, err := l.Append(t.Context(), entry(12)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return 13
}

// beat seals one empty segment.
func beat(t testing.TB, dir string, o trail.Options) {
	t.Helper()
	o.Heartbeat = 40 * time.Millisecond
	l := open(t, dir, o)
	time.Sleep(60 * time.Millisecond)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// files are the files of a trail, but for the private key.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err == nil && !strings.HasPrefix(rel, "key/") {
			m[rel], err = os.ReadFile(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// touched is what Verify has to say of a byte of a file: the kind of problem, and
// the entries, -1 for none.
func touched(name string, data []byte, off int64) (what audit.What, first, last int64) {
	switch {
	case name == "trail.pub":
		return audit.Key, -1, -1
	case name == "log/checkpoint":
		return audit.Checkpoint, -1, -1
	case strings.HasPrefix(name, "log/"):
		return audit.Log, -1, -1
	case off < pack.HeaderSize:
		return audit.Header, -1, -1
	}
	for _, p := range pack.Scan(data) {
		if off >= p.Off && off < p.Off+p.Size {
			if p.Header.Type == pack.Seal {
				return audit.Record, -1, -1
			}
			return audit.Damaged, p.Header.First, p.Header.First + int64(p.Header.Count) - 1
		}
	}
	return "", -1, -1
}

func TestAFlippedBitInAnyByteOfAnyFileIsFoundAndTheRightEntriesAreNamed(t *testing.T) {
	first := ramDir(t)
	entries := small(t, first)
	checkTrail(t, first, entries)
	key, err := trail.PublicKey(first)
	if err != nil {
		t.Fatal(err)
	}
	all := files(t, first)
	type job struct {
		name string
		off  int
	}
	jobs := make(chan job)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		dir := ramDir(t)
		if err := os.CopyFS(dir, os.DirFS(first)); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for j := range jobs {
				flip(t, dir, key, j.name, all[j.name], j.off)
			}
		})
	}
	every, n := oneIn(10), 0
	if testing.Short() || raceOn {
		every = oneIn(30)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		data := all[name]
		for off := range data {
			if rand.N(every) > 0 {
				continue
			}
			jobs <- job{name, off}
			n++
		}
	}
	close(jobs)
	wg.Wait()
	t.Logf("%d bytes of %d files flipped", n, len(all))
}

func flip(t *testing.T, dir, key, name string, data []byte, off int) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	put := func(b byte) {
		if _, err := f.WriteAt([]byte{b}, int64(off)); err != nil {
			t.Error(err)
		}
	}
	put(data[off] ^ 1<<(off%8))
	defer put(data[off])
	r, err := trail.Verify(context.Background(), dir, key, nil)
	if err != nil {
		t.Errorf("%s at %d: %v", name, off, err)
		return
	}
	what, first, last := touched(name, data, int64(off))
	if len(r.Problems) != 1 {
		t.Errorf("%s at %d: got problems %v, want one: %s", name, off, r.Problems, what)
		return
	}
	p := r.Problems[0]
	if p.What != what || p.FirstSeq != first || p.LastSeq != last || p.File != name {
		t.Errorf("%s at %d: got %v, want %s of entries %d..%d", name, off, p, what, first, last)
	}
}
