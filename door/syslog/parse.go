package syslog

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"kakusho/door"
	"kakusho/event"
)

// Parse reads one message, as RFC 5424 or as what RFC 3164 found in use. It always
// succeeds: what it does not understand is text. The bytes are kept in Raw unless the
// rest of the event says all of them.
func Parse(message []byte, arrived time.Time) event.Event {
	message = bytes.TrimRight(message, "\r\n\x00")
	s, exact := door.Text(message)
	e := event.Event{At: arrived, Clock: event.ClockArrival, Format: "text"}
	p := parser{e: &e, arrived: arrived, exact: exact}
	if rest, ok := p.priority(s); !ok {
		e.Text = s
	} else if after, ok := strings.CutPrefix(rest, "1 "); ok && p.header(after) {
		e.Format = "rfc5424"
	} else {
		p.old(rest)
		e.Format = "rfc3164"
	}
	if e.Event = e.Fields[event.MsgID]; e.Event == "" {
		e.Event = e.Fields[event.App]
	}
	if !p.exact {
		e.Raw = bytes.Clone(message)
	}
	return e
}

type parser struct {
	e       *event.Event
	arrived time.Time
	exact   bool // what is in e so far says all of the message
}

// facilities of RFC 5424, by number, as programs name them.
const facilities = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7"

func (p *parser) priority(s string) (rest string, ok bool) {
	if len(s) < 3 || s[0] != '<' {
		return s, false
	}
	end := strings.IndexByte(s[:min(len(s), 5)], '>')
	if end < 2 || s[1] == '0' && end > 2 {
		return s, false
	}
	pri := 0
	for _, c := range []byte(s[1:end]) {
		if c < '0' || c > '9' {
			return s, false
		}
		pri = pri*10 + int(c-'0')
	}
	if pri > 191 {
		return s, false
	}
	p.e.Level = event.Level(pri%8 + 1)
	p.e.Fields = make(map[string]string, 6)
	p.e.Fields[event.Facility] = facility(pri / 8)
	return s[end+1:], true
}

func facility(n int) string {
	names := facilities
	for ; n > 0; n-- {
		_, names, _ = strings.Cut(names, " ")
	}
	name, _, _ := strings.Cut(names, " ")
	return name
}

// header reads what stands after "<PRI>1 ".
func (p *parser) header(s string) bool {
	var part [5]string // time, host, program, process, message ID
	for i := range part {
		var ok bool
		if part[i], s, ok = strings.Cut(s, " "); !ok || part[i] == "" {
			return false
		}
		if part[i] == "-" {
			part[i] = ""
		}
	}
	at, err := time.Parse(time.RFC3339Nano, part[0])
	if err != nil && part[0] != "" {
		return false
	}
	data, message, ok := p.data(s)
	if !ok {
		return false
	}
	p.e.Device = part[1]
	p.put(event.App, part[2])
	p.put(event.PID, part[3])
	p.put(event.MsgID, part[4])
	for _, d := range data {
		p.param(d.name, d.value)
	}
	if part[0] != "" {
		p.e.At, p.e.Clock = at, event.ClockSource
		switch {
		case p.e.Fields["timeQuality.tzKnown"] == "0":
			p.e.Clock = event.ClockAssumed
		case p.e.Fields["timeQuality.isSynced"] == "1":
			p.e.Clock = event.ClockSynced
		}
		p.e.Clock = door.Trust(p.e.Clock, at, p.arrived)
	}
	p.e.Text = strings.TrimPrefix(strings.TrimPrefix(message, "\uFEFF"), " ") // rsyslog sends the space behind a tag along
	return true
}

func (p *parser) put(name, value string) {
	if value != "" {
		p.e.Fields[name] = value
	}
}

// param takes a parameter; one that is there already is added to, and Raw keeps them apart.
func (p *parser) param(name, value string) {
	if before, twice := p.e.Fields[name]; twice {
		p.exact = false
		if len(before) < 4096 {
			p.e.Fields[name] = before + ", " + value
		}
		return
	}
	p.e.Fields[name] = value
}

type param struct{ name, value string }

// data reads structured data and gives the message behind it.
func (p *parser) data(s string) (data []param, message string, ok bool) {
	if s == "-" || strings.HasPrefix(s, "- ") {
		return nil, strings.TrimPrefix(s[1:], " "), true
	}
	if s == "" || s[0] != '[' {
		return nil, "", false
	}
	for strings.HasPrefix(s, "[") {
		end := strings.IndexAny(s, " ]")
		if end < 2 || end > event.MaxName { // it is put before the name of each parameter
			return nil, "", false
		}
		id, before := s[1:end], len(data)
		for s = s[end:]; strings.HasPrefix(s, " "); {
			name, rest, found := strings.Cut(s[1:], `="`)
			value, after, closed := quoted(rest)
			if !found || !closed || name == "" || strings.ContainsAny(name, ` ]"=`) {
				return nil, "", false
			}
			data, s = append(data, param{id + "." + name, value}), after
		}
		if s == "" || s[0] != ']' {
			return nil, "", false
		}
		if s = s[1:]; len(data) == before {
			data = append(data, param{id, ""})
		}
	}
	if s != "" && s[0] != ' ' {
		return nil, "", false
	}
	return data, strings.TrimPrefix(s, " "), true
}

// quoted reads a value up to its closing quote; \" \\ and \] are escapes.
func quoted(s string) (value, rest string, ok bool) {
	end := strings.IndexAny(s, `"\`)
	if end >= 0 && s[end] == '"' {
		return s[:end], s[end+1:], true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`"\]`, s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// old reads what stands after "<PRI>" in other messages: a time, a host, a tag, a
// text, each if it is there.
func (p *parser) old(s string) {
	rest, ok := p.oldTime(s)
	if !ok {
		p.exact = p.tag(s) && p.exact
		return
	}
	host, after, found := strings.Cut(rest, " ")
	if !found || host == "" || strings.HasSuffix(host, ":") || strings.ContainsAny(host, "[]()%=,") {
		p.tag(rest) // from the machine itself, or from a device that does not say
		p.exact = false
		return
	}
	p.e.Device = host
	p.exact = p.tag(after) && p.exact
}

// oldTime reads a time with or without year and zone.
func (p *parser) oldTime(s string) (rest string, ok bool) {
	if len(s) > 20 && s[0] >= '0' && s[0] <= '9' { // as rsyslog forwards
		word, after, _ := strings.Cut(s, " ")
		if at, err := time.Parse(time.RFC3339Nano, word); err == nil {
			p.e.At, p.e.Clock = at, door.Trust(event.ClockSource, at, p.arrived)
			return after, true
		}
	}
	zone := p.arrived.Location()
	for _, form := range []string{"Jan _2 15:04:05", "Jan _2 2006 15:04:05"} {
		if len(s) <= len(form) || s[len(form)] != ' ' {
			continue
		}
		at, err := time.ParseInLocation(form, s[:len(form)], zone)
		if err != nil {
			continue
		}
		if at.Year() == 0 {
			at = nearest(at, p.arrived)
		} else {
			p.exact = false
		}
		p.e.At, p.e.Clock = at, door.Trust(event.ClockAssumed, at, p.arrived)
		return s[len(form)+1:], true
	}
	return s, false
}

// nearest gives a time without a year the year that brings it closest to its arrival.
func nearest(at, arrived time.Time) time.Time {
	var best time.Time
	for year := arrived.Year() - 1; year <= arrived.Year()+1; year++ {
		t := time.Date(year, at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, at.Location())
		if t.Day() != at.Day() { // 29 February
			continue
		}
		if best.IsZero() || t.Sub(arrived).Abs() < best.Sub(arrived).Abs() {
			best = t
		}
	}
	if best.IsZero() {
		return arrived
	}
	return best
}

// tag reads "program[process]: text". It reports whether nothing else was there.
func (p *parser) tag(s string) bool {
	end := strings.IndexAny(s, "[: ")
	if end <= 0 || end > 64 || s[end] == ' ' {
		p.e.Text = s
		return true
	}
	name, rest := s[:end], s[end:]
	if pid, after, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]:"); ok && rest[0] == '[' && !strings.ContainsAny(pid, " []") {
		p.put(event.PID, pid)
		rest = after
	} else if rest[0] == ':' {
		rest = rest[1:]
	} else {
		p.e.Text = s
		return true
	}
	text, spaced := strings.CutPrefix(rest, " ")
	p.put(event.App, name)
	p.e.Text = text
	return spaced
}

// number is a decimal of at most nine digits, or -1.
func number(b []byte) int {
	if len(b) == 0 || len(b) > 9 {
		return -1
	}
	n, err := strconv.Atoi(string(b))
	if err != nil || n < 0 {
		return -1
	}
	return n
}
