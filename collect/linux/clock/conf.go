package clock

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/dropin"
	"kakusho/fact"
)

// Conf is what matters here of a configuration of chronyd or ntpd.
type Conf struct {
	Sources []string
	Follow  []Follow
	Port    int    // chronyd's command port; -1 not set
	Address string // chronyd's command address
}

// Follow is an order to read more: a file, or the files of a folder.
type Follow struct{ Word, Path string }

// ParseConf reads chrony.conf, *.sources, ntp.conf and openntpd's ntpd.conf,
// which share the form of their lines.
func ParseConf(b []byte) Conf {
	c := Conf{Port: -1}
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if len(w) < 2 || strings.ContainsAny(w[0][:1], "#!;%") {
			continue
		}
		switch word := strings.ToLower(w[0]); word {
		case "server", "servers", "pool", "peer":
			if w[1] == "-4" || w[1] == "-6" { // ntpd: only by this protocol
				w = w[1:]
			}
			if len(w) > 1 {
				c.Sources = append(c.Sources, w[1])
			}
		case "refclock", "sensor":
			c.Sources = append(c.Sources, strings.Join(w[:min(len(w), 3)], " "))
		case "include", "confdir", "sourcedir", "includefile":
			for _, p := range w[1:] {
				c.Follow = append(c.Follow, Follow{word, strings.Trim(p, `"`)})
			}
		case "cmdport":
			if n, err := strconv.ParseUint(w[1], 10, 16); err == nil {
				c.Port = int(n)
			}
		case "bindcmdaddress":
			if !strings.HasPrefix(w[1], "/") { // the path of its Unix socket
				c.Address = w[1]
			}
		}
	}
	return c
}

// readConf reads a file and what it includes.
func readConf(l *collect.Look, file string, depth int) (Conf, error) {
	b, err := l.ReadFile(file)
	if err != nil {
		return Conf{}, err
	}
	c := ParseConf(b)
	if depth > 8 {
		return c, nil
	}
	for _, f := range c.Follow {
		patterns := []string{f.Path}
		switch f.Word {
		case "confdir":
			patterns = []string{path.Join(f.Path, "*.conf")}
		case "sourcedir":
			patterns = []string{path.Join(f.Path, "*.sources")}
		}
		for _, p := range patterns {
			if !path.IsAbs(p) {
				p = path.Join(path.Dir(file), p)
			}
			if err := c.add(l, p, depth); err != nil {
				return Conf{}, err
			}
		}
	}
	return c, nil
}

func (c *Conf) add(l *collect.Look, pattern string, depth int) error {
	found, err := l.Glob(pattern)
	if err != nil {
		return err
	}
	for _, p := range found {
		more, err := readConf(l, p, depth+1)
		if err != nil {
			return err
		}
		c.Sources = append(c.Sources, more.Sources...)
		if more.Port >= 0 {
			c.Port = more.Port
		}
		if more.Address != "" {
			c.Address = more.Address
		}
	}
	return nil
}

// first reads the first of the files that is there.
func first(l *collect.Look, files ...string) (Conf, error) {
	for _, f := range files {
		c, err := readConf(l, f, 0)
		if collect.Missing(err) {
			if ok, _ := l.Exists(f); !ok {
				continue
			}
		}
		return c, err
	}
	return Conf{}, &fs.PathError{Op: "open", Path: files[0], Err: fs.ErrNotExist}
}

func chronyConf(l *collect.Look) (Conf, error) {
	return first(l, "/etc/chrony/chrony.conf", "/etc/chrony.conf")
}

func chronySources(l *collect.Look) ([]string, error) {
	c, err := chronyConf(l)
	return c.Sources, err
}

func ntpdSources(l *collect.Look) ([]string, error) {
	c, err := first(l, "/etc/ntpsec/ntp.conf", "/etc/ntp.conf", "/etc/openntpd/ntpd.conf", "/etc/ntpd.conf")
	if err != nil {
		return nil, err
	}
	if err := c.add(l, "/etc/ntpsec/ntp.d/*.conf", 0); err != nil {
		return nil, err
	}
	return c.Sources, nil
}

// timesyncdSources are those set by hand, else those the network gave, else
// those compiled in, which distributions show as a comment.
func timesyncdSources(l *collect.Look) ([]string, error) {
	files, err := dropin.Read(l, "timesyncd.conf", dropin.Folders...)
	if err != nil {
		return nil, err
	}
	var set []dropin.Setting
	compiled := ""
	for _, f := range files {
		set = append(set, dropin.Parse(f.Text)...)
		for _, line := range strings.Split(string(f.Text), "\n") {
			if v, ok := strings.CutPrefix(line, "#FallbackNTP="); ok {
				compiled = v
			}
		}
	}
	if ss := dropin.Words(set, "Time", "NTP"); len(ss) > 0 {
		return ss, nil
	}
	if b, err := l.ReadFile("/run/systemd/netif/state"); err == nil {
		for _, s := range dropin.Parse(b) {
			if ss := strings.Fields(s.Value); s.Key == "NTP" && len(ss) > 0 {
				return ss, nil
			}
		}
	}
	if _, ok := dropin.Last(set, "Time", "FallbackNTP"); ok {
		return dropin.Words(set, "Time", "FallbackNTP"), nil
	}
	return strings.Fields(compiled), nil
}

// Where timesyncd leaves word. It touches both at each synchronisation; the
// second stays over a restart and alone says nothing about now.
const (
	synchronizedFile = "/run/systemd/timesync/synchronized"
	clockFile        = "/var/lib/systemd/timesync/clock"
)

var errNotRunning = errors.New("not running: this root shows no /run of a running system")

func askTimesyncd(_ context.Context, h collect.Host, l *collect.Look) (state, error) {
	st := state{stratum: -1, source: fact.Source{Kind: "file", Ref: synchronizedFile}}
	fi, err := l.Stat(synchronizedFile)
	switch {
	case collect.Missing(err):
		if ok, err := l.Exists("/run/systemd"); err != nil || !ok && !h.Live {
			return st, errors.Join(errNotRunning, err)
		}
		return st, nil
	case err != nil:
		return st, err
	}
	st.synchronized, st.last = true, fi.ModTime().UTC()
	st.source.ModTime = st.last
	if fi, err := l.Stat(clockFile); err == nil && fi.ModTime().After(st.last) && fi.ModTime().Before(h.Now.Add(time.Minute)) {
		st.last = fi.ModTime().UTC()
	}
	return st, nil
}
