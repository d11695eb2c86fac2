package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kakusho/kind"
	"kakusho/trail"
	"kakusho/verdict"
)

// TestMain lets this test binary be the command kakusho in the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kakusho": main})
}

// TestScripts runs testdata/*.txtar with the real program. Besides testscript's
// own commands they have those below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("KAKUSHO_LANG", "en")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "serves": serves, "flip": flip, "prove": proves, "witnesses": witnesses, "grows": grows, "refused": refused, "paper": paper, "occupy": occupy,
			"asnobody": asNobody, "clauses": checkClauses, "verdicts": checkVerdicts, "oscal": checkOSCAL, "mentions": mentions,
		},
	})
}

// exits STATUS PROGRAM [ARG…]: the program ends with exactly this status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := statusOf(ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func statusOf(err error) int {
	var e *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.ExitCode()
	}
	return -1
}

// serves DATA: the program serves a page from this folder, ends at SIGTERM with
// status 0, and its log names no token.
func serves(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serves DATA")
	}
	exe, err := exec.LookPath("kakusho")
	ts.Check(err)
	cmd := exec.Command(exe, "serve", "--data", ts.MkAbs(args[0]), "--listen", "127.0.0.1:0", "--interval", "-1s")
	cmd.Env = append(os.Environ(), "KAKUSHO_LANG=en")
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	base, setup := "", ""
	address := regexp.MustCompile(`http://[0-9.:]+`)
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "an invented body") {
		base = cmpOr(base, address.FindString(lines.Text()))
		if _, token, ok := strings.Cut(lines.Text(), "token="); ok {
			setup = strings.TrimSpace(token)
		}
	}
	r, err := http.Get(base + "/login")
	if err != nil || r.StatusCode != http.StatusOK {
		cmd.Process.Kill()
		ts.Fatalf("first page of %q: %v\n%s", base, err, log.String())
	}
	r.Body.Close()
	ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	_, err = io.Copy(io.Discard, out)
	ts.Check(err)
	if status := statusOf(cmd.Wait()); status != 0 {
		ts.Fatalf("ended with status %d\n%s", status, log.String())
	}
	if setup == "" || strings.Contains(log.String(), setup) {
		ts.Fatalf("the one-time link is %q and must not stand in the log:\n%s", setup, log.String())
	}
	fmt.Fprintln(ts.Stdout(), base)
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// flip FILE OFFSET: one bit of the file is another; a negative offset counts from
// the end.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	name := ts.MkAbs(args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(name, b, 0o600))
}

// proves DATA SEQ FILE: the proof of an entry, as the page hands it out.
func proves(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: prove DATA SEQ FILE")
	}
	seq, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	log, err := trail.Open(filepath.Join(ts.MkAbs(args[0]), "trail"), trail.Options{Now: time.Now})
	ts.Check(err)
	proof, err := log.Prove(context.Background(), seq)
	ts.Check(errors.Join(err, log.Close()))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), proof, 0o600))
}

// occupy VARIABLE: somebody else listens; his address is in the variable.
func occupy(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv(args[0], ln.Addr().String())
}

// asnobody STATUS FOLDER ARG…: kakusho runs as uid 65534 in a copy of FOLDER, for
// which "ROOT" stands in the arguments, and ends with this status. A script
// that is not run by root says so by its condition.
func asNobody(ts *testscript.TestScript, neg bool, args []string) {
	dir, err := os.MkdirTemp("/tmp", "kakusho-nobody-*")
	ts.Check(err)
	ts.Defer(func() { os.RemoveAll(dir) })
	ts.Check(os.Chmod(dir, 0o755))
	self, err := os.ReadFile("/proc/self/exe")
	ts.Check(err)
	exe, root := filepath.Join(dir, "kakusho"), filepath.Join(dir, "root")
	ts.Check(os.WriteFile(exe, self, 0o755))
	ts.Check(copyTree(ts.MkAbs(args[1]), root))
	rest := slices.Clone(args[2:])
	for i := range rest {
		if rest[i] == "ROOT" {
			rest[i] = root
		}
	}
	cmd := exec.Command(exe, rest...)
	cmd.Dir, cmd.Env = "/", []string{"KAKUSHO_LANG=en", "PATH=/usr/bin:/bin"}
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := statusOf(cmd.Run()); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// copyTree copies files with their modes: who may read what is what is tested.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			if err := os.MkdirAll(filepath.Join(to, rel), 0o755); err != nil {
				return err
			}
			return os.Chmod(filepath.Join(to, rel), 0o755)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, rel), b, 0o600); err != nil {
			return err
		}
		return os.Chmod(filepath.Join(to, rel), info.Mode().Perm())
	})
}

// clauses FILE: what "clauses --format json" promised to those who script it.
func checkClauses(ts *testscript.TestScript, neg bool, args []string) {
	var lines []struct {
		Clause     string
		Label      map[string]string
		Title      map[string]string
		Type       string
		Mechanisms []string
		Controls   []string
		Tests      []string
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &lines))
	obligations, subItems := 0, 0
	for _, l := range lines {
		if l.Label["ja"] == "" || l.Label["en"] == "" || l.Title["ja"] == "" || l.Title["en"] == "" || len(l.Mechanisms) == 0 {
			ts.Fatalf("clause %s lacks a label, a title or a mechanism: %+v", l.Clause, l)
		}
		switch l.Type {
		case "obligation":
			obligations++
			if len(l.Controls) == 0 || len(l.Tests) == 0 {
				ts.Fatalf("obligation %s has controls %v and %d tests, want at least one of each", l.Clause, l.Controls, len(l.Tests))
			}
		case "sub-item":
			subItems++
		}
	}
	if obligations != 73 || subItems != 20 {
		ts.Fatalf("%d obligations and %d sub-items, want 73 and 20", obligations, subItems)
	}
}

// verdicts FILE: what "check --format json" promised.
func checkVerdicts(ts *testscript.TestScript, neg bool, args []string) {
	var report struct {
		Clauses  []struct{ Clause, Outcome string }
		Verdicts []map[string]json.RawMessage
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &report))
	if len(report.Verdicts) == 0 || len(report.Clauses) < 73 {
		ts.Fatalf("%d verdicts of %d clauses", len(report.Verdicts), len(report.Clauses))
	}
	for _, v := range report.Verdicts {
		for _, key := range []string{"clause", "control", "subject", "outcome", "reasons", "evidence", "since", "next_change"} {
			if _, ok := v[key]; !ok {
				ts.Fatalf("a verdict of %s lacks %q", v["control"], key)
			}
		}
		var outcome verdict.Outcome
		ts.Check(json.Unmarshal(v["outcome"], &outcome))
		if !outcome.Valid() || outcome == verdict.Error {
			ts.Fatalf("%s says %q", v["control"], outcome)
		}
		var evidence []struct {
			Source     string
			ObservedAt time.Time `json:"observed_at"`
			Digest     string
			Status     string
		}
		ts.Check(json.Unmarshal(v["evidence"], &evidence))
		for _, e := range evidence {
			if e.Digest == "" || e.Status == "observed" && (e.Source == "" || e.ObservedAt.IsZero()) {
				ts.Fatalf("%s: evidence %+v lacks source, instant or digest", v["control"], e)
			}
		}
		var reasons []map[string]any
		ts.Check(json.Unmarshal(v["reasons"], &reasons))
		if len(reasons) == 0 {
			ts.Fatalf("%s of %s gives no reason", v["control"], v["subject"])
		}
	}
}

// oscal FILE: an OSCAL 1.1.2 assessment-results document in its outline.
func checkOSCAL(ts *testscript.TestScript, neg bool, args []string) {
	var doc struct {
		Results struct {
			UUID     string
			Metadata map[string]any
			ImportAP map[string]string `json:"import-ap"`
			Results  []struct {
				UUID     string
				Start    time.Time
				Reviewed map[string]any `json:"reviewed-controls"`
				Findings []struct {
					UUID   string
					Target struct {
						ID     string `json:"target-id"`
						Status struct{ State string }
					}
					Related []struct {
						UUID string `json:"observation-uuid"`
					} `json:"related-observations"`
				}
				Observations []struct{ UUID string }
			}
		} `json:"assessment-results"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &doc))
	seen := map[string]bool{}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	note := func(id string) {
		if !uuid.MatchString(id) || seen[id] {
			ts.Fatalf("identifier %q is no UUID or stands twice", id)
		}
		seen[id] = true
	}
	note(doc.Results.UUID)
	if len(doc.Results.Results) != 1 || doc.Results.Metadata["oscal-version"] == "" || doc.Results.ImportAP["href"] == "" {
		ts.Fatalf("not an assessment-results document: %+v", doc.Results.Metadata)
	}
	r := doc.Results.Results[0]
	note(r.UUID)
	for _, o := range r.Observations {
		note(o.UUID)
	}
	token := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9._-]*$`)
	for _, f := range r.Findings {
		note(f.UUID)
		if !token.MatchString(f.Target.ID) || f.Target.Status.State != "satisfied" && f.Target.Status.State != "not-satisfied" {
			ts.Fatalf("finding %+v", f.Target)
		}
		for _, o := range f.Related {
			if !seen[o.UUID] {
				ts.Fatalf("finding %s names observation %s, which is not there", f.Target.ID, o.UUID)
			}
		}
	}
	if len(r.Findings) < 73 || len(r.Observations) == 0 {
		ts.Fatalf("%d findings, %d observations", len(r.Findings), len(r.Observations))
	}
}

// mentions FILE CONTROL OUTCOME [TEXT]: the JSON report has this outcome of the
// control, with TEXT in a reason. "-" as CONTROL: OUTCOME is what no verdict may be
// that rests on what could not be looked at, of which there is one.
func mentions(ts *testscript.TestScript, neg bool, args []string) {
	var report struct {
		Verdicts []struct {
			verdict.Verdict
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &report))
	computer, found, denied := kind.Default()["computer"], false, 0
	for _, v := range report.Verdicts {
		raw, err := json.Marshal(v.Reasons)
		ts.Check(err)
		if args[1] == v.Control {
			found = true
			if string(v.Outcome) != args[2] || len(args) > 3 && !strings.Contains(string(raw), args[3]) {
				ts.Fatalf("%s says %s: %s", v.Control, v.Outcome, raw)
			}
		}
		for _, e := range v.Evidence {
			if f, ok := computer.Field(e.Fact); args[1] == "-" && ok && f.In(kind.Observed) && e.Status == "denied" {
				denied++
				if string(v.Outcome) == args[2] {
					ts.Fatalf("%s says %s of what could not be looked at: %s", v.Control, v.Outcome, raw)
				}
			}
		}
	}
	if args[1] == "-" && denied == 0 || args[1] != "-" && !found {
		ts.Fatalf("%s has no verdict of %s", args[0], args[1])
	}
}
