package document

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/verdict"
)

// source brings rows that are no entries of a register.
type source struct {
	fields []kind.Field
	see    string // register that its reader must be allowed to read
	dated  bool   // it tells what was judged: a report of its day
	rows   func(m *maker) []map[string]any
}

func column(name string, t kind.Type, ja, en string) kind.Field {
	return kind.Field{Name: name, Type: t, Label: bilingual.Say(ja, en)}
}

var (
	clauseColumn  = column("clause", kind.String, "項", "Clause")
	titleColumn   = column("title", kind.String, "標題", "Title")
	subjectColumn = column("subject", kind.String, "対象", "Subject")
	controlColumn = column("control", kind.String, "確認項目", "Control")
	outcomeColumn = column("outcome", kind.String, "判定", "Outcome")
	outcomeHeads  = []struct {
		outcome verdict.Outcome
		name    string
	}{{verdict.Conforms, "conforms"}, {verdict.Violates, "violates"}, {verdict.Unknown, "unknown"}, {verdict.Undecided, "undecided"},
		{verdict.Deferred, "deferred"}, {verdict.Special, "special"}, {verdict.Excepted, "excepted"}}
)

// What the page for a committee names: so many of the open controls, so many of the dates
// to come, and those so far ahead.
const (
	mostOpen = 30
	mostSoon = 40
	ahead    = 90 * 24 * time.Hour
)

var sources = map[string]source{
	"sections":   {fields: sectionFields(), rows: sections, dated: true},
	"open":       {fields: []kind.Field{outcomeColumn, clauseColumn, controlColumn, subjectColumn, column("count", kind.Int, "件数", "Count")}, rows: open, dated: true},
	"soon":       {fields: []kind.Field{column("on", kind.Time, "期限", "When"), clauseColumn, controlColumn, subjectColumn, column("to", kind.String, "以後の判定", "Then")}, rows: soon, dated: true},
	"exceptions": {fields: exceptionFields, rows: exceptions},
	"papers": {fields: []kind.Field{clauseColumn, titleColumn, outcomeColumn, column("count", kind.Int, "判定数", "Verdicts"),
		column("open", kind.Text, "適合しないもの（確認項目及び対象数）", "What does not conform (control, subjects)"), column("finding", kind.String, "監査人の所見", "Finding of the auditor")}, rows: papers, dated: true},
}

func sectionFields() []kind.Field {
	out := []kind.Field{clauseColumn, titleColumn, outcomeColumn}
	for _, h := range outcomeHeads {
		out = append(out, kind.Field{Name: h.name, Type: kind.Int, Label: h.outcome.Label()})
	}
	return out
}

// tally counts a clause over the scope.
func (m *maker) tally(id clause.ID) posture.Tally {
	if m.scope.Unit != "" {
		return m.Unit(id, m.scope.Unit)
	}
	if m.scope.System != "" {
		return m.Clause(id, m.scope.System)
	}
	return m.Clause(id, "*")
}

func sections(m *maker) (out []map[string]any) {
	for _, s := range m.terms.Directive().Sections {
		t := m.tally(s.ID)
		if t.Total() == 0 {
			continue
		}
		row := map[string]any{"clause": s.Label, "title": s.Title, "outcome": t.Outcome().Label()}
		for _, h := range outcomeHeads {
			row[h.name] = int64(t[h.outcome])
		}
		out = append(out, row)
	}
	return out
}

// label is how a clause is cited.
func (m *maker) label(id clause.ID) bilingual.Text {
	if c, ok := m.terms.Directive().Clause(id); ok {
		return c.Label
	}
	return bilingual.Say(string(id), string(id))
}

func (m *maker) control(id string) bilingual.Text {
	if c, ok := m.terms.Control(id); ok {
		return c.Title
	}
	return bilingual.Say(id, id)
}

// pairs are those of the scope that f selects.
func (m *maker) pairs(f posture.Filter) []posture.Pair {
	f.System, f.Unit = m.scope.System, m.scope.Unit
	return m.Pairs(f)
}

// cited is a subject's kind and number: its name may be a person's.
func (m *maker) cited(ref fact.Ref) bilingual.Text {
	k := m.kinds[ref.Kind()]
	return bilingual.Text{JA: k.Label.JA + " " + ref.ID(), EN: k.Label.EN + " " + ref.ID()}
}

var settled = []verdict.Outcome{verdict.Conforms, verdict.NotApplicable}

// open are the controls that something does not conform to, worst first, with the first
// subject and how many there are. Those that it does not name it counts.
func open(m *maker) (out []map[string]any) {
	at, left := map[[2]string]int{}, map[[2]string]int64{}
	for _, p := range m.pairs(posture.Filter{}) {
		if slices.Contains(settled, p.Outcome) {
			continue
		}
		key := [2]string{string(p.Outcome), p.Control}
		i, had := at[key]
		if !had {
			if len(out) == mostOpen {
				left[key]++
				continue
			}
			i = len(out)
			at[key] = i
			out = append(out, map[string]any{"outcome": p.Outcome.Label(), "clause": m.label(p.Clause), "control": m.control(p.Control), "subject": m.cited(p.Subject), "count": int64(0)})
		}
		out[i]["count"] = out[i]["count"].(int64) + 1
	}
	if len(left) > 0 {
		sum := int64(0)
		for _, n := range left {
			sum += n
		}
		out = append(out, map[string]any{"control": bilingual.Say(fmt.Sprintf("ほか%d項目", len(left)), fmt.Sprintf("and %d more controls", len(left))), "count": sum})
	}
	return out
}

// soon is what a date turns for the worse within the time that the page looks ahead, the
// nearest first. Those that it does not name it counts.
func soon(m *maker) (out []map[string]any) {
	of := map[fact.Ref]bool{}
	for _, s := range m.members() {
		of[s.Ref] = true
	}
	all := m.Deadlines(m.At, m.At.Add(ahead), func(s *posture.Subject, _ control.Control) bool { return of[s.Ref] })
	all = slices.DeleteFunc(all, func(d posture.Deadline) bool { return !d.At.After(m.At) })
	slices.SortStableFunc(all, func(a, b posture.Deadline) int { return a.At.Compare(b.At) })
	for _, d := range all[:min(mostSoon, len(all))] {
		out = append(out, map[string]any{"on": d.At, "clause": m.label(d.Clause), "control": m.control(d.Control), "subject": m.cited(d.Subject), "to": d.To.Label()})
	}
	if more := len(all) - len(out); more > 0 {
		out = append(out, map[string]any{"control": bilingual.Say(fmt.Sprintf("ほか%d件", more), fmt.Sprintf("and %d more", more))})
	}
	return out
}

var exceptionFields = []kind.Field{
	column("id", kind.String, "番号", "Number"), column("type", kind.String, "種別", "Type"), clauseColumn, controlColumn, subjectColumn,
	column("reason", kind.Text, "理由", "Reason"), column("measures", kind.Text, "代替手段", "Alternative measures"), column("post", kind.String, "決定した職", "Decided by"),
	column("approved", kind.Date, "承認日", "Approved on"), column("from", kind.Date, "始期", "From"), column("until", kind.Date, "終期", "Until"), column("state", kind.String, "状態", "State"),
}

// exceptions are the decisions that lie over verdicts or provide otherwise.
func exceptions(m *maker) (out []map[string]any) {
	of, whole := m.Decided()
	m.partial = m.partial || !whole
	for _, s := range of {
		for _, d := range s.Decisions {
			if d.Subject != s.Ref || d.Type == decision.Attestation || d.Type == decision.Judgement {
				continue // what is decided about a system its members have from it
			}
			row := map[string]any{"id": d.ID, "type": d.Type.Label(), "subject": m.cited(s.Ref), "reason": d.Reason,
				"measures": d.Measures, "post": m.named("post", d.Post), "state": m.state(d)}
			if d.Clause != "" {
				row["clause"] = m.label(d.Clause)
			}
			if d.Control != "" {
				row["control"] = m.control(d.Control)
			}
			if c, _ := m.terms.Control(d.Control); d.Ground != "" {
				if g, ok := c.Ground(d.Ground); ok {
					row["clause"], row["reason"] = m.label(g.Clause), bilingual.Say(g.Text.JA+"。"+d.Reason, g.Text.EN+". "+d.Reason)
				}
			}
			for name, t := range map[string]any{"approved": d.ApprovedAt, "from": d.From, "until": d.Until} {
				if !isZero(t) {
					row[name] = t
				}
			}
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b map[string]any) int { return cmp.Compare(a["id"].(string), b["id"].(string)) })
	return out
}

func isZero(v any) bool {
	t, ok := v.(interface{ IsZero() bool })
	return ok && t.IsZero()
}

var inForce = bilingual.Say("効力あり", "In force")

func (m *maker) state(d decision.Decision) any {
	switch {
	case !d.WithdrawnAt.IsZero() && !d.WithdrawnAt.After(m.at):
		return bilingual.Say("取消し", "Withdrawn")
	case d.Type.NeedsApproval() && d.ApprovedAt.IsZero():
		return bilingual.Say("承認待ち", "Waits for approval")
	case d.InForce(m.at) && m.Lost(d):
		return aside{bilingual.Say("失効（除外の事由に当たらない）", "Void: its ground does not hold"), inForce}
	case d.InForce(m.at):
		return inForce
	case d.From.After(m.at):
		return bilingual.Say("始期前", "Not yet in force")
	}
	return bilingual.Say("終了", "Ended")
}

// papers are the clauses one by one with what is known of each, for an auditor to write
// beside.
func papers(m *maker) (out []map[string]any) {
	for _, c := range m.terms.Directive().Clauses {
		if c.Type != clause.Obligation {
			continue
		}
		t := m.tally(c.ID)
		row := map[string]any{"clause": c.Label, "title": c.Title, "outcome": t.Outcome().Label(), "count": int64(t.Total())}
		if t.Total() > 0 {
			row["open"] = m.openOf(c.ID)
		}
		out = append(out, row)
	}
	return out
}

func (m *maker) openOf(id clause.ID) bilingual.Text {
	var order []string
	n := map[string]int{}
	for _, p := range m.pairs(posture.Filter{Clause: id}) {
		if slices.Contains(settled, p.Outcome) {
			continue
		}
		if n[p.Control]++; n[p.Control] == 1 {
			order = append(order, p.Control)
		}
	}
	var ja, en []string
	for _, c := range order {
		t := m.control(c)
		ja, en = append(ja, plural(t.JA, n[c])), append(en, plural(t.EN, n[c]))
	}
	return bilingual.Text{JA: strings.Join(ja, "\n"), EN: strings.Join(en, "\n")}
}
