package directive

import (
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
)

// units are the codes a parameter that counts may have, as pages print them
// after the number.
var units = map[string]bilingual.Text{
	"characters":  {JA: "文字", EN: "characters"},
	"classes":     {JA: "種", EN: "classes"},
	"days":        {JA: "日", EN: "days"},
	"generations": {JA: "世代", EN: "generations"},
	"times":       {JA: "回", EN: "times"},
	"fold":        {JA: "倍", EN: "times"},
	"persons":     {JA: "人", EN: "persons"},
	"bits":        {JA: "ビット", EN: "bits"},
	"percent":     {JA: "％", EN: "%"},
	"class":       {JA: "", EN: ""}, // クラス3, 機密性2: the label says of what
	"level":       {JA: "", EN: ""},
	"rows":        {JA: "件", EN: "rows"},
}

// UnitLabel is the unit as pages print it: 文字, 日. It is empty for parameters
// without one.
func (p Parameter) UnitLabel() bilingual.Text {
	if s, ok := spanOf(p.Unit); ok && p.Type == Duration {
		return bilingual.Say(s.ja, s.en+"s")
	}
	return units[p.Unit]
}

// Format writes a value of p for people. A form that is to be read back by Check
// shows FormatDuration and the codes of options instead.
func (p Parameter) Format(v any, l bilingual.Lang) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return bilingual.Say("はい", "Yes").In(l)
		}
		return bilingual.Say("いいえ", "No").In(l)
	case int64:
		return p.counted(strconv.FormatInt(v, 10), l)
	case float64:
		return p.counted(strconv.FormatFloat(v, 'f', -1, 64), l)
	case time.Duration:
		return p.spanned(v, l)
	case time.Time:
		return v.In(calendar.Tokyo()).Format(time.DateOnly)
	case string:
		return p.optionLabel(v, l)
	case []any:
		words := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				words = append(words, p.optionLabel(s, l))
			}
		}
		return strings.Join(words, bilingual.Say("、", ", ").In(l))
	}
	return ""
}

func (p Parameter) counted(number string, l bilingual.Lang) string {
	unit := p.UnitLabel()
	if l == bilingual.EN && unit.EN != "" && unit.EN != "%" {
		return number + " " + unit.EN
	}
	return number + unit.In(l)
}

func (p Parameter) optionLabel(s string, l bilingual.Lang) string {
	if i := p.option(s); i >= 0 {
		return p.Choices[i].Label.In(l)
	}
	return s
}

// spanned writes d in the parameter's own unit where that leaves no remainder,
// else in the longest unit that leaves none.
func (p Parameter) spanned(d time.Duration, l bilingual.Lang) string {
	if own, ok := spanOf(p.Unit); ok && d >= own.length && d%own.length == 0 {
		return own.format(int64(d/own.length), l)
	}
	for _, s := range spans {
		if s.code != "mo" && s.code != "w" && d >= s.length && d%s.length == 0 {
			return s.format(int64(d/s.length), l)
		}
	}
	return FormatDuration(d)
}

func (s span) format(n int64, l bilingual.Lang) string {
	number := strconv.FormatInt(n, 10)
	switch {
	case l != bilingual.EN:
		return number + s.ja
	case n == 1:
		return number + " " + s.en
	}
	return number + " " + s.en + "s"
}
