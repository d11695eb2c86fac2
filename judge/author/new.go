package author

import (
	"fmt"
	"regexp"
	"strings"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/kind"
)

// Fault is a mistake of the author's.
type Fault bilingual.Text

// Error is the English half.
func (f Fault) Error() string { return f.EN }

// Text is the fault in both languages.
func (f Fault) Text() bilingual.Text { return bilingual.Text(f) }

func fault(ja, en string, a ...any) error {
	return Fault(bilingual.Say(fmt.Sprintf(ja, a...), fmt.Sprintf(en, a...)))
}

// Wish says what a new control is to be about.
type Wish struct {
	ID, Kind, Field string // without a field: a yes-or-no field of the kind
	Clause          clause.ID
}

var controlID = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*$`)

// New is the three papers of a new control, by file name. They load, compile and
// judge; Lint refuses them until their placeholders are written.
func (d Desk) New(w Wish) (map[string]string, error) {
	if !controlID.MatchString(w.ID) {
		return nil, fault("確認項目の名は 区分/名前 の形で、英小文字、数字及び - で書くこと：%q", "name a control area/name, in small letters, digits and dashes: %q", w.ID)
	}
	k, ok := d.Kinds[w.Kind]
	if !ok {
		return nil, fault("台帳の種別 %q はない。次のいずれかとすること：%s", "there is no kind %q; one of %s", w.Kind, strings.Join(d.Kinds.IDs(), ", "))
	}
	if _, ok := d.Directive.Clause(w.Clause); !ok {
		return nil, fault("項 %q はない。kakusho clauses で一覧を見ること。", "there is no clause %q; kakusho clauses lists them", w.Clause)
	}
	f, ok := chosen(k, w.Field)
	if !ok {
		return nil, fault("種別 %s に項目 %q はない。docs/fields.md を見ること。", "kind %s has no field %q; see docs/fields.md", w.Kind, w.Field)
	}
	rule, good, bad := begun(f)
	where := "declared"
	if f.In(kind.Observed) || f.In(kind.Derived) {
		where = "facts"
	}
	fill := strings.NewReplacer("{id}", w.ID, "{clause}", string(w.Clause), "{kind}", w.Kind, "{field}", f.Name, "{todo}", Placeholder,
		"{label}", f.Label.JA, "{LABEL}", f.Label.EN, "{rule}", rule, "{where}", where, "{good}", good, "{bad}", bad)
	return map[string]string{"control.yaml": fill.Replace(paper), "rule.cel": fill.Replace(expression), "cases.txtar": fill.Replace(cases)}, nil
}

// chosen is the field named, or one that is true or false.
func chosen(k kind.Kind, name string) (kind.Field, bool) {
	if name != "" {
		return k.Field(name)
	}
	for _, f := range k.Fields {
		if f.Type == kind.Bool {
			return f, true
		}
	}
	return k.Field(k.Key)
}

// begun is a rule about a field, with a value that conforms and one that does not.
func begun(f kind.Field) (rule, good, bad string) {
	read := "s." + f.Name
	switch f.Type {
	case kind.Bool:
		return read, "true", "false"
	case kind.Int, kind.Number:
		least := int64(0)
		if f.Least != nil {
			least = *f.Least
		}
		if f.Type == kind.Number {
			return fmt.Sprintf("%s >= %d.0", read, least+1), fmt.Sprintf("%d.0", least+1), fmt.Sprintf("%d.0", least)
		}
		return fmt.Sprintf("%s >= %d", read, least+1), fmt.Sprint(least + 1), fmt.Sprint(least)
	case kind.Time:
		return "now - " + read + ` <= duration("720h")`, "2026-10-02T12:00:00Z", "2026-10-02T11:59:59Z"
	case kind.Date:
		return read + " > now", "2026-11-02", "2026-11-01"
	case kind.Duration:
		return read + ` <= duration("1h")`, "1h", "61m"
	case kind.List:
		return "size(" + read + ") == 0", "[]", "[" + one(f) + "]"
	case kind.Enum:
		if len(f.Choices) > 1 {
			return fmt.Sprintf("%s == %q", read, f.Choices[0].Value), f.Choices[0].Value, f.Choices[1].Value
		}
	}
	return read + ` != "x"`, "y", "x"
}

// one is an element of a list as a case writes it.
func one(f kind.Field) string {
	if len(f.Of) == 0 {
		if len(f.Choices) > 0 {
			return f.Choices[0].Value
		}
		return "x"
	}
	_, value, _ := begun(f.Of[0])
	return "{" + f.Of[0].Name + ": " + value + "}"
}

const paper = `id: {id}
clauses: [{clause}]
kinds: [{kind}]
title:
  ja: "{todo} 何を確認するか（体言止め）"
  en: "{todo} what is checked"
why:
  ja: "{todo} なぜこの確認が要件の充足を示すか。"
  en: "{todo} why this shows that the requirement is met."
mechanisms: [verify]
applies: 'true'
needs: [{field}]
remedy:
  ja: |
    1. {todo} 何をすればよいか。
  en: |
    1. {todo} what to do about it.
`

const expression = `// {todo}: {label} / {LABEL}
{rule}
`

const cases = `-- it-is-so.yaml --
{where}: {{field}: {good}}
want: conforms
because: [{field}]
-- it-is-not-so.yaml --
{where}: {{field}: {bad}}
want: violates
because: [{field}]
-- nobody-looked.yaml --
want: unknown
because: [{field}]
`
