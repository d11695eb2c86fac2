package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/event"
	"kakusho/fact"
	"kakusho/ingest"
	"kakusho/retention"
	"kakusho/server"
	"kakusho/server/events"
	"kakusho/store"
	"kakusho/verdict"
	pages "kakusho/web/events"
)

// source registers where events come from.
func (b *body) source(id, system string, more values) fact.Ref {
	b.t.Helper()
	v := values{"source_no": id, "title": id, "system": system, "door": "syslog-tcp", "status": "in-service"}
	for k, x := range more {
		v[k] = x
	}
	return b.put(actor.Program, "log-source", v)
}

// brings has an origin bring events of a class, and returns the stream they are in.
func (b *body) brings(o event.Origin, class event.Class, texts ...string) string {
	b.t.Helper()
	sub := b.Events.Ingest.Subscribe(1)
	defer sub.Close()
	var es []event.Event
	for _, text := range texts {
		es = append(es, event.Event{At: b.Now(), Clock: event.ClockSource, Class: class, Text: text})
	}
	if _, err := b.Events.Ingest.Accept(b.ctx, event.Batch{Origin: o, Events: es}, false); err != nil {
		b.t.Fatal(err)
	}
	return (<-sub.C).Stream
}

func TestTheRegisterSaysWhoseEventsTheyAre(t *testing.T) {
	b := found(t)
	b.source("A-NET", "A", values{"match_address": "192.0.2.0/24"})
	b.source("ADDR", "B", values{"match_address": "192.0.2.7"})
	b.source("HOST", "B", values{"match_host": "Web-1"})
	b.source("NAME", "A", values{"match_name": "pc.example"})
	b.source("BOTH", "B", values{"match_name": "pc.example", "match_host": "vm-2"})
	b.source("UDP", "A", values{"door": "syslog-udp", "match_address": "192.0.2.7"})
	b.source("OLD", "A", values{"match_host": "old-1", "status": "retired"})
	b.source("ANY", "A", nil) // says nothing of its sender: nobody's
	b.source("OWN", "A", values{"door": "journal"})
	b.source("SIX", "A", values{"match_address": "2001:db8::/32"})
	for _, c := range []struct {
		name string
		o    event.Origin
		want string
	}{
		{"a network", event.Origin{Address: "192.0.2.8"}, "A-NET"},
		{"an address before its network", event.Origin{Address: "192.0.2.7"}, "ADDR"},
		{"an address before what it calls itself", event.Origin{Address: "192.0.2.7", Host: "web-1"}, "ADDR"},
		{"a host in other letters", event.Origin{Address: "198.51.100.1", Host: "WEB-1"}, "HOST"},
		{"a proved name before an address", event.Origin{Address: "192.0.2.7", Name: "pc.example"}, "NAME"},
		{"a proved name and a host before the name", event.Origin{Address: "192.0.2.7", Name: "pc.example", Host: "vm-2"}, "BOTH"},
		{"a name that proves nothing here", event.Origin{Name: "other.example", Address: "198.51.100.1"}, ""},
		{"another door", event.Origin{Door: "syslog-udp", Address: "192.0.2.7"}, "UDP"},
		{"another door without an entry", event.Origin{Door: "otlp", Address: "192.0.2.7"}, ""},
		{"one that is retired", event.Origin{Host: "old-1"}, ""},
		{"nobody", event.Origin{Address: "198.51.100.1"}, ""},
		{"this machine's journal", event.Origin{Door: "journal", Host: "whatever"}, "OWN"},
		{"an IPv6 network", event.Origin{Address: "2001:db8::1"}, "SIX"},
		{"an IPv4 address as IPv6", event.Origin{Address: "::ffff:192.0.2.7"}, "ADDR"},
	} {
		if c.o.Door == "" {
			c.o.Door = "syslog-tcp"
		}
		b.tick(2 * time.Second)
		before := b.Events.Ingest.Coverage()
		b.brings(c.o, event.Login, "x")
		var got string
		for id, now := range b.Events.Ingest.Coverage() {
			if now.Count != before[id].Count {
				got = id
			}
		}
		if got != c.want {
			t.Errorf("%s: came by %q, want %q", c.name, got, c.want)
		}
	}
	b.sound()
}

func TestAnEventIsKeptAsLongAsItsSystemNeedsItNow(t *testing.T) {
	b := found(t)
	b.source("A-1", "A", values{"match_address": "192.0.2.7"})
	o := event.Origin{Door: "syslog-tcp", Address: "192.0.2.7"}
	if got := b.brings(o, event.Login, "first"); got != "1y" {
		t.Errorf("by the parameter alone: stream %s, want 1y", got)
	}
	e := b.entry("system/A")
	v := e.Values
	v["trail_kept"] = "5y"
	b.put(actor.Program, "system", v)
	b.tick(2 * time.Second)
	if got := b.brings(o, event.Login, "second"); got != "5y" {
		t.Errorf("after the register promises five years: stream %s, want 5y", got)
	}
	// What is in the shorter stream already is kept as long.
	steps, err := b.Events.Retention.Plan(b.ctx, b.Now().AddDate(2, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if s.Stream == "1y" && s.Pack.Count > 0 && (s.By != "A" || s.Keep.Before(b.Now().AddDate(4, 11, 0))) {
			t.Errorf("the pack of the shorter stream: %+v, want it kept five years for system A", s)
		}
	}
	b.restart()
	b.tick(2 * time.Second)
	if got := b.brings(o, event.Login, "third"); got != "5y" {
		t.Errorf("after a restart: stream %s", got)
	}
	b.sound()
}

func TestWhatComesOfASourceIsAFact(t *testing.T) {
	b := found(t)
	ref := b.source("A-1", "A", values{"match_address": "192.0.2.7", "classes": []any{"login", "boot"}, "class_silence": "10d"})
	o := event.Origin{Door: "syslog-tcp", Address: "192.0.2.7"}
	tend := func() {
		t.Helper()
		if err := b.Events.Tend(b.ctx, b.Now()); err != nil {
			t.Fatal(err)
		}
	}
	value := func(field string) any { return b.facts(ref).Facts()[field].Fact.Value }
	tend()
	if f := b.facts(ref).Facts()["last_arrival"].Fact; f.Status != fact.Absent {
		t.Errorf("nothing came yet: %+v", f)
	}
	b.says(ref, "trail/source-arrives", b.Now(), verdict.Violates)
	b.brings(o, event.Login, "x")
	tend()
	b.says(ref, "trail/source-arrives", b.Now(), verdict.Conforms)
	b.says(ref, "trail/source-classes", b.Now(), verdict.Violates) // boot has not come
	b.tick(10 * time.Minute)
	b.brings(o, event.Boot, "x")
	tend() // at once: another class is news
	b.says(ref, "trail/source-classes", b.Now(), verdict.Conforms)
	b.says(ref, "trail/source-no-loss", b.Now(), verdict.Conforms)
	b.tick(10 * time.Minute)
	seen := b.facts(ref).Facts()["last_arrival"].Fact
	tend()
	if got := b.facts(ref).Facts()["last_arrival"].Fact; fmt.Sprint(got) != fmt.Sprint(seen) {
		t.Errorf("facts were brought again with nothing new: %v, %v", seen, got)
	}
	b.Events.Ingest.Lost(o, 3, "queue full")
	if err := b.Close(); err != nil { // seals the loss
		t.Fatal(err)
	}
	b.start()
	tend()
	if got := value("events_lost"); got != int64(3) {
		t.Errorf("lost: %v, want 3", got)
	}
	b.says(ref, "trail/source-no-loss", b.Now(), verdict.Violates)
	b.says(ref, "trail/source-arrives", b.Now(), verdict.Conforms)
	b.tick(25 * time.Hour)
	tend()
	b.says(ref, "trail/source-arrives", b.Now(), verdict.Violates)
	b.tick(10 * 24 * time.Hour)
	tend()
	if got := value("classes_seen"); fmt.Sprint(got) != "[]" {
		t.Errorf("eleven days later: classes %v", got)
	}
	b.sound()
}

func TestWhoIsNotRegisteredIsKeptAndListed(t *testing.T) {
	b := found(t)
	if got := b.brings(event.Origin{Door: "syslog-udp", Address: "203.0.113.9", Host: "who"}, event.Login, "x"); got != "1y" {
		t.Errorf("stream %s, want that of the national period", got)
	}
	feeds, err := b.Events.Feeds(b.Now())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(feeds, func(f pages.Feed) bool { return f.ID == "" })
	if i < 0 || feeds[i].Sender != "203.0.113.9" || feeds[i].Count != 1 || feeds[i].Hours[23] != 1 {
		t.Errorf("feeds: %+v", feeds)
	}
	b.sound()
}

func TestASenderNeedsHisTokenAndLosesIt(t *testing.T) {
	s, err := server.New(t.Context(), server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Interval: -1, Log: slog.New(slog.DiscardHandler),
		Events: events.Config{SyslogTCP: "127.0.0.1:0", OTLPGRPC: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	at := func() time.Time { return time.Now() }
	token, err := s.Identity.AddSender(t.Context(), actor.Program, "pc.example", at())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	base, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- s.Run(ctx, func(b, _ string) { base <- b }) }()
	home := <-base
	address := home + "/api/v1/events"
	post := func(token, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	line := `{"at":"` + at().Format(time.RFC3339) + `","text":"x","system":"KAKUSHO","feed":"forged"}`
	if status, _ := post("", line); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if status, _ := post("made-up", line); status != http.StatusUnauthorized {
		t.Errorf("with a made-up token: %d", status)
	}
	if status, text := post(token, line); status != http.StatusOK || !strings.Contains(text, `"taken":1`) {
		t.Errorf("with the token: %d %s", status, text)
	}
	record := `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}`
	for _, address = range []string{home + "/v1/logs", "http://" + s.Events.Addresses()["otlp-grpc"] + "/v1/logs"} {
		if status, _ := post("", record); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", address, status)
		}
		if status, text := post(token, record); status != http.StatusOK {
			t.Errorf("%s with the token: %d %s", address, status, text)
		}
	}
	address = home + "/api/v1/events"
	conn, err := net.Dial("tcp", s.Events.Addresses()["syslog-tcp"])
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "<34>1 2026-11-24T09:00:00Z pc-7 su 1 - - 'su root' failed for lonvick\n")
	conn.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if total(s.Events.Ingest.Strangers()) >= 4 || time.Now().After(deadline) {
			break
		}
	}
	if got := s.Events.Ingest.Strangers(); total(got) != 4 || len(got) != 3 {
		t.Errorf("strangers: %+v", got)
	}
	if err := s.Identity.EndSender(t.Context(), actor.Program, "pc.example", "更新", at()); err != nil {
		t.Fatal(err)
	}
	if status, _ := post(token, line); status != http.StatusUnauthorized {
		t.Errorf("with a token that was ended: %d", status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func total(cs map[ingest.Stranger]ingest.Coverage) (n int64) {
	for _, c := range cs {
		n += c.Count
	}
	return n
}

func TestTheMachinesOwnCommandsPassTheGate(t *testing.T) {
	b := found(t)
	h := b.Control()
	call := func(method, path string, form url.Values, out any) int {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path+"?"+form.Encode(), nil))
		if out != nil {
			if err := json.NewDecoder(bytes.NewReader(w.Body.Bytes())).Decode(out); err != nil {
				t.Fatalf("%s %s: %v: %s", method, path, err, w.Body)
			}
		}
		return w.Code
	}
	var token string
	if status := call("POST", "/sender/pc-1", nil, &token); status != http.StatusOK || len(token) < 40 {
		t.Errorf("add a sender: %d %q", status, token)
	}
	if status := call("POST", "/sender/"+url.PathEscape("pc 1"), nil, nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a name with a space: %d", status)
	}
	if status := call("DELETE", "/sender/pc-1", nil, nil); status != http.StatusUnprocessableEntity {
		t.Errorf("end without a reason: %d", status)
	}
	if status := call("DELETE", "/sender/pc-1", url.Values{"reason": {"x"}}, nil); status != http.StatusOK {
		t.Errorf("end with a reason: %d", status)
	}
	var senders []store.Sender
	if call("GET", "/senders", nil, &senders); len(senders) != 1 || senders[0].EndedAt.IsZero() {
		t.Errorf("senders: %+v", senders)
	}
	b.brings(event.Origin{Door: "journal"}, event.Boot, "x")
	var steps []retention.Step
	if status := call("GET", "/retention", nil, &steps); status != http.StatusOK || len(steps) == 0 || steps[0].Do != retention.Nothing {
		t.Errorf("plan: %d %+v", status, steps)
	}
	if status := call("GET", "/retention", url.Values{"at": {"tomorrow"}}, nil); status != http.StatusBadRequest {
		t.Errorf("plan for no day: %d", status)
	}
	var done retention.Done
	if status := call("POST", "/retention", nil, &done); status != http.StatusOK || len(done.Retired) > 0 {
		t.Errorf("run: %d %+v", status, done)
	}
	var standing events.Standing
	if call("GET", "/standing", nil, &standing); len(standing.Streams) != 1 || standing.Streams[0].Events != 1 {
		t.Errorf("standing: %+v", standing)
	}
	b.sound()
}

func TestWhatCannotBeOpenedForEventsIsSaidAtTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		cfg   events.Config
		words []string
	}{
		"a port in use":          {events.Config{SyslogTCP: taken.Addr().String()}, []string{"syslog over TCP", taken.Addr().String(), "in use"}},
		"no port":                {events.Config{SyslogUDP: "127.0.0.1"}, []string{"syslog over UDP", "host:port"}},
		"an authority not there": {events.Config{SyslogTLS: "127.0.0.1:0", ClientCA: filepath.Join(t.TempDir(), "none.pem")}, []string{"authority of senders", "none.pem"}},
	} {
		s, err := server.New(t.Context(), server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Interval: -1, Log: slog.New(slog.DiscardHandler), Events: c.cfg})
		if err != nil {
			t.Fatal(err)
		}
		says(t, name, s.Run(t.Context(), func(string, string) { t.Errorf("%s: serves", name) }), c.words...)
	}
	_, err = server.New(t.Context(), server.Config{Data: t.TempDir(), Interval: -1, Log: slog.New(slog.DiscardHandler),
		Events: events.Config{S3: events.S3{Bucket: "b", Endpoint: "127.0.0.1:1", KeyFile: filepath.Join(t.TempDir(), "keys")}}})
	says(t, "keys of the archive not there", err, "keys of the archive")
}
