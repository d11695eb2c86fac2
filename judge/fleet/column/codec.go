package column

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"kakusho/fact"
	"kakusho/judge/fleet/bits"
	"kakusho/judge/fleet/frame"
	"kakusho/kind"
)

// most is more rows, or codes, than there can be.
const most = 1 << 31

// odd stands for a value of a type that no field has, once it was written and
// read: what a rule makes of it is the same.
type odd struct{ what string }

func writeValue(w *frame.Writer, value any) {
	k, scalar := scalar("", value)
	switch v := value.(type) {
	case []any:
		w.Text("L")
		w.Uint(uint64(len(v)))
		for _, x := range v {
			writeValue(w, x)
		}
	case map[string]any:
		w.Text("M")
		w.Uint(uint64(len(v)))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			w.Text(name)
			writeValue(w, v[name])
		}
	case time.Time:
		w.Text("t")
		w.Time(v)
	case string:
		w.Text("s")
		w.Text(v)
	case odd:
		w.Text("X")
		w.Text(v.what)
	default:
		if !scalar {
			w.Text("X")
			w.Text(fmt.Sprintf("%T %#v", v, v))
			return
		}
		w.Text(string(rune('0' + k.form)))
		w.Int(k.a)
	}
}

// deepest is how far lists and records may stand in one another.
const deepest = 20

func readValue(r *frame.Reader, depth int) any {
	if depth > deepest {
		r.Fail("a value is nested too deep")
		return nil
	}
	switch form := r.Text(); form {
	case "L":
		list := []any{}
		for range r.Count(most) {
			if list = append(list, readValue(r, depth+1)); r.Err() != nil {
				break
			}
		}
		return list
	case "M":
		record := map[string]any{}
		for range r.Count(most) {
			name := r.Text()
			if record[name] = readValue(r, depth+1); r.Err() != nil {
				break
			}
		}
		return record
	case "t":
		return r.Time()
	case "s":
		return r.Text()
	case "X":
		return odd{r.Text()}
	default:
		if len(form) != 1 {
			r.Fail("a value of form %q", form)
			return nil
		}
		return word(form[0]-'0', r.Int(), r)
	}
}

// word is the value of a key of one word.
func word(form byte, a int64, r *frame.Reader) any {
	switch form {
	case formNone:
		return nil
	case formBool:
		return a == 1
	case formInt:
		return a
	case formNumber:
		return math.Float64frombits(uint64(a))
	case formDuration:
		return time.Duration(a)
	}
	r.Fail("a value of form %d", form)
	return nil
}

// Write writes the dictionary.
func (d *Dictionary) Write(w *frame.Writer) {
	w.Text(string(d.of))
	if d.elements != nil {
		d.elements.Write(w)
	}
	entries := d.Entries()
	w.Uint(uint64(len(entries)))
	for _, e := range entries[1:] {
		w.Text(string(e.Status))
		w.Bool(e.Elements != nil)
		if e.Elements == nil {
			writeValue(w, e.Value)
			continue
		}
		w.Uint(uint64(len(e.Elements)))
		for _, code := range e.Elements {
			w.Uint(uint64(code))
		}
	}
}

// ReadDictionary reads a dictionary. Every code stands for what it stood for.
func ReadDictionary(r *frame.Reader) *Dictionary {
	d := NewDictionary(kind.Type(r.Text()))
	if d.elements != nil {
		if d.elements = ReadDictionary(r); d.elements.of == kind.List {
			r.Fail("a list of lists")
		}
	}
	for n := r.Count(most); r.Err() == nil && d.Len() < n; {
		status := fact.Status(r.Text())
		var code uint32
		if r.Bool() {
			code = d.readList(status, r)
		} else if value := readValue(r, 0); r.Err() == nil {
			code = d.Code(status, value)
		}
		if r.Err() == nil && int(code) != d.Len()-1 {
			r.Fail("a cell comes twice")
		}
	}
	return d
}

// readList reads a list by its elements.
func (d *Dictionary) readList(status fact.Status, r *frame.Reader) uint32 {
	if d.elements == nil {
		r.Fail("a list where none can be")
		return 0
	}
	codes := []uint32{}
	for n := r.Count(most); r.Err() == nil && len(codes) < n; {
		code := r.Uint()
		if code == 0 || code >= uint64(d.elements.Len()) {
			r.Fail("an element that is none")
		}
		codes = append(codes, uint32(code))
	}
	if r.Err() != nil || status != fact.Observed && status != fact.Truncated {
		r.Fail("a list that was not seen")
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.list(status, codes)
}

// Write writes the column.
func (c *Column) Write(w *frame.Writer) {
	w.Uint(uint64(c.rows))
	w.Uint(uint64(c.width))
	for page := range c.shared {
		c.writePage(page, w)
	}
}

func (c *Column) writePage(page int, w *frame.Writer) {
	rows := min(bits.Size, c.rows-page*bits.Size)
	b := make([]byte, 0, 4*rows)
	if c.width <= 4 {
		for s := range c.sliced[page] {
			for _, word := range c.sliced[page][s][:(rows+63)/64] {
				b = append(b, byte(word), byte(word>>8), byte(word>>16), byte(word>>24), byte(word>>32), byte(word>>40), byte(word>>48), byte(word>>56))
			}
		}
		w.Bytes(b)
		return
	}
	for i := range rows {
		code := c.At(page*bits.Size + i)
		for s := 0; s < c.width; s += 8 {
			b = append(b, byte(code>>s))
		}
	}
	w.Bytes(b)
}

// ReadColumn reads a column whose codes are all below codes.
func ReadColumn(r *frame.Reader, codes int) *Column {
	c := New()
	rows := r.Count(most)
	if c.width = r.Count(32); !slices.Contains([]int{1, 2, 3, 4, 8, 16, 32}, c.width) {
		r.Fail("a column of width %d", c.width)
	}
	for page := 0; r.Err() == nil && page < bits.Blocks(rows); page++ {
		n := min(bits.Size, rows-page*bits.Size)
		c.Grow(c.rows + n)
		c.readPage(page, n, uint32(codes), r)
	}
	return c
}

func (c *Column) readPage(page, rows int, codes uint32, r *frame.Reader) {
	b := r.Bytes()
	var read [bits.Size]uint32
	switch {
	case c.width <= 4 && len(b) == c.width*((rows+63)/64)*8:
		for s := range c.width {
			for i := range (rows + 63) / 64 * 64 {
				at := s*((rows+63)/64)*8 + i/8
				read[i] |= uint32(b[at]>>(i%8)&1) << s
			}
		}
	case c.width > 4 && len(b) == c.width/8*rows:
		for i := range rows {
			for s := range c.width / 8 {
				read[i] |= uint32(b[i*c.width/8+s]) << (8 * s)
			}
		}
	default:
		r.Fail("a page of %d bytes", len(b))
		return
	}
	for _, code := range read {
		if code > 0 && code >= codes {
			r.Fail("code %d of %d", code, codes)
			return
		}
	}
	c.write(page, &read)
}
