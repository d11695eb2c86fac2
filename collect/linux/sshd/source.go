package sshd

import (
	"net/netip"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/fact"
)

// sources is whether only some addresses can log in, by what the server itself
// enforces: AllowUsers with hosts, a Match that shuts the rest out, listening on
// the host itself only, or hosts.deny where the program asks it. A firewall is
// another group's fact.
func (c *Config) sources(h collect.Host, src []fact.Source) fact.Fact {
	const field = "sshd_source_restricted"
	by := ""
	switch {
	case c.usersByHost():
		by = "AllowUsers"
	case c.loopbackOnly():
		by = "ListenAddress"
	case c.shutOut():
		by = "Match"
	case c.Wrapped:
		l := h.Look()
		denied, err := wrapperDenies(l)
		src = append(slices.Clone(src), l.Sources()...)
		if err != nil {
			return collect.Failed(field, err, src...)
		}
		if denied {
			by = "hosts.deny"
		}
	}
	f := collect.Saw(field, by != "", src...)
	if by != "" {
		f.Reason = "by: " + by
	}
	return f
}

// usersByHost: every allowed user is tied to a host that is not any host.
func (c *Config) usersByHost() bool {
	users := c.All("allowusers")
	return len(users) > 0 && !slices.ContainsFunc(users, func(u string) bool {
		_, host, at := strings.Cut(u, "@")
		return !strings.HasPrefix(u, "!") && (!at || strings.Trim(host, "*?.") == "")
	})
}

func (c *Config) loopbackOnly() bool {
	addresses := c.All("listenaddress")
	return len(addresses) > 0 && !slices.ContainsFunc(addresses, func(a string) bool { return !loopback(a) })
}

func loopback(s string) bool {
	if s == "localhost" {
		return true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().IsLoopback()
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return err == nil && a.IsLoopback()
}

// shutOut: all but some addresses are refused under a Match, or every method is
// off and switched on for some addresses only.
func (c *Config) shutOut() bool {
	opened := false
	for _, m := range c.Matches {
		cond := strings.ToLower(m.Condition)
		byAddress := strings.HasPrefix(cond, "address ") || strings.HasPrefix(cond, "address=")
		others := byAddress && strings.Contains(cond, "!") && len(strings.Fields(cond)) == 2
		refuse := m.Keyword == "denyusers" && slices.Contains(m.Args, "*") ||
			m.Keyword == "forcecommand" && (strings.HasSuffix(m.Value(), "/false") || strings.HasSuffix(m.Value(), "/nologin"))
		if others && refuse {
			return true
		}
		on := strings.EqualFold(m.Value(), "yes") && (m.Keyword == "pubkeyauthentication" || m.Keyword == "passwordauthentication" || m.Keyword == "kbdinteractiveauthentication")
		if on && !byAddress {
			return false // opened for some by another condition
		}
		opened = opened || on
	}
	for _, k := range []string{"pubkeyauthentication", "passwordauthentication", "kbdinteractiveauthentication"} {
		if on, _, ok := c.yes(k, true); on || !ok {
			return false
		}
	}
	return opened
}

// wrapperDenies reports that hosts.deny refuses whom hosts.allow does not name.
func wrapperDenies(l *collect.Look) (bool, error) {
	var rules [2][]Wrap
	for i, p := range []string{"/etc/hosts.allow", "/etc/hosts.deny"} {
		b, _, err := etc.Optional(l, p)
		if err != nil {
			return false, err
		}
		rules[i] = ParseWrap(b, i == 1)
	}
	// The first rule that names everybody decides over who is not named before.
	for _, r := range slices.Concat(rules[0], rules[1]) {
		if r.Everybody {
			return r.Deny, nil
		}
	}
	return false, nil
}

// Wrap is a rule of hosts.allow or hosts.deny that concerns sshd.
type Wrap struct {
	Everybody bool // it names all clients
	Deny      bool
}

// ParseWrap reads hosts.allow, or hosts.deny. A rule's last option may turn it
// around.
func ParseWrap(b []byte, deny bool) []Wrap {
	var out []Wrap
	text := strings.ReplaceAll(string(b), "\\\n", " ")
	for _, line := range etc.Lines([]byte(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		parts := splitWrap(line)
		if len(parts) < 2 || !names(parts[0], "sshd") {
			continue
		}
		w := Wrap{Everybody: names(parts[1], ""), Deny: deny}
		for _, option := range parts[2:] {
			switch strings.ToLower(strings.TrimSpace(option)) {
			case "deny":
				w.Deny = true
			case "allow":
				w.Deny = false
			}
		}
		out = append(out, w)
	}
	return out
}

// splitWrap splits at colons outside the brackets of an address.
func splitWrap(s string) []string {
	var out []string
	depth, start := 0, 0
	for i := range len(s) {
		switch {
		case s[i] == '[':
			depth++
		case s[i] == ']':
			depth--
		case s[i] == ':' && depth <= 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// names reports that a list holds ALL or the name.
func names(list, name string) bool {
	before, _, _ := strings.Cut(list, "EXCEPT")
	return slices.ContainsFunc(strings.FieldsFunc(before, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }), func(w string) bool {
		return w == "ALL" || w == name && name != ""
	})
}
