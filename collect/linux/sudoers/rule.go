package sudoers

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// Rule is one grant to one user or group (or one list that cannot be taken
// apart, because it excludes somebody), with all aliases resolved.
type Rule struct {
	Who      string // "tanaka", "%sudo", "#1000", "ALL", "ALL, !guest"
	Runas    string // "root", "ALL : ALL"; "" as oneself
	Commands string
	Nopasswd bool // no password is asked
	All      bool // every command is granted
	Root     bool // it makes its holder root: every command, a shell or su, as root
	Place    string
}

// Rules lists what the policy grants on this host. A grant whose hosts are
// plainly others is left out; one whose hosts cannot be told (a network, a
// netgroup, a pattern) is kept.
func (p *Policy) Rules() []Rule {
	var out []Rule
	for _, st := range p.Placed {
		if st.Spec == nil {
			continue
		}
		place := fmt.Sprintf("%s:%d", st.File, st.Line)
		users := p.expand("User", st.Spec.Users)
		for _, g := range st.Spec.Grants {
			if !p.here(p.expand("Host", g.Hosts)) {
				continue
			}
			for _, who := range apart(users) {
				out = append(out, p.rule(who, g, place))
			}
		}
	}
	return append(out, p.exempt(out)...)
}

// exempt lists whom the settings free from the password without a rule of their
// own to show it: they hold their rights through a group.
func (p *Policy) exempt(rules []Rule) []Rule {
	var out []Rule
	add := func(st Placed, who, what string) {
		if !slices.ContainsFunc(rules, func(r Rule) bool { return r.Who == who }) {
			out = append(out, Rule{Who: who, Commands: what, Nopasswd: true, Place: fmt.Sprintf("%s:%d", st.File, st.Line)})
		}
	}
	for _, st := range p.Placed {
		for _, d := range st.Defaults {
			switch {
			case d.Key == "exempt_group" && d.Scope == 0 && d.Value != "":
				add(st, "%"+d.Value, "(Defaults exempt_group)")
			case d.Key == "authenticate" && d.Off && d.Scope == ':':
				for _, m := range p.expand("User", d.Names) {
					if !m.Not {
						add(st, m.Name, "(Defaults !authenticate)")
					}
				}
			}
		}
	}
	return out
}

// apart gives every user a rule of their own, unless somebody is excluded.
func apart(users []Member) [][]Member {
	if slices.ContainsFunc(users, func(m Member) bool { return m.Not }) {
		return [][]Member{users}
	}
	out := make([][]Member, len(users))
	for i, u := range users {
		out[i] = []Member{u}
	}
	return out
}

func (p *Policy) rule(who []Member, g Grant, place string) Rule {
	cmds := p.expand("Cmnd", g.Commands)
	runas := p.expand("Runas", g.RunasUsers)
	groups := p.expand("Runas", g.RunasGroups)
	r := Rule{Who: text(who), Commands: text(cmds), Place: place, All: grants(cmds, "ALL")}
	switch {
	case !g.RunasGiven:
		r.Runas = p.global("runas_default", "root")
		runas = []Member{{r.Runas, false}}
	case len(runas) > 0 && len(groups) > 0:
		r.Runas = text(runas) + " : " + text(groups)
	case len(groups) > 0:
		r.Runas = ": " + text(groups)
	default:
		r.Runas = text(runas)
	}
	asRoot := grants(runas, "ALL") || grants(runas, "root") || grants(runas, "#0")
	r.Nopasswd = g.Authenticate == "NOPASSWD" || g.Authenticate == "" && p.unasked(who, runas, cmds)
	r.Root = asRoot && (r.All || slices.ContainsFunc(cmds, func(m Member) bool { return !m.Not && shell(m.Name) })) && !p.otherPassword(r)
	return r
}

// shell reports a command that is a way to every other: a shell, or su to root,
// with arguments left open or without any.
func shell(cmd string) bool {
	name, args, _ := strings.Cut(cmd, " ")
	open := args == "" || args == `""` || args == "-" || args == "-l" || args == "-i"
	switch path.Base(name) {
	case "sh", "bash", "dash", "ash", "zsh", "ksh", "csh", "tcsh", "fish":
		return open
	case "su":
		return open || args == "root" || args == "- root" || args == "-l root"
	}
	return false
}

// otherPassword reports that sudo asks for root's own password (targetpw,
// rootpw): the rule then gives no more than su does.
func (p *Policy) otherPassword(r Rule) bool {
	return !r.Nopasswd && (p.on("targetpw") || p.on("rootpw"))
}

// on reports a setting for everybody; the last line decides.
func (p *Policy) on(key string) bool {
	on := false
	for _, st := range p.Placed {
		for _, d := range st.Defaults {
			if d.Scope == 0 && d.Key == key {
				on = !d.Off
			}
		}
	}
	return on
}

func (p *Policy) global(key, fallback string) string {
	for _, st := range p.Placed {
		for _, d := range st.Defaults {
			if d.Scope == 0 && d.Key == key && d.Value != "" {
				fallback = d.Value
			}
		}
	}
	return fallback
}

// unasked reports that the settings take the password away for a rule without a
// tag of its own: !authenticate for everybody, this host, these users, runas or
// commands, or exempt_group. The last setting that fits decides.
func (p *Policy) unasked(who, runas, cmds []Member) bool {
	unasked := false
	for _, st := range p.Placed {
		for _, d := range st.Defaults {
			if d.Key == "exempt_group" && d.Scope == 0 && grants(who, "%"+d.Value) {
				unasked = true
			}
			if d.Key == "authenticate" && p.fits(d, who, runas, cmds) {
				unasked = d.Off
			}
		}
	}
	return unasked
}

func (p *Policy) fits(d Default, who, runas, cmds []Member) bool {
	kind, have := "User", who
	switch d.Scope {
	case 0:
		return true
	case '@':
		return p.here(p.expand("Host", d.Names))
	case '>':
		kind, have = "Runas", runas
	case '!':
		kind, have = "Cmnd", cmds
	}
	names := p.expand(kind, d.Names)
	if grants(names, "ALL") {
		return true
	}
	return slices.ContainsFunc(have, func(m Member) bool { return !m.Not && grants(names, m.Name) })
}

// here reports whether a list of hosts may mean this one. As in sudo the last
// element that fits decides.
func (p *Policy) here(hosts []Member) bool {
	short, _, _ := strings.Cut(p.Hostname, ".")
	fits := false
	for _, h := range hosts {
		same := h.Name == "ALL" || strings.EqualFold(h.Name, p.Hostname) || strings.EqualFold(h.Name, short)
		// Which addresses and netgroups are this host's is not asked: they may be.
		unclear := p.Hostname == "" || strings.HasPrefix(h.Name, "+") || strings.ContainsAny(h.Name, "*?[") || address(h.Name)
		if same || unclear && !h.Not {
			fits = !h.Not
		}
	}
	return fits
}

func address(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	host, _, ok := strings.Cut(s, "/") // with a length or a mask
	_, err := netip.ParseAddr(host)
	return ok && err == nil
}

// expand resolves aliases, those in aliases too. An alias is put in once only
// with each sign, which ends circles and keeps aliases of aliases from
// multiplying.
func (p *Policy) expand(kind string, ms []Member) []Member {
	return p.expandOnce(kind, ms, false, map[Member]bool{})
}

func (p *Policy) expandOnce(kind string, ms []Member, not bool, done map[Member]bool) []Member {
	var out []Member
	for _, m := range ms {
		m.Not = m.Not != not
		a, ok := p.alias(kind, m.Name)
		switch {
		case !ok:
			out = append(out, m)
		case !done[m]:
			done[m] = true
			out = append(out, p.expandOnce(kind, a.Members, m.Not, done)...)
		}
	}
	return out
}

func (p *Policy) alias(kind, name string) (Alias, bool) {
	if !aliasName(name) || name == "ALL" {
		return Alias{}, false
	}
	for _, st := range p.Placed {
		for _, a := range st.Aliases {
			if a.Kind == kind && a.Name == name {
				return a, true
			}
		}
	}
	return Alias{}, false
}

// grants reports that name is in the list. What is excluded beside ALL is known
// not to hold anybody, so ALL counts whatever is excluded.
func grants(ms []Member, name string) bool {
	return slices.ContainsFunc(ms, func(m Member) bool { return !m.Not && m.Name == name })
}

func text(ms []Member) string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		if m.Not {
			parts[i] = "!"
		}
		parts[i] += m.Name
	}
	return strings.Join(parts, ", ")
}
