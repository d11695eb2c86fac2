package trail_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kakusho/trail"
)

// The test binary plays two parts: with KAKUSHO_TRAIL_WRITER set it is a writer
// that appends until it is killed and prints what was acknowledged.
func TestMain(m *testing.M) {
	if dir := os.Getenv("KAKUSHO_TRAIL_WRITER"); dir != "" {
		run := writeUntilKilled
		if once, ok := strings.CutPrefix(dir, "once:"); ok {
			dir, run = once, writeOnce
		}
		if err := run(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeUntilKilled prints "ID SEQ" for each entry acknowledged.
func writeUntilKilled(dir string) error {
	o := options()
	o.SealEvery, o.PackSize, o.Heartbeat = 7*time.Millisecond, 30_000, 50*time.Millisecond
	l, err := trail.Open(dir, o)
	if err != nil {
		return err
	}
	fmt.Println("open")
	errs := make(chan error)
	for w := range 16 {
		go func() {
			for i := 0; ; i++ {
				ids := make([]string, 1+rand.N(3))
				for j := range ids {
					ids[j] = fmt.Sprintf("%016x%04x%012x", rand.Uint64(), w, i*4+j)
				}
				first, err := appendEither(l, i, ids...)
				if err != nil {
					errs <- err
					return
				}
				var b strings.Builder
				for j, id := range ids {
					fmt.Fprintf(&b, "%s %d\n", id, first+int64(j))
				}
				os.Stdout.WriteString(b.String()) // one write: a line is whole or not there
			}
		}()
	}
	return <-errs
}

// TestKillingTheWriterLosesNothingAcknowledgedAndDoublesNothing kills a writer of
// entries and lines 50 times, or 1,000 times when KAKUSHO_NIGHTLY is set, and looks
// after each kill. Ten have one trail, so that looking stays short.
func TestKillingTheWriterLosesNothingAcknowledgedAndDoublesNothing(t *testing.T) {
	rounds := 50
	if os.Getenv("KAKUSHO_NIGHTLY") != "" {
		rounds = 1000
	}
	if testing.Short() {
		rounds = 5
	}
	var kills, cuts atomic.Int64
	t.Run("side by side", func(t *testing.T) {
		for i := range (rounds + 9) / 10 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				dir, acked := filepath.Join(ramDir(t), "trail"), map[string]int64{}
				if i == 0 {
					dir = filepath.Join(t.TempDir(), "trail") // the disk's own pace
				}
				for range min(10, rounds) {
					killOnce(t, dir, acked)
					if kills.Add(1); checkAcked(t, dir, acked) {
						cuts.Add(1)
					}
				}
				t.Logf("%d acknowledged entries", len(acked))
			})
		}
	})
	t.Logf("%d kills, %d times a torn end", kills.Load(), cuts.Load())
}

// killOnce lets a writer run for a while, kills it and adds what it acknowledged.
func killOnce(t *testing.T, dir string, acked map[string]int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "KAKUSHO_TRAIL_WRITER="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if s, err := lines.ReadString('\n'); err != nil || s != "open\n" {
		t.Fatalf("writer said %q, %v", s, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(rand.N(120 * time.Millisecond))
		cmd.Process.Kill()
	})
	for {
		s, err := lines.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
		id, seq, _ := strings.Cut(strings.TrimSpace(s), " ")
		n, err := strconv.ParseInt(seq, 10, 64)
		if err != nil {
			t.Fatalf("line %q: %v", s, err)
		}
		acked[id] = n
	}
	wg.Wait()
	cmd.Wait() // killed, as it should be
}

func sizeOf(t testing.TB, name string) int64 {
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// idOf is the ID that an entry, and a line of these tests, begins with.
func idOf(t testing.TB, line trail.Line) string {
	if !bytes.HasPrefix(line.Bytes, []byte(`{"id":"`)) || len(line.Bytes) < 39 {
		t.Fatalf("line %d: %q", line.Seq, line.Bytes)
	}
	return string(line.Bytes[7:39])
}

// checkAcked checks that each acknowledged entry is at its number, that none is
// there twice, and the whole invariant. It says whether a torn end was cut off.
func checkAcked(t *testing.T, dir string, acked map[string]int64) (cut bool) {
	t.Helper()
	var said bytes.Buffer
	o := options()
	o.Log = slog.New(slog.NewTextHandler(&said, nil))
	l := open(t, dir, o)
	seen := map[string]bool{}
	next := int64(0)
	for line, err := range l.Lines(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		id := idOf(t, line)
		if line.Seq != next || seen[id] {
			t.Fatalf("entry %d after %d, id %s seen before: %v", line.Seq, next-1, id, seen[id])
		}
		if n, ok := acked[id]; ok && n != line.Seq {
			t.Fatalf("entry %s is at %d, was acknowledged at %d", id, line.Seq, n)
		}
		seen[id] = true
		next++
	}
	for id := range acked {
		if !seen[id] {
			t.Fatalf("entry %s was acknowledged and is lost", id)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	checkTrail(t, dir, next)
	return strings.Contains(said.String(), "cut torn frame")
}
