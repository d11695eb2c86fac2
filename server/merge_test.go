package server_test

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/register/draft"
)

var (
	inputs   = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	typing   = regexp.MustCompile(`<input id="[fs]-[^"]*" name="([^"]+)" value="([^"]*)"`)
	writing  = regexp.MustCompile(`(?s)<textarea id="[fs]-[^"]*" name="([^"]+)"[^>]*>(.*?)</textarea>`)
	choosing = regexp.MustCompile(`(?s)<select id="[fs]-[^"]*" name="([^"]+)"[^>]*>(.*?)</select>`)
	chosen   = regexp.MustCompile(`<option value="([^"]*)" selected>`)
	radios   = regexp.MustCompile(`<input type="radio" name="form_take\.([^"]+)" value="mine"`)
)

// form is what a browser would send of the form of a page that is sent to action.
func form(page []byte, action string) url.Values {
	text := string(page)
	i := strings.Index(text, `action="`+action+`"`)
	if i < 0 {
		return nil
	}
	text, _, _ = strings.Cut(text[i:], "</form>")
	v := url.Values{}
	for _, re := range []*regexp.Regexp{inputs, typing, writing} {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			v.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
		}
	}
	for _, m := range choosing.FindAllStringSubmatch(text, -1) {
		value := ""
		if c := chosen.FindStringSubmatch(m[2]); c != nil {
			value = c[1]
		}
		v.Set(m[1], value)
	}
	return v
}

// asked are the fields about which a merge asks.
func asked(page []byte) (names []string) {
	for _, m := range radios.FindAllStringSubmatch(string(page), -1) {
		names = append(names, m[1])
	}
	return names
}

// Two have the same entry open. The second is shown both, field by field, and loses
// nothing: not his own, not the first one's, not what a third does while he chooses.
func TestTwoChangesOfAnEntryAreMerged(t *testing.T) {
	b := found(t)
	base := b.open()
	at := "/register/computer/CA-1"
	_, page := b.get(base, "s-maintainer-a", at)
	mine := form(page, at)
	if mine.Get("rev") == "" || mine.Get("hostname") != "ca-1" {
		t.Fatalf("the form of the entry: %v", mine)
	}
	other := computer("CA-1", "A")
	other["hostname"], other["baseline"] = "ca-1-other", "二階"
	b.put(b.as("s-officer-a"), "computer", other)
	mine.Set("hostname", "ca-1-mine")
	mine.Set("malware_measure_note", "自分の備考")
	status, page := b.ask(base, "s-maintainer-a", http.MethodPost, at, mine)
	if status != http.StatusConflict || strings.Join(asked(page), " ") != "hostname" {
		t.Fatalf("sent second: %d, asked about %v\n%.600s", status, asked(page), page)
	}
	for _, want := range []string{"ca-1-mine", "ca-1-other", "二階", "自分の備考", "s-officer-a"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the merge does not show %q", want)
		}
	}
	if got := b.entry("computer/CA-1").Values["hostname"]; got != "ca-1-other" {
		t.Errorf("while he chooses the host is called %v", got)
	}
	merge := form(page, at)
	if status, again := b.ask(base, "s-maintainer-a", http.MethodPost, at, merge); status != http.StatusConflict || len(asked(again)) != 1 {
		t.Errorf("sent without having chosen: %d, asked about %v", status, asked(again))
	}
	other["malware_measure_note"] = "第三者の備考" // by now he has something else that both changed
	b.put(b.as("s-officer-a"), "computer", other)
	merge.Set("form_take.hostname", "mine")
	status, page = b.ask(base, "s-maintainer-a", http.MethodPost, at, merge)
	if status != http.StatusConflict || strings.Join(asked(page), " ") != "malware_measure_note" {
		t.Fatalf("a third change while he chose: %d, asked about %v", status, asked(page))
	}
	merge = form(page, at)
	merge.Set("form_take.malware_measure_note", "now")
	if status, page = b.ask(base, "s-maintainer-a", http.MethodPost, at, merge); status != http.StatusSeeOther {
		t.Fatalf("chosen: %d %.500s", status, page)
	}
	got := b.entry("computer/CA-1").Values
	for name, want := range map[string]string{"hostname": "ca-1-mine", "baseline": "二階", "malware_measure_note": "第三者の備考"} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %q", name, got[name], want)
		}
	}
}

// A step is merged like an entry; of one that the entry is past he is told so, and what
// he wrote is on the page.
func TestAStepThatComesSecondIsMerged(t *testing.T) {
	b := found(t)
	base := b.open()
	if got := b.take("s-maintainer-a", "open", opened()); got != "" {
		t.Fatal(got)
	}
	_, page := b.get(base, "s-all", "/register/disposal/D-1")
	record := form(page, "/step/record/disposal/D-1")
	if record == nil {
		t.Fatal("no step to take")
	}
	v := erased()
	v["erased_by"] = "委託先　乙"
	if got := b.take("s-maintainer-a", "record", v); got != "" {
		t.Fatal(got)
	}
	record.Set("erased_by", "委託先　丙")
	record.Set("certificate_no", "C-9")
	status, page := b.ask(base, "s-all", http.MethodPost, "/step/record/disposal/D-1", record)
	if status != http.StatusConflict || strings.Join(asked(page), " ") != "erased_by certificate_no" && strings.Join(asked(page), " ") != "certificate_no erased_by" {
		t.Fatalf("recorded second: %d, asked about %v\n%.500s", status, asked(page), page)
	}
	merge := form(page, "/step/record/disposal/D-1")
	merge.Set("form_take.erased_by", "now")
	merge.Set("form_take.certificate_no", "mine")
	if status, page := b.ask(base, "s-all", http.MethodPost, "/step/record/disposal/D-1", merge); status != http.StatusSeeOther {
		t.Fatalf("merged: %d %.500s", status, page)
	}
	if got := b.entry("disposal/D-1").Values; got["erased_by"] != "委託先　乙" || got["certificate_no"] != "C-9" || got["witness"] != "s-maintainer-a" {
		t.Errorf("after the merge: %v", got)
	}
	if got := b.take("s-officer-a", "dispose", nil); got != "" {
		t.Fatal(got)
	}
	status, page = b.ask(base, "s-all", http.MethodPost, "/step/record/disposal/D-1", record)
	if status != http.StatusConflict || !strings.Contains(string(page), "この操作は行えない") || !strings.Contains(string(page), "委託先　丙") || strings.Contains(string(page), `name="step_files"`) {
		t.Errorf("a step that the entry is past: %d %.500s", status, page)
	}
}

// A half-filled form is kept for its writer alone, through a restart, until he sends or
// discards it.
func TestAHalfFilledFormIsKept(t *testing.T) {
	b := found(t)
	base := b.open()
	item := "do draft medium/new"
	_, page := b.get(base, "s-all", "/register/medium/new")
	v := form(page, "/register/medium/new")
	v.Set("note", "書きかけ")
	v.Set("form_keep", "1")
	if status, page := b.ask(base, "s-all", http.MethodPost, "/register/medium/new", v); status != http.StatusSeeOther {
		t.Fatalf("kept: %d %.300s", status, page)
	}
	b.waits(base, "s-all", item, true)
	for _, person := range []string{"s-officer-a", "s-maintainer-a", "s-admin"} {
		b.waits(base, person, item, false)
		if _, page := b.get(base, person, "/register/medium/new?draft=entry"); strings.Contains(string(page), "書きかけ") {
			t.Errorf("%s sees another's draft", person)
		}
	}
	_, page = b.get(base, "s-all", "/register/medium/new?draft=entry")
	v = form(page, "/register/medium/new")
	if v.Get("note") != "書きかけ" {
		t.Fatalf("opened again: %v", v)
	}
	for name, x := range medium("M-1", "DIV") {
		v.Set(name, x.(string))
	}
	if status, page := b.ask(base, "s-all", http.MethodPost, "/register/medium/new", v); status != http.StatusSeeOther {
		t.Fatalf("sent: %d %.800s", status, regexp.MustCompile(`(?s)class="faults".*?</div>`).Find(page))
	}
	b.waits(base, "s-all", item, false)
	if got := b.entry("medium/M-1").Values["note"]; got != "書きかけ" {
		t.Errorf("what was sent: %v", got)
	}
}

// A draft of an entry that changed meanwhile is merged when it is sent, and one may be
// discarded.
func TestADraftThatTheEntryOutranIsMerged(t *testing.T) {
	b := found(t)
	at := "/register/computer/CA-1"
	base := b.open()
	_, page := b.get(base, "s-maintainer-a", at)
	v := form(page, at)
	v.Set("hostname", "ca-1-draft")
	v.Set("form_keep", "1")
	if status, _ := b.ask(base, "s-maintainer-a", http.MethodPost, at, v); status != http.StatusSeeOther {
		t.Fatalf("kept: %d", status)
	}
	other := computer("CA-1", "A")
	other["hostname"] = "ca-1-other"
	b.put(actor.Program, "computer", other)
	_, page = b.get(base, "s-maintainer-a", at+"?draft=entry")
	if !strings.Contains(string(page), "下書きの後に登録が変わっている") {
		t.Error("the draft does not say that the entry changed")
	}
	status, page := b.ask(base, "s-maintainer-a", http.MethodPost, at, form(page, at))
	if status != http.StatusConflict || strings.Join(asked(page), " ") != "hostname" {
		t.Fatalf("a draft that was outrun: %d, asked about %v", status, asked(page))
	}
	v = form(page, at)
	v.Set("form_take.hostname", "mine")
	if status, _ := b.ask(base, "s-maintainer-a", http.MethodPost, at, v); status != http.StatusSeeOther {
		t.Fatalf("merged: %d", status)
	}
	b.waits(base, "s-maintainer-a", "do draft computer/CA-1", false)
	if got := b.entry(fact.NewRef("computer", "CA-1")).Values["hostname"]; got != "ca-1-draft" {
		t.Errorf("the host is called %v", got)
	}
	v.Set("rev", "3")
	v.Set("form_keep", "1")
	b.ask(base, "s-maintainer-a", http.MethodPost, at, v)
	b.waits(base, "s-maintainer-a", "do draft computer/CA-1", true)
	if status, _ := b.ask(base, "s-maintainer-a", http.MethodPost, "/draft/drop", url.Values{"subject": {"computer/CA-1"}, "form": {"entry"}}); status != http.StatusSeeOther {
		t.Errorf("discarded: %d", status)
	}
	b.waits(base, "s-maintainer-a", "do draft computer/CA-1", false)
}

// Drafts are in the trail like everything else, and bounded.
func TestDraftsComeBackFromTheTrail(t *testing.T) {
	b := found(t)
	who := b.as("s-staff")
	keep := func(subject, note string) error {
		return b.Drafts.Keep(b.ctx, who, draft.Draft{Subject: subject, Form: draft.Entry, Rev: 2, Typed: map[string][]string{"note": {note, ""}}}, b.Now())
	}
	for _, c := range []struct{ subject, note string }{{"", "x"}, {"medium", "x"}, {"medium/new", strings.Repeat("長", draft.MostBytes/3+1)}, {"medium/new", "\xff"}} {
		if err := keep(c.subject, c.note); !errors.Is(err, draft.ErrUnfit) {
			t.Errorf("a draft of %q with %d bytes: got %v, want ErrUnfit", c.subject, len(c.note), err)
		}
	}
	for _, note := range []string{"一", "二"} {
		if err := keep("medium/new", note); err != nil {
			t.Fatal(err)
		}
	}
	if err := keep("medium/M-1", "三"); err != nil {
		t.Fatal(err)
	}
	if err := b.Drafts.Drop(b.ctx, who, "medium/M-1", draft.Entry, b.Now()); err != nil {
		t.Fatal(err)
	}
	refused(t, "a draft of nobody", b.Drafts.Keep(b.ctx, actor.Actor{}, draft.Draft{Subject: "medium/new", Form: draft.Entry}, b.Now()))
	b.restart()
	all, err := b.Drafts.All(b.ctx, b.permit(who))
	if err != nil || len(all) != 1 || all[0].Subject != "medium/new" || all[0].Rev != 2 || !slices.Equal(all[0].Typed["note"], []string{"二", ""}) {
		t.Errorf("after a restart: %v, %v", all, err)
	}
	for i := range draft.Most {
		if err := keep(fmt.Sprintf("medium/X-%d", i), "x"); (err != nil) != (i == draft.Most-1) {
			t.Fatalf("draft %d: %v", i+2, err)
		}
	}
	b.sound()
}
