// Package report writes how things stand as papers: a table for a terminal,
// JSON for programs, HTML for people, OSCAL assessment results for other tools.
//
// A report is a value; the writers decide nothing. The same report in any form
// says the same.
package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/directive"
	"kakusho/posture"
	"kakusho/verdict"
)

// Report is one look at one or more subjects.
type Report struct {
	Version   string            `json:"version"` // of the program
	Source    string            `json:"source"`  // of the directive
	Title     bilingual.Text    `json:"title"`   // of the directive
	At        time.Time         `json:"at"`      // instant of judgement
	Root      string            `json:"root"`    // what was looked at
	Host      string            `json:"host"`    // its name, as found
	Privilege string            `json:"privilege"`
	Assumed   map[string]string `json:"assumed,omitempty"` // declarations that stand in for a register
	Clauses   []Line            `json:"clauses"`           // every clause of the directive, in order
	Verdicts  []verdict.Verdict `json:"verdicts"`          // in order of clause, worst first
	Summary   posture.Tally     `json:"summary"`           // of the obligations
	Seal      *Seal             `json:"seal,omitempty"`    // nil: of no installation

	titles   map[string]bilingual.Text // of controls
	remedies map[string]bilingual.Text
	sections []directive.Section
}

// Line is one clause rolled up. Without a single verdict it is unknown.
type Line struct {
	Clause   clause.ID       `json:"clause"`
	Label    bilingual.Text  `json:"label"`
	Title    bilingual.Text  `json:"title"`
	Type     clause.Type     `json:"type"`
	Outcome  verdict.Outcome `json:"outcome"`
	Verdicts int             `json:"verdicts"`
}

// Seal is how an installation's trail stood when the report was made, for paper:
// who keeps it can later see that the trail still begins so. The words come from
// whoever can see the trail.
type Seal struct {
	Origin string        `json:"origin"` // name of the trail
	Size   int64         `json:"size"`   // segments
	Code   string        `json:"code"`   // characters to compare
	Text   string        `json:"text"`   // signed checkpoint, what the QR code holds
	QR     template.HTML `json:"-"`      // SVG, made by this program
}

// New makes a report of a standing.
func New(p *posture.Posture, st *posture.Standing, version string) *Report {
	d := p.Directive()
	r := &Report{
		Version: version, Source: d.Source, Title: d.Title, At: st.At, Verdicts: st.Verdicts(posture.Filter{}), Summary: posture.Tally{},
		titles: map[string]bilingual.Text{}, remedies: map[string]bilingual.Text{}, sections: d.Sections,
	}
	for _, c := range p.Controls() {
		r.titles[c.ID], r.remedies[c.ID] = c.Title, c.Remedy
	}
	for _, c := range d.Clauses {
		t := st.Clause(c.ID, "*")
		r.Clauses = append(r.Clauses, Line{c.ID, c.Label, c.Title, c.Type, t.Outcome(), t.Total()})
		if c.Type == clause.Obligation {
			r.Summary[t.Outcome()]++
		}
	}
	slices.SortStableFunc(r.Verdicts, func(a, b verdict.Verdict) int {
		return cmp.Or(clause.Compare(a.Clause, b.Clause), cmp.Compare(rank(a.Outcome), rank(b.Outcome)))
	})
	return r
}

func rank(o verdict.Outcome) int { return slices.Index(verdict.Outcomes, o) }

// Violates reports whether anything does not conform.
func (r *Report) Violates() bool {
	return slices.ContainsFunc(r.Verdicts, func(v verdict.Verdict) bool {
		return v.Outcome == verdict.Violates || v.Outcome == verdict.Error
	})
}

// Formats are the names Write knows.
var Formats = []string{"table", "json", "html", "oscal"}

// Write writes the report in one of Formats. detailed adds what conforms and what
// does not apply to the table; the other forms always hold everything.
func (r *Report) Write(w io.Writer, format string, l bilingual.Lang, width int, detailed bool) error {
	switch format {
	case "table":
		return r.table(w, l, width, detailed)
	case "json":
		return r.json(w)
	case "html":
		return r.html(w, l)
	case "oscal":
		return r.oscal(w)
	}
	return fmt.Errorf("format %q: want one of %v", format, Formats)
}

// line is a verdict as programs read it: every key is there, next_change null when
// nothing changes by time alone.
type line struct {
	verdict.Verdict
	NextChange *time.Time `json:"next_change"`
}

func (r *Report) json(w io.Writer) error {
	verdicts := make([]line, len(r.Verdicts))
	for i, v := range r.Verdicts {
		verdicts[i].Verdict = v
		if !v.NextChange.IsZero() {
			verdicts[i].NextChange = &v.NextChange
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		*Report
		Verdicts []line `json:"verdicts"`
	}{r, verdicts})
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
