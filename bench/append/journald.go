package append

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

const journaldConf = `[Journal]
Storage=persistent
Seal=yes
RateLimitIntervalSec=0
RateLimitBurst=0
SystemMaxUse=8G
SystemMaxFileSize=1G
ForwardToSyslog=no
ForwardToWall=no
ReadKMsg=no
Audit=no
`

// journaldStart gives systemd-journald places of its own in a mount namespace of its
// own. What is mounted there ends with it.
const journaldStart = `set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/log /etc/systemd/journald.conf.d /var/log/journal
mount --bind "$1/run" /run/systemd/journal
mount --bind "$1/var" /var/log/journal
mount --bind "$1/conf" /etc/systemd/journald.conf.d
mkdir -p "/var/log/journal/$(cat /etc/machine-id)"
journalctl --setup-keys --interval=10s --force -q >/dev/null 2>&1
exec /lib/systemd/systemd-journald`

var entryObjects = regexp.MustCompile(`(?i)entry objects: (\d+)`)

// runJournald sends to journald in its own protocol, one datagram an event. It seals
// with forward-secure keys every 10 seconds; what it has taken is in memory-mapped
// files, and the sender is told nothing. Its time ends when it says it has synced.
func runJournald(ctx context.Context, dir string, lines [][]byte, n int) (Figures, error) {
	if _, err := os.Stat("/lib/systemd/systemd-journald"); err != nil {
		return Figures{}, fmt.Errorf("%w: %w", ErrNotHere, err)
	}
	for _, d := range []string{"run", "var", "conf"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			return Figures{}, err
		}
	}
	err := errors.Join(os.WriteFile(filepath.Join(dir, "conf", "bench.conf"), []byte(journaldConf), 0o600),
		os.WriteFile(filepath.Join(dir, "run", "flushed"), nil, 0o600))
	if err != nil {
		return Figures{}, err
	}
	d, err := start(ctx, "unshare", "-m", "sh", "-c", journaldStart, "sh", dir)
	if err != nil {
		return Figures{}, err
	}
	sock := filepath.Join(dir, "run", "socket")
	if err := d.appears(sock); err != nil {
		return Figures{}, err
	}
	before, begun := used(syscall.RUSAGE_SELF), time.Now()
	if err = datagrams(sock, lines, n); err == nil {
		err = d.synced(filepath.Join(dir, "run", "synced"))
	}
	f := Figures{Events: n, Took: time.Since(begun), CPU: used(syscall.RUSAGE_SELF) - before + d.stop()}
	if err != nil {
		return Figures{}, fmt.Errorf("journald: %w: %s", err, &d.said)
	}
	if f.Bytes, err = sizeOf(filepath.Join(dir, "var")); err != nil {
		return Figures{}, err
	}
	return f, entries(ctx, filepath.Join(dir, "var"), n)
}

func datagrams(sock string, lines [][]byte, n int) error {
	conn, err := net.Dial("unixgram", sock)
	if err != nil {
		return err
	}
	defer conn.Close()
	b := []byte("PRIORITY=6\nSYSLOG_IDENTIFIER=app\nMESSAGE=")
	head := len(b)
	for i := range n {
		b = append(append(b[:head], lines[i%len(lines)]...), '\n')
		if _, err := conn.Write(b); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

// synced asks journald to write all it has, and waits until it has.
func (d *daemon) synced(name string) error {
	const realTimeMin = 34
	if err := d.cmd.Process.Signal(syscall.Signal(realTimeMin + 1)); err != nil {
		return err
	}
	return d.appears(name)
}

// entries checks how many there are in journal files.
func entries(ctx context.Context, dir string, n int) error {
	names, err := filepath.Glob(filepath.Join(dir, "*", "*.journal"))
	if err != nil {
		return err
	}
	got := 0
	for _, name := range names {
		out, err := exec.CommandContext(ctx, "journalctl", "--file", name, "--header").Output() //nolint:gosec // of our own making
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if m := entryObjects.FindSubmatch(out); m != nil {
			k, _ := strconv.Atoi(string(m[1])) // digits
			got += k
		}
	}
	if got < n {
		return fmt.Errorf("journald: %d of %d events arrived", got, n)
	}
	return nil
}
