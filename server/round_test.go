package server_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"kakusho/actor"
	"kakusho/server"
	"kakusho/verdict"
)

// sendsLine posts a line of a round with a photo, as the page's script does.
func (b *body) sendsLine(base, person, round string, fields map[string]string, photo []byte) int {
	b.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			b.t.Fatal(err)
		}
	}
	if photo != nil {
		f, err := w.CreateFormFile("photo", "photo.png")
		if err == nil {
			_, err = f.Write(photo)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	w.Close()
	r, err := http.NewRequestWithContext(b.ctx, http.MethodPost, base+"/round/"+round, &form)
	if err != nil {
		b.t.Fatal(err)
	}
	b.as(person)
	r.Header.Set("Content-Type", w.FormDataContentType())
	r.Header.Set("Accept", "application/json")
	r.AddCookie(&http.Cookie{Name: "kakusho", Value: b.sessions[person]})
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// leads is where a page sends its reader.
func (b *body) leads(base, person, path string) string {
	b.t.Helper()
	b.as(person)
	r, err := http.NewRequestWithContext(b.ctx, http.MethodGet, base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "kakusho", Value: b.sessions[person]})
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.Header.Get("Location")
}

// A round is walked over its page by two persons. A line that arrives twice is taken
// once; what differs is a finding at once and changes the verdict; a label leads to it.
func TestARoundIsWalkedByTwoAndEachLineIsTakenOnce(t *testing.T) {
	b := found(t)
	b.put(actor.Program, "zone", values{"zone_no": "Z", "title": "事務室", "unit": "ST", "class": 2, "manager": "STATION", "status": "in-use", "inspected_on": "2026-11-01"})
	for _, id := range []string{"CB-1", "CB-2"} {
		b.put(actor.Program, "computer", merged(computer(id, "B"), values{"zone": "Z"}))
	}
	b.put(actor.Program, "round", values{"round_no": "R-1", "title": "点検", "zone": "Z", "unit": "ST", "planned_until": "2026-11-30", "status": "planned"})
	base := b.open()
	post := func(person, do string, want int) {
		t.Helper()
		if got, text := b.form(base, person, "/round/R-1", map[string][]string{"do": {do}}); got != want {
			t.Fatalf("%s %s: %d, want %d: %.300s", person, do, got, want, text)
		}
	}
	post("s-station", "start", http.StatusSeeOther)
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89")
	line := func(subject, result, remark, sent string) map[string]string {
		return map[string]string{"do": "line", "subject": subject, "title": "x", "result": result, "remark": remark, "sent": sent}
	}
	for _, c := range []struct {
		name, person string
		line         map[string]string
		photo        []byte
		want         int
	}{
		{"by another than the inspector", "s-all", line("computer/CB-1", "found", "", "a1"), nil, http.StatusUnprocessableEntity},
		{"with a program for a photo", "s-station", line("computer/CB-1", "found", "", "a1"), []byte("\x7fELF\x02\x01\x01\x00\x00\x00"), http.StatusUnprocessableEntity},
		{"as found, with a photo", "s-station", line("computer/CB-1", "found", "", "a1"), png, http.StatusOK},
		{"the same again: the answer was lost", "s-station", line("computer/CB-1", "found", "", "a1"), png, http.StatusOK},
		{"the same thing from another phone", "s-station", line("computer/CB-1", "missing", "ない。", "a2"), nil, http.StatusConflict},
		{"a witness before everything is looked at", "s-all", map[string]string{"do": "confirm"}, nil, http.StatusUnprocessableEntity},
		{"missing without a remark", "s-station", line("computer/CB-2", "missing", "", "a3"), nil, http.StatusUnprocessableEntity},
		{"missing", "s-station", line("computer/CB-2", "missing", "所在不明", "a4"), nil, http.StatusOK},
		{"not registered", "s-station", line("", "unregistered", "床下", "a5"), nil, http.StatusOK},
		{"not registered, again", "s-station", line("", "unregistered", "床下", "a5"), nil, http.StatusOK},
		{"not registered, another under its number", "s-station", line("", "unregistered", "天井裏", "a5"), nil, http.StatusConflict},
		{"of another area", "s-station", line("computer/CA-1", "found", "", "a7"), nil, http.StatusUnprocessableEntity},
		{"without a number", "s-station", line("", "unregistered", "床下", ""), nil, http.StatusBadRequest},
	} {
		if got := b.sendsLine(base, c.person, "R-1", c.line, c.photo); got != c.want {
			t.Errorf("a line %s: %d, want %d", c.name, got, c.want)
		}
	}
	if e := b.entry("round-line/R-1/computer/CB-1"); e.Rev != 1 || e.Values["recorded_by"] != "s-station" {
		t.Errorf("the line is %d, %v", e.Rev, e.Values)
	}
	if e := b.entry("finding/R-1/computer/CB-2"); e.Values["what"] != "所在不明" || e.Values["status"] != "raised" {
		t.Errorf("the finding holds %v", e.Values)
	}
	b.says("zone/Z", "physical/area-inspected", b.Now(), verdict.Violates)
	for path, want := range map[string]string{"/rounds": "R-1", "/round/R-1": "3 / 3", "/labels/Z": "<svg", "/rounds?lang=en": "Inspection rounds"} {
		if _, page := b.get(base, "s-station", path); !strings.Contains(string(page), want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
	for path, want := range map[string]string{"/label/computer/CB-1": "/round/R-1#computer/CB-1", "/label/computer/" + server.SelfComputer: "/register/computer/" + server.SelfComputer} {
		if got := b.leads(base, "s-station", path); got != want {
			t.Errorf("%s leads to %q, want %q", path, got, want)
		}
	}
	post("s-station", "confirm", http.StatusForbidden)
	post("s-all", "confirm", http.StatusSeeOther)
	if e := b.entry("round/R-1"); e.Values["witness"] != "s-all" || e.Values["inspector"] != "s-station" {
		t.Errorf("the round holds %v", e.Values)
	}
	if got := b.sendsLine(base, "s-station", "R-1", line("", "unregistered", "後から", "a6"), nil); got != http.StatusUnprocessableEntity {
		t.Errorf("a line after the round: %d", got)
	}
}
