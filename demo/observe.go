package demo

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/collect"
	"kakusho/demo/spread"
	"kakusho/fact"
	"kakusho/intake"
	"kakusho/kind"
	"kakusho/server"
	"kakusho/store"
)

// view is what one kind of subject shows when looked at: a file of data. A field
// that no part names shows what is declared of it, or that there is none.
type view struct {
	See      map[string]any            `yaml:"see"`      // of all
	Variants []variant                 `yaml:"variants"` // of those that fit, in order
	Subjects map[string]map[string]any `yaml:"subjects"` // of one, by key
	Before   map[string]any            `yaml:"before"`   // as it was a fortnight ago, of every fourth
}

type variant struct {
	When map[string][]string `yaml:"when"`
	See  map[string]any      `yaml:"see"`
}

// trouble is what goes wrong with reporting.
type trouble struct {
	Never []string `yaml:"never"` // subjects that have never reported
	Late  []struct {
		Subjects []string `yaml:"subjects"`
		System   string   `yaml:"system"` // all computers of it
		Group    string   `yaml:"group"`  // empty: everything
		Days     int      `yaml:"days"`   // since the last report
	} `yaml:"late"`
	Failing []struct {
		Subject string      `yaml:"subject"`
		Group   string      `yaml:"group"`
		Status  fact.Status `yaml:"status"`
		Reason  string      `yaml:"reason"`
	} `yaml:"failing"`
}

// seen is everything observed of one subject.
type seen struct {
	entry   *entry
	batches []fact.Batch
	earlier []fact.Batch // oldest first
}

// observe looks at every subject of which something is observed.
func (b *body) observe() ([]seen, error) {
	var t trouble
	if err := b.read("reports.yaml", &t); err != nil {
		return nil, err
	}
	files, err := fs.Glob(data, prefectural+"/facts/*.yaml")
	if err != nil {
		return nil, err
	}
	var out []seen
	for _, name := range files {
		v, err := b.view(strings.TrimPrefix(name, prefectural+"/"))
		if err != nil {
			return nil, err
		}
		id := strings.TrimSuffix(name[strings.LastIndex(name, "/")+1:], ".yaml")
		for i, e := range b.entries[id] {
			if s := e.text("status"); slices.Contains(t.Never, string(e.ref())) || s == "disposed" || s == "planned" {
				continue
			}
			one, err := b.look(e, v, t, i)
			if err != nil {
				return nil, fmt.Errorf("data of what %s shows: %w", e.ref(), err)
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// view reads what one kind of subject shows. A body other than the prefectural one
// shows the same but for what its own folder says, and nothing of the past.
func (b *body) view(name string) (v view, err error) {
	if err := read(prefectural, name, &v); err != nil || b.from == prefectural {
		return v, err
	}
	var own view
	err = b.read(name, &own)
	maps.Copy(v.See, own.See)
	return view{See: v.See, Variants: append(v.Variants, own.Variants...), Subjects: own.Subjects}, err
}

// look makes what one subject shows, group by group.
func (b *body) look(e *entry, v view, t trouble, i int) (seen, error) {
	out := seen{entry: e}
	facts, err := b.facts(e, b.raw(e, v))
	if err != nil {
		return out, err
	}
	for _, group := range groups(e.kind) {
		at := b.now.Add(-time.Duration(2+spread.Lot(string(e.ref())).IntN(40)) * time.Minute)
		for _, late := range t.Late {
			if (slices.Contains(late.Subjects, string(e.ref())) || late.System != "" && late.System == e.system() && e.kind.ID == "computer") &&
				(late.Group == "" || late.Group == group) {
				at = at.AddDate(0, 0, -late.Days)
			}
		}
		batch := b.batch(e, group, facts, at)
		for _, f := range t.Failing {
			if f.Subject == string(e.ref()) && f.Group == group {
				for j := range batch.Facts {
					batch.Facts[j] = fact.Fact{Field: batch.Facts[j].Field, Status: f.Status, Reason: f.Reason, Source: batch.Facts[j].Source}
				}
			}
		}
		out.batches = append(out.batches, batch)
	}
	return out, b.history(&out, facts, v, i)
}

// history adds what was seen before: of every fourth computer how it was a
// fortnight ago, and of planted faults that are old since when they are there.
func (b *body) history(s *seen, facts map[string]fact.Fact, v view, i int) error {
	for _, p := range b.about(string(s.entry.ref())) {
		if p.Since == 0 {
			continue
		}
		touched := map[string]bool{}
		for name := range p.See {
			name, _ = plus(name)
			f, _ := s.entry.kind.Field(name)
			touched[f.Group] = true
		}
		for _, group := range slices.Sorted(maps.Keys(touched)) {
			s.earlier = append(s.earlier, b.batch(s.entry, group, facts, b.now.AddDate(0, 0, -p.Since)))
		}
	}
	if len(v.Before) == 0 || i%4 != 0 || len(s.earlier) > 0 {
		return nil
	}
	raw := b.raw(s.entry, v)
	maps.Copy(raw, v.Before)
	before, err := b.facts(s.entry, raw)
	if err != nil {
		return err
	}
	touched := map[string]bool{}
	for name := range v.Before {
		f, _ := s.entry.kind.Field(name)
		touched[f.Group] = true
	}
	for _, group := range slices.Sorted(maps.Keys(touched)) {
		s.earlier = append(s.earlier, b.batch(s.entry, group, before, b.now.AddDate(0, 0, -14)))
	}
	return nil
}

// raw gathers the data that apply to a subject, planted faults last.
func (b *body) raw(e *entry, v view) map[string]any {
	raw := maps.Clone(v.See)
	if raw == nil {
		raw = map[string]any{}
	}
	for _, x := range v.Variants {
		if (spread.Block{Where: x.When}).Fits(e.fields) {
			maps.Copy(raw, x.See)
		}
	}
	maps.Copy(raw, v.Subjects[e.id])
	for _, p := range b.about(string(e.ref())) {
		maps.Copy(raw, p.See)
	}
	return raw
}

// facts types what a subject shows, field by field.
func (b *body) facts(e *entry, raw map[string]any) (map[string]fact.Fact, error) {
	out := map[string]fact.Fact{}
	people := map[string]any{}
	if e.kind.ID == "computer" {
		people = b.accounts(e)
	}
	for _, f := range e.kind.Layer(kind.Observed) {
		at := spread.Place{Name: string(e.ref()) + "." + f.Name, Now: b.now, Row: e.fields}
		v, named := raw[f.Name]
		if f.Name == "accounts" {
			list, _ := at.Value(v).([]any)
			own, _ := people[f.Name].([]any)
			v, named = append(list, own...), true
		} else if !named {
			if v, named = people[f.Name]; !named {
				v = e.values[f.Name]
			}
		}
		one, err := observed(f, at.Value(v))
		if err != nil {
			return nil, err
		}
		if more, ok := raw[f.Name+"+"]; ok {
			extra, err := observed(f, at.Value(more))
			if err != nil {
				return nil, err
			}
			list, _ := one.Value.([]any)
			add, _ := extra.Value.([]any)
			one = fact.Fact{Field: f.Name, Status: fact.Observed, Value: slices.Concat(list, add)}
		}
		out[f.Name] = one
	}
	return out, nil
}

// observed is a value as a fact; nothing is that there is none, and a record with
// a status is how the looking went.
func observed(f kind.Field, v any) (fact.Fact, error) {
	if v == nil {
		return fact.Fact{Field: f.Name, Status: fact.Absent, Reason: "none: looked, and there is none"}, nil
	}
	if m, ok := v.(map[string]any); ok && m["status"] != nil {
		return fact.Fact{Field: f.Name, Status: fact.Status(fmt.Sprint(m["status"])), Reason: fmt.Sprint(m["reason"])}, nil
	}
	typed, err := f.CheckObserved(v)
	return fact.Fact{Field: f.Name, Status: fact.Observed, Value: typed}, err
}

func groups(k kind.Kind) (out []string) {
	for _, f := range k.Layer(kind.Observed) {
		if !slices.Contains(out, f.Group) {
			out = append(out, f.Group)
		}
	}
	return out
}

func (b *body) batch(e *entry, group string, facts map[string]fact.Fact, at time.Time) fact.Batch {
	out := fact.Batch{
		ID: fmt.Sprintf("demo/%s/%s/%d", e.ref(), group, at.Unix()), Subject: e.ref(), Collector: group, Version: "demo-1",
		Method: "demo", Privilege: "root", ObservedAt: at,
	}
	for _, f := range collect.Fields(e.kind, group) {
		one := facts[f.Name]
		one.Source = []fact.Source{{Kind: "import", Ref: "demo:" + group}}
		out.Facts = append(out.Facts, one)
	}
	return out
}

// accounts is who can log in on a computer, as the account register has it: its
// own accounts, its system's administrators, and its user.
func (b *body) accounts(c *entry) map[string]any {
	var list []any
	var admins []any
	for _, a := range b.entries["account"] {
		bound, user := a.text("computer") == c.id, a.text("person") == c.text("_user")
		if a.text("status") != "active" || a.text("database") != "" || a.text("network_device") != "" {
			continue
		}
		isAdmin, _ := a.fields["admin"].(bool)
		free := a.text("computer") == "" && a.text("system") == c.text("system")
		if !bound && !(free && a.text("use") == "individual" && (isAdmin || user)) {
			continue
		}
		name := a.text("name")
		chance := spread.Lot(string(c.ref()) + name)
		list = append(list, map[string]any{
			"name": name, "uid": 1000 + len(list), "gid": 1000 + len(list), "home": "/home/" + name, "shell": "/bin/bash", "interactive": true,
			"password": "set", "hash": "yescrypt", "changed_at": b.now.AddDate(0, 0, -40-chance.IntN(40)), "max_days": 99999,
			"last_login": b.now.Add(-time.Duration(1+chance.IntN(400)) * time.Hour), "never_logged_in": false,
			"system": false, "admin": isAdmin, "shared_name": false,
		})
		if isAdmin {
			admins = append(admins, name)
		}
	}
	return map[string]any{"accounts": list, "admins": append([]any{}, admins...)}
}

// reporting are the steps by which facts arrive: what was seen earlier at its
// time, the latest now.
func (b *body) reporting(s *server.Server, all []seen) []step {
	var out []step
	for _, one := range all {
		byTime := map[time.Time][]fact.Batch{}
		for _, batch := range slices.Concat(one.earlier, one.batches) {
			byTime[batch.ObservedAt] = append(byTime[batch.ObservedAt], batch)
		}
		for _, at := range slices.SortedFunc(maps.Keys(byTime), time.Time.Compare) {
			received := at.Add(5 * time.Second)
			out = append(out, step{at: received, do: func(ctx context.Context) error {
				return s.Intake.Accept(ctx, actor.Program, byTime[at], received)
			}})
		}
	}
	return out
}

// rows are the facts as the store will hold them.
func rows(all []seen) []store.Fact {
	var out []store.Fact
	for _, one := range all {
		for _, batch := range one.batches {
			for _, f := range batch.Facts {
				out = append(out, intake.Observed(batch, f, batch.ObservedAt))
			}
		}
	}
	return out
}
