package server_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/register"
	"kakusho/register/exchange"
	"kakusho/verdict"
)

// take takes a step of the disposal D-1 of the computer CA-1 as it is now, and says
// what came of it: "" or a short word.
func (b *body) take(person, step string, v values) string {
	b.t.Helper()
	ref := fact.NewRef("disposal", "D-1")
	act := register.Act{Procedure: "disposal", Step: step, Ref: ref, Values: v, Rev: b.entry(ref).Rev}
	if step == "open" {
		act.Ref = ""
	}
	if step == "cancel" {
		act.Note = "中止の理由"
	}
	_, err := b.Register.Take(b.ctx, b.as(person), act, b.Now())
	return refusal(err)
}

func refusal(err error) string {
	var faults register.Faults
	switch {
	case err == nil:
		return ""
	case errors.Is(err, gate.ErrRefused):
		return err.Error()[strings.LastIndex(err.Error(), " ")+1:]
	case errors.Is(err, register.ErrNoStep):
		return "no-step"
	case errors.Is(err, register.ErrConflict):
		return "conflict"
	case errors.As(err, &faults):
		var names []string
		for _, f := range faults {
			names = append(names, f.Field)
		}
		slices.Sort(names)
		return "faults " + strings.Join(slices.Compact(names), ",")
	}
	return err.Error()
}

func opened() values {
	return values{"case_no": "D-1", "title": "庁内サーバの廃棄", "type": "disposal", "system": "A", "subject": "computer/CA-1", "confidentiality": 2}
}

func erased() values {
	return values{"erase_method": "overwrite", "erased_on": "2026-11-02", "erased_by": "委託先　甲", "witness": "s-maintainer-a", "certificate_no": "C-1", "certificate_on": "2026-11-02"}
}

// A device is disposed of by its case alone: each line is a person, what he does, and
// what comes of it. Every refusal leaves everything as it was.
func TestADeviceIsDisposedOfByItsCaseAlone(t *testing.T) {
	b := found(t)
	device, ref := fact.NewRef("computer", "CA-1"), fact.NewRef("disposal", "D-1")
	gone := computer("CA-1", "A")
	gone["status"] = "disposed"
	put := func(kindID string, v values) func(string) string {
		return func(person string) string { _, err := b.tryPut(b.as(person), kindID, v); return refusal(err) }
	}
	step := func(id string, v values) func(string) string {
		return func(person string) string { return b.take(person, id, v) }
	}
	csv := func(kindID, text string) func(string) string {
		return func(person string) string {
			_, err := b.Exchange.Import(b.ctx, b.as(person), kindID, strings.NewReader(text), "x.csv", b.Now())
			if errors.Is(err, exchange.ErrFaults) {
				return "faults"
			}
			return refusal(err)
		}
	}
	closed := opened()
	closed["case_no"], closed["status"], closed["opened_on"], closed["closed_on"] = "D-2", "closed", "2026-11-01", "2026-11-02"
	ended := opened()
	ended["status"], ended["opened_on"], ended["closed_on"] = "closed", "2026-11-02", "2026-11-02"
	other := opened()
	other["subject"] = "computer/CB-1"
	for i, c := range []struct {
		person, what string
		do           func(person string) string
		want         string
		state        string // of the case afterwards
	}{
		{"s-officer-a", "disposes of the device by hand", put("computer", gone), "faults status", ""},
		{"s-officer-a", "disposes of the device by a file", csv("computer", "asset_no,role,system,hostname,status\nCA-1,server,A,ca-1,disposed\n"), "faults", ""},
		{"s-officer-a", "enters a case that is closed already", put("disposal", closed), "faults status", ""},
		{"s-staff", "opens a case", step("open", opened()), "no-duty", ""},
		{"s-maintainer-b", "opens a case of another's system", step("open", opened()), "no-duty", ""},
		{"s-auditor", "opens a case without what it needs", step("open", values{"case_no": "D-1"}), "no-duty", ""},
		{"s-maintainer-a", "opens a case without what it needs", step("open", values{"case_no": "D-1", "system": "A"}), "faults confidentiality,title,type", ""},
		{"s-maintainer-a", "opens a case of no system", step("open", values{"case_no": "D-1"}), "faults confidentiality,system,title,type", ""},
		{"s-maintainer-a", "opens a case and sets its end", step("open", merged(opened(), values{"closed_on": "2026-11-02"})), "faults closed_on", ""},
		{"s-maintainer-a", "opens a case", step("open", opened()), "", "open"},
		{"s-maintainer-a", "opens it again", step("open", opened()), "faults case_no", "open"},
		{"s-maintainer-a", "ends it by the form", put("disposal", ended), "faults status", "open"},
		{"s-officer-a", "strikes it out while it is open", func(person string) string {
			return refusal(b.Register.Retire(b.ctx, b.as(person), ref, "誤り", b.Now()))
		}, "faults reason", "open"},
		{"s-officer-a", "ends it before anything is erased", step("dispose", nil), "faults erase_method,erased_by,erased_on,witness", "open"},
		{"s-maintainer-a", "records the erasure", step("record", erased()), "", "open"},
		{"s-maintainer-a", "ends it himself", step("dispose", nil), "own-request", "open"},
		{"s-officer-b", "ends a case of another's system", step("dispose", nil), "no-duty", "open"},
		{"s-officer-a", "goes back", step("reopen", nil), "no-step", "open"},
		{"s-officer-a", "ends it", step("dispose", nil), "", "closed"},
		{"s-officer-a", "ends it again", step("dispose", nil), "no-step", "closed"},
		{"s-officer-a", "cancels it", step("cancel", nil), "no-step", "closed"},
		{"s-officer-a", "puts the device back by hand", put("computer", computer("CA-1", "A")), "faults status", "closed"},
	} {
		before := b.entry(device).Rev
		if got := c.do(c.person); got != c.want {
			t.Errorf("%d: %s %s: got %q, want %q", i, c.person, c.what, got, c.want)
		}
		state, _ := b.entry(ref).Values["status"].(string)
		if state != c.state {
			t.Errorf("%d: after %s %s the case is %q, want %q", i, c.person, c.what, state, c.state)
		}
		want := map[bool]string{true: "disposed", false: "in-service"}[c.state == "closed"]
		if got := b.entry(device); got.Values["status"] != want || c.want != "" && got.Rev != before {
			t.Errorf("%d: after %s %s the device is %v (revision %d), want %s", i, c.person, c.what, got.Values["status"], got.Rev, want)
		}
	}
	b.says(ref, "design/erasure-recorded", b.Now(), verdict.Conforms)
	b.says(device, "design/computer-disposed-after-erasure", b.Now(), verdict.Conforms)
	course, err := b.Register.Course(b.ctx, b.permit(b.as("s-officer-a")), ref, b.Now())
	if err != nil || course == nil || len(course.Offers) != 0 {
		t.Fatalf("a closed case: %v, %v", course, err)
	}
	var history []string
	for _, s := range slices.Backward(course.Taken) {
		history = append(history, fmt.Sprintf("%s %s (%s) %s-%s", s.Step.ID, s.Person, s.Post, s.Before, s.After))
	}
	if want := []string{"open s-maintainer-a (MAINTAINER-A) -open", "record s-maintainer-a (MAINTAINER-A) open-open", "dispose s-officer-a (OFFICER-A) open-closed"}; !slices.Equal(history, want) {
		t.Errorf("history: got %q, want %q", history, want)
	}
	b.restart()
	if got := b.entry(device).Values["status"]; got != "disposed" {
		t.Errorf("after a restart the device is %v", got)
	}
	b.sound()
}

func merged(a, b values) values {
	for k, v := range b {
		a[k] = v
	}
	return a
}

// A case about a device of another system reaches no further than who takes it.
func TestAStepChangesNothingOfAnotherSystem(t *testing.T) {
	b := found(t)
	v := opened()
	v["subject"] = "computer/CB-1"
	for _, c := range []struct {
		person, step string
		v            values
		want         string
	}{
		{"s-maintainer-a", "open", v, ""},
		{"s-maintainer-a", "record", erased(), ""},
		{"s-officer-a", "dispose", nil, "faults subject"},
		{"s-officer-a", "cancel", nil, ""},
	} {
		if got := b.take(c.person, c.step, c.v); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.person, c.step, got, c.want)
		}
	}
	if got := b.entry("computer/CB-1").Values["status"]; got != "in-service" {
		t.Errorf("the device of another system is %v", got)
	}
}

// The officer who opened a case does not end it; nor does his equal, when the post
// above is there for that.
func TestThePostAboveDecidesForHimWhoCouldDecideHimself(t *testing.T) {
	b := found(t)
	b.put(actor.Program, "post", values{"post_id": "OFFICER-A", "title": "OFFICER-A", "unit": "HQ", "status": "active", "superior": "OFFICER-B"})
	for who, scope := range map[string]string{"s-officer-b": "*", "s-all": "system/A"} { // the one above, and an equal
		b.put(actor.Program, "assignment", values{"assignment_no": "AS-2-" + who, "post": strings.ToUpper(strings.TrimPrefix(who, "s-")), "person": who,
			"duty": "system-officer", "scope": scope, "from": "2026-04-01"})
	}
	for _, c := range []struct {
		person, step string
		v            values
		want         string
	}{
		{"s-officer-a", "open", opened(), ""},
		{"s-maintainer-a", "record", erased(), ""},
		{"s-officer-a", "dispose", nil, "own-request"},
		{"s-all", "dispose", nil, "no-duty"},
		{"s-officer-b", "dispose", nil, ""},
	} {
		if got := b.take(c.person, c.step, c.v); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.person, c.step, got, c.want)
		}
	}
}

// Of many who lead one entry on at the same moment one does, and the others are told
// that it moved.
func TestOfManyAtOnceOneTakesTheStep(t *testing.T) {
	b := found(t)
	if got := b.take("s-maintainer-a", "open", opened()); got != "" {
		t.Fatal(got)
	}
	ref := fact.NewRef("disposal", "D-1")
	who, rev := b.as("s-officer-a"), b.entry(ref).Rev
	answers := make([]string, 8)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			_, err := b.Register.Take(b.ctx, who, register.Act{Procedure: "disposal", Step: "cancel", Ref: ref, Rev: rev, Note: "中止"}, b.Now())
			answers[i] = refusal(err)
		})
	}
	wg.Wait()
	slices.Sort(answers)
	if want := append([]string{""}, slices.Repeat([]string{"conflict"}, 7)...); !slices.Equal(answers, want) {
		t.Errorf("got %q", answers)
	}
}

// Who may not take a step is told neither what is wrong with it nor where the entry
// stands.
func TestARefusedStepTellsNothing(t *testing.T) {
	b := found(t)
	if got := b.take("s-maintainer-a", "open", opened()); got != "" {
		t.Fatal(got)
	}
	for name, a := range map[string]register.Act{
		"an old revision":   {Step: "cancel", Rev: 7},
		"what it needs":     {Step: "dispose", Rev: 1},
		"a field not asked": {Step: "cancel", Rev: 1, Values: values{"title": "別"}},
	} {
		a.Procedure, a.Ref = "disposal", "disposal/D-1"
		if _, err := b.Register.Take(b.ctx, b.as("s-staff"), a, b.Now()); refusal(err) != "no-duty" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The page and the door for programs take a step alike: each line is who asks by which,
// and the status that comes back.
func TestAStepByPageAndByProgram(t *testing.T) {
	b := found(t)
	base := b.open()
	ref := fact.NewRef("disposal", "D-1")
	page := func(person, step string, form url.Values) int {
		form.Set("rev", strconv.FormatInt(b.entry(ref).Rev, 10))
		status, text := b.ask(base, person, http.MethodPost, "/step/"+step+"/disposal/D-1", form)
		if status == http.StatusUnprocessableEntity && !strings.Contains(string(text), `role="alert"`) {
			t.Errorf("%s by %s: the page does not say what is wrong", step, person)
		}
		return status
	}
	program := func(person, step string, v values) int {
		text, err := json.Marshal(map[string]any{"rev": b.entry(ref).Rev, "values": v, "note": "備考"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(b.ctx, http.MethodPut, base+"/api/v1/step/"+step+"/disposal/D-1", bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		b.as(person)
		r.AddCookie(&http.Cookie{Name: "kakusho", Value: b.sessions[person]})
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	typed := url.Values{}
	for name, v := range erased() {
		typed.Set(name, v.(string))
	}
	for i, c := range []struct {
		got, want int
	}{
		{program("s-staff", "open", opened()), http.StatusForbidden},
		{program("s-maintainer-a", "open", values{"title": "廃棄", "system": "A"}), http.StatusUnprocessableEntity},
		{program("s-maintainer-a", "open", opened()), http.StatusOK},
		{page("s-officer-a", "dispose", url.Values{}), http.StatusUnprocessableEntity},
		{page("s-officer-a", "cancel", url.Values{}), http.StatusUnprocessableEntity},
		{page("s-staff", "record", url.Values{}), http.StatusForbidden},
		{page("s-maintainer-a", "record", typed), http.StatusSeeOther},
		{page("s-maintainer-a", "dispose", url.Values{}), http.StatusForbidden},
		{program("s-maintainer-a", "dispose", values{}), http.StatusForbidden},
		{program("s-officer-a", "reopen", values{}), http.StatusConflict},
		{page("s-officer-a", "dispose", url.Values{}), http.StatusSeeOther},
		{page("s-officer-a", "cancel", url.Values{"step_note": {"中止"}}), http.StatusConflict},
	} {
		if c.got != c.want {
			t.Errorf("%d: got %d, want %d", i, c.got, c.want)
		}
	}
	_, text := b.get(base, "s-officer-a", "/register/disposal/D-1")
	for _, want := range []string{"抹消を確認し、廃棄を完了する", "s-maintainer-a", "OFFICER-A", "この状態から先の操作はない"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the entry's page does not tell %q", want)
		}
	}
	if status, text := b.get(base, "s-officer-a", "/procedure/disposal"); status != http.StatusOK || !strings.Contains(string(text), "抹消を確認し、廃棄を完了する") {
		t.Errorf("the procedure's page: %d", status)
	}
}

// Whatever bounds a step is on the page of its procedure, in words.
func TestThePageOfAProcedureSaysWhatBoundsItsSteps(t *testing.T) {
	b := found(t)
	base := b.open()
	for path, want := range map[string][]string{
		"/procedure/audit-paper?lang=ja": {"この手続の操作によってのみ作成し、及び変更する", "の状態：", "の区分："},
		"/procedure/audit-paper?lang=en": {"Entries of this register begin and change by these steps alone"},
		"/procedure/audit?lang=ja":       {"この登録に係る", "が全て終了していること"},
		"/procedure/audit?lang=en":       {"Ended before: every "},
		"/procedure/account?lang=ja":     {"平常"},
		"/procedure/account?lang=en":     {"in ordinary use"},
	} {
		status, text := b.get(base, "s-officer-a", path)
		for _, w := range want {
			if status != http.StatusOK || !strings.Contains(string(text), w) {
				t.Errorf("%s: %d, does not say %q", path, status, w)
			}
		}
	}
}

// What is attached to a step is given back as it was to those who read the entry, also
// after a restart, and not once it is another.
func TestAFileIsAttachedToAStep(t *testing.T) {
	b := found(t)
	base := b.open()
	if got := b.take("s-maintainer-a", "open", opened()); got != "" {
		t.Fatal(got)
	}
	ref := fact.NewRef("disposal", "D-1")
	pdf := []byte("%PDF-1.7\n抹消証明書")
	send := func(person, name string, content []byte) int {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		form.WriteField("rev", strconv.FormatInt(b.entry(ref).Rev, 10))
		part, err := form.CreateFormFile("step_files", name)
		if err != nil {
			t.Fatal(err)
		}
		part.Write(content)
		form.Close()
		r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, base+"/step/record/disposal/D-1", &body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", form.FormDataContentType())
		b.as(person)
		r.AddCookie(&http.Cookie{Name: "kakusho", Value: b.sessions[person]})
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for _, c := range []struct {
		person, name string
		content      []byte
		want         int
	}{
		{"s-maintainer-a", "証明書.pdf", []byte("MZ\x90\x00\x03"), http.StatusUnprocessableEntity},
		{"s-maintainer-a", "大.txt", bytes.Repeat([]byte("a"), 11<<20), http.StatusUnprocessableEntity},
		{"s-maintainer-a", "大.txt", bytes.Repeat([]byte("a"), 13<<20), http.StatusRequestEntityTooLarge},
		{"s-staff", "証明書.pdf", pdf, http.StatusForbidden},
		{"s-maintainer-a", "証明書.pdf", pdf, http.StatusSeeOther},
	} {
		if got := send(c.person, c.name, c.content); got != c.want {
			t.Errorf("%s sends %s of %d bytes: got %d, want %d", c.person, c.name, len(c.content), got, c.want)
		}
	}
	kept, err := filepath.Glob(filepath.Join(b.dir, "files", "*", "*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %q, %v; want the one that was taken", kept, err)
	}
	course, err := b.Register.Course(b.ctx, b.permit(b.as("s-officer-a")), ref, b.Now())
	if err != nil || len(course.Taken[0].Files) != 1 {
		t.Fatalf("course %v, %v", course, err)
	}
	address := fmt.Sprintf("/attached/%d/0/disposal/D-1", course.Taken[0].Entry)
	if status, got := b.get(base, "s-officer-a", address); status != http.StatusOK || !bytes.Equal(got, pdf) {
		t.Errorf("got %d, %d bytes", status, len(got))
	}
	for _, other := range []string{fmt.Sprintf("/attached/%d/1/disposal/D-1", course.Taken[0].Entry), "/attached/1/0/disposal/D-1", fmt.Sprintf("/attached/%d/0/disposal/D-2", course.Taken[0].Entry), "/attached/x/0/disposal/D-1"} {
		if status, _ := b.get(base, "s-officer-a", other); status != http.StatusNotFound {
			t.Errorf("%s: got %d", other, status)
		}
	}
	if err := os.WriteFile(kept[0], []byte("%PDF-1.7\n別の証明書"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _ := b.get(base, "s-officer-a", address); status != http.StatusInternalServerError {
		t.Errorf("a file that was altered: got %d", status)
	}
}

// Many entries of a list are led on at once, each by itself: what stands in the way of
// one keeps no other.
func TestManyAreLedOnAtOnce(t *testing.T) {
	b := found(t)
	base := b.open()
	for _, id := range []string{"A-1", "A-2", "A-3", "A-4"} {
		v := values{"appointment_no": id, "title": "異動", "unit": "ST", "to_post": "STAFF", "holder": "s-staff", "duty": "maintainer", "scope": "system/A", "from_on": "2027-04-01", "basis": "辞令"}
		if id == "A-3" {
			delete(v, "basis")
		}
		if _, err := b.Register.Take(b.ctx, b.as("s-officer-a"), register.Act{Procedure: "appointment", Step: "request", Values: v}, b.Now()); err != nil {
			t.Fatal(err)
		}
	}
	form := url.Values{"step": {"appoint"}, "id": {"A-1", "A-2", "A-3", "A-4"}, "rev.A-1": {"1"}, "rev.A-2": {"1"}, "rev.A-3": {"1"}, "rev.A-4": {"0"}}
	if status, text := b.get(base, "s-admin", "/register/appointment?f.status=requested"); status != http.StatusOK || strings.Count(string(text), `name="id"`) != 4 || !strings.Contains(string(text), ">指定する</option>") {
		t.Errorf("the list offers no step: %d", status)
	}
	status, text := b.ask(base, "s-admin", http.MethodPost, "/steps/appointment", form)
	if status != http.StatusOK || !strings.Contains(string(text), "4件のうち2件を行った") || !strings.Contains(string(text), "根拠") || !strings.Contains(string(text), "他の者が先に変更した") {
		t.Errorf("got %d %s", status, text)
	}
	for id, want := range map[string]any{"A-1": "appointed", "A-2": "appointed", "A-3": "requested", "A-4": "requested"} {
		if got := b.entry(fact.NewRef("appointment", id)).Values["status"]; got != want {
			t.Errorf("%s is %v, want %v", id, got, want)
		}
	}
	if got := b.entry("assignment/A-2").Values["from"]; got == nil {
		t.Error("an appointment made no assignment")
	}
	if status, text := b.ask(base, "s-staff", http.MethodPost, "/steps/appointment", form); status != http.StatusOK || !strings.Contains(string(text), "4件のうち0件") {
		t.Errorf("staff: got %d", status)
	}
	if status, _ := b.ask(base, "s-admin", http.MethodPost, "/steps/appointment", url.Values{"step": {"appoint"}}); status != http.StatusBadRequest {
		t.Errorf("nothing ticked: got %d", status)
	}
}
