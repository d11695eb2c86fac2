package trial

import (
	"time"

	"kakusho/judge"
	"kakusho/kind"
)

// renewed is evidence as it will be by then if machines go on reporting: looked at as
// long before that day as it was before today, and showing instants as long past as
// they are today. An instant that lies ahead, the end of a certificate or of support,
// comes nearer.
func renewed(now time.Time, by time.Duration) func(kind.Field, judge.Cell) judge.Cell {
	return func(_ kind.Field, c judge.Cell) judge.Cell {
		c.ObservedAt, c.ReceivedAt = c.ObservedAt.Add(by), c.ReceivedAt.Add(by)
		c.Fact.Value = moved(c.Fact.Value, now, by)
		return c
	}
}

// moved is a value with the instants in it that are past moved on.
func moved(v any, now time.Time, by time.Duration) any {
	switch v := v.(type) {
	case time.Time:
		if v.After(now) {
			return v
		}
		return v.Add(by)
	case []any:
		if !timed(v) {
			return v
		}
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = moved(e, now, by)
		}
		return out
	case map[string]any:
		if !timed(v) {
			return v
		}
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = moved(e, now, by)
		}
		return out
	}
	return v
}

// timed reports whether an instant is in a value.
func timed(v any) bool {
	switch v := v.(type) {
	case time.Time:
		return true
	case map[string]any:
		for _, e := range v {
			if timed(e) {
				return true
			}
		}
	case []any:
		for _, e := range v {
			if timed(e) {
				return true
			}
		}
	}
	return false
}
