package server_test

import (
	"net/http"
	"regexp"
	"testing"

	"kakusho/actor"
)

// TestThePageOfPrefecturesNamesAndCountsEach: a system is counted in the prefecture it
// is in, however far below the unit that gives the prefecture its name.
func TestThePageOfPrefecturesNamesAndCountsEach(t *testing.T) {
	b := found(t)
	for _, v := range []values{
		{"unit_id": "N", "title": "警察庁", "level": "national", "prefecture": "00"},
		{"unit_id": "A-N", "title": "情報管理課", "level": "division", "parent": "N"},
		{"unit_id": "P13", "title": "十三県警察", "level": "prefecture", "prefecture": "13", "parent": "N"},
		{"unit_id": "A-P13", "title": "十三警察署", "level": "station", "parent": "P13", "prefecture": "13"}, // says again what is so
		{"unit_id": "P14", "title": "十四県警察", "level": "prefecture", "prefecture": "14", "parent": "N"},
	} {
		b.put(actor.Program, "unit", v)
	}
	for id, unit := range map[string]string{"N1": "N", "N2": "A-N", "N3": "A-N", "S13": "A-P13"} {
		b.put(actor.Program, "system", values{"system_id": id, "title": id, "unit": unit, "officer": "OFFICER-A", "maintainer": "MAINTAINER-A",
			"status": "in-service", "confidentiality": 2, "integrity": 2, "availability": 1, "internet": "none", "in_service_on": "2020-04-01"})
	}
	base := b.open()
	status, page := b.get(base, "s-admin", "/units")
	if status != http.StatusOK {
		t.Fatalf("%d %.300s", status, page)
	}
	got := map[string]string{}
	for _, row := range regexp.MustCompile(`<tr><td><a href="/unit/([^"]+)">[^<]+</a> <small class="soft">(\d\d)</small></td><td>.*?</td><td class="n">(\d+)</td>`).FindAllStringSubmatch(string(page), -1) {
		got[row[2]] = row[1] + " " + row[3]
	}
	for code, want := range map[string]string{"00": "N 3", "13": "P13 1", "14": "P14 0"} {
		if got[code] != want {
			t.Errorf("prefecture %s: %q, want %q", code, got[code], want)
		}
	}
}
