package sshd

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
)

// Line is one setting of sshd_config. Keywords are in lower case, as sshd -T
// prints them, and by today's name.
type Line struct {
	Keyword string
	Args    []string
	File    string
	Line    int
}

// Place is where the line stands.
func (l Line) Place() string { return fmt.Sprintf("%s:%d", l.File, l.Line) }

// Value is the arguments as one text.
func (l Line) Value() string { return strings.Join(l.Args, " ") }

// Conditional is a setting under a Match.
type Conditional struct {
	Condition string
	Line
}

// Config is a whole configuration, includes put in their place.
type Config struct {
	Lines   []Line        // what holds for every connection
	Matches []Conditional // what holds under a condition
	Binary  string        // the program, "" when none is installed
	Version Version       // of the program, zero when it cannot be told
	Lists   Lists         // the program's own algorithms
	Wrapped bool          // the program asks /etc/hosts.allow and hosts.deny
}

var aliases = map[string]string{
	"challengeresponseauthentication": "kbdinteractiveauthentication", "skeyauthentication": "kbdinteractiveauthentication",
	"dsaauthentication": "pubkeyauthentication",
}

// ParseConfig reads one file. A keyword without argument is a fault: sshd does
// not start with one.
func ParseConfig(file string, b []byte) ([]Line, []etc.Fault) {
	var out []Line
	var faults []etc.Fault
	for i, text := range etc.Lines(b) {
		text = strings.Trim(text, " \t\f")
		if text == "" || text[0] == '#' {
			continue
		}
		end := strings.IndexAny(text, " \t=\"")
		if end <= 0 {
			faults = append(faults, etc.Fault{File: file, Line: i + 1, What: "an argument is missing"})
			continue
		}
		rest := strings.TrimLeft(text[end:], " \t")
		rest = strings.TrimPrefix(rest, "=")
		args, err := arguments(rest)
		if err != nil || len(args) == 0 {
			if err == nil {
				err = fmt.Errorf("an argument is missing")
			}
			faults = append(faults, etc.Fault{File: file, Line: i + 1, What: err.Error()})
			continue
		}
		key := strings.ToLower(text[:end])
		if now := aliases[key]; now != "" {
			key = now
		}
		out = append(out, Line{key, args, file, i + 1})
	}
	return out, faults
}

// arguments splits at blanks outside quotes; a "#" at the start of a word begins
// a comment.
func arguments(s string) ([]string, error) {
	var out []string
	for s = strings.TrimLeft(s, " \t"); s != "" && s[0] != '#'; s = strings.TrimLeft(s, " \t") {
		var b strings.Builder
		var quote byte
		i := 0
		for ; i < len(s) && (quote != 0 || s[i] != ' ' && s[i] != '\t'); i++ {
			switch c := s[i]; {
			case c == '\\' && i+1 < len(s) && strings.IndexByte(`'"\ `, s[i+1]) >= 0:
				i++
				b.WriteByte(s[i])
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			default:
				b.WriteByte(c)
			}
		}
		if quote != 0 {
			return nil, fmt.Errorf("quote not closed")
		}
		out, s = append(out, b.String()), s[i:]
	}
	return out, nil
}

// Load finds the installed server and reads its configuration as it would. A
// Config without Binary means that there is none.
func Load(l *collect.Look) (*Config, error) {
	c := &Config{}
	if err := c.program(l); err != nil || c.Binary == "" {
		return c, err
	}
	file := "/etc/ssh/sshd_config"
	there, err := l.Exists(file)
	if err != nil {
		return c, err
	}
	if vendor := "/usr/etc/ssh/sshd_config"; !there { // SUSE keeps the maker's there
		if ok, err := l.Exists(vendor); err == nil && ok {
			file = vendor
		}
	}
	if file, err = c.commandLine(l, file); err != nil {
		return c, err
	}
	return c, c.read(l, file, "", 0)
}

// read adds a file's lines. within is the condition under which it is included.
func (c *Config) read(l *collect.Look, file, within string, depth int) error {
	if depth > 16 { // as sshd
		return etc.Fault{File: file, Line: 1, What: "includes nested too deeply"}
	}
	b, err := l.ReadFile(file)
	if err != nil {
		return err
	}
	lines, faults := ParseConfig(file, b)
	if len(faults) > 0 {
		return faults[0]
	}
	condition := within
	for _, ln := range lines {
		switch {
		case ln.Keyword == "match":
			condition = ln.Value()
			if strings.EqualFold(condition, "all") {
				condition = within // holds for whom the including block holds
			}
		case ln.Keyword == "include":
			if err := c.include(l, ln, condition, depth); err != nil {
				return err
			}
		case condition == "":
			c.Lines = append(c.Lines, ln)
		default:
			c.Matches = append(c.Matches, Conditional{condition, ln})
		}
	}
	return nil
}

func (c *Config) include(l *collect.Look, ln Line, condition string, depth int) error {
	for _, pattern := range ln.Args {
		if !path.IsAbs(pattern) {
			pattern = path.Join("/etc/ssh", pattern)
		}
		files, err := l.Glob(pattern)
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := c.read(l, f, condition, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// commandLine reads what the service's start-up files pass to sshd, which comes
// before every file: Debian's SSHD_OPTS, Red Hat's OPTIONS and CRYPTO_POLICY. It
// returns the file that -f names, or the usual one.
func (c *Config) commandLine(l *collect.Look, file string) (string, error) {
	var words []string
	policy := ""
	for _, src := range []string{"/etc/crypto-policies/back-ends/opensshserver.config", "/etc/default/ssh", "/etc/sysconfig/sshd"} {
		b, _, err := etc.Optional(l, src)
		if err != nil {
			return file, err
		}
		set, _ := etc.Assignments(src, b) // another format there is sshd_config's own
		if p, ok := set["CRYPTO_POLICY"]; ok {
			policy = p
		}
		words = append(words, strings.Fields(set["SSHD_OPTS"])...)
		words = append(words, strings.Fields(set["OPTIONS"])...)
	}
	words = append(words, strings.Fields(policy)...)
	for i := 0; i < len(words); i++ {
		flag, value := words[i], ""
		if len(flag) < 2 || flag[0] != '-' {
			continue
		}
		if value = flag[2:]; value == "" && i+1 < len(words) && strings.IndexByte("ofp", flag[1]) >= 0 {
			i++
			value = words[i]
		}
		switch flag[1] {
		case 'o':
			lines, _ := ParseConfig("(command line)", []byte(strings.Replace(value, "=", " ", 1)))
			c.Lines = append(c.Lines, lines...)
		case 'f':
			file = value
		}
	}
	return file, nil
}

// First is the line that sets a keyword: the first one.
func (c *Config) First(keyword string) (Line, bool) {
	i := slices.IndexFunc(c.Lines, func(l Line) bool { return l.Keyword == keyword })
	if i < 0 {
		return Line{}, false
	}
	return c.Lines[i], true
}

// All are the arguments of every line of a keyword that adds up.
func (c *Config) All(keyword string) []string {
	var out []string
	for _, l := range c.Lines {
		if l.Keyword == keyword {
			out = append(out, l.Args...)
		}
	}
	return out
}
