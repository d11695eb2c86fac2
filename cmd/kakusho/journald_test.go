package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const noJournald = "no systemd-journald here, or no mount namespace of our own (needs root)"

// journald is the real one, in a mount namespace of its own, where it is the
// journal of this machine.
type journald struct {
	logs   string // its files, as they are called outside
	socket string // /dev/log of it, outside
	pid    int
}

// startJournald runs it until the test ends; false: it cannot run here.
func startJournald(t *testing.T) (journald, bool) {
	t.Helper()
	const daemon = "/lib/systemd/systemd-journald"
	id, err := os.ReadFile("/etc/machine-id")
	if _, none := os.Stat(daemon); none != nil || err != nil || exec.Command("unshare", "-m", "true").Run() != nil {
		return journald{}, false
	}
	root, err := os.MkdirTemp("/dev/shm", "kf") // journald removes nothing under /run that is not of memory; the address of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	j := journald{logs: filepath.Join(root, "log", strings.TrimSpace(string(id))), socket: filepath.Join(root, "run/systemd/journal/dev-log")}
	for _, dir := range []string{j.logs, filepath.Join(root, "run/systemd/journal"), filepath.Join(root, "run/systemd/journald.conf.d")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(root, "run/systemd/journal/flushed"), nil, 0o644)
	os.WriteFile(filepath.Join(root, "run/systemd/journald.conf.d/test.conf"), []byte("[Journal]\nRateLimitIntervalSec=0\nRateLimitBurst=0\nReadKMsg=no\nAudit=no\n"), 0o644)
	cmd := exec.Command("unshare", "-m", "sh", "-c", `mount --bind "$1/run" /run && mount --bind "$1/log" /var/log/journal && exec `+daemon, "sh", root)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	j.pid = cmd.Process.Pid // of sh, then of journald
	for range 500 {
		if c, err := net.Dial("unixgram", j.socket); err == nil {
			c.Close()
			return j, true
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("journald did not start")
	return j, false
}

// beside is a command that sees this journal as that of its machine.
func (j journald) beside(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--mount=/proc/" + strconv.Itoa(j.pid) + "/ns/mnt", "--", name}, args...)...)
}
