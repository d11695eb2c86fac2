package victorialogs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"kakusho/search"
)

// Options of the child process.
type Options struct {
	Dir     string        // of the index; made when missing. Everything in it may be deleted while nothing runs
	Command []string      // our binary and the words that make it the role: kakusho index
	Memory  int64         // bytes it may use for caches and queries together; zero: 512 MiB
	Quota   int64         // bytes of disk; the oldest days are dropped above it. Zero: none
	MinFree int64         // bytes that stay free on the disk: below, no rows are taken. Zero: 2 GiB
	Hang    time.Duration // without an answer it is killed and started again; zero: 15 s
	Log     *slog.Logger
}

// Child is the running process. It is started again when it ends, and killed when
// it does not answer; when it cannot start on its files, they are deleted: the
// feeder fills them again.
type Child struct {
	o      Options
	socket string
	engine *Engine
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	cmd    *exec.Cmd
	floor  time.Time
	starts int64
	empty  bool // before the next start

	lock *os.File // held by us and by the process: one index has one process, whatever was killed
}

// Start runs the child until Close.
func Start(o Options) (*Child, error) {
	o.Memory = int64(most(int(o.Memory), 512<<20))
	o.MinFree = int64(most(int(o.MinFree), 2<<30))
	if o.Hang == 0 {
		o.Hang = 15 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start search engine: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(filepath.Dir(o.Dir), filepath.Base(o.Dir)+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start search engine: %w", err)
	}
	run, err := os.MkdirTemp("", "kakusho-index-") // paths of sockets must be short
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("start search engine: %w", err)
	}
	c := &Child{o: o, lock: lock, socket: filepath.Join(run, "s"), done: make(chan struct{}), floor: readFloor(o.Dir)}
	c.engine = local(c)
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go func() {
		defer close(c.done)
		defer os.RemoveAll(run)
		defer lock.Close()
		if c.alone(ctx) {
			c.supervise(ctx)
		}
	}()
	return c, nil
}

// Engine is how to ask it.
func (c *Child) Engine() *Engine { return c.engine }

// Close ends the process and waits; it writes down what it has in memory.
func (c *Child) Close() error {
	c.cancel()
	<-c.done
	c.engine.client.CloseIdleConnections()
	return nil
}

// PID is the process, or 0 while there is none.
func (c *Child) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd == nil {
		return 0
	}
	return c.cmd.Process.Pid
}

// Restarts is how often it was started: what an earlier one had in memory is gone.
func (e *Engine) Restarts() int64 {
	if e.child == nil {
		return 0
	}
	e.child.mu.Lock()
	defer e.child.mu.Unlock()
	return e.child.starts
}

// Floor is the first day that is kept; rows from before it are not.
func (e *Engine) Floor() time.Time {
	if e.child == nil {
		return time.Time{}
	}
	return e.child.Floor()
}

// Wipe deletes the index of our own child, which then starts with nothing. Of
// another server it does nothing: it is not ours to empty.
func (e *Engine) Wipe(why string) {
	if e.child == nil {
		return
	}
	e.child.mu.Lock()
	e.child.empty = true
	e.child.mu.Unlock()
	e.child.Restart(why)
}

// Restart kills the process; it is started again.
func (c *Child) Restart(why string) {
	c.mu.Lock()
	cmd := c.cmd
	c.mu.Unlock()
	if cmd != nil {
		c.o.Log.Warn("search engine is killed to start again", "why", why)
		_ = cmd.Process.Kill()
	}
}

// alone waits until the process of a killed parent has ended; it sees its standard
// input end and writes down what it has.
func (c *Child) alone(ctx context.Context) bool {
	for said := false; ctx.Err() == nil; {
		if syscall.Flock(int(c.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return true
		}
		if !said {
			said = true
			c.o.Log.Warn("another process has the index: waiting for its end", "lock", c.lock.Name())
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return false
}

func (c *Child) supervise(ctx context.Context) {
	wait, failed := shortWait, 0
	for ctx.Err() == nil {
		end := c.run(ctx)
		if ctx.Err() != nil {
			return
		}
		c.o.Log.Warn("search engine ended", "error", end.err, "answered", end.answered, "after", end.lived)
		if end.lived >= longLife {
			wait, failed = shortWait, 0
		}
		c.mu.Lock()
		empty := c.empty
		c.empty = false
		c.mu.Unlock()
		if failed += end.blame(); failed >= mostBlame || empty {
			c.o.Log.Error("search engine does not run on its files: they are deleted and filled again", "dir", c.o.Dir)
			if err := wipe(c.o.Dir); err != nil {
				c.o.Log.Error("delete index", "error", err)
			}
			failed = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, 30*time.Second)
	}
}

const (
	shortWait = 200 * time.Millisecond
	longLife  = 2 * time.Minute
	mostBlame = 6

	quotaEvery = 8 // answers
)

// end is how one life of the process ended.
type end struct {
	err      error
	answered bool          // it has been healthy
	lived    time.Duration // about
}

// blame is how much an end speaks for damaged files: it gave up by itself, the more
// so before it ever answered. Who is killed is not to blame.
func (e end) blame() int {
	var exit *exec.ExitError
	switch {
	case !errors.As(e.err, &exit) || exit.ExitCode() < 0:
		return 0
	case e.answered:
		return 1
	}
	return 2
}

// wipe deletes what is in the folder of the index, the state of the Feeder too.
func wipe(dir string) error {
	names, err := os.ReadDir(dir)
	for _, n := range names {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, n.Name())))
	}
	return err
}

// run is one life of the process.
func (c *Child) run(ctx context.Context) (e end) {
	cmd := exec.Command(c.o.Command[0], append(c.o.Command[1:len(c.o.Command):len(c.o.Command)], c.flags()...)...) //nolint:gosec // our own binary
	cmd.Env = append(os.Environ(), "GOMEMLIMIT="+strconv.FormatInt(c.o.Memory*3/2, 10))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's signals are for us
	cmd.ExtraFiles = []*os.File{c.lock}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return end{err: err}
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return end{err: err}
	}
	if err := cmd.Start(); err != nil {
		return end{err: fmt.Errorf("start search engine: %w", err)}
	}
	c.mu.Lock()
	c.cmd = cmd
	c.starts++
	c.mu.Unlock()
	ended := make(chan error, 1)
	go func() {
		last := c.relay(stderr)
		err := cmd.Wait()
		if err != nil && last != "" {
			err = fmt.Errorf("%w: %s", err, last)
		}
		ended <- err
	}()
	e = c.watch(ctx, stdin, ended)
	c.mu.Lock()
	c.cmd = nil
	c.mu.Unlock()
	return e
}

func (c *Child) flags() []string {
	return []string{
		c.socket,
		"-storageDataPath=" + c.o.Dir,
		"-retentionPeriod=100y", // we drop days; a clock that jumps must not
		"-futureRetention=100y",
		"-inmemoryDataFlushInterval=1s",
		"-storage.minFreeDiskSpaceBytes=" + strconv.FormatInt(c.o.MinFree, 10),
		"-memory.allowedBytes=" + strconv.FormatInt(c.o.Memory, 10),
		"-insert.maxLineSizeBytes=2097152",
		"-delete.enable",
		"-search.maxQueryDuration=60s",
		"-loggerFormat=json",
		"-loggerLevel=WARN",
	}
}

// relay hands the child's messages to our log and returns the last.
func (c *Child) relay(r io.Reader) (last string) {
	lines := bufio.NewReaderSize(r, 64<<10)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return last
		}
		if text := strings.TrimSpace(string(line)); text != "" && !strings.HasPrefix(text, "goroutine ") && !strings.HasPrefix(text, "/") {
			last = text[:min(len(text), 500)]
			c.o.Log.Debug("search engine", "says", last)
		}
	}
}

// watch looks at the process until it ends, and ends it with ctx.
func (c *Child) watch(ctx context.Context, stdin io.Closer, ended <-chan error) (e end) {
	ticks := time.NewTicker(50 * time.Millisecond)
	defer ticks.Stop()
	patience := max(c.o.Hang, time.Minute) // it reads its files first
	silent, next, healthy := time.Duration(0), time.Duration(0), 0
	for n := 0; ; n++ {
		e.lived = time.Duration(n) * 50 * time.Millisecond
		select {
		case e.err = <-ended:
			return e
		case <-ctx.Done():
			stdin.Close()
			select {
			case e.err = <-ended:
				return e
			case <-time.After(max(c.o.Hang, 5*time.Second)):
				c.Restart("it does not end")
				e.err = <-ended
				return e
			}
		case <-ticks.C:
		}
		if next -= 50 * time.Millisecond; next > 0 {
			continue
		}
		probe := c.o.Hang / 5
		pctx, cancel := context.WithTimeout(ctx, probe)
		err := c.engine.Health(pctx)
		cancel()
		switch {
		case !errors.Is(err, search.ErrDown):
			e.answered, silent, patience = true, 0, c.o.Hang
			next = probe
			if healthy%quotaEvery == 0 {
				c.keepQuota(ctx)
			}
			healthy++
		case errors.Is(err, context.DeadlineExceeded):
			silent += probe
		default:
			silent += 50 * time.Millisecond
		}
		if silent >= patience {
			c.Restart("it does not answer")
			e.err = <-ended
			return e
		}
	}
}
