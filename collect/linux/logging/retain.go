package logging

import (
	"cmp"
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kakusho/collect"
	"kakusho/collect/linux/dropin"
	"kakusho/fact"
)

const (
	day = 24 * time.Hour
	// Months and years as logrotate's shortest ones: a promise must hold in
	// February.
	month = 28 * day
	year  = 365 * day
)

// Rotation is what logrotate does with some files.
type Rotation struct {
	Patterns []string
	Count    int // old files kept; negative: all
	Period   time.Duration
	MaxAge   time.Duration // 0: none
	BySize   bool          // size alone, or also, decides when
}

// Keeps is how long the oldest record stays at least; 0 when time does not say.
func (r Rotation) Keeps() time.Duration {
	if r.BySize || r.Period == 0 {
		return 0
	}
	if r.Count < 0 {
		return r.MaxAge
	}
	kept := time.Duration(r.Count) * r.Period
	if r.MaxAge > 0 {
		kept = min(kept, r.MaxAge)
	}
	return kept
}

var periods = map[string]time.Duration{"hourly": time.Hour, "daily": day, "weekly": 7 * day, "monthly": month, "yearly": year}

// ParseRotate reads a file of logrotate. def holds the settings outside of
// blocks so far and is changed by it; includes are the paths it includes.
func ParseRotate(b []byte, def *Rotation) (out []Rotation, includes []string) {
	var cur *Rotation
	var names []string
	script := false
	for _, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if script {
			script = line != "endscript"
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if cur == nil && (line[0] == '/' || line[0] == '"' || line[0] == '{') {
			names = append(names, fileNames(strings.TrimSuffix(line, "{"))...)
			if strings.HasSuffix(line, "{") {
				r := *def
				r.Patterns, names = names, nil
				cur = &r
			}
			continue
		}
		w := strings.Fields(strings.ReplaceAll(line, "=", " "))
		switch {
		case len(w) == 0:
		case w[0] == "}":
			if cur != nil {
				out = append(out, *cur)
			}
			cur = nil
		case slices.Contains([]string{"postrotate", "prerotate", "firstaction", "lastaction", "preremove"}, w[0]):
			script = true
		case w[0] == "include" && len(w) > 1:
			includes = append(includes, w[1])
		default:
			r := def
			if cur != nil {
				r = cur
			}
			r.set(w)
		}
	}
	return out, includes
}

func fileNames(s string) []string {
	var out []string
	for _, w := range strings.Fields(s) {
		out = append(out, strings.Trim(w, `"`))
	}
	return out
}

func (r *Rotation) set(w []string) {
	n := -1
	if len(w) > 1 {
		if v, err := strconv.Atoi(w[1]); err == nil && v < 1_000_000 {
			n = v
		}
	}
	switch w[0] {
	case "rotate":
		r.Count = n
	case "maxage":
		r.MaxAge = time.Duration(max(min(n, 36500), 0)) * day
	case "size", "maxsize":
		r.BySize = true
	default:
		if p, ok := periods[w[0]]; ok {
			r.Period, r.BySize = p, false
		}
	}
}

var errNoBound = errors.New("no retention by time: what is kept is bounded by size, or by nothing")

// audited are the logs that matter as evidence.
var audited = []string{"/var/log/auth.log", "/var/log/secure", "/var/log/syslog", "/var/log/messages"}

// retention is the shortest time for which an evidence log is kept.
func retention(h collect.Host) fact.Fact {
	const field = "log_retention"
	l := h.Look()
	rotations, err := readRotations(l)
	if err != nil {
		return collect.Failed(field, err, l.Sources()...)
	}
	var kept []time.Duration
	for _, r := range rotations {
		for _, p := range r.Patterns {
			if !slices.ContainsFunc(audited, func(a string) bool { ok, err := path.Match(p, a); return err == nil && ok }) {
				continue
			}
			if ok, err := there(l, p); err != nil {
				return collect.Failed(field, err)
			} else if ok {
				kept = append(kept, r.Keeps())
			}
		}
	}
	if len(kept) == 0 {
		conf, err := dropin.Settings(l, "journald.conf", dropin.Folders...)
		if err != nil {
			return collect.Failed(field, err)
		}
		if s, ok := dropin.Last(conf, "Journal", "MaxRetentionSec"); ok {
			kept = append(kept, Span(s.Value))
		}
	}
	if len(kept) == 0 || slices.Contains(kept, 0) {
		return collect.Failed(field, errNoBound, l.Sources()...)
	}
	return collect.Saw(field, slices.Min(kept), l.Sources()...)
}

// there tells whether any file matches; what logrotate would rotate if it were
// there says nothing.
func there(l *collect.Look, pattern string) (bool, error) {
	found, err := l.Glob(pattern)
	return len(found) > 0, err
}

func readRotations(l *collect.Look) ([]Rotation, error) {
	def := Rotation{}
	b, err := l.ReadFile("/etc/logrotate.conf")
	if collect.Missing(err) {
		return nil, nil // without it logrotate does not run
	}
	if err != nil {
		return nil, err
	}
	out, includes := ParseRotate(b, &def)
	for _, p := range includes {
		found := []string{p}
		if fi, err := l.Stat(p); err == nil && fi.IsDir() {
			if found, err = l.Glob(p + "/*"); err != nil {
				return nil, err
			}
		}
		for _, p := range found {
			b, err := l.ReadFile(p)
			if collect.Missing(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			more, _ := ParseRotate(b, &def)
			out = append(out, more...)
		}
	}
	return out, nil
}

var units = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": day, "day": day, "days": day, "w": 7 * day, "week": 7 * day, "weeks": 7 * day,
	"M": month, "month": month, "months": month, "y": year, "year": year, "years": year,
}

// Span reads a span of time as systemd writes it: "1year 2weeks", "90 day". 0
// is none, and what cannot be read is none.
func Span(s string) time.Duration {
	total := time.Duration(0)
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if i < 0 {
			i = len(s)
		}
		n, err := strconv.ParseInt(s[:i], 10, 32)
		s = strings.TrimSpace(s[i:])
		j := strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'z' })
		if j < 0 {
			j = len(s)
		}
		unit, ok := units[s[:j]]
		if err != nil || !ok || i == 0 || n > int64(100*year/unit) {
			return 0
		}
		total += time.Duration(n) * unit
		s = s[j:]
	}
	return min(total, 200*year)
}

// free asks the file system that holds the logs how much of it is left.
func free(h collect.Host) fact.Fact {
	const field, dir = "log_free_ratio", "/var/log"
	if !h.Live {
		return collect.Unclear(field, "not live: the file system of this root was not asked")
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return collect.Failed(field, err)
	}
	if st.Blocks == 0 {
		return collect.Unclear(field, "no size: the file system of "+dir+" does not tell")
	}
	return collect.Saw(field, float64(st.Bavail)/float64(st.Blocks), fact.Source{Kind: "file", Ref: dir})
}

// oldest compares two instants, the zero one being none.
func oldest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && cmp.Compare(b.UnixNano(), a.UnixNano()) < 0 {
		return b
	}
	return a
}
