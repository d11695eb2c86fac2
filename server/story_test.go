// Package server_test tells stories about whole installations: real trail, real
// rows, real gate, real register entries and real logins; only the clock is the
// test's.
package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kakusho/actor"
	"kakusho/collect"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/register"
	"kakusho/server"
	"kakusho/server/fold"
	"kakusho/trail"
	"kakusho/verdict"
)

var japan = time.FixedZone("JST", 9*60*60)

// morning is when every story begins: a Monday, ten o'clock in Japan.
var morning = time.Date(2026, 11, 2, 10, 0, 0, 0, japan)

// clock is the only thing here that is not real.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time       { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) set(t time.Time)      { c.mu.Lock(); defer c.mu.Unlock(); c.now = t }
func (c *clock) tick(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// body is an installation with the people of an invented police body.
type body struct {
	*server.Server
	clock
	t   *testing.T
	ctx context.Context
	dir string

	secrets  map[string]string // person → one-time-code secret
	sessions map[string]string // person → session token
	steps    map[string]int64  // person → last step of a code used
}

// open opens an installation in dir that nobody has entered yet.
func open(t *testing.T, dir string, at time.Time) *body {
	t.Helper()
	b := &body{t: t, ctx: t.Context(), dir: dir, secrets: map[string]string{}, sessions: map[string]string{}, steps: map[string]int64{}}
	b.set(at)
	b.start()
	t.Cleanup(func() {
		b.Close()
		b.Server = nil // package testing keeps what is cleaned up until all tests are done: hundreds of installations
	})
	return b
}

func (b *body) start() {
	b.t.Helper()
	s, err := server.New(b.ctx, server.Config{Data: b.dir, Listen: "127.0.0.1:0", Interval: -1, Now: b.Now, Log: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Server = s
}

// restart closes the installation and opens it again, as after a reboot.
func (b *body) restart() {
	b.t.Helper()
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.start()
}

const password = "Kanji-to-kagi-7712"

type values = map[string]any

// people are the persons of the body with their duty and its scope. Systems A and
// B belong to the division and to the station below headquarters.
var people = []struct{ person, duty, scope string }{
	{"s-admin", "security-administrator", "*"},
	{"s-admin2", "security-administrator", "*"},
	{"s-chief", "chief", "*"},
	{"s-operator", "operator", "*"},
	{"s-auditor", "auditor", "*"},
	{"s-staff", "staff", "*"},
	{"s-officer-a", "system-officer", "system/A"},
	{"s-maintainer-a", "maintainer", "system/A"},
	{"s-officer-b", "system-officer", "system/B"},
	{"s-maintainer-b", "maintainer", "system/B"},
	{"s-division", "maintainer", "unit/DIV"},
	{"s-station", "operations-manager", "unit/ST"},
	{"s-all", "maintainer", "*"},
}

// template is the body, made once; every test has a copy of its folder.
var template struct {
	once sync.Once
	dir  string
}

// roleVariable makes the test binary a process that plays a part in a test.
const roleVariable = "KAKUSHO_SERVER_TEST_ROLE"

func TestMain(m *testing.M) {
	if role, dir, ok := strings.Cut(os.Getenv(roleVariable), " "); ok {
		if err := roles[role](context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if template.dir != "" {
		os.RemoveAll(template.dir)
	}
	os.Exit(code)
}

// found is the body in a folder of its own.
func found(t *testing.T) *body {
	t.Helper()
	t.Parallel()
	template.once.Do(func() {
		dir, err := os.MkdirTemp("", "kakusho-body-*")
		if err != nil {
			t.Fatal(err)
		}
		template.dir = dir
		b := open(t, dir, morning)
		b.settle()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	})
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(template.dir)); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, morning)
}

// settle enters the units, the people and two systems with a computer each.
func (b *body) settle() {
	b.t.Helper()
	p := actor.Program
	for _, u := range []values{
		{"unit_id": "HQ", "title": "本部", "level": "prefecture", "prefecture": "98"},
		{"unit_id": "DIV", "title": "情報管理課", "level": "division", "parent": "HQ"},
		{"unit_id": "SUB", "title": "情報管理課分室", "level": "division", "parent": "DIV"},
		{"unit_id": "ST", "title": "中央警察署", "level": "station", "parent": "HQ"},
	} {
		b.put(p, "unit", u)
	}
	for _, x := range people {
		post := strings.ToUpper(strings.TrimPrefix(x.person, "s-"))
		b.put(p, "post", values{"post_id": post, "title": post, "unit": "HQ", "status": "active"})
		b.put(p, "person", values{"staff_no": x.person, "name": "試験 " + x.person, "unit": "HQ", "employment": "staff", "status": "active"})
		b.put(p, "assignment", values{"assignment_no": "AS-" + post, "post": post, "person": x.person, "duty": x.duty, "scope": x.scope, "from": "2026-04-01"})
	}
	for _, s := range []values{
		{"system_id": "A", "title": "照会システム", "unit": "DIV", "officer": "OFFICER-A", "maintainer": "MAINTAINER-A", "in_service_on": "2020-04-01"},
		{"system_id": "B", "title": "受付システム", "unit": "ST", "officer": "OFFICER-B", "maintainer": "MAINTAINER-B", "in_service_on": "2024-04-01"},
	} {
		maps.Copy(s, values{"status": "in-service", "confidentiality": 2, "integrity": 2, "availability": 1, "internet": "none"})
		b.put(p, "system", s)
	}
	for id, system := range map[string]string{"CA-1": "A", "CB-1": "B"} {
		b.put(p, "computer", computer(id, system))
	}
}

func computer(id, system string) values {
	return values{"asset_no": id, "role": "server", "system": system, "hostname": strings.ToLower(id), "status": "in-service"}
}

// put enters or changes an entry with the rev it has now, and fails when refused.
func (b *body) put(who actor.Actor, kindID string, v values) fact.Ref {
	b.t.Helper()
	ref, err := b.tryPut(who, kindID, v)
	if err != nil {
		b.t.Fatalf("put %s %v: %v", kindID, v, err)
	}
	return ref
}

func (b *body) tryPut(who actor.Actor, kindID string, v values) (fact.Ref, error) {
	b.t.Helper()
	ref, err := b.Register.Put(b.ctx, who, kindID, v, 0, b.Now())
	if errors.Is(err, register.ErrConflict) {
		id, _ := v[b.Kinds[kindID].Key].(string)
		ref, err = b.Register.Put(b.ctx, who, kindID, v, b.entry(fact.NewRef(kindID, id)).Rev, b.Now())
	}
	return ref, err
}

// looker holds every duty; it is for the test's own looking, never for a change.
func looker() actor.Actor {
	a := actor.Actor{Person: "test-looker"}
	for _, d := range actor.Duties {
		a.Assignments = append(a.Assignments, actor.Assignment{Post: "TEST", Duty: d, Scope: "*"})
	}
	return a
}

func (b *body) permit(who actor.Actor) gate.Permit {
	b.t.Helper()
	var places []string
	for _, as := range who.Assignments {
		places = append(places, as.Scope)
	}
	p, err := b.Gate.Ask(b.ctx, gate.Request{Actor: who, At: b.Now(), Action: gate.Read, Object: "page/test", Scope: places})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// entry is a register entry as it is; the zero Entry when there is none.
func (b *body) entry(ref fact.Ref) register.Entry {
	b.t.Helper()
	e, err := b.Register.Get(b.ctx, b.permit(looker()), ref)
	if err != nil && !errors.Is(err, register.ErrNoEntry) {
		b.t.Fatal(err)
	}
	return e
}

// code is the next one-time code of a person that was not used yet. When the
// present one was, the clock goes on to the next.
func (b *body) code(person string) string {
	b.t.Helper()
	for b.Now().Unix()/30 <= b.steps[person] {
		b.tick(30 * time.Second)
	}
	b.steps[person] = b.Now().Unix() / 30
	return codeAt(b.t, b.secrets[person], b.Now())
}

func codeAt(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// enrol sets up a person's login by an invitation.
func (b *body) enrol(person string) {
	b.t.Helper()
	token, err := b.Identity.Invite(b.ctx, actor.Program, person, b.Now(), b.Now().Add(time.Hour))
	if err != nil {
		b.t.Fatal(err)
	}
	_, b.secrets[person], err = b.Identity.Secret(token, person, "Kakusho")
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.Identity.Enrol(b.ctx, token, person, password, b.code(person), "192.0.2.1", b.Now()); err != nil {
		b.t.Fatalf("enrol %s: %v", person, err)
	}
}

// login opens a session of a person and returns its token.
func (b *body) login(person string) string {
	b.t.Helper()
	if b.secrets[person] == "" {
		b.enrol(person)
	}
	code := b.code(person)
	token, err := b.Identity.Login(b.ctx, person, password, code, "192.0.2.1", b.Now())
	if err != nil {
		b.t.Fatalf("log in %s: %v", person, err)
	}
	b.sessions[person] = token
	return token
}

// as is a person with the duties his posts carry at this very instant. He logs in
// when he has no open session.
func (b *body) as(person string) actor.Actor {
	b.t.Helper()
	if a := b.who(b.sessions[person]); !a.Nobody() {
		return a
	}
	a := b.who(b.login(person))
	if a.Nobody() {
		b.t.Fatalf("%s logged in and is nobody", person)
	}
	return a
}

func (b *body) who(token string) actor.Actor {
	b.t.Helper()
	a, err := b.Identity.Actor(b.ctx, token, "192.0.2.1", b.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// observe brings one collector's facts: those named are observed, the rest of the
// group was looked for and is not there.
func (b *body) observe(ref fact.Ref, group string, at time.Time, v values) {
	b.t.Helper()
	if err := b.Intake.Accept(b.ctx, actor.Program, []fact.Batch{b.batch(ref, group, at, v)}, b.Now()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *body) batch(ref fact.Ref, group string, at time.Time, v values) fact.Batch {
	b.t.Helper()
	batch := fact.Batch{ID: group + at.Format(time.RFC3339Nano) + string(ref), Subject: ref, Collector: group, Version: "1", Method: "native", Privilege: "root", ObservedAt: at}
	left := maps.Clone(v)
	for _, f := range collect.Fields(b.Kinds[ref.Kind()], group) {
		x := fact.Fact{Field: f.Name, Status: fact.Absent, Reason: "absent: /test"}
		if val, ok := v[f.Name]; ok {
			x = fact.Fact{Field: f.Name, Status: fact.Observed, Value: val, Source: []fact.Source{{Kind: "file", Ref: "/test"}}}
			delete(left, f.Name)
		}
		batch.Facts = append(batch.Facts, x)
	}
	if len(left) > 0 {
		b.t.Fatalf("group %s has no field %v", group, slices.Collect(maps.Keys(left)))
	}
	return batch
}

// standing is how everything stands at an instant.
func (b *body) standing(at time.Time) *posture.Standing {
	b.t.Helper()
	st, err := b.Posture.Now(b.ctx, b.permit(looker()), at)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

// verdict is what one control says of one subject at an instant.
func (b *body) verdict(at time.Time, ref fact.Ref, control string) verdict.Verdict {
	b.t.Helper()
	sub, ok := b.standing(at).Subject(ref)
	if !ok {
		b.t.Fatalf("no subject %s", ref)
	}
	for _, v := range sub.Verdicts() {
		if v.Control == control {
			return v
		}
	}
	b.t.Fatalf("%s is not judged by %s", ref, control)
	return verdict.Verdict{}
}

// says checks an outcome at several instants around the one at which it changes.
func (b *body) says(ref fact.Ref, control string, want ...any) {
	b.t.Helper()
	for i := 0; i < len(want); i += 2 {
		at, outcome := want[i].(time.Time), want[i+1].(verdict.Outcome)
		if v := b.verdict(at, ref, control); v.Outcome != outcome {
			b.t.Errorf("%s of %s at %s: got %s (%s), want %s", control, ref, at.In(japan).Format(time.DateTime), v.Outcome, why(v), outcome)
		}
	}
}

func why(v verdict.Verdict) string {
	var out []string
	for _, r := range v.Reasons {
		out = append(out, r.In("en"))
	}
	return strings.Join(out, "; ")
}

// refused fails unless err is the gate's no.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, gate.ErrRefused) {
		t.Errorf("%s: got %v, want a refusal", what, err)
	}
}

// sound checks what must hold after every story: the rows are what the trail
// says, and the trail is whole.
func (b *body) sound() {
	b.t.Helper()
	if err := b.Close(); err != nil {
		b.t.Fatal(err)
	}
	differences, err := fold.Refold(b.ctx, b.dir, "", true, b.Now, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, d := range differences {
		b.t.Errorf("rows differ from the trail: %s", d)
	}
	intact(b.t, b.dir)
}

func TestAPersonBecomesSomebodyThroughHisLoginOnly(t *testing.T) {
	b := found(t)
	if a := b.who(""); !a.Nobody() {
		t.Errorf("no token: got %+v, want nobody", a)
	}
	if a := b.who("made-up"); !a.Nobody() {
		t.Errorf("a made-up token: got %+v, want nobody", a)
	}
	a := b.as("s-officer-a")
	if a.Person != "s-officer-a" || !a.Has(actor.SystemOfficer) || a.Has(actor.Maintainer) {
		t.Errorf("got %+v, want the officer of system A", a)
	}
	b.sound()
}

func TestDutiesFollowThePostAndItsDates(t *testing.T) {
	b := found(t)
	day := func(s string) time.Time {
		d, err := time.ParseInLocation("2006-01-02", s, japan)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	b.put(actor.Program, "assignment", values{"assignment_no": "NEXT", "post": "AUDITOR", "person": "s-staff", "duty": "auditor", "scope": "*",
		"from": "2026-11-03", "until": "2026-11-05"})
	for _, c := range []struct {
		name string
		at   time.Time
		want bool
	}{
		{"a second before it begins", day("2026-11-03").Add(-time.Second), false},
		{"when it begins", day("2026-11-03"), true},
		{"a second before it ends", day("2026-11-05").Add(-time.Second), true},
		{"when it ends", day("2026-11-05"), false},
	} {
		b.set(c.at.Add(-time.Minute))
		b.as("s-staff")
		b.set(c.at)
		if got := b.as("s-staff").Has(actor.Auditor); got != c.want {
			t.Errorf("%s: has the duty %v, want %v", c.name, got, c.want)
		}
	}

	// The post changes hands: what he held goes with it, within his open session.
	b.put(actor.Program, "assignment", values{"assignment_no": "AS-AUDITOR", "post": "AUDITOR", "person": "s-staff", "duty": "auditor", "scope": "*", "from": "2026-04-01"})
	if !b.as("s-staff").Has(actor.Auditor) || b.as("s-auditor").Has(actor.Auditor) {
		t.Error("the duty did not follow the assignment")
	}

	// A duty over a unit covers the units below, and no other.
	var scopes []string
	for _, as := range b.as("s-division").Assignments {
		scopes = append(scopes, as.Scope)
	}
	if want := []string{"unit/DIV", "unit/SUB"}; !slices.Equal(scopes, want) {
		t.Errorf("a duty over unit/DIV covers %v, want %v", scopes, want)
	}

	// A person struck out of the register is nobody, at once.
	token := b.login("s-maintainer-b")
	if err := b.Register.Retire(b.ctx, b.as("s-operator"), "person/s-maintainer-b", "退職", b.Now()); err != nil {
		t.Fatal(err)
	}
	if a := b.who(token); !a.Nobody() {
		t.Errorf("a retired person: got %+v, want nobody", a)
	}
	b.sound()
}

// intact fails unless the whole trail verifies with its public key alone.
func intact(t *testing.T, dir string) {
	t.Helper()
	key, err := trail.PublicKey(filepath.Join(dir, "trail"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := trail.Verify(context.WithoutCancel(t.Context()), filepath.Join(dir, "trail"), key, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Problems {
		t.Errorf("trail: %s", p)
	}
}

// bodyOf reads one text of an entry's body.
func bodyOf(t *testing.T, e trail.Sealed, name string) string {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(e.Body, &v); err != nil {
		t.Fatalf("entry %d %s: %v", e.Seq, e.Kind, err)
	}
	s, _ := v[name].(string)
	return s
}
