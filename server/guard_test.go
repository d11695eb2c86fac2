package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kakusho/actor"
	"kakusho/audit"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/govern"
	"kakusho/identity"
	"kakusho/kind/table"
	"kakusho/posture"
	"kakusho/register"
	"kakusho/register/exchange"
	"kakusho/server"
	"kakusho/verdict"
)

var guardedAt = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// guarded is an installation with one unit, one person and one contract.
func guarded(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Interval: -1, Now: func() time.Time { return guardedAt }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, e := range []struct {
		kind   string
		values map[string]any
	}{
		{"unit", map[string]any{"unit_id": "HQ", "title": "本部", "level": "prefecture"}},
		{"person", map[string]any{"staff_no": "P1", "name": "試験 一郎", "unit": "HQ", "employment": "contractor", "status": "active", "nationality": "瑞穂国"}},
		{"post", map[string]any{"post_id": "F", "title": "職", "unit": "HQ", "status": "active"}},
		{"system", guardedSystem("2020-04-01")},
		{"contract", map[string]any{"contract_no": "C1", "title": "機密保守", "system": "S1", "work": "operation", "status": "active"}},
		{"domain", map[string]any{"domain": "example.lg.jp", "system": "S1", "sends_mail": false, "web": false, "status": "in-use"}},
	} {
		if _, err := s.Register.Put(t.Context(), actor.Program, e.kind, e.values, 0, guardedAt); err != nil {
			t.Fatalf("put %s: %v", e.kind, err)
		}
	}
	return s
}

func guardedSystem(inService string) map[string]any {
	return map[string]any{"system_id": "S1", "title": "試験", "unit": "HQ", "officer": "F", "maintainer": "F", "status": "in-service",
		"confidentiality": 2, "integrity": 2, "availability": 1, "internet": "none", "in_service_on": inService}
}

func holder(d actor.Duty) actor.Actor {
	return actor.Actor{Person: "x-" + string(d), Session: "s", Assignments: []actor.Assignment{{Post: "X", Duty: d, Scope: "*"}}}
}

func reading(t *testing.T, s *server.Server, who actor.Actor) gate.Permit {
	t.Helper()
	p, err := s.Gate.Ask(t.Context(), gate.Request{Actor: who, At: guardedAt, Action: gate.Read, Object: "page/test"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNobodyBecomesTheProgramByHisNumber(t *testing.T) {
	s := guarded(t)
	values := map[string]any{"staff_no": " system ", "name": "偽", "employment": "staff", "status": "active"}
	var faults register.Faults
	if _, err := s.Register.Put(t.Context(), actor.Program, "person", values, 0, guardedAt); !errors.As(err, &faults) {
		t.Errorf("put person system: got %v, want a fault", err)
	}
	if _, err := s.Identity.Invite(t.Context(), actor.Program, "system", guardedAt, guardedAt.Add(time.Hour)); err == nil {
		t.Error("system was invited to log in")
	}
	fake := actor.Actor{Person: "system", Session: "s"}
	if _, err := s.Gate.Ask(t.Context(), gate.Request{Actor: fake, At: guardedAt, Action: gate.Invite, Object: "person/x"}); !errors.Is(err, gate.ErrRefused) {
		t.Errorf("a session of system invites: got %v, want ErrRefused", err)
	}
}

func TestAFieldSomebodyMayNotSeeSurvivesHisChange(t *testing.T) {
	s := guarded(t)
	values := map[string]any{"staff_no": " P1 ", "name": "試験 一郎", "unit": "HQ", "employment": "contractor", "status": "left"}
	if _, err := s.Register.Put(t.Context(), holder(actor.OperationsManager), "person", values, 1, guardedAt); err != nil {
		t.Fatal(err)
	}
	e, err := s.Register.Get(t.Context(), reading(t, s, holder(actor.Auditor)), "person/P1")
	if err != nil {
		t.Fatal(err)
	}
	if e.Values["nationality"] != "瑞穂国" || e.Values["status"] != "left" {
		t.Errorf("after the change: got %v", e.Values)
	}
}

func TestASearchDoesNotTellWhatAReaderMayNotSee(t *testing.T) {
	s := guarded(t)
	for _, c := range []struct {
		duty  actor.Duty
		words string
		want  int
	}{{actor.Staff, "瑞穂国", 0}, {actor.Staff, "一郎", 1}, {actor.Auditor, "瑞穂国", 1}} {
		page, err := s.Register.List(t.Context(), reading(t, s, holder(c.duty)), register.Query{Kind: "person", Words: c.words})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) != c.want || page.Total != int64(c.want) {
			t.Errorf("%s searches %s: got %d of %d, want %d", c.duty, c.words, len(page.Entries), page.Total, c.want)
		}
	}
}

func TestTheStandingKeepsAClosedRegisterClosed(t *testing.T) {
	s := guarded(t)
	stand := func(d actor.Duty) (*posture.Subject, *posture.Subject) {
		st, err := s.Posture.Now(t.Context(), reading(t, s, holder(d)), guardedAt)
		if err != nil {
			t.Fatal(err)
		}
		c, _ := st.Named("contract/C1")
		p, _ := st.Named("person/P1")
		return c, p
	}
	c, p := stand(actor.Staff)
	if !c.Closed || c.Name != "C1" || len(c.Facts())+len(c.Declared())+len(c.Derived())+len(c.Decisions) > 0 || len(c.Verdicts()) == 0 {
		t.Errorf("contract for staff: got %+v", c)
	}
	for _, v := range c.Verdicts() {
		if len(v.Reasons)+len(v.Evidence) > 0 {
			t.Errorf("contract for staff: %s gives reasons", v.Control)
		}
	}
	if _, there := p.Facts()["nationality"]; there {
		t.Error("staff sees a nationality")
	}
	open, p := stand(actor.Auditor)
	if open.Closed || open.Name != "機密保守" || len(open.Verdicts()) != len(c.Verdicts()) || p.Facts()["nationality"].Fact.Value != "瑞穂国" {
		t.Errorf("for the auditor: got %+v, %v", open, p.Facts()["nationality"])
	}
	sys, _ := func() (*posture.Subject, bool) {
		st, err := s.Posture.Now(t.Context(), reading(t, s, holder(actor.Auditor)), guardedAt)
		if err != nil {
			t.Fatal(err)
		}
		return st.Named("system/S1")
	}()
	for _, f := range sys.Kind.Fields {
		if f.Derive == "system-domains" && !slices.Equal(sys.Facts()[f.Name].Fact.Value.([]any), []any{"example.lg.jp"}) {
			t.Errorf("domains of the system: got %v", sys.Facts()[f.Name].Fact.Value)
		}
	}
}

func TestTryingManyPasswordsAtOnceIsStoppedAtTheThreshold(t *testing.T) {
	s := guarded(t)
	enrolled(t, s)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			_, err := s.Identity.Login(t.Context(), "P1", fmt.Sprintf("guess-%d", i), "000000", "192.0.2.9", guardedAt)
			if !errors.Is(err, identity.ErrLogin) {
				t.Errorf("guess %d: got %v, want ErrLogin", i, err)
			}
		})
	}
	all.Wait()
	who := holder(actor.Auditor)
	q := audit.Query{Kind: "identity.refused", Words: `"password"`, Limit: 500}
	p, err := s.Audit.Permit(t.Context(), who, q, guardedAt)
	if err != nil {
		t.Fatal(err)
	}
	hits, err := s.Audit.Search(t.Context(), p, q)
	if err != nil {
		t.Fatal(err)
	}
	tried := len(hits.Entries)
	if tried == 0 || tried > 10 {
		t.Errorf("%d of 40 passwords were checked", tried)
	}
}

func TestADecisionKeepsOnlyWhatItsTypeIsAbout(t *testing.T) {
	s := guarded(t)
	officer := holder(actor.SystemOfficer)
	d := deferral(s)
	d.Control = s.Controls[0].ID
	id, err := s.Govern.Give(t.Context(), officer, d, guardedAt)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Govern.Of(t.Context(), reading(t, s, officer), fact.Ref("system/S1"))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].ID != id || all[0].Control != "" {
		t.Errorf("deferral of a clause: got %+v, want no control", all)
	}
}

func deferral(s *server.Server) decision.Decision {
	return decision.Decision{Type: decision.Deferral, Subject: "system/S1", Clause: s.Directive.Clauses[len(s.Directive.Clauses)/2].ID,
		Reason: "改修中", Measures: "手順で補う", Until: guardedAt.AddDate(0, 3, 0)}
}

func TestADeferralEndsForTheMembersWhenTheSystemTurnsOutToBeYounger(t *testing.T) {
	s := guarded(t)
	values := map[string]any{"asset_no": "PC1", "role": "server", "system": "S1", "unit": "HQ", "status": "in-service"}
	if _, err := s.Register.Put(t.Context(), actor.Program, "computer", values, 0, guardedAt); err != nil {
		t.Fatal(err)
	}
	at := guardedAt
	stand := func() *posture.Subject {
		at = at.Add(time.Second)
		st, err := s.Posture.Now(t.Context(), reading(t, s, holder(actor.Auditor)), at)
		if err != nil {
			t.Fatal(err)
		}
		sub, _ := st.Named("computer/PC1")
		return sub
	}
	var over verdict.Verdict
	for _, v := range stand().Verdicts() {
		if v.Outcome == verdict.Violates {
			over = v
		}
	}
	if over.Control == "" {
		t.Skip("no control finds a violation in what is declared alone")
	}
	d := deferral(s)
	d.Clause = over.Clause
	id, err := s.Govern.Give(t.Context(), holder(actor.SystemOfficer), d, at)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Govern.Approve(t.Context(), holder(actor.SecurityAdministrator), id, at); err != nil {
		t.Fatal(err)
	}
	outcome := func() verdict.Outcome {
		for _, v := range stand().Verdicts() {
			if v.Control == over.Control {
				return v.Outcome
			}
		}
		return ""
	}
	if got := outcome(); got != verdict.Deferred {
		t.Fatalf("after the approval: got %s, want deferred", got)
	}
	young := guardedSystem("2024-04-01")
	if _, err := s.Register.Put(t.Context(), actor.Program, "system", young, 1, at); err != nil {
		t.Fatal(err)
	}
	if got := outcome(); got != verdict.Violates {
		t.Errorf("once the system is younger than the directive: got %s, want violates", got)
	}
}

func TestAnEntryGetsNoKeyThatNoAddressCanName(t *testing.T) {
	s := guarded(t)
	for _, id := range []string{"a?b", "a#b", "a%41", "/a", "a/", "a//b", "..", "a/../b", "new", "import", "export"} {
		values := map[string]any{"asset_no": id, "role": "server", "system": "S1", "unit": "HQ", "status": "in-service"}
		var faults register.Faults
		if _, err := s.Register.Put(t.Context(), actor.Program, "computer", values, 0, guardedAt); !errors.As(err, &faults) {
			t.Errorf("put computer %q: got %v, want a fault", id, err)
		}
	}
	for _, id := range []string{"a/b", "a.b", "newer", "a b", "端末1"} {
		values := map[string]any{"asset_no": id, "role": "server", "system": "S1", "unit": "HQ", "status": "in-service"}
		if _, err := s.Register.Put(t.Context(), actor.Program, "computer", values, 0, guardedAt); err != nil {
			t.Errorf("put computer %q: %v", id, err)
		}
	}
}

func TestHalfASubjectIsAFaultAndNoFailure(t *testing.T) {
	s := guarded(t)
	for _, ref := range []fact.Ref{"", "system", "system/", "/S1"} {
		d := deferral(s)
		d.Subject = ref
		var faults govern.Faults
		if _, err := s.Govern.Give(t.Context(), holder(actor.SystemOfficer), d, guardedAt); !errors.As(err, &faults) {
			t.Errorf("decide about %q: got %v, want a fault", ref, err)
		}
	}
	plan, err := s.Exchange.Plan(t.Context(), reading(t, s, holder(actor.Maintainer)), "computer", exchange.File{Name: "a.csv", Data: []byte("種別\nserver\n")}, &table.Mapping{}, nil)
	if err != nil || len(plan.Faults) == 0 {
		t.Errorf("a file without the key's column: got %v, %v, want faults", plan.Faults, err)
	}
}

func TestTheTextOfADecisionHidesNothing(t *testing.T) {
	s := guarded(t)
	for _, text := range []string{"承認\u202e済", "a\x00b", strings.Repeat("長", 20001)} {
		d := deferral(s)
		d.Measures = text
		var faults govern.Faults
		if _, err := s.Govern.Give(t.Context(), holder(actor.SystemOfficer), d, guardedAt); !errors.As(err, &faults) {
			t.Errorf("measures %.20q: got %v, want a fault", text, err)
		}
		if err := s.Govern.Withdraw(t.Context(), holder(actor.SystemOfficer), "x", text, guardedAt); !errors.As(err, &faults) {
			t.Errorf("withdrawn because of %.20q: got %v, want a fault", text, err)
		}
	}
}

func TestThePageOfADecidedSubjectIsShown(t *testing.T) {
	s := guarded(t)
	duty := map[string]any{"assignment_no": "A1", "post": "F", "person": "P1", "duty": "auditor", "scope": "*", "from": "2026-04-01"}
	if _, err := s.Register.Put(t.Context(), actor.Program, "assignment", duty, 0, guardedAt); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Govern.Give(t.Context(), holder(actor.SystemOfficer), deferral(s), guardedAt); err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(enrolled(t, s), guardedAt.Add(30*time.Second)) // the one before is used
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.Identity.Login(t.Context(), "P1", guardedPassword, code, "127.0.0.1", guardedAt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	base, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(b, _ string) { base <- b }) }()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, <-base+"/subject/system/S1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "kakusho", Value: session})
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK || !strings.Contains(string(body), "承認待ち") {
		t.Errorf("the page of a system with an application: got %s", answer.Status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

const guardedPassword = "Kanji-to-kagi-7712"

// enrolled sets up the login of P1 and returns the secret of its codes.
func enrolled(t *testing.T, s *server.Server) string {
	t.Helper()
	token, err := s.Identity.Invite(t.Context(), actor.Program, "P1", guardedAt, guardedAt.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := s.Identity.Secret(token, "P1", "Kakusho")
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret, guardedAt)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Identity.Enrol(t.Context(), token, "P1", guardedPassword, code, "192.0.2.1", guardedAt); err != nil {
		t.Fatal(err)
	}
	return secret
}
