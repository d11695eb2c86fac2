package exchange

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/register"
	"kakusho/store"
)

// Errors that a caller tells apart.
var (
	ErrFaults   = errors.New("the file has faults; nothing was imported")
	ErrMeantime = errors.New("the register has changed since this was tried; try again")
	ErrTaken    = errors.New("this was imported already")
	ErrUndone   = errors.New("this import is undone already")
	ErrNone     = errors.New("no such import")
)

// Body is what the trail keeps of an import: first its head, then every entry.
type Body struct {
	Import string `json:"import"`
	Head   *Head  `json:"head,omitempty"`
	*register.Body
	Line    int  `json:"line,omitempty"`
	Retired bool `json:"retired,omitempty"` // it is, or stays, struck out
}

// Head says what an import is, or why it is undone.
type Head struct {
	Kind    string `json:"register,omitempty"` // empty: several
	File    string `json:"file,omitempty"`
	Digest  string `json:"digest,omitempty"`
	Bytes   int    `json:"bytes,omitempty"`
	Note    string `json:"note,omitempty"`
	New     int    `json:"new,omitempty"`
	Changed int    `json:"changed,omitempty"`
	Same    int    `json:"same,omitempty"`
	Absent  int    `json:"absent,omitempty"`
}

// Order is a file to be taken in.
type Order struct {
	ID      string // of the import; NewID made it
	Kind    string
	File    File
	Mapping *table.Mapping // nil: as remembered, else as guessed
	Note    string
	Expect  string // Plan.Digest of what was shown; empty: whatever it would do
}

// NewID is the number of an import begun at an instant.
func NewID(at time.Time) string {
	b := make([]byte, 8)
	rand.Read(b) //nolint:errcheck // never fails
	return at.In(calendar.Tokyo()).Format("20060102-150405-") + hex.EncodeToString(b)
}

// Import takes a file in as one decision: all of it, or nothing with ErrFaults. It
// returns how many entries it made or changed.
func (x *Exchange) Import(ctx context.Context, who actor.Actor, kindID string, r io.Reader, name string, at time.Time) (int, error) {
	data, err := io.ReadAll(io.LimitReader(r, table.MaxFile+1))
	if err != nil {
		return 0, fmt.Errorf("read file: %w", err)
	}
	return x.Take(ctx, who, Order{ID: NewID(at), Kind: kindID, File: File{name, data}, Mapping: &table.Mapping{}}, at, nil)
}

// Take is Import of what was shown before: ErrMeantime when it would do something else
// by now, ErrTaken when it was done.
func (x *Exchange) Take(ctx context.Context, who actor.Actor, o Order, at time.Time, progress Progress) (int, error) {
	k, ok := x.register.Kinds()[o.Kind]
	if !ok {
		return 0, fmt.Errorf("%w: %s", register.ErrNoKind, o.Kind)
	}
	n := 0
	_, err := x.register.Sealing(ctx, func(rd store.Reader) (gate.Request, error) {
		if _, taken, err := store.Get(ctx, rd, store.Import{ID: o.ID}); err != nil || taken {
			return gate.Request{}, firstOf(err, ErrTaken)
		}
		plan, err := x.plan(ctx, rd, who, k, o.File, o.Mapping, at, progress)
		switch {
		case err != nil:
			return gate.Request{}, err
		case len(plan.Faults) > 0:
			return gate.Request{}, ErrFaults
		case o.Expect != "" && o.Expect != plan.Digest:
			return gate.Request{}, ErrMeantime
		case len(plan.Rows) == 0:
			return gate.Request{}, errNothing
		}
		n = len(plan.Rows)
		head := Head{Kind: k.ID, File: o.File.Name, Digest: o.File.Digest(), Bytes: len(o.File.Data), Note: o.Note,
			New: plan.New, Changed: plan.Changed, Same: plan.Same, Absent: len(plan.Absent)}
		return request(who, at, gate.ImportRegister, o.ID, head, plan.Rows), nil
	})
	if errors.Is(err, errNothing) {
		return 0, nil
	}
	return n, err
}

// errNothing: there is nothing to seal.
var errNothing = errors.New("nothing to import")

// request seals rows as one decision. A duty must be one for each register, and cover
// every row.
func request(who actor.Actor, at time.Time, action gate.Action, id string, head Head, rows []Planned) gate.Request {
	req := gate.Request{Actor: who, At: at, Action: action, Object: "import/" + id, Changes: []gate.Change{{Body: Body{Import: id, Head: &head}}}}
	asked := map[string]bool{}
	for i, row := range rows {
		if k := row.as.Kind; !asked[k.ID] {
			if !asked[""] {
				req.Need = slices.Clone(register.Owners(k))
			}
			asked[k.ID], asked[""] = true, true
			req.Need = slices.DeleteFunc(req.Need, func(d actor.Duty) bool { return !slices.Contains(register.Owners(k), d) })
			req.Clauses = append(req.Clauses, k.Clauses...)
		}
		places := row.as.Places()
		if i == 0 {
			req.Scope = slices.Clone(places)
		} else {
			req.Scope = slices.DeleteFunc(req.Scope, func(p string) bool { return !slices.Contains(places, p) })
		}
		body := row.as.Body()
		req.Changes = append(req.Changes, gate.Change{Object: string(row.Ref), Body: Body{Import: id, Body: &body, Line: row.Line, Retired: row.Retired}})
	}
	if len(req.Need) == 0 { // no duty is for all of them, and none named would be any
		req.Need = []actor.Duty{nobodys}
	}
	slices.Sort(req.Clauses)
	req.Clauses = slices.Compact(req.Clauses)
	return req
}

// nobodys is a duty that nobody has.
const nobodys actor.Duty = "-"

// May reports whether who may take files into a register at all.
func May(k kind.Kind, who actor.Actor) bool { return slices.ContainsFunc(register.Owners(k), who.Has) }
