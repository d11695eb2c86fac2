package store

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/decision"
	"kakusho/fact"
)

// Type is how a column is written.
type Type string

// The types.
const (
	Text    Type = "text"    // UTF-8
	Integer Type = "integer" // 64 bits, signed
	Boolean Type = "boolean" // 0 or 1
	Time    Type = "time"    // text: UTC in the form of Stamp; a zero time is no value
	JSON    Type = "json"    // text in the form of Encode; nil is no value
)

// Column is one column of a row, joined to the place in the row where its value
// is. Engines write with Write and read with Read, so that all keep the same.
type Column struct {
	Name  string
	Type  Type
	Key   bool // part of the key
	Words bool // Where.Like looks here
	at    any  // *string, *int64, *bool, *time.Time, or one of the six of JSON
}

func text(name string, at *string) Column       { return Column{Name: name, Type: Text, at: at} }
func integer(name string, at *int64) Column     { return Column{Name: name, Type: Integer, at: at} }
func boolean(name string, at *bool) Column      { return Column{Name: name, Type: Boolean, at: at} }
func instant(name string, at *time.Time) Column { return Column{Name: name, Type: Time, at: at} }
func jsonOf(name string, at any) Column         { return Column{Name: name, Type: JSON, at: at} }

func (c Column) key() Column   { c.Key = true; return c }
func (c Column) words() Column { c.Words = true; return c }

// Write is the column's value as it is kept: a string, an int64, or nil for
// none. The error is ErrValue.
func (c Column) Write() (any, error) {
	v, err := c.write()
	if err != nil {
		return nil, fmt.Errorf("%w: column %s: %w", ErrValue, c.Name, err)
	}
	s, isText := v.(string)
	switch {
	case !isText:
		return v, nil
	case c.Key && s == "":
		return nil, fmt.Errorf("%w: column %s is part of the key and empty", ErrValue, c.Name)
	case len(s) > MostBytes:
		return nil, fmt.Errorf("%w: column %s has %d bytes, the limit is %d", ErrValue, c.Name, len(s), MostBytes)
	case !utf8.ValidString(s):
		return nil, fmt.Errorf("%w: column %s is not UTF-8", ErrValue, c.Name)
	}
	return v, nil
}

func (c Column) write() (any, error) {
	switch at := c.at.(type) {
	case *string:
		return *at, nil
	case *int64:
		return *at, nil
	case *bool:
		if *at {
			return int64(1), nil
		}
		return int64(0), nil
	case *time.Time:
		if at.IsZero() {
			return nil, nil
		}
		return Stamp(*at)
	case *any:
		if *at == nil {
			return nil, nil
		}
		return Encode(*at)
	case *map[string]any:
		return Encode(*at)
	case *[]string:
		return Encode(*at)
	case *[]fact.Source:
		return encodeSources(*at)
	case *[]decision.Note:
		return encodeNotes(*at)
	case *map[string]time.Time:
		return encodeInstants(*at)
	}
	return nil, fmt.Errorf("no way to write %T", c.at)
}

// Read puts what was kept (string, int64 or nil) into the row. The error is
// ErrCorrupt: Write never makes such a value.
func (c Column) Read(kept any) error {
	if err := c.read(kept); err != nil {
		return fmt.Errorf("%w: column %s: %w", ErrCorrupt, c.Name, err)
	}
	return nil
}

func (c Column) read(kept any) error {
	switch at := c.at.(type) {
	case *int64:
		n, ok := kept.(int64)
		*at = n
		return wantKept(ok, kept)
	case *bool:
		n, ok := kept.(int64)
		*at = n == 1
		return wantKept(ok && (n == 0 || n == 1), kept)
	case *time.Time:
		return readTime(at, kept)
	case *any:
		if kept == nil {
			*at = nil
			return nil
		}
	}
	s, ok := kept.(string)
	if !ok {
		return wantKept(false, kept)
	}
	if at, ok := c.at.(*string); ok {
		*at = s
		return wantKept(utf8.ValidString(s), kept)
	}
	return readJSON(c.at, s)
}

func wantKept(ok bool, kept any) error {
	if !ok {
		return fmt.Errorf("cannot hold %T %.40q", kept, fmt.Sprint(kept))
	}
	return nil
}

// stampForm has a fixed width, so that text order is time order.
const stampForm = "2006-01-02T15:04:05.000000000Z"

// Stamp is t in UTC to the nanosecond, in a text of fixed width. Years before 0
// and after 9999 have none.
func Stamp(t time.Time) (string, error) {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return "", fmt.Errorf("year %d is not within 0 to 9999", y)
	}
	return t.Format(stampForm), nil
}

func readTime(at *time.Time, kept any) error {
	if kept == nil {
		*at = time.Time{}
		return nil
	}
	s, ok := kept.(string)
	if !ok || len(s) != len(stampForm) {
		return wantKept(false, kept)
	}
	t, err := time.Parse(stampForm, s)
	if err != nil {
		return err
	}
	*at = t
	return nil
}

func readJSON(at any, s string) error {
	if at, ok := at.(*[]fact.Source); ok {
		*at = nil
		if s == "[]" {
			return nil
		}
		return json.Unmarshal([]byte(s), at)
	}
	v, err := Decode(s)
	if err != nil {
		return err
	}
	switch at := at.(type) {
	case *[]decision.Note:
		return readNotes(at, v)
	case *any:
		*at = v
		return nil
	case *map[string]any:
		m, ok := v.(map[string]any)
		*at = m
		return wantKept(ok, s)
	case *[]string:
		return readStrings(at, v)
	case *map[string]time.Time:
		return readInstants(at, v)
	}
	return fmt.Errorf("no way to read %T", at)
}

func encodeInstants(ts map[string]time.Time) (any, error) {
	out := make(map[string]any, len(ts))
	for name, t := range ts {
		s, err := Stamp(t)
		if err != nil {
			return nil, err
		}
		out[name] = s
	}
	return Encode(out)
}

func readInstants(at *map[string]time.Time, v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return wantKept(false, v)
	}
	*at = nil
	for name, kept := range m {
		var t time.Time
		if err := readTime(&t, kept); err != nil {
			return err
		}
		if *at == nil {
			*at = make(map[string]time.Time, len(m))
		}
		(*at)[name] = t
	}
	return nil
}

func encodeNotes(ns []decision.Note) (any, error) {
	out := make([]any, len(ns))
	for i, n := range ns {
		at, err := Stamp(n.At)
		if err != nil {
			return nil, err
		}
		out[i] = map[string]any{"type": string(n.Type), "text": n.Text, "by": n.By, "post": n.Post, "at": at}
	}
	return Encode(out)
}

func readNotes(at *[]decision.Note, v any) error {
	list, ok := v.([]any)
	if !ok {
		return wantKept(false, v)
	}
	*at = nil
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return wantKept(false, e)
		}
		text := func(name string) string { s, _ := m[name].(string); return s }
		n := decision.Note{Type: decision.NoteType(text("type")), Text: text("text"), By: text("by"), Post: text("post")}
		if err := readTime(&n.At, m["at"]); err != nil {
			return err
		}
		*at = append(*at, n)
	}
	return nil
}

func readStrings(at *[]string, v any) error {
	list, ok := v.([]any)
	if !ok {
		return wantKept(false, v)
	}
	*at = nil
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return wantKept(false, e)
		}
		*at = append(*at, s)
	}
	return nil
}

// Argument is a value of a Where as the column keeps it, for comparison: a
// string, an int64 or nil. The error is ErrWhere.
func (c Column) Argument(v any) (any, error) {
	var out any
	var err error
	switch r := reflect.ValueOf(v); {
	case v == nil:
		return nil, nil
	case c.Type == Text && r.Kind() == reflect.String:
		return r.String(), nil
	case c.Type == Integer && r.CanInt() && r.Kind() != reflect.Bool:
		return r.Int(), nil
	case c.Type == Boolean && r.Kind() == reflect.Bool:
		if r.Bool() {
			return int64(1), nil
		}
		return int64(0), nil
	case c.Type == Time:
		t, ok := v.(time.Time)
		if ok {
			out, err = Column{at: &t}.write()
			break
		}
		err = fmt.Errorf("%T is no time", v)
	case c.Type == JSON:
		out, err = Encode(v)
	default:
		err = fmt.Errorf("%T is no %s", v, c.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: column %s: %w", ErrWhere, c.Name, err)
	}
	return out, nil
}

// Resolve finds the column a Where names, and the path within it when it is one
// of JSON. Names of a path are of a-z, 0-9 and "_". The error is ErrWhere.
func Resolve(of Row, name string) (Column, []string, error) {
	first, rest, deep := strings.Cut(name, ".")
	for _, c := range of.Columns() {
		if c.Name != first {
			continue
		}
		if !deep {
			return c, nil, nil
		}
		path := strings.Split(rest, ".")
		if c.Type != JSON || len(path) > MostDepth {
			break
		}
		for _, p := range path {
			if !isName(p) {
				return Column{}, nil, fmt.Errorf("%w: %s: %.60q is no name of a field", ErrWhere, of.Table(), p)
			}
		}
		return c, path, nil
	}
	return Column{}, nil, fmt.Errorf("%w: %s has no column %.60q", ErrWhere, of.Table(), name)
}

func isName(s string) bool {
	for i := range len(s) {
		b := s[i]
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '_' {
			return false
		}
	}
	return s != "" && len(s) <= math.MaxUint8
}
