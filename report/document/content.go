package document

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/report/document/ground"
	"kakusho/report/figure"
)

// ErrClosed means that a document is made of a register that is not for its reader.
var ErrClosed = errors.New("a register of this document is not for the reader's duties")

// ErrScope means that a document cannot be of what was asked for.
var ErrScope = errors.New("no such system or unit, or not one that this document can be of")

// Scope is what a document is of: a system, a unit, or everything.
type Scope struct{ System, Unit string }

// Content is a document at an instant, as one reader may see it.
type Content struct {
	Document Document
	Scope    Scope
	Of       string    // name of the scope; empty: everything
	At       time.Time // how things stood
	Known    time.Time // by what was recorded
	Version  string    // of the registered version, if there is one
	Seal     string    // characters of the trail's checkpoint; of the present alone
	Tables   []Table
	Figure   *figure.Figure
	Digest   string // of the content, in hexadecimal
	Partial  bool   // a column is not for the reader's duties: the digest is not that of the document
}

// members are the subjects of the scope of a standing.
func (m *maker) members() []*posture.Subject { return m.Ground.(ground.Standing).Of }

// Table is one part: fields, and rows with their values. A value that is text where its
// field wants another type says why there is none.
type Table struct {
	Title  bilingual.Text
	Fields []kind.Field
	Rows   []map[string]any
}

// Rows is how many rows it has in all.
func (c *Content) Rows() (n int) {
	for _, t := range c.Tables {
		n += len(t.Rows)
	}
	return n
}

// maker makes one content.
type maker struct {
	*posture.Standing // nil while documents are judged
	ground.Ground
	terms   *posture.Terms
	at      time.Time
	who     *actor.Actor // nil: nobody in particular, everything is read
	kinds   kind.Set
	scope   Scope
	partial bool
}

// Make makes the content of a document over a scope from a standing. who is whom the
// standing is for.
func (d Document) Make(st *posture.Standing, who actor.Actor, scope Scope) (*Content, error) {
	m := maker{Standing: st, terms: st.Terms(), at: st.At, who: &who, kinds: st.Terms().Kinds(), scope: scope}
	c := &Content{At: st.At, Known: st.At}
	var err error
	if c.Of, err = m.gather(d); err != nil {
		return nil, fmt.Errorf("document %s: %w", d.ID, err)
	}
	if err := m.make(c, d); err != nil {
		return nil, fmt.Errorf("document %s: %w", d.ID, err)
	}
	if d.Figure != "" {
		c.Figure = figures[d.Figure](&m, d.Title)
	}
	return c, nil
}

// make makes everything that the digest is of.
func (m *maker) make(c *Content, d Document) (err error) {
	c.Document, c.Scope = d, m.scope
	for _, p := range d.Parts {
		t, err := m.table(p)
		if err != nil {
			return err
		}
		c.Tables = append(c.Tables, t)
	}
	c.Partial = m.partial
	c.Digest, err = c.digest()
	return err
}

// gather finds what belongs to the scope, and the scope's name.
func (m *maker) gather(d Document) (name string, err error) {
	g := ground.Standing{Standing: m.Standing}
	defer func() { m.Ground = g }()
	switch {
	case m.scope.System != "":
		sys, ok := m.Named("system/" + m.scope.System)
		if !ok || m.scope.Unit != "" {
			return "", ErrScope
		}
		g.Of = m.Members(m.scope.System)
		return sys.Name, nil
	case d.Over == OneSystem:
		return "", ErrScope
	case m.scope.Unit != "":
		unit, ok := m.Named("unit/" + m.scope.Unit)
		if !ok {
			return "", ErrScope
		}
		below := m.below(m.scope.Unit)
		for _, s := range m.Subjects() {
			if below[m.Place(s.Ref).Unit] {
				g.Of = append(g.Of, s)
			}
		}
		return unit.Name, nil
	}
	g.Of = m.Subjects()
	return "", nil
}

// below are a unit and all units under it.
func (m *maker) below(unit string) map[string]bool {
	in := map[string]bool{unit: true}
	for grew := true; grew; {
		grew = false
		for _, u := range m.OfKind("unit") {
			parent, _ := u.Declared()["parent"].Fact.Value.(string)
			if in[parent] && !in[u.Ref.ID()] {
				in[u.Ref.ID()], grew = true, true
			}
		}
	}
	return in
}

func (m *maker) table(p Part) (t Table, err error) {
	if p.Source != "" {
		s := sources[p.Source]
		if s.see != "" && !m.may(s.see) {
			return t, ErrClosed
		}
		return Table{p.Title, s.fields, s.rows(m)}, nil
	}
	k := m.kinds[p.Kind]
	if !m.may(p.Kind) {
		return t, ErrClosed
	}
	if t.Title = p.Title; t.Title.JA == "" {
		t.Title = k.Label
	}
	shown := p
	shown.Columns = nil
	for _, c := range p.Columns {
		f, _ := p.field(k, c)
		if m.who != nil && !f.MayRead(*m.who) {
			m.partial = true
			continue
		}
		shown.Columns = append(shown.Columns, c)
		f.Name, f.Layers, f.Required, f.Group, f.Derive = c, nil, false, "", ""
		if f.Type == kind.Ref {
			f.Type = kind.String
		}
		t.Fields = append(t.Fields, f)
	}
	for _, s := range m.entries(p) {
		t.Rows = append(t.Rows, m.rows(shown, k, s)...)
	}
	switch {
	case p.Count:
		t.count()
	case p.Pairs:
		t.pairs()
	}
	return t, nil
}

// may reports whether the reader may read a register.
func (m *maker) may(kindID string) bool { return m.who == nil || m.kinds[kindID].MayRead(*m.who) }

// entries are those of a part's kind, in order of their key.
func (m *maker) entries(p Part) (out []ground.Subject) {
	all := m.In(p.Kind)
	var refs map[string]bool
	if len(p.Through) > 0 && m.scope != (Scope{}) {
		refs = m.referred(p.Through)
		all = m.Every(p.Kind)
	}
	for _, s := range all {
		if refs != nil && !refs[s.Ref().ID()] || !p.takes(s) {
			continue
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b ground.Subject) int { return cmp.Compare(a.Ref(), b.Ref()) })
	return out
}

func (m *maker) referred(through []string) map[string]bool {
	refs := map[string]bool{}
	for _, t := range through {
		from, name, _ := strings.Cut(t, ".")
		for _, s := range m.In(from) {
			if c, ok := s.Fact(name); ok {
				id, _ := c.Fact.Value.(string)
				refs[id] = true
			}
		}
	}
	return refs
}

func (p Part) takes(s ground.Subject) bool {
	for name, values := range p.Where {
		if !has(s, name, values) {
			return false
		}
	}
	for name, values := range p.Except {
		if has(s, name, values) {
			return false
		}
	}
	return true
}

func has(s ground.Subject, name string, values []string) bool {
	c, _ := s.Fact(name)
	f, _ := s.Of().Field(name)
	return slices.ContainsFunc(values, func(v string) bool {
		want, err := f.Parse(v)
		return err == nil && want == c.Fact.Value
	})
}

// Words of a cell that holds no value.
var (
	unseen   = bilingual.Say("（未取得）", "(not seen)")
	elements = 200 // of a list in one cell; more are counted
)

func (m *maker) rows(p Part, k kind.Kind, s ground.Subject) []map[string]any {
	row := map[string]any{}
	for _, c := range p.Columns {
		if !strings.HasPrefix(c, ".") {
			row[c] = m.value(k, c, s)
		}
	}
	if p.Each == "" {
		return []map[string]any{row}
	}
	list, _ := s.Fact(p.Each)
	records, _ := list.Fact.Value.([]any)
	var out []map[string]any
	for _, e := range records {
		record, _ := e.(map[string]any)
		if is, _ := record[p.Only].(bool); p.Only != "" && !is {
			continue
		}
		r := map[string]any{}
		for _, c := range p.Columns {
			if name, of := strings.CutPrefix(c, "."); of {
				r[c] = record[name]
			} else {
				r[c] = row[c]
			}
		}
		out = append(out, r)
	}
	return out
}

// value is a cell as a document holds it: a reference by name and number, and of what
// should have been seen but was not, that it was not.
func (m *maker) value(k kind.Kind, name string, s ground.Subject) any {
	f, _ := k.Field(name)
	c, ok := s.Fact(name)
	if f.In(kind.Observed) && f.In(kind.Declared) {
		return both(f, c, s)
	}
	switch {
	case !ok && f.In(kind.Observed) && !f.In(kind.Declared):
		return absent{}
	case !ok || c.Fact.Status == fact.Absent:
		return nil
	case c.Fact.Status != fact.Observed && c.Fact.Status != fact.Truncated:
		return absent{}
	}
	if id, is := c.Fact.Value.(string); is && f.Type == kind.Ref {
		return m.named(f.To, id)
	}
	if list, is := c.Fact.Value.([]any); is && len(list) > elements {
		return append(slices.Clone(list[:elements]), fmt.Sprintf("… +%d", len(list)-elements))
	}
	return c.Fact.Value
}

// both is a field that is declared and observed: what was seen, and beside it what is
// declared, when that is something else; what is declared, when nothing was seen.
func both(f kind.Field, seen posture.Cell, s ground.Subject) any {
	said, declared := s.Declared(f.Name)
	declared = declared && said.Fact.Status == fact.Observed
	switch saw := seen.Fact.Status == fact.Observed; {
	case !saw && !declared:
		return nil
	case !saw:
		return said.Fact.Value
	case declared && fact.Digest(said.Fact.Value) != fact.Digest(seen.Fact.Value):
		return unlike{f, seen.Fact.Value, said.Fact.Value}
	}
	return seen.Fact.Value
}

// unlike is a value that was seen otherwise than it is declared.
type unlike struct {
	field      kind.Field
	seen, said any
}

// aside is what the judge says beside what a register holds. The digest is of the
// register's alone: what follows by itself is not to be registered again.
type aside struct{ shown, held bilingual.Text }

// absent is a value that nobody saw.
type absent struct{}

// named is a reference with its name, unless the name is personal or not for everybody.
func (m *maker) named(kindID, id string) string {
	k := m.kinds[kindID]
	f, _ := k.Field(k.Name)
	s, ok := m.One(kindID, id)
	if !ok || f.Personal || len(k.See) > 0 || s.Name() == id || s.Name() == "" {
		return id
	}
	return s.Name() + "（" + id + "）"
}

// countField is how many equal rows there are.
var countField = kind.Field{Name: "count", Type: kind.Int, Label: bilingual.Say("数", "Count")}

// count leaves equal rows once.
func (t *Table) count() {
	at := map[string]int{}
	var out []map[string]any
	var texts []string
	for _, r := range t.Rows {
		text := strings.Join(t.text(r, bilingual.EN), "\x00")
		i, had := at[text]
		if !had {
			i = len(out)
			at[text] = i
			r[countField.Name] = int64(0)
			out, texts = append(out, r), append(texts, text)
		}
		out[i][countField.Name] = out[i][countField.Name].(int64) + 1
	}
	order := make([]int, len(out))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(texts[a], texts[b]) })
	t.Rows = nil
	for _, i := range order {
		t.Rows = append(t.Rows, out[i])
	}
	t.Fields = append(t.Fields, countField)
}

// pairFields are those of an entry that is told line by line.
var pairFields = []kind.Field{
	{Name: "item", Type: kind.String, Label: bilingual.Say("項目", "Item")},
	{Name: "content", Type: kind.Text, Label: bilingual.Say("内容", "Content")},
}

// pairs tells entries line by line.
func (t *Table) pairs() {
	var out []map[string]any
	for _, r := range t.Rows {
		for _, f := range t.Fields {
			out = append(out, map[string]any{"item": f.Label, "content": told{f, r[f.Name]}})
		}
	}
	t.Fields, t.Rows = pairFields, out
}

// told is a value with the field that formats it.
type told struct {
	field kind.Field
	value any
}

// Cell is a value of a row in words.
func (t Table) Cell(row map[string]any, f kind.Field, l bilingual.Lang) string {
	return words(f, row[f.Name], l)
}

func words(f kind.Field, v any, l bilingual.Lang) string {
	switch x := v.(type) {
	case absent:
		return unseen.In(l)
	case bilingual.Text:
		return x.In(l)
	case aside:
		return x.shown.In(l)
	case told:
		return words(x.field, x.value, l)
	case unlike:
		return words(x.field, x.seen, l) + bilingual.Say("（台帳では", " (entered as ").In(l) + words(x.field, x.said, l) + bilingual.Say("）", ")").In(l)
	case time.Time:
		if f.Type == kind.Time {
			return f.Format(x.Truncate(time.Second), l)
		}
	}
	return f.Format(v, l)
}

func (t Table) text(row map[string]any, l bilingual.Lang) []string {
	out := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		out[i] = t.Cell(row, f, l)
	}
	return out
}

// digest is of everything that is told: what of, the columns, and every cell.
func (c *Content) digest() (string, error) {
	type table struct {
		Columns []string
		Rows    [][]string
	}
	all := struct {
		Document, System, Unit string
		Tables                 []table
	}{Document: c.Document.ID, System: c.Scope.System, Unit: c.Scope.Unit}
	for _, t := range c.Tables {
		x := table{}
		for _, f := range t.Fields {
			x.Columns = append(x.Columns, f.Name)
		}
		for _, r := range t.Rows {
			row := t.text(r, bilingual.EN)
			for i, f := range t.Fields {
				if a, is := r[f.Name].(aside); is {
					row[i] = a.held.EN
				}
			}
			x.Rows = append(x.Rows, row)
		}
		all.Tables = append(all.Tables, x)
	}
	b, err := json.Marshal(all)
	if err != nil {
		return "", fmt.Errorf("digest of document %s: %w", c.Document.ID, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
