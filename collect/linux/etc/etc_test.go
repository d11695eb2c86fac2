package etc_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/etc"
)

func TestAssignmentsUndoShellQuoting(t *testing.T) {
	const text = `# comment
A=plain
B="with spaces # kept"
C='single $HOME \n'
D="esc \" \$ \\ \n"
E=a\ b
export F=exported
G=cut here
H=
A=again
no assignment
9X=bad
I="open
`
	got, faults := etc.Assignments("/etc/x", []byte(text))
	want := map[string]string{"A": "again", "B": "with spaces # kept", "C": `single $HOME \n`, "D": `esc " $ \ \n`, "E": "a b", "F": "exported", "G": "cut", "H": ""}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if s := fmt.Sprint(faults); s != "[malformed: /etc/x:11: no assignment malformed: /etc/x:12: no assignment malformed: /etc/x:13: quote not closed]" {
		t.Errorf("faults %s", s)
	}
}

func TestWordsTakeTheLastOfAKey(t *testing.T) {
	got := etc.Words([]byte("# UID_MIN 1\nUID_MIN\t 500\n  UID_MIN 1000  \nSU_NAME \"su x\"\nBARE\n"))
	want := map[string]string{"UID_MIN": "1000", "SU_NAME": "su x", "BARE": ""}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestINIKeepsOrderAndLines(t *testing.T) {
	got := etc.INI([]byte("top=1\n[ a ]\nk = v = w\n;c\n#c\nnothing\n[b]\nk=\n"))
	want := []etc.Entry{{"", "top", "1", 1}, {"a", "k", "v = w", 3}, {"b", "k", "", 8}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestDropInsOfAnEarlierFolderHideTheirNamesakes(t *testing.T) {
	l := fixture.Host(t, "-- etc/x.d/20.conf --\n-- usr/x.d/10.conf --\n-- usr/x.d/20.conf --\n-- usr/x.d/30.txt --\n-- usr/x.d/sub.conf/ --\n").Look()
	got, err := etc.DropIns(l, ".conf", "/etc/x.d", "/run/x.d", "/usr/x.d")
	if err != nil || strings.Join(got, " ") != "/usr/x.d/10.conf /etc/x.d/20.conf" {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte("A=\"b\nC='\nD=\\"))
	f.Add([]byte("[x]\ny=z\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := etc.Assignments("f", b)
		for k := range m {
			if strings.ContainsAny(k, "= \n") {
				t.Errorf("key %q", k)
			}
		}
		etc.Words(b)
		for _, e := range etc.INI(b) {
			if e.Line < 1 || strings.Contains(e.Key, "=") {
				t.Errorf("entry %v", e)
			}
		}
	})
}
