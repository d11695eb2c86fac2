package ingest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"kakusho/event"
)

// LostEvent is what an event is called that says how many others are lost.
const LostEvent = "events-lost"

// ownFormat is that of events which ingest writes itself.
const ownFormat = "kakusho"

// loss is one way in which events of one origin are lost.
type loss struct {
	origin event.Origin
	why    string
}

type losses struct {
	mu      sync.Mutex
	pending map[loss]int64
}

// Lost implements event.Sink. What is lost is put together for a moment, then
// sealed as an event of the same feed: a gap in the trail is in the trail.
func (in *Ingest) Lost(o event.Origin, n int64, why string) {
	if n <= 0 {
		return
	}
	in.losses.mu.Lock()
	defer in.losses.mu.Unlock()
	key := loss{o, why}
	if _, known := in.losses.pending[key]; !known && len(in.losses.pending) >= most {
		key = loss{why: "many"} // an attacker's thousand addresses are one line
	}
	in.losses.pending[key] += n
}

// SealLosses writes what was lost, which is done every few seconds, and by Close. What
// cannot be written now is kept for later.
func (in *Ingest) SealLosses() {
	in.losses.mu.Lock()
	pending := in.losses.pending
	in.losses.pending = map[loss]int64{}
	in.losses.mu.Unlock()
	for l, n := range pending {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := in.sealLoss(ctx, l, n)
		cancel()
		if err != nil {
			in.o.Log.Warn("seal a loss of events", "door", l.origin.Door, "address", l.origin.Address, "lost", n, "why", l.why, "error", err)
			in.Lost(l.origin, n, l.why)
		}
	}
}

func (in *Ingest) sealLoss(ctx context.Context, l loss, n int64) error {
	e := event.Event{
		At: in.o.Now(), Clock: event.ClockSynced, Class: event.LogStore, Device: l.origin.Host, Source: l.origin.Address,
		Event: LostEvent, Format: ownFormat, Level: 5,
		Fields: map[string]string{lostField: strconv.FormatInt(n, 10), "why": l.why, "door": l.origin.Door, "name": l.origin.Name},
	}
	f := in.o.Resolve(l.origin)
	e.ID, e.Feed, e.System = event.NewID(), f.ID, f.System
	if f.ID == "" {
		e.Fields[fromField] = from(l.origin)
	}
	_, err := in.seal(ctx, []event.Event{e}, f.Keep, e.At, false)
	return err
}

// lostField says how many. Only ingest writes it.
const lostField = own + "lost"

// lostIn is how many events an event says are lost; zero for every other.
func lostIn(e *event.Event) int64 {
	if e.Event != LostEvent || e.Fields[lostField] == "" {
		return 0
	}
	n, err := strconv.ParseInt(e.Fields[lostField], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
