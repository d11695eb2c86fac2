// Package socket reads which sockets of a host wait for others to call.
package socket

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"kakusho/collect"
)

// Socket is one listening TCP socket, or one UDP socket without a peer.
type Socket struct {
	Proto string // tcp, tcp6, udp, udp6
	Addr  netip.Addr
	Port  uint16
	UID   uint32
	Inode uint64 // 0: not told
}

// Loopback reports whether only this host itself can reach it.
func (s Socket) Loopback() bool { return s.Addr.Unmap().IsLoopback() }

// UDP reports whether it is no TCP socket.
func (s Socket) UDP() bool { return strings.HasPrefix(s.Proto, "udp") }

var protos = []string{"tcp", "tcp6", "udp", "udp6"}

// Listening reads the sockets of the reader's network namespace. A kernel
// without IPv6 has no tcp6; one table at least must be there.
func Listening(l *collect.Look) ([]Socket, error) {
	var out []Socket
	var missing error
	seen := 0
	for _, proto := range protos {
		b, err := l.ReadFile("/proc/net/" + proto)
		if collect.Missing(err) {
			missing = errors.Join(missing, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		ss, err := Parse(proto, b)
		if err != nil {
			return nil, err
		}
		seen++
		out = append(out, ss...)
	}
	if seen == 0 {
		return nil, missing
	}
	return out, nil
}

// States as the kernel numbers them.
const (
	tcpListen = "0A"
	udpBound  = "07" // a UDP socket without a peer "is closed"
)

// Parse reads /proc/net/tcp and its kin.
func Parse(proto string, b []byte) ([]Socket, error) {
	var out []Socket
	for i, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if i == 0 || len(w) == 0 {
			continue
		}
		if len(w) < 10 {
			return nil, fmt.Errorf("/proc/net/%s:%d: malformed", proto, i+1)
		}
		if state := w[3]; strings.HasPrefix(proto, "tcp") && state != tcpListen || strings.HasPrefix(proto, "udp") && state != udpBound {
			continue
		}
		s, err := socket(proto, w)
		if err != nil {
			return nil, fmt.Errorf("/proc/net/%s:%d: %w", proto, i+1, err)
		}
		out = append(out, s)
	}
	return out, nil
}

func socket(proto string, w []string) (s Socket, err error) {
	s.Proto = proto
	host, port, _ := strings.Cut(w[1], ":")
	if s.Addr, err = address(host); err != nil {
		return s, err
	}
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return s, fmt.Errorf("port %q", port)
	}
	s.Port = uint16(p)
	uid, err := strconv.ParseUint(w[7], 10, 32)
	if err != nil {
		return s, fmt.Errorf("uid %q", w[7])
	}
	s.UID = uint32(uid)
	if s.Inode, err = strconv.ParseUint(w[9], 10, 64); err != nil {
		return s, fmt.Errorf("inode %q", w[9])
	}
	return s, nil
}

// address undoes the kernel's way of printing an address as 32-bit words in
// the machine's byte order. All machines served here are little-endian.
func address(s string) (netip.Addr, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, fmt.Errorf("address %q", s)
	}
	for i := 0; i < len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.Addr{}, fmt.Errorf("address %q", s)
	}
	return a, nil
}
