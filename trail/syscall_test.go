package trail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kakusho/trail"
)

// writeOnce is the short life of a writer whose system calls fail: it appends and
// seals a few times and prints what was acknowledged.
func writeOnce(dir string) error {
	o := options()
	o.SealEvery, o.PackSize = time.Hour, 900
	l, err := trail.Open(dir, o)
	if err != nil {
		return err
	}
	for i := range 4 {
		id := fmt.Sprintf("%016x%016x", time.Now().UnixNano(), i)
		first, err := appendEither(l, i, id)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		fmt.Printf("%s %d\n", id, first)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err = l.Seal(ctx)
		cancel()
		if err != nil {
			return errors.Join(err, l.Close())
		}
	}
	return l.Close()
}

// TestAnySystemCallMayFailOrBeTheLast injects EIO, ENOSPC and SIGKILL into the
// N-th call of each kind that a writer makes, Tessera's too, with strace. It takes
// minutes and runs in the night, or when KAKUSHO_TRAIL_STRACE says how many calls of
// each kind.
func TestAnySystemCallMayFailOrBeTheLast(t *testing.T) {
	most, err := strconv.Atoi(os.Getenv("KAKUSHO_TRAIL_STRACE"))
	if err != nil && os.Getenv("KAKUSHO_NIGHTLY") == "" {
		t.Skip("neither KAKUSHO_NIGHTLY nor KAKUSHO_TRAIL_STRACE is set")
	}
	if err != nil {
		most = 40
	}
	ran := 0
	for _, how := range []string{"error=EIO", "error=ENOSPC", "signal=SIGKILL"} {
		for _, call := range []string{"fdatasync", "fsync", "pwrite64", "write", "openat", "renameat", "mkdirat", "utimensat", "fcntl", "unlinkat"} {
			if call == "write" && how != "signal=SIGKILL" {
				continue // also what the test prints by
			}
			for when := 1; when <= most; when++ {
				dir := filepath.Join(ramDir(t), "trail")
				acked := map[string]int64{}
				hit := straced(t, dir, fmt.Sprintf("inject=%s:%s:when=%d", call, how, when), acked)
				checkAcked(t, dir, acked)
				if t.Failed() {
					t.Fatalf("%s %s %d", call, how, when)
				}
				if ran++; !hit {
					break
				}
			}
		}
	}
	t.Logf("%d lives", ran)
}

// straced runs writeOnce with a fault in it and reports whether it came.
func straced(t *testing.T, dir, inject string, acked map[string]int64) bool {
	t.Helper()
	log := filepath.Join(t.TempDir(), "strace")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "strace", "-f", "-qq", "-o", log, "-e", inject, os.Args[0])
	cmd.Env = append(os.Environ(), "KAKUSHO_TRAIL_WRITER=once:"+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil && strings.Contains(errs.String(), "PTRACE") {
		t.Skip("strace may not trace here")
	}
	for line := range strings.Lines(out.String()) {
		id, seq, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(seq, 10, 64)
		if err != nil {
			t.Fatalf("writer said %q", line)
		}
		acked[id] = n
	}
	calls, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(calls, []byte("(INJECTED)")) || bytes.Contains(calls, []byte("killed by"))
}
