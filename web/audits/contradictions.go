package audits

import (
	"strings"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/contradict"
	"kakusho/register"
	"kakusho/verdict"
	"kakusho/web"
)

// contradiction is one as pages show it.
type contradiction struct {
	contradict.Contradiction
	Name, System       string
	Said               string // what is said, in words
	By                 string
	Title, ClauseLabel string // of the control that is not met
	Why                []string
	Link               string // to what says so
}

// contradictions are those within a filter: of decisions and the register, of papers
// and of findings.
func (p pages) contradict(r *web.Request, st *posture.Standing, f posture.Filter, only func(fact.Ref, string) bool) ([]contradiction, error) {
	found := contradict.Find(st, f)
	claims, err := p.claims(r, st, f)
	if err != nil {
		return nil, err
	}
	var out []contradiction
	for _, c := range append(found, contradict.Check(st, claims)...) {
		if only != nil && !only(c.Subject, c.Verdict.Control) {
			continue
		}
		out = append(out, p.shown(st, c, r.Lang))
	}
	return out, nil
}

// claims are what papers and findings say is in order, within a filter.
func (p pages) claims(r *web.Request, st *posture.Standing, f posture.Filter) (out []contradict.Claim, err error) {
	within := map[string]bool{}
	for _, pair := range st.Pairs(f) {
		within[string(pair.Subject)+" "+pair.Control] = true
	}
	add := func(e register.Entry, source contradict.Source) {
		v := values(e.Values)
		if within[v.text("subject")+" "+v.text("control")] {
			out = append(out, contradict.Claim{Source: source, Subject: fact.Ref(v.text("subject")), Control: v.text("control"), Entry: e.Ref})
		}
	}
	papers, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: paperKind, Equal: map[string]string{"result": "conforming", "status": "recorded"}})
	if err != nil {
		return nil, err
	}
	for _, e := range papers {
		add(e, contradict.Examined)
	}
	for _, state := range []string{"done", "closed"} {
		found, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: findingKind, Equal: map[string]string{"status": state}})
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			add(e, contradict.Improved)
		}
	}
	return out, nil
}

func (p pages) shown(st *posture.Standing, c contradict.Contradiction, l bilingual.Lang) contradiction {
	x := contradiction{Contradiction: c, Name: string(c.Subject), Title: c.Verdict.Control, ClauseLabel: string(c.Verdict.Clause)}
	if sub, ok := st.Subject(c.Subject); ok {
		x.Name, x.System = sub.Name, sub.System
	}
	if of, ok := p.posture.Control(c.Verdict.Control); ok {
		x.Title = of.Title.In(l)
	}
	if of, ok := p.posture.Directive().Clause(c.Verdict.Clause); ok {
		x.ClauseLabel = of.Label.In(l)
	}
	for _, reason := range c.Verdict.Reasons {
		if len(x.Why) < 3 {
			x.Why = append(x.Why, reason.In(l))
		}
	}
	switch c.Source {
	case contradict.Attested:
		x.Said, x.By, x.Link = p.answered(c.Decision, l), c.Decision.By, "/decision/"+c.Decision.ID
	case contradict.Declared:
		x.Said, x.Link = c.Field.In(l)+"："+verdict.Show(c.Said, l)+bilingual.Say("、観測：", "; observed: ").In(l)+verdict.Show(c.Seen, l), "/register/"+string(c.Subject)
	default:
		x.Said, x.Link = c.Entry.ID(), "/register/"+string(c.Entry)
	}
	return x
}

// answered is a decision's control and answer in words.
func (p pages) answered(d decision.Decision, l bilingual.Lang) string {
	c, ok := p.posture.Control(d.Control)
	if !ok || c.Record == nil {
		return d.Control + " " + d.Answer
	}
	answer := d.Answer
	for _, a := range c.Record.Answers {
		if a.Value == d.Answer {
			answer = a.Label.In(l)
		}
	}
	return c.Title.In(l) + "：" + answer
}

type contradictionsData struct {
	System  string
	Source  string
	Sources []option
	Systems []*posture.Subject
	Rows    []contradiction
	Pager   web.Pager
	CSV     string
}

func (p pages) contradictions(r *web.Request) (web.Answer, error) {
	st, err := p.posture.Now(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	v := r.URL.Query()
	d := contradictionsData{System: v.Get("system"), Source: v.Get("source"), Systems: st.Systems(), CSV: r.With("format", "csv")}
	all, err := p.contradict(r, st, posture.Filter{System: d.System, Clause: clause.ID(v.Get("clause"))}, nil)
	if err != nil {
		return web.Answer{}, err
	}
	var rows []contradiction
	counts := map[contradict.Source]int64{}
	for _, x := range all {
		if counts[x.Source]++; d.Source == "" || string(x.Source) == d.Source {
			rows = append(rows, x)
		}
	}
	d.Sources = []option{{"", bilingual.Say("全て", "All"), int64(len(all)), "/contradictions" + r.With("source", "")}}
	for _, s := range contradict.Sources {
		d.Sources = append(d.Sources, option{string(s), s.Label(), counts[s], "/contradictions" + r.With("source", string(s))})
	}
	if v.Get("format") == "csv" {
		return p.spreadsheet(r, "contradictions", contradictionTable(rows, r.Lang))
	}
	d.Rows, d.Pager = web.Part(r, rows), r.Pager(len(rows))
	return web.Answer{Page: "contradictions", Title: bilingual.Say("申告と事実の矛盾", "Said in order, while facts say no"), Data: d}, nil
}

func contradictionTable(rows []contradiction, l bilingual.Lang) [][]string {
	head := []string{"出所", "適合とする内容", "者", "日時", "対象", "システム", "項", "満たさない確認項目", "事実"}
	if l == bilingual.EN {
		head = []string{"source", "what is said", "by", "at", "subject", "system", "clause", "control not met", "facts"}
	}
	out := [][]string{head}
	for _, x := range rows {
		out = append(out, []string{x.Source.Label().In(l), x.Said, x.By, kind.Field{Type: kind.Time}.Format(stamp(x), l), string(x.Subject), x.System, x.ClauseLabel, x.Title, strings.Join(x.Why, " / ")})
	}
	return out
}

// stamp is when it was said; nil: the register does not tell.
func stamp(x contradiction) any {
	if x.Decision.At.IsZero() {
		return nil
	}
	return x.Decision.At
}
