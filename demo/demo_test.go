package demo_test

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/demo"
	"kakusho/directive/library"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/posture"
	"kakusho/register"
	"kakusho/server"
	"kakusho/server/events"
	"kakusho/server/fold"
	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/trail"
	"kakusho/verdict"
)

// at is a fixed day, so that a failure is the same for everybody.
var at = time.Date(2026, 11, 24, 15, 30, 0, 0, time.FixedZone("JST", 9*60*60))

func now() time.Time { return at }

var reader = actor.Actor{Person: "k0008", Assignments: []actor.Assignment{{Post: "P-KANSATSU", Duty: actor.Auditor, Scope: "*"}}}

func open(t *testing.T, dir string) *server.Server {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{Data: dir, Now: now, Interval: -1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(t *testing.T, s *server.Server) gate.Permit {
	t.Helper()
	p, err := s.Gate.Ask(t.Context(), gate.Request{Actor: reader, At: at, Action: gate.Read, Object: "page/test"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSample fills one sample and looks at it from every side.
func TestSample(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sample")
	var last, total int64
	began := time.Now()
	r, err := demo.Fill(t.Context(), dir, now, func(done, of int64) {
		if done < last || of <= 0 || done > of {
			t.Errorf("progress went from %d to %d of %d", last, done, of)
		}
		last, total = done, of
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d systems, %d devices, %d steps in %v", r.Systems, r.Devices, total, time.Since(began).Round(100*time.Millisecond))
	if r.Systems != 12 || r.Devices < 300 || last != total {
		t.Errorf("made %d systems and %d devices, progress ended at %d of %d; want 12, 300 or more, and the end", r.Systems, r.Devices, last, total)
	}

	s := open(t, dir)
	defer s.Close()
	t.Run("every planted fault is found and its sibling conforms", func(t *testing.T) { planted(t, s, at) })
	t.Run("the list on disk is the list in the code", func(t *testing.T) { listed(t, s, r.List) })
	t.Run("no rule fails, and most of the body conforms", func(t *testing.T) { standing(t, s) })
	t.Run("every directive judges the same evidence", func(t *testing.T) { rulebooks(t, s) })
	t.Run("every register has entries and every field of computers was seen", func(t *testing.T) { filled(t, s) })
	t.Run("events have come, and rules have found what they should", func(t *testing.T) { happened(t, s) })
	t.Run("a first login can be made", func(t *testing.T) { firstRun(t, s) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t.Run("the same day gives the same body", func(t *testing.T) { again(t, dir) })
	t.Run("the trail verifies", func(t *testing.T) { verifies(t, dir) })
	t.Run("the rows fold again to the same", func(t *testing.T) {
		diffs, err := fold.Refold(t.Context(), dir, "", true, now, nil)
		if err != nil || len(diffs) > 0 {
			t.Errorf("refold: %d differences, %v; want none: %.3v", len(diffs), err, diffs)
		}
	})
	t.Run("it is not filled twice", func(t *testing.T) {
		before := tree(t, dir)
		if _, err := demo.Fill(t.Context(), dir, now, nil); !errors.As(err, new(demo.Fault)) {
			t.Errorf("filling again: %v, want a Fault", err)
		}
		if after := tree(t, dir); !slices.Equal(before, after) {
			t.Errorf("filling again touched the folder:\n%v\n%v", before, after)
		}
	})
	t.Run("served, it stays what it is", func(t *testing.T) { served(t, dir) })
	t.Run("its events alone bring the facts that were planted", func(t *testing.T) { brought(t, dir) })
}

// raised is which rules have found something of which system, by what came.
func raised(t *testing.T, s *server.Server) (out []string) {
	t.Helper()
	page, err := s.Register.List(t.Context(), ask(t, s), register.Query{Kind: "alert", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		if e.Values["first_event"] != nil {
			out = append(out, fmt.Sprint(e.Values["system"], " ", e.Values["rule"], " ", e.Values["state"]))
		}
	}
	slices.Sort(out)
	return out
}

// happened: each source in service has sent something of every class that is expected
// of it, and nothing was found but what somebody did.
func happened(t *testing.T, s *server.Server) {
	want := []string{"BCAM audit_configuration_changed closed", "BCAM audit_stopped closed", "ENT log_store_failing open", "HR login_failures_from_source open",
		"HR password_spraying open", "INQ inquiries_in_bulk open", "INQ inquiry_at_night open"}
	if got := raised(t, s); !slices.Equal(got, want) {
		t.Errorf("rules found\n%q, want\n%q", got, want)
	}
	stand := s.Events.Standing(t.Context())
	if len(stand.Strangers) > 0 || !slices.Equal(stand.Silent, []string{"LS-NW-CS2", "LS-TRAF-S2"}) {
		t.Errorf("strangers %v, silent %v; want none, and the two that are", stand.Strangers, stand.Silent)
	}
	total := int64(0)
	for _, c := range stand.Feeds {
		total += c.Count
	}
	if total < 10_000 || total > 25_000 {
		t.Errorf("%d events, want ten to twenty-five thousand", total)
	}
	for name, l := range s.Events.Ingest.Trails() {
		if l.SealedLen() != l.Len() {
			t.Errorf("stream %s: %d of %d events are sealed", name, l.SealedLen(), l.Len())
		}
	}
}

// served runs the server on a sample of last month: what is old is not found again,
// nothing is moved and nothing of this machine comes in.
func served(t *testing.T, dir string) {
	before := open(t, dir)
	alerts, lens := raised(t, before), lengths(before)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Time{at.Add(10 * time.Minute), at.AddDate(0, 4, 0)} {
		ctx, stop := context.WithCancel(t.Context())
		s, err := server.New(ctx, server.Config{Data: dir, Listen: "127.0.0.1:0", Now: func() time.Time { return later }, Interval: -1, Log: slog.New(slog.DiscardHandler),
			Events: events.Config{Journal: true, SearchURL: "none"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(ctx, func(string, string) { time.AfterFunc(500*time.Millisecond, stop) }); err != nil {
			t.Fatal(err)
		}
		stop()
		s = open(t, dir)
		if got := raised(t, s); !slices.Equal(got, alerts) {
			t.Errorf("after serving it, rules have found %q, want as before %q", got, alerts)
		}
		if got := lengths(s); !maps.Equal(got, lens) {
			t.Errorf("after serving it, streams hold %v events, want %v", got, lens)
		}
		for name, l := range s.Events.Ingest.Trails() {
			packs, err := l.Packs()
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range packs {
				if p.State != trail.PackLocal {
					t.Errorf("pack %s of %s is %s after serving the sample", p.Name, name, p.State)
				}
			}
		}
		if later.Before(at.AddDate(0, 0, 1)) {
			planted(t, s, later)
		} else if v := verdictOf(t, s, "trail/source-arrives", "log-source/LS-TRAF-S1", later); v == verdict.Violates {
			t.Errorf("a sample is found silent for its age")
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func verdictOf(t *testing.T, s *server.Server, control, ref string, at time.Time) verdict.Outcome {
	t.Helper()
	st, err := s.Posture.Now(t.Context(), ask(t, s), at)
	if err != nil {
		t.Fatal(err)
	}
	sub, _ := st.Named(ref)
	for _, v := range sub.Verdicts() {
		if v.Control == control {
			return v.Outcome
		}
	}
	t.Fatalf("%s is not judged by %s", ref, control)
	return ""
}

func lengths(s *server.Server) map[string]int64 {
	out := map[string]int64{}
	for name, l := range s.Events.Ingest.Trails() {
		out[name] = l.Len()
	}
	return out
}

// brought takes the mark away, so that the server brings what came by every source as
// it does in earnest.
func brought(t *testing.T, dir string) {
	if err := os.Remove(filepath.Join(dir, server.DemoMark)); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	defer s.Close()
	if err := s.Events.Tend(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	planted(t, s, at)
}

// again fills a second sample in the evening of the same day, and compares what is
// declared.
func again(t *testing.T, dir string) {
	if testing.Short() {
		t.Skip("fills a second sample")
	}
	other := filepath.Join(t.TempDir(), "sample")
	evening := func() time.Time { return at.Add(6 * time.Hour) }
	if _, err := demo.Fill(t.Context(), other, evening, nil); err != nil {
		t.Fatal(err)
	}
	ours := []string{"unit/HQ", "post/FIRST", "person/admin", "assignment/FIRST-1"} // entered by firstRun
	first, second := declared(t, dir), declared(t, other)
	for ref, v := range first {
		if second[ref] != v && !slices.Contains(ours, ref) {
			t.Errorf("%s is %s in the afternoon and %s in the evening", ref, v, second[ref])
		}
	}
	if len(first)-len(ours) != len(second) || len(second) < 1000 {
		t.Errorf("%d entries and %d of the first set-up in the afternoon, %d in the evening; want as many, a thousand or more", len(first)-len(ours), len(ours), len(second))
	}
}

// declared is every entry of the registers, as text.
func declared(t *testing.T, dir string) map[string]string {
	t.Helper()
	rows, err := sqlite.Open(filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	err = rows.View(t.Context(), func(r store.Reader) error {
		all, err := store.All[store.Subject](t.Context(), r, store.Where{})
		for _, s := range all {
			out[s.Kind+"/"+s.ID] = fmt.Sprint(s.Values)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func planted(t *testing.T, s *server.Server, at time.Time) {
	st, err := s.Posture.Now(t.Context(), ask(t, s), at)
	if err != nil {
		t.Fatal(err)
	}
	list, err := demo.List(s.Controls)
	if err != nil {
		t.Fatal(err)
	}
	outcome := func(control, ref string) verdict.Verdict {
		sub, ok := st.Named(ref)
		if !ok {
			t.Errorf("%s: no such subject", ref)
			return verdict.Verdict{}
		}
		i := slices.IndexFunc(sub.Verdicts(), func(v verdict.Verdict) bool { return v.Control == control })
		if i < 0 {
			t.Errorf("%s is not judged by %s", ref, control)
			return verdict.Verdict{}
		}
		return sub.Verdicts()[i]
	}
	sections := map[string]bool{}
	for _, p := range list {
		sections[section(p)] = true
		if !p.What.Complete() {
			t.Errorf("%s of %s: what is wrong is not said in both languages", p.Control, p.Subject)
		}
		if p.Outcome == demo.Refused {
			refused(t, s, p)
			continue
		}
		if v := outcome(p.Control, p.Subject); v.Outcome != p.Outcome {
			t.Errorf("%s of %s (%s): got %s, want %s; %v", p.Control, p.Subject, p.What.EN, v.Outcome, p.Outcome, v.Reasons)
		}
		if v := outcome(p.Control, p.Sibling); v.Outcome != verdict.Conforms {
			t.Errorf("%s of the sibling %s: got %s, want conforms; %v", p.Control, p.Sibling, v.Outcome, v.Reasons)
		}
	}
	if len(list) < 40 {
		t.Errorf("%d faults are planted, want 40 or more", len(list))
	}
	for _, c := range s.Directive.Clauses {
		if id := section(demo.Planted{Clause: c.ID}); !sections[id] {
			t.Errorf("no fault is planted in section %s", id)
			sections[id] = true
		}
	}
}

// section is 2.3 of npa-r3@2.3.1, and the part alone of the parts 4 and 5.
func section(p demo.Planted) string {
	_, numbers, _ := strings.Cut(string(p.Clause), "@")
	parts := strings.Split(numbers, ".")
	if parts[0] == "4" || parts[0] == "5" {
		return parts[0]
	}
	return strings.Join(parts[:2], ".")
}

// refused asks for the deferral that is never granted.
func refused(t *testing.T, s *server.Server, p demo.Planted) {
	who := actor.Actor{Person: "k0011", Assignments: []actor.Assignment{{Post: "P-KEIKI", Duty: actor.SystemOfficer, Scope: "system/CASE"}}}
	d := decision.Decision{
		Type: decision.Deferral, Subject: fact.Ref(p.Subject), Clause: "npa-r3@2.3.1", Reason: "更新待ち", Measures: "施錠", Until: at.AddDate(0, 3, 0),
	}
	_, err := s.Govern.Give(t.Context(), who, d, at)
	var faults govern.Faults
	if !errors.As(err, &faults) {
		t.Errorf("deferral of %s: got %v, want faults", p.Subject, err)
	}
	d.Subject = "system/INQ"
	who.Assignments[0].Scope = "system/INQ"
	if _, err := s.Govern.Give(t.Context(), who, d, at); err != nil {
		t.Errorf("deferral of an old system: got %v, want it taken", err)
	}
}

func listed(t *testing.T, s *server.Server, path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, marked := strings.CutPrefix(string(b), "\uFEFF")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked {
		t.Fatalf("read the list: %v, byte order mark %v", err, marked)
	}
	list, err := demo.List(s.Controls)
	if err != nil || len(rows) != len(list)+1 {
		t.Fatalf("%d rows, %v; want a head and %d", len(rows), err, len(list))
	}
	for i, p := range list {
		row := rows[i+1]
		if row[0] != string(p.Clause) || row[2] != p.Control || row[4] != p.Subject || row[5] != p.What.JA || row[6] == "" {
			t.Errorf("row %d says %q, want %s %s %s", i+1, row, p.Clause, p.Control, p.Subject)
		}
	}
}

func standing(t *testing.T, s *server.Server) {
	began := time.Now()
	st, err := s.Posture.Now(t.Context(), ask(t, s), at)
	if err != nil {
		t.Fatal(err)
	}
	tally := posture.Tally{}
	judged := map[string]bool{} // controls with a subject that they are about
	for _, sub := range st.Subjects() {
		for _, v := range sub.Verdicts() {
			tally[v.Outcome]++
			if v.Outcome != verdict.NotApplicable {
				judged[v.Control] = true
			}
			if v.Outcome == verdict.Error {
				t.Errorf("%s of %s fails: %v", v.Control, v.Subject, v.Reasons)
			}
		}
	}
	t.Logf("%v in %v", tally, time.Since(began).Round(10*time.Millisecond))
	for _, o := range verdict.Outcomes {
		if o != verdict.Error && tally[o] == 0 {
			t.Errorf("no verdict is %s", o)
		}
	}
	if bad, good := tally[verdict.Violates], tally[verdict.Conforms]; bad > good/50 {
		t.Errorf("%d violate and %d conform: a sample is a body mostly in order", bad, good)
	}
	var idle []string
	for _, c := range s.Controls {
		if !judged[c.ID] {
			idle = append(idle, c.ID)
		}
	}
	if len(idle) > 10 { // by their defaults, some parameters switch their controls off
		t.Errorf("%d controls have nothing to judge: %v", len(idle), idle)
	}
}

// rulebooks judges the body by every directive on hand: none needs a change to the
// program, and what is neither clause nor value is the same under each.
func rulebooks(t *testing.T, s *server.Server) {
	lib := library.Shipped()
	first := map[string]verdict.Outcome{}
	for _, d := range lib.Directives {
		st, err := s.Posture.Under(posture.NewTerms(d, control.For(s.Kinds, lib, d), s.Kinds)).Now(t.Context(), ask(t, s), at)
		if err != nil {
			t.Fatal(err)
		}
		all := st.Clause(clause.ID(d.Source), "*")
		if all[verdict.Error] > 0 || all[verdict.Conforms] < all.Total()/3 {
			t.Errorf("%s: %v of %d", d.Source, all, all.Total())
		}
		same := 0
		for _, p := range st.Pairs(posture.Filter{}) {
			if p.Clause.Source() != d.Source {
				t.Fatalf("%s: %s is judged for %s", d.Source, p.Control, p.Clause)
			}
			key := string(p.Subject) + " " + p.Control
			if d == lib.Directives[0] {
				first[key] = p.Outcome
			} else if first[key] == p.Outcome {
				same++
			}
		}
		if d != lib.Directives[0] && same < len(first)*8/10 {
			t.Errorf("%s agrees on %d of %d pairs, and only few values differ", d.Source, same, len(first))
		}
	}
}

func filled(t *testing.T, s *server.Server) {
	who := actor.Actor{Person: "k0116", Assignments: []actor.Assignment{
		{Post: "CM", Duty: actor.Maintainer, Scope: "*"}, {Post: "CM", Duty: actor.SystemOfficer, Scope: "*"}, {Post: "CM", Duty: actor.Auditor, Scope: "*"}}}
	p, err := s.Gate.Ask(t.Context(), gate.Request{Actor: who, At: at, Action: gate.Read, Object: "page/test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range s.Kinds.IDs() {
		page, err := s.Register.List(t.Context(), p, register.Query{Kind: id, Limit: 1000})
		if err != nil || page.Total == 0 {
			t.Errorf("register %s: %d entries, %v; want some", id, page.Total, err)
		}
		for _, e := range page.Entries {
			if id == "unit" && e.Ref == "unit/HQ" || id == "post" && e.Ref == "post/FIRST" {
				t.Errorf("%s is where the first set-up writes", e.Ref)
			}
		}
	}
	st, err := s.Posture.Now(t.Context(), p, at)
	if err != nil {
		t.Fatal(err)
	}
	c, ok := st.Subject("computer/CASE-S1")
	if !ok {
		t.Fatal("no computer/CASE-S1")
	}
	for _, f := range s.Kinds["computer"].Fields {
		if f.Group == "" {
			continue
		}
		if cell, ok := c.Facts()[f.Name]; !ok || cell.Fact.Status != fact.Observed && cell.Fact.Status != fact.Absent {
			t.Errorf("computer/CASE-S1.%s: %s %s, want it seen", f.Name, cell.Fact.Status, cell.Fact.Reason)
		}
	}
}

// firstRun: nobody has a login, and the one-time token sets one up, as the first
// set-up does.
func firstRun(t *testing.T, s *server.Server) {
	token, err := s.Identity.FirstRun(t.Context())
	if err != nil || token == "" {
		t.Fatalf("first run: token %q, %v; want one", token, err)
	}
	for _, e := range []struct {
		kind   string
		values map[string]any
	}{
		{"unit", map[string]any{"unit_id": "HQ", "title": "見本を見る所属", "level": "prefecture"}},
		{"post", map[string]any{"post_id": "FIRST", "title": "初期管理者", "unit": "HQ", "status": "active"}},
		{"person", map[string]any{"staff_no": "admin", "name": "管理者", "unit": "HQ", "employment": "staff", "status": "active"}},
		{"assignment", map[string]any{"assignment_no": "FIRST-1", "post": "FIRST", "person": "admin", "duty": "auditor", "scope": "*", "from": at.AddDate(0, 0, -1).Format(time.DateOnly)}},
	} {
		if _, err := s.Register.Put(t.Context(), actor.Program, e.kind, e.values, 0, at); err != nil {
			t.Errorf("enter first %s: %v", e.kind, err)
		}
	}
	_, secret, err := s.Identity.Secret(token, "admin", "Kakusho")
	if err != nil {
		t.Fatal(err)
	}
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(secret, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const password = "Mihon-no-Aikotoba-26"
	if err := s.Identity.Enrol(t.Context(), token, "admin", password, code(at), "192.0.2.1", at); err != nil {
		t.Fatalf("set up the first login: %v", err)
	}
	later := at.Add(time.Minute)
	session, err := s.Identity.Login(t.Context(), "admin", password, code(later), "192.0.2.1", later)
	if err != nil {
		t.Fatalf("log in: %v", err)
	}
	who, err := s.Identity.Actor(t.Context(), session, "192.0.2.1", later)
	if err != nil || !who.Has(actor.Auditor) {
		t.Errorf("logged in as %+v, %v; want the auditor", who, err)
	}
}

func verifies(t *testing.T, dir string) {
	key, err := os.ReadFile(filepath.Join(dir, "trail", "trail.pub"))
	if err != nil {
		t.Fatal(err)
	}
	report, err := trail.Verify(t.Context(), filepath.Join(dir, "trail"), strings.TrimSpace(string(key)), nil)
	if err != nil || !report.OK() || report.Entries < 5000 || report.Unsealed > 0 {
		t.Errorf("verify: %v, %+v; want thousands of sealed entries and no problems", err, report)
	}
	stream := filepath.Join(dir, "events", "3y")
	if key, err = os.ReadFile(filepath.Join(stream, "trail.pub")); err != nil {
		t.Fatal(err)
	}
	report, err = trail.Verify(t.Context(), stream, strings.TrimSpace(string(key)), nil)
	if err != nil || !report.OK() || report.Entries < 10_000 || report.Unsealed > 0 {
		t.Errorf("verify events: %v, %+v; want thousands of sealed events and no problems", err, report)
	}
}

// tree lists what is in a folder, with sizes and times.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		out = append(out, fmt.Sprint(path, " ", info.Size(), " ", info.ModTime()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAFolderWithAnythingInItIsLeftAlone(t *testing.T) {
	for name, lay := range map[string]func(dir string) error{
		"a file":                    func(dir string) error { return os.WriteFile(filepath.Join(dir, "台帳.xlsx"), []byte("x"), 0o600) },
		"a hidden file":             func(dir string) error { return os.WriteFile(filepath.Join(dir, ".keep"), nil, 0o600) },
		"a folder":                  func(dir string) error { return os.Mkdir(filepath.Join(dir, "trail"), 0o700) },
		"a real installation":       func(dir string) error { s := open(t, dir); return s.Close() },
		"the mark of a sample only": func(dir string) error { return os.WriteFile(filepath.Join(dir, server.DemoMark), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := lay(dir); err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			_, err := demo.Fill(t.Context(), dir, now, nil)
			var f demo.Fault
			if !errors.As(err, &f) || !f.Text().Complete() || !strings.Contains(f.Text().JA, dir) {
				t.Errorf("got %v, want a Fault in both languages that names the folder", err)
			}
			if after := tree(t, dir); !slices.Equal(before, after) {
				t.Errorf("the folder was touched:\n%v\n%v", before, after)
			}
		})
	}
}

func TestAPlaceThatIsNoFolderIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := demo.Fill(t.Context(), file, now, nil); err == nil {
		t.Error("a file was filled as a folder")
	}
}

func TestAnEndedContextEndsFilling(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sample")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := demo.Fill(ctx, dir, now, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want cancelled", err)
	}
	if _, err := os.Stat(filepath.Join(dir, server.DemoMark)); err != nil {
		t.Errorf("a part of a sample is not marked: %v", err)
	}
}
