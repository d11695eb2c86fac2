package kind

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"kakusho/bilingual"
	"kakusho/calendar"
)

// Parse reads a value as people write it in a form, a table or on the command
// line, in Japanese or English, and checks it as Check does. The empty text is
// nil, also for a required field: whether a value must be there is Check's to
// say. The error is a Fault.
//
//	bool      はい いいえ 有 無 ○ × true false 1 0 yes no
//	date      2026-11-02 2026/11/2 20261102 2026年11月2日 R8.11.2 令和8年11月2日
//	time      a date, then 15:04[:05] or 15時4分, in Tokyo unless a zone is given
//	duration  15m 90d 90日 1時間30分 12か月
//	choice    the value, or its label in either language
//	list      elements between ; or 、 or , or line breaks (\; is a plain ;)
//	records   one a line, fields between | in the order of the schema
//
// Digits and signs may be full-width. Names are never folded.
func (f Field) Parse(s string) (any, error) {
	if trim(s, f.Type == Text) == "" {
		return nil, nil
	}
	switch f.Type {
	case String, Ref, Text:
		return f.Check(s)
	case Int:
		n, err := strconv.ParseInt(f.digits(s), 10, 64)
		if err != nil {
			return nil, f.fault("整数として読めない（入力値「%s」）。", "%q is no whole number", excerpt(s))
		}
		return f.Check(n)
	case Number:
		n, err := strconv.ParseFloat(f.digits(s), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return nil, f.fault("数値として読めない（入力値「%s」）。", "%q is no number", excerpt(s))
		}
		return f.Check(n)
	case Bool:
		return f.parseBool(s)
	case Date:
		return f.readDate(s)
	case Time:
		return f.readTime(s)
	case Duration:
		return f.readSpan(s)
	case Enum:
		return f.parseChoice(s)
	}
	return f.parseList(s)
}

var thousands = regexp.MustCompile(`^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$`)

// digits is a number without its unit and its thousands separators.
func (f Field) digits(s string) string {
	s = calendar.Fold(s)
	if f.Unit != "" {
		s = strings.TrimSpace(strings.TrimSuffix(s, calendar.Fold(f.Unit)))
	}
	if thousands.MatchString(s) {
		s = strings.ReplaceAll(s, ",", "")
	}
	return s
}

// The ways to say yes and no, folded and in lower case.
var (
	yes = []string{"はい", "有", "あり", "有り", "○", "◯", "〇", "true", "yes", "y", "1", "✓", "✔"}
	no  = []string{"いいえ", "無", "なし", "無し", "×", "✕", "✗", "x", "false", "no", "n", "0"}
)

func (f Field) parseBool(s string) (any, error) {
	word := strings.ToLower(calendar.Fold(s))
	switch {
	case slices.Contains(yes, word):
		return true, nil
	case slices.Contains(no, word):
		return false, nil
	}
	return nil, f.fault("「はい」又は「いいえ」とする（入力値「%s」）。", "%q is neither yes nor no", excerpt(s))
}

// likeness makes words of a fixed list comparable however they were typed.
func likeness(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(s)), " "))
}

func (f Field) parseChoice(s string) (any, error) {
	word := likeness(s)
	for _, c := range f.Choices {
		if word == likeness(c.Value) || word == likeness(c.Label.JA) || word == likeness(c.Label.EN) {
			return c.Value, nil
		}
	}
	return nil, f.noChoice(s)
}

func (f Field) noChoice(s string) Fault {
	var ja, en []string
	for _, c := range f.Choices {
		ja = append(ja, c.Label.JA)
		en = append(en, c.Value)
	}
	return Fault{Field: f.Name, Label: f.Label, Message: bilingual.Text{
		JA: "選択肢にない（入力値「" + excerpt(s) + "」）。次のいずれかとする：" + strings.Join(ja, "、"),
		EN: strconv.Quote(excerpt(s)) + " is none of: " + strings.Join(en, ", "),
	}}
}

// What separates the elements of a list, and the fields of a record.
const (
	separators = ";；、,，\n"
	bar        = '|'
)

func (f Field) parseList(s string) (any, error) {
	list := []any{}
	if len(f.Of) > 0 {
		for i, line := range split(s, "\n") {
			record, err := f.parseRecord(i, line)
			if err != nil {
				return nil, err
			}
			list = append(list, record)
		}
		return f.orNothing(list)
	}
	for i, part := range split(s, separators) {
		part = unescape(part)
		if len(f.Choices) > 0 {
			place := f
			place.Name = f.Name + "[" + strconv.Itoa(i) + "]"
			v, err := place.parseChoice(part)
			if err != nil {
				return nil, err
			}
			part, _ = v.(string)
		}
		list = append(list, part)
	}
	return f.orNothing(list)
}

// orNothing checks a list; separators alone are no value, as blanks are none.
func (f Field) orNothing(list []any) (any, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return f.Check(list)
}

func (f Field) parseRecord(i int, line string) (map[string]any, error) {
	parts := split(line, string(bar))
	place := f
	place.Name = f.Name + "[" + strconv.Itoa(i) + "]"
	if len(parts) > len(f.Of) {
		return nil, place.fault("%d個の値があるが、項目は%d個（%s）。", "%d values for %d fields (%s)", len(parts), len(f.Of), f.columns())
	}
	record := map[string]any{}
	for n, part := range parts {
		field := f.Of[n]
		name := field.Name
		field.Name = place.Name + "." + name
		v, err := field.Parse(unescape(part))
		if err != nil {
			return nil, err
		}
		if v != nil {
			record[name] = v
		}
	}
	return record, nil
}

// columns names the fields of a record in the order they are written.
func (f Field) columns() string {
	var names []string
	for _, x := range f.Of {
		names = append(names, x.Name)
	}
	return strings.Join(names, " | ")
}

// split cuts s at unescaped runes of seps and drops blank parts, except between
// the fields of a record, where a blank part is an empty field.
func split(s, seps string) []string {
	var parts []string
	var b strings.Builder
	add := func() {
		if strings.TrimSpace(b.String()) != "" || seps == string(bar) {
			parts = append(parts, b.String())
		}
		b.Reset()
	}
	escaped := false
	for _, r := range strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n") {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case strings.ContainsRune(seps, r):
			add()
			continue
		}
		b.WriteRune(r)
	}
	add()
	return parts
}

// unescape drops the backslash before a separator or a backslash; any other
// backslash, as in a Windows path, stands for itself.
func unescape(s string) string {
	var b strings.Builder
	rest := s
	for {
		head, tail, ok := strings.Cut(rest, `\`)
		b.WriteString(head)
		if !ok {
			return b.String()
		}
		r, size := utf8.DecodeRuneInString(tail)
		if size > 0 && (r == '\\' || r == bar || strings.ContainsRune(separators, r)) {
			b.WriteString(tail[:size])
			tail = tail[size:]
		} else {
			b.WriteByte('\\')
		}
		rest = tail
	}
}

// escape is the reverse of unescape for one element or field.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `|`, `\|`, `;`, `\;`, `；`, `\；`, `、`, `\、`, `,`, `\,`, `，`, `\，`).Replace(s)
}
