package specification

import (
	"bytes"
	_ "embed" // the text
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/bilingual"
	"kakusho/kind"
)

//go:embed text.yaml
var text []byte

// Article is one numbered article of the text.
type Article struct {
	Field      string         `yaml:"field,omitempty"` // whose item puts it in; its place and reason are FIELD_page and FIELD_reason
	Heading    bilingual.Text `yaml:"heading"`
	Paragraphs []Paragraph    `yaml:"paragraphs"`
}

// Paragraph is one numbered paragraph of an article.
type Paragraph struct {
	If             Condition `yaml:"if,omitempty"`
	bilingual.Text `yaml:",inline"`
}

// Condition is when a paragraph stands: "field", "!field" or "field=a|b". Empty: always.
type Condition string

// field is what a condition asks, and what its value has to be one of.
func (c Condition) field() (name string, not bool, values []string) {
	name, list, chosen := strings.Cut(string(c), "=")
	name, not = strings.CutPrefix(name, "!")
	if chosen {
		values = strings.Split(list, "|")
	}
	return name, not, values
}

// Holds reports whether it holds of an entry's values.
func (c Condition) Holds(values map[string]any) bool {
	name, not, among := c.field()
	if name == "" {
		return true
	}
	v, there := values[name]
	if among != nil {
		s, _ := v.(string)
		return slices.Contains(among, s) != not
	}
	return (there && v != nil && v != false) != not
}

var blank = regexp.MustCompile(`\{([a-z_]+)\}`)

// fill puts an entry's values into a text.
func fill(s string, k kind.Kind, values map[string]any, l bilingual.Lang) string {
	return blank.ReplaceAllStringFunc(s, func(m string) string {
		f, _ := k.Field(m[1 : len(m)-1])
		return f.Format(values[f.Name], l)
	})
}

// Parse reads articles for entries of a kind. All faults are reported at once.
func Parse(b []byte, k kind.Kind) (articles []Article, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&articles); err != nil {
		return nil, fmt.Errorf("text of the specification: %w", err)
	}
	var faults []error
	bad := func(format string, a ...any) {
		faults = append(faults, fmt.Errorf("text of the specification: "+format, a...))
	}
	for _, a := range articles {
		a.check(k, bad)
	}
	return articles, errors.Join(faults...)
}

func (a Article) check(k kind.Kind, bad func(string, ...any)) {
	name := a.Heading.EN
	known := func(field string) {
		if f, ok := k.Field(field); !ok || !f.In(kind.Declared) {
			bad("%s: %q is no declared field of %s", name, field, k.ID)
		}
	}
	if a.Field != "" {
		known(a.Field)
		known(a.Field + "_page")
	}
	if !a.Heading.Complete() || len(a.Paragraphs) == 0 {
		bad("%s: an article has a heading in ja and en, and paragraphs", name)
	}
	for _, p := range a.Paragraphs {
		if !p.Complete() {
			bad("%s: a paragraph needs ja and en", name)
		}
		if field, _, values := p.If.field(); p.If != "" {
			known(field)
			f, _ := k.Field(field)
			for _, v := range values {
				if !slices.ContainsFunc(f.Choices, func(c kind.Choice) bool { return c.Value == v }) {
					bad("%s: %q is no value of %s", name, v, field)
				}
			}
		}
		ja, en := blank.FindAllString(p.JA, -1), blank.FindAllString(p.EN, -1)
		if !slices.Equal(ja, en) {
			bad("%s: ja has %v and en %v", name, ja, en)
		}
		for _, m := range ja {
			known(m[1 : len(m)-1])
		}
	}
}
