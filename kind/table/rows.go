package table

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"kakusho/bilingual"
	"kakusho/kind"
)

// builder makes a Sheet out of rows of cells.
type builder struct {
	kind    kind.Kind
	mapped  func([]Head) Mapping
	mapping Mapping
	epoch   time.Time // from which a workbook counts its days
	sheet   Sheet
	columns []column
	seen    map[string]int // key of an entry → its line
	foreign map[string]int // field and text → place in sheet.Foreign
	said    int            // faults reported
	bytes   int            // content read
}

// column is one column of the file; field is nil when it is none of the kind's.
type column struct {
	header string
	field  *kind.Field
	left   bool // the mapping leaves it out
}

func (b *builder) fault(to *[]Fault, f Fault) {
	if b.said >= MaxFaults {
		b.sheet.Unsaid++
		if len(*to) == 0 {
			// A row with faults is never without one, or it would look applicable.
			*to = append(*to, f)
		}
		return
	}
	b.said++
	*to = append(*to, f)
}

func (b *builder) file(line int, ja, en string, a ...any) {
	b.fault(&b.sheet.Faults, Fault{Line: line, Message: say(ja, en, a...)})
}

// run finds the headings among the first rows and reads the entries below them, until
// the file or a limit ends.
func (b *builder) run(rows source) {
	var held []cells // until the headings are found among them
	var broken *Fault
	rows(func(c cells, f *Fault) bool {
		for _, s := range c.texts {
			b.bytes += len(s)
		}
		switch {
		case f != nil:
			broken = f
			return false
		case b.bytes > MaxContent:
			b.file(c.line, "内容が大き過ぎる（上限%dMiB）。これより後の行は読んでいない。", "more than %d MiB of content; rows from here on were not read", MaxContent>>20)
			return false
		case blank(c.texts):
			return true
		case b.columns != nil:
			return b.take(c)
		}
		held = append(held, c)
		return len(held) < headWithin || b.begin(held)
	})
	if b.columns == nil && len(held) > 0 {
		b.begin(held)
	}
	switch {
	case broken != nil:
		b.fault(&b.sheet.Faults, *broken)
	case b.columns == nil && len(b.sheet.Faults) == 0:
		b.file(0, "見出し行がない。1行目に項目名を入れる。", "there is no header row; put the field names in the first row")
	}
}

// begin reads the rows held back; what stands above the headings is no entry.
func (b *builder) begin(held []cells) bool {
	at := headAt(b.kind, held)
	if !b.heads(held[at]) {
		return false
	}
	for _, c := range held[at+1:] {
		if !b.take(c) {
			return false
		}
	}
	return true
}

// take reads an entry, and says whether another may come.
func (b *builder) take(c cells) bool {
	if len(b.sheet.Rows) >= MaxRows {
		b.file(c.line, "%s行を超えている。これより後の行は読んでいない。分割する。", "more than %s rows; rows from here on were not read. Split the file", count(MaxRows))
		return false
	}
	b.sheet.Rows = append(b.sheet.Rows, b.row(c))
	return true
}

func blank(texts []string) bool {
	return !slices.ContainsFunc(texts, func(s string) bool { return strings.TrimSpace(s) != "" })
}

// likeness makes headers comparable however they were typed.
func likeness(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFKC.String(s)), " "))
}

// find is the field that a heading names, or nil.
func find(k kind.Kind, heading string) *kind.Field {
	word := likeness(heading)
	for i, f := range k.Fields {
		if word == f.Name || word == likeness(f.Label.JA) || word == likeness(f.Label.EN) {
			return &k.Fields[i]
		}
	}
	return nil
}

// heads matches the header row with the fields; a file without usable columns
// is not read further.
func (b *builder) heads(c cells) bool {
	b.sheet.Line = c.line
	b.columns = []column{}
	texts := c.texts
	for len(texts) > 0 && strings.TrimSpace(texts[len(texts)-1]) == "" {
		texts = texts[:len(texts)-1]
	}
	if len(texts) > MaxColumns {
		b.file(c.line, "列が多過ぎる（上限%d列）。", "more than %d columns", MaxColumns)
		return false
	}
	b.sheet.Heads = headsOf(b.kind, texts)
	b.mapping = b.mapped(b.sheet.Heads)
	at := map[string]int{}
	b.sheet.Columns = at
	for i, h := range b.sheet.Heads {
		b.columns = append(b.columns, b.head(i, h, at))
	}
	for _, f := range b.kind.Layer(kind.Declared) {
		if _, ok := at[f.Name]; f.Required && !ok {
			b.fault(&b.sheet.Faults, Fault{Line: c.line, Field: f.Name, Message: say(
				"必須の列「%[1]s」がない。見出しを「%[1]s」又は「%[3]s」とした列を加える。",
				"the required column %[2]q is missing; add it, headed %[2]q or %[3]q", f.Label.JA, f.Label.EN, f.Name)})
		}
	}
	return len(b.sheet.Fields) > 0
}

func (b *builder) head(i int, h Head, at map[string]int) column {
	name, mapped := b.mapping.Columns[h.Key]
	if !mapped {
		name = h.Field
	}
	wrong := func(m bilingual.Text) {
		b.fault(&b.sheet.Faults, Fault{Line: b.sheet.Line, Column: i + 1, Header: h.Text, Message: m})
	}
	f, known := b.kind.Field(name)
	switch {
	case name == Leave:
		return column{header: h.Text, left: true}
	case name == "" && h.Text == "":
		return column{}
	case !known:
		wrong(say("%[1]sにこの項目はない。見出しを直すか、列を削除する。又は取込みの画面で列の対応を選ぶ。", "%[2]s has no such field; correct the header or remove the column, or match it on the page of the import", b.kind.Label.JA, b.kind.Label.EN))
	case !f.In(kind.Declared):
		wrong(say("収集又は導出される項目のため取り込めない。列を削除する。", "collected or derived, not entered; remove the column"))
	case at[f.Name] > 0:
		wrong(say("%s列と同じ項目である。一方を削除する。", "the same field as column %s; remove one", Letters(at[f.Name])))
	default:
		at[f.Name] = i + 1
		b.sheet.Fields = append(b.sheet.Fields, f)
		return column{header: h.Text, field: &f}
	}
	return column{header: h.Text}
}

// excerpt is the beginning of a cell without anything unprintable.
func excerpt(s string) string {
	const most = 40
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return '�'
		}
		return r
	}, firstRunes(strings.TrimSpace(s), most+1))
	if utf8.RuneCountInString(s) > most {
		s = firstRunes(s, most) + "…"
	}
	return s
}

// firstRunes never walks more than it returns.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// row reads one entry. Its values are checked one by one, then as an entry.
func (b *builder) row(c cells) Row {
	row := Row{Line: c.line, Values: map[string]any{}}
	place := map[string]int{} // field → column
	bad := map[string]bool{}  // fields that already have a fault
	for i, text := range c.texts {
		var col column
		if i < len(b.columns) {
			col = b.columns[i]
		}
		fault := Fault{Line: c.line, Column: i + 1, Header: col.header}
		if col.field == nil {
			if col.header == "" && !col.left && strings.TrimSpace(text) != "" {
				fault.Message = say("見出しのない列に値がある。見出しを付けるか、値を消す。", "a value in a column without a header; head the column or clear the cell")
				b.fault(&row.Faults, fault)
			}
			continue
		}
		fault.Field = col.field.Name
		place[col.field.Name] = i + 1
		v, message := b.cell(*col.field, b.convert(*col.field, text), c.line)
		if message != nil {
			fault.Message = *message
			bad[col.field.Name] = true
			b.fault(&row.Faults, fault)
		} else if v != nil {
			row.Values[col.field.Name] = v
		}
	}
	b.entry(&row, place, bad)
	return row
}

// Values that a spreadsheet writes where a formula went wrong.
var errorValues = []string{"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}

func (b *builder) cell(f kind.Field, text string, line int) (any, *bilingual.Text) {
	if len(text) > MaxCell && utf8.RuneCountInString(text) > MaxCell {
		m := say("セルが長過ぎる（上限%s文字）。短くする。", "longer than %s characters; shorten it", count(MaxCell))
		return nil, &m
	}
	if slices.Contains(errorValues, strings.TrimSpace(text)) {
		m := say("表計算の誤り値である。値を入れ直す。", "a spreadsheet error value; enter the value itself")
		return nil, &m
	}
	if f.Type == kind.Enum && b.mapping.Values != nil {
		if to, ok := b.mapping.Values[f.Name][likeness(text)]; ok {
			text = to
		}
	}
	v, err := f.Parse(text)
	if err != nil {
		b.strange(f, text, line)
		fault := kind.AsFault(f, err)
		if fault.Field != f.Name { // inside a list: say which element
			fault.Message = bilingual.Say(fault.Text().JA, fault.Text().EN)
		}
		return nil, &fault.Message
	}
	return v, nil
}

// strange notes a text that is none of a field's choices.
func (b *builder) strange(f kind.Field, text string, line int) {
	if f.Type != kind.Enum {
		return
	}
	key := f.Name + "\x00" + likeness(text)
	i, known := b.foreign[key]
	switch {
	case known:
		b.sheet.Foreign[i].Count++
	case len(b.sheet.Foreign) < MaxForeign && utf8.RuneCountInString(text) <= 100:
		b.foreign[key] = len(b.sheet.Foreign)
		b.sheet.Foreign = append(b.sheet.Foreign, Foreign{f, text, 1, line})
	}
}

// entry checks what only shows in the entry as a whole: required fields, a
// period the wrong way round, a key that came before.
func (b *builder) entry(row *Row, place map[string]int, bad map[string]bool) {
	values, faults := b.kind.Check(row.Values)
	for _, f := range faults {
		if bad[f.Field] || !slices.ContainsFunc(b.sheet.Fields, func(x kind.Field) bool { return x.Name == f.Field }) {
			continue // said already, in the cell or in the header
		}
		col := place[f.Field]
		if col == 0 { // a row shorter than the header
			col = 1 + slices.IndexFunc(b.columns, func(c column) bool { return c.field != nil && c.field.Name == f.Field })
		}
		b.fault(&row.Faults, Fault{Line: row.Line, Column: col, Header: b.columns[col-1].header, Field: f.Field, Message: f.Message})
	}
	row.Values = values
	key, _ := values[b.kind.Key].(string)
	if key == "" {
		return
	}
	if line, twice := b.seen[key]; twice {
		col := place[b.kind.Key]
		b.fault(&row.Faults, Fault{Line: row.Line, Column: col, Header: b.columns[col-1].header, Field: b.kind.Key, Message: say(
			"「%[2]s」は%[1]d行と重複している。一方を削除するか、番号を直す。", "%[2]q is also in row %[1]d; remove one or correct the number", line, excerpt(key))})
		return
	}
	b.seen[key] = row.Line
}
