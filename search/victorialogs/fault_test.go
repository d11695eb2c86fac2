package victorialogs_test

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/search"
	"kakusho/search/feed"
	"kakusho/search/searchtest"
	"kakusho/search/victorialogs"
)

// rig is a child, a trail, and a feeder between them.
type rig struct {
	dir   string
	child *victorialogs.Child
	feed  *feed.Feeder
	book  *searchtest.Book
	model *searchtest.Model
	next  int64
	stop  func()
}

func newRig(t *testing.T, o victorialogs.Options) *rig {
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "index")
	}
	r := &rig{dir: o.Dir, book: &searchtest.Book{}, model: &searchtest.Model{}}
	r.child = start(t, o)
	r.run(t)
	return r
}

func (r *rig) run(t *testing.T) {
	r.feed = feed.New(r.child.Engine(), feed.Options{State: filepath.Join(r.dir, "feed"), Pause: 20 * time.Millisecond, Check: 1500 * time.Millisecond})
	r.feed.Add("3y", r.book)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.feed.Run(ctx) })
	r.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(r.stop)
}

func (r *rig) write(t *testing.T, rows ...search.Row) {
	r.book.Write(rows...)
	_ = r.model.Insert(t.Context(), rows)
	r.next += int64(len(rows))
}

// more writes invented events.
func (r *rig) more(t *testing.T, n int) { r.write(t, searchtest.Rows("3y", r.next, n)...) }

// exact waits until the index is what the trail is, and asks it.
func (r *rig) exact(t *testing.T) {
	t.Helper()
	searchtest.Exactly(t, r.child.Engine(), "3y", r.book, 40*time.Second)
	for _, text := range []string{"", "失敗 -account:root", "捜査資料 OR checksum", "level:<=3 source:10.1.0.0/16"} {
		q, _ := search.Parse(text)
		q.Limit = 200_000
		searchtest.SameHits(t, r.child.Engine(), r.model, q)
	}
}

func (r *rig) kill(sig syscall.Signal) {
	if pid := r.child.PID(); pid > 0 {
		_ = syscall.Kill(pid, sig)
	}
}

func nightly(short, long int) int {
	if os.Getenv("KAKUSHO_NIGHTLY") != "" {
		return long
	}
	return short
}

func TestKilledAtAnyInstantItIsExactAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, victorialogs.Options{})
	for range nightly(5, 100) {
		for range 10 {
			r.more(t, 150)
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) //nolint:gosec // any instant
		}
		r.kill(syscall.SIGKILL)
	}
	r.exact(t)
}

// A killed parent: its feeder and its child are gone, the notes and files stay.
func TestStartedAgainOnItsFilesItIsExact(t *testing.T) {
	t.Parallel()
	r := newRig(t, victorialogs.Options{})
	r.next = 64_000 // over the edge of a bucket; what was before is gone
	r.more(t, 2500)
	time.Sleep(time.Second)
	r.stop()
	r.kill(syscall.SIGKILL)
	_ = r.child.Close()
	r.more(t, 500)
	r.child = start(t, victorialogs.Options{Dir: r.dir})
	r.run(t)
	r.exact(t)
}

func TestHungItIsStartedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, victorialogs.Options{Hang: 2 * time.Second})
	r.more(t, 2000)
	pid := r.child.PID()
	r.kill(syscall.SIGSTOP)
	for range 50 {
		r.more(t, 50) // it costs those who write nothing
	}
	r.exact(t)
	if r.child.PID() == pid {
		t.Error("it is the same process")
	}
}

func TestDeletedUnderItsFeetOrDamagedItIsFilledAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, victorialogs.Options{})
	r.more(t, 3000)
	r.exact(t)
	for i := range nightly(1, 60) {
		_ = r.child.Close() // so that all of it is in files
		r.flip(t, i)
		r.more(t, 100)
		r.stop()
		r.child = start(t, victorialogs.Options{Dir: r.dir})
		r.run(t)
		r.feed.Rebuild()
		searchtest.Exactly(t, r.child.Engine(), "3y", r.book, 40*time.Second)
	}
	_ = r.child.Close()
	if err := os.RemoveAll(r.dir); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r.child = start(t, victorialogs.Options{Dir: r.dir})
	r.run(t)
	r.exact(t)
}

// flip changes one bit of one file of the index.
func (r *rig) flip(t *testing.T, seed int) {
	t.Helper()
	var files []string
	_ = filepath.WalkDir(filepath.Join(r.dir, "partitions"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil && i.Size() > 0 {
				files = append(files, path)
			}
		}
		return nil
	})
	slices.Sort(files)
	rnd := rand.New(rand.NewPCG(uint64(seed), 3)) //nolint:gosec // to be repeatable
	path := files[rnd.IntN(len(files))]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := rnd.IntN(len(b))
	b[at] ^= 1 << rnd.IntN(8)
	t.Logf("bit of byte %d of %s", at, strings.TrimPrefix(path, r.dir))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOnAFullDiskItWaitsAndIsExactWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ free, ballast int64 }{"it stops in time": {12 << 20, 34 << 20}, "it is let run into the wall": {1, 44 << 20}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
				t.Skipf("needs to mount a tmpfs: %v", err)
			}
			t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, c.ballast), 0o600); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, victorialogs.Options{Dir: filepath.Join(dir, "index"), MinFree: c.free})
			full := false
			for i := 0; i < 600 && !full; i++ {
				s := r.feed.Standing()[0]
				if s.Len-s.Given < 1000 {
					r.write(t, noise(r.next, 500)...)
				}
				time.Sleep(50 * time.Millisecond)
				full = errors.Is(s.Err, search.ErrFull) || errors.Is(s.Err, search.ErrDown) || errors.Is(s.Err, search.ErrUnsure)
			}
			if !full {
				t.Errorf("the disk was never full: %+v", r.feed.Standing())
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			r.exact(t)
		})
	}
}

// noise are events that do not compress.
func noise(first int64, n int) []search.Row {
	out := searchtest.Rows("3y", first, n)
	for i := range out {
		for range 8 {
			out[i].Event.Text += " " + event.NewID()
		}
	}
	return out
}

// A clock that is ten years off, either way, costs no row, before and after a start.
func TestYearsOfWrongClockAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, victorialogs.Options{})
	for _, years := range []int{0, -10, 10, 0} {
		rows := searchtest.Rows("3y", r.next, 400)
		for i := range rows {
			rows[i].Arrived = rows[i].Arrived.AddDate(years, 0, 0)
		}
		r.write(t, rows...)
	}
	r.exact(t)
	time.Sleep(1500 * time.Millisecond)
	r.stop()
	_ = r.child.Close()
	r.child = start(t, victorialogs.Options{Dir: r.dir})
	if n, err := r.child.Engine().CountByBucket(t.Context(), "3y", 0); err != nil || n[0] != 1600 {
		t.Errorf("after a start: %v, %v", n, err)
	}
	r.run(t)
	r.exact(t)
}

func TestOverItsQuotaTheOldestDaysGoAndDoNotComeBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, victorialogs.Options{Quota: 300 << 10, Hang: 4 * time.Second})
	for day := range 6 {
		rows := noise(r.next, 2000)
		for i := range rows {
			rows[i].Arrived = searchtest.Start.AddDate(0, 0, day)
			rows[i].Event.At = rows[i].Arrived
		}
		r.write(t, rows...)
	}
	for range 200 {
		if !r.child.Floor().IsZero() {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	floor := r.child.Floor()
	if floor.IsZero() {
		t.Fatal("no day was dropped")
	}
	q := search.Query{Until: floor, Limit: 20000}
	for i := 0; i < 50 && len(searchtest.Hits(t, r.child.Engine(), q)) > 0; i++ {
		time.Sleep(100 * time.Millisecond)
	}
	for range 3 {
		if h := searchtest.Hits(t, r.child.Engine(), q); len(h) > 0 {
			t.Errorf("%d rows of dropped days are found", len(h))
		}
		r.feed.Rebuild()
		time.Sleep(500 * time.Millisecond)
	}
	newest := search.Query{From: searchtest.Start.AddDate(0, 0, 5), Limit: 20000}
	if h := searchtest.Hits(t, r.child.Engine(), newest); len(h) != 2000 {
		t.Errorf("%d rows of the newest day are left, want 2,000", len(h))
	}
}

func TestTheProcessGivesWayAndEndsWithItsParent(t *testing.T) {
	t.Parallel()
	c := start(t, victorialogs.Options{})
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(c.PID()) + "/task/*/stat")
	if err != nil || len(tasks) < 2 {
		t.Fatalf("threads: %v, %v", tasks, err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // it ended
		}
		if f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:])); f[16] != "10" {
			t.Errorf("%s has niceness %s", task, f[16])
		}
	}
	pid := c.PID()
	_ = c.Close()
	if err := syscall.Kill(pid, 0); err == nil {
		t.Error("the process is still there")
	}
}

// The parent is killed: its end of the standard input is closed, and nobody else
// clears up.
func TestAnOrphanEndsAndLeavesNoFolder(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "index", filepath.Join(folder, "s"), "-storageDataPath="+t.TempDir())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 400 {
		if _, err := os.Stat(filepath.Join(folder, "s")); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left behind: %v", folder, err)
	}
}
