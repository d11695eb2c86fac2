package detection

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/sigma/document"
)

// selection compiles one search identifier: a mapping (all of it), a list of
// mappings or of keywords (one of them).
func (c *Compiler) selection(d document.Document, n *yaml.Node) (Test, error) {
	switch n.Kind {
	case yaml.MappingNode:
		var tests []Test
		err := d.Pairs(n, func(k, v *yaml.Node) error {
			a, err := c.ask(d, k)
			if err != nil {
				return err
			}
			t, err := c.values(d, a, v)
			tests = append(tests, t)
			return err
		})
		if err == nil && len(tests) == 0 {
			err = d.Fault(n, "an empty selection finds everything")
		}
		if err != nil {
			return nil, err
		}
		return every(tests), nil
	case yaml.SequenceNode:
		var tests []Test
		for _, x := range n.Content {
			t, err := c.element(d, x)
			if err != nil {
				return nil, err
			}
			tests = append(tests, t)
		}
		if len(tests) == 0 {
			return nil, d.Fault(n, "an empty list finds nothing")
		}
		return any1(tests), nil
	}
	return c.values(d, asked{}, n) // a single keyword
}

func (c *Compiler) element(d document.Document, n *yaml.Node) (Test, error) {
	if n.Kind == yaml.MappingNode {
		return c.selection(d, n)
	}
	return c.values(d, asked{}, n)
}

// condition compiles a detection.
func (c *Compiler) condition(d document.Document, n *yaml.Node) (Test, error) {
	p := &parser{d: d, tests: map[string]Test{}}
	var condition *yaml.Node
	err := d.Pairs(n, func(k, v *yaml.Node) error {
		switch k.Value {
		case "condition":
			condition = v
			return nil
		case "timeframe":
			return d.Fault(k, "timeframe is obsolete: use a correlation")
		}
		t, err := c.selection(d, v)
		p.tests[k.Value] = t
		p.names = append(p.names, k.Value)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case condition == nil:
		return nil, d.Fault(n, "a detection needs a condition")
	case len(p.names) > 500:
		return nil, d.Fault(n, "%d selections, at most 500", len(p.names))
	}
	list, err := d.Texts(condition)
	if err != nil {
		return nil, err
	}
	var tests []Test
	for _, s := range list {
		p.at, p.tokens, p.next = condition, tokens(s), 0
		t, err := p.whole()
		if err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	if len(tests) == 0 {
		return nil, d.Fault(condition, "an empty condition finds nothing")
	}
	return any1(tests), nil
}

func tokens(s string) []string {
	return strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", "|", " | ").Replace(s))
}

// parser reads a condition: or binds least, then and, not, "1 of", brackets.
type parser struct {
	d      document.Document
	at     *yaml.Node
	tests  map[string]Test
	names  []string
	tokens []string
	next   int
	depth  int
}

func (p *parser) peek() string {
	if p.next < len(p.tokens) {
		return p.tokens[p.next]
	}
	return ""
}

func (p *parser) take(word string) bool {
	if strings.EqualFold(p.peek(), word) && word != "" {
		p.next++
		return true
	}
	return false
}

func (p *parser) whole() (Test, error) {
	t, err := p.or()
	switch rest := p.peek(); {
	case err != nil:
		return nil, err
	case rest == "|":
		return nil, p.d.Fault(p.at, "condition: aggregation behind | is obsolete: use a correlation")
	case rest != "":
		return nil, p.d.Fault(p.at, "condition: %q was not expected", rest)
	}
	return t, nil
}

func (p *parser) or() (Test, error) {
	return p.chain("or", p.and, any1)
}

func (p *parser) and() (Test, error) {
	return p.chain("and", p.not, every)
}

func (p *parser) chain(word string, operand func() (Test, error), join func([]Test) Test) (Test, error) {
	var tests []Test
	for {
		t, err := operand()
		if err != nil {
			return nil, err
		}
		if tests = append(tests, t); !p.take(word) {
			return join(tests), nil
		}
	}
}

func (p *parser) not() (Test, error) {
	if p.depth++; p.depth > 100 {
		return nil, p.d.Fault(p.at, "condition: nested too deeply")
	}
	defer func() { p.depth-- }()
	if p.take("not") {
		t, err := p.not()
		if err != nil {
			return nil, err
		}
		return not(t), nil
	}
	if p.take("(") {
		t, err := p.or()
		if err == nil && !p.take(")") {
			err = p.d.Fault(p.at, "condition: a bracket is not closed")
		}
		return t, err
	}
	return p.operand()
}

func (p *parser) operand() (Test, error) {
	word := p.peek()
	p.next++
	if slices.Contains([]string{"1", "any", "all"}, strings.ToLower(word)) && p.take("of") {
		return p.of(word)
	}
	t, ok := p.tests[word]
	switch {
	case word == "":
		return nil, p.d.Fault(p.at, "condition: ends too early")
	case strings.EqualFold(word, "near"):
		return nil, p.d.Fault(p.at, "condition: near is obsolete: use a correlation")
	case !ok && strings.EqualFold(p.peek(), "of"):
		return nil, p.d.Fault(p.at, "condition: %q of: only 1, any and all are known", word)
	case !ok:
		return nil, p.d.Fault(p.at, "condition: no selection is called %q", word)
	}
	return t, nil
}

// of is "1 of them" and the like. Selections that begin with _ are not of them.
func (p *parser) of(quantity string) (Test, error) {
	pattern := p.peek()
	p.next++
	var tests []Test
	for _, name := range p.names {
		if strings.EqualFold(pattern, "them") {
			if strings.HasPrefix(name, "_") {
				continue
			}
		} else if ok, err := path.Match(pattern, name); err != nil || !ok {
			continue
		}
		tests = append(tests, p.tests[name])
	}
	if len(tests) == 0 {
		return nil, p.d.Fault(p.at, "condition: no selection fits %q", pattern)
	}
	if strings.EqualFold(quantity, "all") {
		return every(tests), nil
	}
	return any1(tests), nil
}
