// Package mount reads which file systems are mounted where.
package mount

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kakusho/collect"
)

// Mount is one mounted file system, or a line of a table of such.
type Mount struct {
	Device  string // "8:1", the kernel's number of the device; "" in fstab
	Root    string // what of the file system is mounted: "/" the whole
	Point   string
	FS      string
	Source  string   // "/dev/sda1", "tmpfs", "UUID=…" in fstab
	Options []string // of the mount and of the file system
}

// Option finds the value of an option, "" for one without a value.
func (m Mount) Option(key string) (string, bool) {
	for _, o := range m.Options {
		k, v, _ := strings.Cut(o, "=")
		if k == key {
			return v, true
		}
	}
	return "", false
}

// Read reads the mounts of the reading process, or those a root shows.
func Read(l *collect.Look) ([]Mount, error) {
	b, err := l.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return Parse(b)
}

// Parse reads /proc/PID/mountinfo.
func Parse(b []byte) ([]Mount, error) {
	var out []Mount
	for i, line := range lines(b) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 2 {
			return nil, fmt.Errorf("mountinfo:%d: malformed", i+1)
		}
		m := Mount{Device: l[2], Root: unescape(l[3]), Point: unescape(l[4]), FS: r[0], Source: unescape(r[1])}
		m.Options = strings.Split(l[5], ",")
		if len(r) > 2 {
			m.Options = append(m.Options, strings.Split(unescape(r[2]), ",")...)
		}
		out = append(out, m)
	}
	return out, nil
}

// ParseTable reads /etc/fstab and /proc/mounts: source, point, type, options.
// A line with fewer words is skipped, as mount does.
func ParseTable(b []byte) []Mount {
	var out []Mount
	for _, line := range lines(b) {
		w := strings.Fields(line)
		if len(w) < 3 || strings.HasPrefix(w[0], "#") {
			continue
		}
		m := Mount{Root: "/", Source: unescape(w[0]), Point: unescape(w[1]), FS: w[2]}
		if len(w) > 3 {
			m.Options = strings.Split(w[3], ",")
		}
		out = append(out, m)
	}
	return out
}

// Holding finds the mount that holds a path: the deepest one, and of several at
// one place the last, which hides the others.
func Holding(ms []Mount, path string) (Mount, bool) {
	best := -1
	for i, m := range ms {
		if Under(path, m.Point) && (best < 0 || len(m.Point) >= len(ms[best].Point)) {
			best = i
		}
	}
	if best < 0 {
		return Mount{}, false
	}
	return ms[best], true
}

// Under reports whether path is dir or below it.
func Under(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, dir+"/")
}

// Visible leaves out mounts hidden by a later one at the same place.
func Visible(ms []Mount) []Mount {
	last := map[string]int{}
	for i, m := range ms {
		last[m.Point] = i
	}
	var out []Mount
	for i, m := range ms {
		if last[m.Point] == i {
			out = append(out, m)
		}
	}
	return slices.Clip(out)
}

func lines(b []byte) []string {
	b = bytes.TrimRight(b, "\n")
	if len(b) == 0 {
		return nil
	}
	return strings.Split(string(b), "\n")
}

// unescape undoes \040 and the like.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
