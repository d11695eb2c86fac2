package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/audit"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/intake"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/trail"
	"kakusho/verdict"
)

// facts are what is known of one subject, as rules read it.
func (b *body) facts(ref fact.Ref) *posture.Subject {
	b.t.Helper()
	sub, ok := b.standing(b.Now()).Subject(ref)
	if !ok {
		b.t.Fatalf("no subject %s", ref)
	}
	return sub
}

func TestABatchThatArrivesTwiceCountsOnceAndAnOlderOneNothing(t *testing.T) {
	b := found(t)
	const ref = fact.Ref("computer/CA-1")
	deliver := func(batch fact.Batch) {
		t.Helper()
		if err := b.Intake.Accept(b.ctx, actor.Program, []fact.Batch{batch}, b.Now()); err != nil {
			t.Fatal(err)
		}
	}
	first := b.batch(ref, "banner", b.Now(), values{"banner_local": "one", "banner_present": true})
	deliver(first)
	b.tick(time.Hour)
	second := b.batch(ref, "banner", b.Now(), values{"banner_local": "two", "banner_present": true})
	deliver(second)
	changed := first // the sender repeats an ID with another content: the first counts
	changed.Facts = second.Facts
	changed.ObservedAt = b.Now().Add(time.Minute)
	deliver(changed)
	late := b.batch(ref, "banner", morning.Add(-time.Hour), values{"banner_local": "old", "banner_present": true})
	deliver(late)
	c := b.facts(ref).Facts()["banner_local"]
	if c.Fact.Value != "two" || !c.ObservedAt.Equal(second.ObservedAt) || !c.Since.Equal(second.ObservedAt) {
		t.Errorf("got %v observed %s since %s, want the second batch's", c.Fact.Value, c.ObservedAt, c.Since)
	}
	// What stays as it was keeps its since and is fresh again.
	if c := b.facts(ref).Facts()["banner_present"]; !c.Since.Equal(first.ObservedAt) || !c.ObservedAt.Equal(second.ObservedAt) {
		t.Errorf("an unchanged fact: since %s observed %s", c.Since, c.ObservedAt)
	}
	b.sound()
}

func TestADeliveryThatDoesNotFitIsRefusedWhole(t *testing.T) {
	b := found(t)
	const ref = fact.Ref("computer/CA-1")
	good := func() fact.Batch { return b.batch(ref, "banner", b.Now(), values{"banner_local": "x"}) }
	with := func(change func(*fact.Batch)) []fact.Batch {
		bad := b.batch(ref, "kernel", b.Now(), values{"aslr": int64(2)})
		change(&bad)
		return []fact.Batch{good(), bad}
	}
	entries := func() int64 {
		t.Helper()
		p, err := b.Audit.Permit(b.ctx, looker(), audit.Query{Kind: "fact"}, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		h, err := b.Audit.Search(b.ctx, p, audit.Query{Kind: "fact"})
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(h.Entries))
	}
	for _, c := range []struct {
		name  string
		batch []fact.Batch
	}{
		{"about two subjects", with(func(x *fact.Batch) { x.Subject = "computer/CB-1" })},
		{"about a subject no register has", func() []fact.Batch { x := good(); x.Subject = "computer/NONE"; return []fact.Batch{x} }()},
		{"about a kind that is none", func() []fact.Batch { x := good(); x.Subject = "toaster/1"; return []fact.Batch{x} }()},
		{"of a group that is none", with(func(x *fact.Batch) { x.Collector = "weather" })},
		{"with an unknown field", with(func(x *fact.Batch) { x.Facts[0].Field = "colour" })},
		{"with a field twice", with(func(x *fact.Batch) { x.Facts = append(x.Facts, x.Facts[0]) })},
		{"without a field", with(func(x *fact.Batch) { x.Facts = x.Facts[1:] })},
		{"with a field of another group", with(func(x *fact.Batch) { x.Facts[0].Field = "sshd_installed" })},
		{"with a value of another type", with(func(x *fact.Batch) { set(x, "aslr", "two") })},
		{"with a value where it was not allowed to look", with(func(x *fact.Batch) {
			x.Facts[0] = fact.Fact{Field: x.Facts[0].Field, Status: fact.Denied, Reason: "permission: x", Value: true}
		})},
		{"with a status that is none", with(func(x *fact.Batch) { x.Facts[0].Status = "probably" })},
		{"without a reason", with(func(x *fact.Batch) { x.Facts[0] = fact.Fact{Field: x.Facts[0].Field, Status: fact.Absent} })},
		{"seen in the future", with(func(x *fact.Batch) { x.ObservedAt = b.Now().Add(time.Hour) })},
		{"seen at no time", with(func(x *fact.Batch) { x.ObservedAt = time.Time{} })},
		{"without a number", with(func(x *fact.Batch) { x.ID = "" })},
	} {
		if err := b.Intake.Accept(b.ctx, actor.Program, c.batch, b.Now()); err == nil {
			t.Errorf("a delivery %s was taken", c.name)
		}
		if _, known := b.facts(ref).Facts()["banner_local"]; known || entries() != 0 {
			t.Fatalf("a delivery %s left something behind", c.name)
		}
	}
	if err := b.Intake.Accept(b.ctx, actor.Program, []fact.Batch{func() fact.Batch { x := good(); x.Subject = "computer/NONE"; return x }()}, b.Now()); !errors.Is(err, intake.ErrSubject) {
		t.Errorf("got %v, want ErrSubject", err)
	}
	if err := b.Intake.Accept(b.ctx, actor.Program, nil, b.Now()); err != nil {
		t.Errorf("nothing: %v", err)
	}
	b.sound()
}

func set(b *fact.Batch, field string, v any) {
	for i := range b.Facts {
		if b.Facts[i].Field == field {
			b.Facts[i].Status, b.Facts[i].Reason, b.Facts[i].Value = fact.Observed, "", v
		}
	}
}

func TestABigBatchIsSealedInPartsAndReadWhole(t *testing.T) {
	b := found(t)
	const ref = fact.Ref("computer/CA-1")
	list := func(n int, name string) []any {
		out := make([]any, n)
		for i := range out {
			out[i] = map[string]any{"name": fmt.Sprintf("%s-%05d-%s", name, i, strings.Repeat("x", 120)), "version": "1.0-" + strings.Repeat("9", 60)}
		}
		return out
	}
	k := b.Kinds["computer"]
	packages, _ := k.Field("packages")
	if len(packages.Of) < 2 {
		t.Fatal("packages is no longer a list of records")
	}
	batch := b.batch(ref, "package", b.Now(), values{"packages": list(3000, "p"), "pending_updates": pending(k, 1500)})
	if err := b.Intake.Accept(b.ctx, actor.Program, []fact.Batch{batch}, b.Now()); err != nil {
		t.Fatal(err)
	}
	p, err := b.Audit.Permit(b.ctx, looker(), audit.Query{Kind: "fact.batch"}, b.Now())
	if err != nil {
		t.Fatal(err)
	}
	h, err := b.Audit.Search(b.ctx, p, audit.Query{Kind: "fact.batch"})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Entries) < 2 {
		t.Errorf("sealed as %d entries, want several", len(h.Entries))
	}
	sub := b.facts(ref)
	for field, n := range map[string]int{"packages": 3000, "pending_updates": 1500} {
		got, _ := sub.Facts()[field].Fact.Value.([]any)
		if len(got) != n {
			t.Errorf("%s: %d elements (%s %s), want %d", field, len(got), sub.Facts()[field].Fact.Status, sub.Facts()[field].Fact.Reason, n)
		}
	}
	// One fact larger than an entry is refused whole, with its name.
	batch = b.batch(ref, "package", b.Now().Add(time.Second), values{"packages": list(5000, "q")})
	if err := b.Intake.Accept(b.ctx, actor.Program, []fact.Batch{batch}, b.Now()); err == nil || !strings.Contains(err.Error(), "packages") {
		t.Errorf("a fact larger than an entry: got %.200v, want an error that names it", err)
	}
	b.sound()
}

// pending fills every text of a pending update's record.
func pending(k kind.Kind, n int) []any {
	f, _ := k.Field("pending_updates")
	out := make([]any, n)
	for i := range out {
		m := map[string]any{}
		for _, x := range f.Of {
			if x.Type == kind.String {
				m[x.Name] = fmt.Sprintf("u-%d-%s", i, strings.Repeat("y", 90))
			}
		}
		out[i] = m
	}
	return out
}

func TestWhatIsSeenAgainKeepsWhenItWasFirstSeen(t *testing.T) {
	b := found(t)
	const ref = fact.Ref("computer/CA-1")
	field := ""
	for _, f := range b.Kinds["computer"].Layer(kind.Observed) {
		if f.Type == kind.List && slices.ContainsFunc(f.Of, func(x kind.Field) bool { return x.Name == "first_seen" }) && f.Name == "pending_updates" {
			field = f.Name
		}
	}
	if field == "" {
		t.Fatal("pending_updates has no first_seen any more")
	}
	f, _ := b.Kinds["computer"].Field(field)
	id := f.Of[0].Name
	seen := func() map[string]time.Time {
		out := map[string]time.Time{}
		list, _ := b.facts(ref).Facts()[field].Fact.Value.([]any)
		for _, e := range list {
			m := e.(map[string]any)
			out[m[id].(string)], _ = m["first_seen"].(time.Time)
		}
		return out
	}
	bring := func(names ...string) time.Time {
		var list []any
		for _, n := range names {
			list = append(list, map[string]any{id: n})
		}
		b.observe(ref, "package", b.Now(), values{field: list})
		return b.Now()
	}
	day1 := bring("openssl", "curl")
	b.tick(24 * time.Hour)
	day2 := bring("openssl", "sudo")
	got := seen()
	if len(got) != 2 || !got["openssl"].Equal(day1) || !got["sudo"].Equal(day2) {
		t.Errorf("got %v, want openssl since %s, sudo since %s", got, day1, day2)
	}
	b.sound()
}

func TestWhenTheCollectorStopsItsClausesTurnUnknownByTheClockAlone(t *testing.T) {
	b := found(t)
	const ref = fact.Ref("computer/CA-1")
	b.observe(ref, "clock", b.Now(), values{"time_offset": time.Millisecond, "time_synchronized": true, "time_last_sync": b.Now()})
	b.observe(ref, "authentication", b.Now(), values{"pw_min_length": int64(20)})
	b.says(ref, "server/clock-offset", b.Now(), verdict.Conforms)
	b.says(ref, "auth/password-length", b.Now(), verdict.Conforms)
	day, week := b.Now().Add(24*time.Hour), b.Now().Add(7*24*time.Hour)
	b.says(ref, "server/clock-offset", day.Add(-time.Second), verdict.Conforms, day, verdict.Unknown)
	v := b.verdict(day, ref, "server/clock-offset")
	if !slices.ContainsFunc(v.Reasons, func(r verdict.Reason) bool { return r.Code == "stale" && r.Fact == "time_offset" }) {
		t.Errorf("the reason is not that it is stale: %+v", v.Reasons)
	}
	b.says(ref, "auth/password-length", day, verdict.Conforms, week.Add(-time.Second), verdict.Conforms, week, verdict.Unknown)
	// A new look brings it back.
	b.set(week)
	b.observe(ref, "clock", b.Now(), values{"time_offset": time.Millisecond, "time_synchronized": true, "time_last_sync": b.Now()})
	b.says(ref, "server/clock-offset", b.Now(), verdict.Conforms)
	b.sound()
}

// observedOnly are the fields of a control that nothing but a look at the machine
// can tell.
func (b *body) observedOnly(ref fact.Ref, control string) (out []string) {
	c, ok := b.Posture.Control(control)
	if !ok {
		b.t.Fatalf("no control %s", control)
	}
	for _, name := range c.Needs {
		if f, ok := b.Kinds[ref.Kind()].Field(name); ok && f.In(kind.Observed) {
			out = append(out, name)
		}
	}
	return out
}

func TestNothingConformsByWhatNobodySaw(t *testing.T) {
	b := found(t)
	k := b.Kinds["computer"]
	groups := map[string]bool{}
	for _, f := range k.Layer(kind.Observed) {
		groups[f.Group] = true
	}
	check := func(when string) (conforming int) {
		t.Helper()
		for _, ref := range []fact.Ref{"computer/CA-1", "computer/CB-1"} {
			for _, v := range b.facts(ref).Verdicts() {
				if v.Outcome == verdict.Error {
					t.Errorf("%s: %s of %s fails: %s", when, v.Control, ref, why(v))
				}
				if v.Outcome != verdict.Conforms {
					continue
				}
				conforming++
				if len(v.Evidence) == 0 {
					t.Errorf("%s: %s of %s conforms without evidence", when, v.Control, ref)
				}
				for _, name := range b.observedOnly(ref, v.Control) {
					t.Errorf("%s: %s of %s conforms although nobody saw %s (%s)", when, v.Control, ref, name, why(v))
				}
			}
		}
		return conforming
	}
	check("before the first look")
	for _, c := range []struct {
		ref     fact.Ref
		control string
	}{
		{"system/A", "trail/users-informed"}, {"system/A", "trail/findings-acted-on"}, {"computer/CA-1", "document/register-agrees-with-machine"},
	} {
		if v := b.verdict(b.Now(), c.ref, c.control); v.Outcome == verdict.Conforms {
			t.Errorf("%s of %s conforms by an empty register (%s)", c.control, c.ref, why(v))
		}
	}
	for _, status := range []fact.Status{fact.Denied, fact.Error, fact.Timeout} {
		b.tick(time.Minute)
		for _, ref := range []fact.Ref{"computer/CA-1", "computer/CB-1"} {
			var batches []fact.Batch
			for g := range groups {
				x := b.batch(ref, g, b.Now(), values{})
				for i := range x.Facts {
					x.Facts[i] = fact.Fact{Field: x.Facts[i].Field, Status: status, Reason: "permission: open /etc/shadow"}
				}
				batches = append(batches, x)
			}
			if err := b.Intake.Accept(b.ctx, actor.Program, batches, b.Now()); err != nil {
				t.Fatal(err)
			}
		}
		check("when every look was " + string(status))
	}
	// With a fact something does conform: the checks above can fail.
	b.tick(time.Minute)
	b.observe("computer/CA-1", "authentication", b.Now(), values{"pw_min_length": int64(20)})
	b.says("computer/CA-1", "auth/password-length", b.Now(), verdict.Conforms)
	b.says("computer/CB-1", "auth/password-length", b.Now(), verdict.Unknown)
	b.sound()
}

func TestEverySubjectIsJudgedByEveryControlOfItsKindAndNoneFails(t *testing.T) {
	b := found(t)
	byKind := map[string]int{}
	for _, c := range b.Controls {
		for _, k := range c.Kinds {
			byKind[k]++
		}
	}
	for _, sub := range b.standing(b.Now()).Subjects() {
		if len(sub.Verdicts()) != byKind[sub.Kind.ID] {
			t.Errorf("%s has %d verdicts, want %d", sub.Ref, len(sub.Verdicts()), byKind[sub.Kind.ID])
		}
		for _, v := range sub.Verdicts() {
			if !v.Outcome.Valid() || v.Outcome == verdict.Error {
				t.Errorf("%s of %s: %s (%s)", v.Control, sub.Ref, v.Outcome, why(v))
			}
		}
	}
}

func TestTheTrailIsSearchedByThoseWhoMayAndEachEntryIsProven(t *testing.T) {
	b := found(t)
	b.login("s-chief")
	v := computer("CA-1", "A")
	v["hostname"] = "ＫＡＮＪＩ-照会機"
	b.put(b.as("s-maintainer-a"), "computer", v)
	changed := b.Now()
	search := func(q audit.Query) audit.Hits {
		t.Helper()
		p, err := b.Audit.Permit(b.ctx, b.as("s-auditor"), q, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		h, err := b.Audit.Search(b.ctx, p, q)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for _, person := range []string{"s-staff", "s-operator", "s-maintainer-a", "s-chief"} {
		_, err := b.Audit.Permit(b.ctx, b.as(person), audit.Query{}, b.Now())
		refused(t, person+" searches the trail", err)
	}
	for _, c := range []struct {
		name string
		q    audit.Query
		ok   func(trail.Sealed) bool
	}{
		{"by kind", audit.Query{Kind: "register.put"}, func(e trail.Sealed) bool { return e.Kind == "register.put" }},
		{"by the beginning of a kind", audit.Query{Kind: "identity"}, func(e trail.Sealed) bool { return strings.HasPrefix(e.Kind, "identity.") }},
		{"by actor", audit.Query{Actor: "s-maintainer-a"}, func(e trail.Sealed) bool { return e.Actor == "s-maintainer-a" }},
		{"by object", audit.Query{Object: "computer/CA-1"}, func(e trail.Sealed) bool { return e.Object == "computer/CA-1" }},
		{"by the beginning of an object", audit.Query{Object: "computer/"}, func(e trail.Sealed) bool { return strings.HasPrefix(e.Object, "computer/") }},
		{"by words in another width and case", audit.Query{Kind: "register", Words: "kanji 照会機"}, func(e trail.Sealed) bool { return strings.Contains(string(e.Body), "照会機") }},
		{"from an instant", audit.Query{From: changed}, func(e trail.Sealed) bool { return !e.At.Before(changed) }},
		{"until an instant", audit.Query{Until: changed}, func(e trail.Sealed) bool { return e.At.Before(changed) }},
	} {
		c.q.Limit = 500
		h := search(c.q)
		if len(h.Entries) == 0 {
			t.Errorf("%s: nothing is found", c.name)
		}
		for _, e := range h.Entries {
			if !c.ok(e) {
				t.Errorf("%s: found entry %d %s %s of %s", c.name, e.Seq, e.Kind, e.Object, e.Actor)
			}
		}
	}
	if h := search(audit.Query{Words: "no-such-word-anywhere-" + "else", Kind: "register"}); len(h.Entries) != 0 || h.Next != 0 {
		t.Errorf("what is nowhere is found: %+v", h)
	}
	// Page by page it is the same as at once.
	q := audit.Query{Kind: "register.put", Limit: 500}
	all := search(q)
	var paged []trail.Sealed
	q.Limit = 7
	for {
		h := search(q)
		paged = append(paged, h.Entries...)
		if h.Next == 0 || len(h.Entries) == 0 {
			break
		}
		q.Before = h.Next
	}
	if len(paged) != len(all.Entries) {
		t.Fatalf("page by page %d, at once %d", len(paged), len(all.Entries))
	}
	for i := range paged {
		if paged[i].Seq != all.Entries[i].Seq {
			t.Fatalf("entry %d: page by page %d, at once %d", i, paged[i].Seq, all.Entries[i].Seq)
		}
	}
	b.proves(all.Entries[0])
	b.sound()
}

// proves checks that an entry is proven by its file and the public key alone, and
// by nothing else.
func (b *body) proves(e trail.Sealed) {
	b.t.Helper()
	p, err := b.Audit.Permit(b.ctx, b.as("s-auditor"), audit.Query{}, b.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := b.Audit.Entry(p, e.Seq)
	if err != nil || got.ID != e.ID {
		b.t.Errorf("entry %d: got %v, %v", e.Seq, got, err)
	}
	proof, err := b.Audit.Proof(b.ctx, p, e.Seq)
	if err != nil {
		b.t.Fatal(err)
	}
	key := b.Audit.PublicKey()
	proven, err := trail.VerifyProof(proof, key)
	if err != nil || proven.Seq != e.Seq || string(proven.Body) != string(e.Body) || proven.Actor != e.Actor {
		b.t.Errorf("got %+v, %v, want entry %d", proven.Sealed, err, e.Seq)
	}
	for i := 0; i < len(proof); i += max(1, len(proof)/60) {
		forged := slices.Clone(proof)
		forged[i] ^= 1
		if x, err := trail.VerifyProof(forged, key); err == nil && string(mustJSON(x.Entry)) != string(mustJSON(e.Entry)) {
			b.t.Errorf("with byte %d flipped it proves another entry", i)
		}
	}
	other := open(b.t, b.t.TempDir(), morning)
	if _, err := trail.VerifyProof(proof, other.Audit.PublicKey()); err == nil {
		b.t.Error("it verifies with another installation's key")
	}
	if _, err := b.Audit.Proof(b.ctx, p, 1<<40); err == nil {
		b.t.Error("an entry that is not there is proven")
	}
}

func mustJSON(v any) []byte { b, _ := json.Marshal(v); return b }

func TestNothingIsDoneWhenTheTrailCannotTakeIt(t *testing.T) {
	b := found(t)
	who := b.as("s-maintainer-a")
	before := b.entry("computer/CA-1")
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	v := computer("CA-1", "A")
	v["hostname"] = "x"
	if _, err := b.Register.Put(ctx, who, "computer", v, before.Rev, b.Now()); err == nil {
		t.Error("a change that the asker gave up was taken")
	}
	if after := b.entry("computer/CA-1"); after.Rev != before.Rev {
		t.Errorf("rev %d, want %d", after.Rev, before.Rev)
	}
	if _, err := b.Gate.Ask(ctx, gate.Request{Actor: who, At: b.Now(), Action: gate.PutRegister, Object: "x"}); !errors.Is(err, gate.ErrRefused) {
		t.Errorf("a refusal that cannot be recorded: got %v, want a refusal all the same", err)
	}
	b.sound()
}
