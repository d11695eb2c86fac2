package kind

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
)

// Check turns a value as Go code, JSON or YAML give it into the Go type of the
// field (see Type), or says in words what is wrong: the error is a Fault. Text
// is trimmed and normalised; an empty text and nil are nil, which a required
// field refuses. Text that could hide or reorder what a reader sees is refused,
// unless the field is only ever brought by a machine: see CheckObserved.
func (f Field) Check(v any) (any, error) { return f.check(v, !f.In(Declared)) }

// CheckObserved is Check for a value a machine brought. Such text is kept
// whatever it holds, with dangerous characters written out (\u202E), and an
// empty text stays one; nothing is required.
func (f Field) CheckObserved(v any) (any, error) {
	f.Required = false
	return f.check(v, true)
}

// Check checks the declared values of one entry: every field known and of its
// type, every required one there, and a period that does not end before it
// begins. The values it returns are normalised, without the empty ones.
func (k Kind) Check(values map[string]any) (map[string]any, []Fault) {
	out := make(map[string]any, len(values))
	var faults []Fault
	for f := range k.Each(Declared) {
		v, err := f.Check(values[f.Name])
		if err != nil {
			faults = append(faults, AsFault(*f, err))
		} else if v != nil {
			out[f.Name] = v
		}
	}
	for _, name := range sortedKeys(values) {
		if f, ok := k.Field(name); !ok || !f.In(Declared) {
			faults = append(faults, Field{Name: name, Label: f.Label}.fault("登録できる項目ではない。", "not a field that can be entered"))
		}
	}
	if f, ok := k.Field("until"); ok {
		from, a := out["from"].(time.Time)
		until, b := out["until"].(time.Time)
		if a && b && until.Before(from) {
			faults = append(faults, f.fault("開始の日より前になっている。", "before the day it begins"))
		}
	}
	return out, faults
}

// AsFault is err as a Fault of field f, whatever err is.
func AsFault(f Field, err error) Fault {
	switch x := err.(type) { //nolint:errorlint // these are never wrapped
	case Fault:
		return x
	case calendar.Fault:
		return Fault{Field: f.Name, Label: f.Label, Message: bilingual.Text(x)}
	}
	return f.fault("%v", "%v", err)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (f Field) check(v any, lenient bool) (any, error) {
	if s, ok := v.(string); ok && !lenient && trim(s, f.Type == Text) == "" {
		v = nil
	}
	if v == nil {
		if f.Required {
			return nil, f.fault("必須項目。値を入力する。", "required; enter a value")
		}
		return nil, nil
	}
	switch f.Type {
	case String, Ref:
		return f.checkText(v, false, lenient)
	case Text:
		return f.checkText(v, true, lenient)
	case Int:
		return f.checkInt(v)
	case Number:
		return f.checkNumber(v)
	case Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, f.wrongType("真偽値", "true or false")
	case Time, Date:
		return f.checkTime(v)
	case Duration:
		return f.checkDuration(v)
	case Enum:
		return f.checkChoice(v)
	case List:
		return f.checkList(v, lenient)
	}
	return nil, f.fault("項目の型「%s」を扱えない。", "a field of type %q", f.Type)
}

func (f Field) wrongType(ja, en string) Fault {
	return Fault{Field: f.Name, Label: f.Label, Message: bilingual.Say("値の型が違う。"+ja+"とする。", "wrong type, want "+en)}
}

func (f Field) checkText(v any, lines, lenient bool) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, f.wrongType("文字列", "a string")
	}
	s, err := f.text(s, lines, lenient)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (f Field) checkInt(v any) (any, error) {
	var n int64
	switch x := v.(type) {
	case int64:
		n = x
	case int:
		n = int64(x)
	case uint64:
		if x > math.MaxInt64 {
			return nil, f.wrongType("整数", "a whole number")
		}
		n = int64(x)
	case float64:
		// 1<<63 itself is a float64 and no int64.
		if x != math.Trunc(x) || x < math.MinInt64 || x >= math.MaxInt64 {
			return nil, f.wrongType("整数", "a whole number")
		}
		n = int64(x)
	case json.Number:
		i, err := strconv.ParseInt(x.String(), 10, 64)
		if err != nil {
			return nil, f.wrongType("整数", "a whole number")
		}
		n = i
	default:
		return nil, f.wrongType("整数", "a whole number")
	}
	return f.read(n, f.bounds(float64(n)))
}

func (f Field) checkNumber(v any) (any, error) {
	var n float64
	switch x := v.(type) {
	case float64:
		n = x
	case int:
		n = float64(x)
	case int64:
		n = float64(x)
	case json.Number:
		p, err := x.Float64()
		if err != nil {
			return nil, f.wrongType("数値", "a number")
		}
		n = p
	default:
		return nil, f.wrongType("数値", "a number")
	}
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return nil, f.fault("有限の数値とする。", "not a finite number")
	}
	return f.read(n, f.bounds(n))
}

func (f Field) bounds(n float64) error {
	if f.Least != nil && n < float64(*f.Least) {
		return f.fault("%d以上とする。", "at least %d", *f.Least)
	}
	if f.Most != nil && n > float64(*f.Most) {
		return f.fault("%d以下とする。", "at most %d", *f.Most)
	}
	return nil
}

func (f Field) checkTime(v any) (any, error) {
	switch x := v.(type) {
	case string:
		if f.Type == Time {
			return f.readTime(x)
		}
		if t, err := time.Parse(time.RFC3339, x); err == nil {
			return f.checkTime(t)
		}
		return f.readDate(x)
	case time.Time:
		if f.Type == Time {
			return f.read(x.UTC(), calendar.InRange(x))
		}
		return f.dayOf(x)
	}
	return nil, f.wrongType("日付", "a date or time")
}

// read passes on a value, or its fault as one of this field and no value.
func (f Field) read(v any, err error) (any, error) {
	if err != nil {
		return nil, AsFault(f, err)
	}
	return v, nil
}

func (f Field) readTime(s string) (any, error) {
	t, err := calendar.ParseTime(s)
	return f.read(t, err)
}

func (f Field) readDate(s string) (any, error) {
	t, err := calendar.ParseDate(s)
	return f.read(t, err)
}

func (f Field) readSpan(s string) (any, error) {
	d, err := calendar.ParseSpan(s)
	return f.read(d, err)
}

// dayOf reads a time that stands for a day: midnight in Tokyo, or midnight in
// UTC, which is how YAML gives a bare date.
func (f Field) dayOf(t time.Time) (any, error) {
	for _, zone := range []*time.Location{calendar.Tokyo(), time.UTC} {
		z := t.In(zone)
		d := calendar.Day(z.Year(), z.Month(), z.Day())
		if z.Hour() == 0 && z.Minute() == 0 && z.Second() == 0 && z.Nanosecond() == 0 {
			return f.read(d, calendar.InRange(d))
		}
	}
	return nil, f.fault("日付に時刻を付けない。", "a date without a time of day is wanted")
}

func (f Field) checkDuration(v any) (any, error) {
	switch x := v.(type) {
	case time.Duration:
		if x < 0 {
			return nil, f.fault("負の期間は入力できない。", "below zero")
		}
		return x, nil
	case string:
		return f.readSpan(x)
	}
	return nil, f.wrongType("期間（90d、15m 等）", "a duration, as in 90d or 15m")
}

func (f Field) checkChoice(v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, f.wrongType("文字列", "a string")
	}
	for _, c := range f.Choices {
		if c.Value == s {
			return s, nil
		}
	}
	return nil, f.noChoice(s)
}

func (f Field) checkList(v any, lenient bool) (any, error) {
	var list []any
	switch x := v.(type) {
	case []any:
		list = x
	case []string:
		for _, s := range x {
			list = append(list, s)
		}
	case []map[string]any:
		for _, m := range x {
			list = append(list, m)
		}
	default:
		return nil, f.wrongType("一覧", "a list")
	}
	if limit := f.limit(); len(list) > limit {
		return nil, f.fault("%d件を超えている（%d件）。減らす。", "more than %d elements (%d)", limit, len(list))
	}
	if f.Required && len(list) == 0 {
		return nil, f.fault("必須項目。値を入力する。", "required; enter a value")
	}
	out := make([]any, 0, len(list))
	for i, e := range list {
		checked, err := f.element(i, e, lenient)
		if err != nil {
			return nil, err
		}
		out = append(out, checked)
	}
	if f.Tree != "" && !lenient {
		if err := f.checkTree(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f Field) element(i int, v any, lenient bool) (any, error) {
	place := f
	place.Name = f.Name + "[" + strconv.Itoa(i) + "]"
	if len(f.Of) > 0 {
		record, ok := v.(map[string]any)
		if !ok {
			return nil, place.wrongType("項目名と値の組", "a record")
		}
		if len(record) == 0 && !lenient {
			return nil, place.emptyElement()
		}
		return place.record(record, lenient)
	}
	s, ok := v.(string)
	switch {
	case !ok:
		return nil, place.wrongType("文字列", "a string")
	case len(f.Choices) > 0 && !lenient:
		return place.checkChoice(s)
	}
	s, err := place.text(s, false, lenient)
	if err == nil && s == "" && !lenient {
		err = place.emptyElement()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (f Field) emptyElement() Fault {
	return f.fault("空の要素がある。削除する。", "an empty element; remove it")
}

// record checks one record of a list; keys that are absent stay absent, which
// means unknown in that record.
func (f Field) record(record map[string]any, lenient bool) (any, error) {
	out := make(map[string]any, len(record))
	known := 0
	for _, field := range f.Of {
		v, ok := record[field.Name]
		if ok {
			known++
		}
		if lenient {
			field.Required = false
		}
		field.Label.JA, field.Label.EN = f.Label.JA+"・"+field.Label.JA, f.Label.EN+", "+field.Label.EN
		name := field.Name
		field.Name = f.Name + "." + name
		checked, err := field.check(v, lenient)
		if err != nil {
			return nil, err
		}
		if checked != nil {
			out[name] = checked
		}
	}
	if known < len(record) {
		for _, name := range sortedKeys(record) {
			if !slices.ContainsFunc(f.Of, func(x Field) bool { return x.Name == name }) {
				return nil, f.fault("不明な項目「%s」がある。", "unknown key %q", excerpt(name))
			}
		}
	}
	return out, nil
}
