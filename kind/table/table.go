// Package table brings the declared fields of a kind in from a spreadsheet and
// takes them out to one: CSV, tab-separated text and xlsx.
//
// Read never stops at the first mistake: it returns what it could read, row by
// row, and a Fault with place and remedy for everything else. It changes
// nothing; who called it decides, usually that a file with faults is not
// applied at all. The file may be UTF-8 (with or without a byte order mark),
// UTF-16 or Shift_JIS, and its columns in any order, headed by the fields' names
// or by their labels in either language, or by whatever a Mapping says they are. What
// stands above the headings is passed over. Its size is bounded in every direction.
//
// Write is the reverse: what it writes, Read reads back to equal values.
package table

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"kakusho/bilingual"
	"kakusho/kind"
)

// The limits of a file. Each is named in the fault of a file that exceeds it.
const (
	MaxFile    = 10 << 20  // bytes
	MaxUnzip   = 100 << 20 // bytes of an xlsx file, unpacked
	MaxContent = 64 << 20  // bytes of all cells together
	MaxRows    = 50_000
	MaxColumns = 200
	MaxCell    = 100_000 // characters
	MaxFaults  = 1_000   // reported; more are counted
)

// Format is a file format.
type Format string

// The formats. TSV is what a spreadsheet puts on the clipboard; Write writes CSV
// and XLSX.
const (
	CSV  Format = "csv"
	TSV  Format = "tsv"
	XLSX Format = "xlsx"
)

// Sheet is what was read from one file.
type Sheet struct {
	Format   Format
	Encoding string // utf-8, utf-16, shift_jis; empty for xlsx
	Line     int    // of the headings
	Heads    []Head
	Fields   []kind.Field   // fields that have a column, in the order of the columns
	Columns  map[string]int // field → its column, the first being 1
	Foreign  []Foreign      // texts that are none of a field's choices
	Rows     []Row
	Faults   []Fault // of the file as a whole; those of rows stand in the rows
	Unsaid   int     // faults beyond MaxFaults
}

// Row is one entry.
type Row struct {
	Line   int            // in the file, the first being 1
	Values map[string]any // by field; a field with a column and no value was left empty
	Faults []Fault
}

// OK reports whether the whole file can be applied.
func (s Sheet) OK() bool {
	if len(s.Faults) > 0 {
		return false
	}
	for _, r := range s.Rows {
		if len(r.Faults) > 0 {
			return false
		}
	}
	return true
}

// All lists every fault reported, those of the file first.
func (s Sheet) All() []Fault {
	all := append([]Fault(nil), s.Faults...)
	for _, r := range s.Rows {
		all = append(all, r.Faults...)
	}
	return all
}

// Fault is one mistake in a file.
type Fault struct {
	File    string         // where several are read together
	Line    int            // 0: the file as a whole
	Column  int            // 1 is the first; 0: the row as a whole
	Header  string         // of the column, as the file has it
	Field   string         // name of the field, where it is known
	Message bilingual.Text // what is wrong, and what to do
}

// Text is the message with its place before it: 3行B列「状態」.
func (f Fault) Text() bilingual.Text {
	if file := f.File; file != "" {
		f.File = ""
		t := f.Text()
		return bilingual.Say(file+" "+t.JA, file+" "+t.EN)
	}
	ja, en := "", ""
	if f.Line > 0 {
		ja, en = fmt.Sprintf("%d行", f.Line), fmt.Sprintf("row %d", f.Line)
	}
	if f.Column > 0 {
		ja += Letters(f.Column) + "列"
		en = strings.TrimPrefix(en+", column "+Letters(f.Column), ", ")
	}
	if f.Header != "" {
		ja += "「" + f.Header + "」"
		en += " (" + f.Header + ")"
	}
	if ja == "" {
		return f.Message
	}
	return bilingual.Say(ja+"："+f.Message.JA, en+": "+f.Message.EN)
}

// Error is the English half of Text.
func (f Fault) Error() string { return f.Text().EN }

// Letters is a column as spreadsheets name it: 1 is A, 27 is AA.
func Letters(n int) string {
	s := ""
	for ; n > 0; n = (n - 1) / 26 {
		s = string(rune('A'+(n-1)%26)) + s
	}
	return s
}

// cells is one row of a file before anything is known about it.
type cells struct {
	line  int
	texts []string
}

// source yields the rows of a file; a fault ends it.
type source func(yield func(cells, *Fault) bool)

// Read reads a file of entries of kind k. The name only helps to tell tab- from
// comma-separated text; the format is seen from the content. The error is that
// of r, never one of the file's content.
func Read(r io.Reader, name string, k kind.Kind) (Sheet, error) {
	return ReadMapped(r, name, k, func([]Head) Mapping { return Mapping{} })
}

// ReadMapped is Read for a ledger with headings of its own: when they have been
// found, mapped is asked what they are.
func ReadMapped(r io.Reader, name string, k kind.Kind, mapped func([]Head) Mapping) (Sheet, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return Sheet{}, fmt.Errorf("read table: %w", err)
	}
	b := &builder{kind: k, mapped: mapped, seen: map[string]int{}, foreign: map[string]int{}}
	switch {
	case len(data) > MaxFile:
		b.file(0, "ファイルが大き過ぎる（上限%dMiB）。分割する。", "the file is larger than %d MiB; split it", MaxFile>>20)
	case len(bytes.TrimSpace(data)) == 0:
		b.file(0, "ファイルが空である。見出し行とデータを入れる。", "the file is empty; it needs a header row and data")
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		b.sheet.Format = XLSX
		b.run(b.sheetRows(data))
	case bytes.HasPrefix(data, []byte("\xD0\xCF\x11\xE0")):
		b.file(0, "旧形式（.xls）又はパスワード付きのファイルは読めない。パスワードを付けずに .xlsx 又は .csv で保存し直す。",
			"an old .xls file, or one with a password; save it as .xlsx or .csv without one")
	default:
		b.readText(data, name)
	}
	return b.sheet, nil
}

func (b *builder) readText(data []byte, name string) {
	text, encoding, faults := decode(data)
	b.sheet.Encoding = encoding
	for _, f := range faults {
		b.fault(&b.sheet.Faults, f)
	}
	if encoding == "" {
		return
	}
	comma := delimiter(text, name)
	b.sheet.Format = CSV
	if comma == '\t' {
		b.sheet.Format = TSV
	}
	b.run(textRows(text, comma))
}

func say(ja, en string, a ...any) bilingual.Text {
	return bilingual.Say(fmt.Sprintf(ja, a...), fmt.Sprintf(en, a...))
}

// count is a number with separators, as faults show limits.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
