package trail

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"kakusho/clause"
)

// MaxEntry is the longest entry in bytes, encoded.
const MaxEntry = 1 << 20

// ErrEntry is returned, wrapped with what is wrong, for an entry the trail does
// not take. Nothing was written; the same entry will be refused again.
var ErrEntry = errors.New("entry refused")

// Entry is one thing that happened, as its author saw it. The field order here
// is the order of keys in the sealed bytes.
type Entry struct {
	ID      string          `json:"id"`                // 32 hex digits, random: the salt of its hash. Append sets an empty one
	At      time.Time       `json:"at"`                // when it happened, as the author's clock had it
	Kind    string          `json:"kind"`              // fact.batch, decision.give …
	Actor   string          `json:"actor,omitempty"`   // person, agent or "system"
	Post    string          `json:"post,omitempty"`    // held while acting
	Object  string          `json:"object,omitempty"`  // computer/PC-1, parameter/KEY …
	Control string          `json:"control,omitempty"` // the control concerned
	Clauses []clause.ID     `json:"clauses,omitempty"` // the clauses concerned
	Body    json.RawMessage `json:"body,omitempty"`    // JSON in UTF-8, kept as given but for white space between tokens
}

// Sealed is an entry on disk.
type Sealed struct {
	Entry
	Seq     int64     // place in the trail, from 0, without gaps
	Arrived time.Time // when the trail took it; never goes back, whatever the clock does. Zero out of a proof
}

// encode checks e and returns the bytes that are hashed, stored and proved.
func (e Entry) encode() ([]byte, error) {
	if e.ID == "" {
		var salt [16]byte
		rand.Read(salt[:]) // never fails
		e.ID = hex.EncodeToString(salt[:])
	}
	if err := e.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	e.At = e.At.UTC()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEntry, err)
	}
	line := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(line) > MaxEntry {
		return nil, fmt.Errorf("%w: %d bytes encoded, at most %d", ErrEntry, len(line), MaxEntry)
	}
	return line, nil
}

// encodeAll makes the lines of entries.
func encodeAll(entries []Entry) ([][]byte, error) {
	if n := len(entries); n == 0 || n > MaxBatch {
		return nil, fmt.Errorf("%w: %d at once, want 1 to %d", ErrEntry, n, MaxBatch)
	}
	lines, size := make([][]byte, len(entries)), 0
	for i, e := range entries {
		line, err := e.encode()
		if err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i+1, len(entries), err)
		}
		lines[i] = line
		if size += len(line) + 1; size > MaxAppend {
			return nil, fmt.Errorf("%w: more than %d bytes at once", ErrEntry, MaxAppend)
		}
	}
	return lines, nil
}

func (e Entry) check() error {
	if b, err := hex.DecodeString(e.ID); err != nil || len(b) != 16 || hex.EncodeToString(b) != e.ID {
		return fmt.Errorf("id %q: want 32 lower-case hex digits", e.ID)
	}
	if e.Kind == "" {
		return errors.New("no kind")
	}
	// JSON can carry no other years, and UTC moves a time by up to a day.
	if y := e.At.UTC().Year(); e.At.IsZero() || y < 1 || y > 9999 {
		return fmt.Errorf("time %d: want the years 1 to 9999", e.At.Unix())
	}
	for _, s := range []string{e.Kind, e.Actor, e.Post, e.Object, e.Control} {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%q is not UTF-8", s)
		}
	}
	for _, c := range e.Clauses {
		if !utf8.ValidString(string(c)) {
			return fmt.Errorf("%q is not UTF-8", c)
		}
	}
	if len(e.Body) > MaxEntry {
		return fmt.Errorf("body of %d bytes, at most %d", len(e.Body), MaxEntry)
	}
	if !utf8.Valid(e.Body) {
		return errors.New("body is not UTF-8")
	}
	return nil // that the body is JSON, the encoder sees
}

// decode reads what encode wrote. Unknown keys are errors: a reader that skipped
// one would show less than was sealed.
func decode(line []byte) (Entry, error) {
	var e Entry
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("read entry: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Entry{}, errors.New("read entry: more after its end")
	}
	return e, nil
}
