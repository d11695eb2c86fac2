// Package network tells how a host can be reached and what keeps callers out.
//
// Listening sockets are joined to their owners through /proc/PID/fd; a socket
// whose owner may not be seen has no process in its record. The firewall of the
// running host is what the kernel holds, nftables and the older tables alike,
// read over netlink and getsockopt; only for a root that is not running do
// configuration files speak for it. Known holes: filters in eBPF programs, on
// network cards and in another network namespace are not seen.
package network

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/owner"
	"kakusho/collect/linux/service"
	"kakusho/collect/linux/socket"
	"kakusho/fact"
)

// Collector brings the group network.
func Collector() collect.Collector {
	return collect.Collector{Group: "network", Version: "1", Collect: func(ctx context.Context, h collect.Host) []fact.Fact {
		t := service.On(h)
		out := []fact.Fact{interfaces(h), route(h), resolvers(h)}
		out = append(out, firewall(ctx, h, t)...)
		l := h.Look()
		ss, err := socket.Listening(l)
		if err != nil {
			return append(out, collect.Failed("listeners", err), clearText(h, t, nil, err))
		}
		ls := owned(h, t, ss)
		return append(out, collect.Saw("listeners", records(ls), l.Sources()...), clearText(h, t, ls, nil))
	}}
}

// listener is a listening socket and who holds it.
type listener struct {
	socket.Socket
	process, exe, user string
}

func (l listener) String() string {
	s := fmt.Sprintf("%s %s", strings.TrimSuffix(l.Proto, "6"), net.JoinHostPort(l.Addr.String(), strconv.Itoa(int(l.Port))))
	if l.process != "" {
		s += " (" + l.process + ")"
	}
	return s
}

func owned(h collect.Host, t *service.Table, ss []socket.Socket) []listener {
	names := owner.Load(h.FS)
	holders := holders(h, t)
	out := make([]listener, 0, len(ss))
	for _, s := range ss {
		l := listener{Socket: s, user: names.Name(s.UID)}
		if p, ok := holders[s.Inode]; ok && s.Inode != 0 {
			l.process = p.Name
			if exe, err := fs.ReadLink(h.FS, collect.Name(p.Place()+"/exe")); err == nil {
				l.exe = exe
			}
		}
		out = append(out, l)
	}
	return out
}

// holders maps socket numbers to the process that has them open, as far as the
// reader may see.
func holders(h collect.Host, t *service.Table) map[uint64]service.Process {
	out := map[uint64]service.Process{}
	ps, err := t.Processes()
	if err != nil {
		return out
	}
	for _, p := range ps {
		dir := collect.Name(p.Place() + "/fd")
		es, err := fs.ReadDir(h.FS, dir)
		if err != nil {
			continue
		}
		for _, e := range es {
			to, err := fs.ReadLink(h.FS, path.Join(dir, e.Name()))
			if err != nil {
				continue
			}
			n, ok := strings.CutPrefix(to, "socket:[")
			if !ok {
				continue
			}
			if inode, err := strconv.ParseUint(strings.TrimSuffix(n, "]"), 10, 64); err == nil {
				if _, taken := out[inode]; !taken { // the parent before its children
					out[inode] = p
				}
			}
		}
	}
	return out
}

func records(ls []listener) []any {
	out := []any{}
	for _, l := range ls {
		r := map[string]any{"proto": l.Proto, "address": l.Addr.String(), "port": int64(l.Port), "user": l.user, "loopback": l.Loopback()}
		if l.process != "" {
			r["process"] = l.process
		}
		if l.exe != "" {
			r["exe"] = l.exe
		}
		out = append(out, r)
	}
	return out
}

func interfaces(h collect.Host) fact.Fact {
	l := h.Look()
	if !h.Live {
		return shown(l)
	}
	ifs, err := net.Interfaces()
	if err != nil {
		return collect.Failed("interfaces", err)
	}
	out := []any{}
	for _, i := range ifs {
		as, err := i.Addrs()
		if err != nil {
			return collect.Failed("interfaces", err)
		}
		var addrs []string
		for _, a := range as {
			addrs = append(addrs, a.String())
		}
		r := map[string]any{"name": i.Name, "addresses": strings.Join(addrs, " "), "up": i.Flags&net.FlagUp != 0, "wireless": wireless(l, i.Name)}
		if len(i.HardwareAddr) > 0 {
			r["mac"] = i.HardwareAddr.String()
		}
		out = append(out, r)
	}
	return collect.Saw("interfaces", out, fact.Source{Kind: "netlink", Ref: "RTM_GETLINK RTM_GETADDR"})
}

// shown are the interfaces in /sys, where addresses are not.
func shown(l *collect.Look) fact.Fact {
	es, err := l.ReadDir("/sys/class/net")
	if err != nil {
		return collect.Failed("interfaces", err)
	}
	out := []any{}
	for _, e := range es {
		dir := "/sys/class/net/" + e.Name()
		fi, err := l.Stat(dir)
		if err != nil || !fi.IsDir() {
			continue // bonding_masters
		}
		r := map[string]any{"name": e.Name(), "wireless": wireless(l, e.Name())}
		if mac, err := l.ReadLine(dir + "/address"); err == nil && mac != "" {
			r["mac"] = mac
		}
		if s, err := l.ReadLine(dir + "/flags"); err == nil {
			if n, err := strconv.ParseUint(s, 0, 32); err == nil {
				r["up"] = n&1 != 0
			}
		}
		out = append(out, r)
	}
	return collect.Saw("interfaces", out, fact.Source{Kind: "sys", Ref: "/sys/class/net"})
}

func wireless(l *collect.Look, name string) bool {
	for _, mark := range []string{"/wireless", "/phy80211"} {
		if ok, err := l.Exists("/sys/class/net/" + name + mark); err == nil && ok {
			return true
		}
	}
	return false
}

// Flags of a route: in use, and one that only refuses.
const (
	routeUp     = 0x1
	routeReject = 0x200
)

func route(h collect.Host) fact.Fact {
	const field = "default_route"
	l := h.Look()
	b4, err4 := l.ReadFile("/proc/net/route")
	b6, err6 := l.ReadFile("/proc/net/ipv6_route")
	switch {
	case err4 != nil && !collect.Missing(err4), err4 != nil && err6 != nil:
		return collect.Failed(field, err4)
	case err6 != nil && !collect.Missing(err6):
		return collect.Failed(field, err6)
	}
	return collect.Saw(field, HasDefault4(b4) || HasDefault6(b6), l.Sources()...)
}

// HasDefault4 reports whether /proc/net/route has a default route.
func HasDefault4(b []byte) bool {
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if len(w) < 8 || w[1] != "00000000" || w[7] != "00000000" {
			continue
		}
		if flags, err := strconv.ParseUint(w[3], 16, 32); err == nil && flags&routeUp != 0 && flags&routeReject == 0 {
			return true
		}
	}
	return false
}

// HasDefault6 reports whether /proc/net/ipv6_route has a default route.
func HasDefault6(b []byte) bool {
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if len(w) < 10 || strings.Trim(w[0], "0") != "" || w[1] != "00" || w[9] == "lo" {
			continue
		}
		if flags, err := strconv.ParseUint(w[8], 16, 32); err == nil && flags&routeUp != 0 && flags&routeReject == 0 {
			return true
		}
	}
	return false
}

func resolvers(h collect.Host) fact.Fact {
	const field = "dns_servers"
	l := h.Look()
	b, err := l.ReadFile("/etc/resolv.conf")
	if collect.Missing(err) {
		return collect.None(field, "no name servers: no /etc/resolv.conf")
	}
	if err != nil {
		return collect.Failed(field, err)
	}
	servers := ParseResolv(b)
	if slices.Contains(servers, "127.0.0.53") { // systemd-resolved stands in front of the real ones
		b, err := l.ReadFile("/run/systemd/resolve/resolv.conf")
		if err != nil {
			return collect.Failed(field, err)
		}
		servers = ParseResolv(b)
	}
	out := []any{}
	for _, s := range servers {
		out = append(out, s)
	}
	return collect.Saw(field, out, l.Sources()...)
}

// ParseResolv lists the name servers of a resolv.conf.
func ParseResolv(b []byte) []string {
	var out []string
	for _, line := range strings.Split(string(b), "\n") {
		if w := strings.Fields(line); len(w) > 1 && w[0] == "nameserver" {
			out = append(out, w[1])
		}
	}
	return out
}
