package directive

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/clause"
	"kakusho/fact"
)

// Type is a parameter's type.
type Type string

// The types, with the Go type of a value.
const (
	Int      Type = "int"      // int64
	Number   Type = "number"   // float64, finite
	Bool     Type = "bool"     // bool
	Duration Type = "duration" // time.Duration, never below zero
	Text     Type = "text"     // string
	Choice   Type = "choice"   // string, one of Choices
	List     Type = "list"     // []any of string, each one of Choices where there are any
	Date     Type = "date"     // time.Time at 00:00 Asia/Tokyo
)

// Types lists every Type.
var Types = []Type{Int, Number, Bool, Duration, Text, Choice, List, Date}

// Option is one value of a choice, or one element a list may hold. The options
// of a choice stand in order of strictness, the loosest first.
type Option struct {
	Value string         `yaml:"value" json:"value"`
	Label bilingual.Text `yaml:"label" json:"label"`
}

// Parameter is one value a clause leaves open, or sets and we name.
type Parameter struct {
	Key       string // auth.pw.min_length; rules read auth_pw_min_length
	Group     string // P02, or lifetimes
	Type      Type
	Unit      string // code; of a duration, the unit pages show it in
	Label     bilingual.Text
	About     bilingual.Text // what it means
	Basis     bilingual.Text // where the default comes from
	Default   any
	Least     *float64 // of a duration in seconds, of a list in elements; dates have none
	Most      *float64
	Choices   []Option
	Clauses   []clause.ID
	Stricter  string // higher, lower, true, false, subset, superset; none: only the national layer may set it
	Directive bool   // the default is the directive's own: no layer may loosen it
}

// Parameters is every parameter of a directive, by key.
type Parameters map[string]Parameter

// Keys lists the keys in order.
func (ps Parameters) Keys() []string {
	keys := make([]string, 0, len(ps))
	for k := range ps {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Variable is the name under which a rule reads the parameter.
func (p Parameter) Variable() string { return strings.ReplaceAll(p.Key, ".", "_") }

// Mark says whose the default is. Pages show it beside every default.
func (p Parameter) Mark() bilingual.Text {
	if p.Directive {
		return bilingual.Say("本要件の値", "Value of the requirements")
	}
	return bilingual.Say("参考値（本システム既定）", "Reference value (default of this system)")
}

// Fault is a value that a parameter does not take.
type Fault struct {
	Key  string
	Text bilingual.Text
}

// Error is the English half: errors are for logs, Text is for people.
func (f Fault) Error() string { return fmt.Sprintf("parameter %s: %s", f.Key, f.Text.EN) }

func (p Parameter) fault(ja, en string, a ...any) error {
	return Fault{Key: p.Key, Text: bilingual.Say(p.Label.JA+"："+fmt.Sprintf(ja, a...), fmt.Sprintf(en, a...))}
}

// Check returns v as the Go type of p, reading typed values, what JSON and YAML
// make of them, and text as people write it ("45d", "はい" is not read, "true"
// is; a list separated by commas or lines). It refuses with a Fault what p does
// not take.
func (p Parameter) Check(v any) (any, error) {
	switch p.Type {
	case Int:
		return p.checkInt(v)
	case Number:
		return p.checkNumber(v)
	case Bool:
		return p.checkBool(v)
	case Duration:
		return p.checkDuration(v)
	case Text, Choice:
		return p.checkText(v)
	case List:
		return p.checkList(v)
	case Date:
		return p.checkDate(v)
	}
	return nil, p.fault("型 %q は存在しない", "unknown type %q", p.Type)
}

func (p Parameter) bounds(n float64) error {
	if p.Least != nil && n < *p.Least {
		return p.fault("%s以上とすること", "must be at least %s", p.shown(*p.Least))
	}
	if p.Most != nil && n > *p.Most {
		return p.fault("%s以下とすること", "must be at most %s", p.shown(*p.Most))
	}
	return nil
}

// shown is a bound as it is written in the parameter's file.
func (p Parameter) shown(n float64) string {
	if p.Type == Duration {
		return FormatDuration(seconds(n))
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

func seconds(n float64) time.Duration {
	return time.Duration(math.Round(n * float64(time.Second)))
}

func (p Parameter) checkInt(v any) (any, error) {
	n, ok := number(v)
	if !ok || n != math.Trunc(n) || math.Abs(n) > 1<<53 {
		return nil, p.fault("整数とすること", "want a whole number")
	}
	if err := p.bounds(n); err != nil {
		return nil, err
	}
	return int64(n), nil
}

func (p Parameter) checkNumber(v any) (any, error) {
	n, ok := number(v)
	if !ok {
		return nil, p.fault("数とすること", "want a number")
	}
	if err := p.bounds(n); err != nil {
		return nil, err
	}
	return n, nil
}

// number reads v as a finite float64.
func number(v any) (float64, bool) {
	var n float64
	switch v := v.(type) {
	case int:
		n = float64(v)
	case int64:
		n = float64(v)
	case float64:
		n = v
	case json.Number:
		return number(v.String())
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		if err != nil {
			return 0, false
		}
		n = f
	default:
		return 0, false
	}
	return n, !math.IsNaN(n) && !math.IsInf(n, 0)
}

func (p Parameter) checkBool(v any) (any, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.TrimSpace(v) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return nil, p.fault("true又はfalseとすること", "want true or false")
}

// checkDuration refuses bare numbers: whether seconds or days were meant cannot
// be told.
func (p Parameter) checkDuration(v any) (any, error) {
	var d time.Duration
	switch v := v.(type) {
	case time.Duration:
		d = v
	case string:
		parsed, err := ParseDuration(v)
		if err != nil {
			return nil, p.fault("45d、12mo、15mのように単位を付けた長さとすること", "want a length with a unit, as in 45d, 12mo or 15m")
		}
		d = parsed
	default:
		return nil, p.fault("45d、12mo、15mのように単位を付けた長さとすること", "want a length with a unit, as in 45d, 12mo or 15m")
	}
	if d < 0 {
		return nil, p.fault("負の長さは認められない", "a length below zero is refused")
	}
	if err := p.bounds(d.Seconds()); err != nil {
		return nil, err
	}
	return d, nil
}

const (
	mostRunes    = 500 // of a text or an element
	mostElements = 500 // of a list
)

func (p Parameter) checkText(v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, p.fault("文字列とすること", "want text")
	}
	s = strings.TrimSpace(s)
	if err := p.word(s); err != nil {
		return nil, err
	}
	return s, nil
}

// word checks a text, a choice or an element of a list.
func (p Parameter) word(s string) error {
	if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > mostRunes {
		return p.fault("1文字以上%d文字以内の文字列とすること", "want text of 1 to %d characters", mostRunes)
	}
	if len(p.Choices) > 0 && p.option(s) < 0 {
		return p.fault("%q は選択肢（%s）にない", "%q is none of %s", s, p.optionNames())
	}
	return nil
}

func (p Parameter) option(s string) int {
	return slices.IndexFunc(p.Choices, func(o Option) bool { return o.Value == s })
}

func (p Parameter) optionNames() string {
	names := make([]string, len(p.Choices))
	for i, o := range p.Choices {
		names[i] = o.Value
	}
	return strings.Join(names, ", ")
}

func (p Parameter) checkList(v any) (any, error) {
	words, ok := elements(v)
	if !ok {
		return nil, p.fault("文字列の一覧とすること", "want a list of texts")
	}
	if len(words) > mostElements {
		return nil, p.fault("%d件以内とすること", "want at most %d elements", mostElements)
	}
	list := make([]any, 0, len(words))
	for _, w := range words {
		if err := p.word(w); err != nil {
			return nil, err
		}
		if slices.Contains(list, any(w)) {
			return nil, p.fault("%q が重複している", "%q stands twice", w)
		}
		list = append(list, w)
	}
	if err := p.bounds(float64(len(list))); err != nil {
		return nil, err
	}
	return list, nil
}

// elements reads a list, or text with commas, 、 or line breaks between.
func elements(v any) ([]string, bool) {
	switch v := v.(type) {
	case []string:
		return v, true
	case []any:
		words := make([]string, len(v))
		for i, e := range v {
			w, ok := e.(string)
			if !ok {
				return nil, false
			}
			words[i] = strings.TrimSpace(w)
		}
		return words, true
	case string:
		var words []string
		for _, w := range strings.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(",、，\r\n", r) }) {
			if w = strings.TrimSpace(w); w != "" {
				words = append(words, w)
			}
		}
		return words, true
	}
	return nil, false
}

func (p Parameter) checkDate(v any) (any, error) {
	switch v := v.(type) {
	case time.Time:
		return dayOf(v), nil
	case string:
		v = strings.TrimSpace(v)
		if t, err := time.ParseInLocation(time.DateOnly, v, calendar.Tokyo()); err == nil {
			return t, nil
		}
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return dayOf(t), nil
		}
	}
	return nil, p.fault("2031-01-01のように日付とすること", "want a date, as in 2031-01-01")
}

// dayOf is the start of the day in Tokyo that holds t.
func dayOf(t time.Time) time.Time {
	y, m, d := t.In(calendar.Tokyo()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, calendar.Tokyo())
}

// Tightens reports whether lower is at least as strict as upper for the
// parameter key. Values p does not take, and unknown keys, tighten nothing.
func (ps Parameters) Tightens(key string, upper, lower any) bool {
	p, ok := ps[key]
	if !ok {
		return false
	}
	u, err := p.Check(upper)
	if err != nil {
		return false
	}
	l, err := p.Check(lower)
	return err == nil && p.tightens(u, l)
}

// tightens compares values that Check has returned.
func (p Parameter) tightens(upper, lower any) bool {
	switch p.Stricter {
	case "true":
		return lower == true || upper == false
	case "false":
		return lower == false || upper == true
	case "subset":
		return within(lower, upper)
	case "superset":
		return within(upper, lower)
	case "higher":
		return p.rank(lower) >= p.rank(upper)
	case "lower":
		return p.rank(lower) <= p.rank(upper)
	}
	return same(upper, lower)
}

// rank orders the values of p; equal ranks are equally strict.
func (p Parameter) rank(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case time.Duration:
		return float64(v)
	case time.Time:
		return float64(v.Unix())
	case string:
		return float64(p.option(v))
	}
	return math.NaN()
}

// within reports whether every element of a is in b.
func within(a, b any) bool {
	la, okA := a.([]any)
	lb, okB := b.([]any)
	return okA && okB && !slices.ContainsFunc(la, func(e any) bool { return !slices.Contains(lb, e) })
}

func same(a, b any) bool { return fact.Digest(a) == fact.Digest(b) }

// Digest tells whether two directives mean the same by a parameter: its type, its
// default, what it may be, and which way is stricter.
func (p Parameter) Digest() string {
	bounds := []any{nil, nil}
	for i, n := range []*float64{p.Least, p.Most} {
		if n != nil {
			bounds[i] = *n
		}
	}
	options := make([]any, len(p.Choices))
	for i, o := range p.Choices {
		options[i] = o.Value
	}
	return fact.Digest([]any{string(p.Type), p.Unit, p.Default, bounds, options, p.Stricter, p.Directive})
}
