// Package etc reads the small formats in which Linux hosts keep settings.
//
// The parsers take bytes and never fail as a whole: a line they cannot read is
// returned as a Fault with its place, and the rest is still used. Whether a
// fault spoils the answer is for the collector to say.
package etc

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"kakusho/collect"
)

// Fault is a line that could not be read. Its text is a fact's reason.
type Fault struct {
	File string
	Line int
	What string
}

// Reason makes the fault a fact's reason as it stands.
func (f Fault) Reason() string { return f.Error() }

func (f Fault) Error() string { return fmt.Sprintf("malformed: %s:%d: %s", f.File, f.Line, f.What) }

// Lines splits a file into lines without their ends, "\r" included.
func Lines(b []byte) []string {
	var out []string
	for l := range bytes.Lines(b) {
		out = append(out, strings.TrimRight(string(l), "\r\n"))
	}
	return out
}

// Words reads "KEY value" lines, as in /etc/login.defs; the last of a key wins.
// Keys are kept as written.
func Words(b []byte) map[string]string {
	out := map[string]string{}
	for _, l := range Lines(b) {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		i := strings.IndexAny(l, " \t")
		if i < 0 {
			out[l] = ""
			continue
		}
		out[l[:i]] = strings.Trim(strings.TrimSpace(l[i:]), `"`)
	}
	return out
}

// Assignments reads shell assignments, as in /etc/os-release and
// /etc/default/…; the last of a key wins. Quotes and backslashes are undone,
// nothing is expanded.
func Assignments(file string, b []byte) (map[string]string, []Fault) {
	out := map[string]string{}
	var faults []Fault
	for i, l := range Lines(b) {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' {
			continue
		}
		key, v, ok := strings.Cut(strings.TrimPrefix(l, "export "), "=")
		if !ok || !name(key) {
			faults = append(faults, Fault{file, i + 1, "no assignment"})
			continue
		}
		v, err := unquote(v)
		if err != nil {
			faults = append(faults, Fault{file, i + 1, err.Error()})
			continue
		}
		out[key] = v
	}
	return out, faults
}

func name(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// unquote undoes shell quoting up to the first blank or comment outside quotes.
func unquote(s string) (string, error) {
	var out strings.Builder
	var quote byte
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(s):
			i++
			if quote == '"' && !strings.ContainsRune("\\\"$`", rune(s[i])) {
				out.WriteByte('\\')
			}
			out.WriteByte(s[i])
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == ' ' || c == '\t' || c == ';'):
			return out.String(), nil
		default:
			out.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", fmt.Errorf("quote not closed")
	}
	return out.String(), nil
}

// Entry is one setting of an INI file.
type Entry struct {
	Section, Key, Value string
	Line                int
}

// INI reads "[section]" and "key = value" lines, as in desktop and systemd
// files, in order. Lines that are neither are left out, as those programs do.
// Lines starting with "#" or ";" are comments.
func INI(b []byte) []Entry {
	var out []Entry
	section := ""
	for i, l := range Lines(b) {
		l = strings.TrimSpace(l)
		if l == "" || l[0] == '#' || l[0] == ';' {
			continue
		}
		if l[0] == '[' && l[len(l)-1] == ']' {
			section = strings.TrimSpace(l[1 : len(l)-1])
			continue
		}
		if k, v, ok := strings.Cut(l, "="); ok {
			out = append(out, Entry{section, strings.TrimSpace(k), strings.TrimSpace(v), i + 1})
		}
	}
	return out
}

// DropIns lists the files of several folders that together configure one thing,
// as systemd and its kin do: a file in an earlier folder hides its namesakes in
// later ones, and the rest apply in the order of their names.
func DropIns(l *collect.Look, suffix string, dirs ...string) ([]string, error) {
	at := map[string]string{}
	for _, dir := range dirs {
		es, err := l.ReadDir(dir)
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			if _, hidden := at[e.Name()]; !hidden && strings.HasSuffix(e.Name(), suffix) && !e.IsDir() {
				at[e.Name()] = path.Join(dir, e.Name())
			}
		}
	}
	names := make([]string, 0, len(at))
	for n := range at {
		names = append(names, n)
	}
	slices.Sort(names)
	for i, n := range names {
		names[i] = at[n]
	}
	return names, nil
}

// Optional reads a file that need not be there: missing gives nil and false.
func Optional(l *collect.Look, p string) ([]byte, bool, error) {
	b, err := l.ReadFile(p)
	if collect.Missing(err) {
		return nil, false, nil
	}
	return b, err == nil, err
}

// Owner is a file's numeric owner and group, where the file system knows them.
func Owner(fi fs.FileInfo) (uid, gid uint32, ok bool) { return owner(fi.Sys()) }
