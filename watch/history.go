package watch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"kakusho/event"
	"kakusho/sigma"
)

// History is what rules find in events that are there already.
type History struct {
	Alerts  []Alert // the gravest first; at most as many as were asked for
	Events  int64   // looked at
	Broken  int64   // lines that are no event
	Left    int64   // findings of groups beyond the number asked for
	Evicted int64   // groups of correlations forgotten for want of room
}

// Span is a part of a stream: the numbers from From to Until, which is not of it;
// zero: to the end. Of its events those that arrived from Since to Before; zero: all.
type Span struct {
	Stream        string
	From, Until   int64
	Since, Before time.Time
}

// Search tries rules on a part of a trail, as a rule's author does before he puts it
// to use, and as one does when a new way of attack has become known. Nothing is
// raised; Raise does that. progress may be nil and is called now and then.
func Search(ctx context.Context, r Reader, s Span, rules *sigma.Set, most int, progress func(seq, events int64)) (History, error) {
	var h History
	found := map[key]*Alert{}
	d := rules.Detector(0)
	for line, err := range r.Lines(ctx, s.From) {
		if err != nil {
			return h, fmt.Errorf("search history of %s: %w", s.Stream, err)
		}
		if s.Until > 0 && line.Seq >= s.Until || !s.Before.IsZero() && !line.Arrived.Before(s.Before) {
			break
		}
		if line.Arrived.Before(s.Since) {
			continue
		}
		e, err := event.Decode(line.Bytes)
		if err != nil {
			h.Broken++
			continue
		}
		if h.Events++; progress != nil && h.Events%50_000 == 0 {
			progress(line.Seq, h.Events)
		}
		d.Observe(&e, instant(&e, line.Arrived), sigma.Ref{Stream: s.Stream, Seq: line.Seq}, func(f sigma.Finding) {
			a := alertOf(f)
			switch old, ok := found[a.key()]; {
			case ok:
				old.add(a)
			case len(found) < most:
				found[a.key()] = &a
			default:
				h.Left++
			}
		})
	}
	for _, a := range found {
		h.Alerts = append(h.Alerts, *a)
	}
	slices.SortFunc(h.Alerts, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(slices.Index(sigma.Levels(), b.Level), slices.Index(sigma.Levels(), a.Level)),
			a.First.At.Compare(b.First.At), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Group, b.Group))
	})
	h.Evicted = d.Evicted()
	return h, nil
}

// Raise enters what was found in history, as if it had been found as it came. What
// an open alert counts already is not counted again.
func (w *Watch) Raise(ctx context.Context, alerts []Alert) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.o.Now()
	for _, a := range alerts {
		w.inbox.take(a, now)
	}
	return w.inbox.enter(ctx, now, true)
}
