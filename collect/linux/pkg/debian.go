package pkg

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// longest is the longest line of a package list that is read.
const longest = 4 << 20

// paragraphs calls fn for each paragraph with the first lines of the fields
// asked for; continuation lines are skipped. Field names are as written by
// their makers, whose spelling does not vary.
func paragraphs(r io.Reader, fields []string, fn func(map[string]string) error) error {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), longest)
	p := map[string]string{}
	flush := func() error {
		if len(p) == 0 {
			return nil
		}
		err := fn(p)
		clear(p)
		return err
	}
	for sc.Scan() {
		line := sc.Bytes()
		if len(bytes.TrimRight(line, " \t\r")) == 0 {
			if err := flush(); err != nil {
				return err
			}
			continue
		}
		if line[0] == ' ' || line[0] == '\t' || line[0] == '#' {
			continue
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			continue
		}
		for _, f := range fields {
			if string(line[:colon]) == f {
				p[f] = string(bytes.TrimSpace(line[colon+1:]))
			}
		}
	}
	if err := sc.Err(); err != nil {
		return err
	}
	return flush()
}

// ParseDpkg reads dpkg's status file. Packages of which only configuration
// files are left are not installed.
func ParseDpkg(b []byte) ([]Package, error) {
	var out []Package
	err := paragraphs(bytes.NewReader(b), []string{"Package", "Status", "Version", "Source", "Architecture"}, func(p map[string]string) error {
		w := strings.Fields(p["Status"])
		if len(w) != 3 || w[2] == "not-installed" || w[2] == "config-files" || w[2] == "half-installed" {
			return nil
		}
		if p["Package"] == "" || p["Version"] == "" {
			return errors.New("dpkg status: package without name or version")
		}
		source, _, _ := strings.Cut(p["Source"], " ") // "name (version)"
		if source == "" {
			source = p["Package"]
		}
		out = append(out, Package{Name: p["Package"], Version: p["Version"], Source: source, Arch: p["Architecture"]})
		return nil
	})
	return out, err
}

// Release is what a Release or InRelease file says about an archive.
type Release struct {
	Origin, Label, Suite, Codename string
	Date                           time.Time
	NotAutomatic, ButUpgrades      bool
}

// ParseRelease reads a Release file, or the signed text of an InRelease file.
// The signature is apt's business: apt keeps no file whose signature it could
// not follow.
func ParseRelease(b []byte) (Release, error) {
	var r Release
	if _, after, ok := bytes.Cut(b, []byte("-----BEGIN PGP SIGNED MESSAGE-----\n")); ok {
		_, b, _ = bytes.Cut(after, []byte("\n\n")) // past "Hash: SHA256"
		b, _, _ = bytes.Cut(b, []byte("-----BEGIN PGP SIGNATURE-----"))
	}
	fields := []string{"Origin", "Label", "Suite", "Codename", "Date", "NotAutomatic", "ButAutomaticUpgrades"}
	err := paragraphs(bytes.NewReader(b), fields, func(p map[string]string) error {
		if r != (Release{}) {
			return nil
		}
		r = Release{
			Origin: p["Origin"], Label: p["Label"], Suite: p["Suite"], Codename: p["Codename"],
			NotAutomatic: p["NotAutomatic"] == "yes", ButUpgrades: p["ButAutomaticUpgrades"] == "yes",
		}
		if p["Date"] == "" {
			return nil
		}
		for _, form := range []string{time.RFC1123, time.RFC1123Z, "Mon, _2 Jan 2006 15:04:05 MST"} {
			if at, err := time.Parse(form, p["Date"]); err == nil {
				r.Date = at.UTC()
				return nil
			}
		}
		return fmt.Errorf("release file: date %q", p["Date"])
	})
	return r, err
}

// Security reports whether the archive carries security updates.
func (r Release) Security() bool {
	return strings.Contains(strings.ToLower(r.Origin+"\n"+r.Label+"\n"+r.Suite+"\n"+r.Codename), "security")
}

// priority is apt's without pins. def is APT::Default-Release.
func (r Release) priority(def string) int {
	switch {
	case def != "" && (def == r.Suite || def == r.Codename):
		return 990
	case r.NotAutomatic && r.ButUpgrades:
		return 100
	case r.NotAutomatic:
		return 1
	}
	return 500
}

// ParseAptConf reads one file of apt.conf's syntax into out, keys in lower case
// with "::" between their parts.
func ParseAptConf(b []byte, out map[string]string) {
	var scope []string
	var words []string
	end := func() {
		if len(words) > 0 && strings.HasPrefix(words[0], "#") {
			if strings.EqualFold(words[0], "#clear") {
				unset(out, words[1:])
			}
		} else if len(words) > 1 {
			key := strings.Join(append(append([]string{}, scope...), words[0]), "::")
			out[strings.ToLower(key)] = words[1]
		}
		words = nil
	}
	for _, tok := range aptTokens(string(b)) {
		switch tok {
		case ";":
			end()
		case "{":
			name := ""
			if len(words) > 0 {
				name = words[0]
			}
			scope, words = append(scope, name), nil
		case "}":
			end()
			if len(scope) > 0 {
				scope = scope[:len(scope)-1]
			}
		default:
			words = append(words, strings.Trim(tok, `"`))
		}
	}
}

func unset(conf map[string]string, keys []string) {
	for _, k := range keys {
		k = strings.ToLower(k)
		for have := range conf {
			if have == k || strings.HasPrefix(have, k+"::") {
				delete(conf, have)
			}
		}
	}
}

// aptTokens cuts apt.conf into words, quoted words, braces and semicolons, and
// drops comments.
func aptTokens(s string) []string {
	var out []string
	for i := 0; i < len(s); {
		rest := s[i:]
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case strings.HasPrefix(rest, "//"), c == '#' && !strings.HasPrefix(strings.ToLower(rest), "#clear"):
			i += index(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			i += index(rest, "*/") + 2
		case c == '{' || c == '}' || c == ';':
			out = append(out, string(c))
			i++
		case c == '"':
			n := index(rest[1:], `"`) + 2
			out = append(out, rest[:min(n, len(rest))])
			i += n
		default:
			n := strings.IndexAny(rest, " \t\r\n{};\"")
			if n < 0 {
				n = len(rest)
			}
			out = append(out, rest[:n])
			i += n
		}
	}
	return out
}

// index is strings.Index, at the end when there is none.
func index(s, sub string) int {
	if n := strings.Index(s, sub); n >= 0 {
		return n
	}
	return len(s)
}
