package server_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/register"
	"kakusho/verdict"
)

func notice(id, text, version string, more values) values {
	return merged(values{"notice_no": id, "title": "証跡の取得及び分析について", "version": version, "text": text, "states_kept": true, "states_analysed": true, "from": "2026-11-03"}, more)
}

var noticeDigest = regexp.MustCompile(`name="digest" value="([0-9a-f]+)"`)

// Nobody uses anything before he has acknowledged the notices that concern him: from the
// second one comes into force, again when its text changes, and until the second it ends.
func TestNothingIsUsedBeforeTheNoticesAreAcknowledged(t *testing.T) {
	b := found(t)
	base := b.open()
	midnight := time.Date(2026, 11, 3, 0, 0, 0, 0, time.FixedZone("JST", 9*3600))
	b.put(actor.Program, "notice", notice("N-1", "証跡を保管し、分析することがある。", "1", nil))
	b.put(actor.Program, "notice", notice("N-2", "警察署の職員へ。", "1", values{"unit": "ST"}))        // nobody of the body is in ST
	b.put(actor.Program, "notice", notice("N-3", "照会システムの利用者へ。", "1", values{"system": "A"}))   // whoever has a live account on A
	b.put(actor.Program, "notice", notice("N-4", "以前のもの。", "1", values{"until": "2026-11-03"})) // over when the others begin
	b.put(actor.Program, "account", values{"account_no": "AC-1", "name": "staff", "system": "A", "person": "s-staff", "use": "individual", "shared": false, "admin": false, "status": "active"})
	where := func(person, path string) string {
		status, page := b.get(base, person, path)
		if status == http.StatusSeeOther {
			return "held"
		}
		if strings.Contains(string(page), `"status":403`) {
			return "told"
		}
		return http.StatusText(status)
	}
	says := func(step, person, path, want string) {
		t.Helper()
		if got := where(person, path); got != want {
			t.Errorf("%s: %s at %s: %s, want %s", step, person, path, got, want)
		}
	}
	b.set(midnight.Add(-time.Minute))
	b.as("s-officer-a") // it takes half a minute
	b.set(midnight.Add(-time.Second))
	says("a second before", "s-officer-a", "/systems", "OK")
	b.tick(time.Second)
	for path, want := range map[string]string{"/": "held", "/systems": "held", "/register/person": "held", "/api/v1/kinds": "told", "/notices/acknowledge": "OK", "/login": "held", "/assets/app.css": "OK"} {
		says("at that second", "s-officer-a", path, want) // /login leads on, to the first page
	}
	if status, _ := b.form(base, "s-officer-a", "/retire/computer/CA-1", url.Values{"reason": {"x"}}); status != http.StatusSeeOther || b.entry("computer/CA-1").Retired {
		t.Error("somebody who is held strikes an entry out")
	}
	shown := func(person string) (digests []string) {
		_, page := b.get(base, person, "/notices/acknowledge?next=/systems")
		for _, m := range noticeDigest.FindAllStringSubmatch(string(page), -1) {
			digests = append(digests, m[1])
		}
		return digests
	}
	one, two := shown("s-officer-a"), shown("s-staff")
	if len(one) != 1 || len(two) != 2 {
		t.Fatalf("shown %d to the officer and %d to who has an account; want 1 and 2", len(one), len(two))
	}
	post := func(person string, digests []string) int {
		status, _ := b.form(base, person, "/notices/acknowledge", url.Values{"digest": digests, "next": {"/systems"}})
		return status
	}
	if got := post("s-officer-a", nil); got != http.StatusConflict {
		t.Errorf("an acknowledgement of nothing: %d", got)
	}
	if got := post("s-staff", two[:1]); got != http.StatusConflict {
		t.Errorf("an acknowledgement of half: %d", got)
	}
	if got := post("s-officer-a", one); got != http.StatusSeeOther {
		t.Fatalf("an acknowledgement: %d", got)
	}
	says("acknowledged", "s-officer-a", "/systems", "OK")
	says("another's is not his", "s-staff", "/systems", "held")
	if got := post("s-staff", two); got != http.StatusSeeOther {
		t.Errorf("an acknowledgement of both: %d", got)
	}
	says("acknowledged", "s-staff", "/systems", "OK")
	person := fact.NewRef("person", "s-staff")
	b.says(person, "trail/person-acknowledged", b.Now(), verdict.Conforms)
	// it is for good
	list := b.list("acknowledgement")
	if len(list) != 3 {
		t.Fatalf("%d acknowledgements, want 3", len(list))
	}
	i := slices.IndexFunc(list, func(v values) bool { return v["person"] == "s-staff" && v["notice"] == "N-1" })
	v := list[i]
	if v["version"] != "1" || v["method"] != "screen" {
		t.Errorf("it holds %v", v)
	}
	if _, err := b.tryPut(b.as("s-all"), "acknowledgement", merged(values{}, merged(v, values{"method": "paper"}))); refusal(err) != "faults acknowledgement_no" {
		t.Errorf("it is changed: %v", err)
	}
	if err := b.Register.Retire(b.ctx, b.as("s-all"), fact.NewRef("acknowledgement", v["acknowledgement_no"].(string)), "誤り", b.Now()); refusal(err) == "" {
		t.Error("it is struck out")
	}
	// another text is another notice
	b.tick(time.Hour)
	b.put(actor.Program, "notice", notice("N-1", "証跡を一年間保管し、分析することがある。", "2", nil))
	says("the text changed", "s-officer-a", "/systems", "held")
	b.says(person, "trail/person-acknowledged", b.Now(), verdict.Violates)
	if got := post("s-officer-a", one); got != http.StatusConflict {
		t.Errorf("an acknowledgement of the text that was: %d", got)
	}
	// on paper
	b.put(actor.Program, "acknowledgement", values{"acknowledgement_no": "P-1", "notice": "N-1", "person": "s-maintainer-a", "acknowledged_at": b.Now().Format(time.RFC3339), "method": "paper"})
	says("on paper", "s-maintainer-a", "/systems", "OK")
	if got := post("s-officer-a", shown("s-officer-a")); got != http.StatusSeeOther {
		t.Errorf("again: %d", got)
	}
	says("again", "s-officer-a", "/systems", "OK")
	// it ends by the clock
	b.put(actor.Program, "notice", notice("N-1", "証跡を一年間保管し、分析することがある。", "2", values{"until": "2026-11-10"}))
	b.set(midnight.AddDate(0, 0, 7).Add(-time.Minute))
	b.as("s-admin")
	b.set(midnight.AddDate(0, 0, 7).Add(-time.Second))
	says("before it ends", "s-admin", "/systems", "held")
	b.tick(time.Second)
	says("after it ended", "s-admin", "/systems", "OK")
}

// list is every entry of a register, as values.
func (b *body) list(kindID string) (out []values) {
	b.t.Helper()
	page, err := b.Register.List(b.ctx, b.permit(looker()), register.Query{Kind: kindID, Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range page.Entries {
		out = append(out, e.Values)
	}
	return out
}
