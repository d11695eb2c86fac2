// Package sshd observes the SSH server of a Linux host: what it would do with a
// connection, as sshd -T would print it, worked out without running it.
//
// The first line of a keyword counts, files are included where they are named,
// what stands under a Match is told apart, and what nothing sets has the default
// of the installed program.
package sshd

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/fact"
)

// Collector brings the facts of group sshd.
func Collector() collect.Collector {
	return collect.Collector{Group: "sshd", Version: "1", Collect: observe}
}

// fields are those that have a meaning only where a server is installed.
var fields = []string{
	"sshd_permit_root_login", "sshd_password_authentication", "sshd_permit_empty_passwords", "sshd_hostbased_authentication",
	"sshd_pubkey_authentication", "sshd_max_auth_tries", "sshd_x11_forwarding", "sshd_ignore_rhosts", "sshd_use_pam", "sshd_banner", "sshd_log_level",
	"sshd_authentication_methods", "sshd_source_restricted", "sshd_idle_timeout", "sshd_login_grace", "sshd_ciphers", "sshd_macs", "sshd_kex", "sshd_match",
}

func observe(_ context.Context, h collect.Host) []fact.Fact {
	l := h.Look()
	c, err := Load(l)
	src := l.Sources()
	const installed = "sshd_installed"
	if c.Binary == "" {
		if err != nil {
			return all(collect.Failed(installed, err), func(f string) fact.Fact { return collect.Failed(f, err, src...) })
		}
		return without(h.Look())
	}
	seen := collect.Saw(installed, true, fact.Source{Kind: "file", Ref: c.Binary})
	if err != nil {
		return all(seen, func(f string) fact.Fact { return collect.Failed(f, err, src...) })
	}
	return append([]fact.Fact{seen}, c.facts(h, src)...)
}

func all(first fact.Fact, of func(field string) fact.Fact) []fact.Fact {
	out := []fact.Fact{first}
	for _, f := range fields {
		out = append(out, of(f))
	}
	return out
}

// without answers for a host without OpenSSH. Dropbear serves SSH too, but its
// settings are not read.
func without(l *collect.Look) []fact.Fact {
	for _, p := range []string{"/usr/sbin/dropbear", "/usr/bin/dropbear"} {
		if there, err := l.Exists(p); err == nil && there {
			src := fact.Source{Kind: "file", Ref: p}
			f := collect.Saw("sshd_installed", true, src)
			return all(f, func(f string) fact.Fact {
				return collect.Unclear(f, "unknown: the settings of dropbear are not read", src)
			})
		}
	}
	none := collect.Saw("sshd_installed", false, fact.Source{Kind: "file", Ref: programs[0]})
	return all(none, func(f string) fact.Fact { return collect.NotHere(f, "not-installed: no SSH server on this host") })
}

func (c *Config) facts(h collect.Host, src []fact.Source) []fact.Fact {
	text := func(field, key, otherwise string, lower bool) fact.Fact {
		v := otherwise
		if l, ok := c.First(key); ok {
			v = l.Value()
		}
		if lower {
			v = strings.ToLower(v)
		}
		return collect.Saw(field, v, src...)
	}
	root := text("sshd_permit_root_login", "permitrootlogin", "prohibit-password", true)
	if root.Value == "without-password" { // the same by its older name
		root.Value = "prohibit-password"
	}
	level := text("sshd_log_level", "loglevel", "INFO", false)
	level.Value = strings.ToUpper(level.Value.(string))
	return []fact.Fact{
		root, c.passwords(src), level,
		c.flag("sshd_permit_empty_passwords", "permitemptypasswords", false, src),
		c.flag("sshd_hostbased_authentication", "hostbasedauthentication", false, src),
		c.flag("sshd_pubkey_authentication", "pubkeyauthentication", true, src),
		c.flag("sshd_x11_forwarding", "x11forwarding", false, src),
		c.ignoreRhosts(src),
		c.flag("sshd_use_pam", "usepam", false, src),
		text("sshd_banner", "banner", "none", false),
		text("sshd_authentication_methods", "authenticationmethods", "any", false),
		c.tries(src), c.sources(h, src), c.idle(src), c.grace(src),
		c.algorithms("sshd_ciphers", "ciphers", c.Lists.Ciphers, src),
		c.algorithms("sshd_macs", "macs", c.Lists.MACs, src),
		c.algorithms("sshd_kex", "kexalgorithms", c.Lists.Kex, src),
		c.matches(src),
	}
}

func malformed(field string, l Line, src []fact.Source) fact.Fact {
	return collect.Unclear(field, fmt.Sprintf("malformed: %s: %s %s", l.Place(), l.Keyword, l.Value()), src...)
}

// yes reads a keyword that is on or off.
func (c *Config) yes(key string, otherwise bool) (on bool, l Line, ok bool) {
	l, there := c.First(key)
	if !there {
		return otherwise, l, true
	}
	switch strings.ToLower(l.Value()) {
	case "yes", "true":
		return true, l, true
	case "no", "false":
		return false, l, true
	}
	return false, l, false
}

func (c *Config) flag(field, key string, otherwise bool, src []fact.Source) fact.Fact {
	on, l, ok := c.yes(key, otherwise)
	if !ok {
		return malformed(field, l, src)
	}
	return collect.Saw(field, on, src...)
}

// passwords is whether a password lets somebody in: by the method of that name,
// or typed into PAM's questions, which PasswordAuthentication no leaves open.
func (c *Config) passwords(src []fact.Source) fact.Fact {
	const field = "sshd_password_authentication"
	password, l1, ok1 := c.yes("passwordauthentication", true)
	keyboard, l2, ok2 := c.yes("kbdinteractiveauthentication", true)
	pam, l3, ok3 := c.yes("usepam", false)
	for _, bad := range []struct {
		l  Line
		ok bool
	}{{l1, ok1}, {l2, ok2}, {l3, ok3}} {
		if !bad.ok {
			return malformed(field, bad.l, src)
		}
	}
	f := collect.Saw(field, password, src...)
	if !password && keyboard && pam && c.alone("keyboard-interactive") {
		f.Value, f.Reason = true, "keyboard-interactive: PAM asks for the password"
	}
	return f
}

// alone reports that a method may be all that is asked.
func (c *Config) alone(method string) bool {
	l, ok := c.First("authenticationmethods")
	if !ok || strings.EqualFold(l.Value(), "any") {
		return true
	}
	return slices.ContainsFunc(l.Args, func(list string) bool {
		return !slices.ContainsFunc(strings.Split(list, ","), func(m string) bool { return !strings.HasPrefix(m, method) })
	})
}

func (c *Config) ignoreRhosts(src []fact.Source) fact.Fact {
	if l, ok := c.First("ignorerhosts"); ok && strings.EqualFold(l.Value(), "shosts-only") {
		f := collect.Saw("sshd_ignore_rhosts", false, src...)
		f.Reason = "shosts-only: .shosts files count"
		return f
	}
	return c.flag("sshd_ignore_rhosts", "ignorerhosts", true, src)
}

func (c *Config) tries(src []fact.Source) fact.Fact {
	const field = "sshd_max_auth_tries"
	l, ok := c.First("maxauthtries")
	if !ok {
		return collect.Saw(field, int64(6), src...)
	}
	n, err := strconv.ParseInt(l.Value(), 10, 32)
	if err != nil {
		return malformed(field, l, src)
	}
	return collect.Saw(field, n, src...)
}

var span = regexp.MustCompile(`^([0-9]+)([smhdwSMHDW]?)`)

// ParseTime reads a time as sshd_config has it: "120", "2m", "1h30m".
func ParseTime(s string) (time.Duration, error) {
	var sum time.Duration
	for rest := s; rest != "" || s == ""; {
		m := span.FindStringSubmatch(rest)
		if m == nil {
			return 0, fmt.Errorf("time %q", s)
		}
		n, err := strconv.ParseInt(m[1], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("time %q", s)
		}
		unit := map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[strings.ToLower(m[2])]
		if sum += time.Duration(n) * unit; sum < 0 || sum > 200*365*24*time.Hour {
			return 0, fmt.Errorf("time %q", s)
		}
		rest = rest[len(m[0]):]
	}
	return sum, nil
}

// grace is how long a login may take; none when it may take for ever.
func (c *Config) grace(src []fact.Source) fact.Fact {
	const field = "sshd_login_grace"
	d := 2 * time.Minute
	if l, ok := c.First("logingracetime"); ok {
		var err error
		if d, err = ParseTime(l.Value()); err != nil {
			return malformed(field, l, src)
		}
	}
	if d == 0 {
		return collect.None(field, "none: LoginGraceTime 0 sets no limit", src...)
	}
	return collect.Saw(field, d, src...)
}

// idle is after how long a session that does nothing ends: by ChannelTimeout,
// else by the questions to a client that answers no more. None when neither is
// set, so that no limit is never taken for a short one.
func (c *Config) idle(src []fact.Source) fact.Fact {
	const field = "sshd_idle_timeout"
	if l, ok := c.First("channeltimeout"); ok {
		for _, a := range l.Args {
			kind, value, _ := strings.Cut(a, "=")
			if on, err := path.Match(kind, "session:shell"); err != nil || !on && kind != "session" && kind != "global" {
				continue
			}
			d, err := ParseTime(value)
			if err != nil {
				return malformed(field, l, src)
			}
			if d > 0 {
				return collect.Saw(field, d, src...)
			}
		}
	}
	interval, count := time.Duration(0), int64(3)
	if l, ok := c.First("clientaliveinterval"); ok {
		var err error
		if interval, err = ParseTime(l.Value()); err != nil {
			return malformed(field, l, src)
		}
	}
	if l, ok := c.First("clientalivecountmax"); ok {
		var err error
		if count, err = strconv.ParseInt(l.Value(), 10, 32); err != nil {
			return malformed(field, l, src)
		}
	}
	switch {
	case interval > 0 && count > 0:
		return collect.Saw(field, interval*time.Duration(count), src...)
	case interval > 0 && c.Version != (Version{}) && c.Version.Less(8, 2):
		return collect.Saw(field, interval, src...) // until then 0 cut at the first question
	}
	return collect.None(field, "none: neither ChannelTimeout nor ClientAliveInterval ends a session", src...)
}

func (c *Config) algorithms(field, key string, builtin []string, src []fact.Source) fact.Fact {
	l, set := c.First(key)
	v := l.Value()
	if builtin == nil && (!set || strings.IndexByte("+-^", v[0]) >= 0) {
		return collect.Unclear(field, "unknown: the version of the server cannot be told, nor its defaults", src...)
	}
	var out []any
	for _, n := range Assemble(v, builtin) {
		out = append(out, n)
	}
	if len(out) == 0 {
		return malformed(field, l, src)
	}
	return collect.Saw(field, out, src...)
}

func (c *Config) matches(src []fact.Source) fact.Fact {
	rows := make([]any, len(c.Matches))
	for i, m := range c.Matches {
		rows[i] = map[string]any{"condition": m.Condition, "keyword": m.Keyword, "value": m.Value(), "place": m.Place()}
	}
	return collect.Saw("sshd_match", rows, src...)
}
