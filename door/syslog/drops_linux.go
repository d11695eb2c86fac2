package syslog

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// enlarge gives conn as large a receive buffer as we may: beyond the system's limit
// when we are root.
func enlarge(conn *net.UDPConn, size int) {
	if raw, err := conn.SyscallConn(); err == nil {
		forced := false
		err = raw.Control(func(fd uintptr) {
			forced = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) == nil
		})
		if err == nil && forced {
			return
		}
	}
	conn.SetReadBuffer(size)
}

// drops is how many datagrams the kernel has dropped on conn since it was opened.
func drops(conn *net.UDPConn) (n uint32, ok bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	// SO_MEMINFO of socket(7): nine numbers, the last of them sk_drops. Package unix has
	// no call for it.
	var info [9]uint32
	size := uint32(unsafe.Sizeof(info))
	err = raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		ok = errno == 0 && uintptr(size) == unsafe.Sizeof(info)
	})
	return info[8], ok && err == nil
}
