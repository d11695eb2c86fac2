// Package banner observes what a Linux host tells those who log in: at its
// console or display, and over the network.
package banner

import (
	"context"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"kakusho/collect"
	"kakusho/collect/linux/dconf"
	"kakusho/collect/linux/etc"
	"kakusho/collect/linux/session"
	"kakusho/collect/linux/sshd"
	"kakusho/fact"
)

// Collector brings the facts of group banner.
func Collector() collect.Collector {
	return collect.Collector{Group: "banner", Version: "1", Collect: observe}
}

func observe(_ context.Context, h collect.Host) []fact.Fact {
	words := systemWords(h.Look())
	local := localBanner(h, words)
	remote := remoteBanner(h, words)
	return []fact.Fact{local, remote, present(local, remote)}
}

// present is true when every way in shows a banner: the console, and the SSH
// server where there is one.
func present(local, remote fact.Fact) fact.Fact {
	const field = "banner_present"
	src := append(slices.Clone(local.Source), remote.Source...)
	var lacking []string
	for _, f := range []fact.Fact{local, remote} {
		switch f.Status {
		case fact.Absent:
			lacking = append(lacking, strings.TrimPrefix(f.Field, "banner_"))
		case fact.Observed, fact.NotApplicable:
		default:
			return fact.Fact{Field: field, Status: f.Status, Reason: f.Reason, Source: src}
		}
	}
	f := collect.Saw(field, len(lacking) == 0, src...)
	if len(lacking) > 0 {
		f.Reason = "none at: " + strings.Join(lacking, ", ")
	}
	return f
}

// localBanner is what stands on the screen of GDM, or of the console before the
// login (issue) or after it (motd).
func localBanner(h collect.Host, words map[string]bool) fact.Fact {
	const field = "banner_local"
	l := h.Look()
	dm, err := session.Manager(l)
	if err != nil {
		return collect.Failed(field, err)
	}
	if strings.HasPrefix(dm, "gdm") {
		return gdm(h.Look(), field)
	}
	l = h.Look()
	for _, group := range [][]string{issues, motds} {
		text, err := read(l, group, words)
		if err != nil {
			return collect.Failed(field, err, l.Sources()...)
		}
		if text != "" {
			return collect.Saw(field, text, l.Sources()...)
		}
	}
	return collect.None(field, "none: issue and motd hold no text of their own", l.Sources()...)
}

var (
	issues = []string{"/etc/issue", "/etc/issue.d/*.issue", "/run/issue.d/*.issue", "/usr/lib/issue.d/*.issue"}
	motds  = []string{"/etc/motd", "/etc/motd.d/*"}
)

func gdm(l *collect.Look, field string) fact.Fact {
	s, err := dconf.Load(l, "gdm")
	if err != nil {
		return collect.Failed(field, err, l.Sources()...)
	}
	on, err := s.Bool("/org/gnome/login-screen/banner-message-enable", false)
	if err != nil {
		return collect.Failed(field, err, l.Sources()...)
	}
	text := oneLine(s.Text("/org/gnome/login-screen/banner-message-text"))
	if !on || letters(text) < least {
		return collect.None(field, "none: the screen of GDM shows no message", l.Sources()...)
	}
	return collect.Saw(field, text, l.Sources()...)
}

// remoteBanner is sshd's Banner, or what is shown after the login by it.
func remoteBanner(h collect.Host, words map[string]bool) fact.Fact {
	const field = "banner_remote"
	l := h.Look()
	c, err := sshd.Load(l)
	if err != nil {
		return collect.Failed(field, err, l.Sources()...)
	}
	if c.Binary == "" {
		return collect.NotHere(field, "not-installed: no SSH server on this host")
	}
	src := l.Sources()
	l = h.Look()
	files := []string{}
	if b, ok := c.First("banner"); ok && !strings.EqualFold(b.Value(), "none") {
		files = []string{b.Value()}
	}
	for _, group := range [][]string{files, motds} {
		text, err := read(l, group, words)
		if err != nil {
			return collect.Failed(field, err, append(src, l.Sources()...)...)
		}
		if text != "" {
			return collect.Saw(field, text, append(src, l.Sources()...)...)
		}
	}
	return collect.None(field, "none: sshd has no Banner with a text of its own, and motd none", append(src, l.Sources()...)...)
}

// least is how many letters a text of substance has: 「使用禁止」 and a sign.
const least = 5

// read joins the texts of substance of several files; those not there are none.
func read(l *collect.Look, patterns []string, words map[string]bool) (string, error) {
	var out []string
	for _, pattern := range patterns {
		files, err := l.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, p := range files {
			if slices.Contains([]string{"cockpit", "insights-client"}, path.Base(p)) {
				continue // advertisements of packages
			}
			b, _, err := etc.Optional(l, p)
			if err != nil {
				return "", err
			}
			if t := Substance(b, words); t != "" {
				out = append(out, t)
			}
		}
	}
	return strings.Join(out, " "), nil
}

var escape = regexp.MustCompile(`\\[a-zA-Z0-9](\{[^}]*\})?|%[a-zA-Z]`)

// Substance is what a text says beyond what systems put there by themselves, on
// one line: "" when nothing. Words are those of the system's own name.
func Substance(b []byte, words map[string]bool) string {
	var kept []string
	for _, paragraph := range paragraphs(b) {
		joined := strings.Join(paragraph, " ")
		if strings.HasPrefix(joined, "The programs included with the ") || strings.Contains(joined, "comes with ABSOLUTELY NO WARRANTY") {
			continue // the notice every installation of Debian has
		}
		for _, line := range paragraph {
			line = escape.ReplaceAllString(line, " ")
			if !usual(line, words) {
				kept = append(kept, line)
			}
		}
	}
	text := oneLine(strings.Join(kept, " "))
	if letters(text) < least {
		return ""
	}
	return text
}

func paragraphs(b []byte) [][]string {
	out := [][]string{nil}
	for _, line := range etc.Lines(b) {
		if strings.TrimSpace(line) == "" {
			out = append(out, nil)
			continue
		}
		out[len(out)-1] = append(out[len(out)-1], line)
	}
	return out
}

// usual reports a line made of the system's names and what goes with them.
func usual(line string, words map[string]bool) bool {
	return !slices.ContainsFunc(split(line), func(w string) bool { return !words[w] && strings.Trim(w, "0123456789.") != "" })
}

func split(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.'
	})
}

// systemWords are the words that make no banner: of the system's release, and
// those around them in the files of distributions.
func systemWords(l *collect.Look) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields("kernel on an a the welcome to release linux gnu is login version tty this server host running debian ubuntu red hat enterprise rocky alma almalinux centos stream oracle fedora suse opensuse leap lts localhost hostname") {
		out[w] = true
	}
	for _, file := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		b, _, err := etc.Optional(l, file)
		if err != nil {
			continue
		}
		set, _ := etc.Assignments(file, b)
		for _, k := range []string{"NAME", "PRETTY_NAME", "VERSION", "VERSION_ID", "VERSION_CODENAME", "ID"} {
			for _, w := range split(set[k]) {
				out[w] = true
			}
		}
	}
	return out
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func letters(s string) (n int) {
	for _, r := range s {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n
}
