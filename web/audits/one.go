package audits

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/sample"
	"kakusho/register"
	"kakusho/verdict"
	"kakusho/web"
)

// paper is one sheet: what the evidence says, and what the auditor says.
type paper struct {
	Key                 string // "kind/id control": what it is about
	No                  string
	Subject             fact.Ref
	Name, Control       string
	Title, ClauseLabel  string
	Verdict             verdict.Verdict
	Why                 []string
	Answer              string // what was recorded by a person, in words
	AnswerBy            string
	AnswerAt            time.Time
	ChangedAt           time.Time // of the register entry
	ChangedBy           string
	Result, Remark      string
	Then                verdict.Outcome // when it was examined
	ExaminedAt          time.Time
	ExaminedBy          string
	Rev                 int64
	Fault, FindingLink  string
	Changed, Contradict bool // the verdict is another since; the result says otherwise
}

type auditData struct {
	auditRow
	Purpose, Conclusion string
	Clauses             []string
	Members             []string
	Status              string
	Seed                string
	SampledAt           time.Time
	Population          int
	Digest              string
	Redrawn, Same       bool // the population is as it was; and so is the draw
	Drawn               []fact.Ref
	MaySample, MayWrite bool
	Saved               bool
	Part                string
	Parts               []option
	Papers              []paper
	Results             []kind.Choice
	Outcomes            []verdict.Outcome
	Words               string
	Outcome             string
	Result              string
	Findings            []findingRow
	Contradictions      []contradiction
	Pager               web.Pager
	CSV                 string
	Faults              []kind.Fault
}

// audit is what the parts of its page are made of.
type audit struct {
	register.Entry
	values
	st    *posture.Standing
	frame sample.Frame
	all   []posture.Pair // of the frame
	pairs []posture.Pair // of the sample
}

func (p pages) audit(r *web.Request) (a audit, err error) {
	if a.Entry, err = p.get(r); err != nil {
		return a, err
	}
	a.values = values(a.Entry.Values)
	if a.st, err = p.posture.Now(r.Context(), r.Permit, r.At); err != nil {
		return a, err
	}
	a.frame = sample.Frame{System: a.text("system"), Unit: a.text("unit")}
	for _, c := range a.texts("clauses") {
		a.frame.Clauses = append(a.frame.Clauses, clause.ID(c))
	}
	a.all = a.frame.Pairs(a.st)
	drawn := a.texts("sample")
	a.pairs = slices.DeleteFunc(slices.Clone(a.all), func(x posture.Pair) bool { return !slices.Contains(drawn, string(x.Subject)) })
	return a, nil
}

// own reports whether it is a self-inspection: its steps are of other names.
func (a audit) own() bool { return a.text("type") == "self-inspection" }

// step is the name of a step for this type of audit.
func (a audit) step(name string) string {
	if a.own() {
		return name + "-own"
	}
	return name
}

func (p pages) one(r *web.Request) (web.Answer, error) { return p.page(r, nil, nil) }

// page shows an audit; typed and faults are of papers that could not be kept, by key.
func (p pages) page(r *web.Request, typed map[string][2]string, faults map[string]string) (web.Answer, error) {
	a, err := p.audit(r)
	if err != nil {
		return web.Answer{}, err
	}
	row, err := p.auditRow(r, a.Entry)
	if err != nil {
		return web.Answer{}, err
	}
	v := r.URL.Query()
	d := auditData{auditRow: row, Purpose: a.text("purpose"), Conclusion: a.text("conclusion"), Clauses: a.texts("clauses"), Members: a.texts("members"), Status: a.text("status"),
		Seed: a.text("seed"), SampledAt: a.time("sampled_at"), Population: a.int("population"), Digest: a.text("population_digest"), Saved: v.Has("saved"),
		Part: v.Get("part"), Words: v.Get("q"), Outcome: v.Get("outcome"), Result: v.Get("result"), CSV: r.With("format", "csv"), Outcomes: verdict.Outcomes}
	population := sample.Population(a.all)
	d.Drawn = sample.Draw(population, d.Seed, len(a.texts("sample")))
	d.Redrawn = sample.Digest(population) == d.Digest
	d.Same = d.Redrawn && slices.EqualFunc(d.Drawn, a.texts("sample"), func(ref fact.Ref, s string) bool { return string(ref) == s })
	if d.Status == "planned" {
		d.Population = len(population)
	}
	result, _ := p.register.Kinds()[paperKind].Field("result")
	d.Results = result.Choices
	course, err := p.register.Course(r.Context(), r.Permit, a.Ref, r.At)
	if err != nil {
		return web.Answer{}, err
	}
	for _, o := range course.Offers {
		d.MaySample = d.MaySample || o.ID == a.step("sample") && o.May
		d.MayWrite = d.MayWrite || o.ID == a.step("report") && o.May // by the same duties, and nobody else
	}
	out, err := p.part(r, a, &d, typed, faults)
	if err != nil || out.Download != nil {
		return out, err
	}
	out = web.Answer{Page: "one", Title: bilingual.Text{JA: row.Type.JA + " " + a.Name, EN: row.Type.EN + " " + a.Name}, Data: d}
	if len(faults) > 0 {
		out.Status = http.StatusUnprocessableEntity
	}
	return out, nil
}

// part fills in the part of the page that the address asks for.
func (p pages) part(r *web.Request, a audit, d *auditData, typed map[string][2]string, faults map[string]string) (web.Answer, error) {
	papers, err := p.papersOf(r, a)
	if err != nil {
		return web.Answer{}, err
	}
	drawn := a.texts("sample")
	wrong, err := p.contradict(r, a.st, posture.Filter{System: a.frame.System, Unit: a.frame.Unit}, func(ref fact.Ref, control string) bool {
		return slices.ContainsFunc(a.pairs, func(x posture.Pair) bool { return x.Subject == ref && x.Control == control }) || len(drawn) == 0 && slices.ContainsFunc(a.all, func(x posture.Pair) bool { return x.Subject == ref && x.Control == control })
	})
	if err != nil {
		return web.Answer{}, err
	}
	found, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: findingKind, Equal: map[string]string{"audit": a.Ref.ID()}, Sort: "due_on"})
	if err != nil {
		return web.Answer{}, err
	}
	for _, x := range []option{{"", bilingual.Say("調書", "Work papers"), int64(len(a.pairs)), ""}, {"findings", bilingual.Say("指摘", "Findings"), int64(len(found)), ""},
		{"contradictions", bilingual.Say("申告と事実の矛盾", "Contradictions"), int64(len(wrong)), ""}} {
		x.Link = r.With("part", x.Value)
		d.Parts = append(d.Parts, x)
	}
	switch d.Part {
	case "findings":
		for _, e := range found {
			d.Findings = append(d.Findings, p.findingRow(e, r.At))
		}
	case "contradictions":
		d.Contradictions, d.Pager = web.Part(r, wrong), r.Pager(len(wrong))
	default:
		pairs := p.chosen(a, d, papers)
		if r.URL.Query().Get("format") == "csv" {
			return p.spreadsheet(r, "papers", p.paperTable(p.sheets(r, a, pairs, papers), r.Lang))
		}
		d.Papers, d.Pager = p.sheets(r, a, web.Part(r, pairs), papers), r.Pager(len(pairs))
		for i := range d.Papers {
			x := &d.Papers[i]
			if t, ok := typed[x.Key]; ok {
				x.Result, x.Remark = t[0], t[1]
			}
			x.Fault = faults[x.Key]
		}
	}
	return web.Answer{}, nil
}

// papersOf are the papers of an audit, by what they are about.
func (p pages) papersOf(r *web.Request, a audit) (map[string]register.Entry, error) {
	entries, err := p.register.All(r.Context(), r.Permit, register.Query{Kind: paperKind, Equal: map[string]string{"audit": a.Ref.ID(), "status": "recorded"}})
	out := map[string]register.Entry{}
	for _, e := range entries {
		v := values(e.Values)
		out[v.text("subject")+" "+v.text("control")] = e
	}
	return out, err
}

func key(x posture.Pair) string { return string(x.Subject) + " " + x.Control }

// chosen are the pairs that the address asks for.
func (p pages) chosen(a audit, d *auditData, papers map[string]register.Entry) (out []posture.Pair) {
	for _, x := range a.pairs {
		result := values(papers[key(x)].Values).text("result")
		c, _ := p.posture.Control(x.Control)
		hay := strings.ToLower(key(x) + " " + c.Title.JA + " " + c.Title.EN)
		if (d.Outcome == "" || string(x.Outcome) == d.Outcome) && (d.Result == "" || result == d.Result || d.Result == "none" && result == "") && strings.Contains(hay, strings.ToLower(d.Words)) {
			out = append(out, x)
		}
	}
	return out
}

// sheets are papers filled in from the evidence.
func (p pages) sheets(r *web.Request, a audit, pairs []posture.Pair, papers map[string]register.Entry) []paper {
	entries := map[fact.Ref]register.Entry{}
	out := make([]paper, 0, len(pairs))
	for i, v := range a.st.Judged(pairs) {
		x := paper{Key: key(pairs[i]), Subject: pairs[i].Subject, Control: pairs[i].Control, Name: string(pairs[i].Subject), Title: v.Control, ClauseLabel: string(v.Clause), Verdict: v}
		x.No = a.Ref.ID() + "/" + x.Control + "/" + string(x.Subject)
		for _, reason := range v.Reasons {
			x.Why = append(x.Why, reason.In(r.Lang))
		}
		if c, ok := p.posture.Control(x.Control); ok {
			x.Title = c.Title.In(r.Lang)
		}
		if c, ok := p.posture.Directive().Clause(v.Clause); ok {
			x.ClauseLabel = c.Label.In(r.Lang)
		}
		if sub, ok := a.st.Subject(x.Subject); ok {
			x.Name = sub.Name
			p.recorded(&x, sub, r)
		}
		if _, known := entries[x.Subject]; !known {
			entries[x.Subject], _ = p.register.Get(r.Context(), r.Permit, x.Subject) // one that is not for the reader says nothing
		}
		x.ChangedAt, x.ChangedBy = entries[x.Subject].ChangedAt, entries[x.Subject].ChangedBy
		if e, ok := papers[x.Key]; ok {
			w := values(e.Values)
			x.Result, x.Remark, x.Then, x.ExaminedAt, x.ExaminedBy, x.Rev = w.text("result"), w.text("remark"), verdict.Outcome(w.text("outcome")), w.time("examined_at"), w.text("examined_by"), e.Rev
			x.Changed = x.Then != v.Outcome
			x.Contradict = x.Result == "conforming" && v.Outcome == verdict.Violates
		}
		x.FindingLink = a.finding(x, r)
		out = append(out, x)
	}
	return out
}

// recorded tells what a person answered about it last.
func (p pages) recorded(x *paper, sub *posture.Subject, r *web.Request) {
	for _, d := range slices.Backward(sub.Decisions) {
		if d.Control == x.Control && d.Answer != "" && d.InForce(r.At) {
			x.Answer, x.AnswerBy, x.AnswerAt = p.answered(d, r.Lang), d.By, d.At
			return
		}
	}
}

// act does what one of the page's forms asks for.
func (p pages) act(r *web.Request) (web.Answer, error) {
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	a, err := p.audit(r)
	if err != nil {
		return web.Answer{}, err
	}
	if r.PostForm.Get("do") == "sample" {
		return p.draw(r, a)
	}
	return p.write(r, a)
}

// draw draws the sample. The seed is the program's, so that nobody chooses whom to find.
func (p pages) draw(r *web.Request, a audit) (web.Answer, error) {
	seed := make([]byte, 8)
	if _, err := rand.Read(seed); err != nil {
		return web.Answer{}, err
	}
	population := sample.Population(a.all)
	drawn := []any{}
	for _, ref := range sample.Draw(population, hex.EncodeToString(seed), a.int("sample_size")) {
		drawn = append(drawn, string(ref))
	}
	_, err := p.register.Take(r.Context(), r.Actor, register.Act{Procedure: auditKind, Step: a.step("sample"), Ref: a.Ref, Rev: a.Rev,
		Values: map[string]any{"seed": hex.EncodeToString(seed), "population": int64(len(population)), "population_digest": sample.Digest(population), "sample": drawn}}, r.At)
	if errors.As(err, new(register.Faults)) { // nothing to draw from
		return web.Answer{Redirect: "/audit/" + a.Ref.ID() + "?empty=1"}, nil
	}
	return web.Answer{Redirect: "/audit/" + a.Ref.ID()}, err
}

// write keeps the papers that were filled in. Those that cannot be kept are shown again
// with the reason; the others are kept all the same.
func (p pages) write(r *web.Request, a audit) (web.Answer, error) {
	papers, err := p.papersOf(r, a)
	if err != nil {
		return web.Answer{}, err
	}
	typed, faults := map[string][2]string{}, map[string]string{}
	for _, of := range r.PostForm["paper"] {
		i := slices.IndexFunc(a.pairs, func(x posture.Pair) bool { return key(x) == of })
		if i < 0 {
			return web.Answer{}, web.ErrBadRequest
		}
		result, remark := r.PostForm.Get("result "+of), strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("remark "+of), "\r\n", "\n"))
		was := values(papers[of].Values)
		if result == was.text("result") && remark == was.text("remark") {
			continue
		}
		typed[of] = [2]string{result, remark}
		var wrong register.Faults
		switch err := p.keep(r, a, a.pairs[i], papers[of], result, remark); {
		case errors.As(err, &wrong):
			faults[of] = wrong[0].Text().In(r.Lang)
		case errors.Is(err, register.ErrConflict), errors.Is(err, errMoved):
			faults[of] = bilingual.Say("他の者が先に記載した。開き直して確認すること。", "Somebody wrote it meanwhile. Open it again and look.").In(r.Lang)
		case err != nil:
			return web.Answer{}, err
		}
	}
	if len(faults) > 0 {
		return p.page(r, typed, faults)
	}
	return web.Answer{Redirect: "/audit/" + a.Ref.ID() + r.With("saved", "1")}, nil
}

var errMoved = errors.New("it is not the revision that was shown")

// keep writes one paper, with the verdict and what decided it as they are now.
func (p pages) keep(r *web.Request, a audit, pair posture.Pair, old register.Entry, result, remark string) error {
	x := p.sheets(r, a, []posture.Pair{pair}, nil)[0]
	v := map[string]any{"outcome": string(x.Verdict.Outcome), "seen": cut(strings.Join(x.Why, "\n"), 8000), "result": result, "remark": remark}
	act := register.Act{Procedure: paperKind, Step: a.step("revise"), Ref: old.Ref, Rev: old.Rev, Values: v}
	if r.PostForm.Get("rev "+x.Key) != revision(old.Rev) {
		return errMoved
	}
	if old.Ref == "" {
		act.Step = a.step("record")
		v["paper_no"], v["audit"], v["subject"], v["control"], v["clause"] = x.No, a.Ref.ID(), string(x.Subject), x.Control, string(x.Verdict.Clause)
		v["system"], v["unit"] = nilIfBlank(a.frame.System), nilIfBlank(a.frame.Unit)
	}
	_, err := p.register.Take(r.Context(), r.Actor, act, r.At)
	return err
}
