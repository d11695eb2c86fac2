package logging

import (
	"encoding/binary"
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"kakusho/collect"
	"kakusho/collect/linux/service"
	"kakusho/fact"
)

func audit(h collect.Host, t *service.Table) []fact.Fact {
	l := h.Look()
	installed := false
	for _, p := range []string{"/usr/sbin/auditd", "/sbin/auditd"} {
		ok, err := l.Exists(p)
		if err != nil {
			return []fact.Fact{
				collect.Failed("auditd_installed", err), collect.Failed("auditd_active", err),
				collect.Failed("audit_rules", err), collect.Failed("audit_immutable", err),
			}
		}
		installed = installed || ok
	}
	if !installed {
		const none = "no auditd: it is not installed"
		return []fact.Fact{
			collect.Saw("auditd_installed", false), collect.Saw("auditd_active", false),
			collect.None("audit_rules", none), collect.None("audit_immutable", none),
		}
	}
	out := []fact.Fact{
		collect.Saw("auditd_installed", true, fact.Source{Kind: "file", Ref: "/usr/sbin/auditd"}),
		activeFact("auditd_active", t, []string{"auditd"}, []string{"auditd.service"}),
	}
	text, err := rules(l)
	if err != nil {
		return append(out, collect.Failed("audit_rules", err), collect.Failed("audit_immutable", err))
	}
	rs, locked := ParseRules(text)
	list := []any{}
	for _, r := range rs {
		list = append(list, r)
	}
	out = append(out, collect.Saw("audit_rules", list, l.Sources()...))
	if h.Live && os.Geteuid() == 0 {
		src := fact.Source{Kind: "netlink", Ref: "AUDIT_GET"}
		if locked, err := kernelLocked(); err == nil {
			return append(out, collect.Saw("audit_immutable", locked, src))
		}
	}
	return append(out, collect.Saw("audit_immutable", locked, l.Sources()...))
}

// rules is what augenrules would compile: the files of rules.d in order. Where
// there are none, it is audit.rules itself.
func rules(l *collect.Look) ([]byte, error) {
	found, err := l.Glob("/etc/audit/rules.d/*.rules")
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		b, err := l.ReadFile("/etc/audit/audit.rules")
		if collect.Missing(err) {
			return nil, nil
		}
		return b, err
	}
	var out []byte
	for _, p := range found {
		b, err := l.ReadFile(p)
		if err != nil {
			return nil, err
		}
		out = append(append(out, b...), '\n')
	}
	return out, nil
}

// ParseRules reads rules as auditctl does: those that record something, and
// whether the last "-e" locks them until the next start.
func ParseRules(b []byte) (rules []string, locked bool) {
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if len(w) == 0 {
			continue
		}
		switch w[0] {
		case "-a", "-A", "-w":
			rules = append(rules, strings.Join(w, " "))
		case "-D":
			rules = nil
		case "-e":
			locked = len(w) > 1 && w[1] == "2"
		}
	}
	return rules, locked
}

// kernelLocked asks the kernel whether its audit rules are locked.
func kernelLocked() (bool, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_AUDIT)
	if err != nil {
		return false, os.NewSyscallError("netlink audit", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return false, os.NewSyscallError("netlink audit", err)
	}
	msg := make([]byte, unix.SizeofNlMsghdr)
	binary.NativeEndian.PutUint32(msg, uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], unix.AUDIT_GET)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false, os.NewSyscallError("netlink audit", err)
	}
	b := make([]byte, 8192)
	n, _, err := unix.Recvfrom(fd, b, 0)
	if err != nil {
		return false, os.NewSyscallError("netlink audit", err)
	}
	return ParseStatus(b[:n])
}

// ParseStatus reads the kernel's answer: struct audit_status, whose second word
// is 2 when the rules are locked.
func ParseStatus(b []byte) (locked bool, err error) {
	const enabledAt = unix.SizeofNlMsghdr + 4
	if len(b) < enabledAt+4 || binary.NativeEndian.Uint16(b[4:]) != unix.AUDIT_GET {
		return false, errors.New("netlink audit: no status")
	}
	return binary.NativeEndian.Uint32(b[enabledAt:]) == 2, nil
}

// auditLog is where auditd writes.
func auditLog(l *collect.Look) string {
	conf, err := pairs(l, "/etc/audit/auditd.conf")
	if p := conf["log_file"]; err == nil && path.IsAbs(p) {
		return p
	}
	return "/var/log/audit/audit.log"
}
