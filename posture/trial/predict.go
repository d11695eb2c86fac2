package trial

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kakusho/decision"
	"kakusho/directive"
	"kakusho/gate"
	"kakusho/posture"
)

// Typed is a canonical value of a parameter as somebody would type it.
func Typed(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	words := make([]string, len(list))
	for i, e := range list {
		words[i] = fmt.Sprint(e)
	}
	return strings.Join(words, ", ")
}

// Proposed is the draft that tries a value somebody put forward: from its beginning on,
// or from now.
func Proposed(s directive.Setting, at time.Time) Draft {
	d := Draft{Settings: []Setting{{Key: s.Key, Layer: s.Layer, Value: Typed(s.Value)}}}
	if s.From.After(at) {
		d.On = s.From
	}
	return d
}

// Predict tries a value that somebody put forward. Faults are what keeps it from being
// tried.
func Predict(ctx context.Context, p *posture.Posture, permit gate.Permit, s directive.Setting, at time.Time) (decision.Prediction, error) {
	t, err := Run(ctx, p, permit, Proposed(s, at), nil, at)
	if err != nil {
		return decision.Prediction{}, err
	}
	out := decision.Prediction{Key: s.Key, Layer: s.Layer, Value: s.Value, From: s.From, On: t.On, At: at, Counts: map[string]int{}}
	for sort, n := range t.Counts() {
		out.Counts[string(sort)] = n
	}
	return out, nil
}

// ScopeOf is where a layer holds.
func ScopeOf(layer string) (s directive.Scope) {
	if code, ok := strings.CutPrefix(layer, "prefecture/"); ok {
		s.Prefecture = code
	}
	if id, ok := strings.CutPrefix(layer, "system/"); ok {
		s.System = id
	}
	return s
}
