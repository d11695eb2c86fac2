package kind

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
)

// Format writes a value as pages and tables show it in language l: はい or yes,
// a choice's label, a date with its Japanese year (in Japanese only), a time in
// Tokyo. Parse reads it back to the same value. nil is the empty text.
func (f Field) Format(v any, l bilingual.Lang) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return f.formatString(x, l)
	case bool:
		if x {
			return bilingual.Say("はい", "yes").In(l)
		}
		return bilingual.Say("いいえ", "no").In(l)
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case time.Duration:
		return calendar.FormatSpan(x, l)
	case time.Time:
		return f.formatTime(x, l)
	case []any:
		return f.formatList(x, l)
	}
	return fmt.Sprint(v)
}

func (f Field) formatString(s string, l bilingual.Lang) string {
	for _, c := range f.Choices {
		if c.Value == s {
			return c.Label.In(l)
		}
	}
	return s
}

func (f Field) formatTime(t time.Time, l bilingual.Lang) string {
	t = t.In(calendar.Tokyo())
	if f.Type != Date {
		return t.Format("2006-01-02 15:04:05.999999999")
	}
	if l == bilingual.EN {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.DateOnly) + "（" + calendar.Wareki(t) + "）"
}

func (f Field) formatList(list []any, l bilingual.Lang) string {
	parts := make([]string, 0, len(list))
	for _, e := range list {
		switch x := e.(type) {
		case map[string]any:
			parts = append(parts, f.formatRecord(x, l))
		case string:
			parts = append(parts, escape(f.formatString(x, l)))
		default:
			parts = append(parts, fmt.Sprint(e))
		}
	}
	switch {
	case len(f.Of) > 0:
		return strings.Join(parts, "\n")
	case l == bilingual.EN:
		return strings.Join(parts, "; ")
	}
	return strings.Join(parts, "、")
}

func (f Field) formatRecord(record map[string]any, l bilingual.Lang) string {
	parts := make([]string, 0, len(f.Of))
	last := 0
	for i, field := range f.Of {
		parts = append(parts, escape(field.Format(record[field.Name], l)))
		if parts[i] != "" {
			last = i + 1
		}
	}
	return strings.Join(parts[:last], " | ")
}

// Hint says in what form Parse wants a value; forms show it under the field.
func (f Field) Hint() bilingual.Text {
	switch f.Type {
	case Date:
		return bilingual.Say("例　2026-11-02、令和8年11月2日、R8.11.2", "As in 2026-11-02 or R8.11.2")
	case Time:
		return bilingual.Say("例　2026-11-02 15:04（日本時間）", "As in 2026-11-02 15:04, Tokyo time")
	case Duration:
		return bilingual.Say("例　90日、12時間、15分", "As in 90d, 12h or 15m")
	case Bool:
		return bilingual.Say("はい又はいいえ", "yes or no")
	case List:
		if len(f.Of) == 0 {
			return bilingual.Say("複数ある場合は「、」又は改行で区切る", "Several are separated by ; or line breaks")
		}
		var ja, en []string
		for _, x := range f.Of {
			ja, en = append(ja, x.Label.JA), append(en, x.Label.EN)
		}
		return bilingual.Say("1行に1件。「"+strings.Join(ja, " | ")+"」の順に | で区切る",
			"One a line, in the order "+strings.Join(en, " | "))
	}
	return bilingual.Text{}
}
