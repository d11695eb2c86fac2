package trail_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
				es := make([]trail.Entry, 1+rand.N(3))
				for j := range es {
					es[j] = entry(i)
					es[j].ID = fmt.Sprintf("%016x%04x%012x", rand.Uint64(), w, i*4+j)
				}
				first, err := l.Append(context.Background(), es...)
				if err != nil {
					errs <- err
					return
				}
				var b strings.Builder
				for j, e := range es {
					fmt.Fprintf(&b, "%s %d\n", e.ID, first+int64(j))
				}
				os.Stdout.WriteString(b.String()) // one write: a line is whole or not there
			}
		}()
	}
	return <-errs
}

func TestKillingTheWriterLosesNothingAcknowledgedAndDoublesNothing(t *testing.T) {
	rounds := 20
	if s := os.Getenv("KAKUSHO_TRAIL_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	}
	if testing.Short() {
		rounds = 5
	}
	dir := t.TempDir()
	acked := map[string]int64{}
	cuts := 0
	for range rounds {
		cuts += killOnce(t, dir, acked)
		checkAcked(t, dir, acked)
	}
	t.Logf("%d kills, %d acknowledged entries, %d times a torn end", rounds, len(acked), cuts)
}

// killOnce lets a writer run for a while, kills it and adds what it acknowledged.
func killOnce(t *testing.T, dir string, acked map[string]int64) (torn int) {
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
		time.Sleep(rand.N(200 * time.Millisecond))
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
	// A torn end cannot be told from outside but by its size.
	names, _ := filepath.Glob(filepath.Join(dir, "pack", "*"))
	before := sizeOf(t, names[len(names)-1])
	l := open(t, dir, options())
	// A pack of which only the name was there is gone, and rightly so.
	if st, err := os.Stat(names[len(names)-1]); err != nil || st.Size() < before {
		torn = 1
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return torn
}

func sizeOf(t testing.TB, name string) int64 {
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// checkAcked checks that each acknowledged entry is at its number, that none is
// there twice, and the whole invariant.
func checkAcked(t *testing.T, dir string, acked map[string]int64) {
	t.Helper()
	l := open(t, dir, options())
	seen := map[string]bool{}
	next := int64(0)
	for s, err := range l.Read(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Seq != next || seen[s.ID] {
			t.Fatalf("entry %d after %d, id %s seen before: %v", s.Seq, next-1, s.ID, seen[s.ID])
		}
		if n, ok := acked[s.ID]; ok && n != s.Seq {
			t.Fatalf("entry %s is at %d, was acknowledged at %d", s.ID, s.Seq, n)
		}
		seen[s.ID] = true
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
}
