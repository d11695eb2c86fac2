package account

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/fact"
)

// accountFiles are the files of accounts and the most that each may allow.
var accountFiles = []struct {
	path   string
	most   fs.FileMode
	shadow bool // may belong to group shadow
}{
	{"/etc/passwd", 0o644, false}, {"/etc/passwd-", 0o644, false},
	{"/etc/group", 0o644, false}, {"/etc/group-", 0o644, false},
	{"/etc/shadow", 0o640, true}, {"/etc/shadow-", 0o640, true},
	{"/etc/gshadow", 0o640, true}, {"/etc/gshadow-", 0o640, true},
	{"/etc/security/opasswd", 0o600, false},
}

// filesMode is true when no account file allows more than it should or belongs
// to another than root. The reason of a false one names the first.
func filesMode(l *collect.Look, b *base) fact.Fact {
	const field = "account_files_mode_ok"
	var bad []string
	var src []fact.Source
	for _, a := range accountFiles {
		fi, err := l.Stat(a.path)
		if collect.Missing(err) && a.path != "/etc/passwd" {
			continue
		}
		if err != nil {
			return collect.Failed(field, err)
		}
		src = append(src, fact.Source{Kind: "file", Ref: a.path, ModTime: fi.ModTime().UTC()})
		if mode := fi.Mode(); mode.Perm()&^a.most != 0 || mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			bad = append(bad, fmt.Sprintf("%s %04o", a.path, mode.Perm()))
		}
		if uid, gid, ok := etc.Owner(fi); ok && (uid != 0 || gid != 0 && !(a.shadow && b.isShadow(gid))) {
			bad = append(bad, fmt.Sprintf("%s owner %d:%d", a.path, uid, gid))
		}
	}
	f := collect.Saw(field, len(bad) == 0, src...)
	if len(bad) > 0 {
		f.Reason = "mode: " + strings.Join(bad, ", ")
	}
	return f
}

func (b *base) isShadow(gid uint32) bool {
	return slices.ContainsFunc(b.groups, func(g Group) bool { return g.Name == "shadow" && g.GID == gid })
}

// unsafeHomes lists the homes of accounts that can log in which others than
// their owner can write to. Access control lists are not looked at.
func unsafeHomes(l *collect.Look, b *base) fact.Fact {
	const field = "unsafe_homes"
	var bad []string
	var src []fact.Source
	for _, u := range b.users {
		home := path.Clean("/" + u.Home)
		if !interactive(u.Shell) || u.Home == "" || home == "/" || home == "/nonexistent" || slices.Contains(bad, home) {
			continue
		}
		fi, err := l.Stat(home)
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return collect.Failed(field, err)
		}
		src = append(src, fact.Source{Kind: "file", Ref: home})
		if b.unsafe(u, fi) {
			bad = append(bad, home)
		}
	}
	return collect.Saw(field, list(bad), src...)
}

func (b *base) unsafe(u User, fi fs.FileInfo) bool {
	uid, gid, known := etc.Owner(fi)
	switch mode := fi.Mode(); {
	case !mode.IsDir():
		return false
	case mode&0o002 != 0, known && uid != u.UID && uid != 0:
		return true
	case mode&0o020 != 0:
		return !known || !b.private(u, gid)
	}
	return false
}

// private reports a group that has this account only.
func (b *base) private(u User, gid uint32) bool {
	for _, g := range b.groups {
		if g.GID == gid && slices.ContainsFunc(g.Members, func(m string) bool { return m != u.Name }) {
			return false
		}
	}
	return u.GID == gid && !slices.ContainsFunc(b.users, func(o User) bool { return o.GID == gid && o.Name != u.Name })
}
