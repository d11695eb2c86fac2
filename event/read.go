package event

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Decode reads a line of Encode, and only what Encode would have written: other
// orders, spaces, escapes or keys are errors, so equal events have equal hashes.
// The line is not kept.
func Decode(line []byte) (Event, error) {
	if len(line) > MaxLine {
		return Event{}, fmt.Errorf("read event: %d bytes, at most %d", len(line), MaxLine)
	}
	if !utf8.Valid(line) {
		return Event{}, errors.New("read event: not valid UTF-8")
	}
	r := reader{s: string(line)} // one copy; the texts of the event are parts of it
	var e Event
	e.ID = r.first()
	e.At = r.time()
	e.Clock = Clock(r.word("clock", func(s string) bool { return Clock(s).Valid() }))
	e.Feed = r.text("feed")
	e.System = r.text("system")
	e.Class = Class(r.word("class", func(s string) bool { return Class(s).Valid() }))
	e.Account = r.text("account")
	e.Device = r.text("device")
	e.Event = r.text("event")
	e.Object = r.text("object")
	e.Result = Result(r.word("result", func(s string) bool { return Result(s).Valid() }))
	e.Source = r.text("source")
	e.Level = r.level()
	e.Text = r.text("text")
	e.Fields = r.fields()
	e.Format = r.text("format")
	e.Raw = r.raw()
	if r.bad == "" && r.s[r.i:] != "}" {
		r.fail("unknown key, or key out of order")
	}
	if r.bad != "" {
		return Event{}, fmt.Errorf("read event: byte %d: %s", r.i, r.bad)
	}
	return e, nil
}

// reader walks over a line and remembers the first thing that is wrong.
type reader struct {
	s   string
	i   int
	bad string
}

func (r *reader) fail(why string) {
	if r.bad == "" {
		r.bad = why
	}
}

func (r *reader) skip(s string) bool {
	if r.bad != "" || !strings.HasPrefix(r.s[r.i:], s) {
		return false
	}
	r.i += len(s)
	return true
}

// key steps over `,"key":` if it comes next.
func (r *reader) key(key string) bool {
	rest := r.s[r.i:]
	n := len(key) + 4
	if r.bad != "" || len(rest) < n || rest[0] != ',' || rest[1] != '"' || rest[2:n-2] != key || rest[n-2] != '"' || rest[n-1] != ':' {
		return false
	}
	r.i += n
	return true
}

func (r *reader) first() string {
	if !r.skip(`{"id":`) {
		r.fail("a line begins with its ID")
		return ""
	}
	id := r.quoted()
	if !validID(id) {
		r.fail("an ID has 32 lower-case hex digits")
	}
	return id
}

func (r *reader) time() time.Time {
	if !r.key("at") {
		r.fail("the time is missing")
		return time.Time{}
	}
	at, ok := canonicalTime(r.plain())
	if !ok || at.IsZero() {
		r.fail("not a time as we write it")
	}
	return at
}

func (r *reader) word(key string, known func(string) bool) string {
	s := r.text(key)
	if s != "" && !known(s) {
		r.fail("unknown " + key)
	}
	return s
}

func (r *reader) text(key string) string {
	if !r.key(key) {
		return ""
	}
	s := r.quoted()
	if s == "" {
		r.fail("an empty text is left out")
	}
	return s
}

func (r *reader) level() Level {
	if !r.key("level") {
		return 0
	}
	if r.i == len(r.s) || r.s[r.i] < '1' || r.s[r.i] > '8' {
		r.fail("a level is 1 to 8")
		return 0
	}
	r.i++
	return Level(r.s[r.i-1] - '0')
}

func (r *reader) fields() map[string]string {
	if !r.key("fields") {
		return nil
	}
	if !r.skip("{") {
		r.fail("fields are an object")
		return nil
	}
	out := make(map[string]string, 8)
	last := ""
	for {
		name := r.quoted()
		if r.bad == "" && (name <= last || len(name) > MaxName || len(out) == MaxFields) {
			r.fail("fields are sorted, at most 200, their names 1 to 120 bytes")
		}
		if !r.skip(":") {
			r.fail("a field has a value")
			return nil
		}
		out[name], last = r.quoted(), name
		if !r.skip(",") {
			break
		}
	}
	if !r.skip("}") {
		r.fail("fields are not closed")
	}
	return out
}

func (r *reader) raw() []byte {
	if !r.key("raw") {
		return nil
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(r.plain())
	if err != nil || len(raw) == 0 {
		r.fail("raw is not base64 as we write it")
	}
	return raw
}

// plain is a string without escapes.
func (r *reader) plain() string {
	from := r.i
	s := r.quoted()
	if len(s) != r.i-from-2 {
		r.fail("an escape where none belongs")
	}
	return s
}

// quoted is the next string.
func (r *reader) quoted() string {
	if !r.skip(`"`) {
		r.fail("a text is missing")
		return ""
	}
	s := r.s
	for i := r.i; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			text := s[r.i:i]
			r.i = i + 1
			return text
		case c == '\\':
			return r.unescaped(i)
		case c < ' ':
			r.i = i
			r.fail("a control character")
			return ""
		}
	}
	r.fail("a text is not closed")
	return ""
}

// unescaped goes on with a string that has its first escape at i.
func (r *reader) unescaped(i int) string {
	s := r.s
	out := make([]byte, 0, len(s[r.i:i])+64)
	out = append(out, s[r.i:i]...)
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			r.i = i + 1
			return string(out)
		case c < ' ':
			r.i = i
			r.fail("a control character")
			return ""
		case c != '\\':
			out = append(out, c)
			i++
		default:
			b, n := escape(s[i:])
			if n == 0 {
				r.i = i
				r.fail("not an escape as we write it")
				return ""
			}
			out = append(out, b)
			i += n
		}
	}
	r.fail("a text is not closed")
	return ""
}

// escape reads an escape at the beginning of s; n is 0 when Encode would not have written it.
func escape(s string) (b byte, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	if k := strings.IndexByte(escapes, s[1]); k >= 0 {
		return escaped[k], 2
	}
	if len(s) < 6 || s[1:4] != "u00" || s[4] > '1' || s[4] < '0' {
		return 0, 0
	}
	low := strings.IndexByte(hexDigits, s[5])
	if low < 0 {
		return 0, 0
	}
	b = (s[4]-'0')<<4 | byte(low)
	if strings.IndexByte(escaped, b) >= 0 {
		return 0, 0
	}
	return b, 6
}

// canonicalTime reads RFC 3339 as time.RFC3339Nano writes it.
func canonicalTime(s string) (time.Time, bool) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	year, month, day := digits(s[:4]), digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	if year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}, false
	}
	nano, rest := 0, s[19:]
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 || n > 10 || rest[n-1] == '0' || n == len(rest) {
			return time.Time{}, false
		}
		nano = digits(rest[1:n])
		for range 10 - n {
			nano *= 10
		}
		rest = rest[n:]
	}
	zone, ok := canonicalZone(rest)
	if !ok {
		return time.Time{}, false
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, nano, zone)
	return at, at.Day() == day
}

func canonicalZone(s string) (*time.Location, bool) {
	if s == "Z" {
		return time.UTC, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return nil, false
	}
	hours, minutes := digits(s[1:3]), digits(s[4:6])
	offset := hours*3600 + minutes*60
	if hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || offset == 0 {
		return nil, false
	}
	if s[0] == '-' {
		offset = -offset
	}
	return time.FixedZone("", offset), true
}

// digits is the number written by s, or -1.
func digits(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}
