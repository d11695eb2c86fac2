package door

import (
	"net"
	"sync"
	"sync/atomic"
)

// Limit is ln with at most n connections at a time. When there are more, room is made
// at the expense of the address that has most: its connection that was silent longest
// is closed, or the new one if it is of that address. One address can so never keep
// the others out. refused is told each time, and may be nil.
func Limit(ln net.Listener, n int, refused func(address string)) net.Listener {
	if refused == nil {
		refused = func(string) {}
	}
	return &limited{Listener: ln, n: n, refused: refused, of: map[string]map[*conn]bool{}}
}

type limited struct {
	net.Listener
	n       int
	refused func(string)
	tick    atomic.Int64

	mu    sync.Mutex
	of    map[string]map[*conn]bool // by address
	count int
}

type conn struct {
	net.Conn
	l       *limited
	address string
	read    atomic.Int64 // tick of the last bytes
	once    sync.Once
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		mine := &conn{Conn: c, l: l, address: Address(c.RemoteAddr())}
		mine.read.Store(l.tick.Add(1))
		out, taken := l.admit(mine)
		if out != nil {
			out.Close()
			l.refused(out.address)
		}
		if taken {
			return mine, nil
		}
	}
}

// admit says which connection has to go, if any, and whether c stays.
func (l *limited) admit(c *conn) (out *conn, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count >= l.n {
		most := c.address
		for address, conns := range l.of {
			if len(conns) > len(l.of[most]) {
				most = address
			}
		}
		if most == c.address {
			c.once.Do(func() {}) // was never counted
			c.Conn.Close()
			return c, false
		}
		for o := range l.of[most] {
			if out == nil || o.read.Load() < out.read.Load() {
				out = o
			}
		}
	}
	if l.of[c.address] == nil {
		l.of[c.address] = map[*conn]bool{}
	}
	l.of[c.address][c] = true
	l.count++
	return out, true
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Store(c.l.tick.Add(1))
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.l.mu.Lock()
		defer c.l.mu.Unlock()
		delete(c.l.of[c.address], c)
		if len(c.l.of[c.address]) == 0 {
			delete(c.l.of, c.address)
		}
		c.l.count--
	})
	return c.Conn.Close()
}

// Address is a without its port; of a connection inside this machine, nothing.
func Address(a net.Addr) string {
	if a == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	return host
}
