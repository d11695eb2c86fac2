package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/encoding/japanese"

	"kakusho/actor"
	"kakusho/audit"
	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind/table"
	"kakusho/register"
	"kakusho/register/exchange"
)

// Who may change which register, one line each: person, what, allowed.
func TestRightsOverRegisters(t *testing.T) {
	b := found(t)
	b.put(actor.Program, "zone", values{"zone_no": "Z-ST", "title": "署事務室", "unit": "ST", "class": 2, "manager": "STATION", "status": "in-use"})
	b.put(actor.Program, "medium", medium("M-ST", "ST"))
	change := func(kindID string, v values) func(actor.Actor) error {
		return func(who actor.Actor) error { _, err := b.tryPut(who, kindID, v); return err }
	}
	n := 0
	fresh := func(kindID string, v func(id string) values) func(actor.Actor) error {
		return func(who actor.Actor) error {
			n++
			_, err := b.tryPut(who, kindID, v(fmt.Sprintf("N-%d", n)))
			return err
		}
	}
	newComputer := func(system string) func(actor.Actor) error {
		return fresh("computer", func(id string) values { return computer(id, system) })
	}
	retire := func(kindID string, v func(id string) values) func(actor.Actor) error {
		return func(who actor.Actor) error {
			n++
			ref := b.put(actor.Program, kindID, v(fmt.Sprintf("R-%d", n)))
			return b.Register.Retire(b.ctx, who, ref, "廃棄", b.Now())
		}
	}
	ofSystem := func(system string) func(id string) values {
		return func(id string) values { return computer(id, system) }
	}
	ofUnit := func(unit string) func(id string) values {
		return func(id string) values {
			v := medium(id, unit)
			v["status"] = "disposed" // its procedure has ended
			return v
		}
	}
	imports := func(kindID, text string) func(actor.Actor) error {
		return func(who actor.Actor) error {
			_, err := b.Exchange.Import(b.ctx, who, kindID, strings.NewReader(text), "x.csv", b.Now())
			return err
		}
	}
	exports := func(kindID string) func(actor.Actor) error {
		return func(who actor.Actor) error {
			_, err := b.Exchange.Export(b.ctx, who, register.Query{Kind: kindID}, table.CSV, bilingual.JA, false, b.Now())
			return err
		}
	}
	const head = "asset_no,role,system,hostname,status\n"
	unitOnly := computer("CA-DIV", "A")
	unitOnly["unit"] = "DIV"
	b.put(actor.Program, "computer", unitOnly)
	moved := computer("CB-1", "A")
	out := computer("CA-1", "B")
	system := func(id string) values {
		return values{"system_id": id, "title": "新システム", "unit": "DIV", "officer": "OFFICER-A", "maintainer": "MAINTAINER-A", "status": "planned",
			"confidentiality": 1, "integrity": 1, "availability": 1, "internet": "none"}
	}
	running := func(id string) values { // as it is: only a step changes its state
		return merged(system(id), values{"status": "in-service"})
	}
	for _, c := range []struct {
		person string
		what   string
		do     func(actor.Actor) error
		allow  bool
	}{
		{"s-maintainer-a", "changes a computer of his system", change("computer", computer("CA-1", "A")), true},
		{"s-officer-a", "changes a computer of his system", change("computer", computer("CA-1", "A")), true},
		{"s-all", "changes a computer of any system", change("computer", computer("CA-1", "A")), true},
		{"s-maintainer-b", "changes a computer of another system", change("computer", computer("CA-1", "A")), false},
		{"s-division", "changes a computer of his unit's system that names no unit", change("computer", computer("CA-1", "A")), false},
		{"s-division", "changes a computer of his unit", change("computer", unitOnly), true},
		{"s-maintainer-a", "takes a computer from another system", change("computer", moved), false},
		{"s-maintainer-a", "gives a computer away to another system", change("computer", out), false},
		{"s-maintainer-b", "takes a computer from another system", change("computer", out), false},
		{"s-all", "moves a computer between systems", change("computer", moved), true},
		{"s-all", "moves it back", change("computer", computer("CB-1", "B")), true},
		{"s-maintainer-a", "enters a computer into his system", newComputer("A"), true},
		{"s-maintainer-a", "enters a computer into another system", newComputer("B"), false},
		{"s-staff", "enters a computer", newComputer("A"), false},
		{"s-auditor", "enters a computer", newComputer("A"), false},
		{"s-operator", "enters a computer", newComputer("A"), false},
		{"s-chief", "enters a computer", newComputer("A"), false},
		{"s-officer-a", "changes his system", change("system", running("A")), true},
		{"s-officer-b", "changes another system", change("system", running("A")), false},
		{"s-officer-a", "enters another system", fresh("system", system), false},
		{"s-admin", "enters another system", fresh("system", system), true},
		{"s-operator", "enters a person", fresh("person", func(id string) values {
			return values{"staff_no": id, "name": "新任", "unit": "ST", "employment": "staff", "status": "active"}
		}), true},
		{"s-station", "enters a person of his unit", fresh("person", func(id string) values {
			return values{"staff_no": id, "name": "新任", "unit": "ST", "employment": "staff", "status": "active"}
		}), true},
		{"s-station", "enters a person of another unit", fresh("person", func(id string) values {
			return values{"staff_no": id, "name": "新任", "unit": "DIV", "employment": "staff", "status": "active"}
		}), false},
		{"s-officer-a", "enters a person", fresh("person", func(id string) values {
			return values{"staff_no": id, "name": "新任", "unit": "DIV", "employment": "staff", "status": "active"}
		}), false},
		{"s-officer-a", "gives himself another duty", fresh("assignment", func(id string) values {
			return values{"assignment_no": id, "post": "OFFICER-A", "person": "s-officer-a", "duty": "security-administrator", "scope": "*", "from": "2026-04-01"}
		}), false},
		{"s-admin", "gives a duty", fresh("assignment", func(id string) values {
			return values{"assignment_no": id, "post": "OFFICER-A", "person": "s-officer-a", "duty": "staff", "scope": "*", "from": "2026-04-01"}
		}), true},
		{"s-station", "changes a medium of his unit", change("medium", medium("M-ST", "ST")), true},
		{"s-division", "changes a medium of another unit", change("medium", medium("M-ST", "ST")), false},
		{"s-maintainer-a", "strikes out a computer of his system", retire("computer", ofSystem("A")), true},
		{"s-maintainer-a", "strikes out a computer of another system", retire("computer", ofSystem("B")), false},
		{"s-operator", "strikes out a computer", retire("computer", ofSystem("A")), false},
		{"s-station", "strikes out a medium of his unit", retire("medium", ofUnit("ST")), true},
		{"s-station", "strikes out a medium of another unit", retire("medium", ofUnit("DIV")), false},
		{"s-maintainer-a", "imports into his system", imports("computer", head+"I-1,server,A,i-1,in-service\n"), true},
		{"s-maintainer-a", "imports into two systems", imports("computer", head+"I-2,server,A,i-2,in-service\nI-3,server,B,i-3,in-service\n"), false},
		{"s-maintainer-a", "imports a computer away from another system", imports("computer", head+"CB-1,server,A,cb-1,in-service\n"), false},
		{"s-all", "imports into two systems", imports("computer", head+"I-2,server,A,i-2,in-service\nI-3,server,B,i-3,in-service\n"), true},
		{"s-staff", "imports", imports("computer", head+"I-4,server,A,i-4,in-service\n"), false},
		{"s-auditor", "exports", exports("computer"), true},
		{"s-maintainer-a", "exports", exports("computer"), true},
		{"s-staff", "exports", exports("computer"), false},
		{"s-operator", "exports", exports("computer"), false},
		{"s-chief", "exports keys, which he may not see", exports("key"), false},
		{"s-auditor", "exports keys", exports("key"), true},
	} {
		err := c.do(b.as(c.person))
		switch {
		case c.allow && err != nil:
			t.Errorf("%s %s: got %v, want allowed", c.person, c.what, err)
		case !c.allow && !errors.Is(err, gate.ErrRefused):
			t.Errorf("%s %s: got %v, want refused", c.person, c.what, err)
		}
	}
	for _, id := range []string{"I-4", "N-2"} {
		if e := b.entry(fact.NewRef("computer", id)); e.Rev != 0 {
			t.Errorf("a refused change left %s behind", id)
		}
	}
	b.sound()
}

func medium(id, unit string) values {
	return values{"medium_no": id, "type": "usb-memory", "unit": unit, "custodian": "STATION", "status": "in-custody"}
}

func TestEveryRefusalIsInTheTrailAndChangesNothing(t *testing.T) {
	b := found(t)
	before := b.entry("computer/CA-1")
	v := computer("CA-1", "A")
	v["hostname"] = "changed"
	_, err := b.tryPut(b.as("s-maintainer-b"), "computer", v)
	refused(t, "another system's computer", err)
	if after := b.entry("computer/CA-1"); after.Rev != before.Rev || after.Values["hostname"] != before.Values["hostname"] {
		t.Errorf("got %+v, want it as before", after)
	}
	q := audit.Query{Kind: "gate.refused", Actor: "s-maintainer-b"}
	p, err := b.Audit.Permit(b.ctx, b.as("s-auditor"), q, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	hits, err := b.Audit.Search(b.ctx, p, q)
	if err != nil {
		t.Fatal(err)
	}
	if len(hits.Entries) == 0 || hits.Entries[0].Object != "computer/CA-1" || bodyOf(t, hits.Entries[0], "why") != "no-duty" {
		t.Errorf("got %+v, want the refusal with its reason", hits.Entries)
	}
	b.sound()
}

func TestOfTwoWhoChangeAnEntryAtOnceOneIsTold(t *testing.T) {
	b := found(t)
	who := b.as("s-maintainer-a")
	rev := b.entry("computer/CA-1").Rev
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			v := computer("CA-1", "A")
			v["hostname"] = fmt.Sprintf("by-%d", i)
			_, errs[i] = b.Register.Put(b.ctx, who, "computer", v, rev, b.Now())
		})
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			t.Errorf("both %d and %d were taken", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, register.ErrConflict):
			t.Errorf("got %v, want ErrConflict", err)
		}
	}
	e := b.entry("computer/CA-1")
	if want := fmt.Sprintf("by-%d", won); e.Values["hostname"] != want || e.Rev != rev+1 {
		t.Errorf("got %v rev %d, want %s rev %d", e.Values["hostname"], e.Rev, want, rev+1)
	}
	// An old form, and a new entry under a number that was given.
	for _, old := range []int64{0, rev} {
		if _, err := b.Register.Put(b.ctx, who, "computer", computer("CA-1", "A"), old, b.Now()); !errors.Is(err, register.ErrConflict) {
			t.Errorf("with rev %d: got %v, want ErrConflict", old, err)
		}
	}
	b.sound()
}

func TestAHiddenFieldSurvivesAnEditorWhoCannotSeeIt(t *testing.T) {
	b := found(t)
	b.put(b.as("s-admin"), "person", values{"staff_no": "K-1", "name": "委託 一郎", "unit": "ST", "employment": "contractor", "status": "active", "nationality": "某国"})
	who := b.as("s-station")
	e, err := b.Register.Get(b.ctx, b.permit(who), "person/K-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, shown := e.Values["nationality"]; shown || len(e.Hidden) != 1 || e.Hidden[0] != "nationality" {
		t.Fatalf("the operations manager sees %v, hidden %v", e.Values["nationality"], e.Hidden)
	}
	for name, v := range map[string]values{
		"left out":          {"staff_no": "K-1", "name": "委託 太郎", "unit": "ST", "employment": "contractor", "status": "active"},
		"overwritten blind": {"staff_no": "K-1", "name": "委託 次郎", "unit": "ST", "employment": "contractor", "status": "active", "nationality": "他国"},
	} {
		b.put(who, "person", v)
		if got := b.entry("person/K-1").Values; got["nationality"] != "某国" || got["name"] != v["name"] {
			t.Errorf("%s: got %v, want the field kept", name, got)
		}
	}
	file := "staff_no,name,employment,status,nationality\nK-1,委託 三郎,contractor,active,他国\n"
	if _, err := b.Exchange.Import(b.ctx, who, "person", strings.NewReader(file), "x.csv", b.Now()); err != nil {
		t.Fatal(err)
	}
	if got := b.entry("person/K-1").Values; got["nationality"] != "某国" || got["name"] != "委託 三郎" {
		t.Errorf("by import: got %v, want the field kept", got)
	}
	b.sound()
}

func TestAnEntryPointsToWhatIsThere(t *testing.T) {
	b := found(t)
	who := b.as("s-all")
	v := computer("CA-9", "A")
	v["zone"] = "NOWHERE"
	_, err := b.tryPut(who, "computer", v)
	var faults register.Faults
	if !errors.As(err, &faults) || len(faults) != 1 || faults[0].Field != "zone" {
		t.Errorf("a reference to nothing: got %v, want a fault of zone", err)
	}
	act := register.Act{Procedure: "system", Step: "annul", Ref: "system/B", Rev: b.entry("system/B").Rev, Note: "誤り"}
	if _, err := b.Register.Take(b.ctx, b.as("s-admin"), act, b.Now()); err != nil {
		t.Fatal(err)
	}
	if err := b.Register.Retire(b.ctx, b.as("s-admin"), "system/B", "廃止", b.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.tryPut(who, "computer", computer("CB-9", "B")); !errors.As(err, &faults) || faults[0].Field != "system" {
		t.Errorf("a reference to what was struck out: got %v, want a fault of system", err)
	}
	for _, c := range []struct {
		name  string
		kind  string
		v     values
		field string
	}{
		{"a number missing", "computer", values{"role": "server", "system": "A", "status": "in-service"}, "asset_no"},
		{"a choice that is none", "computer", values{"asset_no": "X", "role": "toaster", "system": "A", "status": "in-service"}, "role"},
		{"a field that is none", "computer", values{"asset_no": "X", "role": "server", "system": "A", "status": "in-service", "colour": "red"}, "colour"},
		{"an observed field typed in", "computer", values{"asset_no": "X", "role": "server", "system": "A", "status": "in-service", "aslr": 2}, "aslr"},
		{"a day that is none", "computer", values{"asset_no": "X", "role": "server", "system": "A", "status": "in-service", "in_service_on": "2026-02-30"}, "in_service_on"},
		{"a name of ten megabytes", "computer", values{"asset_no": strings.Repeat("x", 10<<20), "role": "server", "system": "A", "status": "in-service"}, "asset_no"},
	} {
		_, err := b.tryPut(who, c.kind, c.v)
		if !errors.As(err, &faults) || faults[0].Field != c.field {
			t.Errorf("%s: got %.200v, want a fault of %s", c.name, err, c.field)
		}
	}
	// What is hostile but text is kept as it is.
	hostile := computer(`=cmd|' /C calc'!A0 <script>alert(1)</script> \u202e`, "A")
	ref := b.put(who, "computer", hostile)
	if got := b.entry(ref).Values["asset_no"]; got != hostile["asset_no"] {
		t.Errorf("got %q, want %q", got, hostile["asset_no"])
	}
	b.sound()
}

func TestARetiredEntryStaysReadableAndItsNumberIsNotGivenAgain(t *testing.T) {
	b := found(t)
	who := b.as("s-maintainer-a")
	if err := b.Register.Retire(b.ctx, who, "computer/CA-1", "", b.Now()); err == nil {
		t.Error("struck out without a reason")
	}
	if err := b.Register.Retire(b.ctx, who, "computer/NONE", "廃棄", b.Now()); !errors.Is(err, register.ErrNoEntry) {
		t.Errorf("what is not there: got %v, want ErrNoEntry", err)
	}
	if err := b.Register.Retire(b.ctx, who, "computer/CA-1", "廃棄", b.Now()); err != nil {
		t.Fatal(err)
	}
	if e := b.entry("computer/CA-1"); !e.Retired || e.Values["hostname"] != "ca-1" {
		t.Errorf("got %+v, want it readable and struck out", e)
	}
	if _, err := b.Register.Put(b.ctx, who, "computer", computer("CA-1", "A"), 0, b.Now()); !errors.Is(err, register.ErrConflict) {
		t.Errorf("its number for a new one: got %v, want ErrConflict", err)
	}
	if _, judged := b.standing(b.Now()).Subject("computer/CA-1"); judged {
		t.Error("it is still judged")
	}
	page, err := b.Register.List(b.ctx, b.permit(looker()), register.Query{Kind: "computer"})
	if err != nil || page.Total != 1 {
		t.Errorf("the list has %d, %v, want the one that is left", page.Total, err)
	}
	b.sound()
}

func TestAFileIsTriedThenAppliedWholeOrNotAtAll(t *testing.T) {
	b := found(t)
	who := b.as("s-all")
	plan := func(text string) *exchange.Plan {
		t.Helper()
		p, err := b.Exchange.Plan(b.ctx, b.permit(who), "computer", exchange.File{Name: "x.csv", Data: []byte(text)}, &table.Mapping{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	count := func() int64 {
		t.Helper()
		p, err := b.Register.List(b.ctx, b.permit(looker()), register.Query{Kind: "computer"})
		if err != nil {
			t.Fatal(err)
		}
		return p.Total
	}
	text := "asset_no,role,system,hostname,status\n" +
		"CA-1,server,A,ca-1,in-service\n" + // same
		"CB-1,server,B,renamed,in-service\n" + // changed
		"CA-2,terminal,A,ca-2,in-service\n" // new
	p := plan(text)
	if p.New != 1 || p.Changed != 1 || p.Same != 1 || p.Wrong != 0 || len(p.Faults) != 0 {
		t.Errorf("dry run: got new %d changed %d same %d wrong %d, want 1 1 1 0 (%v)", p.New, p.Changed, p.Same, p.Wrong, p.Faults)
	}
	if len(p.Rows) == 2 && (len(p.Rows[0].Cells) != 1 || p.Rows[0].Cells[0].Old != "cb-1" || p.Rows[0].Cells[0].New != "renamed") {
		t.Errorf("dry run says of the change: %+v", p.Rows[0].Cells)
	}
	if n := count(); n != 2 || b.entry("computer/CB-1").Values["hostname"] != "cb-1" {
		t.Errorf("the dry run changed something: %d entries", n)
	}

	bad := text + "CA-3,toaster,A,ca-3,in-service\nCA-4,server,NOWHERE,ca-4,in-service\n,server,A,x,in-service\n"
	p = plan(bad)
	if p.Wrong != 3 {
		t.Errorf("dry run of a file with faults: %d rows wrong, want 3 (%v)", p.Wrong, p.Faults)
	}
	for i, line := range []int{5, 6, 7} {
		if i < len(p.Faults) && (p.Faults[i].Line != line || p.Faults[i].Text().JA == "") {
			t.Errorf("fault %d is at line %d, want %d: %v", i, p.Faults[i].Line, line, p.Faults[i])
		}
	}
	if _, err := b.Exchange.Import(b.ctx, who, "computer", strings.NewReader(bad), "x.csv", b.Now()); !errors.Is(err, exchange.ErrFaults) {
		t.Errorf("applying it: got %v, want ErrFaults", err)
	}
	if n := count(); n != 2 {
		t.Errorf("a file with faults left %d entries, want 2", n)
	}

	n, err := b.Exchange.Import(b.ctx, who, "computer", strings.NewReader(text), "x.csv", b.Now())
	if err != nil || n != 2 || count() != 3 {
		t.Errorf("applying the good one: %d changed, %v, %d entries, want 2 and 3", n, err, count())
	}
	if n, err := b.Exchange.Import(b.ctx, who, "computer", strings.NewReader(text), "x.csv", b.Now()); err != nil || n != 0 {
		t.Errorf("applying it again: %d changed, %v, want none", n, err)
	}
	// A column that the file lacks keeps its value; an empty cell clears it.
	for _, c := range []struct {
		text string
		want any
	}{
		{"asset_no,role,system,status\nCA-2,mobile,A,in-service\n", "ca-2"},
		{"asset_no,role,system,status,hostname\nCA-2,terminal,A,in-service,\n", nil},
	} {
		if _, err := b.Exchange.Import(b.ctx, who, "computer", strings.NewReader(c.text), "x.csv", b.Now()); err != nil {
			t.Fatal(err)
		}
		if got := b.entry("computer/CA-2").Values["hostname"]; got != c.want {
			t.Errorf("after %q: got %v, want %v", c.text, got, c.want)
		}
	}
	for name, text := range map[string]string{
		"an unknown column":     "asset_no,colour\nCA-2,red\n",
		"the same number twice": "asset_no,role,system,hostname,status\nD-1,server,A,x,in-service\nD-1,server,A,y,in-service\n",
		"no text":               "\x00\x01\x02",
		"nothing":               "",
	} {
		if _, err := b.Exchange.Import(b.ctx, who, "computer", strings.NewReader(text), "x.csv", b.Now()); !errors.Is(err, exchange.ErrFaults) {
			t.Errorf("%s: got %v, want ErrFaults", name, err)
		}
	}
	b.sound()
}

func TestAFileInShiftJISWithRowsThatPointToEachOtherIsApplied(t *testing.T) {
	b := found(t)
	who := b.as("s-operator")
	text := "所属コード,所属名,区分,上位所属\r\nST-2,北警察署,警察署,ST-1\r\nST-1,方面本部,部・方面本部,HQ\r\n"
	sjis, err := japanese.ShiftJIS.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Exchange.Plan(b.ctx, b.permit(who), "unit", exchange.File{Name: "所属.csv", Data: []byte(sjis)}, &table.Mapping{}, nil)
	if err != nil || p.Sheet.Encoding != "shift_jis" || p.New != 2 || len(p.Faults) != 0 {
		t.Fatalf("dry run: %s, new %d, faults %v, %v", p.Sheet.Encoding, p.New, p.Faults, err)
	}
	if _, err := b.Exchange.Import(b.ctx, who, "unit", strings.NewReader(sjis), "所属.csv", b.Now()); err != nil {
		t.Fatal(err)
	}
	if e := b.entry("unit/ST-2"); e.Values["title"] != "北警察署" || e.Values["parent"] != "ST-1" {
		t.Errorf("got %v", e.Values)
	}
	for name, bom := range map[string]string{"UTF-8": "", "UTF-8 with a byte order mark": "\ufeff"} {
		n, err := b.Exchange.Import(b.ctx, who, "unit", strings.NewReader(bom+text), "x.csv", b.Now())
		if err != nil || n != 0 {
			t.Errorf("the same in %s: %d changed, %v, want none", name, n, err)
		}
	}
	b.sound()
}

func TestAnExportHoldsNoPersonalFieldAndComesBackEqual(t *testing.T) {
	b := found(t)
	out, err := b.Exchange.Export(b.ctx, b.as("s-auditor"), register.Query{Kind: "person"}, table.CSV, bilingual.JA, false, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out, []byte("試験 s-chief")) || bytes.Contains(out, []byte("氏名")) {
		t.Error("the names of persons went out")
	}
	if !bytes.Contains(out, []byte("s-chief")) {
		t.Errorf("the numbers are missing:\n%.300s", out)
	}
	for _, format := range []table.Format{table.CSV, table.XLSX} {
		out, err := b.Exchange.Export(b.ctx, b.as("s-all"), register.Query{Kind: "computer"}, format, bilingual.JA, false, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		p, err := b.Exchange.Plan(b.ctx, b.permit(b.as("s-all")), "computer", exchange.File{Name: "x." + string(format), Data: out}, &table.Mapping{}, nil)
		if err != nil || p.Same != 2 || p.New+p.Changed+p.Wrong != 0 {
			t.Errorf("%s comes back with new %d changed %d wrong %d same %d: %v %v", format, p.New, p.Changed, p.Wrong, p.Same, p.Faults, err)
		}
	}
	// What a spreadsheet would read as a formula goes out as text, and comes back
	// as it was.
	b.put(looker(), "computer", computer("=1+1", "A"))
	out, err = b.Exchange.Export(b.ctx, b.as("s-all"), register.Query{Kind: "computer", Words: "=1+1"}, table.CSV, bilingual.JA, false, b.Now())
	if err != nil || !bytes.Contains(out, []byte("=1+1")) || bytes.Contains(out, []byte("\n=1+1")) || bytes.Contains(out, []byte(",=1+1")) {
		t.Errorf("a formula goes out as one: %v\n%s", err, out)
	}
	if p, err := b.Exchange.Plan(b.ctx, b.permit(b.as("s-all")), "computer", exchange.File{Name: "x.csv", Data: out}, &table.Mapping{}, nil); err != nil || p.Same != 1 || p.New+p.Changed+p.Wrong != 0 {
		t.Errorf("it comes back with new %d changed %d wrong %d same %d: %v %v", p.New, p.Changed, p.Wrong, p.Same, p.Faults, err)
	}
	form, err := b.Exchange.Export(b.ctx, b.as("s-all"), register.Query{Kind: "computer"}, table.CSV, bilingual.EN, true, b.Now())
	if err != nil || bytes.Count(bytes.TrimSpace(form), []byte("\n")) > 1 || bytes.Contains(form, []byte("CA-1")) {
		t.Errorf("the form to fill in: %v\n%.300s", err, form)
	}
	b.sound()
}

// A list of records is typed row by row, and a list of choices ticked: what was typed is
// what is kept, rows left empty are none, and what is wrong is told in its row.
func TestListsAreTypedIntoTheForm(t *testing.T) {
	b := found(t)
	base := b.open()
	form := func(more url.Values) url.Values {
		v := url.Values{"contract_no": {"C-1"}, "title": {"保守"}, "system": {"A"}, "work": {"maintenance"}, "status": {"planned"}}
		maps.Copy(v, more)
		return v
	}
	rows := func(at ...string) url.Values {
		v := url.Values{"subcontractors": {""}, "level_means": {"", "iso27001", "on-site"}}
		for i, name := range at {
			v.Set(fmt.Sprintf("subcontractors[%d].name", i), name)
			v.Set(fmt.Sprintf("subcontractors[%d].approved_on", i), "")
		}
		return v
	}
	wrong := rows("", "甲社")
	wrong.Set("subcontractors[1].approved_on", "昨日")
	for i, c := range []struct {
		path string
		form url.Values
		want int
		kept []string
	}{
		{"/register/contract/new", form(rows("甲社", "", "乙社", "")), http.StatusSeeOther, []string{"甲社", "乙社"}},
		{"/register/contract/C-1", form(rows("", "乙社")), http.StatusSeeOther, []string{"乙社"}},
		{"/register/contract/C-1", form(wrong), http.StatusUnprocessableEntity, []string{"乙社"}},
		{"/register/contract/C-1", form(rows("", "")), http.StatusSeeOther, nil},
	} {
		c.form.Set("rev", strconv.FormatInt(b.entry("contract/C-1").Rev, 10))
		status, text := b.ask(base, "s-maintainer-a", http.MethodPost, c.path, c.form)
		if status != c.want {
			t.Errorf("%d: got %d, want %d", i, status, c.want)
		}
		if c.want == http.StatusUnprocessableEntity && (!strings.Contains(string(text), `value="昨日"`) || !strings.Contains(string(text), `id="e-f-subcontractors[0].approved_on"`)) {
			t.Errorf("%d: the row does not tell what is wrong", i)
		}
		var kept []string
		list, _ := b.entry("contract/C-1").Values["subcontractors"].([]any)
		for _, r := range list {
			kept = append(kept, r.(map[string]any)["name"].(string))
		}
		if means := fmt.Sprint(b.entry("contract/C-1").Values["level_means"]); !slices.Equal(kept, c.kept) || means != "[iso27001 on-site]" {
			t.Errorf("%d: kept %q and %s, want %q", i, kept, means, c.kept)
		}
	}
}
