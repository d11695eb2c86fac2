package otlp

import (
	"encoding/json"
	"errors"
	"time"

	"kakusho/door"
	"kakusho/event"
)

const (
	maxRecord    = 1 << 20   // bytes of a record or a resource
	maxRecords   = 1 << 16   // of a request
	maxSealed    = 64 << 20  // bytes of all events of a request, about
	maxDepth     = 16        // of values in values
	maxValues    = 1 << 15   // of a record or a resource, keys and those inside others counted
	maxParsed    = 128 << 20 // bytes that a request of JSON takes beside its text, about
	retrySeconds = 2
	rejectedText = "records of more than 1 MiB, or not readable, were not taken"
)

var (
	errMany = errors.New("too many records, or too large: send fewer at once")
	errJSON = errors.New("not the JSON that was expected")
)

// record is a log record of OTLP.
type record struct {
	time, observed uint64
	severity       int
	severityText   string
	body           value
	attributes     pairs
	trace, span    string
	name           string
}

// origin is what many records share.
type origin struct {
	resource map[string]string
	scope    string
}

// newOrigin is one of the attributes of a resource.
func newOrigin(resource pairs) origin {
	o := origin{resource: make(map[string]string, len(resource))}
	flatten(o.resource, "", value{kind: object, pairs: resource})
	return o
}

type pairs []pair

type pair struct {
	name  string
	value value
}

type value struct {
	kind  kind
	text  string
	pairs pairs // of a list, without names
}

type kind int

const (
	empty kind = iota
	scalar
	list
	object
)

// text is bytes that ought to be UTF-8.
func text(b []byte) string {
	s, _ := door.Text(b)
	return s
}

// reader makes events of records.
type reader struct {
	arrived  time.Time
	peer     string
	budget   *door.Budget
	held     int64 // of the budget, by events
	parsed   int64 // of the budget, while JSON is taken apart
	events   []event.Event
	rejected int
}

func (r *reader) reject() error {
	if r.rejected++; r.rejected+len(r.events) > maxRecords {
		return errMany
	}
	return nil
}

// take makes an event of a record.
func (r *reader) take(l record, of origin) error {
	if len(r.events)+r.rejected >= maxRecords {
		return errMany
	}
	e := event.Event{Format: "otlp", Event: l.name, Level: level(l.severity), Fields: make(map[string]string, len(of.resource)+len(l.attributes)+4)}
	r.timed(&e, l)
	flatten(e.Fields, "", value{kind: object, pairs: l.attributes})
	for name, v := range of.resource {
		if _, twice := e.Fields[name]; twice {
			name = "resource." + name
		}
		e.Fields[name] = v
	}
	if l.body.kind == object {
		flatten(e.Fields, "body", l.body)
	} else {
		e.Text = l.body.string()
	}
	put(e.Fields, "severity", l.severityText)
	put(e.Fields, "scope", of.scope)
	put(e.Fields, "trace_id", l.trace)
	put(e.Fields, "span_id", l.span)
	put(e.Fields, event.Peer, r.peer)
	named(&e)
	size := int64(512 + len(e.Text))
	for name, v := range e.Fields {
		size += int64(len(name) + len(v) + 64)
	}
	if r.held+size > maxSealed {
		return errMany
	}
	if err := r.budget.Take(size); err != nil {
		return err
	}
	r.held += size
	r.events = append(r.events, event.Fit(e, r.arrived))
	return nil
}

func (r *reader) timed(e *event.Event, l record) {
	switch {
	case l.time != 0:
		e.At, e.Clock = time.Unix(0, int64(l.time)).UTC(), event.ClockSource
	case l.observed != 0: // by a collector, when it saw the record
		e.At, e.Clock = time.Unix(0, int64(l.observed)).UTC(), event.ClockAssumed
	default:
		e.At, e.Clock = r.arrived, event.ClockArrival
	}
	e.Clock = door.Trust(e.Clock, e.At, r.arrived)
}

// named fills what semantic conventions have a name for.
func named(e *event.Event) {
	first := func(names ...string) string {
		for _, name := range names {
			if v := e.Fields[name]; v != "" {
				return v
			}
		}
		return ""
	}
	e.Device = first("host.name", "host.id", "k8s.node.name", event.Peer)
	e.Account = first("enduser.id", "user.name", "user.id")
	e.Source = first("client.address", "source.address", "net.sock.peer.addr")
	e.Object = first("file.path", "url.full")
	if e.Event == "" {
		e.Event = first("event.name", "service.name")
	}
}

func put(fields map[string]string, name, v string) {
	if v != "" {
		fields[name] = v
	}
}

// level is a severity number as the specification maps it to syslog.
func level(severity int) event.Level {
	switch {
	case severity <= 0 || severity > 24:
		return 0
	case severity <= 8:
		return 8
	case severity == 9:
		return 7
	case severity <= 12:
		return 6
	case severity <= 16:
		return 5
	case severity == 17:
		return 4
	case severity == 18:
		return 3
	case severity <= 20:
		return 2
	}
	return 1
}

// flatten puts a value into fields, objects with dots; one whose name is longer than a
// field's stays JSON, for its name would stand before each of its fields.
func flatten(fields map[string]string, name string, v value) {
	if v.kind != object || len(name) > event.MaxName {
		if name == "" {
			name = "-"
		}
		fields[name] = v.string()
		return
	}
	for _, p := range v.pairs {
		inner := p.name
		if name != "" {
			inner = name + "." + inner
		}
		flatten(fields, inner, p.value)
	}
}

// string is a value as text; of a list or an object, its JSON.
func (v value) string() string {
	if v.kind == empty || v.kind == scalar {
		return v.text
	}
	out, _ := json.Marshal(v.json()) // texts only
	return string(out)
}

func (v value) json() any {
	switch v.kind {
	case list:
		out := []any{}
		for _, p := range v.pairs {
			out = append(out, p.value.json())
		}
		return out
	case object:
		out := map[string]any{}
		for _, p := range v.pairs {
			out[p.name] = p.value.json()
		}
		return out
	}
	return v.text
}
