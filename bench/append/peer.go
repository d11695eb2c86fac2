package append

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"kakusho/trail"
)

// Peer takes n events out of lines into dir. What it promises of them when it says
// "taken" is in its comment: the figures are not worth more than that.
type Peer struct {
	Name string
	Run  func(ctx context.Context, dir string, lines [][]byte, n int) (Figures, error)
}

// ErrNotHere is returned, wrapped with what is missing, by a peer that cannot run on
// this machine.
var ErrNotHere = errors.New("cannot run here")

// Peers are the ones we know, the trail first.
func Peers() []Peer {
	return []Peer{
		{"trail", runTrail}, {"tessera", runTessera}, {"rsyslog", runRsyslog}, {"rsyslog-synced", runRsyslogSynced},
		{"journald", runJournald}, {"auditd", runAuditd}, {"sha256", runSHA256},
	}
}

// runTrail has 64 senders of 50 events each: on disk, in a sealed tree with a signed
// checkpoint a second later.
func runTrail(ctx context.Context, dir string, lines [][]byte, n int) (Figures, error) {
	before := used(syscall.RUSAGE_SELF)
	l, err := trail.Open(dir, trail.Options{Now: time.Now})
	if err != nil {
		return Figures{}, err
	}
	f, err := Closed(lines, n, 64, 50, func(_ int, batch [][]byte) error {
		_, err := l.AppendLines(ctx, batch)
		return err
	})
	if err := errors.Join(err, l.Close()); err != nil {
		return Figures{}, err
	}
	f.CPU = used(syscall.RUSAGE_SELF) - before // the last seal too
	if f.Bytes, err = sizeOf(filepath.Join(dir, "pack")); err != nil {
		return Figures{}, err
	}
	f.Log, err = sizeOf(filepath.Join(dir, "log"))
	return f, err
}

// Paced has the trail take rate events a second in batches of 20, and says how long
// their senders waited.
func Paced(ctx context.Context, dir string, lines [][]byte, rate int, during time.Duration) (Figures, error) {
	l, err := trail.Open(dir, trail.Options{Now: time.Now})
	if err != nil {
		return Figures{}, err
	}
	f, err := Open(lines, rate, 20, during, func(batch [][]byte) error {
		_, err := l.AppendLines(ctx, batch)
		return err
	})
	return f, errors.Join(err, l.Close())
}

// Verify is how many events a second a check of the whole trail in dir takes.
func Verify(ctx context.Context, dir string) (float64, error) {
	key, err := trail.PublicKey(dir)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	r, err := trail.Verify(ctx, dir, key, nil)
	if err == nil && !r.OK() {
		err = fmt.Errorf("verify: %v", r.Problems)
	}
	return float64(r.Entries) / time.Since(begun).Seconds(), err
}

// runSHA256 hashes the events as leaves on one processor and keeps nothing: the limit.
func runSHA256(_ context.Context, _ string, lines [][]byte, n int) (Figures, error) {
	return Closed(lines, n, 1, 50, func(_ int, batch [][]byte) error {
		for _, line := range batch {
			sha256.Sum256(line)
		}
		return nil
	})
}

// sizeOf is the bytes of all files below a folder.
func sizeOf(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		i, err := d.Info()
		if err == nil {
			n += i.Size()
		}
		return err
	})
	return n, err
}

// counter counts lines of a file that grows.
type counter struct {
	name  string
	off   int64
	lines int
}

// reach waits until the file has n lines that hold a mark.
func (c *counter) reach(ctx context.Context, n int, mark []byte) error {
	for quiet := time.Now(); ; {
		found, err := c.read(mark)
		if c.lines >= n {
			return nil
		}
		if found {
			quiet = time.Now()
			continue
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if ctx.Err() != nil || time.Since(quiet) > 10*time.Second {
			return fmt.Errorf("%s: %d of %d events arrived: %w", filepath.Base(c.name), c.lines, n, errors.Join(err, ctx.Err()))
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (c *counter) read(mark []byte) (found bool, err error) {
	f, err := os.Open(c.name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	b := make([]byte, 4<<20)
	k, _ := f.ReadAt(b, c.off)
	k = bytes.LastIndexByte(b[:k], '\n') + 1 // the rest of a line comes later
	c.off += int64(k)
	c.lines += bytes.Count(b[:k], mark)
	return k > 0, nil
}
