package demo

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/verdict"
)

// Refused is what a planted fault comes to that never gets as far as a verdict:
// the decision itself is not taken.
const Refused verdict.Outcome = "refused"

// Planted is one fault laid in the body on purpose, and what must come of it.
type Planted struct {
	Clause  clause.ID       `yaml:"clause"` // empty: the control's first
	Control string          `yaml:"control"`
	Subject string          `yaml:"subject"` // kind/number
	Sibling string          `yaml:"sibling"` // like it, and without the fault: conforms
	What    bilingual.Text  `yaml:"what"`
	Outcome verdict.Outcome `yaml:"outcome"` // empty: violates

	Lay    string         `yaml:"lay"`    // where Set is laid; empty: the subject itself
	Set    map[string]any `yaml:"set"`    // declared fields instead; nil: blank
	See    map[string]any `yaml:"see"`    // observed fields instead; with "+" behind the name: records more
	Answer string         `yaml:"answer"` // what was answered; "none": nothing was
	Since  int            `yaml:"since"`  // what is seen was seen first that many days ago
}

// List is the planted faults, in order of clause.
func List(controls []control.Control) ([]Planted, error) {
	var out []Planted
	if err := read(prefectural, "planted.yaml", &out); err != nil {
		return nil, err
	}
	clauses := map[string]clause.ID{}
	for _, c := range controls {
		clauses[c.ID] = c.Clauses[0]
	}
	for i := range out {
		p := &out[i]
		if p.Outcome == "" {
			p.Outcome = verdict.Violates
		}
		if p.Clause == "" {
			p.Clause = clauses[p.Control]
		}
		if p.Clause == "" {
			return nil, fmt.Errorf("planted fault %q of %s: no such control", p.Control, p.Subject)
		}
	}
	return out, nil
}

// writeList writes the planted faults as a table that Excel reads.
func writeList(dir string, d *directive.Directive, controls []control.Control) (string, error) {
	list, err := List(controls)
	if err != nil {
		return "", err
	}
	titles := map[string]string{}
	for _, c := range controls {
		titles[c.ID] = c.Title.JA
	}
	var b bytes.Buffer
	b.WriteString("\uFEFF")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	rows := [][]string{{"項", "項の内容", "確認項目", "確認項目名", "対象", "仕込んだ不備", "想定する判定", "不備のない類例"}}
	for _, p := range list {
		c, _ := d.Clause(p.Clause)
		outcome := p.Outcome.Label().JA
		if p.Outcome == Refused {
			outcome = "受理しない"
		}
		rows = append(rows, []string{string(p.Clause), c.Title.JA, p.Control, titles[p.Control], p.Subject, p.What.JA, outcome, p.Sibling})
	}
	if err := w.WriteAll(rows); err != nil {
		return "", fmt.Errorf("write list of planted faults: %w", err)
	}
	path := filepath.Join(dir, "planted.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("write list of planted faults: %w", err)
	}
	return path, nil
}

// about lists the planted faults of one subject.
func (b *body) about(subject string) (out []Planted) {
	for _, p := range b.planted {
		if p.Subject == subject {
			out = append(out, p)
		}
	}
	return out
}

// plus is a field's name without the "+" that asks for records more.
func plus(name string) (string, bool) { return strings.CutSuffix(name, "+") }
