package server_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/govern"
	"kakusho/posture/trial"
	"kakusho/verdict"
)

// draftOf is a value that was put forward, as the draft it is.
func (b *body) draftOf(id string) directive.Setting {
	b.t.Helper()
	all, err := b.Govern.Settings(b.ctx, b.permit(looker()), "")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, x := range all {
		if x.ID == id {
			return directive.Setting{ID: id, Key: x.Key, Layer: x.Layer, Value: x.Value, From: x.From}
		}
	}
	b.t.Fatalf("no setting %s", id)
	return directive.Setting{}
}

// approveSetting approves a value as somebody does who looked at what comes of it.
func (b *body) approveSetting(who actor.Actor, id string) error {
	b.t.Helper()
	p, err := trial.Predict(b.ctx, b.Posture, b.permit(looker()), b.draftOf(id), b.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return b.Govern.ApproveSetting(b.ctx, who, id, p, p.Digest(), b.Now())
}

func (b *body) proposed(s directive.Setting) string {
	b.t.Helper()
	id, err := b.Govern.Propose(b.ctx, b.as("s-admin"), s, b.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// A value is approved by one who was shown what comes of exactly this draft: each line
// is what is given instead, and nothing is approved.
func TestAValueIsApprovedWithWhatComesOfIt(t *testing.T) {
	b := found(t)
	b.as("s-admin2")
	b.weak()
	id, other := b.proposed(setting("auth.pw.min_length", "national", 8)), b.proposed(setting("auth.pw.min_length", "national", 9))
	predict := func(id string) decision.Prediction {
		p, err := trial.Predict(b.ctx, b.Posture, b.permit(looker()), b.draftOf(id), b.Now())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	right := predict(id)
	if right.Counts["passes"] == 0 || right.Counts["fails"] != 0 {
		t.Errorf("the prediction counts %v, want what conforms by the looser value", right.Counts)
	}
	with := func(change func(*decision.Prediction)) decision.Prediction {
		p := right
		change(&p)
		return p
	}
	for what, c := range map[string]struct {
		p    decision.Prediction
		seen string
	}{
		"nothing was tried":       {decision.Prediction{}, ""},
		"nothing was shown":       {right, ""},
		"another value":           {predict(other), predict(other).Digest()},
		"another layer":           {with(func(p *decision.Prediction) { p.Layer = "prefecture/98" }), right.Digest()},
		"another beginning":       {with(func(p *decision.Prediction) { p.From = p.From.Add(time.Second) }), right.Digest()},
		"another was shown":       {right, predict(other).Digest()},
		"other counts were shown": {with(func(p *decision.Prediction) { p.Counts = map[string]int{"fails": 1} }), right.Digest()},
	} {
		err := b.Govern.ApproveSetting(b.ctx, b.as("s-admin2"), id, c.p, c.seen, b.Now())
		var faults govern.Faults
		if !errors.As(err, &faults) || !hasField(faults, "predicted") {
			t.Errorf("%s: got %v, want it refused for what comes of it", what, err)
		}
	}
	if v, err := b.Govern.Values(b.ctx, directive.Scope{}, b.Now()); err != nil || v["auth.pw.min_length"].Setting != "" {
		t.Errorf("a value was approved: %+v, %v", v["auth.pw.min_length"], err)
	}
	b.sound()
}

// Over HTTP, on the page and by the API: refused unseen, refused when what comes of it has
// changed since, sealed with what was shown.
func TestWhatWasPredictedIsSealedWithTheApproval(t *testing.T) {
	b := found(t)
	base := b.soundly()
	b.as("s-admin2")
	b.weak()
	const length = "auth/password-length"
	ids := []string{b.proposed(setting("auth.pw.min_length", "national", 8)), b.proposed(setting("auth.pw.min_length", "national", 9))}
	b.says("computer/CA-1", length, b.Now(), verdict.Violates)

	// Unseen, on the page and by the API.
	status, page := b.ask(base, "s-admin2", http.MethodPost, "/setting/"+ids[0]+"/approve", nil)
	if status != http.StatusUnprocessableEntity || !strings.Contains(string(page), "試算の結果を表示し") {
		t.Errorf("unseen: the page says %d, %v", status, faultsOf(page))
	}
	status, answer := b.send(base, "s-admin2", "/api/v1/settings/"+ids[0]+"/approve", values{})
	if status != http.StatusUnprocessableEntity || !strings.Contains(string(answer), "試算の結果を表示し") {
		t.Errorf("unseen: the API says %d %s", status, answer)
	}

	// What he who approves is shown, in counts; others are not offered to approve.
	status, page = b.get(base, "s-admin2", "/setting/"+ids[0])
	if status != http.StatusOK || !strings.Contains(string(page), "新たに適合") || !strings.Contains(string(page), `name="seen"`) {
		t.Fatalf("the page of approval: %d %s", status, page)
	}
	if _, page := b.get(base, "s-admin", "/setting/"+ids[0]); strings.Contains(string(page), `name="seen"`) {
		t.Error("he who proposed it is offered to approve it")
	}
	shown := func(id string) (seen string, counts map[string]int) {
		var said struct {
			Digest     string              `json:"digest"`
			Prediction decision.Prediction `json:"prediction"`
		}
		_, answer := b.get(base, "s-admin2", "/api/v1/settings/"+id+"/prediction")
		if err := json.Unmarshal(answer, &said); err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		return said.Digest, said.Prediction.Counts
	}
	seen, _ := shown(ids[0])
	if !strings.Contains(string(page), seen) {
		t.Error("page and API show different predictions")
	}
	if status, _ := b.send(base, "s-admin", "/api/v1/settings/"+ids[0]+"/approve", values{"seen": seen}); status != http.StatusForbidden {
		t.Errorf("he who proposed it approves it: %d", status)
	}

	// Between looking and approving a machine is set right: what he saw is no more.
	b.observe("computer/CB-1", "authentication", b.Now().Add(time.Millisecond), values{"pw_min_length": int64(20)})
	b.tick(time.Minute)
	status, answer = b.send(base, "s-admin2", "/api/v1/settings/"+ids[0]+"/approve", values{"seen": seen})
	if status != http.StatusUnprocessableEntity || !strings.Contains(string(answer), "試算の結果が変わった") {
		t.Errorf("of what changed since: %d %s", status, answer)
	}
	seen, counts := shown(ids[0])
	if status, _ := b.ask(base, "s-admin2", http.MethodPost, "/setting/"+ids[0]+"/approve", url.Values{"seen": {seen}}); status != http.StatusSeeOther {
		t.Errorf("having looked again: %d", status)
	}
	b.says("computer/CA-1", length, b.Now(), verdict.Conforms)
	after, kept := shown(ids[0])
	if after != seen || kept["passes"] != counts["passes"] || kept["passes"] == 0 {
		t.Errorf("sealed is %v, want %v as it was shown", kept, counts)
	}
	if _, page := b.get(base, "s-admin2", "/setting/"+ids[0]); !strings.Contains(string(page), "承認の際の試算") {
		t.Error("the page does not show what was predicted")
	}
	seen, _ = shown(ids[1])
	if status, answer := b.send(base, "s-admin2", "/api/v1/settings/"+ids[1]+"/approve", values{"seen": seen}); status != http.StatusOK {
		t.Errorf("by the API: %d %s", status, answer)
	}
}
