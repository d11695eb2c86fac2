package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"kakusho/fact"
)

// Encode writes a value (see fact.Fact) as JSON in the one form rows hold:
// canonical as fact.Canonical, keys sorted by bytes, no spaces, only what must
// be escaped is. An int64 is written without a dot or exponent and a float64
// always with one, so that 3 and 3.0 come back as what they were.
func Encode(v any) (string, error) {
	b, err := appendJSON(nil, fact.Canonical(v), 0)
	return string(b), err
}

func appendJSON(b []byte, v any, depth int) ([]byte, error) {
	if depth > MostDepth {
		return nil, fmt.Errorf("more than %d lists and records within each other", MostDepth)
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return appendFloat(b, v)
	case json.Number:
		n, err := number(v)
		if err != nil {
			return nil, err
		}
		return appendJSON(b, n, depth)
	case string:
		return appendString(b, v)
	case []string:
		return appendList(b, v, depth)
	case []any:
		return appendList(b, v, depth)
	case map[string]any:
		return appendRecord(b, v, depth)
	}
	return nil, fmt.Errorf("a value cannot be a %T", v)
}

func appendFloat(b []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("a number must be finite")
	}
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, form, -1, 64)
	if !bytes.ContainsAny(b[start:], ".e") {
		b = append(b, ".0"...)
	}
	return b, nil
}

func appendString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("text is not UTF-8")
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"'), nil
}

func appendList[E any](b []byte, list []E, depth int) ([]byte, error) {
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendJSON(b, e, depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendRecord(b []byte, m map[string]any, depth int) ([]byte, error) {
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendString(b, k); err != nil {
			return nil, err
		}
		if b, err = appendJSON(append(b, ':'), m[k], depth+1); err != nil {
			return nil, fmt.Errorf("%.60q: %w", k, err)
		}
	}
	return append(b, '}'), nil
}

// encodeSources writes the times in UTC: the same source is the same text.
func encodeSources(list []fact.Source) (string, error) {
	records := make([]any, len(list))
	for i, s := range list {
		r := map[string]any{"kind": s.Kind, "ref": s.Ref}
		if s.SHA256 != "" {
			r["sha256"] = s.SHA256
		}
		if !s.ModTime.IsZero() {
			if y := s.ModTime.UTC().Year(); y < 0 || y > 9999 {
				return "", fmt.Errorf("year %d is not within 0 to 9999", y)
			}
			r["mtime"] = s.ModTime
		}
		records[i] = r
	}
	return Encode(records)
}

// Decode reads what Encode wrote. A number without dot and exponent is an int64,
// any other a float64; texts stay texts, also those that were times.
func Decode(s string) (any, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return numbers(v)
}

// numbers replaces the json.Numbers within v.
func numbers(v any) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i, e := range v {
			if v[i], err = numbers(e); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k, e := range v {
			if v[k], err = numbers(e); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func number(n json.Number) (any, error) {
	if !strings.ContainsAny(string(n), ".eE") {
		return strconv.ParseInt(string(n), 10, 64)
	}
	return strconv.ParseFloat(string(n), 64)
}

// Words is what Where.Like looks through in a row: its texts, each in its Plain
// form on a line of its own. Engines keep it beside the row; ok is false for a
// table that has none.
func Words(r Row) (words string, ok bool) {
	var b strings.Builder
	for _, c := range r.Columns() {
		if !c.Words {
			continue
		}
		ok = true
		switch at := c.at.(type) {
		case *string:
			addWords(&b, *at)
		case *any:
			addWords(&b, fact.Canonical(*at))
		case *map[string]any:
			addWords(&b, fact.Canonical(*at))
		}
	}
	return b.String(), ok
}

// addWords adds the leaves of v; names of fields are no text of the row.
func addWords(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil, bool:
	case []any:
		for _, e := range v {
			addWords(b, e)
		}
	case []string:
		for _, e := range v {
			addWords(b, e)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			addWords(b, v[k])
		}
	case string:
		if v != "" {
			b.WriteString(Plain(v))
			b.WriteByte('\n')
		}
	default:
		fmt.Fprintln(b, v)
	}
}

// kana are the full-width forms of U+FF61 to U+FF9F in order, three bytes each.
const kana = "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゛゜"

// Plain is text as Where.Like compares it: ASCII in small letters and half
// width, kana in full width with their voice marks joined, control characters
// (NUL, line ends) and the ideographic space as a space. Everything else stays.
//
// It is our own table and not NFKC, so that a store does not change with the
// version of Unicode in a library.
func Plain(s string) string {
	var out []rune
	for _, r := range s {
		switch {
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r < ' ' || r == '\u3000' || r == 0x7f:
			r = ' '
		case r >= 0xFF01 && r <= 0xFF5E:
			r -= 0xFF01 - '!'
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
		case r >= 0xFF61 && r <= 0xFF9F:
			r, _ = utf8.DecodeRuneInString(kana[3*(r-0xFF61):])
			if n := len(out); n > 0 && voiced(out[n-1], r) != 0 {
				out[n-1] = voiced(out[n-1], r)
				continue
			}
		}
		out = append(out, r)
	}
	return string(out)
}

// voiced joins a full-width kana and a voice mark; 0 when they do not join.
func voiced(r, mark rune) rune {
	switch {
	case mark == '゛' && r == 'ウ':
		return 'ヴ'
	case mark == '゛' && strings.ContainsRune("カキクケコサシスセソタチツテトハヒフヘホ", r):
		return r + 1
	case mark == '゜' && strings.ContainsRune("ハヒフヘホ", r):
		return r + 2
	}
	return 0
}
