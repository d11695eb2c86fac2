package key

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/socket"
	"kakusho/fact"
)

// patience is how long one handshake may take, and all of them together.
const (
	patience    = time.Second
	allPatience = 15 * time.Second
	together    = 8
)

var versions = []struct {
	id   uint16
	name string
}{{tls.VersionTLS10, "1.0"}, {tls.VersionTLS11, "1.1"}, {tls.VersionTLS12, "1.2"}, {tls.VersionTLS13, "1.3"}}

func listeners(ctx context.Context, h collect.Host) fact.Fact {
	const field = "tls_listeners"
	if h.Dial == nil {
		return collect.Unclear(field, "not live: no listener was called")
	}
	ss, err := socket.Listening(h.Look())
	if err != nil {
		return collect.Failed(field, err)
	}
	ctx, cancel := context.WithTimeout(ctx, allPatience)
	defer cancel()
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		out   = []any{}
		slots = make(chan struct{}, together)
	)
	for _, addr := range addresses(ss) {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if r := try(ctx, h, addr); r != nil {
				mu.Lock()
				defer mu.Unlock()
				out = append(out, r)
			}
		})
	}
	wait.Wait()
	slices.SortFunc(out, func(a, b any) int {
		x, y := a.(map[string]any), b.(map[string]any)
		return cmp.Or(cmp.Compare(x["port"].(int64), y["port"].(int64)), strings.Compare(x["address"].(string), y["address"].(string)))
	})
	src := fact.Source{Kind: "socket", Ref: "tls handshake"}
	if ctx.Err() != nil {
		return fact.Fact{Field: field, Status: fact.Truncated, Reason: fmt.Sprintf("timeout: not all listeners answered within %v", allPatience), Value: out, Source: []fact.Source{src}}
	}
	return collect.Saw(field, out, src)
}

// addresses lists where to call, each port once for all addresses of a socket
// that hears everywhere.
func addresses(ss []socket.Socket) []netip.AddrPort {
	seen := map[netip.AddrPort]bool{}
	everywhere := map[uint16]bool{}
	var out []netip.AddrPort
	for _, s := range ss {
		if s.UDP() {
			continue
		}
		a := netip.AddrPortFrom(s.Addr.Unmap(), s.Port)
		if s.Addr.IsUnspecified() {
			if everywhere[s.Port] {
				continue // the same service for IPv4 and IPv6
			}
			everywhere[s.Port] = true
		}
		if !seen[a] {
			seen[a] = true
			out = append(out, a)
		}
	}
	return out
}

// try calls one listener; nil when it does not speak TLS.
func try(ctx context.Context, h collect.Host, addr netip.AddrPort) map[string]any {
	first, err := shake(ctx, h, addr, tls.VersionTLS10, tls.VersionTLS13, nil)
	if err != nil {
		return nil
	}
	r := map[string]any{
		"address": addr.Addr().String(), "port": int64(addr.Port()), "newest": name(first.Version), "cipher": tls.CipherSuiteName(first.CipherSuite),
	}
	oldest := first.Version
	for _, v := range versions {
		if v.id >= oldest {
			break
		}
		if _, err := shake(ctx, h, addr, v.id, v.id, nil); err == nil {
			oldest = v.id
			break
		}
	}
	r["oldest"] = name(oldest)
	weak := false
	if old := oldCiphers(); oldest <= tls.VersionTLS12 && len(old) > 0 {
		_, err := shake(ctx, h, addr, oldest, tls.VersionTLS12, old)
		weak = err == nil
	}
	if len(first.PeerCertificates) > 0 {
		c := first.PeerCertificates[0]
		r["not_after"] = c.NotAfter.UTC()
		if kind, bits := public(c); kind != "" {
			r["key"], r["bits"] = kind, int64(bits)
		}
		weak = weak || Weak(c)
	}
	r["weak"] = weak
	return r
}

func name(id uint16) string {
	for _, v := range versions {
		if v.id == id {
			return v.name
		}
	}
	return ""
}

// allCiphers are every suite this program can speak, the broken ones too: a
// listener must not look safe because the caller was choosy.
func allCiphers() []uint16 {
	var out []uint16
	for _, c := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		out = append(out, c.ID)
	}
	return out
}

// oldCiphers are those no listener may accept: RC4 and triple DES.
func oldCiphers() []uint16 {
	var out []uint16
	for _, c := range tls.InsecureCipherSuites() {
		if strings.Contains(c.Name, "RC4") || strings.Contains(c.Name, "3DES") {
			out = append(out, c.ID)
		}
	}
	return out
}

var errNoTLS = errors.New("no TLS")

// shake shakes hands. A listener that wants to see a certificate of the caller
// has shown what it speaks before it refuses.
func shake(ctx context.Context, h collect.Host, addr netip.AddrPort, least, most uint16, ciphers []uint16) (tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	host := addr.Addr()
	if host.IsUnspecified() {
		host = netip.MustParseAddr(map[bool]string{true: "127.0.0.1", false: "::1"}[host.Is4()])
	}
	conn, err := h.Dial(ctx, "tcp", net.JoinHostPort(host.String(), strconv.Itoa(int(addr.Port()))))
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	if ciphers == nil {
		ciphers = allCiphers()
	}
	var state tls.ConnectionState
	c := tls.Client(conn, &tls.Config{
		ServerName: "localhost", MinVersion: least, MaxVersion: most, CipherSuites: ciphers,
		InsecureSkipVerify: true, // who it is does not matter here, only what it speaks
		VerifyConnection:   func(s tls.ConnectionState) error { state = s; return nil },
	})
	if err := c.HandshakeContext(ctx); err != nil && state.Version == 0 {
		return tls.ConnectionState{}, errors.Join(errNoTLS, err)
	}
	return state, nil
}
