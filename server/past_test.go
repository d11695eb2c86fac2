package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/trail"
	"kakusho/verdict"
)

// open serves the body's pages until the test ends.
func (b *body) open() (base string) {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.ctx)
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- b.Run(ctx, func(base, _ string) { ready <- base }) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			b.t.Errorf("ended with %v", err)
		}
	})
	select {
	case base = <-ready:
	case err := <-done:
		done <- nil
		b.t.Fatal(err)
	}
	return base
}

// serveUntil serves the body's pages until stop is called, which closes it.
func (b *body) serveUntil() (base string, stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- b.Run(ctx, func(base, _ string) { ready <- base }) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("ended with %v", err)
		}
	}
	select {
	case base = <-ready:
	case err := <-done:
		b.t.Fatal(err)
	}
	return base, stop
}

// get reads an address as a person, who logs in for it.
func (b *body) get(base, person, path string) (int, []byte) {
	b.t.Helper()
	return b.ask(base, person, http.MethodGet, path, nil)
}

func (b *body) ask(base, person, method, path string, form url.Values) (int, []byte) {
	b.t.Helper()
	b.as(person)
	r, err := http.NewRequestWithContext(b.ctx, method, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.AddCookie(&http.Cookie{Name: "kakusho", Value: b.sessions[person]})
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, text
}

// at is the end of an address that asks for another time.
func at(asOf, knownAt time.Time) string {
	q := url.Values{"as_of": {asOf.Format(time.RFC3339)}}
	if !knownAt.IsZero() {
		q.Set("known_at", knownAt.Format(time.RFC3339))
	}
	return "?" + q.Encode()
}

// past is what a control said of a subject at another time.
func (b *body) past(base string, ref fact.Ref, control string, asOf, knownAt time.Time) verdict.Outcome {
	b.t.Helper()
	status, text := b.get(base, "s-admin", "/api/v1/verdicts"+at(asOf, knownAt)+"&control="+url.QueryEscape(control))
	var got struct {
		Verdicts []verdict.Verdict `json:"verdicts"`
	}
	if err := json.Unmarshal(text, &got); err != nil || status != http.StatusOK {
		b.t.Fatalf("verdicts as of %s: %d %v %.300s", asOf, status, err, text)
	}
	for _, v := range got.Verdicts {
		if v.Subject == string(ref) {
			return v.Outcome
		}
	}
	return ""
}

const day = 24 * time.Hour

// month lets a month of changes pass over the body: facts, register entries, a
// decision withdrawn, a parameter tightened.
func (b *body) month(withdraw string) {
	b.t.Helper()
	for i := range 30 {
		b.tick(day)
		length := int64(14)
		if i%2 == 1 {
			length = 6
		}
		b.observe("computer/CA-1", "authentication", b.Now(), values{"pw_min_length": length})
		b.put(actor.Program, "computer", computer(fmt.Sprintf("NEW-%d", i), "A"))
		b.put(actor.Program, "unit", values{"unit_id": "ST", "title": fmt.Sprintf("中央警察署%d", i), "level": "station", "parent": "HQ"})
	}
	if err := b.Govern.Withdraw(b.ctx, b.as("s-officer-a"), withdraw, "不要", b.Now()); err != nil {
		b.t.Fatal(err)
	}
	id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), setting("auth.pw.min_length", "national", 20), b.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.approveSetting(b.as("s-admin2"), id); err != nil {
		b.t.Fatal(err)
	}
}

func TestAReportOfThePastIsTheSameToTheByteAfterAMonthOfChanges(t *testing.T) {
	b := found(t)
	b.weak()
	decided := b.give(deferralOfA(b.Now().Add(90 * day)))
	b.approve(decided)
	base := b.open()
	then := b.Now()
	b.tick(time.Hour)

	paths := []string{"/report/json", "/report/html", "/report/oscal", "/api/v1/verdicts", "/api/v1/register/unit", "/api/v1/register/computer"}
	before := map[string][]byte{}
	for _, known := range []time.Time{{}, then} {
		for _, path := range paths {
			address := path + at(then, known)
			status, text := b.get(base, "s-admin", address)
			if status != http.StatusOK || len(text) < 100 {
				t.Fatalf("%s: %d %.300s", address, status, text)
			}
			before[address] = text
		}
	}
	if !strings.Contains(string(before["/report/json"+at(then, then)]), `"deferred"`) {
		t.Error("the report does not show the deferral")
	}
	b.month(decided)
	_, today := b.get(base, "s-admin", "/report/json")
	for address, want := range before {
		if _, got := b.get(base, "s-admin", address); !bytes.Equal(got, want) {
			t.Errorf("%s is another after a month:\n%s", address, firstDifference(want, got))
		}
		if strings.HasPrefix(address, "/report/json") && bytes.Equal(today, want) {
			t.Error("the month changed nothing")
		}
	}
}

// firstDifference shows where two texts part.
func firstDifference(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%.200q\n%.200q", a[max(0, i-60):], b[max(0, i-60):])
		}
	}
	return fmt.Sprintf("%d and %d bytes", len(a), len(b))
}

func TestLateEvidenceShowsOnlyToWhoAsksByWhatIsKnownToday(t *testing.T) {
	b := found(t)
	const control = "auth/password-length"
	const pc = fact.Ref("computer/CA-1")
	b.observe(pc, "authentication", b.Now(), values{"pw_min_length": int64(14)})
	base := b.open()
	b.tick(12 * time.Hour)
	june := b.Now()
	b.tick(time.Minute)
	if got := b.past(base, pc, control, june, time.Time{}); got != verdict.Conforms {
		t.Errorf("before the late evidence: got %s", got)
	}
	b.tick(20 * day) // what was seen in June arrives in July
	b.observe(pc, "authentication", june.Add(-time.Hour), values{"pw_min_length": int64(6)})
	arrived := b.Now()
	b.tick(day)

	for _, c := range []struct {
		asOf, known time.Time
		want        verdict.Outcome
	}{
		{june, time.Time{}, verdict.Violates}, // the past that was kept open has caught up
		{june, june, verdict.Conforms},
		{june, arrived.Add(-time.Second), verdict.Conforms},
		{june, arrived, verdict.Violates},
		{june, time.Time{}, verdict.Violates},
		{june.Add(-time.Hour - time.Second), time.Time{}, verdict.Conforms}, // before it was so
		{june.Add(-time.Hour), time.Time{}, verdict.Violates},
		{b.Now().Add(300 * day), time.Time{}, verdict.Unknown}, // by time alone it is stale
	} {
		if got := b.past(base, pc, control, c.asOf, c.known); got != c.want {
			t.Errorf("as of %s known at %s: got %s, want %s", c.asOf, c.known, got, c.want)
		}
	}
}

func TestWhatWasDecidedLaterDoesNotActOnThePast(t *testing.T) {
	b := found(t)
	b.weak()
	const control = "auth/password-length"
	const pc = fact.Ref("computer/CA-1")
	weak := b.Now()
	b.tick(time.Minute)
	id := b.give(deferralOfA(b.Now().Add(90 * day)))
	given := b.Now()
	b.tick(time.Minute)
	b.approve(id)
	approved := b.Now()
	b.tick(time.Minute)
	if err := b.Govern.Withdraw(b.ctx, b.as("s-officer-a"), id, "不要", b.Now()); err != nil {
		t.Fatal(err)
	}
	withdrawn := b.Now()
	b.tick(time.Minute)
	s, err := b.Govern.Propose(b.ctx, b.as("s-admin"), setting("auth.pw.min_length", "national", 8), b.Now())
	if err != nil {
		t.Fatal(err)
	}
	base := b.open()
	for _, c := range []struct {
		at   time.Time
		want verdict.Outcome
	}{
		{weak, b.verdictNow(weak, pc, control)}, {given, verdict.Violates}, {approved.Add(-time.Second), verdict.Violates},
		{approved, verdict.Deferred}, {withdrawn.Add(-time.Second), verdict.Deferred}, {withdrawn, verdict.Violates},
	} {
		for _, known := range []time.Time{c.at, {}} {
			if got := b.past(base, pc, control, c.at, known); got != c.want {
				t.Errorf("at %s known at %s: got %s, want %s", c.at, known, got, c.want)
			}
		}
	}
	if err := b.approveSetting(b.as("s-admin2"), s); err != nil {
		t.Fatal(err)
	}
	if got := b.past(base, pc, control, given, time.Time{}); got != verdict.Violates {
		t.Errorf("a parameter set later acts on the past: got %s", got)
	}
}

// verdictNow is an outcome by the present's rows.
func (b *body) verdictNow(at time.Time, ref fact.Ref, control string) verdict.Outcome {
	b.t.Helper()
	return b.verdict(at, ref, control).Outcome
}

func TestNothingIsDoneInThePastAndLookingIsRecordedToday(t *testing.T) {
	b := found(t)
	base := b.open()
	then := b.Now()
	b.tick(40 * day)
	for _, c := range []struct{ method, path string }{
		{"POST", "/register/unit/new"}, {"POST", "/decide"}, {"POST", "/about/collect"}, {"PUT", "/api/v1/register/unit/HQ"}, {"POST", "/invite/s-staff"},
	} {
		status, text := b.ask(base, "s-admin", c.method, c.path+at(then, time.Time{}), url.Values{"x": {"y"}})
		if status != http.StatusMethodNotAllowed || !strings.Contains(string(text), "閲覧のみ") {
			t.Errorf("%s %s in the past: %d %.200s", c.method, c.path, status, text)
		}
	}
	status, text := b.get(base, "s-admin", "/register/unit/new"+at(then, time.Time{}))
	if page := string(text); status != http.StatusOK || !strings.Contains(page, "過去の時点を表示中") || !strings.Contains(page, `disabled=""`) {
		t.Errorf("the form in the past is open: %d %.500s", status, page)
	}
	for _, c := range []struct {
		query string
		want  int
	}{
		{"?as_of=2026-99-99", http.StatusBadRequest}, {"?as_of=昨日", http.StatusBadRequest}, {"?known_at=x", http.StatusBadRequest},
		{"?as_of=&known_at=", http.StatusSeeOther}, {"?as_of=令和8年11月1日", http.StatusOK}, {"?known_at=2026-11-02", http.StatusOK},
	} {
		if status, text := b.get(base, "s-admin", "/systems"+c.query); status != c.want {
			t.Errorf("%s: %d, want %d: %.300s", c.query, status, c.want, text)
		}
	}
	if status, text := b.get(base, "s-admin", "/about"+at(then, then)); status != http.StatusNotFound || !strings.Contains(string(text), `href="/about"`) {
		t.Errorf("a page that has no past: %d without a way back", status)
	}
	b.get(base, "s-admin", "/report/json"+at(then, then))
	last := int64(0)
	sealed, err := trail.NewReader(filepath.Join(b.dir, "trail"))
	if err != nil {
		t.Fatal(err)
	}
	defer sealed.Close()
	for e, err := range sealed.Read(b.ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == string(gate.Export) {
			last = e.Seq
			if !e.At.Equal(b.Now()) || !strings.Contains(string(e.Body), `"as_of":"`+then.UTC().Format(time.RFC3339)) || !strings.Contains(string(e.Body), `"known_at"`) {
				t.Errorf("looking at the past is recorded at %s as %s", e.At, e.Body)
			}
		}
	}
	if last == 0 {
		t.Error("looking at the past is not recorded")
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := client.Get(base + "/systems" + at(then, then))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if to := r.Header.Get("Location"); r.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/login?next=%2Fsystems%3Fas_of") {
		t.Errorf("nobody looks at the past: %d to %q", r.StatusCode, to)
	}
}

// crowd brings many batches at once.
func (b *body) crowd(n int) {
	b.t.Helper()
	var batches []fact.Batch
	for range n {
		b.tick(time.Second)
		batches = append(batches, b.batch("computer/CB-1", "clock", b.Now(), values{"time_synchronized": true}))
	}
	if err := b.Intake.Accept(b.ctx, actor.Program, batches, b.Now()); err != nil {
		b.t.Fatal(err)
	}
}

func TestASnapshotThatSomebodyChangedIsFoldedAgain(t *testing.T) {
	b := found(t)
	b.weak()
	base := b.open()
	b.tick(10 * day)
	early := b.Now()
	for range 4 {
		b.tick(31 * day)
		b.weak()
		b.crowd(200)
	}
	late := b.Now().Add(-day)
	addresses := []string{"/api/v1/verdicts" + at(early, time.Time{}), "/api/v1/verdicts" + at(late, late)} // the first before there is a snapshot
	want := map[string][]byte{}
	for _, a := range addresses {
		_, want[a] = b.get(base, "s-admin", a)
	}
	dir := filepath.Join(b.dir, "past", "snapshots")
	spoil := func(ending, old, new string) func() {
		return func() {
			t.Helper()
			files, err := filepath.Glob(filepath.Join(dir, "*"+ending))
			if err != nil || len(files) < 2 {
				t.Fatalf("%d snapshots are kept, %v", len(files), err)
			}
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Contains(text, []byte(old)) {
					t.Fatalf("%s does not hold %s", f, old)
				}
				if err := os.WriteFile(f, bytes.ReplaceAll(text, []byte(old), []byte(new)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, c := range []struct {
		name  string
		spoil func()
	}{
		{"as they were", func() {}},
		{"with other rows", spoil(".db", `"in-service"`, `"in-servicE"`)},
		{"said to be of an earlier time", spoil(".json", `"latest":"202`, `"latest":"102`)},
		{"said to be of another program", spoil(".json", `"version":"test"`, `"version":"next"`)},
		{"gone", func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		c.spoil()
		for i := range 3 { // other pasts push these out of what is kept open
			other := morning.Add(time.Duration(i) * time.Second)
			b.get(base, "s-admin", "/systems"+at(other, other))
		}
		for _, a := range addresses {
			if _, got := b.get(base, "s-admin", a); !bytes.Equal(got, want[a]) {
				t.Errorf("snapshots %s: %s is another: %s", c.name, a, firstDifference(want[a], got))
			}
		}
	}
}
