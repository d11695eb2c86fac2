package segment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
	"kakusho/trail/segment"
)

const origin = "kakusho/test"

// writer is one over real packs, and what it published.
type writer struct {
	*segment.Writer
	set *pack.Set
	dir string

	mu      sync.Mutex
	records []segment.Record
}

func (w *writer) publish(r segment.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
	return nil
}

func open(t *testing.T, fs pack.FS, change func(*segment.Options)) *writer {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "kakusho-segment-")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	codec, err := pack.NewCodec(2)
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{dir: dir}
	if w.set, err = pack.Open(fs, dir, origin, 1<<20, codec, nil); err != nil {
		t.Fatal(err)
	}
	tail, err := w.set.Recover()
	if err != nil {
		t.Fatal(err)
	}
	o := segment.Options{
		Now: time.Now, Log: slog.New(slog.DiscardHandler), Origin: origin,
		Window: 5 * time.Millisecond, SealEvery: time.Second, Publish: w.publish,
	}
	if change != nil {
		change(&o)
	}
	r, err := (*segment.Record)(nil), error(nil)
	if w.Writer, r, err = segment.New(w.set, codec, o, tail); err != nil || r != nil {
		t.Fatalf("got a record %v, %v of an empty folder", r, err)
	}
	w.Start()
	t.Cleanup(func() {
		w.Close()
		w.set.Close()
		codec.Close()
	})
	return w
}

// all is every line on disk, in order.
func (w *writer) all(t *testing.T) [][]byte {
	t.Helper()
	var out [][]byte
	for seq := int64(0); seq < w.Len(); seq = int64(len(out)) {
		r, err := w.set.Find(seq)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := w.set.Read(r)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := r.Lines(raw)
		if err != nil || r.First != seq {
			t.Fatalf("frame at %d begins with %d: %v", seq, r.First, err)
		}
		out = append(out, lines...)
	}
	return out
}

func TestLinesOfACallStandTogetherWhereItWasSaid(t *testing.T) {
	w := open(t, pack.OS{}, func(o *segment.Options) { o.SealEvery = 3 * time.Millisecond })
	var mu sync.Mutex
	calls := map[int64][][]byte{}
	var wg sync.WaitGroup
	for c := range 24 {
		wg.Go(func() {
			for i := range 30 {
				lines := make([][]byte, 1+rand.N(200))
				for j := range lines {
					lines[j] = fmt.Appendf(nil, "%d-%d-%d %s", c, i, j, bytes.Repeat([]byte("x"), rand.N(3000)))
				}
				first, err := w.Append(t.Context(), lines)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				calls[first] = lines
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got, next := w.all(t), 0
	for next < len(got) {
		lines, ok := calls[int64(next)]
		if !ok {
			t.Fatalf("no call was told %d", next)
		}
		for i, line := range lines {
			if !bytes.Equal(got[next+i], line) {
				t.Fatalf("line %d is %.20q, want %.20q", next+i, got[next+i], line)
			}
		}
		next += len(lines)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.check(t, got)
}

// check holds the records against the lines.
func (w *writer) check(t *testing.T, lines [][]byte) {
	t.Helper()
	end, prev := int64(0), seal.Hash{}
	for i, published := range w.records {
		r, err := seal.ParseRecord(published.Text)
		if err != nil {
			t.Fatal(err)
		}
		if r.Segment != int64(i) || r.First != end || r.Prev != prev || published.Segment != r.Segment || published.End != r.First+r.Count {
			t.Fatalf("record %d: %+v, published as %d up to %d; want it from %d on", i, r, published.Segment, published.End, end)
		}
		end = r.First + r.Count
		if r.Count > pack.MaxCount || seal.Root(seal.Leaves(nil, lines[r.First:end])) != r.Root {
			t.Fatalf("record %d: not the root of its %d lines", i, r.Count)
		}
		prev = seal.Leaf(published.Text)
	}
	if end != int64(len(lines)) {
		t.Errorf("records cover %d lines of %d", end, len(lines))
	}
}

func TestASegmentIsNotSealedTwoAheadOfWhatIsPublished(t *testing.T) {
	var published atomic.Int64
	release := make(chan struct{})
	w := open(t, pack.OS{}, func(o *segment.Options) {
		o.Heartbeat = time.Millisecond
		o.Publish = func(segment.Record) error {
			<-release
			published.Add(1)
			return nil
		}
	})
	for n := range int64(20) {
		time.Sleep(3 * time.Millisecond)
		seals := int64(0)
		b, err := os.ReadFile(filepath.Join(w.dir, pack.Name(0)))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pack.Scan(b) {
			if p.Err == nil && p.Header.Type == pack.Seal {
				seals++
			}
		}
		if seals > published.Load()+2 {
			t.Errorf("round %d: %d sealed, %d published", n, seals, published.Load())
		}
		select {
		case release <- struct{}{}:
		case <-time.After(time.Second):
			t.Fatal("nothing is published")
		}
	}
	close(release)
}

func TestWhenARecordCannotBePublishedNothingMoreIsTaken(t *testing.T) {
	no := errors.New("no room for a leaf")
	w := open(t, pack.OS{}, func(o *segment.Options) {
		o.Publish = func(segment.Record) error { return no }
	})
	if _, err := w.Append(t.Context(), [][]byte{[]byte("a")}); err != nil {
		t.Fatal(err)
	}
	w.Seal(t.Context(), nil) // the fault may come before it answers, or after
	for range 200 {
		if w.Broken() != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := w.Append(t.Context(), [][]byte{[]byte("b")}); !errors.Is(err, segment.ErrBroken) || !errors.Is(err, no) {
		t.Errorf("got %v, want ErrBroken with its cause", err)
	}
	if err := w.Close(); !errors.Is(err, no) || w.Len() != 1 {
		t.Errorf("close: got %v with %d lines, want the cause and 1", err, w.Len())
	}
}

// stuck is a disk whose syncs do not return until it is let go.
type stuck struct {
	pack.OS
	on   atomic.Bool
	free chan struct{}
}

func (s *stuck) Create(name string) (pack.File, error) {
	f, err := s.OS.Create(name)
	return stuckFile{f, s}, err
}

type stuckFile struct {
	pack.File
	s *stuck
}

func (f stuckFile) Sync() error {
	if f.s.on.Load() {
		<-f.s.free
	}
	return f.File.Sync()
}

func TestADiskThatHangsHoldsCallersBackAndNotMemory(t *testing.T) {
	fs := &stuck{free: make(chan struct{})}
	w := open(t, fs, nil)
	if _, err := w.Append(t.Context(), [][]byte{[]byte("first")}); err != nil {
		t.Fatal(err)
	}
	fs.on.Store(true)
	big := [][]byte{bytes.Repeat([]byte("a"), 8<<20)}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var given, late atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			switch _, err := w.Append(ctx, big); {
			case err == nil:
				given.Add(1)
			case errors.Is(err, context.DeadlineExceeded):
				late.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	<-ctx.Done()
	time.Sleep(50 * time.Millisecond)
	close(fs.free)
	wg.Wait()
	// Two times MaxAppend may wait; the others were told that nothing was taken.
	if given.Load() != 7 || late.Load() != 13 || w.Len() != 8 {
		t.Errorf("%d taken, %d not, %d lines on disk; want 7, 13, 8", given.Load(), late.Load(), w.Len())
	}
}

func TestWhoComesAloneDoesNotWaitForOthers(t *testing.T) {
	w := open(t, pack.OS{}, func(o *segment.Options) { o.Window = time.Hour })
	begun := time.Now()
	for range 20 {
		if _, err := w.Append(t.Context(), [][]byte{[]byte("alone")}); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestWhoIsLeftAloneWaitsNoLongerThanTheWindow(t *testing.T) {
	w := open(t, pack.OS{}, func(o *segment.Options) { o.Window = 100 * time.Millisecond })
	for range 5 { // some that share frames
		var wg sync.WaitGroup
		for range 30 {
			wg.Go(func() {
				for range 5 {
					if _, err := w.Append(t.Context(), [][]byte{[]byte("many")}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		begun := time.Now()
		if _, err := w.Append(t.Context(), [][]byte{[]byte("left")}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	}
}

func TestThoseWhoTrickleInDoNotMakeTheFirstWaitForTheLast(t *testing.T) {
	fs := &stuck{free: make(chan struct{})}
	w := open(t, fs, func(o *segment.Options) { o.Window = 100 * time.Millisecond })
	if _, err := w.Append(t.Context(), [][]byte{[]byte("first")}); err != nil {
		t.Fatal(err)
	}
	fs.on.Store(true)
	var crowd sync.WaitGroup
	for range 60 { // most share the last frame, and as many are expected again
		crowd.Go(func() {
			if _, err := w.Append(t.Context(), [][]byte{[]byte("many")}); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Millisecond)
	}
	close(fs.free)
	crowd.Wait()
	begun := time.Now()
	var first atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if _, err := w.Append(t.Context(), [][]byte{[]byte("one of many")}); err != nil {
				t.Error(err)
			}
			if i == 0 {
				first.Store(int64(time.Since(begun)))
			}
		})
		time.Sleep(50 * time.Millisecond)
	}
	wg.Wait()
	if took := time.Duration(first.Load()); took > time.Second {
		t.Errorf("the first waited %v", took)
	}
}
