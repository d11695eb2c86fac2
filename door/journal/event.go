package journal

import (
	"maps"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/event"
)

// day is how far the time a sender gives may be from that of journald.
const day = 24 * time.Hour

// Event puts an entry into the words of events. What has a place of its own is
// taken from its field, all else stays in Fields under journald's names; fields
// beginning with _ were added by journald itself and not by the sender.
func (e Entry) Event() event.Event {
	arrived := time.UnixMicro(int64(e.Realtime & (1<<62 - 1))).UTC()
	out := event.Event{At: arrived, Clock: event.ClockSource, Format: "journal", Fields: make(map[string]string, len(e.Fields))}
	for _, f := range e.Fields {
		value, whole := text(f)
		switch f.Name {
		case "MESSAGE":
			if out.Text == "" {
				out.Text = value
				if !whole && f.Size == len(f.Value) {
					out.Raw = f.Value
				}
				continue
			}
		case "_HOSTNAME":
			out.Device = value
			continue
		case "PRIORITY":
			if n, err := strconv.Atoi(value); err == nil && n >= 0 && n <= 7 {
				out.Level = event.Level(n + 1)
				continue
			}
		case "_SOURCE_REALTIME_TIMESTAMP":
			if us, err := strconv.ParseInt(value, 10, 62); err == nil {
				if at := time.UnixMicro(us).UTC(); at.Sub(arrived).Abs() < day {
					out.At = at
					continue
				}
			}
		}
		if old, twice := out.Fields[f.Name]; twice {
			value = old + "\n" + value
		}
		out.Fields[f.Name] = value
		if f.Size > len(f.Value) {
			out.Fields[f.Name+"_size"] = strconv.Itoa(f.Size)
		}
	}
	maps.DeleteFunc(out.Fields, func(name, _ string) bool { return name == "" || len(name) > event.MaxName })
	return out
}

// text returns a value as text, and whether all of its bytes are in it.
func text(f Field) (string, bool) {
	whole := f.Size == len(f.Value)
	b := f.Value
	if !whole {
		for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) { // the cut may have gone through a character
			b = b[:len(b)-1]
		}
	}
	if utf8.Valid(b) {
		return string(b), whole
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), false
}
