package server_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/report/document"
	"kakusho/verdict"
)

// stands is what the list says of a document of system A.
func (b *body) stands(base, person, id string) string {
	b.t.Helper()
	status, text := b.get(base, person, "/documents?system=A&format=csv&lang=en")
	if status != http.StatusOK {
		b.t.Fatalf("list: %d %.300s", status, text)
	}
	d, _ := document.Default(b.Kinds).Find(id)
	for line := range strings.SplitSeq(string(text), "\r\n") {
		if rest, ok := strings.CutPrefix(line, d.Title.EN+","); ok {
			return strings.SplitN(rest, ",", 2)[0]
		}
	}
	return ""
}

// lead takes a step of a registered version as a person, and says with which status.
func (b *body) lead(base, person, no, step string, form url.Values) int {
	b.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	form.Set("rev", fmt.Sprint(b.entry(fact.NewRef("document", no)).Rev))
	status, text := b.ask(base, person, http.MethodPost, "/step/"+step+"/document/"+no, form)
	if status >= 500 {
		b.t.Errorf("%s by %s: %d %.500s", step, person, status, text)
	}
	return status
}

func TestAVersionIsMadeByOneApprovedByAnotherAndDueAsSoonAsItsContentIsAnother(t *testing.T) {
	b := found(t)
	base := b.open()
	version := url.Values{"system": {"A"}, "version": {"第1版"}}
	for person, want := range map[string]int{"s-staff": 403, "s-auditor": 403, "s-maintainer-b": 403} {
		if status, text := b.ask(base, person, http.MethodPost, "/document/equipment", version); status != want {
			t.Errorf("%s makes a version: %d, want %d: %.200s", person, status, want, text)
		}
	}
	if got := b.stands(base, "s-maintainer-a", "equipment"); got != "No version" {
		t.Errorf("without a version: %s", got)
	}
	if status, text := b.ask(base, "s-maintainer-a", http.MethodPost, "/document/equipment", url.Values{"system": {"A"}, "version": {" "}}); status != 422 || !strings.Contains(string(text), "f-version") {
		t.Errorf("a version without a name: %d", status)
	}
	if status, text := b.ask(base, "s-maintainer-a", http.MethodPost, "/document/equipment", version); status != http.StatusSeeOther {
		t.Fatalf("a version is made: %d %.600s", status, text)
	}
	const first = "A-equipment-1"
	e := b.entry(fact.NewRef("document", first))
	if e.Values["status"] != "draft" || len(fmt.Sprint(e.Values["content_digest"])) != 64 || e.Values["retained_until"] == nil || e.Values["owner"] != "MAINTAINER-A" {
		t.Errorf("the version holds %v", e.Values)
	}
	if got := b.stands(base, "s-maintainer-a", "equipment"); got != "Waits for approval" {
		t.Errorf("made: %s", got)
	}
	if status := b.lead(base, "s-maintainer-a", first, "approve", nil); status != http.StatusForbidden {
		t.Errorf("its author approves: %d", status)
	}
	if status := b.lead(base, "s-officer-a", first, "approve", nil); status != http.StatusSeeOther {
		t.Fatalf("another approves: %d", status)
	}
	b.tick(20 * day)
	if got := b.stands(base, "s-maintainer-a", "equipment"); got != "Current" {
		t.Errorf("approved, 20 days later: %s", got)
	}
	if _, text := b.get(base, "s-staff", "/document/equipment?system=A"); !strings.Contains(string(text), "最新") {
		t.Error("whom the register is open to is told something else")
	}
	// A declared change elsewhere changes nothing; one in the content does, and so does
	// one that was only seen.
	b.put(actor.Program, "computer", computer("CB-2", "B"))
	b.put(actor.Program, "line", values{"line_no": "L-1", "title": "庁内線", "system": "A", "type": "lan", "external": false, "internet": false, "status": "in-service"})
	if got := b.stands(base, "s-maintainer-a", "equipment"); got != "Current" {
		t.Errorf("something else changed: %s", got)
	}
	b.observe("computer/CA-1", "identity", b.Now(), values{"os_name": "Debian GNU/Linux 12", "os_version": "12"})
	if got := b.stands(base, "s-maintainer-a", "equipment"); got != "Due" {
		t.Errorf("another system was seen on it: %s", got)
	}
	status, text := b.get(base, "s-maintainer-a", "/document/equipment?system=A&since="+first)
	for _, want := range []string{"再現一致", "版のみ", "現在のみ", "Debian GNU/Linux 12", "要更新"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the comparison (%d) does not say %s", status, want)
		}
	}
	if _, text := b.get(base, "s-maintainer-a", "/documents"); !strings.Contains(string(text), "since="+first) {
		t.Error("the list of all systems does not name the version that is due")
	}
	version.Set("version", "第2版")
	if status, text := b.ask(base, "s-maintainer-a", http.MethodPost, "/document/equipment", version); status != http.StatusSeeOther {
		t.Fatalf("a second version is made: %d %.600s", status, text)
	}
	if got := b.stands(base, "s-maintainer-a", "equipment"); got != "Due" {
		t.Errorf("while the second waits the first is %s", got)
	}
	if status := b.lead(base, "s-officer-a", "A-equipment-2", "approve", nil); status != http.StatusSeeOther {
		t.Fatalf("the second is approved: %d", status)
	}
	if got := b.stands(base, "s-maintainer-a", "equipment"); got != "Current" {
		t.Errorf("the second is approved: %s", got)
	}
	if got := b.entry(fact.NewRef("document", first)).Values["status"]; got != "withdrawn" {
		t.Errorf("the first is %v", got)
	}
}

func TestADocumentOfThePastIsTheSameToTheByteAfterAMonthOfChanges(t *testing.T) {
	b := found(t)
	b.weak()
	decided := b.give(deferralOfA(b.Now().Add(90 * day)))
	b.approve(decided)
	b.put(actor.Program, "line", values{"line_no": "L-1", "title": "庁内線", "system": "A", "type": "lan", "external": false, "internet": false, "status": "in-service"})
	base := b.open()
	then := b.Now()
	b.tick(time.Hour)
	before := map[string][]byte{}
	for _, d := range document.Default(b.Kinds) {
		for _, f := range []document.Format{document.PDF, document.XLSX, document.CSV} {
			address := "/document/" + d.ID + "/" + string(f) + at(then, then) + "&system=A"
			status, text := b.get(base, "s-admin", address)
			if status != http.StatusOK || len(text) < 40 {
				t.Fatalf("%s: %d %.300s", address, status, text)
			}
			before[address] = text
		}
	}
	b.month(decided)
	changed := 0
	for address, want := range before {
		if _, got := b.get(base, "s-admin", address); !bytes.Equal(got, want) {
			t.Errorf("%s is another after a month: %s", address, firstDifference(want, got))
		}
		path, _, _ := strings.Cut(address, "?")
		if _, today := b.get(base, "s-admin", path+"?system=A"); strings.HasSuffix(path, "/csv") && !bytes.Equal(today, want) {
			changed++
		}
	}
	if changed < 5 {
		t.Errorf("the month changed %d documents only", changed)
	}
}

func TestADocumentOfAClosedRegisterIsForNobodyWhoseDutyItIsNot(t *testing.T) {
	b := found(t)
	b.put(actor.Program, "key", values{"key_no": "K-1", "title": "秘密鍵", "purpose": "tls", "custodian": "MAINTAINER-A", "system": "A", "status": "active"})
	base := b.open()
	for _, c := range []struct {
		person, path string
		want         int
	}{
		{"s-maintainer-a", "/document/keys?system=A", 200}, {"s-staff", "/document/keys?system=A", 403}, {"s-chief", "/document/keys?system=A", 403},
		{"s-chief", "/document/keys/csv?system=A", 403}, {"s-staff", "/document/equipment/csv?system=A", 403}, {"s-staff", "/document/equipment?system=A", 200},
		{"s-admin", "/document/keys/csv?system=A", 200}, {"s-admin", "/document/keys/exe?system=A", 404}, {"s-admin", "/document/none?system=A", 404},
		{"s-admin", "/document/equipment?system=NONE", 404}, {"s-admin", "/document/equipment?unit=NONE", 404}, {"s-admin", "/document/equipment?system=A&unit=HQ", 404},
		{"s-admin", "/document/system-ledger?unit=HQ", 404}, {"s-admin", "/document/system-ledger", 200}, {"s-admin", "/document/equipment?unit=HQ", 200},
		{"s-admin", "/document/equipment?system=A&since=NONE", 404}, {"s-admin", "/documents?system=NONE", 404},
	} {
		status, text := b.get(base, c.person, c.path)
		if status != c.want {
			t.Errorf("%s reads %s: %d, want %d", c.person, c.path, status, c.want)
		}
		if status == 403 && strings.Contains(string(text), "秘密鍵") {
			t.Errorf("%s reads %s and is told what is in it", c.person, c.path)
		}
	}
	if _, text := b.get(base, "s-staff", "/documents?system=A"); strings.Contains(string(text), "/document/keys") || !strings.Contains(string(text), "閲覧する職務にない") {
		t.Error("the list leads a person to what he may not read")
	}
	_, ofA := b.get(base, "s-admin", "/document/equipment/csv?unit=DIV")
	_, ofAll := b.get(base, "s-admin", "/document/equipment/csv?unit=HQ")
	if !strings.Contains(string(ofA), "CA-1") || strings.Contains(string(ofA), "CB-1") || !strings.Contains(string(ofAll), "CB-1") {
		t.Errorf("a unit's document holds what is not of it, or not what is below:\n%s\n%s", ofA, ofAll)
	}
}

func TestNoCellOfADocumentIsEverAFormula(t *testing.T) {
	b := found(t)
	for i, evil := range []string{`=1+1`, `@SUM(1)`, `+1`, `-1`, `=HYPERLINK("http://x","y")`, `＝1+1`} {
		c := computer(fmt.Sprintf("EV-%d", i), "A")
		c["hostname"] = evil
		b.put(actor.Program, "computer", c)
	}
	base := b.open()
	_, sheet := b.get(base, "s-admin", "/document/equipment/xlsx?system=A")
	z, err := zip.NewReader(bytes.NewReader(sheet), int64(len(sheet)))
	if err != nil {
		t.Fatal(err)
	}
	said := false
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(f.Name, "worksheets/") && (bytes.Contains(text, []byte("<f>")) || bytes.Contains(text, []byte("<f "))) {
			t.Errorf("%s computes", f.Name)
		}
		said = said || bytes.Contains(text, []byte("HYPERLINK"))
	}
	if !said {
		t.Error("the workbook does not hold the names at all")
	}
	_, text := b.get(base, "s-admin", "/document/equipment/csv?system=A")
	for line := range strings.SplitSeq(string(text), "\r\n") {
		for cell := range strings.SplitSeq(line, ",") {
			if cell = strings.TrimPrefix(cell, `"`); cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
				t.Errorf("the cell %s begins as a formula", cell)
			}
		}
	}
}

// What the judge computes and what a page shows are one: for every document that can be
// due, the digest that the judge has of its content is that of the version just made.
func TestTheJudgeComputesOfEveryDocumentWhatThePageShows(t *testing.T) {
	b := found(t)
	b.weak()
	b.approve(b.give(deferralOfA(b.Now().Add(90 * day))))
	b.put(actor.Program, "line", values{"line_no": "L-1", "title": "庁内線", "system": "A", "type": "lan", "external": false, "internet": false, "status": "in-service"})
	b.observe("computer/CA-1", "network", b.Now(), values{"interfaces": []any{map[string]any{"name": "eth0", "mac": "00:00:5e:00:53:01", "addresses": "192.0.2.1/24", "up": true}}})
	base := b.open()
	set := document.Default(b.Kinds)
	for _, d := range set {
		if status, text := b.ask(base, "s-maintainer-a", http.MethodPost, "/document/"+d.ID, url.Values{"system": {"A"}, "version": {"第1版"}}); status != http.StatusSeeOther {
			t.Fatalf("%s is made: %d %.300s", d.ID, status, text)
		}
		if status := b.lead(base, "s-officer-a", "A-"+d.ID+"-1", "approve", nil); status != http.StatusSeeOther {
			t.Fatalf("%s is approved: %d", d.ID, status)
		}
	}
	for _, d := range set {
		s := b.facts(fact.NewRef("document", "A-"+d.ID+"-1"))
		now, _ := s.Derived()["content_now"].Fact.Value.(string)
		said, _ := s.Declared()["content_digest"].Fact.Value.(string)
		switch {
		case d.Dated() && now != "":
			t.Errorf("%s is a report of its day and is compared with today", d.ID)
		case !d.Dated() && d.ID != "documents" && (now == "" || now != said):
			t.Errorf("%s: the judge has %.12s, the version %.12s: %v", d.ID, now, said, s.Derived()["content_now"].Fact.Reason)
		}
	}
}

func TestAVerdictOnAVersionTurnsWithItsContentAndWithNothingElse(t *testing.T) {
	b := found(t)
	base := b.open()
	prepare := func(no string) {
		t.Helper()
		if status, text := b.ask(base, "s-maintainer-a", http.MethodPost, "/document/equipment", url.Values{"system": {"A"}, "version": {"第" + no + "版"}}); status != http.StatusSeeOther {
			t.Fatalf("version %s: %d %.300s", no, status, text)
		}
		if status := b.lead(base, "s-officer-a", "A-equipment-"+no, "approve", nil); status != http.StatusSeeOther {
			t.Fatalf("version %s is approved: %d", no, status)
		}
	}
	says := func(no, when string, want verdict.Outcome) {
		t.Helper()
		if got := b.verdict(b.Now(), fact.NewRef("document", "A-equipment-"+no), "document/up-to-date"); got.Outcome != want {
			t.Errorf("%s: version %s %s, want %s: %v", when, no, got.Outcome, want, got.Reasons)
		}
	}
	renamed := func(name string) {
		c := computer("CA-1", "A")
		c["hostname"] = name
		b.put(actor.Program, "computer", c)
	}
	b.observe("computer/CA-1", "identity", b.Now(), values{"os_name": "Debian GNU/Linux 12", "os_version": "12"})
	prepare("1")
	b.tick(20 * day)
	says("1", "nothing happened", verdict.Conforms)
	// Structural, and not in this document.
	b.observe("computer/CA-1", "network", b.Now(), values{"listeners": []any{map[string]any{"proto": "tcp", "port": int64(23), "address": "0.0.0.0"}}})
	b.tick(day)
	b.observe("computer/CA-1", "network", b.Now(), values{"listeners": []any{}})
	b.put(actor.Program, "line", values{"line_no": "L-1", "title": "庁内線", "system": "A", "type": "lan", "external": false, "internet": false, "status": "in-service"})
	b.put(actor.Program, "computer", computer("CB-9", "B"))
	b.tick(30 * day)
	says("1", "something else changed", verdict.Conforms)
	// Changed and changed back: the content is the same.
	b.observe("computer/CA-1", "identity", b.Now(), values{"os_name": "Debian GNU/Linux 12", "os_version": "13"})
	b.tick(day)
	b.observe("computer/CA-1", "identity", b.Now(), values{"os_name": "Debian GNU/Linux 12", "os_version": "12"})
	b.tick(30 * day)
	says("1", "changed back", verdict.Conforms)
	// Changed: within the time allowed, then no more, nothing having run in between.
	b.observe("computer/CA-1", "identity", b.Now(), values{"os_name": "Debian GNU/Linux 12", "os_version": "13"})
	says("1", "just changed", verdict.Conforms)
	b.tick(14*day - time.Second)
	says("1", "a second before the time is up", verdict.Conforms)
	b.tick(time.Second)
	says("1", "the time is up", verdict.Violates)
	if got := b.stands(base, "s-maintainer-a", "equipment"); got != "Due" {
		t.Errorf("the page says %s", got)
	}
	prepare("2")
	says("2", "the next version", verdict.Conforms)
	says("1", "the one before is withdrawn", verdict.NotApplicable)
	// What is declared counts as well, and so does what is no longer there.
	was, _ := b.entry(fact.NewRef("computer", "CA-1")).Values["hostname"].(string)
	renamed("other-name")
	b.tick(14 * day)
	says("2", "a declared name changed", verdict.Violates)
	renamed(was)
	says("2", "and is as it was", verdict.Conforms)
}
