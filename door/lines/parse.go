package lines

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/bilingual"
	"kakusho/door"
	"kakusho/event"
)

// maxDepth is how deep objects are taken apart; what lies deeper stays JSON.
const maxDepth = 16

// Parse reads one line: an event as we write it, or any JSON object. A line that is not
// UTF-8 is read as Japanese text of an older encoding, and kept.
func Parse(line []byte, arrived time.Time) (event.Event, *event.Fault) {
	if e, err := event.Decode(line); err == nil {
		e.Feed, e.System = "", "" // the register says these
		return e, nil
	}
	e := event.Event{Format: "json"}
	if !utf8.Valid(line) {
		text, _ := door.Text(line)
		e.Raw = bytes.Clone(line)
		line = []byte(text)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil || object == nil {
		return e, fault("", "JSONのオブジェクトではありません。", "not a JSON object")
	}
	o := reader{e: &e, arrived: arrived}
	for name, value := range object {
		if f := o.key(name, value); f != nil {
			return e, f
		}
	}
	if e.At.IsZero() {
		e.At, e.Clock = arrived, event.ClockArrival
	}
	if e.Clock == "" {
		e.Clock = event.ClockSource
	}
	e.Clock = door.Trust(e.Clock, e.At, arrived)
	return e, nil
}

func fault(field, ja, en string) *event.Fault {
	return &event.Fault{Field: field, Text: bilingual.Say(ja, en)}
}

type reader struct {
	e       *event.Event
	arrived time.Time
}

// key takes one key of the object.
func (r *reader) key(name string, value json.RawMessage) *event.Fault {
	if to := r.text(name); to != nil {
		text, plain := scalar(value)
		if *to = text; !plain {
			*to = string(compact(value))
		}
		return nil
	}
	switch name {
	case "at":
		return r.at(value)
	case "level":
		return r.level(value)
	case "clock":
		text, _ := scalar(value)
		r.e.Clock = cmpOr(event.Clock(text), r.e.Clock)
	case "class":
		text, _ := scalar(value)
		r.e.Class = event.Class(text)
	case "result":
		text, _ := scalar(value)
		r.e.Result = event.Result(text)
	case "raw":
		text, _ := scalar(value)
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return fault("raw", "base64ではありません。", "not base64")
		}
		if r.e.Raw == nil {
			r.e.Raw = raw
		}
	case "feed", "system": // the register says these
	case "fields":
		return r.flat("", value, 1)
	default:
		return r.flat(name, value, 1)
	}
	return nil
}

// text is where the text of a key goes.
func (r *reader) text(name string) *string {
	switch name {
	case "id":
		return &r.e.ID
	case "account":
		return &r.e.Account
	case "device":
		return &r.e.Device
	case "event":
		return &r.e.Event
	case "object":
		return &r.e.Object
	case "source":
		return &r.e.Source
	case "text":
		return &r.e.Text
	case "format":
		return &r.e.Format
	}
	return nil
}

func cmpOr[T ~string](a, b T) T {
	if b != "" {
		return b
	}
	return a
}

// flat puts a value into the fields, objects with dots.
func (r *reader) flat(name string, value json.RawMessage, depth int) *event.Fault {
	if len(r.e.Fields) > event.MaxFields {
		return nil // there are too many already; check says so
	}
	if len(name) > event.MaxName { // before it is put before others
		return fault("fields", "項目名は1〜120バイトです。", "a field's name has 1 to 120 bytes")
	}
	if depth <= maxDepth && value[0] == '{' {
		var object map[string]json.RawMessage
		if json.Unmarshal(value, &object) == nil {
			for inner, v := range object {
				if name != "" {
					inner = name + "." + inner
				}
				if f := r.flat(inner, v, depth+1); f != nil {
					return f
				}
			}
			return nil
		}
	}
	if name == "" {
		return fault("fields", "fieldsはオブジェクトです。", "fields is an object")
	}
	text, plain := scalar(value)
	if !plain {
		text = string(compact(value))
	}
	if string(value) == "null" {
		return nil
	}
	if _, twice := r.e.Fields[name]; twice {
		return fault(name, "同じ名前の項目が二つあります。", "the name stands twice")
	}
	if r.e.Fields == nil {
		r.e.Fields = make(map[string]string, 8)
	}
	r.e.Fields[name] = text
	return nil
}

func compact(value json.RawMessage) []byte {
	var b bytes.Buffer
	json.Compact(&b, value) // it is valid
	return b.Bytes()
}

// scalar is a value as text; false for objects and arrays.
func scalar(value json.RawMessage) (string, bool) {
	switch value[0] {
	case '"':
		var s string
		json.Unmarshal(value, &s) // it is valid
		return s, true
	case '{', '[':
		return "", false
	case 'n':
		return "", true
	}
	return string(value), true
}

// at reads RFC 3339, the same without a zone, or seconds, milliseconds or nanoseconds since 1970.
func (r *reader) at(value json.RawMessage) *event.Fault {
	text, _ := scalar(value)
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		r.e.At = at
		return nil
	}
	for _, form := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if at, err := time.ParseInLocation(form, text, r.arrived.Location()); err == nil {
			r.e.At, r.e.Clock = at, event.ClockAssumed
			return nil
		}
	}
	if at, ok := epoch(text); ok && value[0] != '"' {
		r.e.At = at.In(r.arrived.Location())
		return nil
	}
	if string(value) == "null" {
		return nil
	}
	return fault("at", "日時を読めません（例：2026-11-24T09:30:01+09:00）。", "not a time (write 2026-11-24T09:30:01+09:00)")
}

// epoch reads a number since 1970; its size says which unit it has.
func epoch(text string) (time.Time, bool) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		switch {
		case n < 1e11 && n > -1e11:
			return time.Unix(n, 0), true
		case n < 1e14 && n > -1e14:
			return time.UnixMilli(n), true
		case n < 1e17 && n > -1e17:
			return time.UnixMicro(n), true
		}
		return time.Unix(0, n), true
	}
	whole, fraction, ok := strings.Cut(text, ".")
	s, err := strconv.ParseInt(whole, 10, 64)
	n, err2 := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	if !ok || err != nil || err2 != nil || s < 0 || s > 1e11 {
		return time.Time{}, false
	}
	return time.Unix(s, n), true
}

func (r *reader) level(value json.RawMessage) *event.Fault {
	text, _ := scalar(value)
	if n, err := strconv.Atoi(text); err == nil {
		r.e.Level = event.Level(n)
		if r.e.Level == 0 {
			r.e.Level = -1 // zero is not said by writing it
		}
		return nil
	}
	names := []string{"emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"}
	short := []string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"}
	for _, list := range [][]string{names, short} {
		if i := slices.Index(list, strings.ToLower(text)); i >= 0 {
			r.e.Level = event.Level(i + 1)
			return nil
		}
	}
	if text == "" && string(value) == "null" {
		return nil
	}
	return fault("level", "重大度は1（緊急）から8（デバッグ）までか、その名前です。", "a level is 1 (emergency) to 8 (debug), or its name")
}
