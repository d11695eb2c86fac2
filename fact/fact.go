// Package fact holds what somebody saw or declared about a subject.
//
// A fact is never just a value: it says how it was come by, and whether the
// looking succeeded. Only an Observed fact can carry a pass; a tool that is not
// installed or a file that may not be read never looks like "nothing found".
package fact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Status is how the looking went.
type Status string

// The statuses. Absent means: looked, could see, and there is none.
const (
	Observed      Status = "observed"
	Absent        Status = "absent"
	NotApplicable Status = "not-applicable" // the question does not arise here, for the stated reason
	Denied        Status = "denied"         // not allowed to look
	Error         Status = "error"
	Timeout       Status = "timeout"
	Truncated     Status = "truncated" // looked at a part only
)

// Statuses lists every Status.
var Statuses = []Status{Observed, Absent, NotApplicable, Denied, Error, Timeout, Truncated}

// Ref names a subject: "computer/PC-0001".
type Ref string

// NewRef joins a kind and the register key within it.
func NewRef(kind, id string) Ref { return Ref(kind + "/" + id) }

// ParseRef reads "kind/id". The id may itself hold slashes, the kind may not.
func ParseRef(s string) (Ref, error) {
	k, id, ok := strings.Cut(s, "/")
	if !ok || k == "" || id == "" {
		return "", fmt.Errorf("subject %q: want kind/id, as in computer/PC-0001", s)
	}
	return Ref(s), nil
}

// Kind is the part before the first slash.
func (r Ref) Kind() string { k, _, _ := strings.Cut(string(r), "/"); return k }

// ID is the part after it.
func (r Ref) ID() string { _, id, _ := strings.Cut(string(r), "/"); return id }

// Source is where a value was read.
type Source struct {
	Kind    string    `json:"kind"` // file, proc, sys, netlink, socket, sql, register, import, person
	Ref     string    `json:"ref"`  // path, address, query name
	SHA256  string    `json:"sha256,omitempty"`
	ModTime time.Time `json:"mtime,omitzero"`
}

// String is "kind:ref".
func (s Source) String() string { return s.Kind + ":" + s.Ref }

// Fact is one field of one subject as seen once.
//
// Value holds nil, bool, int64, float64, string, time.Time, time.Duration,
// []any of strings or of map[string]any records, according to the field's type
// in package kind. It is nil unless Status is Observed or Truncated.
type Fact struct {
	Field  string   `json:"field"`
	Status Status   `json:"status"`
	Reason string   `json:"reason,omitempty"` // code and detail when not observed: "permission: open /etc/shadow"
	Value  any      `json:"value,omitempty"`
	Source []Source `json:"source,omitempty"`
}

// Batch is what one collector run brought about one subject: the unit that is
// received, sealed in the trail and folded.
type Batch struct {
	ID         string    `json:"id"` // chosen by the sender; a second arrival is the same batch
	Subject    Ref       `json:"subject"`
	Collector  string    `json:"collector"` // group of fields: account, sshd, time …
	Version    string    `json:"version"`
	Method     string    `json:"method"`    // native, osquery, import, person
	Privilege  string    `json:"privilege"` // root, user, …
	ObservedAt time.Time `json:"observed_at"`
	Facts      []Fact    `json:"facts"`
}

// Digest is the SHA-256 of the value's canonical JSON (object keys sorted, times
// RFC 3339 in UTC, durations as text), in hex. Equal values have equal digests.
func Digest(value any) string {
	b, err := json.Marshal(Canonical(value))
	if err != nil {
		// Unreachable for the types Value may hold; a digest must not pretend otherwise.
		return "unencodable"
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Canonical returns value with times and durations as the text in which they
// travel, so that encoding/json (which sorts map keys) gives one form only.
func Canonical(value any) any {
	switch v := value.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return v.String()
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = Canonical(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = Canonical(e)
		}
		return out
	}
	return value
}
