// Package bilingual holds text that exists in Japanese and in English.
//
// Japanese binds, English helps: a Text always has its Japanese, and In falls
// back to it. Nothing here translates; both halves are written by people and
// stand side by side where they are used.
package bilingual

// Lang is a page's or a terminal's language.
type Lang string

// The two languages. The zero Lang reads as Japanese.
const (
	JA Lang = "ja"
	EN Lang = "en"
)

// ParseLang reads a language as people and browsers write it ("ja", "ja-JP",
// "ja_JP.UTF-8", "en"). It reports false when s names neither language.
func ParseLang(s string) (Lang, bool) {
	if len(s) < 2 || len(s) > 2 && s[2] != '-' && s[2] != '_' && s[2] != '.' {
		return JA, false
	}
	switch s[:2] {
	case "ja", "JA", "Ja":
		return JA, true
	case "en", "EN", "En":
		return EN, true
	}
	return JA, false
}

// Text is one piece of writing in both languages.
type Text struct {
	JA string `yaml:"ja" json:"ja"`
	EN string `yaml:"en" json:"en"`
}

// Say pairs the two halves at the place of use.
func Say(ja, en string) Text { return Text{JA: ja, EN: en} }

// In returns the half for l; an empty English half falls back to Japanese.
func (t Text) In(l Lang) string {
	if l == EN && t.EN != "" {
		return t.EN
	}
	return t.JA
}

// Complete reports whether both halves are written. Texts that ship with the
// program must be; texts that users type need only one.
func (t Text) Complete() bool { return t.JA != "" && t.EN != "" }
