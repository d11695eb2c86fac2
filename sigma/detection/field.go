package detection

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"kakusho/calendar"
	"kakusho/event"
)

// accessor finds one field of an event by the name a rule gives it.
type accessor struct {
	name  string
	own   func(*event.Event) string // a field every event has; nil: one of Fields
	keys  []string                  // in Fields, the first that is there
	audit bool                      // also a name of the audit system
}

// get is the field's value, and whether it is there.
func (a accessor) get(e *event.Event) (string, bool) {
	if a.own != nil {
		if s := a.own(e); s != "" {
			return s, true
		}
	}
	for _, k := range a.keys {
		if s, ok := e.Fields[k]; ok {
			return s, true
		}
	}
	if a.own == nil || a.audit {
		return auditValue(e.Text, a.name)
	}
	return "", false
}

// auditValue is a field of a record of the Linux audit system that came as text.
func auditValue(text, name string) (string, bool) {
	switch {
	case strings.HasPrefix(text, "type="), strings.HasPrefix(text, "node="), strings.HasPrefix(text, "audit("):
	default:
		return "", false
	}
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 || name == "" {
			return "", false
		}
		from += i + len(name)
		start := from - len(name)
		if from >= len(text) || text[from] != '=' || start > 0 && strings.IndexByte(" '\"\x1d", text[start-1]) < 0 {
			continue
		}
		value := text[from+1:]
		if rest, ok := strings.CutPrefix(value, `"`); ok {
			value, _, _ = strings.Cut(rest, `"`)
			return value, true
		}
		if i := strings.IndexAny(value, " '\x1d"); i >= 0 {
			value = value[:i]
		}
		if b, err := hex.DecodeString(value); err == nil && len(b) > 1 && untrusted(name) {
			return strings.ReplaceAll(string(b), "\x00", " "), true
		}
		return value, true
	}
}

// untrusted are the audit fields that are written in hexadecimal when they hold
// spaces or quotes.
func untrusted(name string) bool {
	switch name {
	case "exe", "comm", "name", "cwd", "cmd", "acct", "proctitle":
		return true
	}
	return len(name) >= 2 && name[0] == 'a' && strings.Trim(name[1:], "0123456789") == ""
}

// ownFields are the fields of every event, by the key of its line.
func ownField(name string) func(*event.Event) string {
	switch name {
	case "id":
		return func(e *event.Event) string { return e.ID }
	case "at":
		return func(e *event.Event) string { return e.At.Format(time.RFC3339Nano) }
	case "clock":
		return func(e *event.Event) string { return string(e.Clock) }
	case "feed":
		return func(e *event.Event) string { return e.Feed }
	case "system":
		return func(e *event.Event) string { return e.System }
	case "class":
		return func(e *event.Event) string { return string(e.Class) }
	case "account":
		return func(e *event.Event) string { return e.Account }
	case "device":
		return func(e *event.Event) string { return e.Device }
	case "event":
		return func(e *event.Event) string { return e.Event }
	case "object":
		return func(e *event.Event) string { return e.Object }
	case "result":
		return func(e *event.Event) string { return string(e.Result) }
	case "source":
		return func(e *event.Event) string { return e.Source }
	case "text":
		return func(e *event.Event) string { return e.Text }
	case "format":
		return func(e *event.Event) string { return e.Format }
	case "level":
		return func(e *event.Event) string {
			if e.Level == 0 {
				return ""
			}
			return strconv.Itoa(int(e.Level) - 1) // as syslog counts
		}
	}
	return nil
}

// public are names of the Sigma taxonomy and of common products that mean a field
// every event has. What a source said under that very name goes first.
var public = map[string]string{
	"computername": "device", "computer": "device", "hostname": "device", "host": "device", "host.name": "device", "workstationname": "device",
	"user": "account", "username": "account", "user.name": "account", "targetusername": "account", "subjectusername": "account", "acct": "account", "cs-username": "account", "auid": "account", "user_name": "account", "src_user": "account", "dst_user": "account",
	"ipaddress": "source", "sourceip": "source", "src_ip": "source", "src": "source", "source.ip": "source", "c-ip": "source", "addr": "source", "rhost": "source", "client.address": "source", "client_ip": "source", "source_ip": "source", "sourceaddress": "source",
	"eventid": "event", "event_id": "event", "event.code": "event", "eventname": "event", "action": "event",
	"message": "text", "msg": "text", "body": "text",
	"targetfilename": "object", "targetobject": "object", "objectname": "object", "file.path": "object", "name": "object",
	"outcome": "result", "event.outcome": "result",
}

// alike are other names that sources use for the same field of theirs.
var alike = map[string][]string{
	"deviceprocessname": {"app", "SYSLOG_IDENTIFIER"},
	"program":           {"app", "appname", "app-name", "app_name", "syslog_identifier", "SYSLOG_IDENTIFIER", "ident", "tag", "process.name", "service.name", "comm"},
	"image":             {"exe", "process.executable.path", "_EXE", "NewProcessName"},
	"commandline":       {"command", "cmdline", "cmd", "COMMAND", "process.command_line", "_CMDLINE", "proctitle", "ProcessCommandLine"},
	"parentimage":       {"ParentProcessName", "process.parent.executable.path"},
	"exe":               {"_EXE", "Image"},
	"comm":              {"_COMM"},
	"type":              {"_AUDIT_TYPE_NAME"},
}

func access(name string) accessor {
	a := accessor{name: name, own: ownField(name)}
	lower := strings.ToLower(name)
	a.keys = append(a.keys, name)
	if lower != name {
		a.keys = append(a.keys, lower)
	}
	a.keys = append(a.keys, alike[lower]...)
	if own := public[lower]; own != "" && a.own == nil {
		keys, read := a.keys, ownField(own)
		a.audit = lower == name
		a.own = func(e *event.Event) string {
			for _, k := range keys {
				if s, ok := e.Fields[k]; ok {
					return s
				}
			}
			return read(e)
		}
	}
	return a
}

// Compiler numbers the fields that rules ask for, so that an event is looked at once
// for each. The zero Compiler is ready.
type Compiler struct {
	slots  map[string]int
	fields []accessor
}

// Slot is the number of a field.
func (c *Compiler) Slot(name string) int {
	n, ok := c.slots[name]
	if !ok {
		if c.slots == nil {
			c.slots = map[string]int{}
		}
		n = len(c.fields)
		c.slots[name] = n
		c.fields = append(c.fields, access(name))
	}
	return n
}

// View is one event under the eyes of many tests. It belongs to one goroutine.
type View struct {
	e      *event.Event
	fields []accessor
	cells  []Cell
	whole  string // everything an event says, lower case; for keywords
	read   bool
}

// Cell is one field of an event.
type Cell struct {
	There  bool
	Raw    string
	looked bool
	folded bool
	lower  string
}

// View returns a view for all fields numbered so far.
func (c *Compiler) View() *View {
	return &View{fields: c.fields, cells: make([]Cell, len(c.fields))}
}

// Reset turns to an event.
func (v *View) Reset(e *event.Event) {
	v.e, v.whole, v.read = e, "", false
	clear(v.cells)
}

// Event is the event looked at.
func (v *View) Event() *event.Event { return v.e }

// Cell is the field of a number.
func (v *View) Cell(slot int) *Cell {
	c := &v.cells[slot]
	if !c.looked {
		c.looked = true
		c.Raw, c.There = v.fields[slot].get(v.e)
	}
	return c
}

// Folded is a field's value for comparing without regard to case.
func (v *View) Folded(slot int) (string, bool) {
	c := v.Cell(slot)
	if c.There && !c.folded {
		c.lower, c.folded = strings.ToLower(c.Raw), true
	}
	return c.lower, c.There
}

// everything is what a keyword is looked for in.
func (v *View) everything() string {
	if v.read {
		return v.whole
	}
	e := v.e
	parts := []string{e.Text, e.Event, e.Object, e.Account, e.Device, e.Source, string(e.Raw)}
	for k, s := range e.Fields {
		parts = append(parts, k+"="+s)
	}
	v.whole, v.read = strings.ToLower(strings.Join(parts, "\n")), true
	return v.whole
}

func (v *View) tokyo() time.Time { return v.e.At.In(calendar.Tokyo()) }
