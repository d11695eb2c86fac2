package register

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/blob/file"
	"kakusho/calendar"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/rule/require"
	"kakusho/store"
	"kakusho/store/superior"
)

// ErrNoStep means that the entry is not in a state from which the step leads.
var ErrNoStep = errors.New("no such step from this state")

// Act is a step of a procedure that somebody asks to take.
type Act struct {
	Procedure, Step string
	Ref             fact.Ref       // the entry; empty: a new one, whose key is among Values
	Values          map[string]any // of the fields that the step fills
	Note            string
	Files           []Upload
	Rev             int64 // of the entry as he saw it
}

// StepBody is what the trail keeps of a step: the entry as it leaves it.
type StepBody struct {
	Body
	Procedure string      `json:"procedure,omitempty"` // empty: an entry that changed with another
	Step      string      `json:"step,omitempty"`
	Before    string      `json:"before,omitempty"`
	After     string      `json:"after,omitempty"`
	Note      string      `json:"note,omitempty"`
	Files     []file.File `json:"files,omitempty"`
}

// Take takes a step: the entry, and whatever changes with it, in one sealing. Faults
// when a value does not fit or is missing, ErrNoStep, ErrConflict, or gate.ErrRefused;
// then nothing was changed. Who may not take it is refused, and told nothing else.
func (r *Register) Take(ctx context.Context, who actor.Actor, a Act, at time.Time) (fact.Ref, error) {
	p, ok := r.procedures[a.Procedure]
	if !ok {
		return "", fmt.Errorf("%w: no procedure %q", ErrNoStep, a.Procedure)
	}
	s, ok := p.Step(a.Step)
	if !ok {
		return "", fmt.Errorf("%w: procedure %s has no step %q", ErrNoStep, p.ID, a.Step)
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	var t taking
	err := r.rows.View(ctx, func(rd store.Reader) error {
		t = taking{r: r, ctx: ctx, rd: rd, who: who, at: at, procedure: p, step: s, kind: r.kinds[p.Kind]}
		return t.plan(a)
	})
	if err != nil {
		return "", err
	}
	request := t.request(a)
	nowhere := len(s.From) == 0 && len(t.places()) == 0 && slices.ContainsFunc(s.Who, who.Has) // where it belongs is yet to be said
	if request.Allows() || nowhere && len(t.faults) > 0 {
		if t.no != nil {
			return "", t.no
		}
		if len(t.faults) == 0 { // only of what could be taken otherwise
			e := require.Entry{Kind: t.kind, Ref: fact.NewRef(p.Kind, t.main.id), Values: t.main.values, State: p.Field, Who: who}
			if t.faults, err = require.Waits(ctx, e, s.Clear, r.judged, at); err != nil {
				return "", err
			}
		}
		if len(t.faults) > 0 {
			return "", t.faults
		}
	}
	if request.Allows() {
		if err := t.keep(a.Files); err != nil {
			return "", err
		}
	}
	_, err = r.gate.Ask(ctx, request)
	return fact.NewRef(p.Kind, t.main.id), err
}

// taking is one step being planned.
type taking struct {
	r         *Register
	ctx       context.Context
	rd        store.Reader
	who       actor.Actor
	at        time.Time
	procedure procedure.Procedure
	step      procedure.Step
	kind      kind.Kind

	main    change
	also    []alsoChange
	taken   []store.Step // before, the first one first
	ruling  superior.Ruling
	rulings map[string]superior.Ruling // of one reading of many entries; nil: of one
	no      error                      // why it cannot be taken whatever is filled in
	faults  Faults
	files   []file.File
}

// alsoChange is an entry that changes with the one that is led on.
type alsoChange struct {
	kind kind.Kind
	change
}

func (t *taking) plan(a Act) error {
	values := map[string]any{}
	if len(t.step.From) > 0 {
		old, ok, err := store.Get(t.ctx, t.rd, store.Subject{Kind: a.Ref.Kind(), ID: a.Ref.ID()})
		if err != nil {
			return err
		}
		if !ok || old.Retired || a.Ref.Kind() != t.kind.ID {
			return fmt.Errorf("%s: %w", a.Ref, ErrNoEntry)
		}
		switch state, _ := old.Values[t.procedure.Field].(string); {
		case old.Rev != a.Rev:
			t.no = fmt.Errorf("%s: %w", a.Ref, ErrConflict)
		case !slices.Contains(t.step.From, state):
			t.no = fmt.Errorf("%s is %s: %w", a.Ref, state, ErrNoStep)
		}
		values = maps.Clone(old.Values)
		if t.taken, err = stepsOf(t.ctx, t.rd, a.Ref); err != nil {
			return err
		}
	}
	for name, v := range a.Values {
		f, _ := t.kind.Field(name)
		if !f.MayRead(t.who) || !slices.Contains(t.step.Fill, name) && (len(t.step.From) > 0 || name != t.kind.Key) {
			t.fault(name, "この操作では変更しない項目である。", "this step does not change it")
			continue
		}
		values[name] = v
	}
	values[t.procedure.Field] = t.step.To
	id, _ := values[t.kind.Key].(string)
	if err := t.above(t.over(id, values, store.Subject{})); err != nil {
		return err
	}
	t.attach(a.Files, values)
	t.set(values, t.step.Set, nil)
	// As the program: what the step sets is set, also where its taker may not look.
	var err error
	if t.main, err = t.r.plan(t.ctx, t.rd, actor.Program, t.kind, values, byStep, t.at); err != nil {
		return err
	}
	if len(t.step.From) == 0 && t.main.old.Rev > 0 {
		t.fault(t.kind.Key, "既に登録されている番号である。", "this number is taken")
	}
	t.faults = append(t.faults, t.main.faults...)
	t.faults = append(t.faults, t.r.conditions.Unmet(t.kind, t.main.values, t.step.Require, t.at)...)
	t.faults = append(t.faults, blank(t.kind, t.step.Need, t.main.values, bilingual.Say("この操作には入力を要する。", "this step needs it"))...)
	if t.step.Reason && strings.TrimSpace(a.Note) == "" {
		t.faults = append(t.faults, kind.Fault{Field: "step_note", Label: bilingual.Say("理由", "Reason"), Message: bilingual.Say("入力する。", "give one")})
	}
	if err := t.related(); err != nil {
		return err
	}
	return t.others()
}

func (t *taking) fault(field, ja, en string) {
	f, _ := t.kind.Field(field)
	if f.Label.JA == "" {
		f.Label = bilingual.Say(field, field)
	}
	t.faults = append(t.faults, kind.Fault{Field: field, Label: f.Label, Message: bilingual.Say(ja, en)})
}

// set lays what a step sets over values; from are those that "$field" names.
func (t *taking) set(values, set, from map[string]any) {
	for name, v := range set {
		text, _ := v.(string)
		switch word, named := strings.CutPrefix(text, "$"); {
		case text == "$today":
			values[name] = t.at.In(calendar.Tokyo()).Format("2006-01-02")
		case text == "$now":
			values[name] = t.at
		case text == "$me":
			values[name] = t.who.Person
		case text == "$post":
			id, _ := values[t.kind.Key].(string)
			values[name] = t.asked(t.over(id, values, store.Subject{})).Post()
		case text == "$blank":
			delete(values, name)
		case named:
			if v, ok := from[word]; ok {
				values[name] = v
			} else {
				delete(values, name)
			}
		default:
			values[name] = v
		}
	}
}

// asked is what the gate is asked about whoever takes it, over places.
func (t *taking) asked(places []string) gate.Request {
	return gate.Request{Actor: t.ruling.Above(t.who), At: t.at, Action: gate.TakeStep, Clauses: t.procedure.Clauses, Need: t.step.Who, Scope: places}
}

// others plans the entries that change with it. They belong to the same places, or
// the step would reach further than who takes it.
func (t *taking) others() error {
	for _, also := range t.step.Also {
		at, ref := also.At, fact.NewRef(also.New+also.Made, t.main.id)
		if also.At == "" {
			at = t.kind.Key
		} else {
			f, _ := t.kind.Field(also.At)
			id, _ := t.main.values[also.At].(string)
			if id == "" {
				continue
			}
			ref = fact.NewRef(f.To, id)
			if f.Type != kind.Ref {
				var err error
				if ref, err = fact.ParseRef(id); err != nil {
					t.fault(at, "「種類/管理番号」の形で入力する。", "write kind/number")
					continue
				}
			}
		}
		if err := t.other(also, at, ref); err != nil {
			return err
		}
	}
	return nil
}

// other plans one of them; at is the field at which its faults are told.
func (t *taking) other(also procedure.Also, at string, ref fact.Ref) error {
	k, ok := t.r.kinds[ref.Kind()]
	old, known, err := store.Get(t.ctx, t.rd, store.Subject{Kind: ref.Kind(), ID: ref.ID()})
	if err != nil {
		return err
	}
	values := maps.Clone(old.Values)
	switch {
	case also.New != "" && known:
		t.fault(at, string(ref)+"が既に登録されている。", string(ref)+" is there already")
		return nil
	case also.New != "":
		values = map[string]any{k.Key: t.main.id}
	case !ok || !known || old.Retired:
		t.fault(at, "台帳に登録されていない。", "it is not in a register")
		return nil
	}
	t.set(values, also.Set, t.main.values)
	places := reach(k, ref.ID(), old.Values)
	if also.New != "" {
		places = reach(k, ref.ID(), values)
	}
	if !slices.ContainsFunc(t.places(), func(p string) bool { return slices.Contains(places, p) }) {
		t.fault(at, "別のシステム又は所属のものである。", "it belongs to another system or unit")
		return nil
	}
	c, err := t.r.plan(t.ctx, t.rd, actor.Program, k, values, byStep, t.at)
	if err != nil {
		return err
	}
	for _, fault := range c.faults {
		t.fault(at, string(ref)+"："+fault.Text().JA, string(ref)+": "+fault.Text().EN)
	}
	t.also = append(t.also, alsoChange{k, c})
	return nil
}

// reach is where an entry has effect: the places it belongs to, and the scope of a duty
// that it gives.
func reach(k kind.Kind, id string, values map[string]any) []string {
	places := placesOf(k, id, values)
	if s, ok := values["scope"].(string); ok {
		places = append(places, s)
	}
	return places
}

// places are those over which the step is taken: the entry's, or the scope that it says
// it covers.
func (t *taking) places() []string { return t.over(t.main.id, t.main.values, t.main.old) }

func (t *taking) over(id string, values map[string]any, old store.Subject) []string {
	if t.step.Covers == "" {
		return scope(t.kind, id, values, old)
	}
	s, _ := values[t.step.Covers].(string)
	return []string{s}
}

// last is who took the step last, or nil.
func (t *taking) last(step string) *store.Step {
	for i := len(t.taken) - 1; i >= 0; i-- {
		if t.taken[i].Step == step {
			return &t.taken[i]
		}
	}
	return nil
}

// above finds who may take the step when the applicant could take it himself.
func (t *taking) above(places []string) (err error) {
	t.ruling = superior.Ruling{}
	by := t.last(t.step.Superior)
	if by == nil {
		return nil
	}
	key := fmt.Sprintf("%q %q %q", by.Person, t.step.Who, places)
	if known, ok := t.rulings[key]; ok {
		t.ruling = known
		return nil
	}
	if t.ruling, err = superior.Of(t.ctx, t.rd, by.Person, t.step.Who, places, t.at); err == nil && t.rulings != nil {
		t.rulings[key] = t.ruling
	}
	return err
}

func (t *taking) request(a Act) gate.Request {
	before, _ := t.main.old.Values[t.procedure.Field].(string)
	ref := fact.NewRef(t.kind.ID, t.main.id)
	request := t.asked(t.places())
	request.Object = string(ref)
	request.Changes = []gate.Change{{Object: string(ref), Body: StepBody{
		Body: t.main.body(t.kind), Procedure: t.procedure.ID, Step: t.step.ID, Before: before, After: t.step.To, Note: a.Note, Files: t.files}}}
	for _, other := range t.step.NotBy {
		if by := t.last(other); by != nil {
			request.NotBy = append(request.NotBy, by.Person)
		}
	}
	if t.party() {
		request.NotBy = append(request.NotBy, t.who.Person)
	}
	for _, c := range t.also {
		request.Changes = append(request.Changes, gate.Change{Object: string(fact.NewRef(c.kind.ID, c.id)), Body: StepBody{Body: c.body(c.kind)}})
	}
	return request
}

// stepsOf are the steps an entry was led on by, the first one first.
func stepsOf(ctx context.Context, rd store.Reader, ref fact.Ref) ([]store.Step, error) {
	return store.All[store.Step](ctx, rd, store.Where{Equal: map[string]any{"subject": string(ref)}, Sort: []string{"entry"}})
}
