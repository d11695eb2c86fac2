// Package register keeps what is declared: systems, computers, persons, posts,
// contracts, media — every kind of package kind.
//
// An entry is put whole and never deleted, only retired. Every change is one
// entry of the trail; the rows are folded out of it. Nothing is changed without
// a gate's permission, and nobody sees a field that his duties do not open.
package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/blob/file"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/rule/require"
	"kakusho/store"
)

// Errors that a caller tells apart.
var (
	ErrNoKind   = errors.New("no such register")
	ErrNoEntry  = errors.New("no such entry")
	ErrConflict = errors.New("somebody else changed this entry meanwhile")
)

// Faults are everything that is wrong with what was typed, field by field.
type Faults []kind.Fault

func (f Faults) Error() string {
	if len(f) == 0 {
		return "no faults"
	}
	return f[0].Error()
}

// Register reads and changes entries. It is safe for concurrent use.
type Register struct {
	*Rules
	rows   store.Store
	gate   *gate.Gate
	shelf  file.Shelf
	judged require.Judged

	changing sync.Mutex // held from the look at an entry to the sealing of its change
}

// New returns the registers kept in rows, changed through g, led by rules. What is
// attached goes to shelf; judged is asked by steps that wait for verdicts.
func New(rows store.Store, g *gate.Gate, rules *Rules, shelf file.Shelf, judged require.Judged) *Register {
	return &Register{Rules: rules, rows: rows, gate: g, shelf: shelf, judged: judged}
}

// Kinds are the kinds kept here.
func (r *Rules) Kinds() kind.Set { return r.kinds }

// Entry is one register entry as its reader may see it. Values hold the declared
// fields with their Go types.
type Entry struct {
	Ref       fact.Ref
	Name      string
	Values    map[string]any
	Retired   bool
	Rev       int64 // give it back to Put
	ChangedAt time.Time
	ChangedBy string
	Hidden    []string // fields that have a value which the reader may not see
}

// Body is what the trail keeps of a Put: the whole entry.
type Body struct {
	Kind   string         `json:"kind"`
	ID     string         `json:"id"`
	Rev    int64          `json:"rev"`
	Values map[string]any `json:"values"` // canonical
}

// RetireBody is what the trail keeps of a Retire.
type RetireBody struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Put enters or replaces one entry. rev is that of the entry it replaces, zero
// for a new one; ErrConflict when it is another by now. Faults when a value does
// not fit; then nothing was changed.
func (r *Register) Put(ctx context.Context, who actor.Actor, kindID string, values map[string]any, rev int64, at time.Time) (fact.Ref, error) {
	k, ok := r.kinds[kindID]
	if !ok {
		return "", fmt.Errorf("%w: %s", ErrNoKind, kindID)
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	var c change
	err := r.rows.View(ctx, func(rd store.Reader) (err error) {
		c, err = r.plan(ctx, rd, who, k, values, byForm, at)
		return err
	})
	if err != nil {
		return "", err
	}
	if over := c.request(who, k, at); c.old.Rev > 0 { // who may not change it is not told what is wrong with it
		over.Scope = placesOf(k, c.id, c.old.Values)
		if !over.Allows() {
			_, err = r.gate.Ask(ctx, over)
			return "", err
		}
	}
	switch {
	case len(c.faults) > 0:
		return "", c.faults
	case c.old.Rev != rev:
		return "", fmt.Errorf("%s/%s: %w", kindID, c.id, ErrConflict)
	}
	_, err = r.gate.Ask(ctx, c.request(who, k, at))
	return fact.NewRef(kindID, c.id), err
}

// change is one planned Put.
type change struct {
	id     string
	values map[string]any // typed, absent fields left out
	old    store.Subject  // zero when new
	faults Faults
}

// way is how an entry comes to be changed.
type way int

const (
	byForm way = iota
	byFile
	byStep
)

// plan checks values against the kind, its procedure and the other registers. A
// field that who may not see keeps the value it has.
func (r *Register) plan(ctx context.Context, rd store.Reader, who actor.Actor, k kind.Kind, values map[string]any, how way, at time.Time) (change, error) {
	var c change
	values = maps.Clone(values)
	key, _ := k.Field(k.Key)
	if id, err := key.Check(values[k.Key]); err == nil && id != nil { // normalised, else another entry would be looked up
		values[k.Key] = id
		text, _ := id.(string)
		if c.old, _, err = store.Get(ctx, rd, store.Subject{Kind: k.ID, ID: text}); err != nil {
			return c, err
		}
	}
	for f := range k.Each(kind.Declared) {
		if f.MayRead(who) {
			continue
		}
		delete(values, f.Name)
		if v, ok := c.old.Values[f.Name]; ok {
			values[f.Name] = v
		}
	}
	c.values, c.faults = k.Check(values)
	for f := range k.Each(kind.Declared) {
		if v, ok := c.values[f.Name]; ok {
			if err := r.checkRef(ctx, rd, k, *f, v, &c); err != nil {
				return c, err
			}
		}
	}
	c.id, _ = c.values[k.Key].(string)
	if k.ID == "person" && c.id == actor.Program.Person { // his acts could not be told from the program's
		c.faults = append(c.faults, kind.Fault{Field: k.Key, Label: key.Label, Message: bilingual.Say(
			"この番号は本システム自身を表す。別の番号とする。", "this number stands for the program itself; choose another")})
	}
	if c.old.Rev == 0 && c.id != "" && !reachable(c.id) {
		c.faults = append(c.faults, kind.Fault{Field: k.Key, Label: key.Label, Message: bilingual.Say(
			"「?」「#」「%」を含む番号、「/」で始まり若しくは終わる番号、「.」だけの番号並びに new、import 及び export は用いることができない。",
			"a number may not hold ?, # or %, begin or end with /, be dots, or be new, import or export")})
	}
	c.faults = append(c.faults, r.led(who, k, c, how, at)...)
	return c, nil
}

// reachable reports whether an address can name an entry with this key: what
// nobody can open, nobody can correct or strike out.
func reachable(id string) bool {
	if strings.ContainsAny(id, "?#%") || slices.Contains([]string{"new", "import", "export"}, id) {
		return false
	}
	return !slices.ContainsFunc(strings.Split(id, "/"), func(s string) bool { return s == "" || s == "." || s == ".." })
}

// checkRef adds a fault when f points to an entry that is not there.
func (r *Register) checkRef(ctx context.Context, rd store.Reader, k kind.Kind, f kind.Field, v any, c *change) error {
	if f.Type != kind.Ref {
		return nil
	}
	id, _ := v.(string)
	if f.To == k.ID && id == c.values[k.Key] {
		return nil
	}
	s, ok, err := store.Get(ctx, rd, store.Subject{Kind: f.To, ID: id})
	if err != nil {
		return err
	}
	if !ok || s.Retired {
		to := r.kinds[f.To].Label
		c.faults = append(c.faults, kind.Fault{Field: f.Name, Label: f.Label, Message: bilingual.Text{
			JA: fmt.Sprintf("「%s」は%s台帳に登録されていない。先に登録する。", id, to.JA),
			EN: fmt.Sprintf("%q is not in the %s register; enter it there first", id, to.EN)}})
	}
	return nil
}

func (c change) request(who actor.Actor, k kind.Kind, at time.Time) gate.Request {
	ref := fact.NewRef(k.ID, c.id)
	return gate.Request{
		Actor: who, At: at, Action: gate.PutRegister, Object: string(ref), Clauses: k.Clauses,
		Need: owners(k), Scope: scope(k, c.id, c.values, c.old),
		Changes: []gate.Change{{Object: string(ref), Body: c.body(k)}},
	}
}

func (c change) body(k kind.Kind) Body {
	values, _ := fact.Canonical(c.values).(map[string]any)
	return Body{Kind: k.ID, ID: c.id, Rev: c.old.Rev + 1, Values: values}
}

// owners are the duties that may change a kind. The operator of the installation
// keeps the registers of the organisation, so that people can log in at all.
func owners(k kind.Kind) []actor.Duty {
	if k.Section == "organisation" {
		return append([]actor.Duty{actor.Operator}, k.Owner...)
	}
	return k.Owner
}

// scope lists the places an entry belongs to, before and after the change: a duty
// must cover where it is taken from as well. When both differ, only a duty that
// covers everything will do.
func scope(k kind.Kind, id string, values map[string]any, old store.Subject) []string {
	places := placesOf(k, id, values)
	if old.Rev == 0 {
		return places
	}
	before := placesOf(k, id, old.Values)
	return slices.DeleteFunc(places, func(p string) bool { return !slices.Contains(before, p) })
}

func placesOf(k kind.Kind, id string, values map[string]any) (places []string) {
	for _, f := range []string{"unit", "system"} {
		if v, ok := values[f].(string); ok && v != "" {
			places = append(places, f+"/"+v)
		}
	}
	if k.ID == "unit" || k.ID == "system" {
		places = append(places, k.ID+"/"+id)
	}
	return places
}

// Retire strikes an entry out with a reason. It stays readable, and its number
// is not given again.
func (r *Register) Retire(ctx context.Context, who actor.Actor, ref fact.Ref, reason string, at time.Time) error {
	k, ok := r.kinds[ref.Kind()]
	if !ok {
		return fmt.Errorf("%w: %s", ErrNoKind, ref.Kind())
	}
	if reason == "" {
		return Faults{{Field: "reason", Label: bilingual.Say("理由", "Reason"), Message: bilingual.Say("入力する。", "give one")}}
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	var old store.Subject
	err := r.rows.View(ctx, func(rd store.Reader) (err error) {
		old, ok, err = store.Get(ctx, rd, store.Subject{Kind: ref.Kind(), ID: ref.ID()})
		return err
	})
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s: %w", ref, ErrNoEntry)
	}
	request := gate.Request{
		Actor: who, At: at, Action: gate.RetireRegister, Object: string(ref), Need: owners(k),
		Scope:   placesOf(k, ref.ID(), old.Values),
		Changes: []gate.Change{{Body: RetireBody{Kind: ref.Kind(), ID: ref.ID(), Reason: reason}}},
	}
	if faults := r.unended(k, old); len(faults) > 0 && !who.IsProgram() && request.Allows() {
		return faults
	}
	_, err = r.gate.Ask(ctx, request)
	return err
}

// decode reads a body of an entry into T.
func decode[T any](b json.RawMessage) (T, error) {
	var v T
	err := json.Unmarshal(b, &v)
	return v, err
}
