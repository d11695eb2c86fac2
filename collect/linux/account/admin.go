package account

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/collect/linux/sudoers"
	"kakusho/fact"
)

// rights is who is made an administrator, by name or by group. err says why it
// is not wholly known.
type rights struct {
	users, groups []string
	everybody     bool
	err           error
	sources       []fact.Source
}

// readSudo reads sudo's rules. installed is false when there is no policy.
func readSudo(l *collect.Look, hostname string) (rules []sudoers.Rule, installed bool, err error) {
	there, err := l.Exists("/etc/sudoers")
	if err != nil || !there {
		return nil, there, err
	}
	p, err := sudoers.Load(l, hostname)
	if err != nil {
		return nil, true, err
	}
	if len(p.Faults) > 0 {
		return nil, true, p.Faults[0]
	}
	return p.Rules(), true, nil
}

// grant adds what a sudo rule gives.
func (r *rights) grant(rule sudoers.Rule) {
	if !rule.Root {
		return
	}
	for _, who := range strings.Split(rule.Who, ", ") {
		switch g, isGroup := strings.CutPrefix(who, "%"); {
		case strings.HasPrefix(who, "!"), strings.HasPrefix(who, "+"):
			// Whom a rule leaves out is not subtracted: ways around are many.
		case who == "ALL":
			r.everybody = true
		case isGroup:
			r.groups = append(r.groups, strings.TrimPrefix(g, ":"))
		default:
			r.users = append(r.users, who)
		}
	}
}

// readPolkit adds the administrators of polkit, who may act as root through
// pkexec and desktop settings. The rules are a program; every identity named in
// an administrators' rule is taken, whichever comes first.
func (r *rights) readPolkit(l *collect.Look) error {
	for _, dir := range []string{"/etc", "/run", "/usr/local/share", "/usr/share"} {
		files, err := l.Glob(dir + "/polkit-1/rules.d/*.rules")
		if err != nil {
			return err
		}
		for _, p := range files {
			b, err := l.ReadFile(p)
			if err != nil {
				return err
			}
			r.identities(ParsePolkitRules(b))
		}
	}
	for _, pattern := range []string{"/etc/polkit-1/localauthority.conf.d/*.conf", "/var/lib/polkit-1/localauthority.conf.d/*.conf"} {
		files, err := l.Glob(pattern)
		if err != nil {
			return err
		}
		for _, p := range files {
			b, err := l.ReadFile(p)
			if err != nil {
				return err
			}
			for _, e := range etc.INI(b) {
				if e.Key == "AdminIdentities" {
					r.identities(strings.Split(e.Value, ";"))
				}
			}
		}
	}
	return nil
}

func (r *rights) identities(ids []string) {
	for _, id := range ids {
		id = strings.TrimSpace(id)
		if u, ok := strings.CutPrefix(id, "unix-user:"); ok {
			if _, err := strconv.Atoi(u); err == nil {
				u = "#" + u
			}
			r.users = append(r.users, u)
		}
		if g, ok := strings.CutPrefix(id, "unix-group:"); ok {
			r.groups = append(r.groups, g)
		}
	}
}

var (
	jsComment  = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	jsIdentity = regexp.MustCompile(`["'](unix-(?:user|group):[^"'\n]+)["']`)
)

// ParsePolkitRules lists the identities named by administrators' rules.
func ParsePolkitRules(b []byte) []string {
	var out []string
	parts := strings.Split(jsComment.ReplaceAllString(string(b), " "), "addAdminRule")
	for _, p := range parts[1:] {
		p, _, _ = strings.Cut(p, "polkit.addRule")
		for _, m := range jsIdentity.FindAllStringSubmatch(p, -1) {
			out = append(out, m[1])
		}
	}
	return out
}

// admins resolves rights to account names: local accounts, and names the rules
// give rights to though they live elsewhere. unseen is a group whose members
// this host does not hold.
func (b *base) admins(r rights) (all []string, unseen string) {
	is := map[string]bool{}
	for _, u := range b.users {
		is[u.Name] = u.UID == 0 || r.everybody && !b.system(u) && interactive(u.Shell)
	}
	for _, name := range r.users {
		if id, ok := strings.CutPrefix(name, "#"); ok {
			for _, u := range b.users {
				is[u.Name] = is[u.Name] || strconv.FormatUint(uint64(u.UID), 10) == id
			}
			continue
		}
		is[name] = true
	}
	for _, name := range r.groups {
		members, local := b.members(name)
		for _, m := range members {
			is[m] = true
		}
		if !local && b.directoryGroups {
			unseen = name
		}
	}
	for name, yes := range is {
		if yes {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all, unseen
}

// members are a group's: listed, by their primary group, or able to list
// themselves as its administrators. The group may be given as "#gid".
func (b *base) members(name string) (out []string, local bool) {
	for _, g := range b.groups {
		if g.Name != name && "#"+strconv.FormatUint(uint64(g.GID), 10) != name {
			continue
		}
		local = true
		out = append(out, g.Members...)
		for _, u := range b.users {
			if u.GID == g.GID {
				out = append(out, u.Name)
			}
		}
		for _, s := range b.gshadow {
			if s.Name == g.Name {
				out = append(out, s.Admins...)
			}
		}
	}
	return out, local
}

// interactive goes by the shell alone. /etc/shells is not asked: a shell outside
// it still opens a session, and some systems list nologin in it.
func interactive(shell string) bool {
	switch path.Base(shell) {
	case "nologin", "false", "true", "sync", "shutdown", "halt", "reboot", "git-shell", "nologin.sh":
		return false
	}
	return true
}
