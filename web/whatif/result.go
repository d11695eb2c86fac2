package whatif

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/directive"
	"kakusho/posture"
	"kakusho/posture/head"
	"kakusho/posture/trial"
	"kakusho/verdict"
	"kakusho/web"
)

// view is a trial as one page shows it.
type view struct {
	r     *web.Request
	t     *trial.Trial
	names map[trial.Axis]map[string]string
}

func newView(r *web.Request, t *trial.Trial) *view {
	return &view{r, t, map[trial.Axis]map[string]string{}}
}

type result struct {
	At, On    time.Time
	Ahead     bool // another day than today is tried
	Changes   []string
	Counts    []count
	Standing  []compared
	Passages  []trial.Passage
	Work      trial.Work
	Axes      []tab
	Lines     []line
	Moves     []move
	Pager     web.Pager
	Sorts     []trial.Sort
	Part      trial.Part
	PartName  string
	CSV, All  string
	Proposals []proposal
}

type count struct {
	Sort    trial.Sort
	Count   int
	Link    string
	Current bool
}

// compared is an outcome today and as tried.
type compared struct {
	Outcome     verdict.Outcome
	Was, Would  int
	More, Fewer int // one of them is zero
}

type tab struct {
	Axis    trial.Axis
	Link    string
	Current bool
}

type line struct {
	trial.Line
	Name    string
	Link    string
	Current bool
}

type move struct {
	trial.Move
	ClauseLabel, Title, Name string
	Was, Would               verdict.Verdict
}

// proposal is the way from a value that was tried to the form that proposes it.
type proposal struct{ Label, Value, Layer, Link string }

func (v *view) result() *result {
	t, p := v.t, part(v.r)
	selected := t.Select(p)
	out := &result{
		At: t.At, On: t.On, Ahead: t.On.After(t.At), Passages: t.Passages(), Work: t.Work(), Sorts: trial.Sorts, Part: p,
		Pager: v.r.Pager(len(selected)), CSV: v.r.With("format", "csv"), All: "/what-if?" + t.Draft.Address().Encode(),
	}
	out.Counts = v.counts(p)
	out.Standing = compareTallies(t)
	for _, a := range trial.Axes {
		q := t.Draft.Address()
		q.Set("by", string(a))
		out.Axes = append(out.Axes, tab{a, "/what-if?" + q.Encode() + "#where", a == p.By})
	}
	for _, l := range t.By(p.By) {
		out.Lines = append(out.Lines, line{l, v.name(p.By, l.Key), v.link(l.Key), p.Held && p.Key == l.Key})
	}
	if p.Held {
		out.PartName = v.name(p.By, p.Key)
	}
	for _, m := range web.Part(v.r, selected) {
		out.Moves = append(out.Moves, v.move(m))
	}
	out.Changes, out.Proposals = v.changes(), v.proposals()
	return out
}

func (v *view) counts(p trial.Part) (out []count) {
	n := v.t.Counts()
	for _, s := range trial.Sorts {
		if n[s] == 0 && s != trial.Fails && s != trial.Passes && s != trial.Unknown && s != trial.Undecided {
			continue
		}
		to := string(s)
		if p.Sort == s {
			to = ""
		}
		out = append(out, count{s, n[s], v.r.With("sort", to) + "#moves", p.Sort == s})
	}
	return out
}

func compareTallies(t *trial.Trial) (out []compared) {
	was := t.Before.Nation(clause.ID(t.Before.Terms().Directive().Source))
	would := t.After.Nation(clause.ID(t.After.Terms().Directive().Source))
	for _, o := range verdict.Outcomes {
		if was[o] == 0 && would[o] == 0 {
			continue
		}
		d := would[o] - was[o]
		out = append(out, compared{o, was[o], would[o], max(d, 0), max(-d, 0)})
	}
	return out
}

// link is the address of the moves of one place.
func (v *view) link(key string) string { return v.r.With("in", cmp.Or(key, "-")) + "#moves" }

// move is a move with the names and reasons a reader needs.
func (v *view) move(m trial.Move) move {
	out := move{Move: m, ClauseLabel: v.name(trial.ByClause, string(m.Clause)), Title: v.name(trial.ByControl, m.Control), Name: string(m.Subject)}
	if sub, ok := v.t.After.Subject(m.Subject); ok {
		out.Name = sub.Name
	}
	out.Was, out.Would = v.t.Reasons(m)
	return out
}

// name is what people call a place on an axis.
func (v *view) name(a trial.Axis, key string) string {
	if key == "" {
		return bilingual.Say("組織・共通（属するものなし）", "Belonging to none").In(v.r.Lang)
	}
	if v.names[a] == nil {
		v.names[a] = v.named(a)
	}
	if n, ok := v.names[a][key]; ok {
		return n
	}
	return key
}

func (v *view) named(a trial.Axis) map[string]string {
	out := map[string]string{}
	switch st := v.t.After; a {
	case trial.ByPrefecture:
		for code, u := range head.Units(st) {
			out[code] = u.Name
		}
	case trial.ByUnit, trial.BySystem:
		for _, u := range st.OfKind(string(a)) {
			out[u.Ref.ID()] = u.Name
		}
	case trial.ByClause:
		for _, x := range []*posture.Standing{v.t.Before, st} {
			for _, c := range x.Terms().Directive().Clauses {
				out[string(c.ID)] = c.Label.In(v.r.Lang)
			}
		}
	case trial.ByControl:
		for _, x := range []*posture.Standing{v.t.Before, st} {
			for _, c := range x.Terms().Controls() {
				out[c.ID] = c.Title.In(v.r.Lang)
			}
		}
	}
	return out
}

// changes says in words what the draft changes.
func (v *view) changes() (out []string) {
	d, l := v.t.Draft, v.r.Lang
	say := func(ja, en string) { out = append(out, bilingual.Say(ja, en).In(l)) }
	if d.Directive != "" {
		title := v.t.After.Terms().Directive().Title
		say("指令を「"+title.JA+"」とする", "The directive is “"+title.EN+"”")
	}
	for _, s := range d.Settings {
		p := v.t.After.Terms().Directive().Parameters[s.Key]
		was := v.t.Before.Values(trial.ScopeOf(s.Layer))[s.Key]
		out = append(out, p.Label.In(l)+"（"+s.Layer+"）: "+p.Format(was.Value, l)+" → "+shown(p, s.Value, l))
	}
	for _, x := range d.Texts {
		title := v.name(trial.ByControl, x.Control)
		say("確認項目「"+title+"」の文を改める", "The text of the control “"+title+"” is another")
	}
	for _, t := range d.Lapse {
		say("「"+t.Label().JA+"」の効力を認めない", t.Label().EN+": none counts any more")
	}
	if d.Longest > 0 {
		length := directive.FormatDuration(d.Longest)
		say("例外は始期から"+length+"で終わるものとする", "What sets a rule aside ends "+length+" after it began")
	}
	if len(d.Withdraw) > 0 {
		ids := strings.Join(d.Withdraw, ", ")
		say("決定 "+ids+" を取り下げる", "Decisions "+ids+" are withdrawn")
	}
	for _, g := range d.Give {
		say(string(g.Subject)+" に "+string(g.Clause)+" の「"+g.Type.Label().JA+"」を与える", string(g.Subject)+": "+g.Type.Label().EN+" of "+string(g.Clause)+" is given")
	}
	if !d.On.IsZero() {
		say(web.Day(v.t.On, l)+" の時点とする", "As on "+web.Day(v.t.On, l))
	}
	return out
}

func shown(p directive.Parameter, value string, l bilingual.Lang) string {
	x, err := p.Check(value)
	if err != nil {
		return value
	}
	return p.Format(x, l)
}

func (v *view) proposals() (out []proposal) {
	for _, s := range v.t.Draft.Settings {
		p := v.t.After.Terms().Directive().Parameters[s.Key]
		q := url.Values{"value": {s.Value}, "layer": {s.Layer}}
		if v.t.On.After(v.t.At) {
			q.Set("from", v.t.On.Format("2006-01-02"))
		}
		out = append(out, proposal{p.Label.In(v.r.Lang), shown(p, s.Value, v.r.Lang), s.Layer, "/parameter/" + url.PathEscape(s.Key) + "?" + q.Encode() + "#propose"})
	}
	return out
}
