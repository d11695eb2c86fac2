package lines_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/japanese"

	"kakusho/door/doortest"
	"kakusho/door/lines"
	"kakusho/event"
)

var now = time.Date(2026, 11, 24, 21, 0, 0, 0, time.FixedZone("", 9*3600))

func who(r *http.Request) (event.Origin, bool) {
	return event.Origin{Door: "api", Address: "192.0.2.7", Name: "web-7"}, r.Header.Get("Authorization") == "Bearer good"
}

func door(t *testing.T, o lines.Options) (*doortest.Sink, *httptest.Server) {
	sink := &doortest.Sink{T: t}
	o.Sink, o.Who = sink, who
	if o.Now == nil {
		o.Now = time.Now
	}
	s := httptest.NewServer(lines.Handler(o))
	t.Cleanup(s.Close)
	return sink, s
}

func post(t *testing.T, url string, body []byte, header ...string) (int, lines.Answer, http.Header) {
	t.Helper()
	r, _ := http.NewRequest("POST", url, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer good")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a lines.Answer
	json.NewDecoder(resp.Body).Decode(&a)
	return resp.StatusCode, a, resp.Header
}

func TestGoodLinesAreTakenAndWrongOnesNamed(t *testing.T) {
	sink, s := door(t, lines.Options{})
	sjis, _ := japanese.ShiftJIS.NewEncoder().String(`{"text":"捜査資料を印刷しました"}`)
	canonical, _ := event.Encode(nil, event.Event{At: time.Now(), Feed: "forged", Account: "yamada"})
	body := strings.Join([]string{
		`{"at":"` + time.Now().Add(-time.Minute).Format(time.RFC3339) + `","account":"yamada","event":"照会","result":"success"}`, // 1
		`{"at":"yesterday"}`, `not json`, ``, `{"result":"maybe"}`, `[1]`, // 2 3 - 5 6
		strings.Repeat("[", 100_000), // 7
		`{"a":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5001), // 8
		`{"text":"` + strings.Repeat("x", 300_000) + `"}`,                         // 9: too long when sealed
		`{"text":"` + strings.Repeat("x", 3_000_000) + `"}`,                       // 10: too long to be read
		"{\"text\":\"\xff\xff\"}\r", sjis, string(canonical),                      // 11 12 13
		`{"text":"a\u0000b"}`,                                                                             // 14
		`{"` + strings.Repeat("n", 200) + `":1}`, `null`, `{"level":"loud"}`, `{"raw":"*"}`, `{"id":"x"}`, // 15-19
		`{"text":"last"}`, // 20
	}, "\n")
	status, a, _ := post(t, s.URL, []byte(body))
	var wrong []int
	for _, f := range a.Faults {
		if f.Text.JA == "" || f.Text.EN == "" {
			t.Errorf("%+v", f)
		}
		wrong = append(wrong, f.Line)
	}
	if status != 200 || a.Receipt != "note" || a.Taken != 7 || !slices.Equal(wrong, []int{2, 3, 5, 6, 7, 9, 10, 15, 16, 17, 18, 19}) {
		t.Fatalf("%d %+v %v", status, a, wrong)
	}
	e := sink.Events()
	if e[0].Account != "yamada" || e[0].Clock != event.ClockSource || e[0].Result != event.Success || e[0].Format != "json" {
		t.Errorf("%+v", e[0])
	}
	if len(e[1].Fields) != 1 || !strings.Contains(fmt.Sprint(e[1].Fields), "{\"a\":{") {
		t.Errorf("deep: %.200v", e[1].Fields)
	}
	if string(e[2].Raw) != "{\"text\":\"\xff\xff\"}" || !strings.Contains(e[2].Text, "\uFFFD") {
		t.Errorf("%+v", e[2])
	}
	if e[3].Text != "捜査資料を印刷しました" || string(e[3].Raw) != sjis {
		t.Errorf("%+v", e[3])
	}
	if e[4].Feed != "" || e[4].Account != "yamada" || e[5].Text != "a\x00b" || e[6].Text != "last" {
		t.Errorf("%+v", e[4:])
	}
	if o := sink.Batches()[0].Origin; o.Name != "web-7" {
		t.Errorf("%+v", o)
	}
}

func TestObjectsOfAnyShapeBecomeFields(t *testing.T) {
	cases := []struct {
		name, line string
		check      func(event.Event) bool
	}{
		{"nested", `{"http":{"status":404,"ok":false,"h":null},"tags":["a", {"b":1}]}`, func(e event.Event) bool {
			return len(e.Fields) == 3 && e.Fields["http.status"] == "404" && e.Fields["http.ok"] == "false" && e.Fields["tags"] == `["a",{"b":1}]`
		}},
		{"fields", `{"fields":{"a":{"b":"c"}},"d":1}`, func(e event.Event) bool { return e.Fields["a.b"] == "c" && e.Fields["d"] == "1" }},
		{"a large number is not rounded", `{"n":12345678901234567890}`, func(e event.Event) bool { return e.Fields["n"] == "12345678901234567890" }},
		{"an object where a text belongs", `{"account":{"name":"x"}}`, func(e event.Event) bool { return e.Account == `{"name":"x"}` }},
		{"no time", `{}`, func(e event.Event) bool { return e.At.Equal(now) && e.Clock == event.ClockArrival }},
		{"no zone", `{"at":"2026-11-24 20:59:59.5"}`, func(e event.Event) bool {
			return e.At.Format(time.RFC3339Nano) == "2026-11-24T20:59:59.5+09:00" && e.Clock == event.ClockAssumed
		}},
		{"seconds", `{"at":1795521600}`, func(e event.Event) bool { return e.At.Unix() == 1795521600 && e.Clock == event.ClockSource }},
		{"seconds with a fraction", `{"at":1795521600.25}`, func(e event.Event) bool { return e.At.UnixMilli() == 1795521600250 }},
		{"milliseconds", `{"at":1795521600250}`, func(e event.Event) bool { return e.At.UnixMilli() == 1795521600250 }},
		{"nanoseconds", `{"at":1795521600250000001}`, func(e event.Event) bool { return e.At.UnixNano() == 1795521600250000001 }},
		{"1970", `{"at":"1970-01-01T00:00:00Z"}`, func(e event.Event) bool { return e.Clock == event.ClockDoubt && e.At.Unix() == 0 }},
		{"2099", `{"at":"2099-01-01T00:00:00Z","clock":"synced"}`, func(e event.Event) bool { return e.Clock == event.ClockDoubt }},
		{"a synchronised clock", `{"clock":"synced","at":"2026-11-24T20:59:59+09:00"}`, func(e event.Event) bool { return e.Clock == event.ClockSynced }},
		{"a level by name", `{"level":"Warning"}`, func(e event.Event) bool { return e.Level == 5 }},
		{"the system is not the sender's to say", `{"feed":"x","system":"y"}`, func(e event.Event) bool { return e.Feed == "" && e.System == "" && len(e.Fields) == 0 }},
	}
	for _, c := range cases {
		for range 5 { // maps have no order
			e, fault := lines.Parse([]byte(c.line), now)
			if fault != nil || !c.check(e) {
				t.Errorf("%s: %+v %v", c.name, e, fault)
			}
		}
	}
	for _, line := range []string{`{"a":{"b":1},"a.b":2}`, `{"fields":1}`, `{"at":true}`} {
		if e, fault := lines.Parse([]byte(line), now); fault == nil {
			t.Errorf("%s: %+v", line, e)
		}
	}
}

func TestARepeatedDeliveryIsTakenOnce(t *testing.T) {
	sink, s := door(t, lines.Options{})
	for i := range 2 {
		status, a, _ := post(t, s.URL, []byte("{}\n{}\n"), "Kakusho-Sender", "x", "Kakusho-Batch", "1")
		if status != 200 || a.Taken != 2 || a.Duplicate != (i == 1) || a.Faults == nil {
			t.Errorf("%d %+v", status, a)
		}
	}
	if sink.Count() != 2 {
		t.Error(sink.Count())
	}
	for _, h := range [][]string{{"Kakusho-Sender", "x"}, {"Kakusho-Batch", "1"}, {"Kakusho-Sender", "x", "Kakusho-Batch", "0"}, {"Kakusho-Sender", "x", "Kakusho-Batch", "one"}} {
		if status, _, _ := post(t, s.URL, []byte("{}"), h...); status != 400 {
			t.Errorf("%v: %d", h, status)
		}
	}
}

func pack(t *testing.T, how string, body []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if how == "zstd" {
		w, _ = zstd.NewWriter(&b)
	}
	w.Write(body)
	w.Close()
	return b.Bytes()
}

func TestPackedBodiesAndBombs(t *testing.T) {
	sink, s := door(t, lines.Options{MaxBody: 2 << 20})
	for i, how := range []string{"gzip", "zstd"} {
		if status, a, _ := post(t, s.URL, pack(t, how, []byte("{}\n{}")), "Content-Encoding", how); status != 200 || a.Taken != 2 {
			t.Errorf("%s: %d %+v", how, status, a)
		}
		bomb := pack(t, how, bytes.Repeat([]byte("{}\n"), 5<<20))
		newlines := pack(t, how, make([]byte, 20<<20))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for _, b := range [][]byte{bomb, newlines} {
			if status, _, _ := post(t, s.URL, b, "Content-Encoding", how); status != 413 {
				t.Errorf("%s bomb of %d bytes: %d", how, len(b), status)
			}
		}
		runtime.ReadMemStats(&after)
		if got := int64(after.TotalAlloc - before.TotalAlloc); got > 300<<20 {
			t.Errorf("%s bomb: %d MiB were allocated", how, got>>20)
		}
		if status, _, _ := post(t, s.URL, []byte("not packed"), "Content-Encoding", how); status != 400 {
			t.Errorf("%s lie: %d", how, status)
		}
		good := pack(t, how, bytes.Repeat([]byte(`{"a":"b"}`+"\n"), 1000))
		if status, _, _ := post(t, s.URL, good[:len(good)-9], "Content-Encoding", how); status != 400 {
			t.Errorf("%s cut: %d", how, status)
		}
		if sink.Count() != 2*(i+1) {
			t.Errorf("%d taken", sink.Count())
		}
	}
	if status, _, _ := post(t, s.URL, nil, "Content-Encoding", "br"); status != 415 {
		t.Error(status)
	}
}

func TestRequestsAreRefusedWithWhatToDo(t *testing.T) {
	sink, s := door(t, lines.Options{MaxEvents: 10, MaxBody: 1 << 20, MaxMemory: 6000})
	if status, _, h := post(t, s.URL, nil, "Authorization", "Bearer bad"); status != 401 || h.Get("WWW-Authenticate") == "" {
		t.Error(status)
	}
	if resp, err := http.Get(s.URL); err != nil || resp.StatusCode != 405 {
		t.Error(resp, err)
	}
	if status, _, _ := post(t, s.URL, []byte(strings.Repeat("{}\n", 11))); status != 413 {
		t.Error(status)
	}
	if status, _, _ := post(t, s.URL, make([]byte, 2<<20)); status != 413 {
		t.Error(status)
	}
	if status, _, h := post(t, s.URL, []byte(strings.Repeat(`{"a":"`+strings.Repeat("x", 1000)+`"}`+"\n", 9))); status != 503 || h.Get("Retry-After") == "" {
		t.Error("budget:", status)
	}
	sink.Full(1)
	if status, _, h := post(t, s.URL, []byte("{}")); status != 503 || h.Get("Retry-After") == "" {
		t.Error(status)
	}
	sink.Refuse(func(event.Event) error { return errors.New("secret cause") })
	if status, _, _ := post(t, s.URL, []byte("{}")); status != 422 {
		t.Error(status)
	}
	sink.Refuse(nil)
	if sink.Count() != 0 {
		t.Error("something was taken")
	}
	for range 20 { // the memory of requests that are over is free again
		if status, a, _ := post(t, s.URL, []byte(strings.Repeat("{}\n", 10))); status != 200 || a.Taken != 10 {
			t.Fatal(status)
		}
	}
}

func TestABodyThatNeverEndsIsGivenUp(t *testing.T) {
	sink, s := door(t, lines.Options{Patience: 200 * time.Millisecond})
	var open sync.WaitGroup
	for range 50 {
		open.Go(func() {
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\nContent-Length: 1000\r\n\r\n{}\n{")
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if answer, _ := io.ReadAll(c); !bytes.Contains(answer, []byte(" 400 ")) {
				t.Errorf("%q", answer)
			}
		})
	}
	open.Wait()
	if sink.Count() != 0 {
		t.Error("half a request was taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{}`, `{"at":1.5,"a":{"b":[1,null]},"level":"err"}`, "{\"text\":\"\x82\xa0\"}", `{"fields":{"a":"b"},"raw":"AP8="}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		e, fault := lines.Parse(line, now)
		if fault != nil {
			if fault.Text.JA == "" {
				t.Fatal("no text")
			}
			return
		}
		if e.At.IsZero() && e.Clock != event.ClockDoubt {
			t.Fatalf("%+v", e)
		}
		event.Encode(nil, e)
	})
}

func BenchmarkParse(b *testing.B) {
	e := event.Event{At: now, Clock: event.ClockSource, Account: "yamada.taro", Device: "tanmatsu-0007", Event: "sshd", Text: "Accepted publickey for yamada.taro from 192.0.2.7 port 50022 ssh2",
		Fields: map[string]string{"facility": "auth", "pid": "4321", "app": "sshd", "port": "50022"}, Format: "rfc5424"}
	canonical, _ := event.Encode(nil, e)
	for name, line := range map[string][]byte{"canonical": canonical, "other": []byte(" " + string(canonical))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, f := lines.Parse(line, now); f != nil {
					b.Fatal(f)
				}
			}
		})
	}
}
