package network

import (
	"encoding/binary"
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes and places in the structures of linux/netfilter_ipv4/ip_tables.h and
// its IPv6 kin, which have the same form but for the entry.
const (
	infoSize               = 84
	infoHook, infoUnder    = 36, 56
	infoTotal              = 80
	entriesHead            = 40
	getInfo, getEntries    = 64, 65
	localIn                = 1 // the second of five hooks
	targetHead             = 32
	targetNameAt, nameSize = 2, 29
)

// layout is where an entry keeps the size of its parts.
type layout struct{ match, target, next, size int }

var (
	layout4 = layout{match: 84, target: 88, next: 90, size: 112}
	layout6 = layout{match: 136, target: 140, next: 142, size: 168}
)

// oldTable reads the filter table of the older iptables from the kernel.
func oldTable(six bool) (active, deny bool, err error) {
	family, level, lay := unix.AF_INET, unix.IPPROTO_IP, layout4
	if six {
		family, level, lay = unix.AF_INET6, unix.IPPROTO_IPV6, layout6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return false, false, os.NewSyscallError("raw socket", err)
	}
	defer unix.Close(fd)
	info := make([]byte, infoSize)
	copy(info, "filter")
	if err := getsockopt(fd, level, getInfo, info); err != nil {
		return false, false, os.NewSyscallError("iptables info", err)
	}
	total := binary.NativeEndian.Uint32(info[infoTotal:])
	if total > 64<<20 {
		return false, false, errors.New("iptables entries: more than 64 MiB")
	}
	entries := make([]byte, entriesHead+int(total))
	copy(entries, "filter")
	binary.NativeEndian.PutUint32(entries[32:], total)
	if err := getsockopt(fd, level, getEntries, entries); err != nil {
		return false, false, os.NewSyscallError("iptables entries", err)
	}
	return parseTable(info, entries[entriesHead:], lay)
}

func getsockopt(fd, level, name int, b []byte) error {
	n := uint32(len(b))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&n)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// ParseTable4 and ParseTable6 read a table as the kernel gives it: whether its
// INPUT chain filters, and whether it keeps out what no rule lets in.
func ParseTable4(info, entries []byte) (active, deny bool, err error) {
	return parseTable(info, entries, layout4)
}

// ParseTable6 is ParseTable4 for IPv6.
func ParseTable6(info, entries []byte) (active, deny bool, err error) {
	return parseTable(info, entries, layout6)
}

var errTable = errors.New("iptables entries: malformed")

func parseTable(info, entries []byte, lay layout) (active, deny bool, err error) {
	if len(info) < infoSize {
		return false, false, errTable
	}
	at := int(binary.NativeEndian.Uint32(info[infoHook+4*localIn:]))
	policy := int(binary.NativeEndian.Uint32(info[infoUnder+4*localIn:]))
	for at <= policy {
		if at < 0 || at+lay.size > len(entries) {
			return false, false, errTable
		}
		e := entries[at:]
		target, next := int(binary.NativeEndian.Uint16(e[lay.target:])), int(binary.NativeEndian.Uint16(e[lay.next:]))
		if target < lay.size || next < target+targetHead || next > len(e) {
			return false, false, errTable
		}
		end := does(e[target:next])
		if at == policy {
			return active || end == "drop", end == "drop", nil
		}
		active = true
		if target == lay.size && zero(e[:lay.match]) && end != "" { // for everything, with no match module
			return true, end == "drop", nil
		}
		at += next
	}
	return false, false, errTable
}

// does tells what a target does that ends the way: accept or drop.
func does(t []byte) string {
	name := text(t[targetNameAt : targetNameAt+nameSize])
	switch {
	case name == "REJECT":
		return "drop"
	case name == "" && len(t) >= targetHead+4:
		switch int32(binary.NativeEndian.Uint32(t[targetHead:])) {
		case -1:
			return "drop"
		case -2:
			return "accept"
		}
	}
	return ""
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
