package event

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/bilingual"
)

// What an event may hold. The limits are those of its sealed line, so an event
// that was taken can always be kept, found and shown.
const (
	MaxLine   = 256 << 10 // bytes of a line
	MaxFields = 200       // in Fields
	MaxName   = 120       // bytes of a name in Fields
)

// NewID is 128 random bits as an event's ID: who keeps only the hash of an event
// whose body is gone cannot guess it back.
func NewID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// Encode appends the line that is sealed for e: JSON without a newline, keys in the
// order of the struct, empty ones left out, fields sorted. There is one line for one
// event (once it has its ID), and Decode reads no other. The error is a Fault, and
// dst comes back as it was: nothing is cut or replaced here (Fit does that).
func Encode(dst []byte, e Event) ([]byte, error) {
	w := writer{buf: dst}
	w.id(e.ID)
	w.time(e.At)
	w.word("clock", string(e.Clock), e.Clock == "" || e.Clock.Valid())
	w.text("feed", e.Feed)
	w.text("system", e.System)
	w.word("class", string(e.Class), e.Class == "" || e.Class.Valid())
	w.text("account", e.Account)
	w.text("device", e.Device)
	w.text("event", e.Event)
	w.text("object", e.Object)
	w.word("result", string(e.Result), e.Result == "" || e.Result.Valid())
	w.text("source", e.Source)
	w.level(e.Level)
	w.text("text", e.Text)
	w.fields(e.Fields)
	w.text("format", e.Format)
	w.raw(e.Raw)
	w.buf = append(w.buf, '}')
	if n := len(w.buf) - len(dst); w.bad == nil && n > MaxLine {
		w.fault("", bilingual.Text{JA: "1件の大きさ（" + strconv.Itoa(n) + "バイト）が上限（" + strconv.Itoa(MaxLine) + "バイト）を超えています。",
			EN: "the event has " + strconv.Itoa(n) + " bytes, at most " + strconv.Itoa(MaxLine)})
	}
	if w.bad != nil {
		return dst, *w.bad
	}
	return w.buf, nil
}

// writer appends keys and remembers the first that cannot be written.
type writer struct {
	buf []byte
	bad *Fault
}

func (w *writer) fault(field string, text bilingual.Text) {
	if w.bad == nil {
		w.bad = &Fault{Field: field, Text: text}
	}
}

func (w *writer) id(id string) {
	w.buf = append(w.buf, `{"id":"`...)
	switch {
	case id == "":
		var random [16]byte
		rand.Read(random[:])
		w.buf = hex.AppendEncode(w.buf, random[:])
	case validID(id):
		w.buf = append(w.buf, id...)
	default:
		w.fault("id", bilingual.Text{JA: "IDは16進数の小文字32桁です。", EN: "an ID has 32 lower-case hex digits"})
	}
	w.buf = append(w.buf, '"')
}

func validID(id string) bool {
	if len(id) != 32 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func (w *writer) time(at time.Time) {
	if at.IsZero() || at.Year() < 0 || at.Year() > 9999 {
		w.fault("at", bilingual.Text{JA: "日時がないか、扱える範囲にありません。", EN: "the time is missing or out of range"})
		return
	}
	if _, offset := at.Zone(); offset%60 != 0 || offset <= -24*3600 || offset >= 24*3600 {
		at = at.UTC() // a zone that cannot be written; the instant is what counts
	}
	w.buf = append(w.buf, `,"at":"`...)
	w.buf = at.AppendFormat(w.buf, time.RFC3339Nano)
	w.buf = append(w.buf, '"')
}

func (w *writer) word(key, value string, known bool) {
	if !known {
		w.fault(key, bilingual.Text{JA: "定められた値ではありません。", EN: "not one of the known values"})
		return
	}
	w.text(key, value)
}

func (w *writer) level(l Level) {
	switch {
	case l == 0:
	case l.Valid():
		w.buf = append(w.buf, `,"level":`...)
		w.buf = append(w.buf, byte('0'+l))
	default:
		w.fault("level", bilingual.Text{JA: "重大度は1（緊急）から8（デバッグ）までです。", EN: "a level is 1 (emergency) to 8 (debug)"})
	}
}

func (w *writer) text(key, value string) {
	if value == "" {
		return
	}
	w.buf = append(w.buf, ',', '"')
	w.buf = append(w.buf, key...)
	w.buf = append(w.buf, '"', ':')
	w.quoted(key, value)
}

func (w *writer) fields(fields map[string]string) {
	if len(fields) == 0 {
		return
	}
	if len(fields) > MaxFields {
		w.fault("fields", bilingual.Text{JA: "項目の数（" + strconv.Itoa(len(fields)) + "）が上限（" + strconv.Itoa(MaxFields) + "）を超えています。",
			EN: strconv.Itoa(len(fields)) + " fields, at most " + strconv.Itoa(MaxFields)})
		return
	}
	var room [32]string
	names := room[:0]
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	w.buf = append(w.buf, `,"fields":{`...)
	for i, name := range names {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		if name == "" || len(name) > MaxName {
			w.fault("fields", bilingual.Text{JA: "項目名は1〜" + strconv.Itoa(MaxName) + "バイトです。", EN: "a field's name has 1 to " + strconv.Itoa(MaxName) + " bytes"})
			return
		}
		w.quoted("fields", name)
		w.buf = append(w.buf, ':')
		w.quoted(name, fields[name])
	}
	w.buf = append(w.buf, '}')
}

func (w *writer) raw(raw []byte) {
	if len(raw) == 0 {
		return
	}
	w.buf = append(w.buf, `,"raw":"`...)
	w.buf = base64.StdEncoding.AppendEncode(w.buf, raw)
	w.buf = append(w.buf, '"')
}

// quoted appends s as a JSON string. Only what JSON makes us escape is escaped.
func (w *writer) quoted(field, s string) {
	if !utf8.ValidString(s) {
		w.fault(field, bilingual.Text{JA: "UTF-8として正しくありません。", EN: "not valid UTF-8"})
		return
	}
	w.buf = append(w.buf, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		w.buf = append(w.buf, s[from:i]...)
		from = i + 1
		if short := strings.IndexByte(escaped, c); short >= 0 {
			w.buf = append(w.buf, '\\', escapes[short])
		} else {
			w.buf = append(w.buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	w.buf = append(append(w.buf, s[from:]...), '"')
}

const (
	escaped   = "\"\\\b\f\n\r\t" // has a short escape,
	escapes   = `"\bfnrt`        // which is this
	hexDigits = "0123456789abcdef"
)

// Valid reports whether l is a severity.
func (l Level) Valid() bool { return l >= 1 && l <= 8 }

// Valid reports whether r is a result.
func (r Result) Valid() bool { return r == Success || r == Failure || r == Denied }

// Valid reports whether c is a quality of time.
func (c Clock) Valid() bool {
	switch c {
	case ClockSynced, ClockSource, ClockAssumed, ClockArrival, ClockDoubt:
		return true
	}
	return false
}
