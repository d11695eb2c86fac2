// Package event has the words for what a system or device says happened: one
// event, the batch a sender brings, and what is said back.
//
// An event answers the questions a trail must answer (log.fields.min): when, who,
// on which device, what, on which object, with which result, from where. What a
// source says beyond that stays in Fields; what could not be read stays in Raw.
// Nothing is dropped for being unknown.
package event

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kakusho/bilingual"
)

// Event is one thing that happened, as its source saw it. The order of fields is
// the order of keys in its line.
type Event struct {
	ID      string            // 32 lower-case hex digits, random: the salt of its hash. Encode makes one up when empty
	At      time.Time         // when, in the zone the source wrote
	Clock   Clock             // how far At can be believed
	Feed    string            // entry of the register log-source it came by; empty: not registered
	System  string            // system concerned, by its key
	Class   Class             // kind of event; empty: not classified
	Account string            // who
	Device  string            // the device it happened on
	Event   string            // what, in the source's words
	Object  string            // on what
	Result  Result            // how it went
	Source  string            // address the access came from
	Level   Level             // severity; zero: not said
	Text    string            // message for people
	Fields  map[string]string // what else the source said, flat
	Format  string            // how it came: rfc5424, rfc3164, otlp, journal, json, text
	Raw     []byte            // the message as it came, when the above does not hold all of it
}

// Clock says where At comes from.
type Clock string

// The qualities of a time, best first.
const (
	ClockSynced  Clock = "synced"   // the source says its clock is synchronised
	ClockSource  Clock = "source"   // the source's clock, with its zone; whether it is right is not known
	ClockAssumed Clock = "assumed"  // the source wrote no zone or no year: completed from the register or from the arrival
	ClockArrival Clock = "arrival"  // the source wrote no time, or an unreadable one: that of the arrival
	ClockDoubt   Clock = "doubtful" // the source's time is more than a day off its arrival
)

// Result is how it went.
type Result string

// The results.
const (
	Success Result = "success"
	Failure Result = "failure"
	Denied  Result = "denied"
)

// Level is a syslog severity plus one: 1 emergency … 8 debug; zero when not said.
type Level int

// Origin is how an event came in: what the register is asked for the feed.
type Origin struct {
	Door    string // syslog-udp, syslog-tcp, syslog-tls, otlp, api, journal, file
	Address string // of the sender, without the port; empty: this machine
	Name    string // proved name of the sender: of a certificate or a token; empty: none
	Host    string // name the sender gives itself
}

// Batch is what one sender brings at once.
type Batch struct {
	Origin Origin
	Events []Event

	// Sender and Number make a repeated delivery harmless: a sender counts its
	// batches from 1, and one it has brought already is answered as before and not
	// taken again. Empty: each delivery is new.
	Sender string
	Number int64
}

// Receipt is what is said back when all of a batch is on disk.
type Receipt struct {
	Taken     int    // events
	Duplicate bool   // they were there already
	Note      []byte // signed statement of what was taken; nil when nobody asked
}

// ErrFull is returned when a batch cannot be taken now. Nothing of it was taken;
// the sender waits and sends it again.
var ErrFull = errors.New("event store is busy or full: send it again later")

// Fault is what is wrong with one event of a batch. The others were taken.
type Fault struct {
	Index int    // in the batch, from 0
	Field string // key, or empty
	Text  bilingual.Text
}

func (f Fault) Error() string { return fmt.Sprintf("event %d: %s: %s", f.Index, f.Field, f.Text.EN) }

// Sink takes batches. It is safe for concurrent use.
type Sink interface {
	// Accept returns when the events are on disk, or an error and then none of
	// them is acknowledged. It blocks while there is no room, as long as ctx allows.
	Accept(ctx context.Context, b Batch, wantNote bool) (Receipt, error)
	// Lost counts events that are known to be gone before they could be taken.
	Lost(o Origin, n int64, why string)
}
