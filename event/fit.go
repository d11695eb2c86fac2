package event

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Truncated is the name of the field that says which part was cut by Fit.
const Truncated = "truncated"

// Fit makes e an event that Encode takes, for sources nobody can send back to: what
// is wrong is mended, what is too much is cut, and Fields[Truncated] says so. An
// event without a time gets its arrival. Fit changes nothing in an event that fits.
func Fit(e Event, arrived time.Time) Event {
	if _, err := Encode(nil, e); err == nil {
		return e
	}
	e.Fields = clone(e.Fields)
	if e.At.IsZero() || e.At.Year() < 0 || e.At.Year() > 9999 {
		e.At, e.Clock = arrived, ClockArrival
	}
	if !validID(e.ID) {
		e.ID = NewID()
	}
	mendWords(&e)
	for _, s := range texts(&e) {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	e.Fields = mendFields(e.Fields)
	shrink(&e)
	return e
}

func clone(fields map[string]string) map[string]string {
	out := make(map[string]string, len(fields)+1)
	for k, v := range fields {
		out[k] = v
	}
	return out
}

func mendWords(e *Event) {
	put := func(key, value string) { e.Fields["said."+key] = value }
	if e.Clock != "" && !e.Clock.Valid() {
		put("clock", string(e.Clock))
		e.Clock = ""
	}
	if e.Class != "" && !e.Class.Valid() {
		put("class", string(e.Class))
		e.Class = ""
	}
	if e.Result != "" && !e.Result.Valid() {
		put("result", string(e.Result))
		e.Result = ""
	}
	if e.Level != 0 && !e.Level.Valid() {
		put("level", strconv.Itoa(int(e.Level)))
		e.Level = 0
	}
}

// texts are the texts of e, the ones to be cut first in front.
func texts(e *Event) []*string {
	return []*string{&e.Text, &e.Object, &e.Event, &e.Account, &e.Device, &e.Source, &e.Feed, &e.System, &e.Format}
}

// mendFields keeps at most MaxFields fields with good names; the others become one
// field, a JSON text.
func mendFields(fields map[string]string) map[string]string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	out, rest := make(map[string]string, len(fields)), map[string]string{}
	for _, name := range names {
		value := strings.ToValidUTF8(fields[name], "\uFFFD")
		good := name != "" && len(name) <= MaxName && utf8.ValidString(name)
		if good && (len(out) < MaxFields-2 || len(fields) <= MaxFields-2) {
			out[name] = value
		} else {
			rest[name] = value
		}
	}
	if len(rest) > 0 {
		more, _ := json.Marshal(rest) // strings only: cannot fail
		out["rest"] = string(more)
	}
	return out
}

// shrink cuts until the line is small enough: the text, then the fields, the longest
// first, then what came raw.
func shrink(e *Event) {
	over := func() int {
		line, err := Encode(nil, *e)
		if err != nil {
			return lineLength(*e) - MaxLine
		}
		return len(line) - MaxLine
	}
	if over() <= 0 {
		return
	}
	cut := map[string]bool{}
	mark := func(what string) int {
		cut[what] = true
		names := make([]string, 0, len(cut))
		for name := range cut {
			names = append(names, name)
		}
		slices.Sort(names)
		e.Fields[Truncated] = strings.Join(names, " ")
		return over()
	}
	n := mark("text")
	e.Text = shorter(e.Text, n)
	for n = over(); n > 0 && len(cut) < 8; n = over() {
		longest := ""
		for name, value := range e.Fields {
			if len(value) > len(e.Fields[longest]) || len(value) == len(e.Fields[longest]) && name < longest {
				longest = name
			}
		}
		if len(e.Fields[longest]) < 256 {
			break
		}
		n = mark(longest)
		e.Fields[longest] = shorter(e.Fields[longest], n)
	}
	if n = over(); n > 0 && len(e.Raw) > 0 {
		n = mark("raw")
		e.Raw = e.Raw[:max(0, len(e.Raw)-(n+3)/4*3-3)]
	}
	for _, s := range texts(e) {
		if n = over(); n > 0 {
			*s = shorter(*s, n)
		}
	}
	if over() > 0 { // hundreds of middling fields
		e.Fields = map[string]string{Truncated: "fields"}
	}
}

// lineLength is how long the line of e is, or more, though it may not be encoded.
func lineLength(e Event) int {
	n := 1024 + len(e.Raw)/3*4
	for _, s := range texts(&e) {
		n += quotedLength(*s)
	}
	for name, value := range e.Fields {
		n += quotedLength(name) + quotedLength(value) + 6
	}
	return n
}

func quotedLength(s string) int {
	n := 0
	for i := range len(s) {
		n += quotedByte(s[i])
	}
	return n
}

func quotedByte(c byte) int {
	switch {
	case strings.IndexByte(escaped, c) >= 0:
		return 2
	case c < ' ':
		return 6
	}
	return 1
}

// shorter is a beginning of s that takes at least n bytes less in a line.
func shorter(s string, n int) string {
	i := len(s)
	for n > 0 && i > 0 {
		i--
		n -= quotedByte(s[i])
	}
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i]
}
