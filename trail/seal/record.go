package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
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
}

// ErrRecord is returned, wrapped, for text that is not a segment record.
var ErrRecord = errors.New("bad segment record")

const recordVersion = "kakusho/trail/segment/v1"

// Text is the canonical form, ten lines.
func (r Record) Text() []byte {
	return fmt.Appendf(nil, "%s\norigin %s\nsegment %d\nfirst %d\ncount %d\nfrom %s\nto %s\nroot %s\nframes %s\nprev %s\n",
		recordVersion, r.Origin, r.Segment, r.First, r.Count,
		r.From.UTC().Format(time.RFC3339Nano), r.To.UTC().Format(time.RFC3339Nano),
		r.Root, r.Frames, r.Prev)
}

// ParseRecord reads what Text wrote and nothing else.
func ParseRecord(text []byte) (Record, error) {
	lines := strings.Split(string(text), "\n")
	if len(lines) != 11 || lines[0] != recordVersion || lines[10] != "" {
		return Record{}, fmt.Errorf("%w: want ten lines from %q on", ErrRecord, recordVersion)
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
	if err := errors.Join(errs...); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if r.Segment < 0 || r.First < 0 || r.Count < 0 || r.First+r.Count < r.First || string(r.Text()) != string(text) {
		return Record{}, fmt.Errorf("%w: not in canonical form", ErrRecord)
	}
	return r, nil
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
