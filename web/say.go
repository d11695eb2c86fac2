package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/verdict"
)

// funcs are what templates can call, bound to one language.
func (s *Site) funcs(l bilingual.Lang) template.FuncMap {
	return template.FuncMap{
		// say stands the two languages side by side at the place of use.
		"say":    func(ja, en string) string { return bilingual.Say(ja, en).In(l) },
		"in":     func(t bilingual.Text) string { return t.In(l) },
		"lang":   func() bilingual.Lang { return l },
		"asset":  func(name string) string { return "/assets/" + name + "?v=" + s.assets[name].digest },
		"label":  func(o verdict.Outcome) string { return o.Label().In(l) },
		"mark":   mark,
		"duty":   func(d actor.Duty) string { return d.Label().In(l) },
		"day":    func(t time.Time) string { return Day(t, l) },
		"moment": func(t time.Time) string { return Moment(t, l) },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"bytes":  size,
		"until":  func(t, at time.Time) string { return span(t.Sub(at), l) },
		"value":  func(v any) string { return verdict.Show(v, l) },
		"reason": func(r verdict.Reason) string { return r.In(l) },
		"dutyof": func(d string) string { return actor.Duty(d).Label().In(l) },
		"why":    func(s fact.Status, reason string) string { return verdict.Why(string(s), reason, l) },
		"group":  func(g string) string { return kind.GroupLabel(g).In(l) },
		"count":  func(t posture.Tally, o string) int { return t[verdict.Outcome(o)] },
		"path":   url.PathEscape,
		"query":  url.QueryEscape,
		"has":    func(a actor.Actor, ds ...actor.Duty) bool { return hasAny(a, ds) },
		"dict":   dict,
		"within": func(to, at string) bool { return to == at || to != "/" && strings.HasPrefix(at, to+"/") },
	}
}

func hasAny(a actor.Actor, ds []actor.Duty) bool {
	for _, d := range ds {
		if a.Has(d) {
			return true
		}
	}
	return false
}

// dict makes a map for a template called with several values.
func dict(kv ...any) (map[string]any, error) {
	if len(kv)%2 != 0 {
		return nil, fmt.Errorf("dict: %d values, want pairs", len(kv))
	}
	m := map[string]any{}
	for i := 0; i < len(kv); i += 2 {
		k, ok := kv[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is not text", kv[i])
		}
		m[k] = kv[i+1]
	}
	return m, nil
}

var marks = map[verdict.Outcome]string{
	verdict.Conforms: "○", verdict.Violates: "×", verdict.Unknown: "？", verdict.Undecided: "△",
	verdict.NotApplicable: "－", verdict.Excepted: "除", verdict.Deferred: "猶", verdict.Special: "別", verdict.Error: "！",
}

// mark is the sign beside an outcome, so that it is not told by colour alone.
func mark(o verdict.Outcome) string { return marks[o] }

// Day is a date: ISO, and in Japanese with the era.
func Day(t time.Time, l bilingual.Lang) string {
	if t.IsZero() {
		return "—"
	}
	t = t.In(calendar.Tokyo())
	if l == bilingual.EN {
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02") + "（" + era(t) + "）"
}

// era is the Japanese era date from Heisei on, e.g. R8.11.2.
func era(t time.Time) string {
	reiwa := time.Date(2019, 5, 1, 0, 0, 0, 0, calendar.Tokyo())
	name, first := "R", 2019
	if t.Before(reiwa) {
		name, first = "H", 1989
	}
	return fmt.Sprintf("%s%d.%d.%d", name, t.Year()-first+1, int(t.Month()), t.Day())
}

// Moment is a date and time of day in Japan.
func Moment(t time.Time, _ bilingual.Lang) string {
	if t.IsZero() {
		return "—"
	}
	return t.In(calendar.Tokyo()).Format("2006-01-02 15:04:05")
}

// span is a length of time in the largest fitting unit.
func span(d time.Duration, l bilingual.Lang) string {
	units := []struct {
		size   time.Duration
		ja, en string
	}{{24 * time.Hour, "日", "d"}, {time.Hour, "時間", "h"}, {time.Minute, "分", "min"}, {time.Second, "秒", "s"}}
	sign := ""
	if d < 0 {
		sign, d = "−", -d
	}
	for _, u := range units {
		if d >= u.size {
			return fmt.Sprintf("%s%d%s", sign, d/u.size, bilingual.Say(u.ja, " "+u.en).In(l))
		}
	}
	return bilingual.Say("0秒", "0 s").In(l)
}

// size is a number of bytes in the largest fitting unit.
func size(n int64) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 5 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTP"[unit-1])
}
