package registers

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/register"
)

// A list of records is edited row by row: "subcontractors[0].name" is a field of its
// form. A row with nothing in it is none, so that rows may be left over; "subcontractors"
// itself says that the form had the list. A list of choices is boxes of one name.

// spare is how many empty rows a form offers; the page can add more.
const spare = 2

func isRecords(f kind.Field) bool { return f.Type == kind.List && len(f.Of) > 0 }
func isBoxes(f kind.Field) bool   { return f.Type == kind.List && len(f.Choices) > 0 }

// sub is a field of the i-th record of f, under the name it has in the form.
func sub(f kind.Field, i int, of kind.Field) kind.Field {
	of.Name = fmt.Sprintf("%s[%d].%s", f.Name, i, of.Name)
	return of
}

// lay puts a value of f into typed as its form takes it back.
func lay(typed url.Values, f kind.Field, v any, l bilingual.Lang) {
	if !isRecords(f) {
		typed.Set(f.Name, editable(f, v, l))
		return
	}
	list, _ := v.([]any)
	for i, record := range list {
		fields, _ := record.(map[string]any)
		for _, of := range f.Of {
			typed.Set(sub(f, i, of).Name, editable(of, fields[of.Name], l))
		}
	}
}

// text is what was typed into a field that is no list of records.
func text(typed url.Values, f kind.Field) string {
	if !isBoxes(f) {
		return typed.Get(f.Name)
	}
	ticked := slices.DeleteFunc(slices.Clone(typed[f.Name]), func(s string) bool { return s == "" })
	return strings.Join(ticked, "\n")
}

// rows are the numbers of the records of f that hold something, in order.
func rows(typed url.Values, f kind.Field) []int {
	var numbers []int
	for name, v := range typed {
		rest, ok := strings.CutPrefix(name, f.Name+"[")
		number, _, closed := strings.Cut(rest, "].")
		i, err := strconv.Atoi(number)
		filled := slices.ContainsFunc(v, func(s string) bool { return strings.TrimSpace(s) != "" })
		if ok && closed && err == nil && filled && !slices.Contains(numbers, i) {
			numbers = append(numbers, i)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// closeUp numbers the records without gaps, as faults will count them.
func closeUp(typed url.Values, f kind.Field) {
	for n, i := range rows(typed, f) {
		for _, of := range f.Of {
			from, to := sub(f, i, of).Name, sub(f, n, of).Name
			if v, ok := typed[from]; ok && from != to {
				typed[to] = v
				delete(typed, from)
			} else if !ok {
				delete(typed, to)
			}
		}
	}
}

// parseField reads what was typed into a field; there is false when the form did not
// have it.
func parseField(f kind.Field, typed url.Values) (v any, there bool, faults []kind.Fault) {
	if _, there = typed[f.Name]; !there {
		return nil, false, nil
	}
	if !isRecords(f) {
		v, err := f.Parse(text(typed, f))
		if err != nil {
			return nil, true, []kind.Fault{kind.AsFault(f, err)}
		}
		return v, true, nil
	}
	closeUp(typed, f)
	var list []any
	for i := range rows(typed, f) {
		record := map[string]any{}
		for _, of := range f.Of {
			of := sub(f, i, of)
			v, err := of.Parse(typed.Get(of.Name))
			if err != nil {
				faults = append(faults, kind.AsFault(of, err))
			} else if v != nil {
				record[of.Name[strings.LastIndex(of.Name, ".")+1:]] = v
			}
		}
		list = append(list, record)
	}
	if list == nil || len(faults) > 0 {
		return nil, true, faults
	}
	return list, true, nil
}

// records are the rows of a list of records, with some empty ones.
func (x fielder) records(prefix string, f kind.Field, typed url.Values, faults []kind.Fault) (out []row) {
	closeUp(typed, f)
	filled := len(rows(typed, f))
	for i := range filled + spare {
		r := row{Number: i + 1}
		for _, of := range f.Of {
			of := sub(f, i, of)
			of.Required = of.Required && i < filled
			r.Fields = append(r.Fields, x.field(prefix, of, typed, faults))
		}
		out = append(out, r)
	}
	return out
}

// boxes are the choices of a list, ticked or not.
func boxes(f kind.Field, typed url.Values) (out []box) {
	for _, c := range f.Choices {
		out = append(out, box{c, slices.Contains(strings.Split(text(typed, f), "\n"), c.Value)})
	}
	return out
}

// row is one record of a list.
type row struct {
	Number int
	Fields []formField
}

type box struct {
	kind.Choice
	Ticked bool
}

// tree is a list of records drawn as the tree it is.
type tree struct {
	kind.Field
	Columns []kind.Field // without the one that names what a record is under
	Rows    []branchRow
}

type branchRow struct {
	kind.Branch
	Indent int // as deep as the page draws
}

const deepest = 3

// treesOf are the lists of an entry that are trees and hold something.
func treesOf(k kind.Kind, e register.Entry) (out []tree) {
	for _, f := range k.Layer(kind.Declared) {
		list, _ := e.Values[f.Name].([]any)
		if f.Tree == "" || len(list) == 0 {
			continue
		}
		t := tree{Field: f, Columns: slices.DeleteFunc(slices.Clone(f.Of), func(of kind.Field) bool { return of.Name == f.Tree })}
		for _, b := range f.Branches(list) {
			t.Rows = append(t.Rows, branchRow{b, min(b.Depth, deepest)})
		}
		out = append(out, t)
	}
	return out
}

// Cell is a value of a record as the page shows it.
func (b branchRow) Cell(f kind.Field, l bilingual.Lang) string { return f.Format(b.Record[f.Name], l) }
