package report_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/report"
	"kakusho/report/document"
	"kakusho/store"
	"kakusho/verdict"
)

var at = time.Date(2026, 11, 2, 1, 0, 0, 0, time.UTC)

// looked is a report of one server of which three things were seen.
func looked(t *testing.T) *report.Report {
	t.Helper()
	kinds, d := kind.Default(), directive.Default()
	p, err := posture.New(nil, d, control.Default(kinds, d), kinds, document.Derivations(posture.NewTerms(d, control.Default(kinds, d), kinds)))
	if err != nil {
		t.Fatal(err)
	}
	seen := func(field, collector string, v any) store.Fact {
		return store.Fact{Subject: "computer/this", Field: field, Status: string(fact.Observed), Value: v, Collector: collector,
			Source: []fact.Source{{Kind: "file", Ref: "/etc/" + strings.Repeat("長い", 40)}}, ObservedAt: at, ReceivedAt: at, Since: at, FirstAt: at}
	}
	st, err := p.Of([]store.Subject{
		{Kind: "computer", ID: "this", Name: "<b>照会\x1b[31m機</b>", System: "this", Values: map[string]any{"asset_no": "this", "role": "server", "system": "this", "status": "in-service"}, Rev: 1, ChangedAt: at},
		{Kind: "system", ID: "this", Name: "this", System: "this", Values: map[string]any{"system_id": "this", "status": "in-service"}, Rev: 1, ChangedAt: at},
	}, []store.Fact{
		seen("pw_min_length", "authentication", int64(8)), seen("time_offset", "clock", "1ms"), seen("banner_local", "banner", "<script>alert(1)</script>\x1b[31m"),
	}, at)
	if err != nil {
		t.Fatal(err)
	}
	r := report.New(p, st, "test")
	r.Root, r.Host, r.Privilege = "/mnt/disk\x1b]0;x\a", "srv\x1b[31m-<i>1</i>", "root"
	r.Assumed = map[string]string{"role": "server"}
	return r
}

func write(t *testing.T, r *report.Report, format string, l bilingual.Lang, width int, all bool) string {
	t.Helper()
	var buf bytes.Buffer
	if err := r.Write(&buf, format, l, width, all); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestEveryFormOfAReportSaysTheSame(t *testing.T) {
	r := looked(t)
	want := map[string]verdict.Outcome{"auth/password-length": verdict.Violates, "server/clock-offset": verdict.Conforms}
	for _, v := range r.Verdicts {
		if o, ok := want[v.Control]; ok && v.Outcome != o {
			t.Fatalf("%s says %s, want %s", v.Control, v.Outcome, o)
		}
	}
	var doc struct{ Verdicts []map[string]any }
	if err := json.Unmarshal([]byte(write(t, r, "json", "", 0, false)), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Verdicts) != len(r.Verdicts) {
		t.Errorf("JSON has %d verdicts, want %d", len(doc.Verdicts), len(r.Verdicts))
	}
	for i, v := range doc.Verdicts {
		next, there := v["next_change"]
		if !there || (next == nil) != r.Verdicts[i].NextChange.IsZero() {
			t.Errorf("%s: next_change %v, want %s", v["control"], next, r.Verdicts[i].NextChange)
		}
		if v["control"] != r.Verdicts[i].Control || v["outcome"] != string(r.Verdicts[i].Outcome) {
			t.Errorf("verdict %d: got %v %v", i, v["control"], v["outcome"])
		}
	}
	page := write(t, r, "html", bilingual.JA, 0, false)
	for _, v := range r.Verdicts {
		if !strings.Contains(page, ">"+v.Control+"<") {
			t.Errorf("the page lacks %s", v.Control)
		}
	}
	if err := r.Write(&bytes.Buffer{}, "pdf", bilingual.JA, 80, false); err == nil {
		t.Error("a form that is none was written")
	}
	if !r.Violates() {
		t.Error("a violation is none")
	}
}

func TestATableHoldsItsWidthAndAlignsKanji(t *testing.T) {
	r := looked(t)
	for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
		for _, width := range []int{60, 80, 160} {
			text := write(t, r, "table", l, width, true)
			chips := map[int]bool{}
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if strings.HasPrefix(line, "          ") && runewidth.StringWidth(line) > width {
					t.Errorf("%s, %d columns: %d wide: %q", l, width, runewidth.StringWidth(line), line)
				}
				if chip := regexp.MustCompile(`^ *(\[[^]]*\]) `).FindStringSubmatch(line); chip != nil {
					chips[runewidth.StringWidth(chip[1])] = true
				}
				for _, c := range line {
					if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 {
						t.Errorf("a terminal would be steered by %q", line)
					}
				}
			}
			if len(chips) != 1 {
				t.Errorf("%s, %d columns: outcomes are %v wide, want one width", l, width, chips)
			}
		}
	}
	short, long := write(t, r, "table", bilingual.EN, 120, false), write(t, r, "table", bilingual.EN, 120, true)
	title := "server/clock-offset"
	for _, v := range r.Verdicts {
		if v.Control == title && v.Outcome != verdict.Conforms {
			t.Fatal("nothing conforms in this report")
		}
	}
	if len(long) <= len(short) || !strings.Contains(long, "[Conforms") {
		t.Error("all of it is no longer than the short form")
	}
}

func TestThePageRunsNothingOfWhatWasSeen(t *testing.T) {
	page := write(t, looked(t), "html", bilingual.EN, 0, true)
	for _, s := range []string{"<script", "<i>1</i>", "<b>照会"} {
		if strings.Contains(page, s) {
			t.Errorf("the page holds %q", s)
		}
	}
	if !strings.Contains(page, "&lt;i&gt;1&lt;/i&gt;") || !strings.Contains(page, `<html lang="en">`) {
		t.Error("the page lacks the host's name or its language")
	}
}

func TestOSCALNamesAreTokensAndItsIdentifiersStable(t *testing.T) {
	r := looked(t)
	one := write(t, r, "oscal", "", 0, false)
	if two := write(t, r, "oscal", "", 0, false); one != two {
		t.Error("the same report twice is not the same document")
	}
	later := *r
	later.At = at.Add(time.Second)
	uuids := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	first := map[string]bool{}
	for _, id := range uuids.FindAllString(one, -1) {
		first[id] = true
	}
	if len(first) < len(r.Clauses)+len(r.Verdicts) {
		t.Errorf("%d identifiers for %d clauses and %d verdicts", len(first), len(r.Clauses), len(r.Verdicts))
	}
	for _, id := range uuids.FindAllString(write(t, &later, "oscal", "", 0, false), -1) {
		if first[id] {
			t.Fatalf("another report has the same identifier %s", id)
		}
	}
	var doc struct {
		Results struct {
			Results []struct {
				Findings []struct {
					Target struct {
						ID     string `json:"target-id"`
						Status struct{ State, Reason string }
					}
				}
			}
		} `json:"assessment-results"`
	}
	if err := json.Unmarshal([]byte(one), &doc); err != nil {
		t.Fatal(err)
	}
	for i, f := range doc.Results.Results[0].Findings {
		line := r.Clauses[i]
		if want := strings.Replace(string(line.Clause), "@", "_", 1); f.Target.ID != want {
			t.Errorf("clause %s is %q, want %q", line.Clause, f.Target.ID, want)
		}
		if (f.Target.Status.State == "satisfied") != (line.Outcome == verdict.Conforms) {
			t.Errorf("clause %s is %s and says %s", line.Clause, line.Outcome, f.Target.Status.State)
		}
		if _, err := clause.Parse(string(line.Clause)); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryFormBearsTheSeal gives a report the checkpoint of a trail.
func TestEveryFormBearsTheSeal(t *testing.T) {
	r := looked(t)
	for _, format := range report.Formats {
		if page := write(t, r, format, bilingual.JA, 120, false); strings.Contains(page, "検証点") || strings.Contains(page, `"seal"`) {
			t.Errorf("%s: a report of no installation speaks of a checkpoint", format)
		}
	}
	r.Seal = &report.Seal{Origin: "kakusho/osaka", Size: 42, Code: "KNMN-STR4", Text: "kakusho/osaka\n42\n", QR: `<svg id="qr"></svg>`}
	for _, format := range report.Formats {
		page := write(t, r, format, bilingual.JA, 120, false)
		for _, want := range []string{"kakusho/osaka", "42", "KNMN-STR4"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", format, want)
			}
		}
		if format == "html" && !strings.Contains(page, `<svg id="qr"></svg>`) {
			t.Error("the page lacks the QR code")
		}
	}
}
