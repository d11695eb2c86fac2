package journal

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/event"
)

// day is how far the time a sender gives may be from that of journald.
const day = 24 * time.Hour

// Event puts an entry into the words of events. What has a place of its own is
// taken from its field, all else stays in Fields under journald's names: those
// beginning with _ were added by journald itself and not by the sender.
func (e Entry) Event() event.Event {
	arrived := time.UnixMicro(int64(e.Realtime & (1<<62 - 1))).UTC()
	out := event.Event{At: arrived, Clock: event.ClockSource, Format: "journal", Fields: make(map[string]string, len(e.Fields))}
	for _, f := range e.Fields {
		value, whole := text(f)
		if f.Name == "MESSAGE" && out.Text == "" {
			if out.Text = value; !whole {
				out.Raw = f.Value
			}
		} else if !place(&out, f.Name, value, arrived) {
			keep(out.Fields, f.Name, value)
		}
		if f.Size > len(f.Value) {
			out.Fields[f.Name+".size"] = strconv.Itoa(f.Size)
		}
		if f.Bad {
			keep(out.Fields, "damaged", f.Name)
		}
	}
	for name, from := range map[string]string{event.App: "_COMM", event.PID: "_PID"} {
		if _, ok := out.Fields[name]; !ok && out.Fields[from] != "" {
			out.Fields[name] = out.Fields[from]
		}
	}
	return out
}

// place puts the value where events have a place for it.
func place(out *event.Event, name, value string, arrived time.Time) bool {
	switch name {
	case "_HOSTNAME":
		out.Device = value
	case "SYSLOG_IDENTIFIER":
		keep(out.Fields, event.App, value)
	case "SYSLOG_PID":
		keep(out.Fields, event.PID, value)
	case "SYSLOG_FACILITY":
		keep(out.Fields, event.Facility, facility(value))
	case "PRIORITY":
		if len(value) != 1 || value[0] < '0' || value[0] > '7' {
			return false
		}
		out.Level = event.Level(value[0]-'0') + 1
	case "_SOURCE_REALTIME_TIMESTAMP":
		us, err := strconv.ParseInt(value, 10, 62)
		at := time.UnixMicro(us).UTC()
		if err != nil || at.Sub(arrived).Abs() >= day {
			return false
		}
		out.At = at
	default:
		return false
	}
	return true
}

// keep keeps a value beside those its name has already, while they would fit into an
// event.
func keep(fields map[string]string, name, value string) {
	if old, twice := fields[name]; twice {
		if len(old) > event.MaxLine {
			fields[event.Truncated] = name
			return
		}
		value = old + "\n" + value
	}
	fields[name] = value
}

// facility is the name of a syslog facility.
func facility(number string) string {
	names := strings.Fields("kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp security console solaris-cron " +
		"local0 local1 local2 local3 local4 local5 local6 local7")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(names) {
		return number
	}
	return names[n]
}

// text returns a value as text, and whether all of the bytes we have are in it.
func text(f Field) (string, bool) {
	b := f.Value
	if f.Size > len(b) { // the cut may have gone through a character
		for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) {
			b = b[:len(b)-1]
		}
		if n := len(b); n > 0 && b[n-1] >= utf8.RuneSelf {
			b = b[:n-1]
		}
	}
	if utf8.Valid(b) {
		return string(b), true
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), false
}
