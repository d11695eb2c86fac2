package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Record is the sealed statement of one segment. Its text is a leaf of the log.
type Record struct {
	Origin   string    // name of the log
	Segment  int64     // number, which is also the leaf's index
	First    int64     // first entry
	Count    int64     // entries
	From, To time.Time // arrival of the first and the last; of an empty one, when it was sealed
	Root     Hash      // tree hash of the entries
	Frames   Hash      // SHA-256 of the frame table
	Prev     Hash      // leaf hash of the record before; zeros in the first

	Retirement *Retirement // what goes from now on; nil: nothing
}

// Retirement says that the entries of packs need no longer be there: their hashes are
// kept. It stands in the record of a later segment, so that it is sealed before
// anything goes.
type Retirement struct {
	Why   string // one line of UTF-8, not empty
	Packs []Retired
}

// Retired is one pack that goes.
type Retired struct {
	FirstSegment, LastSegment int64
	First, Count              int64 // entries
	Digest                    Hash  // SHA-256 of the pack as it was
}

// The limits of one statement: a record has to fit into a leaf of 64 KiB.
const (
	MaxRetired = 256
	MaxWhy     = 1024
)

// ErrRecord is returned, wrapped, for text that is not a segment record.
var ErrRecord = errors.New("bad segment record")

const (
	recordVersion  = "kakusho/trail/segment/v1"
	recordVersion2 = "kakusho/trail/segment/v2" // with a retirement
	recordLines    = 10
	maxRecord      = 1<<16 - 1 // a leaf's length has two bytes
)

// Text is the canonical form: ten lines, and those of the retirement.
func (r Record) Text() []byte {
	version := recordVersion
	if r.Retirement != nil {
		version = recordVersion2
	}
	b := fmt.Appendf(nil, "%s\norigin %s\nsegment %d\nfirst %d\ncount %d\nfrom %s\nto %s\nroot %s\nframes %s\nprev %s\n",
		version, r.Origin, r.Segment, r.First, r.Count,
		r.From.UTC().Format(time.RFC3339Nano), r.To.UTC().Format(time.RFC3339Nano),
		r.Root, r.Frames, r.Prev)
	if r.Retirement == nil {
		return b
	}
	b = fmt.Appendf(b, "why %s\n", r.Retirement.Why)
	for _, p := range r.Retirement.Packs {
		b = fmt.Appendf(b, "retire %d %d %d %d %s\n", p.FirstSegment, p.LastSegment, p.First, p.Count, p.Digest)
	}
	return b
}

// ParseRecord reads what Text wrote and nothing else.
func ParseRecord(text []byte) (Record, error) {
	if len(text) > maxRecord {
		return Record{}, fmt.Errorf("%w: longer than %d bytes", ErrRecord, maxRecord)
	}
	lines := strings.Split(string(text), "\n")
	v2 := lines[0] == recordVersion2
	n := len(lines) - 1
	if lines[0] != recordVersion && !v2 || lines[n] != "" || !v2 && n != recordLines || v2 && (n < recordLines+2 || n > recordLines+1+MaxRetired) {
		return Record{}, fmt.Errorf("%w: want ten lines from %q on, or a retirement behind them", ErrRecord, recordVersion)
	}
	var r Record
	var errs []error
	for i, key := range []string{"origin", "segment", "first", "count", "from", "to", "root", "frames", "prev"} {
		v, ok := strings.CutPrefix(lines[i+1], key+" ")
		if !ok {
			return Record{}, fmt.Errorf("%w: line %d is not %q", ErrRecord, i+2, key)
		}
		errs = append(errs, r.set(key, v))
	}
	if v2 {
		var err error
		r.Retirement, err = parseRetirement(lines[recordLines:n])
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if r.Segment < 0 || r.First < 0 || r.Count < 0 || r.First+r.Count < r.First || string(r.Text()) != string(text) {
		return Record{}, fmt.Errorf("%w: not in canonical form", ErrRecord)
	}
	if r.Retirement != nil {
		if err := r.Retirement.Check(r.Segment); err != nil {
			return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
		}
	}
	return r, nil
}

func parseRetirement(lines []string) (*Retirement, error) {
	why, ok := strings.CutPrefix(lines[0], "why ")
	if !ok {
		return nil, fmt.Errorf("line %q is not why", lines[0])
	}
	t := &Retirement{Why: why}
	for _, line := range lines[1:] {
		var p Retired
		var digest string
		_, err := fmt.Sscanf(line, "retire %d %d %d %d %s", &p.FirstSegment, &p.LastSegment, &p.First, &p.Count, &digest)
		if err == nil {
			p.Digest, err = ParseHash(digest)
		}
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		t.Packs = append(t.Packs, p)
	}
	return t, nil
}

// Check sees that a segment can state t: packs that are before it, in order.
func (t Retirement) Check(segment int64) error {
	if t.Why == "" || len(t.Why) > MaxWhy || !utf8.ValidString(t.Why) || strings.ContainsRune(t.Why, '\n') {
		return fmt.Errorf("why %.40q: want one line of 1 to %d bytes", t.Why, MaxWhy)
	}
	if n := len(t.Packs); n < 1 || n > MaxRetired {
		return fmt.Errorf("%d packs to retire, want 1 to %d", n, MaxRetired)
	}
	next := int64(0)
	for _, p := range t.Packs {
		if p.FirstSegment < next || p.LastSegment < p.FirstSegment || p.LastSegment >= segment || p.First < 0 || p.Count < 0 || p.First+p.Count < p.First {
			return fmt.Errorf("retire %d to %d in segment %d: not in order", p.FirstSegment, p.LastSegment, segment)
		}
		next = p.LastSegment + 1
	}
	return nil
}

func (r *Record) set(key, v string) (err error) {
	switch key {
	case "origin":
		r.Origin = v
	case "segment":
		r.Segment, err = strconv.ParseInt(v, 10, 64)
	case "first":
		r.First, err = strconv.ParseInt(v, 10, 64)
	case "count":
		r.Count, err = strconv.ParseInt(v, 10, 64)
	case "from":
		r.From, err = time.Parse(time.RFC3339Nano, v)
	case "to":
		r.To, err = time.Parse(time.RFC3339Nano, v)
	case "root":
		r.Root, err = ParseHash(v)
	case "frames":
		r.Frames, err = ParseHash(v)
	case "prev":
		r.Prev, err = ParseHash(v)
	}
	return err
}

// String is the hash in base64.
func (h Hash) String() string { return base64.StdEncoding.EncodeToString(h[:]) }

// ParseHash reads what String wrote and nothing else.
func ParseHash(s string) (Hash, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(Hash{}) || Hash(b).String() != s {
		return Hash{}, fmt.Errorf("hash %q: want 44 characters of base64", s)
	}
	return Hash(b), nil
}
