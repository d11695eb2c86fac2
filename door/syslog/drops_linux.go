package syslog

import (
	"encoding/binary"
	"net"

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

// countDrops asks the kernel to say with each datagram how many it has dropped on conn.
func countDrops(conn *net.UDPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Control(func(fd uintptr) {
		ok = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1) == nil
	})
	return err == nil && ok
}

// drops reads that number.
func drops(oob []byte) (uint32, bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
