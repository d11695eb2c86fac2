package server_test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/control"
	"kakusho/control/carry"
	"kakusho/decision"
	"kakusho/directive/library"
	"kakusho/fact"
	"kakusho/govern"
	"kakusho/server"
	"kakusho/server/fold"
	"kakusho/verdict"
)

// under is what a control says of a subject at an address like "?rulebook=cjis".
func (b *body) under(base, query, control string, ref fact.Ref) verdict.Verdict {
	b.t.Helper()
	status, text := b.get(base, "s-admin", "/api/v1/verdicts"+query+"&control="+url.QueryEscape(control))
	var got struct {
		Verdicts []verdict.Verdict `json:"verdicts"`
	}
	if err := json.Unmarshal(text, &got); err != nil || status != http.StatusOK {
		b.t.Fatalf("verdicts at %q: %d %v %.300s", query, status, err, text)
	}
	for _, v := range got.Verdicts {
		if v.Subject == string(ref) {
			return v
		}
	}
	return verdict.Verdict{}
}

// answered is the body, invented, with an answer of each fate and a deferral.
func answered(t *testing.T) *body {
	t.Helper()
	b := found(t)
	if err := os.WriteFile(filepath.Join(b.dir, server.DemoMark), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.restart()
	for _, d := range []decision.Decision{
		{Type: decision.Attestation, Subject: "computer/CA-1", Control: "physical/security-wire", Answer: "fitted", Reason: "目視した"},
		{Type: decision.Judgement, Subject: "system/A", Control: "trail/analysed", Answer: "not-needed", Reason: "月次"},
	} {
		if _, err := b.Govern.Give(b.ctx, b.as("s-maintainer-a"), d, b.Now()); err != nil {
			if _, err = b.Govern.Give(b.ctx, b.as("s-officer-a"), d, b.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.approve(b.give(deferralOfA(morning.AddDate(0, 6, 0))))
	return b
}

func (b *body) decisions() []decision.Decision {
	b.t.Helper()
	all, err := b.Govern.Of(b.ctx, b.permit(looker()), "")
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// ownLinks follows the links of a page that lead to it again: to a part of it, at
// another time.
func (b *body) ownLinks(base, address string, page []byte) {
	b.t.Helper()
	links := regexp.MustCompile(`href="(\?[^"#]+)`).FindAllSubmatch(page, -1)
	if len(links) < 5 {
		b.t.Errorf("%s leads to itself only %d times", address, len(links))
	}
	path, _, _ := strings.Cut(address, "?")
	for _, l := range links {
		to := path + html.UnescapeString(string(l[1]))
		if status, _ := b.get(base, "s-admin", to); status != http.StatusOK {
			b.t.Errorf("%s leads to %s: %d", address, to, status)
		}
	}
}

func TestASuccessorCarriesOverWhatDidNotChangeAndAsksTheRestAgain(t *testing.T) {
	b := answered(t)
	base := b.open()
	old := b.decisions()
	wire := b.under(base, "?", "physical/security-wire", "computer/CA-1")
	if wire.Outcome != verdict.Conforms || wire.Clause != "npa-r3@2.1.1" {
		t.Fatalf("before: %s of %s, want conforms of npa-r3@2.1.1", wire.Outcome, wire.Clause)
	}
	if o := b.under(base, "?", "trail/analysed", "system/A").Outcome; o == verdict.Undecided {
		t.Fatalf("before: the judgement is %s", o)
	}
	const plan = "/directives/compare?old=npa-r3&new=npa-next"
	if status, page := b.get(base, "s-admin", plan); status != http.StatusOK || !strings.Contains(string(page), "2.10.2") || !strings.Contains(string(page), "月次") {
		t.Errorf("the plan (%d) does not show the judgement asked again, with the old answer:\n%.3000s", status, page)
	} else {
		b.ownLinks(base, plan, page)
	}
	before := b.Now()
	b.tick(time.Hour)
	form := url.Values{"document": {"通達第1号"}, "reason": {"改正"}}
	for _, c := range []struct {
		person, drop string
		want         int
	}{{"s-officer-a", "", http.StatusForbidden}, {"s-admin", "reason", http.StatusUnprocessableEntity}, {"s-admin", "document", http.StatusUnprocessableEntity}, {"s-admin", "", http.StatusSeeOther}, {"s-admin", "", http.StatusUnprocessableEntity}} {
		f := url.Values{}
		for k, v := range form {
			f[k] = v
		}
		f.Del(c.drop)
		if status, page := b.ask(base, c.person, http.MethodPost, plan, f); status != c.want {
			t.Errorf("adopt by %s without %q: %d, want %d: %.500s", c.person, c.drop, status, c.want, page)
		} else if c.drop == "reason" {
			b.ownLinks(base, plan, page)
		}
	}
	check := func(when string) {
		t.Helper()
		if v := b.under(base, "?", "physical/security-wire", "computer/CA-1"); v.Outcome != verdict.Conforms || v.Clause != "npa-next@3.2.1" {
			t.Errorf("%s: %s of %s, want conforms of npa-next@3.2.1", when, v.Outcome, v.Clause)
		}
		if o := b.under(base, "?", "trail/analysed", "system/A").Outcome; o != verdict.Undecided {
			t.Errorf("%s: the judgement whose clause changed is %s, want undecided", when, o)
		}
		if v := b.under(base, "?as_of="+url.QueryEscape(before.Format(time.RFC3339)), "trail/analysed", "system/A"); v.Clause != "npa-r3@2.10.2" || v.Outcome == verdict.Undecided {
			t.Errorf("%s: before the adoption the judgement was %s of %s", when, v.Outcome, v.Clause)
		}
	}
	check("at once")
	now := b.decisions()
	for _, d := range old {
		if !slices.ContainsFunc(now, func(n decision.Decision) bool { return string(mustJSON(n)) == string(mustJSON(d)) }) {
			t.Errorf("decision %s is not as it was", d.ID)
		}
	}
	if len(now) != len(old)+1 || now[0].Carries == "" || now[0].By == "" || now[0].Directive != "npa-next" {
		t.Errorf("%d decisions became %d, the newest %+v, want one that was carried over", len(old), len(now), now[0])
	}
}

func TestTheDirectiveAdoptedHoldsAfterARestart(t *testing.T) {
	b := answered(t)
	lib := library.Shipped()
	from, to := lib.Directives[0], lib.Directives[1]
	walk, _ := lib.Crosswalk(from.Source, to.Source)
	planner := carry.New(from, to, walk, control.For(b.Kinds, lib, from), control.For(b.Kinds, lib, to))
	if err := b.Govern.Adopt(b.ctx, b.as("s-admin"), govern.Succession{Planner: planner, Document: "通達第1号", Reason: "改正", Drafts: true}, b.Now()); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if diffs, err := fold.Refold(b.ctx, b.dir, "", true, b.Now, nil); err != nil || len(diffs) > 0 {
		t.Errorf("refold: %d differences, %v; want none: %.3v", len(diffs), err, diffs)
	}
	for source, want := range map[string]string{"": "npa-next", "npa-r3": "npa-r3", "cjis": "cjis"} {
		s, err := server.New(b.ctx, server.Config{Data: b.dir, Listen: "127.0.0.1:0", Interval: -1, Now: b.Now, Directive: source, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Errorf("chosen %q: %v", source, err)
			continue
		}
		if got := s.Posture.Directive().Source; got != want {
			t.Errorf("chosen %q: judges by %s, want %s", source, got, want)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := server.New(b.ctx, server.Config{Data: t.TempDir(), Directive: "npa-r9", Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "npa-next") {
		t.Errorf("a directive that is not there: %v, want the choices named", err)
	}
}

// atMachine asks over the control socket.
func (b *body) atMachine(path string) string {
	b.t.Helper()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(b.dir, server.ControlSocket))
	}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://machine" + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func TestAnAdoptionHoldsAtTheMachineAndForDaysToCome(t *testing.T) {
	b := answered(t)
	base := b.open()
	coming := "?as_of=" + b.Now().AddDate(0, 0, 10).Format(time.DateOnly)
	const wire, ref = "physical/security-wire", "computer/CA-1"
	look := func(want string) {
		t.Helper()
		if got := b.atMachine("/verdict?subject=" + ref + "&control=" + wire); !strings.Contains(got, want) {
			t.Errorf("at the machine: want %s: %.300s", want, got)
		}
		if got := b.under(base, coming, wire, ref).Clause; string(got) != want {
			t.Errorf("in ten days: got %s, want %s", got, want)
		}
	}
	look("npa-r3@2.1.1")
	form := url.Values{"document": {"通達第1号"}, "reason": {"改正"}}
	if status, page := b.ask(base, "s-admin", http.MethodPost, "/directives/compare?old=npa-r3&new=npa-next", form); status != http.StatusSeeOther {
		t.Fatalf("adopt: %d %.300s", status, page)
	}
	look("npa-next@3.2.1")
}

func TestNoTextIsTriedOverWhatIsNotForTheReadersDuties(t *testing.T) {
	b := found(t)
	base := b.open()
	address := "?control=crypto/key-rotation&applies=&exceptions=&rule=" + url.QueryEscape("s.rotate_by > now")
	for person, want := range map[string]int{"s-admin": http.StatusOK, "s-staff": http.StatusUnprocessableEntity} {
		for _, path := range []string{"/what-if", "/api/v1/what-if"} {
			if status, page := b.get(base, person, path+address); status != want {
				t.Errorf("%s at %s: %d, want %d: %.300s", person, path, status, want, page)
			}
		}
	}
}

func TestADraftIsAdoptedByNobodyOutsideAnInventedBody(t *testing.T) {
	b := found(t)
	base := b.open()
	form := url.Values{"document": {"通達第1号"}, "reason": {"改正"}}
	if status, page := b.ask(base, "s-admin", http.MethodPost, "/directives/compare?old=npa-r3&new=npa-next", form); status != http.StatusUnprocessableEntity {
		t.Errorf("a draft: %d, want a fault: %.300s", status, page)
	}
	if status, _ := b.ask(base, "s-admin", http.MethodPost, "/directives/compare?old=npa-r3&new=cjis", form); status != http.StatusUnprocessableEntity {
		t.Errorf("what succeeds nothing: %d, want a fault", status)
	}
}

func TestAnotherDirectiveJudgesTheSameEvidenceAndChangesNothing(t *testing.T) {
	b := answered(t)
	base := b.open()
	b.weak()
	before := len(b.decisions())
	for _, c := range []struct {
		query, control, clause string
		ref                    fact.Ref
		want                   verdict.Outcome
	}{
		{"?", "auth/password-length", "npa-r3@2.2.4", "computer/CA-1", verdict.Deferred}, // 8 where 12 are wanted, and deferred
		{"?rulebook=npa-next", "auth/password-length", "npa-next@7.1.4", "computer/CA-1", verdict.Violates},
		{"?rulebook=cjis", "auth/password-length", "cjis@7.5", "computer/CA-1", verdict.Conforms}, // 8 are enough there
		{"?rulebook=npa-next", "physical/security-wire", "npa-next@3.2.1", "computer/CA-1", verdict.Conforms},
		{"?rulebook=npa-next", "trail/analysed", "npa-next@7.1.6", "system/A", verdict.Undecided},
	} {
		if v := b.under(base, c.query, c.control, c.ref); v.Outcome != c.want || string(v.Clause) != c.clause {
			t.Errorf("%s at %s: %s of %s, want %s of %s", c.control, c.query, v.Outcome, v.Clause, c.want, c.clause)
		}
	}
	if status, page := b.get(base, "s-admin", "/systems?rulebook=npa-r9&q=a"); status != http.StatusNotFound || !strings.Contains(string(page), `data-present href="/systems?q=a"`) {
		t.Errorf("a directive that is not there: %d, want 404 with a way back", status)
	}
	if status, page := b.get(base, "s-admin", "/clause/cjis@1.7?rulebook=cjis"); status != http.StatusOK || !strings.Contains(string(page), "rulebook=cjis") {
		t.Errorf("a clause of another directive: %d, its links do not keep it", status)
	}
	if status, page := b.ask(base, "s-admin", http.MethodPost, "/decide?rulebook=cjis", url.Values{"subject": {"system/A"}}); status != http.StatusMethodNotAllowed || !strings.Contains(string(page), `data-present href="/decide"`) {
		t.Errorf("a change under another directive: %d, want 405 with a way back", status)
	}
	if _, page := b.get(base, "s-admin", "/no-such-page?rulebook=cjis"); strings.Contains(string(page), "現在の表示に戻る") {
		t.Error("under another directive the present is offered as another time")
	}
	if got := len(b.decisions()); got != before {
		t.Errorf("%d decisions became %d by looking", before, got)
	}
}
