// Package document reads the YAML of detection rules, with the line of everything for
// whoever must mend it. It takes no aliases and no deep nesting, so that a small text
// stays a small rule.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Document is one YAML document of a file: one rule.
type Document struct {
	File string
	Part int // from 0
	Root *yaml.Node
}

// Fault names the file and the line.
func (d Document) Fault(at *yaml.Node, format string, a ...any) error {
	return fmt.Errorf("%s line %d: %s", d.File, at.Line, fmt.Sprintf(format, a...))
}

// Read splits a text into its documents; empty ones are passed over.
func Read(name string, text []byte) ([]Document, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var out []Document
	for {
		var n yaml.Node
		switch err := dec.Decode(&n); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if n.Kind != yaml.DocumentNode || len(n.Content) != 1 || n.Content[0].Kind != yaml.MappingNode {
			if len(n.Content) == 1 && n.Content[0].Tag == "!!null" {
				continue
			}
			return nil, fmt.Errorf("%s line %d: a rule is a mapping", name, n.Line)
		}
		if err := noAlias(&n, 0); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
		out = append(out, Document{File: name, Part: len(out), Root: n.Content[0]})
	}
}

// noAlias refuses what could make a small text a large rule.
func noAlias(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode || depth > 40 {
		return fmt.Errorf("line %d: aliases and deep nesting are not allowed in a rule", n.Line)
	}
	for _, c := range n.Content {
		if err := noAlias(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// Pairs calls f for each key of a mapping; a key twice is a fault.
func (d Document) Pairs(n *yaml.Node, f func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return d.Fault(n, "want a mapping")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if seen[k.Value] {
			return d.Fault(k, "%q stands here twice", k.Value)
		}
		seen[k.Value] = true
		if err := f(k, n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// Texts reads one text or a list of them.
func (d Document) Texts(n *yaml.Node) ([]string, error) {
	switch n.Kind {
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return nil, nil
		}
		return []string{n.Value}, nil
	case yaml.SequenceNode:
		var out []string
		for _, c := range n.Content {
			if c.Kind != yaml.ScalarNode {
				return nil, d.Fault(c, "want a text")
			}
			out = append(out, c.Value)
		}
		return out, nil
	}
	return nil, d.Fault(n, "want a text or a list of texts")
}
