package account

import (
	"strconv"
	"strings"
	"time"

	"kakusho/collect/linux/etc"
)

// User is a line of /etc/passwd.
type User struct {
	Name, Password       string
	UID, GID             uint32
	Comment, Home, Shell string
	Line                 int
}

// Shadow is a line of /etc/shadow, without the hash: what it says about it.
type Shadow struct {
	Name      string
	Password  Password
	ChangedAt time.Time // zero: never said, or to be changed at the next login
	MaxDays   int64     // -1: not limited
	ExpiresAt time.Time // zero: never
}

// Group is a line of /etc/group, or of /etc/gshadow (then with Admins).
type Group struct {
	Name    string
	GID     uint32
	Members []string
	Admins  []string
}

// rows splits a file into the fields of its lines, passing over comments and
// empty lines as the C library does. Lines that begin with + or - bring in
// entries of a directory and are counted apart.
func rows(file string, b []byte, want int, use func(f []string, bad func(what string))) (faults []etc.Fault, directory bool) {
	for i, l := range etc.Lines(b) {
		l = strings.TrimLeft(l, " \t")
		if l == "" || l[0] == '#' {
			continue
		}
		if l[0] == '+' || l[0] == '-' {
			directory = true
			continue
		}
		bad := func(what string) { faults = append(faults, etc.Fault{File: file, Line: i + 1, What: what}) }
		f := strings.Split(l, ":")
		if len(f) != want || f[0] == "" {
			bad("not " + strconv.Itoa(want) + " fields")
			continue
		}
		use(append(f, strconv.Itoa(i+1)), bad)
	}
	return faults, directory
}

// ParsePasswd reads /etc/passwd. Directory reports "+" or "-" lines.
func ParsePasswd(file string, b []byte) (users []User, faults []etc.Fault, directory bool) {
	faults, directory = rows(file, b, 7, func(f []string, bad func(string)) {
		uid, err1 := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err1 != nil || err2 != nil {
			bad("user or group ID is no number")
			return
		}
		line, _ := strconv.Atoi(f[7])
		users = append(users, User{f[0], f[1], uint32(uid), uint32(gid), f[4], f[5], f[6], line})
	})
	return users, faults, directory
}

// ParseShadow reads /etc/shadow by name; as in the C library the first line of
// a name counts.
func ParseShadow(file string, b []byte) (map[string]Shadow, []etc.Fault) {
	out := map[string]Shadow{}
	faults, _ := rows(file, b, 9, func(f []string, bad func(string)) {
		s := Shadow{Name: f[0], Password: ParsePassword(f[1]), MaxDays: -1}
		changed, ok1 := days(f[2])
		maxDays, ok2 := days(f[4])
		expires, ok3 := days(f[7])
		if !ok1 || !ok2 || !ok3 {
			bad("a day is no number")
			return
		}
		if changed > 0 {
			s.ChangedAt = day(changed)
		}
		if maxDays >= 0 {
			s.MaxDays = maxDays
		}
		if expires >= 0 {
			s.ExpiresAt = day(expires)
		}
		if _, twice := out[s.Name]; !twice {
			out[s.Name] = s
		}
	})
	return out, faults
}

// days reads a number of days; empty and negative ones mean that none is set.
func days(s string) (int64, bool) {
	if s == "" {
		return -1, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > 1<<21 { // the year 7700
		return 0, false
	}
	return max(n, -1), true
}

func day(n int64) time.Time { return time.Unix(n*24*60*60, 0).UTC() }

// ParseGroup reads /etc/group.
func ParseGroup(file string, b []byte) (groups []Group, faults []etc.Fault, directory bool) {
	faults, directory = rows(file, b, 4, func(f []string, bad func(string)) {
		gid, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			bad("group ID is no number")
			return
		}
		groups = append(groups, Group{Name: f[0], GID: uint32(gid), Members: names(f[3])})
	})
	return groups, faults, directory
}

// ParseGshadow reads /etc/gshadow: who may change a group's members.
func ParseGshadow(file string, b []byte) ([]Group, []etc.Fault) {
	var groups []Group
	faults, _ := rows(file, b, 4, func(f []string, _ func(string)) {
		groups = append(groups, Group{Name: f[0], Admins: names(f[2]), Members: names(f[3])})
	})
	return groups, faults
}

func names(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// Password is what can be told from a password field without telling it.
type Password struct {
	State  string // set, empty, locked, none
	Scheme string // how it is hashed, "" without a hash
}

// ParsePassword reads the password field of /etc/shadow. "!" in front locks a
// password; what can be the hash of no password ("*", "x") is none.
func ParsePassword(s string) Password {
	if s == "" {
		return Password{State: "empty"}
	}
	if hash := strings.TrimLeft(s, "!"); hash != s {
		return Password{State: "locked", Scheme: scheme(hash)}
	}
	if sc := scheme(s); sc != "" {
		return Password{State: "set", Scheme: sc}
	}
	return Password{State: "none"}
}

var schemes = map[string]string{
	"y": "yescrypt", "gy": "gost-yescrypt", "7": "scrypt", "6": "sha512", "5": "sha256", "2": "bcrypt", "2a": "bcrypt", "2b": "bcrypt",
	"2x": "bcrypt", "2y": "bcrypt", "sha1": "sha1", "md5": "sunmd5", "3": "nt", "1": "md5",
}

func scheme(s string) string {
	if rest, ok := strings.CutPrefix(s, "$"); ok {
		id, _, ok := strings.Cut(rest, "$")
		id, _, _ = strings.Cut(id, ",") // "$md5,rounds=…"
		if name := schemes[id]; ok && name != "" {
			return name
		}
		// A form the C library may know though we do not: it may let somebody in.
		return "unknown"
	}
	const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	switch {
	case len(s) == 20 && s[0] == '_' && strings.Trim(s[1:], alphabet) == "":
		return "bsdi-des"
	case len(s) == 13 && strings.Trim(s, alphabet) == "":
		return "des"
	}
	return ""
}
