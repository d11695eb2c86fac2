package document

import (
	"strings"

	"kakusho/bilingual"
)

// Difference is what is otherwise in one table.
type Difference struct {
	Title   bilingual.Text
	Columns []bilingual.Text
	Gone    [][]string // rows that were there
	New     [][]string // rows that are there now
}

// Since are the tables of c in which something is otherwise than in then, with the rows
// that are. A row that changed is one that is gone and one that is new.
func (c *Content) Since(then *Content, l bilingual.Lang) (out []Difference) {
	for i, t := range c.Tables {
		old := Table{}
		if i < len(then.Tables) {
			old = then.Tables[i]
		}
		d := Difference{Title: t.Title, Gone: old.without(t, l), New: t.without(old, l)}
		for _, f := range t.Fields {
			d.Columns = append(d.Columns, f.Label)
		}
		if len(d.Gone)+len(d.New) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// without are the rows of t that o does not have, as often as it does not have them.
func (t Table) without(o Table, l bilingual.Lang) (out [][]string) {
	n := map[string]int{}
	for _, r := range o.Rows {
		n[strings.Join(o.text(r, l), "\x00")]++
	}
	for _, r := range t.Rows {
		row := t.text(r, l)
		if key := strings.Join(row, "\x00"); n[key] > 0 {
			n[key]--
		} else {
			out = append(out, row)
		}
	}
	return out
}
