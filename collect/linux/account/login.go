package account

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/sqlite"
)

// layout is how a record of the C library's login files is laid out. Where times
// of 32 and 64 bits had to live together (x86, POWER, IBM Z) they kept 32 bits.
type layout struct {
	lastlog, utmp, at int
	wide              bool
	order             binary.ByteOrder
}

func layoutOf(arch string) layout {
	l := layout{lastlog: 292, utmp: 384, at: 340, order: binary.LittleEndian}
	switch arch {
	case "aarch64", "riscv64", "loongarch64":
		l = layout{lastlog: 296, utmp: 400, at: 344, wide: true, order: binary.LittleEndian}
	case "s390x", "ppc64":
		l.order = binary.BigEndian
	}
	return l
}

func (l layout) time(b []byte) time.Time {
	n := int64(l.order.Uint32(b))
	if l.wide {
		n = int64(l.order.Uint64(b))
	}
	if n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// ParseLastlog reads one record of /var/log/lastlog, which lie there by user ID.
// The zero time means that there was no login.
func ParseLastlog(record []byte, arch string) (time.Time, error) {
	l := layoutOf(arch)
	if len(record) < l.lastlog {
		return time.Time{}, errors.New("record of lastlog is short")
	}
	return l.time(record), nil
}

// ParseWtmp reads the last login of each name from /var/log/wtmp. A record cut
// short at the end is left out: the file is being written.
func ParseWtmp(b []byte, arch string) map[string]time.Time {
	const userProcess = 7
	l := layoutOf(arch)
	out := map[string]time.Time{}
	for ; len(b) >= l.utmp; b = b[l.utmp:] {
		if l.order.Uint16(b) != userProcess {
			continue
		}
		name, _, _ := bytes.Cut(b[44:76], []byte{0})
		if at := l.time(b[l.at:]); len(name) > 0 && at.After(out[string(name)]) {
			out[string(name)] = at
		}
	}
	return out
}

// logins is what the login files say.
type logins struct {
	lastlog io.ReaderAt          // by user ID; nil: there is none
	named   map[string]time.Time // by name
	whole   bool                 // lastlog2 is there: who is not named never logged in
	arch    string
}

// add keeps the later of two times.
func (g logins) add(name string, at time.Time) {
	if at.After(g.named[name]) {
		g.named[name] = at
	}
}

// last is an account's last login; known is false when the files do not reach
// far enough to say that there was none.
func (g logins) last(u User) (at time.Time, known bool) {
	at = g.named[u.Name]
	if g.lastlog == nil {
		return at, g.whole || !at.IsZero()
	}
	l := layoutOf(g.arch)
	record := make([]byte, l.lastlog)
	n, err := g.lastlog.ReadAt(record, int64(u.UID)*int64(l.lastlog))
	if n == 0 && errors.Is(err, io.EOF) {
		return at, true // the file ends before this user: no login
	}
	t, err := ParseLastlog(record[:n], g.arch)
	if err != nil {
		return at, g.whole || !at.IsZero()
	}
	if t.After(at) {
		at = t
	}
	return at, true
}

// readLogins opens the login files. Those that may not be read leave the
// question open, which is why no error comes back.
func readLogins(l *collect.Look, arch string) (g logins, done func()) {
	g = logins{arch: arch, named: map[string]time.Time{}}
	for _, p := range []string{"/var/log/wtmp.1", "/var/log/wtmp"} {
		for name, at := range ParseWtmp(tail(l, p, layoutOf(arch).utmp), arch) {
			g.add(name, at)
		}
	}
	// Newer systems keep both in databases, whose times reach beyond 2038.
	if rows, err := readRows(l, "/var/lib/lastlog/lastlog2.db", "Lastlog2"); err == nil {
		g.whole = true
		for _, r := range rows {
			g.addRow(r, "Name", "Time", time.Second)
		}
	}
	for _, p := range []string{"/var/lib/wtmpdb/wtmp.db", "/var/log/wtmp.db"} {
		rows, _ := readRows(l, p, "wtmp")
		for _, r := range rows {
			g.addRow(r, "User", "Login", time.Microsecond)
		}
	}
	done = func() {}
	f, err := l.Open("/var/log/lastlog")
	if err != nil {
		return g, done
	}
	if r, ok := f.(io.ReaderAt); ok {
		g.lastlog = r
	}
	return g, func() { f.Close() }
}

// addRow takes a login from a row; reboots are rows of wtmp too, but no account
// has their name.
func (g logins) addRow(r map[string]any, name, at string, unit time.Duration) {
	who, ok1 := r[name].(string)
	n, ok2 := r[at].(int64)
	if ok1 && ok2 && n > 0 && n < 1<<60 {
		per := int64(time.Second / unit)
		g.add(who, time.Unix(n/per, n%per*int64(unit)).UTC())
	}
}

// readRows reads a login database. What a write-ahead log holds is not seen, so
// that a file with one is not read.
func readRows(l *collect.Look, p, table string) ([]map[string]any, error) {
	if fi, err := l.Stat(p + "-wal"); err == nil && fi.Size() > 0 {
		return nil, fs.ErrInvalid
	}
	b, err := l.ReadFile(p)
	if err != nil {
		return nil, err
	}
	return sqlite.Rows(b, table)
}

// tail reads the end of a file that may be long, from a multiple of unit on.
func tail(l *collect.Look, p string, unit int) []byte {
	f, err := l.Open(p)
	if err != nil {
		return nil
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || fi.Mode()&fs.ModeType != 0 {
		return nil
	}
	const most = 16 << 20
	start := max(0, fi.Size()-most)
	start -= start % int64(unit)
	r, ok := f.(io.ReaderAt)
	if !ok {
		return nil
	}
	b := make([]byte, min(fi.Size()-start, most+int64(unit)))
	n, _ := r.ReadAt(b, start)
	return b[:n]
}
