package verdict

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/fact"
)

// MarshalJSON writes the value as facts travel: times and durations as text.
func (r Reason) MarshalJSON() ([]byte, error) {
	type plain Reason // without this method
	r.Value = fact.Canonical(r.Value)
	return json.Marshal(plain(r))
}

// codes say in words why a reason decided. A code that is not listed is shown as
// it is.
var codes = map[string]bilingual.Text{
	"missing":        {JA: "収集されていない", EN: "not collected"},
	"absent":         {JA: "存在しない", EN: "absent"},
	"denied":         {JA: "読み取りが許されない", EN: "not allowed to look"},
	"error":          {JA: "読み取れない", EN: "could not be read"},
	"timeout":        {JA: "時間内に読み取れない", EN: "timed out"},
	"truncated":      {JA: "一部しか読み取れない", EN: "seen in part only"},
	"stale":          {JA: "古くなった", EN: "stale"},
	"future":         {JA: "未来の日時である", EN: "dated in the future"},
	"empty":          {JA: "対象が空で判定できない", EN: "nothing to judge"},
	"no-record":      {JA: "記録がない", EN: "no record"},
	"no-parameter":   {JA: "値が定められていない", EN: "the value is not determined"},
	"rule-fault":     {JA: "確認の式が誤りで判定できない", EN: "the rule itself failed"},
	"circle":         {JA: "代替措置が互いを前提としており判定できない", EN: "compensating controls rest on each other"},
	"lapsed":         {JA: "判断の前提が変わった", EN: "what it was judged on has changed"},
	"void":           {JA: "条件が満たされず無効", EN: "void: a condition is not met"},
	"no-ground":      {JA: "項が認める事由に当たらず無効", EN: "void: the clause's ground does not hold"},
	"unknown":        {JA: "確認できない", EN: "unknown"},
	"ground":         {JA: "項が認める事由に当たる", EN: "a ground that the clause names"},
	"not-applicable": {JA: "該当しない", EN: "does not arise here"},
}

// In puts the reason into words: what was seen, and what was wanted by which
// value. It is for reading, never for deciding.
func (r Reason) In(l bilingual.Lang) string {
	var b strings.Builder
	name := r.Label.In(l)
	if name == "" {
		name = r.Fact
	}
	if name == "" {
		name = r.Text
	}
	b.WriteString(name)
	switch text, ok := codes[r.Code]; {
	case ok:
		fmt.Fprintf(&b, bilingual.Say("：%s", ": %s").In(l), text.In(l))
	case r.Fact != "" && (r.Value != nil || r.Code == "true" || r.Code == "false"):
		b.WriteString(bilingual.Say("：", ": ").In(l) + Show(r.Value, l))
		if n := r.Count - length(r.Value); n > 0 {
			fmt.Fprintf(&b, bilingual.Say(" ほか%d件", " and %d more").In(l), n)
		}
	}
	var notes []string
	if r.Expected != "" {
		notes = append(notes, bilingual.Say("基準 ", "wanted ").In(l)+expected(r.Expected, l))
	}
	if r.Parameter != "" {
		note := bilingual.Say("値 ", "parameter ").In(l) + r.Parameter
		if r.Layer == "default" {
			note += bilingual.Say("・参考値（本システム既定）", ", default of this system").In(l)
		} else if r.Layer != "" {
			note += bilingual.Say("・", ", ").In(l) + r.Layer
		}
		notes = append(notes, note)
	}
	if r.Code == "no-parameter" && r.Parameter != "" {
		notes = append(notes, fmt.Sprintf(bilingual.Say("/parameter/%s で設定してください", "set it at /parameter/%s").In(l), r.Parameter))
	}
	for _, x := range r.Lapsed {
		notes = append(notes, x.Label.In(l)+" "+Show(x.Then, l)+" → "+Show(x.Now, l))
	}
	if r.Detail != "" {
		notes = append(notes, detail(r.Detail, l))
	}
	if len(notes) > 0 {
		b.WriteString(bilingual.Say("（", " (").In(l) + strings.Join(notes, bilingual.Say("、", "; ").In(l)) + bilingual.Say("）", ")").In(l))
	}
	return b.String()
}

// operators put a wanted comparison into Japanese; English keeps the signs. The
// first that begins the text counts.
var operators = []struct{ sign, form string }{
	{"size == 0", "0件"}, {"size >= ", "%s件以上"}, {"size <= ", "%s件以下"}, {"size > ", "%s件超"},
	{"== true", "はい"}, {"== false", "いいえ"}, {">= ", "%s以上"}, {"<= ", "%s以下"}, {"!= ", "%s以外"}, {"== ", "%s"},
	{"> ", "%s超"}, {"< ", "%s未満"}, {"not in ", "%sのいずれでもない"}, {"in ", "%sのいずれか"}, {"contains ", "%sを含む"}, {"present", "登録あり"},
	{"true", "はい"}, {"false", "いいえ"},
}

func expected(text string, l bilingual.Lang) string {
	if l == bilingual.EN {
		return text
	}
	for _, o := range operators {
		rest, ok := strings.CutPrefix(text, o.sign)
		if !ok {
			continue
		}
		if !strings.Contains(o.form, "%s") {
			if rest == "" {
				return o.form
			}
			continue
		}
		return strings.Replace(o.form, "%s", strings.Trim(rest, `"`), 1)
	}
	return text
}

// details are the codes with which collectors and derivations begin saying why
// there is no value; what follows the code is technical and stays.
var details = map[string]bilingual.Text{
	"blank":        {JA: "台帳に未入力", EN: "blank in the register"},
	"no-entry":     {JA: "台帳に登録がない", EN: "not in a register"},
	"no-record":    {JA: "記録がない", EN: "no record"},
	"missing":      {JA: "収集されていない", EN: "not collected"},
	"absent":       {JA: "存在しない", EN: "absent"},
	"permission":   {JA: "読取り権限がない", EN: "not allowed to read"},
	"error":        {JA: "読み取れない", EN: "could not be read"},
	"timeout":      {JA: "時間切れ", EN: "timed out"},
	"none":         {JA: "該当なし", EN: "none"},
	"not live":     {JA: "稼働中の機器ではない", EN: "not a running machine"},
	"schema":       {JA: "型が合わない", EN: "wrong type"},
	"circle":       {JA: "循環参照", EN: "circular"},
	"condition":    {JA: "条件", EN: "condition"},
	"no logs":      {JA: "証跡がない", EN: "no logs"},
	"no-parameter": {JA: "値が定められていない", EN: "the value is not determined"},
}

// Why says in words why a fact has no value: its status, and what the collector
// said.
func Why(status, reason string, l bilingual.Lang) string {
	out := status
	if t, ok := codes[status]; ok {
		out = t.In(l)
	}
	if reason == "" {
		return out
	}
	return out + bilingual.Say("（", " (").In(l) + detail(reason, l) + bilingual.Say("）", ")").In(l)
}

func detail(text string, l bilingual.Lang) string {
	code, rest, ok := strings.Cut(text, ": ")
	name, known := details[code]
	if !ok || !known {
		return text
	}
	if i := strings.LastIndex(rest, ": "); code == "condition" && i >= 0 { // its control, and what came of it
		return fmt.Sprintf(bilingual.Say("%sが%s", "%s: %s").In(l), rest[:i], Outcome(rest[i+2:]).Label().In(l))
	}
	if l == bilingual.EN {
		return rest
	}
	return name.JA + "：" + rest
}

func length(v any) int {
	if l, ok := v.([]any); ok {
		return len(l)
	}
	return 1
}

// Show is any fact's value in words: times in Japan, lists cut after five with
// their number, records as "key=value".
func Show(v any, l bilingual.Lang) string {
	switch v := v.(type) {
	case nil:
		return "—"
	case bool:
		if v {
			return bilingual.Say("はい", "yes").In(l)
		}
		return bilingual.Say("いいえ", "no").In(l)
	case time.Time:
		return v.In(calendar.Tokyo()).Format("2006-01-02 15:04:05")
	case string:
		if v == "" {
			return bilingual.Say("（空）", "(empty)").In(l)
		}
		return v
	case []any:
		return list(v, l)
	case map[string]any:
		return record(v, l)
	}
	return fmt.Sprint(v)
}

func list(v []any, l bilingual.Lang) string {
	const most = 5
	if len(v) == 0 {
		return bilingual.Say("（なし）", "(none)").In(l)
	}
	var parts []string
	for _, e := range v[:min(most, len(v))] {
		parts = append(parts, Show(e, l))
	}
	text := strings.Join(parts, bilingual.Say("、", ", ").In(l))
	if len(v) > most {
		text += fmt.Sprintf(bilingual.Say(" ほか%d件", " and %d more").In(l), len(v)-most)
	}
	return text
}

// record names the parts that tell one element from another; the rest stands in
// the evidence.
func record(m map[string]any, l bilingual.Lang) string {
	for _, key := range []string{"path", "name", "device", "who", "port", "condition", "service", "user", "serial"} {
		if v, ok := m[key]; ok {
			text := Show(v, l)
			if place, ok := m["place"]; ok {
				text += " @ " + Show(place, l)
			}
			return text
		}
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	parts := make([]string, 0, len(keys))
	for _, k := range keys {
		parts = append(parts, k+"="+Show(m[k], l))
	}
	return strings.Join(parts, " ")
}
