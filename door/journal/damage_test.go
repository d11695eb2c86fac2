package journal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kakusho/door/journal"
)

// readAll reads what can be read of a file, and counts what cannot.
func readAll(path string) (entries, damaged int64, err error) {
	f, err := journal.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for {
		e, err := f.Next()
		var d *journal.Damage
		switch {
		case err == io.EOF:
			return entries, damaged, nil
		case errors.As(err, &d):
			damaged += d.Entries
		case err != nil:
			return entries, damaged, err
		default:
			entries++
			e.Event()
		}
	}
}

func TestADamagedFileGivesWhatIsLeftOfIt(t *testing.T) {
	j := startJournald(t, "")
	j.start(true)
	load(j, 0, 300)
	j.wait(j.logs(), "TEST=yes", 300)
	j.stop()
	whole, err := os.ReadFile(filepath.Join(j.logs(), "system.journal"))
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndexFunc(whole, func(r rune) bool { return r != 0 })
	path := filepath.Join(t.TempDir(), "a.journal")
	os.WriteFile(path, whole, 0o644)
	want, _, _ := readAll(path)
	var lost, refused int
	for range 120 {
		b := bytes.Clone(whole)
		for range 1 + rand.IntN(4) {
			b[rand.IntN(end)] ^= 1 << rand.IntN(8)
		}
		if rand.IntN(4) == 0 {
			b = b[:rand.IntN(len(b))]
		}
		os.WriteFile(path, b, 0o644)
		entries, damaged, err := readAll(path)
		switch {
		case err != nil:
			refused++
		case damaged > 0:
			lost++
		}
		if err == nil && entries+damaged > want+int64(len(b)) {
			t.Fatalf("%d entries and %d damaged of %d", entries, damaged, want)
		}
	}
	t.Logf("of 120 damaged files %d were refused and %d had entries that could not be read", refused, lost)
}

func TestAChangedValueIsTold(t *testing.T) {
	j := startJournald(t, "")
	j.start(true)
	load(j, 0, 40)
	j.wait(j.logs(), "TEST=yes", 40)
	j.stop()
	path := filepath.Join(j.logs(), "system.journal")
	b, _ := os.ReadFile(path)
	told := func() (all []string) {
		os.WriteFile(path, b, 0o644)
		d := journal.OpenFolder([]string{j.logs()}, nil, false)
		defer d.Close()
		entries, _ := drain(t, d)
		for _, e := range entries {
			if bad := e.Event().Fields["damaged"]; bad != "" {
				all = append(all, bad+" of "+e.Event().Fields["NUMBER"])
			}
		}
		return all
	}
	if got := told(); len(got) != 0 {
		t.Fatalf("of a whole file: %v", got)
	}
	b[bytes.Index(b, []byte("MESSAGE=番号 22 logged in"))+len("MESSAGE=番号 22 logged")] = '_'
	if got := told(); len(got) != 1 || got[0] != "MESSAGE of 22" {
		t.Errorf("of a changed one: %v", got)
	}
}

func FuzzFile(f *testing.F) {
	f.Add(smallFile(false, 1, 1))
	f.Add(smallFile(true, 1, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := journal.Read("fuzz", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for range 10_000 {
			e, err := file.Next()
			if err == io.EOF {
				return
			}
			if err == nil {
				e.Event()
			}
		}
	})
}

// smallFile is a journal of two entries with one field each, numbered from first.
func smallFile(compact bool, first, step int) []byte {
	b := make([]byte, 208)
	copy(b, "LPKSHHRH")
	b[24] = byte(first) // its ID
	put := func(at int, v uint64) { binary.LittleEndian.PutUint64(b[at:], v) }
	start, item := 64, 16
	if compact {
		b[12], start, item = 16, 72, 4
	}
	object := func(kind byte, size int) int {
		at := len(b)
		b = append(b, make([]byte, (size+7)/8*8)...)
		b[at] = kind
		put(at+8, uint64(size))
		return at
	}
	number := func(at, v int) {
		if compact {
			binary.LittleEndian.PutUint32(b[at:], uint32(v))
		} else {
			put(at, uint64(v))
		}
	}
	put(88, 208)
	put(152, 2)
	array := object(6, 24+2*8)
	put(176, uint64(array))
	for i := range 2 {
		value := "MESSAGE=" + strings.Repeat("x", i+1)
		data := object(1, start+len(value))
		copy(b[data+start:], value)
		entry := object(3, 64+item)
		put(entry+16, uint64(first+i*step))
		put(entry+24, 1_700_000_000_000_000)
		number(entry+64, data)
		number(array+24+i*map[bool]int{false: 8, true: 4}[compact], entry)
	}
	return b
}

func TestASmallFileMadeByHandIsRead(t *testing.T) {
	for _, compact := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "a.journal")
		os.WriteFile(path, smallFile(compact, 1, 1), 0o644)
		if n, damaged, err := readAll(path); n != 2 || damaged != 0 || err != nil {
			t.Errorf("compact %v: %d entries, %d damaged, %v", compact, n, damaged, err)
		}
	}
}

// journald numbers entries over several files, and between our looks at two of them
// an entry may come to the first: that is no loss, unless it stays away.
func TestANumberThatComesLateIsNotLost(t *testing.T) {
	for _, late := range []bool{true, false} {
		dir := t.TempDir()
		os.WriteFile(filepath.Join(dir, "a.journal"), smallFile(false, 1, 3), 0o644) // 1 and 4
		d := journal.OpenFolder([]string{dir}, nil, false)
		defer d.Close()
		_, lost := drain(t, d)
		if late {
			os.WriteFile(filepath.Join(dir, "b.journal"), smallFile(false, 2, 1), 0o644) // 2 and 3
		}
		for range 3 {
			_, more := drain(t, d)
			lost += more
		}
		if want := map[bool]int64{true: 0, false: 2}[late]; lost != want {
			t.Errorf("late %v: %d lost, want %d", late, lost, want)
		}
	}
}
