package sshd

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
)

// Version is OpenSSH's: 9.2.
type Version struct{ Major, Minor int }

// Less compares versions.
func (v Version) Less(major, minor int) bool {
	return v.Major < major || v.Major == major && v.Minor < minor
}

// Lists are the algorithms a server offers unless told otherwise; nil when not
// known.
type Lists struct{ Ciphers, MACs, Kex []string }

// programs are where the distributions install the server.
var programs = []string{"/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd", "/opt/openssh/sbin/sshd"}

// program finds the server and asks its file what it is. A program too large or
// closed to read is there all the same; its version is then unknown.
func (c *Config) program(l *collect.Look) error {
	for _, p := range programs {
		there, err := l.Exists(p)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		c.Binary = p
		if b, err := l.ReadFile(p); err == nil {
			c.Version, c.Lists = ParseProgram(b)
			c.Wrapped = bytes.Contains(b, []byte("libwrap.so"))
		}
		if c.Version == (Version{}) {
			c.Version = packaged(l)
		}
		c.Lists = c.Lists.or(Defaults(c.Version))
		return nil
	}
	return nil
}

var versionWord = regexp.MustCompile(`OpenSSH_([0-9]{1,2})\.([0-9]{1,2})(?:p[0-9]|\x00)`)

// words yields the runs of letters in which a list of algorithms is written.
func words(b []byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i <= len(b); i++ {
			if i < len(b) && (b[i] >= 'a' && b[i] <= 'z' || b[i] >= '0' && b[i] <= '9' || strings.IndexByte("@.,-", b[i]) >= 0) {
				continue
			}
			if w := b[start:i]; len(w) >= 20 && len(w) < 4096 && bytes.IndexByte(w, ',') > 0 && !yield(string(w)) {
				return
			}
			start = i + 1
		}
	}
}

// ParseProgram finds a server's version and its built-in lists of algorithms in
// its file. A list that stands there in two forms is not told.
func ParseProgram(b []byte) (Version, Lists) {
	var v Version
	if m := versionWord.FindSubmatch(b); m != nil {
		v.Major, _ = strconv.Atoi(string(m[1]))
		v.Minor, _ = strconv.Atoi(string(m[2]))
	}
	found := map[string]map[string]bool{"cipher": {}, "mac": {}, "kex": {}}
	for w := range words(b) {
		if kind := listKind(strings.Split(w, ",")); kind != "" {
			found[kind][w] = true
		}
	}
	only := func(kind string) []string {
		for w := range found[kind] {
			if len(found[kind]) == 1 {
				return strings.Split(w, ",")
			}
		}
		return nil
	}
	return v, Lists{Ciphers: only("cipher"), MACs: only("mac"), Kex: only("kex")}
}

// listKind tells a server's full list by its elements: all of one kind, and at
// least three, among them one that every release of the last years has.
func listKind(names []string) string {
	for _, k := range []struct {
		kind, sure string
		starts     []string
	}{
		{"cipher", "aes256-ctr", []string{"aes", "chacha20-", "3des-", "arcfour", "cast128-", "blowfish-"}},
		{"mac", "hmac-sha2-256", []string{"hmac-", "umac-"}},
		{"kex", "curve25519-sha256", []string{"curve25519-", "ecdh-", "diffie-hellman-", "sntrup", "mlkem"}},
	} {
		other := func(n string) bool {
			return !slices.ContainsFunc(k.starts, func(s string) bool { return strings.HasPrefix(n, s) })
		}
		if len(names) >= 3 && slices.Contains(names, k.sure) && !slices.ContainsFunc(names, other) {
			return k.kind
		}
	}
	return ""
}

func (l Lists) or(d Lists) Lists {
	if l.Ciphers == nil {
		l.Ciphers = d.Ciphers
	}
	if l.MACs == nil {
		l.MACs = d.MACs
	}
	if l.Kex == nil {
		l.Kex = d.Kex
	}
	return l
}

// packaged asks Debian's package database for the version.
func packaged(l *collect.Look) Version {
	b, err := l.ReadFile("/var/lib/dpkg/status")
	if err != nil {
		return Version{}
	}
	return ParseDpkgVersion(b)
}

// ParseDpkgVersion finds the version of the installed openssh-server.
func ParseDpkgVersion(b []byte) (v Version) {
	in := false
	for _, line := range etc.Lines(b) {
		if name, ok := strings.CutPrefix(line, "Package: "); ok {
			in = name == "openssh-server"
		}
		text, ok := strings.CutPrefix(line, "Version: ")
		if !in || !ok {
			continue
		}
		if _, after, epoch := strings.Cut(text, ":"); epoch {
			text = after
		}
		if n, _ := fmt.Sscanf(text, "%d.%d", &v.Major, &v.Minor); n != 2 {
			return Version{}
		}
		return v
	}
	return Version{}
}

// Defaults are the lists of OpenSSH's own releases, from 7.4 on, for programs
// whose file does not tell. Nothing is known of older ones or of version zero.
func Defaults(v Version) Lists {
	if v.Less(7, 4) {
		return Lists{}
	}
	gcm, ctr := []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com"}, []string{"aes128-ctr", "aes192-ctr", "aes256-ctr"}
	if v.Less(10, 0) {
		gcm, ctr = ctr, gcm
	}
	out := Lists{
		Ciphers: slices.Concat([]string{"chacha20-poly1305@openssh.com"}, gcm, ctr),
		MACs: []string{
			"umac-64-etm@openssh.com", "umac-128-etm@openssh.com", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha1-etm@openssh.com",
			"umac-64@openssh.com", "umac-128@openssh.com", "hmac-sha2-256", "hmac-sha2-512", "hmac-sha1",
		},
	}
	curves := []string{"curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"}
	groups := []string{"diffie-hellman-group-exchange-sha256", "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256"}
	const sntrup, sntrupOld, mlkem = "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com", "mlkem768x25519-sha256"
	switch {
	case v.Less(8, 2):
		out.Kex = slices.Concat(curves, groups, []string{"diffie-hellman-group14-sha1"})
	case v.Less(8, 9):
		out.Kex = slices.Concat(curves, groups)
	case v.Less(9, 0):
		out.Kex = slices.Concat(curves, []string{sntrupOld}, groups)
	case v.Less(9, 9):
		out.Kex = slices.Concat([]string{sntrupOld}, curves, groups)
	case v.Less(10, 0):
		out.Kex = slices.Concat([]string{sntrup, sntrupOld, mlkem}, curves, groups)
	default:
		out.Kex = slices.Concat([]string{mlkem, sntrup, sntrupOld}, curves)
	}
	return out
}

// Assemble applies a setting to the built-in list: "+x" adds at the end, "-x"
// takes away (patterns), "^x" puts in front, anything else replaces.
func Assemble(setting string, builtin []string) []string {
	if setting == "" {
		return builtin
	}
	names := strings.Split(strings.TrimLeft(setting, "+-^"), ",")
	switch setting[0] {
	case '+':
		return unique(slices.Concat(builtin, names))
	case '^':
		return unique(slices.Concat(names, builtin))
	case '-':
		return slices.DeleteFunc(slices.Clone(builtin), func(b string) bool {
			return slices.ContainsFunc(names, func(n string) bool {
				ok, _ := path.Match(n, b)
				return ok
			})
		})
	}
	return unique(names)
}

func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
