package table

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/kind"
)

// A cell of a workbook holds so many UTF-16 units.
const maxBookCell = 32_767

// book writes one kind into one workbook.
type book struct {
	file    *excelize.File
	sheet   string
	fields  []kind.Field
	lang    bilingual.Lang
	head    int // styles
	date    int
	instant int
	text    int
	wrapped int
}

// sheetName is a name that a workbook accepts for a sheet.
func sheetName(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]'`, r) {
			return '・'
		}
		return r
	}, s)
	return firstRunes(s, 31)
}

func writeXLSX(w io.Writer, k kind.Kind, fields []kind.Field, l bilingual.Lang, rows []map[string]any) error {
	return writeBook(w, sheetName(k.Label.In(l)), l, func(b *book) error {
		b.fields = fields
		for _, step := range []func() error{
			b.paper,
			func() error { return b.dropdowns(len(rows)) },
			func() error { return b.rows(rows) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeBook makes a workbook with one sheet, has it filled, and writes it.
func writeBook(w io.Writer, sheet string, l bilingual.Lang, fill func(b *book) error) (err error) {
	b := &book{file: excelize.NewFile(), sheet: sheet, lang: l}
	defer func() {
		if cerr := b.file.Close(); err == nil {
			err = cerr
		}
	}()
	if err := b.file.SetSheetName("Sheet1", b.sheet); err != nil {
		return err
	}
	if err := b.styles(); err != nil {
		return err
	}
	if err := fill(b); err != nil {
		return err
	}
	var buf bytes.Buffer
	if _, err := b.file.WriteTo(&buf); err != nil {
		return err
	}
	return inOrder(w, buf.Bytes())
}

// inOrder writes a workbook with its parts in order of their names, so that the same
// content gives the same bytes: the library writes sheets as a map gives them.
func inOrder(w io.Writer, book []byte) error {
	z, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		return err
	}
	slices.SortFunc(z.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) }) // [Content_Types].xml is the first
	out := zip.NewWriter(w)
	for _, f := range z.File {
		if err := out.Copy(f); err != nil {
			return err
		}
	}
	return out.Close()
}

// Part is one table of a book to read: a kind of what it holds, and the rows.
type Part struct {
	Kind kind.Kind
	Rows []map[string]any
}

// WriteBook writes a workbook to read and to print: a first sheet with what stands at
// the head, item by item, and one for each part. Nothing in it is computed.
func WriteBook(w io.Writer, parts []Part, head [][2]string, l bilingual.Lang) error {
	names := map[string]bool{}
	err := writeBook(w, unused(bilingual.Say("表紙", "Front").In(l), names), l, func(b *book) error {
		if err := b.front(head); err != nil {
			return err
		}
		if err := b.paper(); err != nil {
			return err
		}
		for _, p := range parts {
			b.sheet, b.fields = unused(p.Kind.Label.In(l), names), fieldsOf(p.Kind, Options{})
			if _, err := b.file.NewSheet(b.sheet); err != nil {
				return err
			}
			if err := b.paper(); err != nil {
				return err
			}
			if err := b.rows(p.Rows); err != nil {
				return fmt.Errorf("sheet %s: %w", b.sheet, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write book: %w", err)
	}
	return nil
}

// unused is a sheet's name that no other has.
func unused(label string, names map[string]bool) string {
	name := sheetName(label)
	for n := 2; names[strings.ToLower(name)]; n++ {
		name = firstRunes(sheetName(label), 27) + fmt.Sprintf(" %d", n)
	}
	names[strings.ToLower(name)] = true
	return name
}

func (b *book) front(head [][2]string) error {
	if err := b.file.SetColWidth(b.sheet, "A", "A", 28); err != nil {
		return err
	}
	if err := b.file.SetColWidth(b.sheet, "B", "B", 90); err != nil {
		return err
	}
	for i, h := range head {
		for column, text := range []string{h[0], h[1]} {
			cell, style := fmt.Sprintf("%s%d", Letters(column+1), i+1), b.head
			if column == 1 {
				style = b.wrapped
			}
			if err := b.file.SetCellStr(b.sheet, cell, text); err != nil {
				return err
			}
			if err := b.file.SetCellStyle(b.sheet, cell, cell, style); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *book) styles() error {
	day := `[$-411]ggge"年"m"月"d"日"`
	if b.lang == bilingual.EN {
		day = "yyyy-mm-dd"
	}
	instant := "yyyy-mm-dd hh:mm:ss"
	top := &excelize.Alignment{Vertical: "top"}
	lines := &excelize.Alignment{Vertical: "top", WrapText: true}
	for _, s := range []struct {
		id    *int
		style excelize.Style
	}{
		{&b.head, excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E6E6E6"}}, Alignment: lines}},
		{&b.date, excelize.Style{CustomNumFmt: &day, Alignment: top}},
		{&b.instant, excelize.Style{CustomNumFmt: &instant, Alignment: top}},
		{&b.text, excelize.Style{NumFmt: 49, Alignment: top}}, // text, so that 0012 stays 0012
		{&b.wrapped, excelize.Style{NumFmt: 49, Alignment: lines}},
	} {
		id, err := b.file.NewStyle(&s.style)
		if err != nil {
			return err
		}
		*s.id = id
	}
	return nil
}

// paper sets the sheet up for A4, lying, as wide as the page, its header row on
// every page.
func (b *book) paper() error {
	a4, landscape, one, any, fit := 9, "landscape", 1, 0, true
	if err := b.file.SetSheetProps(b.sheet, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil { // without it nothing heeds the width
		return err
	}
	if err := b.file.SetPageLayout(b.sheet, &excelize.PageLayoutOptions{Size: &a4, Orientation: &landscape, FitToWidth: &one, FitToHeight: &any}); err != nil {
		return err
	}
	if err := b.file.SetHeaderFooter(b.sheet, &excelize.HeaderFooterOptions{OddHeader: "&L&A", OddFooter: "&C&P / &N"}); err != nil {
		return err
	}
	return b.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + b.sheet + "'!$1:$1", Scope: b.sheet})
}

// dropdowns lets a choice be picked. The choices lie on a hidden sheet: written
// into the rule itself they could not be longer than 255 characters.
func (b *book) dropdowns(rows int) error {
	const list = "_choices"
	if _, err := b.file.NewSheet(list); err != nil {
		return err
	}
	for i, f := range b.fields {
		words := choices(f, b.lang)
		if len(words) == 0 {
			continue
		}
		col := Letters(i + 1)
		if err := b.file.SetSheetCol(list, col+"1", &words); err != nil {
			return err
		}
		rule := excelize.NewDataValidation(!f.Required)
		rule.Sqref = fmt.Sprintf("%s2:%s%d", col, col, max(rows, 1000)+1)
		rule.SetSqrefDropList(fmt.Sprintf("%s!$%s$1:$%s$%d", list, col, col, len(words)))
		if err := b.file.AddDataValidation(b.sheet, rule); err != nil {
			return err
		}
	}
	return b.file.SetSheetVisible(list, false)
}

func choices(f kind.Field, l bilingual.Lang) (words []string) {
	switch f.Type {
	case kind.Bool:
		return []string{f.Format(true, l), f.Format(false, l)}
	case kind.Enum:
		for _, c := range f.Choices {
			words = append(words, c.Label.In(l))
		}
	}
	return words
}

func (b *book) rows(rows []map[string]any) error {
	if err := b.file.AutoFilter(b.sheet, fmt.Sprintf("A1:%s%d", Letters(len(b.fields)), len(rows)+1), nil); err != nil {
		return err
	}
	// Behind the filter, which replaces the sheet's properties.
	fit := true
	if err := b.file.SetSheetProps(b.sheet, &excelize.SheetPropsOptions{FitToPage: &fit}); err != nil {
		return err
	}
	out, err := b.file.NewStreamWriter(b.sheet)
	if err != nil {
		return err
	}
	if err := b.header(out); err != nil {
		return err
	}
	for n, row := range rows {
		values := make([]any, len(b.fields))
		for i, f := range b.fields {
			if values[i], err = b.cell(f, row[f.Name]); err != nil {
				return fmt.Errorf("row %d, field %s: %w", n+1, f.Name, err)
			}
		}
		if err := out.SetRow(fmt.Sprintf("A%d", n+2), values); err != nil {
			return err
		}
	}
	return out.Flush()
}

// header sets the columns up and writes their labels, frozen on the screen.
func (b *book) header(out *excelize.StreamWriter) error {
	if err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	head := make([]any, len(b.fields))
	for i, f := range b.fields {
		head[i] = excelize.Cell{StyleID: b.head, Value: f.Label.In(b.lang)}
		width := 16.0
		if f.Type == kind.Text || f.Type == kind.List {
			width = 32
		}
		if err := out.SetColWidth(i+1, i+1, width); err != nil {
			return err
		}
		if err := out.SetColStyle(i+1, i+1, b.style(f)); err != nil {
			return err
		}
	}
	return out.SetRow("A1", head)
}

func (b *book) style(f kind.Field) int {
	switch f.Type {
	case kind.Date:
		return b.date
	case kind.Time:
		return b.instant
	case kind.Int, kind.Number:
		return 0
	case kind.Text, kind.List:
		return b.wrapped
	}
	return b.text
}

// cell writes numbers and dates as such, and everything else, formulas too, as
// text that is never computed.
func (b *book) cell(f kind.Field, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	c := excelize.Cell{StyleID: b.style(f)}
	switch x := v.(type) {
	case time.Time:
		if n, ok := dayNumber(x); ok {
			c.Value = n
			return c, nil
		}
	case int64:
		if x > -1<<53 && x < 1<<53 {
			c.Value = x
			return c, nil
		}
	case float64:
		c.Value = x
		return c, nil
	}
	text := plainText(f, v, b.lang)
	if len(utf16.Encode([]rune(text))) > maxBookCell {
		return nil, fmt.Errorf("longer than the %d characters a cell of a workbook holds; export it as CSV", maxBookCell)
	}
	c.Value = text
	return c, nil
}

// dayNumber is a time as spreadsheets count days, in Tokyo; false when they
// could not give it back to the second.
func dayNumber(t time.Time) (float64, bool) {
	t = t.In(calendar.Tokyo())
	if t.Nanosecond() != 0 || t.Before(calendar.Day(1900, 3, 1)) {
		return 0, false
	}
	return t.Sub(calendar.Day(1900, 3, 1)).Seconds()/86400 + 61, true
}
