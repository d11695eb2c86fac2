package whatif

import (
	"encoding/csv"
	"net/http"
	"strings"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/posture/trial"
	"kakusho/verdict"
	"kakusho/web"
)

// export writes the moves the address asks for, all of them, as CSV for a
// spreadsheet.
func (s pages) export(r *web.Request, v *view) (web.Answer, error) {
	moves := v.t.Select(part(r))
	_, err := s.gate.Ask(r.Context(), gate.Request{
		Actor: r.Actor, At: r.At, Action: gate.Export, Object: "what-if", Scope: r.Actor.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"what": v.t.Draft.Address().Encode(), "rows": len(moves)}}},
	})
	if err != nil {
		return web.Answer{}, err
	}
	var b strings.Builder
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	head := []string{"現在の判定", "試算の判定", "項", "確認項目", "対象", "名称", "都道府県", "所属", "システム", "試算の理由", "現在の理由"}
	if r.Lang == bilingual.EN {
		head = []string{"outcome now", "outcome tried", "clause", "control", "subject", "name", "prefecture", "unit", "system", "reasons tried", "reasons now"}
	}
	_ = w.Write(head) // a strings.Builder takes everything
	for _, m := range moves {
		x := v.move(m)
		if sub, ok := v.t.After.Subject(m.Subject); ok {
			if f, _ := sub.Kind.Field(sub.Kind.Name); f.Personal {
				x.Name = "" // as exports of registers leave it out
			}
		}
		_ = w.Write([]string{
			label(m.From, r.Lang), label(m.To, r.Lang), x.ClauseLabel, x.Title, string(m.Subject), web.Cell(x.Name),
			v.place(trial.ByPrefecture, m.Place.Prefecture), v.place(trial.ByUnit, m.Place.Unit), v.place(trial.BySystem, m.Place.System),
			web.Cell(reasons(x.Would, r.Lang)), web.Cell(reasons(x.Was, r.Lang)),
		})
	}
	w.Flush()
	name := "what-if-" + r.At.Format("20060102-150405") + ".csv"
	return web.Answer{Download: &web.Download{Name: name, Type: "text/csv; charset=utf-8", Body: []byte(b.String())}}, nil
}

func (v *view) place(a trial.Axis, key string) string {
	if key == "" {
		return ""
	}
	return web.Cell(v.name(a, key))
}

func label(o verdict.Outcome, l bilingual.Lang) string {
	if o == "" {
		return bilingual.Say("（問わない）", "(not asked)").In(l)
	}
	return o.Label().In(l)
}

func reasons(v verdict.Verdict, l bilingual.Lang) string {
	var out []string
	for _, x := range v.Reasons {
		out = append(out, x.In(l))
	}
	return strings.Join(out, " / ")
}

// The answer to a program.
type (
	answer struct {
		trial.Summary
		Total int    `json:"total"` // moves selected by sort, by and in
		Moves []told `json:"moves"` // from "from" on, at most web.PageSize
	}
	told struct {
		Subject fact.Ref         `json:"subject"`
		Control string           `json:"control"`
		Clause  string           `json:"clause"`
		From    verdict.Outcome  `json:"from"`
		To      verdict.Outcome  `json:"to"`
		Reasons []verdict.Reason `json:"reasons"`
	}
	fault struct {
		Field   string `json:"field"`
		Message string `json:"message"`
	}
)

// program answers GET /api/v1/what-if with the same parameters as the page.
func (s pages) program(r *web.Request) (web.Answer, error) {
	d, faults := trial.Read(r.URL.Query())
	var t *trial.Trial
	if len(faults) == 0 {
		var err error
		if t, faults, err = s.run(r, d); err != nil {
			return web.Answer{}, err
		}
	}
	if len(faults) > 0 {
		out := []fault{}
		for _, f := range faults {
			out = append(out, fault{f.Field, f.Message.In(r.Lang)})
		}
		return web.Answer{Status: http.StatusUnprocessableEntity, JSON: map[string]any{"faults": out}}, nil
	}
	return web.Answer{JSON: answering(r, t)}, nil
}

func answering(r *web.Request, t *trial.Trial) answer {
	out := answer{Summary: t.Summary(), Moves: []told{}}
	selected := t.Select(part(r))
	out.Total = len(selected)
	for _, m := range web.Part(r, selected) {
		_, would := t.Reasons(m)
		out.Moves = append(out.Moves, told{m.Subject, m.Control, string(m.Clause), m.From, m.To, would.Reasons})
	}
	return out
}
