package document

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/report/paper"
)

// Format is a form of a document as a file.
type Format string

// The formats.
const (
	PDF  Format = "pdf"
	XLSX Format = "xlsx"
	CSV  Format = "csv"
)

// Type is the format's media type; empty: there is no such format.
func (f Format) Type() string {
	switch f {
	case PDF:
		return "application/pdf"
	case XLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case CSV:
		return "text/csv; charset=utf-8"
	}
	return ""
}

// MostPrinted is how many rows are written on paper. Longer ones are for a spreadsheet.
const MostPrinted = 20_000

// Write writes the content. The same content gives the same bytes.
func (c *Content) Write(w io.Writer, f Format, l bilingual.Lang) error {
	switch f {
	case PDF:
		return c.paper(l).Write(w)
	case XLSX:
		var parts []table.Part
		for _, t := range c.Tables {
			parts = append(parts, t.plain(c.Document.ID, l))
		}
		return table.WriteBook(w, parts, c.Head(l), l)
	case CSV:
		return c.csv(w, l)
	}
	return fmt.Errorf("document %s: no format %q", c.Document.ID, f)
}

// csv writes the tables one after the other, each under its title when there are
// several.
func (c *Content) csv(w io.Writer, l bilingual.Lang) error {
	for i, t := range c.Tables {
		p := t.plain(c.Document.ID, l)
		var b bytes.Buffer
		if err := table.Write(&b, table.CSV, p.Kind, l, p.Rows, table.Options{NoMark: true}); err != nil {
			return err
		}
		lead := "\uFEFF"
		if i > 0 {
			lead = "\r\n"
		}
		if len(c.Tables) > 1 {
			lead += t.Title.In(l) + "\r\n"
		}
		if _, err := io.WriteString(w, lead+b.String()); err != nil {
			return err
		}
	}
	return nil
}

// plain is the table as package table writes it: what is not of its field's type is
// text.
func (t Table) plain(id string, l bilingual.Lang) table.Part {
	p := table.Part{Kind: kind.Kind{ID: id, Label: t.Title, Fields: t.Fields}}
	for _, r := range t.Rows {
		row := map[string]any{}
		for _, f := range t.Fields {
			switch x := r[f.Name].(type) {
			case absent, aside, bilingual.Text, told, unlike:
				row[f.Name] = words(f, x, l)
			case time.Time:
				row[f.Name] = x.Truncate(time.Second)
			case nil:
			default:
				row[f.Name] = x
			}
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}

// Moment is an instant as papers bear it: ISO, and in Japanese the day with its era.
func Moment(t time.Time, l bilingual.Lang) string {
	s := t.In(calendar.Tokyo()).Format("2006-01-02 15:04:05") + " JST"
	if l == bilingual.JA {
		s += "（" + calendar.Wareki(t) + "）"
	}
	return s
}

// Characters are the digest in groups that a person can compare.
func (c *Content) Characters() string {
	var groups []string
	for i := 0; i+4 <= len(c.Digest); i += 4 {
		groups = append(groups, c.Digest[i:i+4])
	}
	return strings.Join(groups, " ")
}

// Head is what stands at the head of the document, item by item.
func (c *Content) Head(l bilingual.Lang) (out [][2]string) {
	add := func(ja, en, value string) {
		if value != "" {
			out = append(out, [2]string{bilingual.Say(ja, en).In(l), value})
		}
	}
	title := c.Document.Title.In(l)
	add("標題", "Title", title)
	switch {
	case c.Scope.System != "":
		add("システム", "System", c.Of+"（"+c.Scope.System+"）")
	case c.Scope.Unit != "":
		add("所属", "Unit", c.Of+"（"+c.Scope.Unit+"）")
	default:
		add("範囲", "Scope", bilingual.Say("全て", "Everything").In(l))
	}
	add("基準日時", "As of", Moment(c.At, l))
	if !c.Known.Equal(c.At) {
		known := bilingual.Say("全て（後から届いたものを含む）", "everything, late evidence included").In(l)
		if !c.Known.IsZero() {
			known = Moment(c.Known, l)
		}
		add("記録の時点", "By what was recorded until", known)
	}
	version := c.Version
	if version == "" {
		version = bilingual.Say("登録前（写し）", "not registered (copy)").In(l)
	}
	add("版", "Version", version)
	add("内容のハッシュ値（SHA-256）", "SHA-256 of the content", c.Characters())
	add("証跡の検査符号", "Checkpoint of the trail", c.Seal)
	return out
}

func (c *Content) paper(l bilingual.Lang) *paper.Paper {
	p := &paper.Paper{Title: c.Document.Title.In(l), Lang: string(l), Lying: !c.Document.Upright, Subject: c.Digest,
		Foot: "SHA-256 " + c.Characters()[:19], Lost: bilingual.Say("この書体で印字できない文字（〓） ", "Characters this font cannot draw (〓) ").In(l)}
	for _, h := range c.Head(l)[1:] {
		p.Notes = append(p.Notes, h[0]+bilingual.Say("：", ": ").In(l)+h[1])
	}
	if c.Document.Seals {
		p.Seals = []string{bilingual.Say("決裁", "Approved").In(l), bilingual.Say("審査", "Reviewed").In(l), bilingual.Say("作成", "Made").In(l)}
	}
	left := MostPrinted
	for i, t := range c.Tables {
		part := paper.Part{Heading: t.Title.In(l), Empty: bilingual.Say("該当なし", "None").In(l)}
		if i == 0 {
			part.Figure = c.Figure
		}
		for _, f := range t.Fields {
			part.Head = append(part.Head, f.Label.In(l))
		}
		for _, r := range t.Rows[:min(left, len(t.Rows))] {
			part.Rows = append(part.Rows, t.text(r, l))
		}
		if cut := len(t.Rows) - len(part.Rows); cut > 0 {
			part.Lines = append(part.Lines, bilingual.Say(fmt.Sprintf("%d行のうち%d行を印字する。残りは表計算の形式による。", len(t.Rows), len(part.Rows)),
				fmt.Sprintf("%d of %d rows are printed; the rest is in the spreadsheet.", len(part.Rows), len(t.Rows))).In(l))
		}
		left -= len(part.Rows)
		p.Parts = append(p.Parts, part)
	}
	return p
}
