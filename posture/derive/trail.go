package derive

import (
	"slices"
	"time"

	"kakusho/posture/world"
)

// trailDerivations are about the events of a system: whether they arrive, and
// whether somebody looks at what they tell.
var trailDerivations = map[string]world.Derivation{
	"system-silent-log-sources":    silentLogSources,
	"system-missing-event-classes": missingEventClasses,
	"system-overdue-alerts":        overdueAlerts,
	"system-unmeasured-alerts":     unmeasuredAlerts,
	"system-trail-reviewed":        reviewedOn("trend"),
	"device-log-arrives":           logArrives,
}

// sending lists the log sources of a system that are to send.
func sending(r *world.Reading, it *world.Item) []*world.Item {
	return slices.DeleteFunc(r.L.InSystem(it, "log-source"), func(s *world.Item) bool {
		r.NoteDeclared(s, "status")
		return world.DeclaredText(s, "status") != "in-service"
	})
}

// period is a parameter as it holds for an item.
func period(r *world.Reading, it *world.Item, key string) (time.Duration, bool) {
	d, ok := r.L.Value(it, key).Value.(time.Duration)
	return d, ok
}

// silent reports whether a source has sent nothing for longer than it may. One
// that was never heard of is silent.
func silent(r *world.Reading, s *world.Item) (bool, string) {
	limit, ok := period(r, s, "log.silence_max")
	if !ok {
		return false, "no-parameter: log.silence_max"
	}
	if own, ok := world.DeclaredValue(s, "silence").(time.Duration); ok {
		limit = min(limit, own)
	}
	c, ok := r.L.Cell(s, "last_arrival")
	if !ok {
		return true, ""
	}
	last, seen := c.Fact.Value.(time.Time)
	if !seen {
		return true, ""
	}
	// When the last event came stays true however old the fact is, and with no newer
	// fact nothing is known to have come since.
	edge := last.Add(limit)
	if edge.Before(r.L.At) {
		return true, ""
	}
	r.L.Until(edge.Add(1)) // exactly as long as it may is not too long
	return false, ""
}

// silentLogSources are those that should be heard and are not. A system of which
// nothing should be heard has none to look at, which is no silence kept away.
func silentLogSources(r *world.Reading, it *world.Item) world.Result {
	var out []string
	all := sending(r, it)
	if len(all) == 0 {
		return world.None("no-entry: no log source of the system is to send")
	}
	for _, s := range all {
		is, why := silent(r, s)
		if why != "" {
			return world.Cannot(why)
		}
		if is {
			out = append(out, s.Row.ID)
		}
	}
	return world.Texts(out)
}

// missingEventClasses are the classes that must be recorded less those that come
// from any source of the system: what every application and every computer records
// by determination, and what the system's own register entry says is recorded.
func missingEventClasses(r *world.Reading, it *world.Item) world.Result {
	var want []string
	add := func(key string) {
		want = append(want, texts(r.L.Value(it, key).Value)...)
	}
	add("log.events.system")
	if len(inService(r, it)) > 0 {
		add("log.events.computer")
	}
	if declared, ok, _ := r.Names(it, "trail_items"); ok {
		whole := texts(r.L.Value(it, "log.events").Value)
		for _, c := range declared {
			if slices.Contains(whole, c) {
				want = append(want, c)
			}
		}
	}
	var have []string
	for _, s := range sending(r, it) {
		seen, ok, _ := r.Names(s, "classes_seen")
		if is, why := silent(r, s); ok && !is && why == "" {
			have = append(have, seen...)
		}
	}
	return world.Texts(world.Minus(want, have))
}

func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// overdueAlerts are those nobody has disposed of within the time an alert may wait.
func overdueAlerts(r *world.Reading, it *world.Item) world.Result {
	limit, ok := period(r, it, "log.review.alert")
	if !ok {
		return world.Cannot("no-parameter: log.review.alert")
	}
	var out []*world.Item
	for _, a := range r.L.InSystem(it, "alert") {
		if world.DeclaredText(a, "state") == "closed" {
			continue
		}
		r.NoteDeclared(a, "state")
		edge := world.DeclaredTime(a, "raised_at").Add(limit)
		if edge.Before(r.L.At) {
			out = append(out, a)
			continue
		}
		r.L.Until(edge.Add(1))
	}
	return world.Texts(world.Keys(out))
}

// unmeasuredAlerts are those that were something, and of which nobody wrote what was
// done.
func unmeasuredAlerts(r *world.Reading, it *world.Item) world.Result {
	var out []*world.Item
	for _, a := range r.L.InSystem(it, "alert") {
		something := slices.Contains([]string{"incident", "corrected"}, world.DeclaredText(a, "disposition"))
		if !something || world.DeclaredText(a, "state") != "closed" {
			continue
		}
		r.NoteDeclared(a, "measures")
		if world.DeclaredText(a, "measures") == "" {
			out = append(out, a)
		}
	}
	return world.Texts(world.Keys(out))
}

// reviewedOn is when a kind of review of the system's trail was last made; a search
// over every system counts for each.
func reviewedOn(review string) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		var last time.Time
		for _, s := range r.L.ByKind("saved-search") {
			of := world.DeclaredText(s, "system")
			if of != "" && of != it.Row.ID || world.DeclaredText(s, "review") != review {
				continue
			}
			r.NoteDeclared(s, "reviewed_on")
			if on := world.DeclaredTime(s, "reviewed_on"); on.After(last) && r.L.Within(on, time.Time{}) {
				last = on
			}
		}
		if last.IsZero() {
			return world.None("no-entry: no such review is recorded")
		}
		return world.Found(last)
	}
}

// logArrives is whether a log source of the device itself sends.
func logArrives(r *world.Reading, it *world.Item) world.Result {
	self := it.Row.Kind + "/" + it.Row.ID
	for _, s := range sending(r, it) {
		if world.DeclaredText(s, "subject") != self {
			continue
		}
		is, why := silent(r, s)
		if why != "" {
			return world.Cannot(why)
		}
		if !is {
			r.NoteSeen(s, "last_arrival")
			return world.Found(true)
		}
	}
	return world.Found(false)
}
