package linux_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/linux"
	"kakusho/fact"
	"kakusho/kind"
)

func groups(k kind.Kind) []string {
	var out []string
	for _, f := range k.Layer(kind.Observed) {
		if !slices.Contains(out, f.Group) {
			out = append(out, f.Group)
		}
	}
	slices.Sort(out)
	return out
}

func TestEveryGroupHasOneCollector(t *testing.T) {
	var got []string
	for _, c := range linux.Collectors() {
		got = append(got, c.Group)
		if c.Version == "" {
			t.Errorf("group %s: no version", c.Group)
		}
	}
	slices.Sort(got)
	if want := groups(kind.Default()["computer"]); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// run collects everything and checks every batch before Run mends it.
func run(t *testing.T, h collect.Host) map[string]fact.Fact {
	t.Helper()
	k := kind.Default()["computer"]
	out := map[string]fact.Fact{}
	for _, b := range collect.Run(t.Context(), h, "computer/TEST", linux.Collectors(), nil) {
		if err := collect.Check(k, b); err != nil {
			t.Error(err)
		}
		for _, f := range b.Facts {
			out[f.Field] = f
			if strings.HasPrefix(f.Reason, "collector:") || strings.HasPrefix(f.Reason, "panic:") {
				t.Errorf("%s: %s", f.Field, f.Reason)
			}
		}
	}
	return out
}

func TestThisHost(t *testing.T) {
	start := time.Now()
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	got := run(t, fixture.Live())
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano())
	count := map[fact.Status]int{}
	for _, f := range got {
		count[f.Status]++
	}
	t.Logf("%d facts in %v, %v of CPU: %v", len(got), time.Since(start).Round(time.Millisecond), cpu.Round(time.Millisecond), count)
	if count[fact.Observed] == 0 {
		t.Error("nothing was observed")
	}
}

func TestThisHostAsNobody(t *testing.T) {
	fixture.AsNobody(t)
	got := run(t, fixture.Live())
	for field, f := range got {
		if f.Status == fact.Denied && !strings.HasPrefix(f.Reason, "permission") {
			t.Errorf("%s: denied for %q", field, f.Reason)
		}
	}
}

// A folder that is no host's, as a mistyped --root is, must not look like a host
// without faults.
func TestAFolderThatIsNoHost(t *testing.T) {
	for field, f := range run(t, fixture.Host(t, "-- x --\n")) {
		if f.Status != fact.Error || !strings.HasPrefix(f.Reason, "no host") {
			t.Errorf("%s: got %s %v %q", field, f.Status, f.Value, f.Reason)
		}
	}
}

func TestNothingIsChanged(t *testing.T) {
	h := fixture.Host(t, "-- etc/passwd --\nroot:x:0:0::/root:/bin/sh\n-- var/log/auth.log --\nx\n-- var/lib/dpkg/status --\n")
	list := func() string {
		var out []string
		err := filepath.WalkDir(h.Root, func(p string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			fi, err := d.Info()
			out = append(out, p+" "+fi.Mode().String()+" "+fi.ModTime().String())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, "\n")
	}
	before := list()
	run(t, h)
	if after := list(); before != after {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

// The collectors run no programs: the source of none may import os/exec.
func TestNoPrograms(t *testing.T) {
	gobin, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go tool here")
	}
	out, err := exec.Command(gobin, "list", "-f", "{{.ImportPath}} {{.Imports}}", "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "os/exec") || strings.Contains(line, " C ") {
			t.Errorf("imports os/exec or C: %s", line)
		}
	}
}
