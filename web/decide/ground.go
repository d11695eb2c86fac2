package decide

import (
	"strings"

	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/posture"
	"kakusho/posture/claim"
)

// groundLine is a ground on which an exception may be claimed, or was, and whether it
// holds of the subject now.
type groundLine struct {
	control.Ground
	Label        bilingual.Text // of its clause
	Holds, Known bool
	Records      []recordLine
}

// recordLine is something that is written down with an exception.
type recordLine struct {
	control.Recorded
	Field string // of the form
	Typed string
	Said  bilingual.Text
}

func (s pages) line(st *posture.Standing, c control.Control, g control.Ground, sub *posture.Subject, said func(control.Recorded, string) string) groundLine {
	out := groundLine{Ground: g}
	if cl, ok := s.posture.Directive().Clause(g.Clause); ok {
		out.Label = cl.Label
	}
	out.Holds, out.Known = claim.Holds(st, sub.Ref, c.ID, g.ID)
	for _, r := range g.Record {
		line := recordLine{Recorded: r, Field: "recorded." + g.ID + "." + r.Name}
		line.Typed = said(r, line.Field)
		line.Said = r.Said(line.Typed)
		out.Records = append(out.Records, line)
	}
	return out
}

func (s pages) grounds(st *posture.Standing, c control.Control, sub *posture.Subject, typed map[string]string) (out []groundLine) {
	for _, g := range c.Grounds {
		out = append(out, s.line(st, c, g, sub, func(_ control.Recorded, field string) string { return typed[field] }))
	}
	return out
}

// ground is that of an exception as it was claimed; nil: it has none.
func (s pages) ground(st *posture.Standing, d decision.Decision, c *control.Control) *groundLine {
	sub, ok := st.Subject(d.Subject)
	if c == nil || !ok || sub.Closed {
		return nil
	}
	g, ok := c.Ground(d.Ground)
	if !ok {
		return nil
	}
	line := s.line(st, *c, g, sub, func(r control.Recorded, _ string) string { text, _ := d.Recorded[r.Name].(string); return text })
	return &line
}

// recorded is what a form says is written down for the ground it chose.
func recorded(typed map[string]string) (out map[string]any) {
	for name, text := range typed {
		if of, ok := strings.CutPrefix(name, "recorded."+typed["ground"]+"."); ok && typed["ground"] != "" && text != "" {
			if out == nil {
				out = map[string]any{}
			}
			out[of] = text
		}
	}
	return out
}
