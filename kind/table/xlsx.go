package table

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"kakusho/calendar"
	"kakusho/kind"
)

// sheetRows reads a workbook's sheet: the one named as the kind, else the first
// that is not hidden. Formulas count with the value they had when saved.
func (b *builder) sheetRows(data []byte) source {
	return func(yield func(cells, *Fault) bool) {
		stopped := false
		if err := b.eachRow(data, func(c cells) bool {
			stopped = !yield(c, nil)
			return !stopped
		}); err != nil && !stopped {
			yield(cells{}, bookFault(err))
		}
	}
}

func bookFault(err error) *Fault {
	if !errors.Is(err, errUnpacked) {
		return &Fault{Message: say("xlsxとして読めない（破損の可能性）。表計算で開いて保存し直す。", "not a readable xlsx file; open it in a spreadsheet and save it again")}
	}
	return &Fault{Message: say("展開すると大き過ぎる（上限%dMiB）。不要なシートや書式を削除する。", "larger than %d MiB when unpacked; remove sheets and formatting that are not needed", MaxUnzip>>20)}
}

var errUnpacked = errors.New("unpacks to more than it may")

// sound unpacks a workbook once to see that every part is whole: the library
// takes a part that is cut off, or that unpacks to another size than it states,
// for one that ends there, and would let half a file look like all of it.
func sound(data []byte) error {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return err
	}
	// A part that unpacks to more than it states is an error of its own below.
	size := uint64(0)
	for _, f := range z.File {
		if size += min(f.UncompressedSize64, MaxUnzip); size > MaxUnzip {
			return errUnpacked
		}
	}
	for _, f := range z.File {
		if err := whole(f); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func whole(f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	if ext := strings.ToLower(path.Ext(f.Name)); ext == ".xml" || ext == ".rels" {
		err = wellFormed(r)
	} else {
		_, err = io.Copy(io.Discard, r)
	}
	return errors.Join(err, r.Close())
}

func wellFormed(r io.Reader) error {
	d := xml.NewDecoder(r)
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (b *builder) eachRow(data []byte, yield func(cells) bool) (err error) {
	// The library is not meant for hostile files; whatever it does with one, the
	// outcome for the user is the same: not readable.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read workbook: %v", p)
		}
	}()
	if err := sound(data); err != nil {
		return err
	}
	book, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{RawCellValue: true, UnzipSizeLimit: MaxUnzip, UnzipXMLSizeLimit: 16 << 20})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }() // removes temporary files
	b.epoch = calendar.Day(1899, 12, 30)
	if props, err := book.GetWorkbookProps(); err == nil && props.Date1904 != nil && *props.Date1904 {
		b.epoch = calendar.Day(1904, 1, 1)
	}
	rows, err := book.Rows(pickSheet(book, b.kind))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for line := 1; rows.Next(); line++ {
		texts, err := rows.Columns(excelize.Options{RawCellValue: true})
		if err != nil {
			return err
		}
		if !yield(cells{line, texts}) {
			return nil
		}
	}
	return rows.Error()
}

func pickSheet(book *excelize.File, k kind.Kind) string {
	names := book.GetSheetList()
	for _, want := range []string{k.Label.JA, k.Label.EN, k.ID} {
		for _, name := range names {
			if likeness(name) == likeness(sheetName(want)) {
				return name
			}
		}
	}
	for _, name := range names {
		if visible, err := book.GetSheetVisible(name); err == nil && visible {
			return name
		}
	}
	return names[0]
}

var (
	serial   = regexp.MustCompile(`^\d{1,7}(\.\d+)?(E[+-]?\d+)?$`)
	exponent = regexp.MustCompile(`^-?\d\.\d+E\+?\d{1,2}$`)
)

// convert turns the numbers of date columns, and numbers a spreadsheet made of text,
// back into text that fields can read.
func (b *builder) convert(f kind.Field, s string) string {
	switch {
	case b.sheet.Format != XLSX:
	case f.Type == kind.Date || f.Type == kind.Time:
		return b.date(s)
	case f.Type == kind.String || f.Type == kind.Ref || f.Type == kind.Text:
		return plain(s)
	}
	return s
}

// date writes a spreadsheet's day number as a date. Numbers below 61 are left
// alone: spreadsheets disagree about the first two months of 1900.
func (b *builder) date(s string) string {
	if !serial.MatchString(s) {
		return s
	}
	days, err := strconv.ParseFloat(s, 64)
	if err != nil || days < 61 || days >= 2958466 {
		return s
	}
	whole := math.Floor(days)
	seconds := math.Round((days - whole) * 86400)
	t := b.epoch.AddDate(0, 0, int(whole)).Add(time.Duration(seconds) * time.Second)
	if seconds == 0 {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.DateTime)
}

// plain writes out a long number that was typed into a text column.
func plain(s string) string {
	if !exponent.MatchString(s) {
		return s
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) >= 1<<53 {
		return s
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
