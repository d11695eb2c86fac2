package events

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"kakusho/audit"
	"kakusho/bilingual"
	"kakusho/web"
)

type liveData struct {
	Ask    ask
	Stream string // address of what comes
	Search string
}

func (p pages) live(r *web.Request) (web.Answer, error) {
	a := read(r)
	d := liveData{Ask: a, Stream: "/events/stream" + with(r, nil), Search: "/events" + with(r, nil)}
	if _, err := p.look(r, a.Text); err != nil {
		return web.Answer{}, err
	}
	return web.Answer{Page: "live", Title: bilingual.Say("証跡の監視", "Watch events"), Data: d}, nil
}

// tailsMost is how many may watch at once.
const tailsMost = 64

// liveRow is what the script of the page shows of an event.
type liveRow struct {
	At      string `json:"at"`
	Link    string `json:"link"`
	Class   string `json:"class"`
	System  string `json:"system"`
	Account string `json:"account"`
	Device  string `json:"device"`
	Text    string `json:"text"`
	Result  string `json:"result"`
	Source  string `json:"source"`
}

// stream sends events as they are taken, as server-sent events: "rows" with a list,
// "missed" with a number. What comes too fast to be read by a person is counted.
func (p pages) stream(r *web.Request) (web.Answer, error) {
	a := read(r)
	if len(a.Faults) > 0 {
		return web.Answer{}, web.ErrBadRequest
	}
	l, err := p.look(r, a.Text)
	if err != nil {
		return web.Answer{}, err
	}
	select {
	case p.tails <- struct{}{}:
	default:
		return web.Answer{}, web.ErrBusy
	}
	a.query.From, a.query.After = r.At.AddDate(0, 0, -1), audit.Hit{}
	return web.Answer{Stream: func(ctx context.Context, w io.Writer) {
		defer func() { <-p.tails }()
		if _, err := io.WriteString(w, ": open\n\n"); err != nil {
			return
		}
		p.events.Tail(ctx, l, a.query, func(found []audit.Found, missed int64) bool {
			return send(w, r, found, missed) == nil
		})
	}}, nil
}

// rowsAtOnce is how many rows of one batch are sent.
const rowsAtOnce = 200

func send(w io.Writer, r *web.Request, found []audit.Found, missed int64) error {
	if n := len(found) - rowsAtOnce; n > 0 {
		found, missed = found[n:], missed+int64(n)
	}
	rows := make([]liveRow, 0, len(found))
	for _, f := range found {
		e := f.Event
		rows = append(rows, liveRow{At: web.Moment(f.Time, r.Lang), Link: fmt.Sprintf("/event/%s/%d", f.Stream, f.Seq), Class: e.Class.Label().In(r.Lang),
			System: e.System, Account: e.Account, Device: e.Device, Text: short(e), Result: e.Result.Label().In(r.Lang), Source: e.Source})
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	var b strings.Builder
	if missed > 0 {
		fmt.Fprintf(&b, "event: missed\ndata: %d\n\n", missed)
	}
	if len(rows) > 0 {
		fmt.Fprintf(&b, "event: rows\ndata: %s\n\n", text)
	}
	_, err = io.WriteString(w, b.String())
	return err
}
