package journal_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const journaldPath = "/lib/systemd/systemd-journald"

// journald is the real one, in a mount namespace of its own: /run and
// /var/log/journal are folders of the test.
type journald struct {
	t      testing.TB
	root   string
	env    []string
	config string
	cmd    *exec.Cmd
	conn   *net.UnixConn
}

func startJournald(t testing.TB, config string, env ...string) *journald {
	t.Helper()
	if _, err := os.Stat(journaldPath); err != nil {
		t.Skipf("no systemd-journald here: %v", err)
	}
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace of our own here (needs root): %v %s", err, out)
	}
	root, err := os.MkdirTemp("/dev/shm", "kj") // journald removes nothing under /run that is not of memory; the address of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	j := &journald{t: t, root: root, env: env, config: config}
	for _, dir := range []string{"run/systemd/journald.conf.d", "run/systemd/journal", "run/log/journal", j.logs()} {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf := "[Journal]\nRateLimitIntervalSec=0\nRateLimitBurst=0\nStorage=auto\nReadKMsg=no\nAudit=no\n" + config
	if err := os.WriteFile(filepath.Join(root, "run/systemd/journald.conf.d/test.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.stop)
	return j
}

func machine() string {
	id, _ := os.ReadFile("/etc/machine-id")
	return strings.TrimSpace(string(id))
}

func (j *journald) logs() string { return filepath.Join(j.root, "log", machine()) }
func (j *journald) run() string  { return filepath.Join(j.root, "run/log/journal", machine()) }

// start starts it; with flushed, it writes to /var at once.
func (j *journald) start(flushed bool) {
	j.t.Helper()
	flag := filepath.Join(j.root, "run/systemd/journal/flushed")
	if flushed {
		os.WriteFile(flag, nil, 0o644)
	}
	socket := filepath.Join(j.root, "run/systemd/journal/socket")
	os.Remove(socket)
	j.cmd = exec.Command("unshare", "-m", "sh", "-c",
		`mount --bind "$1/run" /run && mount --bind "$1/log" /var/log/journal && exec `+journaldPath, "sh", j.root)
	j.cmd.Env = append(os.Environ(), j.env...)
	var said bytes.Buffer
	j.cmd.Stderr = &said
	if err := j.cmd.Start(); err != nil {
		j.t.Fatal(err)
	}
	for range 500 {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err == nil {
			conn.SetWriteBuffer(8 << 20)
			j.conn = conn
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	j.t.Fatalf("journald did not start: %s", said.String())
}

func (j *journald) stop() {
	if j.cmd == nil {
		return
	}
	j.conn.Close()
	j.cmd.Process.Signal(syscall.SIGTERM)
	j.cmd.Wait()
	j.cmd = nil
}

// send sends one entry in journald's own protocol; any bytes may be a value.
func (j *journald) send(fields ...string) {
	j.t.Helper()
	var b bytes.Buffer
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&b, "%s\n", fields[i])
		binary.Write(&b, binary.LittleEndian, uint64(len(fields[i+1])))
		b.WriteString(fields[i+1])
		b.WriteByte('\n')
	}
	for {
		if _, err := j.conn.Write(b.Bytes()); err == nil {
			return
		} else if !strings.Contains(err.Error(), "no buffer space") && !strings.Contains(err.Error(), "temporarily") {
			j.t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

// signal sends SIGUSR2 (rotate), SIGUSR1 (flush to /var) or RTMIN+1 (sync).
func (j *journald) signal(s syscall.Signal) {
	if err := j.cmd.Process.Signal(s); err != nil {
		j.t.Fatal(err)
	}
}

const (
	rotate = syscall.SIGUSR2
	flush  = syscall.SIGUSR1
)

// wait waits until journalctl sees n entries with the field and value.
func (j *journald) wait(dir, match string, n int) {
	j.t.Helper()
	var out []byte
	for range 100 {
		out, _ = exec.Command("journalctl", "-D", dir, "-o", "cat", "--output-fields=NUMBER", match).Output()
		if bytes.Count(out, []byte("\n")) >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	j.t.Fatalf("journald has %d of %d entries", bytes.Count(out, []byte("\n")), n)
}
