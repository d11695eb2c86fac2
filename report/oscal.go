package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/verdict"
)

// The parts of an OSCAL 1.1.2 assessment-results document that we fill.
// NIST, OSCAL Assessment Results model, JSON format reference.
type (
	oscalDocument struct {
		Results oscalResults `json:"assessment-results"`
	}
	oscalResults struct {
		UUID     string        `json:"uuid"`
		Metadata oscalMetadata `json:"metadata"`
		ImportAP oscalHref     `json:"import-ap"`
		Results  []oscalResult `json:"results"`
	}
	oscalMetadata struct {
		Title        string    `json:"title"`
		LastModified time.Time `json:"last-modified"`
		Version      string    `json:"version"`
		OSCALVersion string    `json:"oscal-version"`
		Remarks      string    `json:"remarks,omitempty"`
	}
	oscalHref struct {
		Href string `json:"href"`
	}
	oscalResult struct {
		UUID         string             `json:"uuid"`
		Title        string             `json:"title"`
		Description  string             `json:"description"`
		Start        time.Time          `json:"start"`
		Reviewed     oscalReviewed      `json:"reviewed-controls"`
		Observations []oscalObservation `json:"observations,omitempty"`
		Findings     []oscalFinding     `json:"findings,omitempty"`
	}
	oscalReviewed struct {
		Selections []oscalSelection `json:"control-selections"`
	}
	oscalSelection struct {
		Include []oscalControl `json:"include-controls"`
	}
	oscalControl struct {
		ID string `json:"control-id"`
	}
	oscalProp struct {
		Name  string `json:"name"`
		NS    string `json:"ns"`
		Value string `json:"value"`
	}
	oscalObservation struct {
		UUID        string          `json:"uuid"`
		Title       string          `json:"title"`
		Description string          `json:"description"`
		Props       []oscalProp     `json:"props"`
		Methods     []string        `json:"methods"`
		Collected   time.Time       `json:"collected"`
		Expires     *time.Time      `json:"expires,omitempty"`
		Evidence    []oscalEvidence `json:"relevant-evidence,omitempty"`
	}
	oscalEvidence struct {
		Description string      `json:"description"`
		Props       []oscalProp `json:"props,omitempty"`
	}
	oscalFinding struct {
		UUID        string         `json:"uuid"`
		Title       string         `json:"title"`
		Description string         `json:"description"`
		Target      oscalTarget    `json:"target"`
		Related     []oscalRelated `json:"related-observations,omitempty"`
	}
	oscalTarget struct {
		Type   string      `json:"type"`
		ID     string      `json:"target-id"`
		Props  []oscalProp `json:"props"`
		Status oscalStatus `json:"status"`
	}
	oscalStatus struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
	}
	oscalRelated struct {
		UUID string `json:"observation-uuid"`
	}
)

const oscalNS = "urn:kakusho"

// oscal writes assessment results: an observation for each verdict, a finding for
// each clause. An identifier there may not hold "@", so npa-r3@2.3.1 is
// npa-r3_2.3.1. Everything but "conforms" is not satisfied; the reason "other"
// and the property "outcome" say when that is not a failure.
func (r *Report) oscal(w io.Writer) error {
	result := oscalResult{
		UUID: r.uuid("result"), Title: r.Title.EN, Description: fmt.Sprintf("Kakusho %s on %s (%s)", r.Version, r.Host, r.Root), Start: r.At.UTC(),
	}
	byClause := map[clause.ID][]oscalRelated{}
	for i, v := range r.Verdicts {
		o := r.observation(i, v)
		result.Observations = append(result.Observations, o)
		for _, c := range v.Clauses {
			byClause[c] = append(byClause[c], oscalRelated{o.UUID})
		}
	}
	var selection oscalSelection
	for _, line := range r.Clauses {
		id := oscalID(line.Clause)
		selection.Include = append(selection.Include, oscalControl{id})
		result.Findings = append(result.Findings, oscalFinding{
			UUID: r.uuid("finding/" + string(line.Clause)), Title: line.Label.EN + " " + line.Title.EN, Description: line.Label.JA + " " + line.Title.JA,
			Target:  oscalTarget{Type: "objective-id", ID: id, Props: []oscalProp{{"outcome", oscalNS, string(line.Outcome)}}, Status: status(line.Outcome)},
			Related: byClause[line.Clause],
		})
	}
	result.Reviewed = oscalReviewed{[]oscalSelection{selection}}
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	err := enc.Encode(oscalDocument{oscalResults{
		UUID:     r.uuid("document"),
		Metadata: oscalMetadata{r.Title.EN, r.At.UTC(), r.Version, "1.1.2", r.Seal.remark()},
		ImportAP: oscalHref{"#" + r.uuid("plan")}, Results: []oscalResult{result},
	}})
	if err != nil {
		return fmt.Errorf("write OSCAL: %w", err)
	}
	return nil
}

// remark names the checkpoint; without one it is empty.
func (s *Seal) remark() string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("Checkpoint of the trail: %s, %d segments, %s", s.Origin, s.Size, s.Code)
}

func (r *Report) observation(i int, v verdict.Verdict) oscalObservation {
	o := oscalObservation{
		UUID: r.uuid(fmt.Sprintf("observation/%d/%s/%s", i, v.Control, v.Subject)), Title: r.titles[v.Control].EN,
		Description: v.Subject + ": " + v.Outcome.Label().EN, Methods: []string{"TEST"}, Collected: r.At.UTC(),
		Props: []oscalProp{{"outcome", oscalNS, string(v.Outcome)}, {"control", oscalNS, v.Control}, {"subject", oscalNS, v.Subject}},
	}
	for _, x := range v.Reasons {
		o.Description += "; " + x.In(bilingual.EN)
	}
	if !v.NextChange.IsZero() {
		t := v.NextChange.UTC()
		o.Expires = &t
	}
	for _, e := range v.Evidence {
		o.Evidence = append(o.Evidence, oscalEvidence{Description: e.Fact + " from " + e.Source + " at " + e.ObservedAt.UTC().Format(time.RFC3339),
			Props: []oscalProp{{"sha256", oscalNS, e.Digest}}})
	}
	return o
}

func status(o verdict.Outcome) oscalStatus {
	switch o {
	case verdict.Conforms:
		return oscalStatus{"satisfied", "pass"}
	case verdict.Violates:
		return oscalStatus{"not-satisfied", "fail"}
	}
	return oscalStatus{"not-satisfied", "other"}
}

func oscalID(id clause.ID) string { return strings.ReplaceAll(string(id), "@", "_") }

// uuid is the same for the same part of the same report.
func (r *Report) uuid(part string) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(r.Host+"\x00"+r.Root+"\x00"+r.At.UTC().Format(time.RFC3339Nano)+"\x00"+part)).String()
}
