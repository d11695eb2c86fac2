// Package sqlite reads the rows of a table out of an SQLite file, and nothing
// more: no query, no index, no write. It is for the small files in which newer
// Linux systems keep logins, and takes no engine along.
//
// The format is that of https://www.sqlite.org/fileformat2.html. What a journal
// or write-ahead log beside the file holds is not seen.
package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// errBroken is a file that contradicts itself.
var errBroken = errors.New("broken SQLite file")

// Rows reads every row of a table as a map from column to nil, int64, float64,
// string or []byte. A table that is not there has no rows.
func Rows(b []byte, table string) ([]map[string]any, error) {
	f, err := open(b)
	if err != nil {
		return nil, err
	}
	var root int64
	var sql string
	err = f.walk(1, func(_ int64, r []any) error {
		if len(r) == 5 && r[0] == "table" {
			if name, _ := r[1].(string); strings.EqualFold(name, table) {
				root, _ = r[3].(int64)
				sql, _ = r[4].(string)
			}
		}
		return nil
	})
	if err != nil || root == 0 {
		return nil, err
	}
	columns, key := Columns(sql)
	var out []map[string]any
	f.seen = map[uint32]bool{}
	err = f.walk(uint32(root), func(rowid int64, r []any) error {
		row := map[string]any{}
		for i, v := range r {
			if i < len(columns) {
				row[columns[i]] = v
			}
		}
		if key != "" && row[key] == nil {
			row[key] = rowid // such a column is the row's own number
		}
		out = append(out, row)
		return nil
	})
	return out, err
}

// Columns lists the columns of a CREATE TABLE statement, and the one that stands
// for the row number, if any.
func Columns(sql string) (names []string, key string) {
	_, body, _ := strings.Cut(sql, "(")
	depth, start := 0, 0
	body = strings.TrimSpace(body)
	for i := 0; i <= len(body); i++ {
		switch {
		case i < len(body) && body[i] == '(':
			depth++
		case i < len(body) && body[i] == ')' && depth > 0:
			depth--
		case i == len(body) || body[i] == ')' || body[i] == ',' && depth == 0:
			w := strings.Fields(body[start:i])
			start = i + 1
			if len(w) > 0 && !constraint(w[0]) {
				name := strings.Trim(w[0], "\"`[]'")
				names = append(names, name)
				if strings.HasPrefix(strings.ToUpper(strings.Join(w[1:], " ")), "INTEGER PRIMARY KEY") {
					key = name
				}
			}
			if i < len(body) && body[i] == ')' {
				return names, key
			}
		}
	}
	return names, key
}

func constraint(word string) bool {
	word, _, _ = strings.Cut(strings.ToUpper(word), "(")
	switch word {
	case "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "CONSTRAINT":
		return true
	}
	return false
}

type file struct {
	b            []byte
	page, usable int
	seen         map[uint32]bool
}

func open(b []byte) (*file, error) {
	if len(b) < 100 || string(b[:16]) != "SQLite format 3\x00" {
		return nil, errors.New("no SQLite file")
	}
	page := int(binary.BigEndian.Uint16(b[16:]))
	if page == 1 {
		page = 65536
	}
	if page < 512 || page&(page-1) != 0 || int(b[20]) > page-480 {
		return nil, errBroken
	}
	if enc := binary.BigEndian.Uint32(b[56:]); enc > 1 {
		return nil, fmt.Errorf("text encoding %d of SQLite is not read", enc)
	}
	return &file{b: b, page: page, usable: page - int(b[20]), seen: map[uint32]bool{}}, nil
}

func (f *file) at(n uint32) ([]byte, error) {
	if n == 0 || uint64(n)*uint64(f.page) > uint64(len(f.b)) {
		return nil, errBroken
	}
	return f.b[(int(n)-1)*f.page : int(n)*f.page], nil
}

// walk visits the rows of a table's tree. Each page is visited once: a tree that
// meets itself is broken.
func (f *file) walk(n uint32, row func(rowid int64, r []any) error) error {
	p, err := f.at(n)
	if err != nil || f.seen[n] {
		return errBroken
	}
	f.seen[n] = true
	head := 0
	if n == 1 {
		head = 100
	}
	cells := int(binary.BigEndian.Uint16(p[head+3:]))
	switch p[head] {
	case 0x05:
		for i := range cells {
			c, err := cell(p, head+12, i)
			if err != nil || len(c) < 4 {
				return errBroken
			}
			if err := f.walk(binary.BigEndian.Uint32(c), row); err != nil {
				return err
			}
		}
		return f.walk(binary.BigEndian.Uint32(p[head+8:]), row)
	case 0x0d:
		for i := range cells {
			c, err := cell(p, head+8, i)
			if err != nil {
				return err
			}
			if err := f.leaf(c, row); err != nil {
				return err
			}
		}
		return nil
	}
	return errBroken
}

// cell is what the i-th pointer of a page points to, up to the page's end.
func cell(p []byte, pointers, i int) ([]byte, error) {
	at := pointers + 2*i
	if at+2 > len(p) {
		return nil, errBroken
	}
	off := int(binary.BigEndian.Uint16(p[at:]))
	if off >= len(p) {
		return nil, errBroken
	}
	return p[off:], nil
}

func (f *file) leaf(c []byte, row func(int64, []any) error) error {
	size, n := varint(c)
	rowid, m := varint(c[n:])
	if n == 0 || m == 0 || size < 0 || size > int64(len(f.b)) {
		return errBroken
	}
	payload, err := f.payload(c[n+m:], int(size))
	if err != nil {
		return err
	}
	r, err := record(payload)
	if err != nil {
		return err
	}
	return row(rowid, r)
}

// payload gathers a cell's content, the part on overflow pages too.
func (f *file) payload(c []byte, size int) ([]byte, error) {
	local := size
	if most := f.usable - 35; size > most {
		least := (f.usable-12)*32/255 - 23
		if local = least + (size-least)%(f.usable-4); local > most {
			local = least
		}
	}
	if local > len(c) {
		return nil, errBroken
	}
	out := append([]byte(nil), c[:local]...)
	if local == size {
		return out, nil
	}
	if local+4 > len(c) {
		return nil, errBroken
	}
	for next := binary.BigEndian.Uint32(c[local:]); len(out) < size; {
		p, err := f.at(next)
		if err != nil || f.seen[next] {
			return nil, errBroken
		}
		f.seen[next] = true
		out = append(out, p[4:4+min(size-len(out), f.usable-4)]...)
		next = binary.BigEndian.Uint32(p)
	}
	return out, nil
}

func record(b []byte) ([]any, error) {
	size, n := varint(b)
	if n == 0 || size < int64(n) || size > int64(len(b)) {
		return nil, errBroken
	}
	head, body := b[n:size], b[size:]
	var out []any
	for len(head) > 0 {
		kind, n := varint(head)
		if n == 0 {
			return nil, errBroken
		}
		head = head[n:]
		v, used, err := value(kind, body)
		if err != nil {
			return nil, err
		}
		out, body = append(out, v), body[used:]
	}
	return out, nil
}

func value(kind int64, b []byte) (v any, used int, err error) {
	switch {
	case kind == 0:
		return nil, 0, nil
	case kind == 8 || kind == 9:
		return kind - 8, 0, nil
	case kind >= 1 && kind <= 7:
		used = []int{0, 1, 2, 3, 4, 6, 8, 8}[kind]
	case kind >= 12 && kind < math.MaxInt32:
		used = int(kind-12) / 2
	default:
		return nil, 0, errBroken
	}
	if used > len(b) {
		return nil, 0, errBroken
	}
	switch {
	case kind == 7:
		return math.Float64frombits(binary.BigEndian.Uint64(b)), used, nil
	case kind < 7:
		n := int64(int8(b[0])) // the first byte carries the sign
		for _, c := range b[1:used] {
			n = n<<8 | int64(c)
		}
		return n, used, nil
	case kind%2 == 0:
		return append([]byte(nil), b[:used]...), used, nil
	}
	return string(b[:used]), used, nil
}

// varint reads SQLite's variable-length number: the count is 0 when it is cut.
func varint(b []byte) (v int64, n int) {
	for n < len(b) && n < 8 {
		v = v<<7 | int64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return v, n
		}
	}
	if n == 8 && len(b) > 8 {
		return v<<8 | int64(b[8]), 9
	}
	return 0, 0
}
