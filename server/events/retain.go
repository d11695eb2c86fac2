package events

import (
	"context"
	"fmt"
	"time"

	"kakusho/ingest"
	"kakusho/kind"
	"kakusho/retention"
	"kakusho/store"
)

// keeping is what retention is told: the streams, what each system needs, and the
// holds in force.
type keeping struct{ e *Events }

// Streams implements retention.Source.
func (k keeping) Streams(context.Context) (out []retention.Stream, err error) {
	trails := k.e.Ingest.Trails()
	for _, name := range ingest.Streams() {
		l := trails[name]
		if l == nil {
			continue
		}
		s := retention.Stream{Name: name, Keep: ingest.Keep(name), Trail: l, Systems: map[string]retention.Span{}, Archive: k.e.archive(name) != nil}
		for system, seen := range k.e.Ingest.Systems(name) {
			s.Systems[system] = retention.Span{From: seen.First, To: seen.Last}
		}
		out = append(out, s)
	}
	return out, nil
}

// Needs implements retention.Source.
func (k keeping) Needs(ctx context.Context, system string, at time.Time) (retention.Needs, error) {
	n, err := k.e.sources.NeedAt(ctx, system, at)
	return n.Needs, err
}

// Holds implements retention.Source: the entries of the register hold that are not
// released. What cannot be read holds everything.
func (k keeping) Holds(ctx context.Context, _ time.Time) (out []retention.Hold, err error) {
	var rows []store.Subject
	err = k.e.parts.Rows.View(ctx, func(r store.Reader) (err error) {
		rows, err = store.All[store.Subject](ctx, r, store.Where{Equal: map[string]any{"kind": "hold", "retired": false}, Sort: []string{"id"}})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	seen := k.e.Ingest.Coverage()
	for _, row := range rows {
		if text(row, "status") == "released" {
			continue
		}
		h := retention.Hold{ID: row.ID, System: text(row, "system"), From: instant(k.e.parts.Kinds, row, "events_from"), Until: instant(k.e.parts.Kinds, row, "events_until")}
		if feed := text(row, "log_source"); feed != "" {
			h = ofFeed(h, seen[feed])
		}
		out = append(out, h)
	}
	return out, nil
}

// ofFeed narrows a hold to when one source spoke. The source may have belonged to
// another system then, so its time counts and not its system.
func ofFeed(h retention.Hold, c ingest.Coverage) retention.Hold {
	h.System = ""
	if c.Count > 0 && c.First.After(h.From) {
		h.From = c.First
	}
	return h
}

func text(row store.Subject, field string) string { v, _ := row.Values[field].(string); return v }

func instant(kinds kind.Set, row store.Subject, field string) time.Time {
	f, ok := kinds[row.Kind].Field(field)
	if !ok {
		return time.Time{}
	}
	v, err := f.Check(row.Values[field])
	if err != nil {
		return time.Time{}
	}
	t, _ := v.(time.Time)
	return t
}
