// Package exchange brings ledgers into the registers and takes registers out.
//
// What a file would do is tried first and shown: every fault with its place, every
// change field by field. Then it is applied as one decision, sealed whole or not at
// all, and can be undone as one. The columns of a ledger that somebody else made are
// matched with fields once; its headings are remembered.
package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/register"
	"kakusho/store"
)

// Exchange takes files in and out. It is safe for concurrent use.
type Exchange struct {
	register *register.Register
	rows     store.Store
	gate     *gate.Gate
}

// New returns the exchange of the registers kept in rows, changed through g.
func New(reg *register.Register, rows store.Store, g *gate.Gate) *Exchange {
	return &Exchange{reg, rows, g}
}

// Register is where files go.
func (x *Exchange) Register() *register.Register { return x.register }

// File is a ledger as it was brought.
type File struct {
	Name string
	Data []byte
}

// Digest is the SHA-256 of the file.
func (f File) Digest() string {
	sum := sha256.Sum256(f.Data)
	return hex.EncodeToString(sum[:])
}

// Progress is told how many rows are done; it may be nil.
type Progress func(done, total int)

// Plan is what importing a file would do. Nothing has been done.
type Plan struct {
	Kind    kind.Kind
	Sheet   table.Sheet
	Mapping table.Mapping
	Guessed []string // keys of headings whose field is a guess
	Known   bool     // the mapping was remembered
	Rows    []Planned
	Absent  []Absent // in the register and not in the file
	New     int
	Changed int
	Same    int
	Wrong   int           // rows with faults
	Faults  []table.Fault // of the file and of every row
	Unsaid  int           // more of them
	Digest  string        // of what it would do
	size    int           // bytes to seal
}

// Planned is one row that would change something.
type Planned struct {
	Line    int
	Ref     fact.Ref
	New     bool
	Revived bool // it is struck out
	Cells   []Change
	Retired bool // it is to be struck out

	as   register.Proposal
	size int // bytes to seal
}

// Change is one field's old and new value; nil is blank.
type Change struct {
	Field    kind.Field
	Old, New any
}

// Absent is an entry that the file does not hold; it stays as it is.
type Absent struct {
	Ref  fact.Ref
	Name string
}

// mostSealed is how many bytes are sealed at once, with room for what the trail adds.
const mostSealed = 58 << 20

// envelope is what an entry of the trail has around its body, without names.
const envelope = 240

// Plan reads a file and says what importing it would do, with its columns as mapping
// says; nil: as remembered, else as guessed. A column that the file lacks keeps its
// value; an empty cell clears it.
func (x *Exchange) Plan(ctx context.Context, p gate.Permit, kindID string, f File, mapping *table.Mapping, progress Progress) (*Plan, error) {
	k, err := x.register.Readable(p, kindID)
	if err != nil {
		return nil, err
	}
	var plan *Plan
	err = x.rows.View(ctx, func(rd store.Reader) (err error) {
		plan, err = x.plan(ctx, rd, p.Who(), k, f, mapping, p.At(), progress)
		return err
	})
	return plan, err
}

func (x *Exchange) plan(ctx context.Context, rd store.Reader, who actor.Actor, k kind.Kind, f File, mapping *table.Mapping, at time.Time, progress Progress) (*Plan, error) {
	plan := &Plan{Kind: k}
	var failed error
	sheet, err := table.ReadMapped(bytes.NewReader(f.Data), f.Name, k, func(heads []table.Head) table.Mapping {
		switch {
		case mapping != nil:
			plan.Mapping = *mapping
		default:
			plan.Mapping, plan.Known, failed = remembered(ctx, rd, k, heads)
			if !plan.Known {
				plan.Mapping, plan.Guessed = guessed(heads)
			}
		}
		return plan.Mapping
	})
	if err != nil || failed != nil {
		return nil, fmt.Errorf("read file: %w", firstOf(failed, err))
	}
	plan.Sheet, plan.Faults, plan.Unsaid = sheet, sheet.Faults, sheet.Unsaid
	pl := planner{x: x, who: who, at: at, progress: progress, total: len(sheet.Rows)}
	whole := part{kind: k, sheet: sheet}
	if err := pl.open(ctx, rd, []part{whole}, plan); err != nil {
		return nil, err
	}
	if err := pl.sheet(ctx, whole, plan); err != nil {
		return nil, err
	}
	plan.close()
	return plan, nil
}

func firstOf(errs ...error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if i < 0 {
		return nil
	}
	return errs[i]
}

// close settles what the plan comes to.
func (p *Plan) close() {
	if p.size > mostSealed {
		p.fault(table.Fault{Message: bilingual.Say(
			fmt.Sprintf("一度に取り込む内容が大き過ぎる（上限%dMiB）。ファイルを分割する。", mostSealed>>20),
			fmt.Sprintf("more than can be sealed at once (%d MiB); split the file", mostSealed>>20))})
	}
	h := sha256.New()
	for _, row := range p.Rows {
		fmt.Fprintln(h, row.Ref, row.as.Old.Rev, row.Retired, fact.Digest(row.as.Values))
	}
	p.Digest = hex.EncodeToString(h.Sum(nil))
}

func (p *Plan) fault(f table.Fault) {
	if len(p.Faults) >= table.MaxFaults {
		p.Unsaid++
		return
	}
	p.Faults = append(p.Faults, f)
}

// part is one file of a kind.
type part struct {
	kind    kind.Kind
	sheet   table.Sheet
	retired bool // its entries are struck out
	file    string
}

// planner plans the rows of files that come together: they may refer to each other.
type planner struct {
	x           *Exchange
	who         actor.Actor
	at          time.Time
	rd          *memo
	coming      map[fact.Ref]bool
	progress    Progress
	done, total int
	clauses     int // bytes, with every entry
}

// open looks over the registers concerned once: which entries the files name, and which
// they do not.
func (pl *planner) open(ctx context.Context, rd store.Reader, parts []part, plan *Plan) error {
	var kinds []string
	pl.coming = map[fact.Ref]bool{}
	for _, part := range parts {
		if !slices.Contains(kinds, part.kind.ID) {
			kinds = append(kinds, part.kind.ID)
		}
		for _, row := range part.sheet.Rows {
			if id, ok := row.Values[part.kind.Key].(string); ok {
				pl.coming[fact.NewRef(part.kind.ID, id)] = true
			}
		}
	}
	pl.rd = &memo{Reader: rd, known: map[fact.Ref]store.Subject{}, whole: map[string]bool{}}
	for _, id := range kinds {
		err := rd.List(ctx, &store.Subject{}, store.Where{Equal: map[string]any{"kind": id}}, func(row store.Row) error {
			s := *row.(*store.Subject)
			ref := fact.NewRef(s.Kind, s.ID)
			switch {
			case pl.coming[ref]:
				pl.rd.known[ref] = s
			case s.Retired:
				pl.rd.known[ref] = store.Subject{Kind: s.Kind, ID: s.ID, Retired: true, Rev: s.Rev}
			default:
				pl.rd.known[ref] = store.Subject{Kind: s.Kind, ID: s.ID, Rev: s.Rev} // that it is there is all that is asked
				plan.Absent = append(plan.Absent, Absent{ref, s.Name})
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		pl.rd.whole[id] = true
	}
	return nil
}

func (pl *planner) sheet(ctx context.Context, p part, plan *Plan) error {
	pl.clauses = 0
	for _, c := range p.kind.Clauses {
		pl.clauses += len(c) + 3
	}
	for _, row := range p.sheet.Rows {
		if err := pl.row(ctx, p, row, plan); err != nil {
			return err
		}
		if pl.done++; pl.progress != nil && pl.done%200 == 0 {
			pl.progress(pl.done, pl.total)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (pl *planner) row(ctx context.Context, p part, row table.Row, plan *Plan) error {
	if len(row.Faults) > 0 {
		plan.Wrong++
		for _, f := range row.Faults {
			plan.fault(f)
		}
		return nil
	}
	var old store.Subject
	if id, _ := row.Values[p.kind.Key].(string); id != "" { // without its key it is a new one, and the plan says that the key is wanted
		var err error
		if old, _, err = store.Get(ctx, pl.rd, store.Subject{Kind: p.kind.ID, ID: id}); err != nil {
			return err
		}
	}
	values := maps.Clone(old.Values)
	if values == nil {
		values = map[string]any{}
	}
	for _, f := range p.sheet.Fields {
		delete(values, f.Name)
		if v, ok := row.Values[f.Name]; ok && v != nil {
			values[f.Name] = v
		}
	}
	d, err := pl.x.register.Propose(ctx, pl.rd, pl.who, p.kind, values, pl.at)
	if err != nil {
		return err
	}
	if faults := pl.faults(p.kind, d); len(faults) > 0 {
		plan.Wrong++
		for _, f := range faults {
			plan.fault(placed(p.sheet, row.Line, f))
		}
		return nil
	}
	out := Planned{Line: row.Line, Ref: d.Ref, New: d.Old.Rev == 0, Revived: d.Old.Retired && !p.retired, Retired: p.retired,
		Cells: differences(p.kind, d.Old.Values, d.Values), as: d}
	switch {
	case out.New:
		plan.New++
	case len(out.Cells) > 0 || d.Old.Retired != p.retired:
		plan.Changed++
	default:
		plan.Same++
		return nil
	}
	body, err := json.Marshal(d.Body())
	if err != nil {
		return fmt.Errorf("encode %s: %w", d.Ref, err)
	}
	out.size = len(body) + envelope + len(d.Ref) + len(pl.who.Person) + pl.clauses
	plan.size += out.size
	plan.Rows = append(plan.Rows, out)
	return nil
}

// faults are those of a proposal, but for references to what comes with it.
func (pl *planner) faults(k kind.Kind, d register.Proposal) []kind.Fault {
	return slices.DeleteFunc(slices.Clone(d.Faults), func(x kind.Fault) bool {
		f, _ := k.Field(x.Field)
		to, _ := d.Values[x.Field].(string)
		return f.Type == kind.Ref && pl.coming[fact.NewRef(f.To, to)]
	})
}

// placed is a fault of an entry at its place in the file.
func placed(s table.Sheet, line int, f kind.Fault) table.Fault {
	out := table.Fault{Line: line, Field: f.Field, Header: f.Label.JA, Message: f.Message}
	if col := s.Columns[f.Field]; col > 0 {
		out.Column, out.Header = col, s.Heads[col-1].Text
	}
	return out
}

// differences lists the fields that would change, in the kind's order.
func differences(k kind.Kind, old, new map[string]any) []Change {
	var out []Change
	for f := range k.Each(kind.Declared) {
		a, b := old[f.Name], new[f.Name]
		x, plain := a.(string)
		if y, too := b.(string); a == nil && b == nil || plain && too && x == y {
			continue
		}
		if fact.Digest(a) != fact.Digest(b) {
			out = append(out, Change{*f, typed(*f, a), typed(*f, b)})
		}
	}
	return out
}

func typed(f kind.Field, v any) any {
	if t, err := f.Check(v); err == nil {
		return t
	}
	return v
}

// memo is a reader that looks each subject up once.
type memo struct {
	store.Reader
	known map[fact.Ref]store.Subject
	whole map[string]bool // kinds of which every subject is known
}

func (m *memo) Get(ctx context.Context, into store.Row) (bool, error) {
	s, ok := into.(*store.Subject)
	if !ok {
		return m.Reader.Get(ctx, into)
	}
	ref := fact.NewRef(s.Kind, s.ID)
	if at, known := m.known[ref]; known {
		if at.Rev > 0 {
			*s = at
		}
		return at.Rev > 0, nil
	}
	if m.whole[s.Kind] {
		return false, nil
	}
	there, err := m.Reader.Get(ctx, s)
	if err == nil {
		if at := (store.Subject{Kind: s.Kind, ID: s.ID}); there {
			m.known[ref] = *s
		} else {
			m.known[ref] = at
		}
	}
	return there, err
}
