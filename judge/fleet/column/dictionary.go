package column

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/fact"
	"kakusho/kind"
)

// Missing is the code of a cell that is not there.
const Missing = 0

// Entry is one distinct cell, as far as it matters for an outcome: how the
// looking went, and what was seen. Where there is no value to read, the value
// is nil.
type Entry struct {
	Status   fact.Status
	Value    any
	Elements []uint32 // of a list: codes in the dictionary of elements
}

// Dictionary numbers the distinct cells of a field. A code, once given, means
// the same for ever; forks of a fleet share dictionaries, so that it is safe for
// concurrent use.
type Dictionary struct {
	of       kind.Type
	elements *Dictionary // of lists

	mu      sync.RWMutex
	entries []Entry
	scalars map[key]uint32
	lists   map[string]uint32 // by element codes
	others  map[string]uint32 // records, and values that no field should have
	scratch []byte
	codes   []uint32 // of a list that is looked up
	order   []uint32 // codes of ordered values, ascending, below ordered
	ordered int
}

// key tells apart values of one word or one string.
type key struct {
	status fact.Status
	form   byte
	a, b   int64
	text   string
}

// NewDictionary makes the dictionary of a field of type t. For lists it has
// another of their elements.
func NewDictionary(t kind.Type) *Dictionary {
	d := &Dictionary{
		of: t, scalars: map[key]uint32{}, lists: map[string]uint32{}, others: map[string]uint32{},
		entries: []Entry{{}}, ordered: 1,
	}
	if t == kind.List {
		d.elements = NewDictionary(kind.String)
	}
	return d
}

// Of is the type of the field.
func (d *Dictionary) Of() kind.Type { return d.of }

// Elements is the dictionary of what the lists hold: strings, or records as
// map[string]any. Its codes begin with 1; nil if the field is no list.
func (d *Dictionary) Elements() *Dictionary { return d.elements }

// Len is the number of codes, with Missing.
func (d *Dictionary) Len() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.entries)
}

// Entries lists what every code stands for. It never changes; later codes are
// not in it.
func (d *Dictionary) Entries() []Entry {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.entries[:len(d.entries):len(d.entries)]
}

// At is what a code stands for.
func (d *Dictionary) At(code uint32) Entry {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.entries[code]
}

// Code is the number of a cell; a new one if it was never seen. Values must not
// be changed afterwards.
func (d *Dictionary) Code(status fact.Status, value any) uint32 {
	if status != fact.Observed && status != fact.Truncated {
		value = nil // nothing is read where nothing was seen
	}
	k, ok := scalar(status, value)
	if !ok {
		return d.compound(status, value)
	}
	d.mu.RLock()
	code, ok := d.scalars[k]
	d.mu.RUnlock()
	if ok {
		return code
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if code, ok := d.scalars[k]; ok {
		return code
	}
	code = d.add(Entry{Status: status, Value: value})
	d.scalars[k] = code
	return code
}

func (d *Dictionary) add(e Entry) uint32 {
	d.entries = append(d.entries, e)
	return uint32(len(d.entries) - 1)
}

// The forms of keys.
const (
	formNone = iota
	formBool
	formInt
	formNumber
	formDuration
	formTime
	formString
)

// scalar is the key of a value of one word or one string. Two instants are the
// same only in the same offset, which an expression can see.
func scalar(status fact.Status, value any) (key, bool) {
	k := key{status: status}
	switch v := value.(type) {
	case nil:
	case bool:
		k.form = formBool
		if v {
			k.a = 1
		}
	case int64:
		k.form, k.a = formInt, v
	case float64:
		k.form, k.a = formNumber, int64(math.Float64bits(v))
		if math.IsNaN(v) {
			k.a = int64(math.Float64bits(math.NaN()))
		}
	case time.Duration:
		k.form, k.a = formDuration, int64(v)
	case time.Time:
		_, offset := v.Zone()
		k.form, k.a, k.b = formTime, v.Unix(), int64(v.Nanosecond())<<20|int64(offset+1<<19)
	case string:
		k.form, k.text = formString, v
	default:
		return k, false
	}
	return k, true
}

// compound is the code of a list or a record, or of what no field should hold.
func (d *Dictionary) compound(status fact.Status, value any) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.scratch = append(append(d.scratch[:0], status...), 0)
	list, ok := value.([]any)
	if !ok || d.elements == nil {
		d.scratch = encode(d.scratch, value)
		return d.other(d.others, Entry{Status: status, Value: value})
	}
	d.codes = d.codes[:0]
	for _, x := range list {
		d.codes = append(d.codes, d.elements.Code(fact.Observed, x))
	}
	return d.list(status, d.codes)
}

// list is the code of a list by those of its elements, whose values it shares.
func (d *Dictionary) list(status fact.Status, codes []uint32) uint32 {
	d.scratch = append(append(d.scratch[:0], status...), 0)
	for _, code := range codes {
		d.scratch = binary.LittleEndian.AppendUint32(d.scratch, code)
	}
	if code, ok := d.lists[string(d.scratch)]; ok {
		return code
	}
	values, entries := make([]any, len(codes)), d.elements.Entries()
	for i, code := range codes {
		values[i] = entries[code].Value
	}
	return d.other(d.lists, Entry{Status: status, Value: values, Elements: slices.Clone(codes)})
}

func (d *Dictionary) other(in map[string]uint32, e Entry) uint32 {
	code, ok := in[string(d.scratch)]
	if !ok {
		code = d.add(e)
		in[string(d.scratch)] = code
	}
	return code
}

// encode appends what tells value from every other.
func encode(b []byte, value any) []byte {
	k, ok := scalar("", value)
	if ok {
		b = append(b, 'a'+k.form)
		b = binary.AppendVarint(binary.AppendVarint(b, k.a), k.b)
		return append(binary.AppendUvarint(b, uint64(len(k.text))), k.text...)
	}
	switch v := value.(type) {
	case []any:
		b = binary.AppendUvarint(append(b, 'L'), uint64(len(v)))
		for _, x := range v {
			b = encode(b, x)
		}
	case map[string]any:
		b = binary.AppendUvarint(append(b, 'M'), uint64(len(v)))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			b = encode(encode(b, name), v[name])
		}
	default:
		b = fmt.Appendf(append(b, 'X'), "%T %#v", value, value)
	}
	return b
}

// Order lists the codes, from the given one on, of values that are seen in full
// and have the field's type, in ascending order. Equal values that are not the
// same (an instant in two offsets) stand beside each other.
func (d *Dictionary) Order(from int) []uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if from <= 1 {
		d.fold()
		return d.order
	}
	return d.sorted(from)
}

// fold takes the codes that were added since into the order.
func (d *Dictionary) fold() {
	tail := d.sorted(d.ordered)
	d.ordered = len(d.entries)
	if len(tail) == 0 {
		return
	}
	merged := make([]uint32, 0, len(d.order)+len(tail))
	head := d.order
	for len(head) > 0 && len(tail) > 0 {
		if d.compare(head[0], tail[0]) <= 0 {
			merged, head = append(merged, head[0]), head[1:]
		} else {
			merged, tail = append(merged, tail[0]), tail[1:]
		}
	}
	d.order = append(append(merged, head...), tail...)
}

func (d *Dictionary) sorted(from int) []uint32 {
	var codes []uint32
	for code := from; code < len(d.entries); code++ {
		if e := d.entries[code]; e.Status == fact.Observed && d.proper(e.Value) {
			codes = append(codes, uint32(code))
		}
	}
	slices.SortFunc(codes, d.compare)
	return codes
}

// proper reports whether a value has the field's type and an order.
func (d *Dictionary) proper(value any) bool {
	switch v := value.(type) {
	case int64:
		return d.of == kind.Int
	case float64:
		return d.of == kind.Number && !math.IsNaN(v)
	case time.Duration:
		return d.of == kind.Duration
	case time.Time:
		return d.of == kind.Time || d.of == kind.Date
	case bool:
		return d.of == kind.Bool
	case string:
		return d.of == kind.String || d.of == kind.Text || d.of == kind.Enum || d.of == kind.Ref
	}
	return false
}

// compare orders two codes of proper values.
func (d *Dictionary) compare(a, b uint32) int {
	c := 0
	switch x := d.entries[a].Value.(type) {
	case int64:
		c = cmp.Compare(x, d.entries[b].Value.(int64))
	case float64:
		c = cmp.Compare(x, d.entries[b].Value.(float64))
	case time.Duration:
		c = cmp.Compare(x, d.entries[b].Value.(time.Duration))
	case time.Time:
		c = x.Compare(d.entries[b].Value.(time.Time))
	case string:
		c = strings.Compare(x, d.entries[b].Value.(string))
	case bool:
		if y := d.entries[b].Value.(bool); x != y {
			c = 1
			if y {
				c = -1
			}
		}
	}
	return cmp.Or(c, cmp.Compare(a, b))
}
