package append

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// daemon is a peer that is a program of its own.
type daemon struct {
	cmd  *exec.Cmd
	said bytes.Buffer
}

// start starts one. What it cannot do without is looked for first.
func start(ctx context.Context, name string, args ...string) (*daemon, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not installed", ErrNotHere, name)
	}
	d := &daemon{cmd: exec.CommandContext(ctx, path, args...)} //nolint:gosec // names of our own
	d.cmd.Stdout, d.cmd.Stderr = &d.said, &d.said
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	return d, nil
}

// stop ends it and says what processor time it has used.
func (d *daemon) stop() time.Duration {
	d.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(20*time.Second, func() { d.cmd.Process.Kill() })
	defer late.Stop()
	d.cmd.Wait() // ended by a signal, as it should be
	return d.cmd.ProcessState.UserTime() + d.cmd.ProcessState.SystemTime()
}

// appears waits for a file, or for a socket that is listened to.
func (d *daemon) appears(name string) error {
	for range 500 {
		if st, err := os.Stat(name); err == nil && (st.Mode().Type() != os.ModeSocket || listens(name)) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.stop()
	return fmt.Errorf("%w: %s does not come up: %s", ErrNotHere, d.cmd.Path, &d.said)
}

func listens(name string) bool {
	for _, network := range []string{"unix", "unixgram"} {
		if conn, err := net.Dial(network, name); err == nil {
			conn.Close()
			return true
		}
	}
	return false
}
