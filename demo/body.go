package demo

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/demo/spread"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/server"
	"kakusho/store"
)

//go:embed data national
var data embed.FS

// The folders of data: a whole prefectural body, and the nation, which takes from it
// what its own folder does not say.
const (
	prefectural = "data"
	nation      = "national"
)

// order is that in which registers are entered: what is pointed to comes first. A
// reference the other way is entered with the second round.
var order = []string{
	"unit", "post", "person", "assignment", "zone", "system", "contract", "external-service", "line", "computer", "database",
	"network-device", "phone", "multifunction-device", "special-device", "key", "domain", "procurement", "development",
	"notice", "incident", "medium", "account", "disposal", "change", "appointment", "delegation", "audit", "audit-paper", "round", "round-line", "finding", "acknowledgement", "document",
	"log-source", "alert", "hold", "saved-search",
}

// entry is one register entry of the body. fields holds what the data gave, the
// names beginning with "_" included; values what enters the register, typed.
type entry struct {
	kind   kind.Kind
	id     string
	fields map[string]any
	values map[string]any
}

func (e *entry) ref() fact.Ref { return fact.NewRef(e.kind.ID, e.id) }

func (e *entry) text(field string) string { s, _ := e.fields[field].(string); return s }

// body is the invented body, whole, as it is to stand today.
type body struct {
	from    string // folder of the data
	now     time.Time
	kinds   kind.Set
	sheets  map[string]spread.Sheet
	entries map[string][]*entry
	byRef   map[fact.Ref]*entry
	planted []Planted
}

// read decodes a file of a folder of data. Unknown keys are errors.
func read(from, name string, into any) error {
	b, err := fs.ReadFile(data, from+"/"+name)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read %s/%s: %w", from, name, err)
	}
	return nil
}

// read decodes a file of the body's own folder. One that it does not have says
// nothing.
func (b *body) read(name string, into any) error {
	err := read(b.from, name, into)
	if errors.Is(err, fs.ErrNotExist) && b.from != prefectural {
		return nil
	}
	return err
}

// invent makes the body of a folder of data, with the planted faults in it.
func invent(from string, kinds kind.Set, now time.Time) (*body, error) {
	b := &body{from: from, now: now, kinds: kinds, sheets: map[string]spread.Sheet{}, entries: map[string][]*entry{}, byRef: map[fact.Ref]*entry{}}
	if err := b.read("planted.yaml", &b.planted); err != nil {
		return nil, err
	}
	for _, id := range order {
		s, err := b.sheet(id)
		if err != nil {
			return nil, err
		}
		b.sheets[id] = s
		for _, block := range s.Blocks {
			for _, row := range block.Make(id, now, b.fieldsOf) {
				b.add(id, row)
			}
		}
		switch id {
		case "post":
			b.assign()
		case "computer":
			b.seat()
		}
	}
	return b, b.settle()
}

// sheet reads the entries of one register. Blocks that are as one of the prefectural
// body take its fields over where they have none of their own.
func (b *body) sheet(id string) (spread.Sheet, error) {
	var s spread.Sheet
	if err := b.read("register/"+id+".yaml", &s); err != nil || b.from == prefectural {
		return s, err
	}
	var model spread.Sheet
	if err := read(prefectural, "register/"+id+".yaml", &model); err != nil {
		return s, err
	}
	for i, x := range s.Blocks {
		if x.As == "" {
			continue
		}
		at := slices.IndexFunc(model.Blocks, func(m spread.Block) bool { return m.Name == x.As })
		if at < 0 {
			return s, fmt.Errorf("read register %s: no block is named %q", id, x.As)
		}
		s.Blocks[i].With = maps.Clone(model.Blocks[at].With)
		maps.Copy(s.Blocks[i].With, x.With)
	}
	return s, nil
}

// add enters a row unless its key is there already.
func (b *body) add(kindID string, row map[string]any) {
	k := b.kinds[kindID]
	e := &entry{kind: k, fields: row}
	e.id = e.text(k.Key)
	row["_id"] = e.id
	if _, there := b.byRef[e.ref()]; there {
		return
	}
	b.entries[kindID] = append(b.entries[kindID], e)
	b.byRef[e.ref()] = e
}

func (b *body) fieldsOf(kindID string) []map[string]any {
	var out []map[string]any
	for _, e := range b.entries[kindID] {
		out = append(out, e.fields)
	}
	return out
}

// assign makes the assignments that posts name as "_duties": "duty scope" each,
// held by "_person".
func (b *body) assign() {
	for _, post := range b.entries["post"] {
		duties, _ := post.fields["_duties"].([]any)
		for i, d := range duties {
			duty, scope, _ := strings.Cut(fmt.Sprint(d), " ")
			row := map[string]any{
				"assignment_no": fmt.Sprintf("A-%s-%d", post.id, i+1), "post": post.id, "duty": duty, "scope": scope,
				"from": spread.Place{Now: b.now}.Day(-600), "basis": "架空県警察本部長通達（見本）第3号",
			}
			if p := post.text("_person"); p != "" {
				row["person"] = p
			}
			b.add("assignment", row)
		}
	}
}

// seat gives each terminal a user of its unit, as "_user".
func (b *body) seat() {
	staff := map[string][]string{}
	for _, p := range b.entries["person"] {
		if p.text("employment") != "contractor" && p.text("status") == "active" {
			staff[p.text("unit")] = append(staff[p.text("unit")], p.id)
		}
	}
	seats := map[string]int{}
	for _, c := range b.entries["computer"] {
		here := staff[c.text("unit")]
		if c.text("role") == "server" || len(here) == 0 {
			continue
		}
		c.fields["_user"] = here[seats[c.text("unit")]%len(here)]
		seats[c.text("unit")]++
	}
}

// settle lays the planted faults over the entries and types their values.
func (b *body) settle() error {
	for _, f := range b.planted {
		e, there := b.byRef[fact.Ref(cmp.Or(f.Lay, f.Subject))]
		if !there {
			return fmt.Errorf("planted fault %s of %s: no such entry", f.Control, f.Subject)
		}
		for name, v := range f.Set {
			if v == nil {
				delete(e.fields, name)
				continue
			}
			e.fields[name] = spread.Place{Name: f.Subject, Now: b.now, Row: e.fields}.Value(v)
		}
	}
	for _, id := range order {
		for _, e := range b.entries[id] {
			declared := maps.Clone(e.fields)
			maps.DeleteFunc(declared, func(name string, _ any) bool { return strings.HasPrefix(name, "_") })
			var faults []kind.Fault
			if e.values, faults = e.kind.Check(declared); len(faults) > 0 {
				return fmt.Errorf("data of %s: %w", e.ref(), faults[0])
			}
		}
	}
	return nil
}

// entering are the two rounds in which registers are entered: at first without
// what lies after that day, without what is not entered yet; yesterday whole.
func (b *body) entering(s *server.Server) []step {
	var out []step
	known := map[string]time.Time{} // kind → when it is first entered
	for _, id := range order {
		if len(b.entries[id]) == 0 && b.from != prefectural {
			continue
		}
		var first, whole []map[string]any
		at := spread.Place{Now: b.now}.Day(b.sheets[id].Entered).Add(9*time.Hour + time.Duration(len(out))*time.Minute)
		known[id] = at
		for _, e := range b.entries[id] {
			early := maps.Clone(e.values)
			maps.DeleteFunc(early, func(name string, v any) bool { return b.unknown(e.kind, name, v, at, known) })
			first = append(first, early)
			if len(early) < len(e.values) {
				whole = append(whole, e.values)
			}
		}
		out = append(out, b.enter(s, id, first, at))
		if len(whole) > 0 {
			out = append(out, b.enter(s, id, whole, spread.Place{Now: b.now}.Day(-1).Add(16*time.Hour+time.Duration(len(out))*time.Second)))
		}
	}
	return out
}

// unknown reports whether a value could not be entered at an instant.
func (b *body) unknown(k kind.Kind, name string, v any, at time.Time, known map[string]time.Time) bool {
	f, _ := k.Field(name)
	switch v := v.(type) {
	case time.Time:
		// Ends of periods lie ahead by nature.
		return v.After(at) && v.Before(b.now) && !f.Required
	case string:
		there, entered := known[f.To]
		return f.Type == kind.Ref && v != "" && (!entered || there.After(at))
	}
	return false
}

// enter imports rows of one register as its keeper would, from a file.
func (b *body) enter(s *server.Server, id string, rows []map[string]any, at time.Time) step {
	return step{at: at, do: func(ctx context.Context) error {
		var file bytes.Buffer
		if err := table.Write(&file, table.CSV, b.kinds[id], bilingual.JA, rows, table.Options{Personal: true}); err != nil {
			return err
		}
		who := actor.Program
		if by := b.sheets[id].By; by != "" {
			who = b.actor(by)
		}
		n, err := s.Exchange.Import(ctx, who, id, bytes.NewReader(file.Bytes()), id+".csv", at)
		if err == nil && n != len(rows) {
			err = fmt.Errorf("%d of %d rows taken", n, len(rows))
		}
		if err != nil {
			return fmt.Errorf("enter register %s: %w", id, err)
		}
		return nil
	}}
}

// actor is a person with the duties of the posts he holds, as at login.
func (b *body) actor(person string) actor.Actor {
	a := actor.Actor{Person: person, Addr: "192.0.2.10"}
	if e, ok := b.byRef[fact.NewRef("person", person)]; ok {
		a.Name = e.text("name")
	}
	for _, e := range b.entries["assignment"] {
		if e.text("person") == person {
			a.Assignments = append(a.Assignments, actor.Assignment{Post: e.text("post"), Duty: actor.Duty(e.text("duty")), Scope: e.text("scope")})
		}
	}
	return a
}

// holder finds who may act with one of the duties on an entry: whose post
// is nearest to it.
func (b *body) holder(duties []actor.Duty, e *entry) (actor.Actor, error) {
	for _, scope := range []string{"system/" + e.system(), "unit/" + e.text("unit"), "*"} {
		for _, as := range b.entries["assignment"] {
			p := as.text("person")
			if p != "" && as.text("scope") == scope && slices.Contains(duties, actor.Duty(as.text("duty"))) {
				return b.actor(p), nil
			}
		}
	}
	return actor.Actor{}, fmt.Errorf("%s: nobody holds %v", e.ref(), duties)
}

func (e *entry) system() string {
	if e.kind.ID == "system" {
		return e.id
	}
	return e.text("system")
}

// row is the entry as the rows will hold it.
func (e *entry) row(at time.Time) store.Subject {
	values, _ := fact.Canonical(e.values).(map[string]any)
	return store.Subject{Kind: e.kind.ID, ID: e.id, Name: e.id, Unit: e.text("unit"), System: e.system(), Values: values, Rev: 1, ChangedAt: at}
}
