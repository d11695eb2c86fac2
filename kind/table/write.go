package table

import (
	"encoding/csv"
	"fmt"
	"io"
	"unicode/utf8"

	"kakusho/bilingual"
	"kakusho/kind"
)

// Options say how entries are written. The zero Options is what is handed to
// people: no personal data, and a byte order mark so that Excel reads the CSV.
type Options struct {
	Personal bool // with the fields that hold personal data
	NoMark   bool // CSV without the byte order mark, for programs
}

// Write writes entries of kind k, headed by its labels in language l. Fields of
// other layers than the declared one are left out, and so are personal ones
// unless asked for. No rows give an empty form to fill in.
func Write(w io.Writer, format Format, k kind.Kind, l bilingual.Lang, rows []map[string]any, o Options) error {
	fields := fieldsOf(k, o)
	var err error
	switch format {
	case CSV:
		err = writeCSV(w, fields, l, rows, o)
	case XLSX:
		err = writeXLSX(w, k, fields, l, rows)
	default:
		err = fmt.Errorf("no format %q", format)
	}
	if err != nil {
		return fmt.Errorf("write table of %s: %w", k.ID, err)
	}
	return nil
}

func fieldsOf(k kind.Kind, o Options) (fields []kind.Field) {
	for _, f := range k.Layer(kind.Declared) {
		if !f.Personal || o.Personal {
			fields = append(fields, f)
		}
	}
	return fields
}

func writeCSV(w io.Writer, fields []kind.Field, l bilingual.Lang, rows []map[string]any, o Options) error {
	if !o.NoMark {
		if _, err := io.WriteString(w, "\uFEFF"); err != nil {
			return err
		}
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	record := make([]string, len(fields))
	for i, f := range fields {
		record[i] = guard(f.Label.In(l))
	}
	if err := out.Write(record); err != nil {
		return err
	}
	for n, row := range rows {
		for i, f := range fields {
			record[i] = plainText(f, row[f.Name], l)
			if utf8.RuneCountInString(record[i]) > MaxCell {
				return fmt.Errorf("row %d, field %s: longer than %d characters", n+1, f.Name, MaxCell)
			}
			if f.Type != kind.Int && f.Type != kind.Number {
				record[i] = guard(record[i])
			}
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// plainText is a value as tables hold it: dates in their international form
// alone, so that spreadsheets know them.
func plainText(f kind.Field, v any, l bilingual.Lang) string {
	if f.Type == kind.Date {
		l = bilingual.EN
	}
	return f.Format(v, l)
}
