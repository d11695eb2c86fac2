package sudoers

import (
	"errors"
	"fmt"
	"strings"
)

// scan walks over one statement.
type scan struct {
	s string
	i int
}

func (c *scan) space() {
	for c.i < len(c.s) && (c.s[c.i] == ' ' || c.s[c.i] == '\t') {
		c.i++
	}
}

func (c *scan) peek() byte {
	c.space()
	if c.i < len(c.s) {
		return c.s[c.i]
	}
	return 0
}

func (c *scan) take(b byte) bool {
	if c.peek() != b || c.i >= len(c.s) {
		return false
	}
	c.i++
	return true
}

// word reads up to a blank or one of the stops. Quotes and backslashes are undone.
func (c *scan) word(stops string) (string, error) {
	c.space()
	var b strings.Builder
	quoted := false
	for ; c.i < len(c.s); c.i++ {
		ch := c.s[c.i]
		switch {
		case ch == '\\' && c.i+1 < len(c.s):
			c.i++
			b.WriteByte(c.s[c.i])
		case ch == '"':
			quoted = !quoted
		case !quoted && (strings.IndexByte(stops, ch) >= 0 || ch == ' ' || ch == '\t'):
			return b.String(), nil
		default:
			b.WriteByte(ch)
		}
	}
	if quoted {
		return "", errors.New("quote not closed")
	}
	return b.String(), nil
}

// plain reads up to a blank, comma or colon; quotes mean nothing in commands.
func (c *scan) plain() string {
	var b strings.Builder
	for ; c.i < len(c.s) && strings.IndexByte(" \t,:", c.s[c.i]) < 0; c.i++ {
		if c.s[c.i] == '\\' && c.i+1 < len(c.s) {
			c.i++
		}
		b.WriteByte(c.s[c.i])
	}
	return b.String()
}

// list reads "a, !b, c" with the given reader of one element.
func (c *scan) list(element func() (string, error)) ([]Member, error) {
	var out []Member
	for {
		not := false
		for c.take('!') {
			not = !not
		}
		w, err := element()
		if err != nil {
			return nil, err
		}
		if w == "" {
			return nil, fmt.Errorf("an element is missing at %q", rest(c.s, c.i))
		}
		out = append(out, Member{w, not})
		if !c.take(',') {
			return out, nil
		}
	}
}

func rest(s string, i int) string {
	if s = s[min(i, len(s)):]; len(s) > 20 {
		return s[:20]
	}
	return s
}

func (c *scan) users() ([]Member, error) {
	return c.list(func() (string, error) {
		sign := ""
		// "%:group" and "%:#gid" hold a colon that ends nothing.
		for c.peek() == '%' || sign != "" && c.i < len(c.s) && c.s[c.i] == ':' {
			sign += string(c.s[c.i])
			c.i++
		}
		w, err := c.word(",=:()!>")
		return sign + w, err
	})
}

func (c *scan) hosts() ([]Member, error) {
	return c.list(func() (string, error) { return c.word(",=") })
}

// command reads a command with its arguments. A colon or comma ends it unless
// escaped, except in a regular expression, which ends at its "$".
func (c *scan) command() (string, error) {
	digest, err := c.digest()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		c.space()
		if c.i < len(c.s) && c.s[c.i] == '^' {
			b.WriteString(c.regex())
		} else {
			b.WriteString(c.plain())
		}
		if n := c.peek(); n == 0 || n == ',' || n == ':' || b.Len() == 0 {
			if !command(b.String()) {
				return "", fmt.Errorf("%q is no command", b.String())
			}
			return digest + b.String(), nil
		}
		b.WriteByte(' ')
	}
}

// command reports what can be one: a whole path, a pattern, or a word of sudo's.
func command(s string) bool {
	name, _, _ := strings.Cut(s, " ")
	return s == "" || s[0] == '/' || s[0] == '^' || aliasName(s) || name == "sudoedit" || name == "list"
}

func (c *scan) regex() string {
	start := c.i
	for c.i++; c.i < len(c.s); c.i++ {
		end := c.i+1 == len(c.s) || strings.IndexByte(" \t,:=", c.s[c.i+1]) >= 0
		if c.s[c.i] == '$' && end && c.s[c.i-1] != '\\' {
			c.i++
			break
		}
	}
	return c.s[start:c.i]
}

// digest reads "sha256:… , sha512:… " in front of a command.
func (c *scan) digest() (string, error) {
	out := ""
	for {
		c.space()
		name, _, ok := strings.Cut(c.s[c.i:], ":")
		if name = strings.TrimSpace(name); !ok || name != "sha224" && name != "sha256" && name != "sha384" && name != "sha512" {
			return out, nil
		}
		c.i += strings.IndexByte(c.s[c.i:], ':') + 1
		sum, err := c.word(",")
		if err != nil || sum == "" {
			return "", fmt.Errorf("a digest is missing after %s:", name)
		}
		out += name + ":" + sum + " "
		c.take(',')
	}
}

func aliases(kind, text string) ([]Alias, error) {
	c := &scan{s: text}
	var out []Alias
	for {
		name, err := c.word("=")
		if err != nil {
			return nil, err
		}
		if !aliasName(name) {
			return nil, fmt.Errorf("%q is no name of an alias", name)
		}
		if !c.take('=') {
			return nil, fmt.Errorf("= is missing after %s", name)
		}
		var ms []Member
		switch kind {
		case "Cmnd":
			ms, err = c.list(c.command)
		case "Host":
			// A colon may be part of an address: only one with blanks around ends the list.
			ms, err = c.list(func() (string, error) { return c.word(",=") })
		default:
			ms, err = c.users()
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Alias{kind, name, ms})
		if !c.take(':') {
			return out, c.end()
		}
	}
}

func (c *scan) end() error {
	if c.peek() != 0 {
		return fmt.Errorf("not understood from %q", rest(c.s, c.i))
	}
	return nil
}

func aliasName(s string) bool {
	return s != "" && s[0] >= 'A' && s[0] <= 'Z' && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

func defaults(text string) ([]Default, error) {
	c := &scan{s: text}
	var scope byte
	var names []Member
	if text != "" && strings.IndexByte(":@>!", text[0]) >= 0 {
		scope = text[0]
		c.i++
		var err error
		switch scope {
		case '@':
			names, err = c.hosts()
		case '!':
			names, err = c.list(func() (string, error) { return c.word(",") })
		default:
			names, err = c.users()
		}
		if err != nil {
			return nil, err
		}
	}
	var out []Default
	for c.peek() != 0 {
		d := Default{Scope: scope, Names: names}
		for c.take('!') {
			d.Off = !d.Off
		}
		var err error
		if d.Key, err = c.word(",=+-"); err != nil || d.Key == "" {
			return nil, fmt.Errorf("a setting is missing at %q", rest(c.s, c.i))
		}
		if !c.take('+') {
			c.take('-')
		}
		if c.take('=') {
			if d.Value, err = c.word(","); err != nil {
				return nil, err
			}
		}
		out = append(out, d)
		if !c.take(',') {
			return out, c.end()
		}
	}
	return out, nil
}

func userSpec(text string) (*Spec, error) {
	c := &scan{s: text}
	users, err := c.users()
	if err != nil {
		return nil, err
	}
	spec := &Spec{Users: users}
	for {
		hosts, err := c.hosts()
		if err != nil {
			return nil, err
		}
		if !c.take('=') {
			return nil, fmt.Errorf("= is missing at %q", rest(c.s, c.i))
		}
		grants, err := c.grants(hosts)
		if err != nil {
			return nil, err
		}
		spec.Grants = append(spec.Grants, grants...)
		if !c.take(':') {
			return spec, c.end()
		}
	}
}

// grants reads a list of commands. Runas and tags hold until changed.
func (c *scan) grants(hosts []Member) ([]Grant, error) {
	var out []Grant
	g := Grant{Hosts: hosts}
	for {
		changed, err := c.terms(&g)
		if err != nil {
			return nil, err
		}
		not := false
		for c.take('!') {
			not = !not
		}
		cmd, err := c.command()
		if err != nil {
			return nil, err
		}
		if cmd == "" {
			return nil, fmt.Errorf("a command is missing at %q", rest(c.s, c.i))
		}
		if changed || len(out) == 0 {
			out = append(out, g)
		}
		last := &out[len(out)-1]
		last.Commands = append(last.Commands, Member{cmd, not})
		if !c.take(',') {
			return out, nil
		}
	}
}

var (
	options = []string{"ROLE", "TYPE", "PRIVS", "LIMITPRIVS", "NOTBEFORE", "NOTAFTER", "TIMEOUT", "CWD", "CHROOT", "APPARMOR_PROFILE"}
	tags    = []string{
		"NOPASSWD", "PASSWD", "NOEXEC", "EXEC", "NOSETENV", "SETENV", "NOLOG_INPUT", "LOG_INPUT", "NOLOG_OUTPUT", "LOG_OUTPUT",
		"NOMAIL", "MAIL", "NOFOLLOW", "FOLLOW", "NOINTERCEPT", "INTERCEPT",
	}
)

// terms reads what may stand before a command: (runas), options, tags.
func (c *scan) terms(g *Grant) (changed bool, err error) {
	for {
		switch {
		case c.peek() == '(':
			if err := c.runas(g); err != nil {
				return false, err
			}
			changed = true
		case c.keyword(options, '=') != "":
			if _, err := c.word(","); err != nil {
				return false, err
			}
		default:
			tag := c.keyword(tags, ':')
			if tag == "" {
				return changed, nil
			}
			if strings.HasSuffix(tag, "PASSWD") {
				changed = changed || g.Authenticate != tag
				g.Authenticate = tag
			}
		}
	}
}

// keyword takes one of the words if sign follows it.
func (c *scan) keyword(words []string, sign byte) string {
	c.space()
	for _, w := range words {
		after, ok := strings.CutPrefix(c.s[c.i:], w)
		if !ok {
			continue
		}
		trimmed := strings.TrimLeft(after, " \t")
		if trimmed != "" && trimmed[0] == sign {
			c.i = len(c.s) - len(trimmed) + 1
			return w
		}
	}
	return ""
}

func (c *scan) runas(g *Grant) (err error) {
	c.take('(')
	g.RunasGiven, g.RunasUsers, g.RunasGroups = true, nil, nil
	if n := c.peek(); n != ':' && n != ')' {
		if g.RunasUsers, err = c.users(); err != nil {
			return err
		}
	}
	if c.take(':') && c.peek() != ')' {
		if g.RunasGroups, err = c.users(); err != nil {
			return err
		}
	}
	if !c.take(')') {
		return fmt.Errorf(") is missing at %q", rest(c.s, c.i))
	}
	return nil
}
