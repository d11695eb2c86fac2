package differ

import (
	"fmt"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/verdict"
)

// survey is one look at a standing.
type survey struct {
	st       *posture.Standing
	controls map[[2]string]string // that reads a derived field of a kind
	machines map[string][]*posture.Subject
	accounts map[string][]*posture.Subject // by name
	media    map[string]*posture.Subject   // by serial number
	plugged  map[string]bool               // serial numbers of media that are plugged in somewhere
	names    map[string]map[string]bool    // of accounts seen in a system
	domains  []string                      // registered
	open     map[group][]string            // what could not be told, and would be too many rows
	order    []group
	out      []Difference
	closed   []string
}

// group is entries of one register that one reason keeps from being told.
type group struct {
	register string
	subject  fact.Ref
	why      bilingual.Text
}

func newSurvey(st *posture.Standing) *survey {
	s := &survey{st: st, controls: map[[2]string]string{}, machines: map[string][]*posture.Subject{}, names: map[string]map[string]bool{}, open: map[group][]string{}}
	for _, c := range st.Terms().Controls() {
		for _, k := range c.Kinds {
			for _, field := range c.Needs {
				if at := [2]string{k, field}; s.controls[at] == "" {
					s.controls[at] = c.ID
				}
			}
		}
	}
	for _, id := range Registers {
		if list := st.OfKind(id); len(list) > 0 && list[0].Closed {
			s.closed = append(s.closed, id)
		}
	}
	return s
}

// look compares what is of one subject.
func (s *survey) look(sub *posture.Subject) {
	if sub.Closed {
		return
	}
	switch sub.Kind.ID {
	case "account":
		s.account(sub)
	case "computer":
		s.computer(sub)
	case "database":
		s.database(sub)
	case "domain":
		s.domain(sub)
	case "key":
		s.key(sub)
	case "medium":
		s.medium(sub)
	case "system":
		s.software(sub)
	default:
		if slices.Contains(Registers, sub.Kind.ID) && inService(sub) {
			s.fields(sub)
		}
	}
}

// close adds a row for every group.
func (s *survey) close() {
	for _, g := range s.order {
		list := s.open[g]
		slices.Sort(list)
		few := strings.Join(list[:min(5, len(list))], "、")
		d := s.at(g.subject, g.register, Unconfirmed, "*"+g.why.EN)
		d.What, d.Why = bilingual.Say(fmt.Sprintf("%d件", len(list)), fmt.Sprintf("%d entries", len(list))), g.why
		d.Declared = same(few)
		if more := len(list) - 5; more > 0 {
			d.Declared = bilingual.Say(fmt.Sprintf("%s ほか%d件", few, more), fmt.Sprintf("%s and %d more", few, more))
		}
		s.out = append(s.out, d)
	}
}

// wait adds an entry to a group.
func (s *survey) wait(register string, subject fact.Ref, why bilingual.Text, name string) {
	g := group{register, subject, why}
	if s.open[g] == nil {
		s.order = append(s.order, g)
	}
	s.open[g] = append(s.open[g], name)
}

// at begins a difference.
func (s *survey) at(ref fact.Ref, register string, side Side, key string) Difference {
	d := Difference{Register: register, Side: side, Subject: ref, Name: string(ref), Key: key, What: same(key)}
	if sub, ok := s.st.Subject(ref); ok {
		d.Name = sub.Name
	}
	place := s.st.Place(ref)
	d.System, d.Unit = place.System, place.Unit
	return d
}

func (s *survey) add(d Difference) { s.out = append(s.out, d) }

// judged names the control that reads a derived field of the difference's subject.
func (s *survey) judged(d *Difference, sub *posture.Subject, field string) {
	if d.Control = s.controls[[2]string{sub.Kind.ID, field}]; d.Control == "" {
		return
	}
	for _, p := range sub.Pairs() {
		if p.Control == d.Control {
			d.Outcome = p.Outcome
		}
	}
}

// timed says since when a cell is as it is, and when it was seen.
func (d *Difference) timed(c posture.Cell) { d.SeenAt, d.Since = c.ObservedAt, c.Since }

// doubt adds that something could not be told, because of a field.
func (s *survey) doubt(sub *posture.Subject, register, field, derived string, key string) {
	code, reason := sub.Doubt(field)
	if code == "" {
		code, reason = sub.Doubt(derived)
	}
	if code == string(fact.NotApplicable) {
		return
	}
	d := s.at(sub.Ref, register, Unconfirmed, key)
	d.Why = why(code, reason)
	d.What = label(sub.Kind, field)
	if c, ok := sub.Fact(field); ok {
		d.SeenAt = c.ObservedAt
	}
	s.judged(&d, sub, derived)
	s.add(d)
}

func why(code, reason string) bilingual.Text {
	return bilingual.Say(verdict.Why(code, reason, bilingual.JA), verdict.Why(code, reason, bilingual.EN))
}

func label(k *kind.Kind, field string) bilingual.Text {
	f, ok := k.Field(field)
	if !ok {
		return same(field)
	}
	return f.Label
}

func shown(f kind.Field, v any) bilingual.Text {
	return bilingual.Say(f.Format(v, bilingual.JA), f.Format(v, bilingual.EN))
}

// differences are the derivations that compare fields, and whether they leave
// readings out.
var differences = map[string]bool{"declared-differences": false, "observed-differences": false, "setting-differences": true}

// fields compares the fields of a subject that are declared as well as observed, as
// its derived field has it.
func (s *survey) fields(sub *posture.Subject) {
	i := slices.IndexFunc(sub.Kind.Fields, func(f kind.Field) bool { _, ok := differences[f.Derive]; return ok })
	if i < 0 {
		return
	}
	derived := sub.Kind.Fields[i]
	declared := sub.Declared()
	var unseen []kind.Field
	for _, f := range sub.Kind.Fields {
		if !f.In(kind.Declared) || !f.In(kind.Observed) || differences[derived.Derive] && (f.Type == kind.Time || f.Type == kind.Duration) {
			continue
		}
		if c, ok := declared[f.Name]; !ok || c.Fact.Status != fact.Observed {
			continue
		}
		if code, _ := sub.Doubt(f.Name); code != "" {
			unseen = append(unseen, f)
		}
	}
	if code, _ := sub.Doubt(derived.Name); code == "" {
		c, _ := sub.Fact(derived.Name)
		for _, text := range texts(c) {
			name, _, _ := strings.Cut(text, ":")
			s.field(sub, derived.Name, name, declared, c)
		}
	} else if len(unseen) == 0 && code != string(fact.NotApplicable) {
		s.doubt(sub, sub.Kind.ID, derived.Name, derived.Name, "*")
	}
	if len(unseen) == 0 {
		return
	}
	d := s.at(sub.Ref, sub.Kind.ID, Unconfirmed, "*")
	code, reason := sub.Doubt(unseen[0].Name)
	d.Why = why(code, reason)
	var ja, en []string
	for _, f := range unseen {
		ja, en = append(ja, f.Label.JA), append(en, f.Label.EN)
	}
	d.What = bilingual.Say(strings.Join(ja, "、"), strings.Join(en, ", "))
	if c, ok := sub.Fact(unseen[0].Name); ok {
		d.SeenAt = c.ObservedAt
	}
	s.judged(&d, sub, derived.Name)
	s.add(d)
}

// field is one that differs. Its values are shown to those only who may see it.
func (s *survey) field(sub *posture.Subject, derived, name string, declared map[string]posture.Cell, all posture.Cell) {
	f, ok := sub.Kind.Field(name)
	if !ok {
		return
	}
	d := s.at(sub.Ref, sub.Kind.ID, Value, name)
	d.What, d.Entry = f.Label, sub.Ref
	d.timed(all)
	s.judged(&d, sub, derived)
	was, mayDeclared := declared[name]
	is, mayObserved := sub.Fact(name)
	if mayDeclared && mayObserved {
		d.Declared, d.Observed = shown(f, was.Fact.Value), shown(f, is.Fact.Value)
		d.Mend = Mend{Field: name, Value: is.Fact.Value}
		d.timed(is)
		if was.Since.After(d.Since) {
			d.Since = was.Since
		}
	} else {
		d.Declared = bilingual.Say("任務により表示しない", "not shown to your duties")
		d.Observed = d.Declared
	}
	s.add(d)
}

// texts are the elements of a list of texts.
func texts(c posture.Cell) (out []string) {
	list, _ := c.Fact.Value.([]any)
	for _, e := range list {
		if t, ok := e.(string); ok {
			out = append(out, t)
		}
	}
	return out
}

// records are those of a list, when a rule would go by it.
func records(sub *posture.Subject, field string) (out []map[string]any, ok bool) {
	if code, _ := sub.Doubt(field); code != "" {
		return nil, false
	}
	c, _ := sub.Fact(field)
	list, _ := c.Fact.Value.([]any)
	for _, e := range list {
		if m, is := e.(map[string]any); is {
			out = append(out, m)
		}
	}
	return out, true
}

// text is a declared text; blank: "".
func text(sub *posture.Subject, field string) string {
	c, _ := sub.Fact(field)
	t, _ := c.Fact.Value.(string)
	return t
}

func is(sub *posture.Subject, field string) bool {
	c, _ := sub.Fact(field)
	b, _ := c.Fact.Value.(bool)
	return b
}

// inService reports whether a subject's register says that it is used.
func inService(sub *posture.Subject) bool {
	if _, ok := sub.Kind.Field("status"); !ok {
		return true
	}
	return slices.Contains([]string{"in-service", "in-use", "kept", "migrating"}, text(sub, "status"))
}

// inSystem lists a system's computers that are in service.
func (s *survey) inSystem(system string) []*posture.Subject {
	list, ok := s.machines[system]
	if !ok && system != "" {
		for _, c := range s.st.Members(system) {
			if c.Kind.ID == "computer" && inService(c) {
				list = append(list, c)
			}
		}
		s.machines[system] = list
	}
	return list
}

// looked reports whether a field of every computer of a system can be gone by; else it
// says of which it cannot.
func (s *survey) looked(system, field string) (first *posture.Subject, all bool) {
	for _, c := range s.inSystem(system) {
		if code, _ := c.Doubt(field); code != "" && code != string(fact.NotApplicable) {
			return c, false
		}
	}
	return nil, true
}

// dark says that not every computer could be looked at.
func dark(c *posture.Subject, field string) bilingual.Text {
	code, reason := c.Doubt(field)
	w := why(code, reason)
	return bilingual.Say(fmt.Sprintf("システムの全ての電子計算機を確認できない（%s %s：%s）", c.Ref.ID(), label(c.Kind, field).JA, w.JA),
		fmt.Sprintf("not every computer of the system could be looked at (%s %s: %s)", c.Ref.ID(), label(c.Kind, field).EN, w.EN))
}
