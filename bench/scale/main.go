// Command scale shows how a trail grows: it fills one with so many events and says
// what it takes then to keep it, to open it, to read and to prove one event of it.
//
//	go run ./bench/scale [-keep DIR] [-segment 10000] [-pack BYTES] 1000000 10000000 …
//
// The trail is opened for the second half in a process of its own, so that its
// memory is not that of the writer.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kakusho/bench/append"
	"kakusho/trail"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	keep := flag.String("keep", "", "folder for the trails; empty: one that is removed")
	segment := flag.Int("segment", 10_000, "events in a segment, about: as many as come in a second")
	pack := flag.Int64("pack", 0, "bytes of a pack; 0: as usual")
	look := flag.String("look", "", "only look at the trail in this folder")
	flag.Parse()
	if *look != "" {
		return lookAt(ctx, *look)
	}
	dir := *keep
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "kakusho-scale-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	lines, err := append.Lines(200_000)
	if err != nil {
		return err
	}
	for _, arg := range flag.Args() {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return fmt.Errorf("how many events: %w", err)
		}
		to := filepath.Join(dir, arg)
		if err := fill(ctx, to, lines, n, *segment, *pack); err != nil {
			return err
		}
		if err := again(ctx, to); err != nil {
			return err
		}
		if *keep == "" {
			if err := os.RemoveAll(to); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill writes n events as fast as they are taken, and seals after each segment's worth.
func fill(ctx context.Context, dir string, lines [][]byte, n, segment int, pack int64) error {
	const rate = 300_000 // about what comes; it only sets how large segments are
	l, err := trail.Open(dir, trail.Options{Now: time.Now, SealEvery: time.Second * time.Duration(segment) / rate, PackSize: pack})
	if err != nil {
		return err
	}
	f, err := append.Closed(lines, n, 64, 50, func(_ int, batch [][]byte) error {
		_, err := l.AppendLines(ctx, batch)
		return err
	})
	if err := errors.Join(err, l.Close()); err != nil {
		return err
	}
	packs, count, err := size(filepath.Join(dir, "pack"))
	if err != nil {
		return err
	}
	log, files, err := size(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	fmt.Printf("%d events: written at %.0f/s for %.2f µs of processor each\n", f.Events, f.Rate(), f.PerEvent())
	fmt.Printf("  %d packs of %.1f B/event, log %.3f B/event in %d files\n", count, float64(packs)/float64(f.Events), float64(log)/float64(f.Events), files)
	return nil
}

func size(dir string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			bytes, files = bytes+i.Size(), files+1
		}
		return err
	})
	return bytes, files, err
}

// again looks at the trail in a process of its own.
func again(ctx context.Context, dir string) error {
	me, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, me, "-look", dir) //nolint:gosec // ourselves
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func lookAt(ctx context.Context, dir string) error {
	begun := time.Now()
	l, err := trail.Open(dir, trail.Options{Now: time.Now})
	if err != nil {
		return err
	}
	opened := time.Since(begun)
	defer l.Close()
	memory, err := resident()
	if err != nil {
		return err
	}
	var reads, proves, checks []time.Duration
	var proof trail.Proof
	for i := range 300 {
		seq := rand.Int64N(l.Len())
		at := time.Now()
		if _, err := l.GetLine(seq); err != nil {
			return err
		}
		if reads = since(reads, at); i%10 > 0 {
			continue
		}
		at = time.Now()
		if proof, err = l.Prove(ctx, seq); err != nil {
			return err
		}
		proves = since(proves, at)
		at = time.Now()
		if _, err := trail.VerifyProof(proof, l.PublicKey()); err != nil {
			return err
		}
		checks = since(checks, at)
	}
	after, err := resident()
	if err != nil {
		return err
	}
	fmt.Printf("  opened in %v, %d MiB resident; after reading %d MiB\n", opened.Round(time.Millisecond), memory>>20, after>>20)
	fmt.Printf("  one event read in %v, proved in %v by %d bytes, checked in %v (medians)\n", middle(reads), middle(proves), len(proof), middle(checks))
	return verify(ctx, dir, l.PublicKey(), l.Len())
}

func verify(ctx context.Context, dir, key string, n int64) error {
	var before, after syscall.Rusage
	begun := time.Now()
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		return err
	}
	r, err := trail.Verify(ctx, dir, key, nil)
	if err != nil || len(r.Problems) > 0 || r.Entries != n {
		return fmt.Errorf("verify: %+v: %w", r, err)
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		return err
	}
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	fmt.Printf("  verified: %d segments at %.0f events/s, %.2f µs of processor each, %d MiB at most\n",
		r.Segments, float64(n)/time.Since(begun).Seconds(), float64(cpu.Nanoseconds())/1e3/float64(n), after.Maxrss>>10)
	return nil
}

func since(times []time.Duration, at time.Time) []time.Duration {
	return slices.Insert(times, len(times), time.Since(at))
}

func middle(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2].Round(time.Microsecond)
}

// resident is the memory of this process in bytes.
func resident() (int64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(bytes.TrimSpace(b)))
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
