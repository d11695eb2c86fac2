package past

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/trail"
)

// Looking is the recorder of a past, or of another directive: that somebody looked is
// sealed now, in the present's trail, with the time and the directive he looked at. A
// change is not taken, whoever was allowed it: nothing can be done in the past.
type Looking struct {
	gate.Recorder // of the present
	Now           func() time.Time
	Past          calendar.Past
	Book          string // source of the directive; empty: the one in force
}

// errPast means that a change was asked of another time than now.
var errPast = errors.New("only looking: another time, or another directive, is not changed")

// looks are the entries that change nothing.
var looks = []string{string(gate.Read), string(gate.ReadTrail), string(gate.Export), "gate.refused"}

// Append implements gate.Recorder.
func (o Looking) Append(ctx context.Context, entries ...trail.Entry) (int64, error) {
	for i, e := range entries {
		if !slices.Contains(looks, e.Kind) {
			return 0, fmt.Errorf("%s %s: %w", e.Kind, e.Object, errPast)
		}
		body := map[string]any{}
		if len(e.Body) > 0 {
			if err := json.Unmarshal(e.Body, &body); err != nil {
				return 0, fmt.Errorf("encode %s: %w", e.Kind, err)
			}
		}
		if !o.Past.AsOf.IsZero() {
			body["as_of"] = o.Past.AsOf
		}
		if o.Book != "" {
			body["rulebook"] = o.Book
		}
		if !o.Past.KnownAt.IsZero() {
			body["known_at"] = o.Past.KnownAt
		}
		b, err := json.Marshal(body)
		if err != nil {
			return 0, fmt.Errorf("encode %s: %w", e.Kind, err)
		}
		entries[i].At, entries[i].Body = o.Now(), b
	}
	return o.Recorder.Append(ctx, entries...)
}
