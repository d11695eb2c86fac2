// Package sudoers reads the policy of sudo: who may run what as whom.
//
// Parse reads one file into statements. Load follows the includes from
// /etc/sudoers as sudo does and resolves the aliases, so that a Rule names
// accounts, groups and commands and nothing that stands for them. What cannot
// be read is a fault with its place: a policy with faults is not wholly known.
package sudoers

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
)

// Member is one element of a list: an account, "%group", "#1000", "+netgroup",
// a host, a command with its arguments, or "ALL"; Not: all but this.
type Member struct {
	Name string
	Not  bool
}

// Alias stands for a list. Kind is User, Runas, Host or Cmnd.
type Alias struct {
	Kind, Name string
	Members    []Member
}

// Default is one setting of a Defaults line. Scope is 0 for everybody, or the
// sign that precedes Names: ':' users, '@' hosts, '>' runas, '!' commands.
type Default struct {
	Scope      byte
	Names      []Member
	Key, Value string
	Off        bool // "!key"
}

// Grant is a run of commands that share runas and tags.
type Grant struct {
	Hosts        []Member
	RunasUsers   []Member
	RunasGroups  []Member
	RunasGiven   bool
	Authenticate string // "": by the defaults; else NOPASSWD or PASSWD
	Commands     []Member
}

// Spec is a user specification: users and what they are granted.
type Spec struct {
	Users  []Member
	Grants []Grant
}

// Include names a file or folder to read at this place.
type Include struct {
	Path string
	Dir  bool
}

// Statement is one logical line: exactly one of its parts is set.
type Statement struct {
	Line     int
	Aliases  []Alias
	Defaults []Default
	Spec     *Spec
	Include  *Include
}

// Parse reads one file. Lines that are no statement come back as faults and the
// rest is read all the same.
func Parse(file string, b []byte) ([]Statement, []etc.Fault) {
	var out []Statement
	var faults []etc.Fault
	for _, l := range logical(b) {
		st, err := statement(l.text)
		if err != nil {
			faults = append(faults, etc.Fault{File: file, Line: l.line, What: err.Error()})
			continue
		}
		if st != nil {
			st.Line = l.line
			out = append(out, *st)
		}
	}
	return out, faults
}

type line struct {
	text string
	line int
}

// logical joins lines ended by a backslash and takes comments away.
func logical(b []byte) []line {
	var out []line
	var text strings.Builder
	start := 0 // of the line being joined; 0: none
	for i, l := range etc.Lines(b) {
		l = uncomment(l)
		t := strings.TrimRight(l, " \t")
		backs := len(t) - len(strings.TrimRight(t, `\`))
		more := backs%2 == 1
		if more {
			t = t[:len(t)-1]
		}
		if start == 0 {
			start = i + 1
		}
		text.WriteString(t)
		if more {
			continue
		}
		out = append(out, line{text.String(), start})
		text.Reset()
		start = 0
	}
	if start > 0 {
		out = append(out, line{text.String(), start})
	}
	return out
}

// uncomment cuts a comment: a "#" outside quotes that starts no user ID and is
// no include of the old spelling.
func uncomment(s string) string {
	if isInclude(s, '#') {
		return s
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case '#':
			next := strings.TrimPrefix(s[i+1:], "-")
			if !quoted && (next == "" || next[0] < '0' || next[0] > '9') {
				return s[:i]
			}
		}
	}
	return s
}

func isInclude(s string, sign byte) bool {
	s = strings.TrimLeft(s, " \t")
	if s == "" || s[0] != sign {
		return false
	}
	for _, w := range []string{"include", "includedir"} {
		if rest, ok := strings.CutPrefix(s[1:], w); ok && rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
			return true
		}
	}
	return false
}

func statement(text string) (*Statement, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	if isInclude(text, '@') || isInclude(text, '#') {
		word, rest, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
		p, err := includePath(strings.TrimSpace(rest))
		return &Statement{Include: &Include{Path: p, Dir: strings.HasSuffix(word, "dir")}}, err
	}
	if rest, ok := strings.CutPrefix(text, "Defaults"); ok && (rest == "" || strings.ContainsRune(" \t:@>!", rune(rest[0]))) {
		ds, err := defaults(rest)
		return &Statement{Defaults: ds}, err
	}
	for _, k := range []string{"User", "Runas", "Host", "Cmnd", "Cmd"} {
		if rest, ok := strings.CutPrefix(text, k+"_Alias"); ok && rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
			as, err := aliases(strings.Replace(k, "Cmd", "Cmnd", 1), rest)
			return &Statement{Aliases: as}, err
		}
	}
	spec, err := userSpec(text)
	return &Statement{Spec: spec}, err
}

func includePath(s string) (string, error) {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1], nil
	}
	p := unescape(s)
	if p == "" || strings.Contains(strings.ReplaceAll(s, `\ `, ""), " ") {
		return "", fmt.Errorf("include wants one path")
	}
	return p, nil
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// source is where statements come from: the host's files, or a test's.
type source interface {
	ReadFile(p string) ([]byte, error)
	ReadDir(p string) ([]string, error)
}

type host struct{ look *collect.Look }

func (h host) ReadFile(p string) ([]byte, error) { return h.look.ReadFile(p) }

func (h host) ReadDir(p string) ([]string, error) {
	es, err := h.look.ReadDir(p)
	var out []string
	for _, e := range es {
		if !e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, err
}

// Policy is all statements in the order of reading.
type Policy struct {
	Hostname string
	Placed   []Placed
	Faults   []etc.Fault
}

// Placed is a statement and its file.
type Placed struct {
	Statement
	File string
}

const maxDepth = 128 // as sudo

// Load reads /etc/sudoers and what it includes. A file that may not be read is
// an error, since the policy is then not known; sudo ignores an include that is
// not there, and so does Load.
func Load(l *collect.Look, hostname string) (*Policy, error) {
	p := &Policy{Hostname: hostname}
	return p, p.read(host{l}, "/etc/sudoers", 0)
}

func (p *Policy) read(src source, file string, depth int) error {
	if depth > maxDepth {
		p.Faults = append(p.Faults, etc.Fault{File: file, Line: 1, What: "includes nested too deeply"})
		return nil
	}
	b, err := src.ReadFile(file)
	if err != nil {
		return err
	}
	sts, faults := Parse(file, b)
	p.Faults = append(p.Faults, faults...)
	for _, st := range sts {
		if st.Include == nil {
			p.Placed = append(p.Placed, Placed{st, file})
			continue
		}
		if err := p.include(src, file, *st.Include, depth); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) include(src source, from string, in Include, depth int) error {
	short, _, _ := strings.Cut(p.Hostname, ".")
	target := strings.ReplaceAll(in.Path, "%h", short)
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(from), target)
	}
	if !in.Dir {
		err := p.read(src, target, depth+1)
		if collect.Missing(err) {
			return nil
		}
		return err
	}
	names, err := src.ReadDir(target)
	if collect.Missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, n := range names {
		// Package managers and editors leave such files; sudo passes over them.
		if strings.HasSuffix(n, "~") || strings.Contains(n, ".") {
			continue
		}
		if err := p.read(src, path.Join(target, n), depth+1); err != nil && !collect.Missing(err) {
			return err
		}
	}
	return nil
}
