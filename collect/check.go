package collect

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kakusho/fact"
	"kakusho/kind"
)

// Check says what is wrong with a batch: it must bring the observed fields of
// its group, each once and no other; an Observed or Truncated fact holds a value
// of the field's type, every other holds none; every fact that is not Observed
// says why. All faults are reported.
func Check(k kind.Kind, b fact.Batch) error {
	fields := Fields(k, b.Collector)
	if len(fields) == 0 {
		return fmt.Errorf("check batch: kind %q has no observed field of group %q", k.ID, b.Collector)
	}
	var faults []error
	bad := func(field, format string, a ...any) {
		faults = append(faults, fmt.Errorf("check batch %s: field %q: %s", b.Collector, field, fmt.Sprintf(format, a...)))
	}
	seen := map[string]int{}
	for _, f := range b.Facts {
		seen[f.Field]++
		i := slices.IndexFunc(fields, func(k kind.Field) bool { return k.Name == f.Field })
		if i < 0 {
			bad(f.Field, "not an observed field of this group")
			continue
		}
		if err := sound(fields[i], f); err != nil {
			bad(f.Field, "%v", err)
		}
	}
	for _, f := range fields {
		if n := seen[f.Name]; n != 1 {
			bad(f.Name, "brought %d times, want once", n)
		}
	}
	return errors.Join(faults...)
}

func sound(field kind.Field, f fact.Fact) error {
	switch {
	case !slices.Contains(fact.Statuses, f.Status):
		return fmt.Errorf("unknown status %q", f.Status)
	case f.Status != fact.Observed && f.Reason == "":
		return fmt.Errorf("status %s without a reason", f.Status)
	case f.Status != fact.Observed && f.Status != fact.Truncated:
		if f.Value != nil {
			return fmt.Errorf("status %s with a value", f.Status)
		}
		return nil
	case f.Value == nil:
		return fmt.Errorf("status %s without a value", f.Status)
	}
	return typed(field, f.Value, true)
}

// typed checks a value's Go type, strictly: a collector that brings int where
// int64 is promised would break the judge, not the collector's test.
func typed(f kind.Field, v any, top bool) error {
	ok := false
	switch f.Type {
	case kind.String, kind.Text, kind.Ref:
		s, is := v.(string)
		if is && s != Clean(s, f.Type == kind.Text, runes(f)) {
			return fmt.Errorf("text too long, not UTF-8 or with control characters")
		}
		ok = is
	case kind.Enum:
		s, is := v.(string)
		if is && !slices.ContainsFunc(f.Choices, func(c kind.Choice) bool { return c.Value == s }) {
			return fmt.Errorf("%q is none of its choices", s)
		}
		ok = is
	case kind.Int:
		_, ok = v.(int64)
	case kind.Number:
		n, is := v.(float64)
		ok = is && !math.IsNaN(n) && !math.IsInf(n, 0)
	case kind.Bool:
		_, ok = v.(bool)
	case kind.Time, kind.Date:
		t, is := v.(time.Time)
		ok = is && !t.IsZero()
	case kind.Duration:
		_, ok = v.(time.Duration)
	case kind.List:
		l, is := v.([]any)
		if is && top {
			return typedList(f, l)
		}
	}
	if !ok {
		return fmt.Errorf("%T is no value of type %s", v, f.Type)
	}
	return nil
}

func typedList(f kind.Field, l []any) error {
	if len(l) > elements(f) {
		return fmt.Errorf("%d elements, at most %d", len(l), elements(f))
	}
	for i, e := range l {
		if err := typedElement(f, e); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

func typedElement(f kind.Field, e any) error {
	if len(f.Of) == 0 {
		return typed(kind.Field{Name: f.Name, Type: kind.String}, e, false)
	}
	r, ok := e.(map[string]any)
	if !ok {
		return fmt.Errorf("%T is no record", e)
	}
	for key, v := range r {
		i := slices.IndexFunc(f.Of, func(m kind.Field) bool { return m.Name == key })
		if i < 0 {
			return fmt.Errorf("unknown member %q", key)
		}
		if err := typed(f.Of[i], v, false); err != nil {
			return fmt.Errorf("member %q: %w", key, err)
		}
	}
	return nil
}

// complete makes a collector's answer fit to send: text is cleaned, a list over
// its limit is cut and says so, a field left out, brought twice or of the wrong
// type becomes an Error that says so. A field that does not belong is dropped;
// Check finds it in the collector's test.
func complete(k kind.Kind, group string, facts []fact.Fact) []fact.Fact {
	var out []fact.Fact
	for _, field := range Fields(k, group) {
		same := slices.DeleteFunc(slices.Clone(facts), func(f fact.Fact) bool { return f.Field != field.Name })
		switch len(same) {
		case 0:
			out = append(out, fact.Fact{Field: field.Name, Status: fact.Error, Reason: "collector: no answer for this field"})
		case 1:
			out = append(out, fit(field, same[0]))
		default:
			out = append(out, fact.Fact{Field: field.Name, Status: fact.Error, Reason: "collector: more than one answer for this field"})
		}
	}
	return out
}

func fit(field kind.Field, f fact.Fact) fact.Fact {
	f.Reason = Clean(f.Reason, false, defaultRunes)
	f.Value = tidy(field, f.Value)
	if l, ok := f.Value.([]any); ok && len(l) > elements(field) {
		f.Status = fact.Truncated
		f.Reason = fmt.Sprintf("limit: %d elements, %d kept", len(l), elements(field))
		f.Value = l[:elements(field)]
	}
	if err := sound(field, f); err != nil {
		return fact.Fact{Field: field.Name, Status: fact.Error, Reason: "collector: " + err.Error(), Source: f.Source}
	}
	return f
}

// tidy cleans every string in a value.
func tidy(f kind.Field, v any) any {
	switch v := v.(type) {
	case string:
		return Clean(v, f.Type == kind.Text, runes(f))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = tidyElement(f, e)
		}
		return out
	}
	return v
}

func tidyElement(f kind.Field, e any) any {
	switch e := e.(type) {
	case string:
		return Clean(e, false, defaultRunes)
	case map[string]any:
		out := make(map[string]any, len(e))
		for k, v := range e {
			i := slices.IndexFunc(f.Of, func(m kind.Field) bool { return m.Name == k })
			if i >= 0 {
				v = tidy(f.Of[i], v)
			}
			out[k] = v
		}
		return out
	}
	return e
}

const (
	defaultRunes    = 500
	defaultText     = 20_000
	defaultElements = 1_000
)

func runes(f kind.Field) int {
	switch {
	case f.Max > 0:
		return f.Max
	case f.Type == kind.Text:
		return defaultText
	}
	return defaultRunes
}

func elements(f kind.Field) int {
	if f.Max > 0 {
		return f.Max
	}
	return defaultElements
}

// Clean makes s safe to carry and show: valid UTF-8, no control or formatting
// characters (each is written out as \xNN or \uNNNN, so that two names that
// differ still differ), at most most runes, a cut marked by "…". Line breaks
// stay only when lines is set.
func Clean(s string, lines bool, most int) string {
	hidden := func(r rune) bool {
		if lines && (r == '\n' || r == '\t') {
			return false
		}
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
	}
	if utf8.ValidString(s) && len(s) <= most && !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hidden(r) && r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	if rs := []rune(b.String()); len(rs) > most {
		return string(rs[:most-1]) + "…"
	}
	return b.String()
}
