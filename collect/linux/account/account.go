// Package account observes the accounts of a Linux host: who is there, how their
// passwords stand (never the hashes), who may act as root and by what rule.
//
// It reads the host's own files. Accounts of a directory (LDAP, SSSD, NIS) are
// not in them; where such a directory may add to an answer, the answer says so.
package account

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/collect/linux/machine"
	"kakusho/fact"
)

// Collector brings the facts of group account.
func Collector() collect.Collector {
	return collect.Collector{Group: "account", Version: "1", Collect: observe}
}

// base is what the account files say.
type base struct {
	users    []User
	shadow   map[string]Shadow
	groups   []Group
	gshadow  []Group
	uidMin   uint32
	sources  []fact.Source
	usersErr error // of passwd or group: nothing can be said
	// shadowErr leaves the password members out.
	shadowErr error
	// nis: entries come in through "+" lines; directoryGroups: groups may have
	// members in a directory; directorySudo: so may sudo have rules.
	nis, directoryGroups, directorySudo bool
}

func observe(_ context.Context, h collect.Host) []fact.Fact {
	l := h.Look()
	b := readBase(l)
	if b.usersErr != nil {
		var out []fact.Fact
		for _, f := range []string{"accounts", "uid0_accounts", "duplicate_uids", "admins", "unsafe_homes"} {
			out = append(out, collect.Failed(f, b.usersErr, b.sources...))
		}
		return append(out, sudoFact(h.Look(), b), rootPassword(b), filesMode(h.Look(), b))
	}
	who, sudo := authority(h, b)
	admins, unseen := b.admins(who)
	return []fact.Fact{
		accounts(h, b, who, admins),
		collect.Saw("uid0_accounts", list(b.uid0()), b.sources...),
		collect.Saw("duplicate_uids", list(b.duplicates()), b.sources...),
		adminFact(b, who, admins, unseen),
		sudo, rootPassword(b), filesMode(h.Look(), b), unsafeHomes(h.Look(), b),
	}
}

func readBase(l *collect.Look) *base {
	b := &base{uidMin: 1000}
	var faults []etc.Fault
	var plusUsers, plusGroups bool
	if raw, err := l.ReadFile("/etc/passwd"); err != nil {
		b.usersErr = err
	} else {
		b.users, faults, plusUsers = ParsePasswd("/etc/passwd", raw)
	}
	if raw, err := l.ReadFile("/etc/group"); err != nil {
		b.usersErr = err
	} else {
		var more []etc.Fault
		b.groups, more, plusGroups = ParseGroup("/etc/group", raw)
		faults = append(faults, more...)
	}
	if b.usersErr == nil && len(faults) > 0 {
		b.usersErr = several(faults)
	}
	b.readShadow(l)
	b.readSwitch(l, plusUsers || plusGroups)
	if raw, err := l.ReadFile("/etc/login.defs"); err == nil {
		var n uint32
		if _, err := fmt.Sscan(etc.Words(raw)["UID_MIN"], &n); err == nil && n > 0 {
			b.uidMin = n
		}
	}
	b.sources = l.Sources()
	return b
}

// several names the first fault and counts the rest.
func several(faults []etc.Fault) error {
	first := faults[0]
	if n := len(faults) - 1; n > 0 {
		first.What += fmt.Sprintf(" (and %d more lines)", n)
	}
	return first
}

func (b *base) readShadow(l *collect.Look) {
	raw, err := l.ReadSecret("/etc/shadow")
	if err != nil {
		b.shadowErr = err
		return
	}
	var faults []etc.Fault
	b.shadow, faults = ParseShadow("/etc/shadow", raw)
	if len(faults) > 0 {
		b.shadowErr = several(faults)
	}
	// Group passwords and administrators matter only beside /etc/group; a host
	// without the file has none.
	if raw, err := l.ReadSecret("/etc/gshadow"); err == nil {
		b.gshadow, _ = ParseGshadow("/etc/gshadow", raw)
	}
}

// readSwitch asks /etc/nsswitch.conf where else accounts come from.
func (b *base) readSwitch(l *collect.Look, plus bool) {
	raw, err := l.ReadFile("/etc/nsswitch.conf")
	if err != nil {
		b.nis = plus
		return
	}
	from := ParseSwitch(raw)
	directory := func(db string) bool {
		return slices.ContainsFunc(from[db], func(s string) bool {
			return slices.Contains([]string{"sss", "ldap", "winbind", "nis", "nisplus", "hesiod", "db"}, s)
		})
	}
	b.nis = plus && (slices.Contains(from["passwd"], "compat") || slices.Contains(from["group"], "compat"))
	b.directoryGroups = directory("group") || b.nis
	b.directorySudo = directory("sudoers")
}

// ParseSwitch reads the sources of each database from nsswitch.conf.
func ParseSwitch(b []byte) map[string][]string {
	out := map[string][]string{}
	for _, line := range etc.Lines(b) {
		line, _, _ = strings.Cut(line, "#")
		if db, sources, ok := strings.Cut(line, ":"); ok {
			out[strings.TrimSpace(db)] = strings.Fields(sources)
		}
	}
	return out
}

// system reports an account that no person uses: below the first ordinary user
// ID, or nobody.
func (b *base) system(u User) bool { return u.UID < b.uidMin || u.UID == 65534 }

func (b *base) uid0() (out []string) {
	for _, u := range b.users {
		if u.UID == 0 {
			out = append(out, u.Name)
		}
	}
	return out
}

func (b *base) duplicates() (out []string) {
	count := map[uint32]int{}
	for _, u := range b.users {
		count[u.UID]++
	}
	for _, u := range b.users {
		if count[u.UID] > 1 {
			out = append(out, u.Name)
		}
	}
	return out
}

func list(ss []string) []any {
	out := make([]any, len(ss))
	for i, s := range ss {
		out[i] = s
	}
	return out
}

func accounts(h collect.Host, b *base, who rights, admins []string) fact.Fact {
	const field = "accounts"
	if _, malformed := b.shadowErr.(etc.Fault); malformed {
		return collect.Failed(field, b.shadowErr, b.sources...)
	}
	l := h.Look()
	arch, err := machine.Architecture(l)
	if err != nil {
		arch = "x86_64"
	}
	l = h.Look()
	g, done := readLogins(l, arch)
	defer done()
	shared := SharedNames()
	rows := make([]any, 0, len(b.users))
	for _, u := range b.users {
		r := map[string]any{
			"name": u.Name, "uid": int64(u.UID), "gid": int64(u.GID), "comment": u.Comment, "home": u.Home, "shell": u.Shell,
			"interactive": interactive(u.Shell), "system": b.system(u),
			"shared_name": shared.Looks(u.Name) && (!b.system(u) || interactive(u.Shell)),
		}
		if yes := slices.Contains(admins, u.Name); yes || who.err == nil {
			r["admin"] = yes
		}
		b.password(u, r)
		if at, known := g.last(u); known {
			r["never_logged_in"] = at.IsZero()
			if !at.IsZero() {
				r["last_login"] = at
			}
		}
		rows = append(rows, r)
	}
	f := collect.Saw(field, rows, append(slices.Clone(b.sources), l.Sources()...)...)
	switch {
	case b.nis:
		f.Status, f.Reason = fact.Truncated, "directory: entries beyond /etc/passwd come in by its + lines"
	case b.shadowErr != nil:
		// The list is whole; what shadow would say of each account is missing.
		_, f.Reason = collect.Status(b.shadowErr)
	}
	return f
}

// password fills in what the password files say of an account.
func (b *base) password(u User, r map[string]any) {
	s, there := b.shadow[u.Name]
	p := s.Password
	switch {
	case u.Password != "x":
		p = ParsePassword(u.Password) // kept in the open, and then it counts
	case !there && b.shadowErr != nil:
		return
	case !there:
		p = Password{State: "none"}
	}
	r["password"] = p.State
	if p.Scheme != "" {
		r["hash"] = p.Scheme
	}
	if !there {
		return
	}
	if !s.ChangedAt.IsZero() {
		r["changed_at"] = s.ChangedAt
	}
	if s.MaxDays >= 0 {
		r["max_days"] = s.MaxDays
	}
	if !s.ExpiresAt.IsZero() {
		r["expires_at"] = s.ExpiresAt
	}
}

func rootPassword(b *base) fact.Fact {
	const field = "root_login_password"
	i := slices.IndexFunc(b.users, func(u User) bool { return u.Name == "root" })
	r := map[string]any{}
	if i >= 0 { // a faulty line elsewhere does not spoil what is said of root
		b.password(b.users[i], r)
	}
	switch state, known := r["password"]; {
	case known:
		return collect.Saw(field, state, b.sources...)
	case i < 0 && b.usersErr != nil:
		return collect.Failed(field, b.usersErr, b.sources...)
	case i < 0:
		return collect.None(field, "none: no account root in /etc/passwd", b.sources...)
	}
	return collect.Failed(field, b.shadowErr, b.sources...)
}
