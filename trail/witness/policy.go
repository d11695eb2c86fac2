package witness

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/seal"
)

// Policy says which logs and witnesses are known, and whose cosignatures suffice:
// a C2SP tlog-policy file.
type Policy struct {
	Logs      []string // verifier keys
	Witnesses []Peer
	Quorum    string // name of a witness or group, or "none"

	groups map[string]group
}

// Peer is a witness in a policy.
type Peer struct {
	Name     string
	Key      string
	URL      string // submission prefix; may be empty where only proofs are checked
	verifier note.Verifier
}

type group struct {
	need    int
	members []string
}

// The most that a policy holds.
const (
	maxPolicy = 1 << 20
	maxNames  = 256
)

// ErrPolicy is returned, wrapped with the line, for a text that is no policy.
var ErrPolicy = errors.New("witness policy cannot be read")

// ParsePolicy reads a policy. An empty text is one without witnesses.
func ParsePolicy(text []byte) (Policy, error) {
	p := Policy{groups: map[string]group{}}
	if len(text) > maxPolicy {
		return Policy{}, fmt.Errorf("%w: longer than %d bytes", ErrPolicy, maxPolicy)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if i := strings.IndexFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }); i >= 0 {
			return Policy{}, fmt.Errorf("%w: line %d has a control character", ErrPolicy, n)
		}
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if err := p.line(fields); err != nil {
			return Policy{}, fmt.Errorf("%w: line %d: %w", ErrPolicy, n, err)
		}
	}
	if p.Quorum == "" {
		if len(p.Witnesses) > 0 {
			return Policy{}, fmt.Errorf("%w: no quorum line", ErrPolicy)
		}
		p.Quorum = "none"
	}
	return p, nil
}

func (p *Policy) line(f []string) error {
	switch {
	case len(p.Logs)+len(p.Witnesses)+len(p.groups) >= maxNames:
		return fmt.Errorf("more than %d logs, witnesses and groups", maxNames)
	case f[0] == "log" && (len(f) == 2 || len(f) == 3):
		return p.log(f[1])
	case f[0] == "witness" && (len(f) == 3 || len(f) == 4):
		return p.witness(f[1], f[2], strings.Join(f[3:], ""))
	case f[0] == "group" && len(f) > 3:
		return p.group(f[1], f[2], f[3:])
	case f[0] == "quorum" && len(f) == 2:
		if p.Quorum != "" {
			return errors.New("a second quorum")
		}
		if f[1] != "none" && !p.has(f[1]) {
			return fmt.Errorf("%q is not defined above", f[1])
		}
		p.Quorum = f[1]
		return nil
	}
	return fmt.Errorf("%q: want log KEY, witness NAME KEY [URL], group NAME all|any|N NAME… or quorum NAME|none", strings.Join(f, " "))
}

func (p *Policy) log(vkey string) error {
	if _, err := seal.Verifier(vkey); err != nil {
		return err
	}
	if slices.Contains(p.Logs, vkey) {
		return errors.New("this log is there twice")
	}
	p.Logs = append(p.Logs, vkey)
	return nil
}

func (p *Policy) witness(name, vkey, prefix string) error {
	v, err := Verifier(vkey)
	if err != nil {
		return err
	}
	if prefix != "" {
		if u, err := url.Parse(prefix); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return fmt.Errorf("%q is not the address of a witness", prefix)
		}
	}
	mine, _ := material(vkey) // checked above
	for _, w := range p.Witnesses {
		if other, _ := material(w.Key); slices.Equal(mine, other) {
			return fmt.Errorf("has the key of %s", w.Name)
		}
	}
	if err := p.fresh(name); err != nil {
		return err
	}
	p.Witnesses = append(p.Witnesses, Peer{name, vkey, strings.TrimSuffix(prefix, "/"), v})
	return nil
}

func (p *Policy) group(name, need string, members []string) error {
	g := group{members: members}
	switch need {
	case "all":
		g.need = len(members)
	case "any":
		g.need = 1
	default:
		n, err := strconv.Atoi(need)
		if err != nil || strconv.Itoa(n) != need || n < 1 || n > len(members) {
			return fmt.Errorf("%q of %d members", need, len(members))
		}
		g.need = n
	}
	for i, m := range members {
		if !p.has(m) || m == name {
			return fmt.Errorf("%q is not defined above", m)
		}
		if slices.Contains(members[:i], m) || p.grouped(m) {
			return fmt.Errorf("%q is a member twice", m)
		}
	}
	if err := p.fresh(name); err != nil {
		return err
	}
	p.groups[name] = g
	return nil
}

func (p *Policy) fresh(name string) error {
	if name == "none" || p.has(name) {
		return fmt.Errorf("the name %q is taken", name)
	}
	return nil
}

func (p *Policy) has(name string) bool {
	_, ok := p.groups[name]
	return ok || slices.ContainsFunc(p.Witnesses, func(w Peer) bool { return w.Name == name })
}

// grouped reports whether a name is a member of a group already: each counts once.
func (p *Policy) grouped(name string) bool {
	for _, g := range p.groups {
		if slices.Contains(g.members, name) {
			return true
		}
	}
	return false
}

// Satisfied reports whether the cosignatures of these witnesses suffice.
func (p Policy) Satisfied(by []Cosignature) bool {
	return p.Quorum == "none" || p.holds(p.Quorum, by)
}

func (p Policy) holds(name string, by []Cosignature) bool {
	g, ok := p.groups[name]
	if !ok {
		return slices.ContainsFunc(by, func(c Cosignature) bool { return c.Witness == name })
	}
	n := 0
	for _, m := range g.members {
		if p.holds(m, by) {
			n++
		}
	}
	return n >= g.need
}

// Check returns who of the policy cosigned a checkpoint. It is an error when a line
// in the name of one of them does not hold; lines of others are left aside. Whether
// these suffice, Satisfied says; whether the log signed, seal.ParseCheckpoint.
func (p Policy) Check(checkpoint []byte) ([]Cosignature, error) {
	own, lines, err := seal.Cosigned(checkpoint)
	if err != nil {
		return nil, err
	}
	text, _, _ := strings.Cut(string(own), "\n\n")
	var by []Cosignature
	for _, w := range p.Witnesses {
		c, ok, err := check(text+"\n", lines, w.verifier)
		if err != nil {
			return nil, fmt.Errorf("cosignature of %s: %w", w.Name, err)
		}
		if ok {
			c.Witness = w.Name
			by = append(by, c)
		}
	}
	return by, nil
}
