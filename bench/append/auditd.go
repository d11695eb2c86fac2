package append

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const auditdConf = `log_file = %s
log_format = RAW
log_group = root
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 4096
num_logs = 0
max_log_file_action = IGNORE
space_left = 75
space_left_action = IGNORE
admin_space_left = 50
admin_space_left_action = IGNORE
disk_full_action = SUSPEND
disk_error_action = SUSPEND
local_events = yes
write_logs = yes
q_depth = 20000
`

// auditUser is the type of messages that programs send: AUDIT_TRUSTED_APP.
const auditUser = 1121

// runAuditd sends messages of programs through the kernel to auditd, which writes a
// file and has it synced every 50 of them. The kernel makes the sender wait when auditd
// is behind. There is one audit in a machine: it must not be in use.
func runAuditd(ctx context.Context, dir string, lines [][]byte, n int) (Figures, error) {
	if out, err := exec.CommandContext(ctx, "auditctl", "-s").Output(); err != nil || !unused(string(out)) {
		return Figures{}, fmt.Errorf("%w: the audit of the kernel is in use or not there: %w", ErrNotHere, err)
	}
	log := filepath.Join(dir, "audit.log")
	if err := os.WriteFile(filepath.Join(dir, "auditd.conf"), fmt.Appendf(nil, auditdConf, log), 0o600); err != nil {
		return Figures{}, err
	}
	d, err := start(ctx, "auditd", "-n", "-s", "enable", "-c", dir)
	if err != nil {
		return Figures{}, err
	}
	defer exec.Command("auditctl", "-e", "0").Run() // as it was
	if err := d.appears(log); err != nil {
		return Figures{}, err
	}
	time.Sleep(200 * time.Millisecond) // until the kernel knows it
	before, begun := used(syscall.RUSAGE_SELF), time.Now()
	if err = messages(lines, n); err == nil {
		c := counter{name: log}
		err = c.reach(ctx, n, []byte("type=TRUSTED_APP"))
	}
	f := Figures{Events: n, Took: time.Since(begun), CPU: used(syscall.RUSAGE_SELF) - before + d.stop()}
	if err != nil {
		return Figures{}, fmt.Errorf("auditd: %w: %s", err, &d.said)
	}
	f.Bytes, err = sizeOf(dir)
	return f, err
}

func unused(status string) bool {
	var enabled, failure, pid int
	n, err := fmt.Sscanf(status, "enabled %d\nfailure %d\npid %d", &enabled, &failure, &pid)
	return err == nil && n == 3 && enabled == 0 && pid == 0
}

func messages(lines [][]byte, n int) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		return fmt.Errorf("audit socket: %w", err)
	}
	defer unix.Close(fd)
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	var b []byte
	for i := range n {
		line := lines[i%len(lines)]
		b = binary.NativeEndian.AppendUint32(b[:0], uint32(unix.NLMSG_HDRLEN+len(line)+1)) //nolint:gosec // some hundred
		b = binary.NativeEndian.AppendUint16(b, auditUser)
		b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
		b = binary.NativeEndian.AppendUint32(b, uint32(i+1)) //nolint:gosec // wraps
		b = binary.NativeEndian.AppendUint32(b, 0)
		b = append(append(b, line...), 0)
		if err := unix.Sendto(fd, b, 0, kernel); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}
