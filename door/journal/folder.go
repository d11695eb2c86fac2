package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Place is how far folders were read. It is kept as JSON.
type Place struct {
	Files map[string]int64  `json:"files"` // entries taken of a file, by its ID
	Lines map[string]*Count `json:"lines"` // by the ID of the line of numbers
}

// Count follows one line of numbers: journald numbers entries over all files of a
// rotation, so a number that never comes is an entry that was lost.
type Count struct {
	Base     uint64 `json:"base"` // numbers up to here are not ours
	Last     uint64 `json:"last"`
	Seen     uint64 `json:"seen"`
	Reported uint64 `json:"reported,omitempty"` // missing ones that were reported
	Boot     ID     `json:"boot"`               // of the last entry
	Mono     uint64 `json:"mono"`
}

func (c *Count) missing() uint64 { return c.Last - c.Base - c.Seen }

// maxRead is how many bytes of fields one Read ends after.
const maxRead = 1 << 20

// Folder reads all journal files of some folders as one.
type Folder struct {
	dirs   []string
	place  Place
	files  []*member
	settle map[string]uint64 // missing numbers at the last look, by line
	fresh  bool              // no place: decide by skip where a file begins
	skip   bool
	fault  error // last reason for not reading a file
}

// member is a file of a folder.
type member struct {
	path  string
	file  *File // nil: read to its end, and closed for ever
	id    ID
	line  ID // of its numbers
	inode uint64
	mtime int64
	head  *Entry // read and not yet taken
	gone  bool   // from the folder
}

// OpenFolder begins at a place; with none at the beginning, or with onlyNew at the
// end of what is there.
func OpenFolder(dirs []string, place *Place, onlyNew bool) *Folder {
	d := &Folder{dirs: dirs, settle: map[string]uint64{}}
	if place == nil {
		d.fresh, d.skip = true, onlyNew
	} else {
		d.place = *place
	}
	if d.place.Files == nil {
		d.place.Files = map[string]int64{}
	}
	if d.place.Lines == nil {
		d.place.Lines = map[string]*Count{}
	}
	return d
}

// Place is how far the folder was read, as JSON.
func (d *Folder) Place() []byte {
	b, _ := json.Marshal(d.place) // maps of numbers cannot fail
	return b
}

// Close closes the files.
func (d *Folder) Close() {
	for _, m := range d.files {
		if m.file != nil {
			m.file.Close()
		}
	}
	d.files = nil
}

// Lost is entries that are known to be gone.
type Lost struct {
	Count int64
	Why   string
}

// Read returns the entries that come next, at most max of about 1 MiB, and whether
// there are more. An error means that some file could not be read this time; the
// entries of the others are there.
func (d *Folder) Read(max int) (out []Entry, lost []Lost, more bool, err error) {
	d.fault = nil
	d.scan()
	for size := 0; len(out) < max && size < maxRead; {
		m := d.lowest(&lost)
		if m == nil {
			lost = append(lost, d.gaps()...)
			d.forget()
			return out, lost, false, d.fault
		}
		e := *m.head
		m.head = nil
		d.place.Files[m.id.String()]++
		if d.take(m.line, e) {
			out = append(out, e)
			size += e.size()
		}
	}
	return out, lost, true, d.fault
}

// take counts an entry, and says whether it is new: when the journal moves from /run
// to /var at boot, journald copies what is there under new numbers.
func (d *Folder) take(line ID, e Entry) bool {
	id := line.String()
	c := d.place.Lines[id]
	if c == nil {
		c = &Count{Base: e.Seqnum - 1, Last: e.Seqnum - 1}
		d.place.Lines[id] = c
	}
	if e.Seqnum > c.Base {
		c.Seen++
		c.Last = max(c.Last, e.Seqnum)
	}
	for other, o := range d.place.Lines {
		if other != id && o.Boot == e.Boot && e.Monotonic <= o.Mono {
			return false
		}
	}
	if c.Boot != e.Boot || e.Monotonic > c.Mono {
		c.Boot, c.Mono = e.Boot, e.Monotonic
	}
	return true
}

// gaps reports numbers that are missing and were missing already at the last look:
// between two looks at two files an entry may have come to the first.
func (d *Folder) gaps() []Lost {
	var out []Lost
	for id, c := range d.place.Lines {
		missing := c.missing()
		if missing > c.Reported && missing == d.settle[id] {
			out = append(out, Lost{int64(missing - c.Reported), "journal entries were removed before they could be read"})
			c.Reported = missing
		}
		d.settle[id] = missing
	}
	return out
}

// lowest returns the file whose next entry comes first, or nil.
func (d *Folder) lowest(lost *[]Lost) *member {
	var best *member
	for _, m := range d.files {
		if m.file != nil && d.fill(m, lost) && (best == nil || before(m, best)) {
			best = m
		}
	}
	return best
}

func before(a, b *member) bool {
	if a.file.line == b.file.line {
		return a.head.Seqnum < b.head.Seqnum
	}
	return a.head.Realtime < b.head.Realtime
}

// fill reads the next entry of a file, past those that are damaged.
func (d *Folder) fill(m *member, lost *[]Lost) bool {
	for m.head == nil {
		e, err := m.file.Next()
		var damage *Damage
		switch {
		case err == nil:
			m.head = &e
		case errors.As(err, &damage):
			d.fault = err
			d.place.Files[m.id.String()] += damage.Entries
			*lost = append(*lost, Lost{damage.Entries, "journal entries are damaged in " + filepath.Base(m.file.name)})
			if c := d.place.Lines[m.file.line.String()]; c != nil {
				c.Reported += uint64(damage.Entries) // their numbers will be missing too
			}
		case err == io.EOF:
			if m.file.archived || m.gone {
				m.file.Close()
				m.file = nil
			}
			return false
		default:
			d.fault = err
			return false
		}
	}
	return true
}

// scan looks which files there are now, and how long they are.
func (d *Folder) scan() {
	for _, dir := range d.dirs {
		list, err := os.ReadDir(dir)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				d.fault = fmt.Errorf("read journal folder: %w", err)
			}
			continue
		}
		for _, m := range d.files {
			m.gone = m.gone || filepath.Dir(m.path) == dir
		}
		for _, e := range list {
			if name := e.Name(); strings.HasSuffix(name, ".journal") || strings.HasSuffix(name, ".journal~") {
				d.meet(filepath.Join(dir, name), e)
			}
		}
	}
	for _, m := range d.files {
		if m.file == nil {
			continue
		}
		if err := m.file.Refresh(); err != nil {
			d.fault = err
		}
	}
	d.fresh = false
}

// meet looks at one name in a folder: a file we know, perhaps under a new name, or
// one that is new.
func (d *Folder) meet(path string, e fs.DirEntry) {
	info, err := e.Info()
	if err != nil || !info.Mode().IsRegular() {
		return // gone since
	}
	var inode uint64
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	mtime := info.ModTime().UnixNano()
	for _, m := range d.files {
		if m.inode == inode && filepath.Dir(m.path) == filepath.Dir(path) && (m.file != nil || m.mtime == mtime) {
			m.path, m.gone, m.mtime = path, false, mtime
			return
		}
	}
	f, err := Open(path)
	if err != nil {
		if info.Size() > 0 && !errors.Is(err, fs.ErrNotExist) {
			d.fault = err
		}
		return
	}
	d.begin(&member{path: path, file: f, id: f.id, line: f.line, inode: inode, mtime: mtime})
}

// begin sets a new file to where it is read from.
func (d *Folder) begin(m *member) {
	for _, known := range d.files {
		if known.id == m.id && !known.gone { // a copy
			m.file.Close()
			m.file = nil
		}
	}
	d.files = append(d.files, m)
	if m.file == nil {
		return
	}
	n, ok := d.place.Files[m.id.String()]
	if !ok && d.fresh && d.skip {
		n = m.file.entries
		d.passOver(m.file)
	}
	d.place.Files[m.id.String()] = n
	m.file.Skip(n)
}

// passOver lets the count of numbers begin behind a file that is not read.
func (d *Folder) passOver(f *File) {
	if f.entries == 0 {
		return
	}
	f.Skip(f.entries - 1)
	e, err := f.Next()
	if err != nil {
		return
	}
	id := f.line.String()
	if c := d.place.Lines[id]; c == nil || c.Last < e.Seqnum {
		d.place.Lines[id] = &Count{Base: e.Seqnum, Last: e.Seqnum, Boot: e.Boot, Mono: e.Monotonic}
	}
}

// forget drops what is gone and read to its end.
func (d *Folder) forget() {
	d.files = slices.DeleteFunc(d.files, func(m *member) bool { return m.gone && m.file == nil })
	if d.fault != nil {
		return // what cannot be read now may be readable again
	}
	files := map[string]bool{}
	for _, m := range d.files {
		files[m.id.String()] = true
	}
	maps.DeleteFunc(d.place.Files, func(id string, _ int64) bool { return len(files) > 0 && !files[id] })
	if len(d.place.Lines) > 16 {
		lines := map[string]bool{}
		for _, m := range d.files {
			lines[m.line.String()] = true
		}
		maps.DeleteFunc(d.place.Lines, func(id string, _ *Count) bool { return !lines[id] })
	}
}
