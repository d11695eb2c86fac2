package server_test

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/differ"
	"kakusho/report/document"
	"kakusho/store/sqlite"
)

// TestADifferenceIsMendedAtOnce changes one value of a register by one button, as those
// who may and those who may not, and looks that it is no difference any more.
func TestADifferenceIsMendedAtOnce(t *testing.T) {
	b := found(t)
	b.apart()
	base := b.open()
	for _, c := range []struct {
		name, person, kind, side, subject, key, value string
		want                                          int
	}{
		{"an officer of another system registers", "s-officer-b", "listener", "observed", "computer/CA-1", "tcp/8080", "tcp/8080", http.StatusForbidden},
		{"the chief registers", "s-chief", "listener", "observed", "computer/CA-1", "tcp/8080", "tcp/8080", http.StatusForbidden},
		{"with a value that is not observed", "s-maintainer-a", "listener", "observed", "computer/CA-1", "tcp/8080", "tcp/1", http.StatusConflict},
		{"what is no difference", "s-maintainer-a", "listener", "observed", "computer/CA-1", "tcp/22", "tcp/22", http.StatusConflict},
		{"what is no single value", "s-maintainer-a", "account", "declared", "computer/CA-1", "gone", "", http.StatusBadRequest},
		{"no subject at all", "s-maintainer-a", "account", "declared", "", "gone", "", http.StatusBadRequest},
		{"a listener is registered", "s-maintainer-a", "listener", "observed", "computer/CA-1", "tcp/8080", "tcp/8080", http.StatusSeeOther},
		{"and again", "s-maintainer-a", "listener", "observed", "computer/CA-1", "tcp/8080", "tcp/8080", http.StatusConflict},
		{"one that is silent is removed", "s-maintainer-a", "listener", "declared", "computer/CA-1", "tcp/443", "tcp/443", http.StatusSeeOther},
		{"a name is set as observed", "s-maintainer-a", "computer", "value", "computer/CA-1", "hostname", "another", http.StatusSeeOther},
		{"software is registered", "s-officer-a", "software", "observed", "system/A", "nginx", "nginx", http.StatusSeeOther},
		{"software is removed", "s-officer-a", "software", "declared", "system/A", "vim", "vim", http.StatusSeeOther},
	} {
		id := strings.Join([]string{c.subject, c.kind, c.side, c.key}, "|")
		status, body := b.ask(base, c.person, http.MethodPost, "/differences/mend", url.Values{"id": {id}, "subject": {c.subject}, "value": {c.value}, "back": {"system=A"}})
		if status != c.want {
			t.Errorf("%s: %d, want %d\n%.300s", c.name, status, c.want, body)
		}
		list, _ := b.differences(base, "s-all", "system=A")
		there := slices.Contains(names(list), strings.Join([]string{c.kind, c.side, c.subject, c.key}, " "))
		if done := c.want == http.StatusSeeOther; done && there {
			t.Errorf("%s: it differs still", c.name)
		}
	}
	if got := fmt.Sprintf("%v %v %v", b.entry("computer/CA-1").Values["approved_listeners"], b.entry("system/A").Values["approved_software"], b.entry("computer/CA-1").Values["serial"]); got != "[tcp/22 tcp/8080] [openssh-* nginx] S-1" {
		t.Errorf("the registers hold %s", got)
	}
	list, _ := b.differences(base, "s-all", "system=A&kind=account&side=observed")
	for _, d := range list { // the others open a form that is filled in
		q := url.Values{}
		for name, v := range d.Fill {
			q.Set(name, v)
		}
		if status, page := b.get(base, "s-maintainer-a", "/register/"+d.New+"/new?"+q.Encode()); status != http.StatusOK || !strings.Contains(string(page), `value="`+d.Key+`"`) {
			t.Errorf("%s: the form is not filled in: %d", d, status)
		}
	}
}

// TestWhatDutiesDoNotOpenIsNotShown reads the differences as one who may not see the
// register of keys, and as one who may not see a field that is compared.
func TestWhatDutiesDoNotOpenIsNotShown(t *testing.T) {
	b := found(t)
	b.apart()
	base := b.open()
	_, closed := b.differences(base, "s-chief", "system=A")
	if !slices.Equal(closed, []string{"key"}) {
		t.Errorf("closed to the chief: %v, want the keys", closed)
	}
	for _, path := range []string{"/differences", "/differences?q=secret-place", "/differences?kind=key&side=declared", "/differences?format=csv", "/api/v1/differences?limit=1000"} {
		_, body := b.get(base, "s-chief", path)
		for _, secret := range []string{"K-1", "secret-place<", "/keys/secret-place"} {
			if strings.Contains(string(body), secret) {
				t.Errorf("%s shows %q to the chief", path, secret)
			}
		}
	}
	if _, page := b.get(base, "s-maintainer-a", "/differences?kind=key"); !strings.Contains(string(page), "/keys/secret-place") {
		t.Error("who may see the keys does not")
	}

	rows, err := sqlite.Open(filepath.Join(b.dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	kinds := maps.Clone(b.Kinds)
	k := kinds["computer"]
	k.Fields = slices.Clone(k.Fields)
	i := slices.IndexFunc(k.Fields, func(f kind.Field) bool { return f.Name == "hostname" })
	k.Fields[i].See = []actor.Duty{actor.Auditor}
	kinds["computer"] = k
	p, err := posture.New(rows, b.Posture.Directive(), b.Posture.Controls(), kinds, document.Derivations(b.Posture.Terms()))
	if err != nil {
		t.Fatal(err)
	}
	for person, may := range map[string]bool{"s-auditor": true, "s-maintainer-a": false} {
		st, err := p.Now(b.ctx, b.permit(b.as(person)), b.Now())
		if err != nil {
			t.Fatal(err)
		}
		list := differ.In(st, differ.Place{System: "A"}).All
		j := slices.IndexFunc(list, func(d differ.Difference) bool { return d.Key == "hostname" })
		if j < 0 {
			t.Fatalf("%s is not told that the name differs", person)
		}
		if shown := strings.Contains(fmt.Sprint(list), "another"); shown != may {
			t.Errorf("%s: the value is shown: %v, want %v; %+v", person, shown, may, list[j])
		}
		if sub, _ := st.Subject("computer/CA-1"); strings.Contains(fmt.Sprint(sub.Facts()["declared_differences"].Fact.Value, sub.Verdicts()), "≠ another") {
			t.Errorf("%s: the derived text quotes the value", person)
		}
	}
}

// TestDifferencesAreFoundByTheirAddress asks for parts, orders and other times.
func TestDifferencesAreFoundByTheirAddress(t *testing.T) {
	b := found(t)
	before := b.Now()
	b.tick(time.Hour)
	b.apart()
	b.tick(time.Minute)
	base := b.open()
	all, _ := b.differences(base, "s-all", "")
	count := func(want func(difference) bool) (n int) {
		for _, d := range all {
			if want(d) {
				n++
			}
		}
		return n
	}
	of := func(system string) int { list, _ := b.differences(base, "s-all", "system="+system); return len(list) }
	for query, want := range map[string]int{
		"kind=listener":               count(func(d difference) bool { return d.Kind == "listener" }),
		"side=declared":               count(func(d difference) bool { return d.Side == "declared" }),
		"kind=account&side=observed":  count(func(d difference) bool { return d.Kind == "account" && d.Side == "observed" }),
		"unit=DIV":                    of("A"),
		"unit=ST":                     of("B"),
		"unit=SUB":                    0,
		"q=TCP/8080":                  1, // without regard to case and width
		"q=ｔｃｐ/8080":                  1,
		"q=tcp/8080 no-such":          0,
		"system=none":                 0,
		"kind=spaceship":              0,
		"kind=listener&sort=-subject": count(func(d difference) bool { return d.Kind == "listener" }),
		"sort=nothing-is-called-so":   len(all),
	} {
		list, _ := b.differences(base, "s-all", strings.ReplaceAll(query, " ", "%20"))
		if len(list) != want {
			t.Errorf("%s: %d, want %d", query, len(list), want)
		}
	}
	up, _ := b.differences(base, "s-all", "sort=what&system=A")
	down, _ := b.differences(base, "s-all", "sort=-what&system=A")
	if len(up) == 0 || up[0].Key != down[len(down)-1].Key && up[0].String() == down[0].String() {
		t.Errorf("sorted up it begins with %v, sorted down with %v", up[0], down[0])
	}
	for query, want := range map[string]int{"limit=3": 200, "limit=x": 400, "limit=99999": 400, "offset=-1": 400, "offset=99999": 200} {
		if status, body := b.get(base, "s-all", "/api/v1/differences?"+query); status != want {
			t.Errorf("%s: %d, want %d\n%.200s", query, status, want, body)
		}
	}
	status, file := b.get(base, "s-all", "/differences?format=csv&system=A")
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(file), "\ufeff"))).ReadAll()
	if err != nil || status != http.StatusOK || len(lines) != of("A")+1 {
		t.Errorf("the file has %d lines, want %d and a head (%d, %v)", len(lines), of("A"), status, err)
	}
	if _, page := b.get(base, "s-all", "/differences?q=nothing-is-called-so"); !strings.Contains(string(page), "この条件に合う相違はない") {
		t.Error("an empty list does not say so")
	}
	then, _ := b.differences(base, "s-all", "system=A&"+strings.TrimPrefix(at(before, time.Time{}), "?"))
	for _, d := range then {
		if d.Side != "unconfirmed" {
			t.Errorf("%s before anything was observed", d)
		}
	}
	if len(then) == 0 {
		t.Error("in the past there is no difference, though nothing had been looked at")
	}
	_, page := b.get(base, "s-all", "/differences"+at(b.Now(), time.Time{}))
	if strings.Contains(string(page), "/differences/mend") || !strings.Contains(string(page), "tcp/8080") {
		t.Error("a page of another time can be changed, or shows nothing")
	}
}
