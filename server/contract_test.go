package server_test

import (
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"kakusho/actor"
)

// held is a contract in force with two subcontractors, one under the other.
func held(b *body) {
	b.t.Helper()
	b.put(actor.Program, "contract", values{
		"contract_no": "C-1", "title": "保守", "system": "A", "work": "maintenance", "status": "active", "incident_notice": "2h",
		"item_a": "included", "item_a_page": "仕様書4頁", "item_b": "not-needed", "item_b_reason": "庁舎内で完結する。", "item_e": "included",
		"subcontracting": true, "subcontract_approval": "pending",
		"subcontractors": []any{
			map[string]any{"name": "丁社", "work": "運搬", "under": "丙社"},
			map[string]any{"name": "丙社", "work": "部品交換", "approved_on": "2026-11-01"},
		},
	})
}

// The entry's page draws who works under whom; the form refuses what is no tree, at its
// field, and an approval that no step gave.
func TestSubcontractorsAreATree(t *testing.T) {
	b := found(t)
	held(b)
	base := b.open()
	status, page := b.get(base, "s-maintainer-a", "/register/contract/C-1")
	top, below := strings.Index(string(page), `class="branch-0">丙社<`), strings.Index(string(page), `class="branch-1">└ 丁社<`)
	if status != http.StatusOK || top < 0 || below < top {
		t.Errorf("got %d; 丙社 is drawn at %d, 丁社 at %d", status, top, below)
	}
	for name, c := range map[string]struct {
		set   url.Values
		field string // at which the page tells the fault; empty: it is saved
	}{
		"under nobody":             {url.Values{"subcontractors[0].under": {"戊社"}}, "e-f-subcontractors[0].under"},
		"under each other":         {url.Values{"subcontractors[1].under": {"丁社"}}, "e-f-subcontractors[0].under"},
		"approved without a step":  {url.Values{"subcontract_approval": {"approved"}}, "e-f-subcontract_approval"},
		"ended without a step":     {url.Values{"status": {"ended"}}, "#f-status"},
		"what the form may change": {url.Values{"subcontract_reported_on": {"2026-11-02"}}, ""},
	} {
		form := url.Values{
			"contract_no": {"C-1"}, "title": {"保守"}, "system": {"A"}, "work": {"maintenance"}, "status": {"active"}, "subcontracting": {"true"},
			"subcontract_approval": {"pending"}, "subcontractors": {""},
			"subcontractors[0].name": {"丁社"}, "subcontractors[0].under": {"丙社"}, "subcontractors[1].name": {"丙社"}, "subcontractors[1].approved_on": {"2026-11-01"},
			"rev": {strconv.FormatInt(b.entry("contract/C-1").Rev, 10)},
		}
		for k, v := range c.set {
			form[k] = v
		}
		status, page := b.ask(base, "s-maintainer-a", http.MethodPost, "/register/contract/C-1", form)
		if saved := status == http.StatusSeeOther; saved != (c.field == "") || !saved && !strings.Contains(string(page), c.field) {
			t.Errorf("%s: got %d, and the page tells %q: %v", name, status, c.field, strings.Contains(string(page), c.field))
		}
	}
}

// The text of a specification is of the items that the entry includes; who may not read
// contracts does not get it.
func TestTheTextOfASpecification(t *testing.T) {
	b := found(t)
	held(b)
	base := b.open()
	for name, c := range map[string]struct {
		person, path string
		want         int
		has          []string
	}{
		"who maintains it reads it": {"s-maintainer-a", "/specification/C-1", http.StatusOK,
			[]string{"仕様書は承認されていない", "目的外利用の禁止", "仕様書4頁", "認知から2時間以内に、発注者に第一報", "庁舎内で完結する。", "ウ　意図しない変更の防止体制"}},
		"in English":                    {"s-officer-a", "/specification/C-1?lang=en", http.StatusOK, []string{"No use outside the purpose"}},
		"staff may not read contracts":  {"s-staff", "/specification/C-1", http.StatusForbidden, nil},
		"there is no such contract":     {"s-maintainer-a", "/specification/C-2", http.StatusNotFound, nil},
		"one of another system as well": {"s-maintainer-b", "/specification/C-1", http.StatusOK, nil},
	} {
		status, page := b.get(base, c.person, c.path)
		if status != c.want {
			t.Errorf("%s: got %d, want %d", name, status, c.want)
		}
		for _, s := range c.has {
			if !strings.Contains(html.UnescapeString(string(page)), s) {
				t.Errorf("%s: %q is missing", name, s)
			}
		}
	}
}
