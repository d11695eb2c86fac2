package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/calendar"
	"kakusho/fact"
	"kakusho/store"
)

// open is an alert nobody has disposed of.
type open struct {
	alert   Alert // as it is known here
	entered int64 // of its count, what the register says
	id      string
	fresh   bool // not in the register yet
	note    string
}

// inbox holds the open alerts.
type inbox struct {
	w      *Watch
	open   map[key]*open
	order  []key // of the fresh ones
	hourly map[string]*hour
	day    string
	number int
}

// rest is the group of what is too much for one rule.
const rest = "*"

// load reads the open alerts of the register.
func (b *inbox) load(ctx context.Context) error {
	return b.w.rows.View(ctx, func(rd store.Reader) error {
		return rd.List(ctx, &store.Subject{}, store.Where{Equal: map[string]any{"kind": "alert", "retired": false}}, func(row store.Row) error {
			s := row.(*store.Subject)
			if s.Values["state"] != "closed" {
				a := b.alert(s.Values)
				b.open[a.key()] = &open{alert: a, entered: a.Count, id: s.ID}
			}
			return nil
		})
	})
}

// alert reads an entry of the register.
func (b *inbox) alert(values map[string]any) Alert {
	text := func(name string) string { s, _ := values[name].(string); return s }
	at := func(name string) time.Time { t, _ := time.Parse(time.RFC3339Nano, text(name)); return t }
	a := Alert{Rule: text("rule"), Title: text("title"), System: text("system"), Group: text("group")}
	switch n := values["count"].(type) {
	case float64:
		a.Count = int64(n)
	case int64:
		a.Count = n
	}
	a.First.At, a.Last.At, a.First.Ref, a.Last.Ref = at("first_at"), at("last_at"), placed(text("first_event")), placed(text("last_event"))
	if r, ok := b.w.o.Rules.Rule(a.Rule); ok {
		a.together, a.Level = r.Correlates(), r.Level
	}
	return a
}

// take counts a finding into its open alert, or opens one.
func (b *inbox) take(a Alert, now time.Time) {
	o, ok := b.open[a.key()]
	if !ok {
		if b.tooMany(a.Rule, now) {
			b.takeRest(a)
			return
		}
		b.put(&open{alert: a, fresh: true})
		return
	}
	last := o.alert.Last.Ref
	if last.Stream == a.Last.Ref.Stream && a.Last.Ref.Seq <= last.Seq {
		return // counted before the program was stopped
	}
	o.alert.add(a)
}

func (b *inbox) put(o *open) {
	k := o.alert.key()
	b.open[k] = o
	b.order = append(b.order, k)
}

// tooMany counts the alerts a rule opens, and says when it is enough.
func (b *inbox) tooMany(rule string, now time.Time) bool {
	h := b.hourly[rule]
	if h == nil || now.Sub(h.began) > time.Hour || now.Before(h.began) {
		h = &hour{began: now}
		b.hourly[rule] = h
	}
	h.n++
	return h.n > b.w.o.PerHour
}

// takeRest counts a finding of a rule that finds too much into one alert.
func (b *inbox) takeRest(a Alert) {
	a.Group, a.System, a.Feed, a.Account, a.Device, a.Source, a.together = rest, "", "", "", "", "", true
	k := a.key()
	if o, ok := b.open[k]; ok {
		o.alert.add(a)
		return
	}
	b.put(&open{alert: a, fresh: true, note: fmt.Sprintf(
		"この規則による新たな警告が1時間に%d件を超えたため、それ以後に該当したものをこの一件にまとめた。 More than %d new alerts of this rule within an hour: what came after is counted in this one.", b.w.o.PerHour, b.w.o.PerHour)})
}

// enter writes fresh alerts, and with all those that have grown.
func (b *inbox) enter(ctx context.Context, now time.Time, all bool) error {
	var faults []error
	var again []key
	for _, k := range b.order {
		o := b.open[k]
		if o == nil || !o.fresh {
			continue
		}
		if err := b.raise(ctx, o, now); err != nil {
			faults, again = append(faults, err), append(again, k)
		}
	}
	b.order = again
	if !all {
		return errors.Join(faults...)
	}
	grown := slices.DeleteFunc(slices.Collect(maps.Keys(b.open)), func(k key) bool { o := b.open[k]; return o.fresh || o.alert.Count == o.entered })
	slices.SortFunc(grown, func(x, y key) int { return strings.Compare(b.open[x].id, b.open[y].id) })
	for _, k := range grown {
		if err := b.update(ctx, b.open[k], now); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// raise enters a fresh alert under the next number that is free.
func (b *inbox) raise(ctx context.Context, o *open, now time.Time) error {
	values := o.alert.values()
	values["raised_at"], values["deadline"], values["state"] = now, now.Add(b.w.o.Deadline(o.alert.System, now)), "open"
	if o.note != "" {
		values["note"] = o.note
	}
	if day := now.In(calendar.Tokyo()).Format("20060102"); day != b.day {
		b.day, b.number = day, 0
	}
	for {
		b.number++
		id := fmt.Sprintf("AL-%s-%04d", b.day, b.number)
		if _, there, err := b.row(ctx, id); err != nil {
			return err
		} else if there {
			continue
		}
		values["alert_no"] = id
		if err := b.write(ctx, values, 0, now); err != nil {
			b.number--
			b.w.stats.Failed++
			return fmt.Errorf("raise alert of rule %s: %w", o.alert.Rule, err)
		}
		o.id, o.fresh, o.entered = id, false, o.alert.Count
		b.w.stats.Raised++
		b.w.o.Log.InfoContext(ctx, "alert", "id", id, "rule", o.alert.Rule, "level", string(o.alert.Level), "system", o.alert.System)
		return nil
	}
}

// update writes what has come since. When somebody has disposed of the alert, that is
// a new one.
func (b *inbox) update(ctx context.Context, o *open, now time.Time) error {
	s, there, err := b.row(ctx, o.id)
	if err != nil {
		return err
	}
	if !there || s.Retired || s.Values["state"] == "closed" {
		delete(b.open, o.alert.key())
		a := o.alert
		a.Count, a.First = a.Count-o.entered, a.Last
		if b.tooMany(a.Rule, now) {
			b.takeRest(a)
			return nil
		}
		fresh := &open{alert: a, fresh: true, note: o.note}
		b.open[a.key()] = fresh
		if err := b.raise(ctx, fresh, now); err != nil {
			b.order = append(b.order, a.key())
			return err
		}
		return nil
	}
	values := maps.Clone(s.Values)
	mine := o.alert.values()
	for _, name := range []string{"count", "first_at", "last_at", "first_event", "last_event"} {
		values[name] = mine[name]
	}
	if err := b.write(ctx, values, s.Rev, now); err != nil {
		b.w.stats.Failed++
		return fmt.Errorf("count alert %s on: %w", o.id, err)
	}
	o.entered = o.alert.Count
	return nil
}

// write enters values. A system or a source that the register does not have (any
// more) is left out rather than the alert.
func (b *inbox) write(ctx context.Context, values map[string]any, rev int64, at time.Time) error {
	_, err := b.w.reg.Put(ctx, actor.Program, "alert", values, rev, at)
	if err == nil || rev > 0 {
		return err
	}
	for _, name := range []string{"system", "log_source"} {
		to := map[string]string{"system": "system", "log_source": "log-source"}[name]
		id, named := values[name].(string)
		s, there, look := b.subject(ctx, to, id)
		if look != nil {
			return errors.Join(err, look)
		}
		if named && (!there || s.Retired) {
			delete(values, name)
		}
	}
	_, err = b.w.reg.Put(ctx, actor.Program, "alert", values, rev, at)
	return err
}

func (b *inbox) row(ctx context.Context, id string) (store.Subject, bool, error) {
	return b.subject(ctx, "alert", id)
}

func (b *inbox) subject(ctx context.Context, kind, id string) (s store.Subject, there bool, err error) {
	err = b.w.rows.View(ctx, func(rd store.Reader) (err error) {
		s, there, err = store.Get(ctx, rd, store.Subject{Kind: kind, ID: id})
		return err
	})
	if err != nil {
		return s, false, fmt.Errorf("look for %s: %w", fact.NewRef(kind, id), err)
	}
	return s, there, nil
}
