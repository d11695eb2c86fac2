package exchange

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/register"
	"kakusho/store"
)

// Contents are what an archive of registers says of itself, in registers.json. The
// registers come in the order of their references.
type Contents struct {
	Made      time.Time      `json:"made"`
	Format    table.Format   `json:"format"`
	Personal  bool           `json:"personal"` // with the fields that hold personal data
	Registers []ArchivedFile `json:"registers"`
	Left      []string       `json:"left,omitempty"` // registers that who made it may not read
}

// ArchivedFile is one file of an archive: a register, or a part of it.
type ArchivedFile struct {
	Kind    string `json:"kind"`
	File    string `json:"file"`
	Retired bool   `json:"struck_out,omitempty"`
	Entries int    `json:"entries"`
	SHA256  string `json:"sha256"`
}

const contentsName = "registers.json"

// The limits of an archive.
const (
	MaxArchive  = 512 << 20 // bytes, packed
	MaxUnpacked = 2 << 30   // of all its files
	MaxFiles    = 10_000
)

// Archive asks for what is to be taken out.
type Archive struct {
	Format   table.Format
	Lang     bilingual.Lang
	Personal bool // with personal data, as it takes to import it elsewhere
}

// Archive writes every register that who may read as one file, the struck-out entries
// too. Only a duty without limits will do, and for personal data that of the security
// administrator.
func (x *Exchange) Archive(ctx context.Context, who actor.Actor, a Archive, at time.Time) ([]byte, error) {
	req := gate.Request{Actor: who, At: at, Action: gate.Export, Object: "registers", Changes: []gate.Change{{Body: map[string]any{"format": a.Format, "personal": a.Personal}}}}
	if a.Personal {
		req.Need = []actor.Duty{actor.SecurityAdministrator}
	}
	p, err := x.gate.Ask(ctx, req)
	if err != nil {
		return nil, err
	}
	c := Contents{Made: at, Format: a.Format, Personal: a.Personal, Registers: []ArchivedFile{}}
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, k := range inOrder(x.register.Kinds()) {
		if _, err := x.register.Readable(p, k.ID); err != nil {
			c.Left = append(c.Left, k.ID)
			continue
		}
		for _, retired := range []bool{false, true} {
			rows, err := x.all(ctx, p, k, retired)
			if err == nil && len(rows) > 0 {
				err = c.add(z, k, a, retired, rows)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = pack(z, contentsName, at, b)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("write archive: %w", err)
	}
	return buf.Bytes(), nil
}

func (x *Exchange) all(ctx context.Context, p gate.Permit, k kind.Kind, retired bool) (rows []map[string]any, err error) {
	q := register.Query{Kind: k.ID, Retired: retired, Limit: 1000}
	for ; ; q.Offset += q.Limit {
		page, err := x.register.List(ctx, p, q)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			rows = append(rows, e.Values)
		}
		if len(page.Entries) < q.Limit {
			return rows, nil
		}
	}
}

// add writes entries, in as many files as it takes for each to be imported.
func (c *Contents) add(z *zip.Writer, k kind.Kind, a Archive, retired bool, rows []map[string]any) error {
	var buf bytes.Buffer
	if err := table.Write(&buf, a.Format, k, a.Lang, rows, table.Options{Personal: a.Personal}); err != nil {
		return err
	}
	if half := len(rows) / 2; (len(rows) > table.MaxRows || buf.Len() > table.MaxFile) && half > 0 {
		if err := c.add(z, k, a, retired, rows[:half]); err != nil {
			return err
		}
		return c.add(z, k, a, retired, rows[half:])
	}
	name := k.ID
	if retired {
		name += ".struck-out"
	}
	n := len(slices.DeleteFunc(slices.Clone(c.Registers), func(f ArchivedFile) bool { return f.Kind != k.ID || f.Retired != retired }))
	if n > 0 {
		name += fmt.Sprintf(".%d", n+1)
	}
	name += "." + string(a.Format)
	sum := sha256.Sum256(buf.Bytes())
	c.Registers = append(c.Registers, ArchivedFile{k.ID, name, retired, len(rows), hex.EncodeToString(sum[:])})
	return pack(z, name, c.Made, buf.Bytes())
}

func pack(z *zip.Writer, name string, at time.Time, data []byte) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at.UTC()})
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// inOrder are kinds in the order of their references: what is referred to first, as far
// as they do not refer to each other.
func inOrder(kinds kind.Set) (out []kind.Kind) {
	seen := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		if seen[id] {
			return
		}
		seen[id] = true
		for f := range kinds[id].Each(kind.Declared) {
			if f.Type == kind.Ref {
				visit(f.To)
			}
		}
		out = append(out, kinds[id])
	}
	for _, id := range kinds.IDs() {
		visit(id)
	}
	return out
}

// Wrong are the faults of an archive, each with its file.
type Wrong []table.Fault

func (w Wrong) Error() string { return fmt.Sprintf("%d faults, the first: %v", len(w), w[0].Error()) }

// Taken says what came of an archive.
type Taken struct {
	Imports            []string // decisions it was taken in as: one, unless it is larger than one may be
	New, Changed, Same int
	Absent             int
}

// mostEntries is how many entries are sealed at once: below what the trail takes.
const mostEntries = 60_000

// TakeArchive takes an archive in: its entries may refer to each other, whatever their
// register and order. Nothing of one with faults is taken; the error is Wrong. One that
// is larger than a decision may be is taken in several; ended in between, it is taken on
// where it was left.
func (x *Exchange) TakeArchive(ctx context.Context, who actor.Actor, f File, note string, at time.Time, progress Progress) (out Taken, err error) {
	parts, err := x.unpack(f.Data)
	if err != nil {
		return out, err
	}
	for {
		more := false
		id := NewID(at)
		_, err := x.register.Sealing(ctx, func(rd store.Reader) (gate.Request, error) {
			plan, err := x.planParts(ctx, rd, who, parts, at, progress)
			if err != nil {
				return gate.Request{}, err
			}
			if len(out.Imports) == 0 {
				out.Same, out.Absent = plan.Same, len(plan.Absent)
			}
			rows, rest := cut(plan.Rows)
			if more = rest; len(rows) == 0 {
				return gate.Request{}, errNothing
			}
			head := Head{File: f.Name, Digest: f.Digest(), Bytes: len(f.Data), Note: note, Same: plan.Same, Absent: len(plan.Absent)}
			for _, row := range rows {
				if row.New {
					head.New++
				} else {
					head.Changed++
				}
			}
			out.New, out.Changed = out.New+head.New, out.Changed+head.Changed
			return request(who, at, gate.ImportRegister, id, head, rows), nil
		})
		switch {
		case errors.Is(err, errNothing):
			return out, nil
		case err != nil:
			return out, err
		}
		if out.Imports = append(out.Imports, id); !more {
			return out, nil
		}
	}
}

// cut is as much as is sealed at once, and whether there is more.
func cut(rows []Planned) (now []Planned, more bool) {
	size := 0
	for i, row := range rows {
		if size += row.size; size > mostSealed || i >= mostEntries {
			return rows[:i], true
		}
	}
	return rows, false
}

func (x *Exchange) planParts(ctx context.Context, rd store.Reader, who actor.Actor, parts []part, at time.Time, progress Progress) (*Plan, error) {
	plan := &Plan{}
	pl := planner{x: x, who: who, at: at, progress: progress, coming: nil}
	for _, p := range parts {
		pl.total += len(p.sheet.Rows)
	}
	if err := pl.open(ctx, rd, parts, plan); err != nil {
		return nil, err
	}
	var wrong Wrong
	for _, p := range parts {
		plan.Faults = p.sheet.Faults
		if err := pl.sheet(ctx, p, plan); err != nil {
			return nil, err
		}
		for _, f := range plan.Faults {
			f.File = p.file
			wrong = append(wrong, f)
		}
	}
	if plan.Faults = nil; len(wrong) > 0 {
		return nil, wrong
	}
	return plan, nil
}

// unpack reads an archive. Its error is Wrong.
func (x *Exchange) unpack(data []byte) (parts []part, err error) {
	bad := func(ja, en string, a ...any) error {
		return Wrong{{Message: bilingual.Say(fmt.Sprintf(ja, a...), fmt.Sprintf(en, a...))}}
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil || len(data) > MaxArchive {
		return nil, bad("台帳一式のファイル（zip、%dMiBまで）として読めない。書き出したものをそのまま指定する。", "not an archive of registers (zip, at most %d MiB); name the file as it was exported", MaxArchive>>20)
	}
	size := uint64(0)
	for _, f := range z.File {
		size += f.UncompressedSize64
	}
	if size > MaxUnpacked || len(z.File) > MaxFiles {
		return nil, bad("展開すると大き過ぎる（上限%dMiB、%d個）。", "larger than %d MiB or %d files when unpacked", MaxUnpacked>>20, MaxFiles)
	}
	var c Contents
	b, err := unpacked(z, contentsName, 1<<20)
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = d.Decode(&c)
	}
	if err != nil {
		return nil, bad("目録（%s）がないか、読めない。書き出したものをそのまま指定する。", "its table of contents (%s) is missing or unreadable; name the file as it was exported", contentsName)
	}
	var wrong Wrong
	for _, f := range c.Registers {
		k, known := x.register.Kinds()[f.Kind]
		b, err := unpacked(z, f.File, table.MaxFile)
		sum := sha256.Sum256(b)
		fault := table.Fault{File: f.File}
		switch {
		case !known:
			fault.Message = bilingual.Say("台帳「"+f.Kind+"」は本システムにない。", "there is no register "+f.Kind)
		case err != nil || hex.EncodeToString(sum[:]) != f.SHA256:
			fault.Message = bilingual.Say("ファイルがないか、目録と一致しない。書き出したものをそのまま指定する。", "the file is missing or not what the contents say; name the archive as it was exported")
		default:
			sheet, err := table.Read(bytes.NewReader(b), f.File, k)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", f.File, err)
			}
			parts = append(parts, part{k, sheet, f.Retired, f.File})
			continue
		}
		wrong = append(wrong, fault)
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return parts, nil
}

func unpacked(z *zip.Reader, name string, most int64) ([]byte, error) {
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name && !strings.Contains(name, "/") })
	if i < 0 {
		return nil, fmt.Errorf("no file %q", name)
	}
	r, err := z.File[i].Open()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err = errors.Join(err, r.Close()); err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return b, err
}

// Told is Taken for a command: with the faults for which nothing was taken.
type Told struct {
	Taken
	Faults []bilingual.Text
}

// Tell takes an archive that a command brings.
func (x *Exchange) Tell(ctx context.Context, who actor.Actor, r io.Reader, name, note string, at time.Time) (Told, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxArchive+1))
	if err != nil {
		return Told{}, fmt.Errorf("read archive: %w", err)
	}
	taken, err := x.TakeArchive(ctx, who, File{name, data}, note, at, nil)
	told := Told{Taken: taken}
	var wrong Wrong
	if errors.As(err, &wrong) {
		for _, f := range wrong {
			told.Faults = append(told.Faults, f.Text())
		}
		err = nil
	}
	return told, err
}
