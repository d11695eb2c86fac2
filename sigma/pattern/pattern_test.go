package pattern_test

import (
	"regexp"
	"strings"
	"testing"

	"kakusho/sigma/pattern"
)

// expression is what a text with wildcards means, as a regular expression.
func expression(s string) string {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			b.WriteString(regexp.QuoteMeta(s[i : i+1]))
		case c == '*':
			b.WriteString(`.*`)
		case c == '?':
			b.WriteString(`.`)
		default:
			b.WriteString(regexp.QuoteMeta(s[i : i+1]))
		}
	}
	return b.String() + `$`
}

func FuzzWildcardsMeanWhatTheExpressionMeans(f *testing.F) {
	for _, p := range []string{"", "*", "?", "a", "a*", "*a", "*a*", "a*b?c*", "**a", `a\*`, `\\*x`, `a\b`, "*ab*ab*", "?*?", "x*y*z"} {
		for _, s := range []string{"", "a", "ab", "aab", "abab", "a*", `\x`, "xyz", "xaybzc", "aXbYcZ"} {
			f.Add(p, s)
		}
	}
	f.Fuzz(func(t *testing.T, p, s string) {
		if len(p) > 30 || len(s) > 200 || !ascii(p) || !ascii(s) {
			return
		}
		re := regexp.MustCompile(expression(p))
		if got, want := pattern.Glob(p).Matcher()(s), re.MatchString(s); got != want {
			t.Errorf("%q of %q: got %v, want %v", p, s, got, want)
		}
		if got, want := pattern.Glob(p).Around(true, true).Matcher()(s), regexp.MustCompile(`(?s)`+strings.TrimSuffix(strings.TrimPrefix(expression(p), `(?s)^`), `$`)).MatchString(s); got != want {
			t.Errorf("%q in %q: got %v, want %v", p, s, got, want)
		}
	})
}

func ascii(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0 }

// A pattern and a text made to be tried again and again end soon.
func TestAPatternMadeToBeSlowIsNot(t *testing.T) {
	p := pattern.Glob(strings.Repeat("a*", 200) + "b")
	if p.Matcher()(strings.Repeat("a", 100_000)) {
		t.Error("found")
	}
}

func TestEncodingsAreThoseOfTheirStandards(t *testing.T) {
	for _, c := range []struct {
		turn, text string
		want       []string
	}{
		{"base64", "foobar", []string{"Zm9vYmFy"}},
		{"base64offset", "/bin/bash", []string{"L2Jpbi9iYXNo", "9iaW4vYmFza", "vYmluL2Jhc2"}},
		{"utf16le", "cmd", []string{"c\x00m\x00d\x00"}},
		{"wide", "cmd", []string{"c\x00m\x00d\x00"}},
		{"utf16be", "cmd", []string{"\x00c\x00m\x00d"}},
		{"utf16", "c", []string{"\xff\xfec\x00"}},
		{"windash", "x -f", []string{"x -f", "x /f", "x –f", "x —f", "x ―f"}},
	} {
		got, err := pattern.Turn(c.turn, c.text)
		if err != nil || strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s of %q: got %q, %v; want %q", c.turn, c.text, got, err, c.want)
		}
	}
}
