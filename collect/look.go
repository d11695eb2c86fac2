package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"kakusho/fact"
)

// Look reads a host's files for one collector and remembers what it read, so
// that a fact can say where it comes from. It is not safe for concurrent use.
// Names may be written with or without the leading slash.
type Look struct {
	fsys    fs.FS
	sources map[string]fact.Source
	order   []string
}

// Look starts a new look at the host.
func (h Host) Look() *Look { return &Look{fsys: h.FS, sources: map[string]fact.Source{}} }

// Name is a host path as package fs wants it.
func Name(p string) string {
	p = path.Clean("/" + p)[1:]
	if p == "" {
		return "."
	}
	return p
}

// ReadFile reads a file and remembers it with its digest.
func (l *Look) ReadFile(p string) ([]byte, error) {
	b, err := fs.ReadFile(l.fsys, Name(p))
	if err == nil {
		sum := sha256.Sum256(b)
		l.remember(p, hex.EncodeToString(sum[:]))
	}
	return b, err
}

// ReadSecret reads a file and remembers it without a digest, which could give
// away what is in it.
func (l *Look) ReadSecret(p string) ([]byte, error) {
	b, err := fs.ReadFile(l.fsys, Name(p))
	if err == nil {
		l.remember(p, "")
	}
	return b, err
}

// ReadLine reads the only line of a small file, as /proc and /sys have them.
func (l *Look) ReadLine(p string) (string, error) {
	b, err := l.ReadFile(p)
	return strings.TrimSpace(string(b)), err
}

// Open opens a file to be read piece by piece.
func (l *Look) Open(p string) (fs.File, error) {
	f, err := l.fsys.Open(Name(p))
	if err == nil {
		l.remember(p, "")
	}
	return f, err
}

// Stat describes what a path leads to.
func (l *Look) Stat(p string) (fs.FileInfo, error) { return fs.Stat(l.fsys, Name(p)) }

// Lstat describes a path itself.
func (l *Look) Lstat(p string) (fs.FileInfo, error) { return fs.Lstat(l.fsys, Name(p)) }

// ReadLink reads where a link points.
func (l *Look) ReadLink(p string) (string, error) {
	s, err := fs.ReadLink(l.fsys, Name(p))
	if err == nil {
		l.remember(p, "")
	}
	return s, err
}

// ReadDir lists a folder by name.
func (l *Look) ReadDir(p string) ([]fs.DirEntry, error) { return fs.ReadDir(l.fsys, Name(p)) }

// Exists reports whether a path leads to something. Not being allowed to see is
// an error, not a no.
func (l *Look) Exists(p string) (bool, error) {
	_, err := l.Stat(p)
	switch {
	case err == nil:
		return true, nil
	case Missing(err):
		return false, nil
	}
	return false, err
}

// Glob lists the paths that match, absolute and sorted. Unlike fs.Glob it says
// when a folder could not be read; a folder that is not there holds no match.
func (l *Look) Glob(pattern string) ([]string, error) {
	found := []string{"/"}
	for _, part := range strings.Split(Name(pattern), "/") {
		var next []string
		for _, dir := range found {
			ps, err := l.glob(dir, part)
			if err != nil {
				return nil, err
			}
			next = append(next, ps...)
		}
		found = next
	}
	return found, nil
}

func (l *Look) glob(dir, part string) ([]string, error) {
	if !strings.ContainsAny(part, `*?[\`) {
		p := path.Join(dir, part)
		_, err := l.Lstat(p)
		if Missing(err) {
			return nil, nil
		}
		return []string{p}, err
	}
	es, err := l.ReadDir(dir)
	if Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range es {
		// As in a shell, a leading dot is not matched by a wildcard.
		if strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(part, ".") {
			continue
		}
		ok, err := path.Match(part, e.Name())
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", part, err)
		}
		if ok {
			out = append(out, path.Join(dir, e.Name()))
		}
	}
	return out, nil
}

func (l *Look) remember(p, digest string) {
	p = path.Clean("/" + p)
	s := fact.Source{Kind: sourceKind(p), Ref: p, SHA256: digest}
	if s.Kind == "file" { // what the kernel makes up on reading has no age
		if fi, err := l.Stat(p); err == nil {
			s.ModTime = fi.ModTime().UTC()
		}
	} else {
		s.SHA256 = ""
	}
	if _, ok := l.sources[p]; !ok {
		l.order = append(l.order, p)
	}
	l.sources[p] = s
}

func sourceKind(p string) string {
	switch {
	case p == "/proc" || strings.HasPrefix(p, "/proc/"):
		return "proc"
	case p == "/sys" || strings.HasPrefix(p, "/sys/"):
		return "sys"
	}
	return "file"
}

// Sources are the files read so far, in order.
func (l *Look) Sources() []fact.Source {
	out := make([]fact.Source, 0, len(l.order))
	for _, p := range l.order {
		out = append(out, l.sources[p])
	}
	return out
}

// Missing reports that the path is not there: no such file, or a part of it is
// no folder.
func Missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// Saw is a fact that was seen.
func Saw(field string, value any, src ...fact.Source) fact.Fact {
	return fact.Fact{Field: field, Status: fact.Observed, Value: value, Source: src}
}

// None is a fact about which was looked, with sight, and there is none.
func None(field, reason string, src ...fact.Source) fact.Fact {
	return fact.Fact{Field: field, Status: fact.Absent, Reason: reason, Source: src}
}

// NotHere is a fact that does not arise on this host, for the reason given.
func NotHere(field, reason string, src ...fact.Source) fact.Fact {
	return fact.Fact{Field: field, Status: fact.NotApplicable, Reason: reason, Source: src}
}

// Unclear is a fact that could not be told, for the reason given ("malformed:
// /etc/passwd:3").
func Unclear(field, reason string, src ...fact.Source) fact.Fact {
	return fact.Fact{Field: field, Status: fact.Error, Reason: reason, Source: src}
}

// Failed is a fact that could not be had because of err: Denied, Timeout or
// Error. A file that is not there is an Error here; a collector that knows what
// its absence means says so before it asks.
func Failed(field string, err error, src ...fact.Source) fact.Fact {
	s, reason := Status(err)
	return fact.Fact{Field: field, Status: s, Reason: reason, Source: src}
}

// Why is an error that is a fact's reason as it stands: "malformed: …".
type Why string

func (w Why) Error() string { return string(w) }

// Reason makes Status take the text as it is; other errors may have it too.
func (w Why) Reason() string { return string(w) }

// Status maps an error to a fact's status and its reason, a code and a detail:
// "permission: open /etc/shadow". An error with a method Reason tells its own.
func Status(err error) (fact.Status, string) {
	if own, ok := errors.AsType[interface {
		error
		Reason() string
	}](err); ok {
		return fact.Error, own.Reason()
	}
	s, code := fact.Error, "error"
	switch {
	case errors.Is(err, fs.ErrPermission):
		s, code = fact.Denied, "permission"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded):
		s, code = fact.Timeout, "timeout"
	case errors.Is(err, fs.ErrNotExist):
		code = "missing"
	case errors.Is(err, ErrTooLarge):
		code = "limit"
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		at := fmt.Sprintf("%s %s", pe.Op, path.Clean("/"+pe.Path))
		if code == "permission" || code == "missing" {
			return s, code + ": " + at
		}
		return s, fmt.Sprintf("%s: %s: %v", code, at, pe.Err)
	}
	return s, fmt.Sprintf("%s: %v", code, err)
}
