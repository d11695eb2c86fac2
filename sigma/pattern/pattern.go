// Package pattern has the texts of detection rules: with wildcards, and as encodings
// write them. Each is made ready once, to be tried on many texts; what it costs is
// bounded by the length of both.
package pattern

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The marks of a pattern between its literal pieces.
const (
	literal = iota
	star    // any text
	mark    // any one character
)

type piece struct {
	kind int
	text string
}

// Pattern is a text of a rule with its wildcards.
type Pattern []piece

// Glob reads * and ?, and the backslash that makes either plain; a backslash before
// anything else is itself.
func Glob(s string) (p Pattern) {
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			p = append(p, piece{literal, b.String()})
			b.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		case c == '*':
			flush()
			if len(p) == 0 || p[len(p)-1].kind != star {
				p = append(p, piece{kind: star})
			}
		case c == '?':
			flush()
			p = append(p, piece{kind: mark})
		default:
			b.WriteByte(c)
		}
	}
	flush()
	return p
}

// Plain is a text without wildcards.
func Plain(s string) Pattern {
	if s == "" {
		return nil
	}
	return Pattern{{literal, s}}
}

// Around lets anything stand before, or after.
func (p Pattern) Around(before, after bool) Pattern {
	if before && (len(p) == 0 || p[0].kind != star) {
		p = append(Pattern{{kind: star}}, p...)
	}
	if after && p[len(p)-1].kind != star {
		p = append(p[:len(p):len(p)], piece{kind: star})
	}
	return p
}

// Text is the pattern's literal, when it has no wildcards.
func (p Pattern) Text() (string, bool) {
	switch {
	case len(p) == 0:
		return "", true
	case len(p) == 1 && p[0].kind == literal:
		return p[0].text, true
	}
	return "", false
}

// Lower is the pattern for folded values.
func (p Pattern) Lower() Pattern {
	out := make(Pattern, len(p))
	for i, x := range p {
		out[i] = piece{x.kind, strings.ToLower(x.text)}
	}
	return out
}

// Matcher is the fastest way to try a pattern.
func (p Pattern) Matcher() func(string) bool {
	shape := ""
	for _, x := range p {
		shape += string("lsm"[x.kind])
	}
	lit := func(i int) string { return p[i].text }
	switch shape {
	case "":
		return func(s string) bool { return s == "" }
	case "l":
		want := lit(0)
		return func(s string) bool { return s == want }
	case "s":
		return func(string) bool { return true }
	case "ls":
		want := lit(0)
		return func(s string) bool { return strings.HasPrefix(s, want) }
	case "sl":
		want := lit(1)
		return func(s string) bool { return strings.HasSuffix(s, want) }
	case "sls":
		want := lit(1)
		return func(s string) bool { return strings.Contains(s, want) }
	}
	return p.match
}

// match tries a pattern in time proportional to text times pattern at the worst:
// of several stars only the last is ever moved.
func (p Pattern) match(s string) bool {
	i, at, back, from := 0, 0, -1, 0
	for {
		switch {
		case i == len(p) && at == len(s):
			return true
		case i < len(p) && p[i].kind == star:
			i++
			back, from = i, at
			continue
		case i < len(p) && p[i].kind == mark && at < len(s):
			_, n := utf8.DecodeRuneInString(s[at:])
			i, at = i+1, at+n
			continue
		case i < len(p) && p[i].kind == literal && strings.HasPrefix(s[at:], p[i].text):
			at += len(p[i].text)
			i++
			continue
		}
		if back < 0 || from >= len(s) {
			return false
		}
		from++
		if back < len(p) && p[back].kind == literal { // jump to where it can go on
			n := strings.Index(s[from:], p[back].text)
			if n < 0 {
				return false
			}
			from += n
		}
		i, at = back, from
	}
}

// dashes are what the windash modifier takes for each other.
var dashes = []string{"-", "/", "–", "—", "―"}

// windash is the pattern with each dash that begins a word in all its forms.
func windash(s string) ([]string, error) {
	out := []string{""}
	before := " "
	for _, r := range s {
		c := string(r)
		swap := before == " " && strings.Contains(strings.Join(dashes, ""), c)
		before = c
		if !swap {
			for i := range out {
				out[i] += c
			}
			continue
		}
		if len(out) > 125 {
			return nil, fmt.Errorf("windash: too many dashes in %q", s)
		}
		var more []string
		for _, o := range out {
			for _, d := range dashes {
				more = append(more, o+d)
			}
		}
		out = more
	}
	return out, nil
}

// turns are the encodings, by their name as a modifier.
var turns = []string{"base64", "base64offset", "utf16", "utf16le", "utf16be", "wide", "windash"}

// IsTurn reports whether a modifier is an encoding.
func IsTurn(modifier string) bool { return slices.Contains(turns, modifier) }

// Turn is a text as an encoding writes it, in all the forms it can have.
func Turn(turn, s string) ([]string, error) {
	wide := func(little bool, mark string) []string {
		b := []byte(mark)
		for _, u := range utf16.Encode([]rune(s)) {
			hi, lo := byte(u>>8), byte(u)
			if little {
				hi, lo = lo, hi
			}
			b = append(b, hi, lo)
		}
		return []string{string(b)}
	}
	switch turn {
	case "base64":
		return []string{base64.StdEncoding.EncodeToString([]byte(s))}, nil
	case "base64offset":
		var out []string
		for shift := range 3 {
			enc := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + s))
			// The first and last characters depend on what stands around.
			from, cut := []int{0, 2, 3}[shift], []int{0, 3, 2}[(len(s)+shift)%3]
			if len(enc)-cut > from {
				out = append(out, enc[from:len(enc)-cut])
			}
		}
		return out, nil
	case "utf16le", "wide":
		return wide(true, ""), nil
	case "utf16be":
		return wide(false, ""), nil
	case "utf16":
		return wide(true, "\xff\xfe"), nil
	}
	return windash(s)
}
