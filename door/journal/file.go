package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// ID is a 128-bit number of journald: of a file, a boot, a line of numbers.
type ID [16]byte

func (id ID) String() string { return fmt.Sprintf("%x", id[:]) }

// MarshalText writes the ID as journalctl does.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads it.
func (id *ID) UnmarshalText(text []byte) error {
	if n, err := fmt.Sscanf(string(text), "%x", &text); n != 1 || err != nil || len(text) != len(id) {
		return fmt.Errorf("read ID: want 32 hex digits")
	}
	copy(id[:], text)
	return nil
}

// Flags of a file that a reader must know to read it.
const (
	flagXZ = 1 << iota
	flagLZ4
	flagKeyed
	flagZstd
	flagCompact

	flagsKnown = flagXZ | flagLZ4 | flagKeyed | flagZstd | flagCompact
)

// Types of objects.
const (
	objectData       = 1
	objectEntry      = 3
	objectEntryArray = 6
)

const (
	headerSize   = 208 // of the oldest format
	archived     = 2   // state of a file journald has done with
	entryStart   = 64
	arrayStart   = 24
	dataStart    = 64
	dataCompact  = 72
	maxItems     = 4096    // fields of one entry; journald takes 1024
	maxPacked    = 1 << 26 // bytes of one value that are unpacked
	MaxValue     = 160_000 // bytes of one value that are kept; what is longer says so by its Size
	remembered   = 4 << 20 // bytes of values remembered per file: most are said again and again
	windowSize   = 1 << 16
	windowsKept  = 16
	objectHeader = 16
)

// ErrFormat is returned for what is not a journal file, or one with a feature this
// reader does not know.
var ErrFormat = errors.New("not a journal file that can be read")

// Damage is returned when one entry, or the rest of a file, cannot be read.
type Damage struct {
	File    string
	Entry   int64 // number in the file, from 0
	Entries int64 // so many are touched
	Cause   error
}

func (d *Damage) Error() string {
	return fmt.Sprintf("%s: entry %d, %d entries damaged: %v", d.File, d.Entry, d.Entries, d.Cause)
}

func (d *Damage) Unwrap() error { return d.Cause }

// Entry is one entry, as journald wrote it.
type Entry struct {
	Seqnum    uint64
	Realtime  uint64 // microseconds since 1970
	Monotonic uint64 // microseconds since the boot
	Boot      ID
	Fields    []Field
}

func (e Entry) size() int {
	n := 0
	for _, f := range e.Fields {
		n += len(f.Name) + len(f.Value)
	}
	return n
}

// Field is one field of an entry. A name may come more than once.
type Field struct {
	Name  string
	Value []byte // its first MaxValue bytes; not to be changed
	Size  int    // of the whole value
	Bad   bool   // the value is not the one journald wrote, by its hash
}

// File reads one journal file from front to back. The file may grow meanwhile.
type File struct {
	name     string
	r        io.ReaderAt
	close    func() error
	id, line ID // of the file; of the numbers its entries have
	compact  bool
	keyed    bool // hashes have the ID as their key
	archived bool
	header   uint64 // its length
	entries  int64  // readable now
	size     uint64

	n           int64  // entries gone by
	array       uint64 // where the array stands that entry n is in; zero: not known
	first, room int64  // number of its first entry, and how many it has room for

	windows map[uint64][]byte
	values  map[uint64]Field
	held    int // bytes in values
	unpack  *unpacker
}

// Open opens a file. Only its header is read.
func Open(name string) (*File, error) {
	r, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	size := func() (int64, error) {
		info, err := r.Stat()
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	n, err := size()
	if err == nil {
		var f *File
		if f, err = Read(name, r, n); err == nil {
			f.close = r.Close
			return f, nil
		}
	}
	r.Close()
	return nil, fmt.Errorf("open journal %s: %w", name, err)
}

// Read is Open for what is already open.
func Read(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: name, r: r, close: func() error { return nil }, windows: map[uint64][]byte{}, values: map[uint64]Field{}, unpack: &unpacker{}}
	h := make([]byte, headerSize)
	if _, err := r.ReadAt(h, 0); err != nil {
		return nil, fmt.Errorf("%w: no header: %v", ErrFormat, err)
	}
	if string(h[:8]) != "LPKSHHRH" {
		return nil, fmt.Errorf("%w: no signature", ErrFormat)
	}
	flags := le32(h[12:])
	if odd := flags &^ flagsKnown; odd != 0 {
		return nil, fmt.Errorf("%w: features %#x are not known", ErrFormat, odd)
	}
	copy(f.id[:], h[24:])
	copy(f.line[:], h[72:])
	f.compact, f.keyed = flags&flagCompact != 0, flags&flagKeyed != 0
	if f.header = le64(h[88:]); f.header < headerSize || f.header > 1<<16 {
		return nil, fmt.Errorf("%w: header of %d bytes", ErrFormat, f.header)
	}
	return f, f.look(h, size)
}

// look takes from the header what changes.
func (f *File) look(h []byte, size int64) error {
	entries := int64(le64(h[152:]))
	if entries < 0 || entries > size/8 {
		return fmt.Errorf("%w: %d entries in %d bytes", ErrFormat, entries, size)
	}
	if f.archived = h[16] == archived; !f.archived || entries != f.entries {
		clear(f.windows) // what was read before may have been written since
	}
	f.entries, f.size = entries, uint64(size)
	if f.array == 0 {
		f.array, f.first, f.room = le64(h[176:]), 0, 0
	}
	return nil
}

// Refresh makes readable what was written since.
func (f *File) Refresh() error {
	h := make([]byte, headerSize)
	if _, err := f.r.ReadAt(h, 0); err != nil {
		return fmt.Errorf("refresh journal %s: %w", f.name, err)
	}
	size := int64(f.size)
	if s, ok := f.r.(interface{ Stat() (os.FileInfo, error) }); ok {
		info, err := s.Stat()
		if err != nil {
			return fmt.Errorf("refresh journal %s: %w", f.name, err)
		}
		size = info.Size()
	}
	return f.look(h, size)
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// Skip goes to entry n, counted from 0.
func (f *File) Skip(n int64) {
	if n < f.first {
		f.array, f.first, f.room = 0, 0, 0
	}
	f.n = n
}

// Next returns the next entry, io.EOF when there is none yet, or a *Damage; then
// the entry after it comes next.
func (f *File) Next() (Entry, error) {
	if f.n >= f.entries {
		return Entry{}, io.EOF
	}
	at, err := f.locate(f.n)
	if err != nil {
		d := &Damage{f.name, f.n, f.entries - f.n, err}
		f.n = f.entries
		return Entry{}, d
	}
	f.n++
	e, err := f.entry(at)
	if err != nil {
		return Entry{}, &Damage{f.name, f.n - 1, 1, err}
	}
	return e, nil
}

// locate returns where entry n stands, by the chain of arrays of entries.
func (f *File) locate(n int64) (uint64, error) {
	if f.array == 0 {
		h, err := f.bytes(176, 8)
		if err != nil {
			return 0, err
		}
		f.array, f.first, f.room = le64(h), 0, 0
	}
	for {
		size, head, err := f.object(f.array, objectEntryArray, arrayStart)
		if err != nil {
			return 0, fmt.Errorf("array of entries: %w", err)
		}
		f.room = int64(size-arrayStart) / f.itemSize()
		if f.room == 0 {
			return 0, fmt.Errorf("array of entries at %d is empty", f.array)
		}
		if n < f.first+f.room {
			item, err := f.bytes(f.array+arrayStart+uint64((n-f.first)*f.itemSize()), uint64(f.itemSize()))
			if err != nil {
				return 0, err
			}
			return f.offset(item), nil
		}
		next := le64(head[16:])
		if next <= f.array { // they are written one after the other
			return 0, fmt.Errorf("array of entries at %d is followed by %d", f.array, next)
		}
		f.array, f.first = next, f.first+f.room
	}
}

func (f *File) itemSize() int64 {
	if f.compact {
		return 4
	}
	return 8
}

func (f *File) offset(item []byte) uint64 {
	if f.compact {
		return uint64(le32(item))
	}
	return le64(item)
}

// object checks the head of an object, and returns its size and its first min
// bytes.
func (f *File) object(at uint64, kind byte, min uint64) (uint64, []byte, error) {
	if at%8 != 0 || at < f.header {
		return 0, nil, fmt.Errorf("no object can stand at %d", at)
	}
	head, err := f.bytes(at, min)
	if err != nil {
		return 0, nil, err
	}
	size := le64(head[8:])
	if head[0] != kind || size < min || size > f.size || at > f.size-size {
		return 0, nil, fmt.Errorf("object at %d is of type %d and %d bytes, want type %d", at, head[0], size, kind)
	}
	return size, head, nil
}

// entry reads the entry at at.
func (f *File) entry(at uint64) (Entry, error) {
	size, head, err := f.object(at, objectEntry, entryStart)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Seqnum: le64(head[16:]), Realtime: le64(head[24:]), Monotonic: le64(head[32:])}
	copy(e.Boot[:], head[40:])
	step := uint64(16)
	if f.compact {
		step = 4
	}
	count := (size - entryStart) / step
	if count > maxItems {
		return Entry{}, fmt.Errorf("entry at %d has %d fields", at, count)
	}
	items, err := f.bytes(at+entryStart, count*step)
	if err != nil {
		return Entry{}, err
	}
	e.Fields = make([]Field, 0, count)
	for i := uint64(0); i < count; i++ {
		o := f.offset(items[i*step:])
		if o == 0 { // journald leaves out what it could not store
			continue
		}
		field, err := f.data(o)
		if err != nil {
			return Entry{}, err
		}
		e.Fields = append(e.Fields, field)
	}
	return e, nil
}

// bytes reads, through windows: objects lie close together.
func (f *File) bytes(at, n uint64) ([]byte, error) {
	if n > f.size || at > f.size-n {
		return nil, fmt.Errorf("%d bytes at %d are outside of the file", n, at)
	}
	base := at &^ (windowSize - 1)
	if at+n > base+windowSize {
		b := make([]byte, n)
		if _, err := f.r.ReadAt(b, int64(at)); err != nil {
			return nil, fmt.Errorf("read at %d: %w", at, err)
		}
		return b, nil
	}
	w, ok := f.windows[base]
	if !ok {
		if len(f.windows) >= windowsKept {
			clear(f.windows)
		}
		w = make([]byte, windowSize)
		got, err := f.r.ReadAt(w, int64(base))
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read at %d: %w", at, err)
		}
		w = w[:got]
		f.windows[base] = w
	}
	if at-base+n > uint64(len(w)) {
		return nil, fmt.Errorf("%d bytes at %d are outside of the file", n, at)
	}
	return w[at-base : at-base+n], nil
}

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
