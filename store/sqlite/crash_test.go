package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kakusho/store"
	"kakusho/store/sqlite"
)

// roleVariable makes the test binary a process that plays a part in a test.
const roleVariable = "KAKUSHO_STORE_TEST_ROLE"

func TestMain(m *testing.M) {
	role, path, _ := strings.Cut(os.Getenv(roleVariable), " ")
	var err error
	switch role {
	case "":
		os.Exit(m.Run())
	case "fold":
		err = foldForever(path)
	case "full":
		err = fillDisk(path)
	case "readonly":
		err = openReadOnly(path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play starts this binary in a role.
func play(role, path string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleVariable+"="+role+" "+path)
	c.Stderr = os.Stderr
	return c
}

// rowsPerFold is large enough for a fold to take several writes.
const rowsPerFold = 200

// foldForever folds until it is killed, and prints each cursor once it is there.
// All rows of a fold carry its number.
func foldForever(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(path)
	if err != nil {
		return err
	}
	n, err := s.Cursor(ctx)
	if err != nil {
		return err
	}
	for {
		n++
		err := s.Fold(ctx, n, func(tx store.Tx) error {
			for i := range rowsPerFold {
				err := tx.Put(ctx, &store.Subject{Kind: "k", ID: strconv.Itoa(i), Rev: n, Values: map[string]any{"pad": strings.Repeat("x", 400)}})
				if err != nil {
					return err
				}
			}
			return tx.Put(ctx, &store.Batch{ID: strconv.FormatInt(n, 10), Entry: n})
		})
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKill kills a process in the middle of folding, over and over, and finds a
// whole fold each time, not older than the last one it was told of.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	r := rand.New(rand.NewPCG(7, 2026))
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	var last int64
	for range rounds {
		told := killedAfter(t, path, time.Duration(r.IntN(60))*time.Millisecond)
		at := wholeAt(t, path)
		if at < max(told, last) {
			t.Fatalf("cursor after a kill: got %d, was told %d, and %d before", at, told, last)
		}
		last = at
	}
	if last == 0 {
		t.Error("no fold was finished: the test saw nothing")
	}
	t.Logf("%d kills, %d folds of %d rows", rounds, last, rowsPerFold)
}

// TestKillWhileCreating kills a process that has just begun; whatever it left, a
// store opens there.
func TestKillWhileCreating(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 2026))
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		path := filepath.Join(t.TempDir(), "store.db")
		c := play("fold", path)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for _, err := os.Stat(path); err != nil; _, err = os.Stat(path) {
			time.Sleep(100 * time.Microsecond)
		}
		time.Sleep(time.Duration(r.IntN(8000)) * time.Microsecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		s, err := sqlite.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killedAfter runs a folder, kills it some time after its first fold, and returns
// the last cursor it told.
func killedAfter(t *testing.T, path string, d time.Duration) (told int64) {
	t.Helper()
	c := play("fold", path)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if lines.Scan() {
		time.AfterFunc(d, func() { _ = c.Process.Kill() })
	}
	for ok := true; ok; ok = lines.Scan() {
		if n, err := strconv.ParseInt(lines.Text(), 10, 64); err == nil {
			told = n
		}
	}
	if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("folder: got %v, want that it was killed", err)
	}
	return told
}

// wholeAt checks that all rows are of the fold the cursor names.
func wholeAt(t *testing.T, path string) int64 {
	t.Helper()
	s, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	err = s.View(t.Context(), func(r store.Reader) error {
		n, err = r.Cursor(t.Context())
		if err != nil {
			return err
		}
		all, err := store.All[store.Subject](t.Context(), r, store.Where{})
		if err != nil {
			return err
		}
		if len(all) != rowsPerFold {
			return fmt.Errorf("got %d rows, want %d", len(all), rowsPerFold)
		}
		for _, sub := range all {
			if sub.Rev != n {
				return fmt.Errorf("row %s is of fold %d, the cursor of %d", sub.ID, sub.Rev, n)
			}
		}
		batches, err := r.Count(t.Context(), &store.Batch{}, store.Where{})
		if err == nil && batches != n {
			err = fmt.Errorf("got %d batches, want %d", batches, n)
		}
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}
