package journal_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kakusho/door/journal"
)

// said is one entry as journalctl says it: name to values, sorted.
type said struct {
	cursor string
	fields map[string][]string
}

// journalctl reads a folder or file with the program of systemd.
func journalctl(t *testing.T, where ...string) []said {
	t.Helper()
	out, err := exec.Command("journalctl", append(where, "-o", "json", "--all", "--no-pager", "-q")...).Output()
	if err != nil {
		t.Fatalf("journalctl: %v", err)
	}
	var all []said
	d := json.NewDecoder(bytes.NewReader(out))
	for d.More() {
		var m map[string]any
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		s := said{fields: map[string][]string{}}
		for name, v := range m {
			switch {
			case name == "__CURSOR":
				s.cursor = v.(string)
			case strings.HasPrefix(name, "__"):
			default:
				s.fields[name] = values(v)
			}
		}
		all = append(all, s)
	}
	return all
}

// values undoes the forms of JSON: text, an array of bytes, or an array of these.
func values(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		if _, bytes := v[0].(float64); bytes {
			var b strings.Builder
			for _, n := range v {
				b.WriteByte(byte(n.(float64)))
			}
			return []string{b.String()}
		}
		var all []string
		for _, x := range v {
			all = append(all, values(x)...)
		}
		slices.Sort(all)
		return all
	}
	return nil
}

func ours(e journal.Entry) map[string][]string {
	m := map[string][]string{}
	for _, f := range e.Fields {
		m[f.Name] = append(m[f.Name], string(f.Value))
		if f.Bad {
			m[f.Name] = append(m[f.Name], "not what its hash says")
		}
	}
	for _, v := range m {
		slices.Sort(v)
	}
	return m
}

// drain reads a folder to its end.
func drain(t *testing.T, d *journal.Folder) (all []journal.Entry, lost int64) {
	t.Helper()
	for {
		entries, gone, more, err := d.Read(777)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entries...)
		for _, l := range gone {
			lost += l.Count
		}
		if !more {
			return all, lost
		}
	}
}

func same(t *testing.T, got []journal.Entry, want []said) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries, journalctl has %d", len(got), len(want))
	}
	for i, e := range got {
		mark := fmt.Sprintf(";i=%x;b=%s;m=%x;t=%x;", e.Seqnum, e.Boot, e.Monotonic, e.Realtime)
		if !strings.Contains(want[i].cursor, mark) {
			t.Fatalf("entry %d: %s is not in journalctl's cursor %s", i, mark, want[i].cursor)
		}
		if a, b := fmt.Sprint(ours(e)), fmt.Sprint(want[i].fields); a != b {
			t.Fatalf("entry %d:\n%.2000s\njournalctl:\n%.2000s", i, a, b)
		}
	}
}

// load sends entries of all shapes.
func load(j *journald, from, n int) {
	r := rand.New(rand.NewPCG(uint64(from), 7))
	for i := from; i < from+n; i++ {
		text := "番号 " + strconv.Itoa(i) + " logged in"
		switch i % 20 {
		case 3:
			text += strings.Repeat(" 長い文", r.IntN(3000)) // packed
		case 5:
			text += "\x00\xff\x82\xa0" + strconv.Itoa(i) // not UTF-8
		case 7:
			text = "two\nlines " + strconv.Itoa(i)
		}
		fields := []string{"MESSAGE", text, "PRIORITY", strconv.Itoa(r.IntN(8)), "TEST", "yes", "NUMBER", strconv.Itoa(i)}
		if i%20 == 9 {
			fields = append(fields, "MANY", "one", "MANY", "two", "MANY", "three")
		}
		j.send(fields...)
	}
}

func TestEveryEntryReadsAsJournalctlReadsIt(t *testing.T) {
	for _, c := range []struct {
		name string
		env  string
	}{
		{"not compact", "SYSTEMD_JOURNAL_COMPACT=0"},
		{"compact", "SYSTEMD_JOURNAL_COMPACT=1"},
		{"hashes without a key", "SYSTEMD_JOURNAL_KEYED_HASH=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := startJournald(t, "", c.env)
			j.start(true)
			load(j, 0, 2000)
			j.wait(j.logs(), "TEST=yes", 2000)
			j.signal(rotate)
			load(j, 2000, 1000)
			j.wait(j.logs(), "TEST=yes", 3000)
			j.stop()
			d := journal.OpenFolder([]string{j.logs()}, nil, false)
			defer d.Close()
			got, lost := drain(t, d)
			if lost != 0 {
				t.Errorf("%d entries said to be lost", lost)
			}
			same(t, got, journalctl(t, "-D", j.logs()))
		})
	}
}
