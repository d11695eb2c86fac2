package tail

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"kakusho/door"
	"kakusho/door/syslog"
	"kakusho/event"
)

// Line reads a line by itself: as syslog daemons write files, as auditd does, or as
// text. It always succeeds; the result has Fields.
func Line(line []byte, now time.Time) event.Event {
	switch {
	case syslogLine(line):
		e := syslog.Parse(append([]byte("<13>"), line...), now)
		e.Raw = bytes.TrimPrefix(e.Raw, []byte("<13>"))
		e.Level, e.Format = 0, "text" // the file does not say them
		if e.Fields == nil {
			e.Fields = map[string]string{}
		}
		delete(e.Fields, event.Facility)
		return e
	case bytes.HasPrefix(line, []byte("type=")) || bytes.HasPrefix(line, []byte("node=")):
		if e, ok := audit(line, now); ok {
			return e
		}
	}
	return whole(line, now)
}

// whole is a line as nothing but text.
func whole(line []byte, now time.Time) event.Event {
	e := event.Event{At: now, Clock: event.ClockArrival, Format: "text", Fields: map[string]string{}}
	text, exact := door.Text(line)
	if e.Text = text; !exact {
		e.Raw = bytes.Clone(line)
	}
	return e
}

// syslogLine reports whether a line begins like one of /var/log/syslog: a time, a
// host, and a program with a colon.
func syslogLine(line []byte) bool {
	s := string(line[:min(len(line), 200)])
	switch {
	case len(s) > 16 && s[3] == ' ' && s[6] == ' ' && s[9] == ':' && s[12] == ':' && s[15] == ' ' && strings.Contains("JanFebMarAprMayJunJulAugSepOctNovDec", s[:3]):
		s = s[16:]
	case len(s) > 26 && s[4] == '-' && s[10] == 'T' && s[13] == ':':
		stamp, rest, _ := strings.Cut(s, " ")
		if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil {
			return false
		}
		s = rest
	default:
		return false
	}
	_, rest, ok := strings.Cut(s, " ")
	if !ok {
		return false
	}
	tag, _, ok := strings.Cut(rest, " ")
	return ok && strings.HasSuffix(tag, ":")
}

// audit reads a record of auditd: "type=USER_LOGIN msg=audit(1700000000.123:456): …".
func audit(line []byte, now time.Time) (event.Event, bool) {
	e := whole(line, now)
	_, rest, ok := strings.Cut(e.Text, "type=")
	kind, rest, ok2 := strings.Cut(rest, " msg=audit(")
	stamp, _, ok3 := strings.Cut(rest, "):")
	seconds, serial, ok4 := strings.Cut(stamp, ":")
	whole, milli, _ := strings.Cut(seconds, ".")
	sec, err := strconv.ParseInt(whole, 10, 40)
	ms, err2 := strconv.ParseInt(milli, 10, 16)
	if !ok || !ok2 || !ok3 || !ok4 || err != nil || err2 != nil || ms < 0 || ms > 999 || len(kind) > 60 {
		return e, false
	}
	e.At = time.Unix(sec, ms*1e6).UTC()
	e.Clock = door.Trust(event.ClockSource, e.At, now)
	e.Event = kind
	e.Fields["audit.serial"] = serial
	e.Fields[event.App] = "auditd"
	if node, ok := strings.CutPrefix(e.Text, "node="); ok {
		e.Device, _, _ = strings.Cut(node, " ")
	}
	return e, true
}
