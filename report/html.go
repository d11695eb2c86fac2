package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/verdict"
)

//go:embed report.html
var page string

// html writes one self-contained page that prints on A4.
func (r *Report) html(w io.Writer, l bilingual.Lang) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"say":    func(ja, en string) string { return bilingual.Say(ja, en).In(l) },
		"in":     func(x bilingual.Text) string { return x.In(l) },
		"label":  func(o verdict.Outcome) string { return o.Label().In(l) },
		"reason": func(x verdict.Reason) string { return x.In(l) },
		"moment": func(x time.Time) string {
			if x.IsZero() {
				return "—"
			}
			return x.In(calendar.Tokyo()).Format("2006-01-02 15:04:05")
		},
		"control":  func(id string) string { return r.titles[id].In(l) },
		"remedy":   func(id string) string { return r.remedies[id].In(l) },
		"outcomes": func() []verdict.Outcome { return verdict.Outcomes },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("parse report: %w", err)
	}
	if err := t.Execute(w, struct {
		*Report
		Lang bilingual.Lang
	}{r, l}); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
