package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"kakusho/event"
)

var jst = time.FixedZone("", 9*3600)

// full is an event with everything in it.
func full() event.Event {
	return event.Event{
		ID: "000102030405060708090a0b0c0d0e0f", At: time.Date(2026, 11, 24, 9, 30, 1, 120_000_000, jst), Clock: event.ClockSynced,
		Feed: "LS-0001", System: "S-001", Class: event.LoginFailure, Account: "yamada", Device: "tanmatsu-07", Event: "sshd",
		Object: "捜査資料", Result: event.Denied, Source: "192.0.2.7", Level: 5, Text: "認証に\n失敗 \"x\" \\ \x00\x1f\x7f",
		Fields: map[string]string{"b": "2", "a": "", "日本": "語"}, Format: "rfc5424", Raw: []byte{0, 255, 10},
	}
}

const fullLine = `{"id":"000102030405060708090a0b0c0d0e0f","at":"2026-11-24T09:30:01.12+09:00","clock":"synced","feed":"LS-0001","system":"S-001",` +
	`"class":"login-failure","account":"yamada","device":"tanmatsu-07","event":"sshd","object":"捜査資料","result":"denied","source":"192.0.2.7","level":5,` +
	`"text":"認証に\n失敗 \"x\" \\ \u0000\u001f` + "\x7f" + `","fields":{"a":"","b":"2","日本":"語"},"format":"rfc5424","raw":"AP8K"}`

func TestTheLineOfAnEventIsWhatFormatSays(t *testing.T) {
	line, err := event.Encode([]byte("before"), full())
	if err != nil || string(line) != "before"+fullLine {
		t.Fatalf("%s, %v\nwant %s", line, err, fullLine)
	}
	got, err := event.Decode([]byte(fullLine))
	if err != nil {
		t.Fatal(err)
	}
	if !same(got, full()) {
		t.Errorf("read back: %+v", got)
	}
	if !json.Valid([]byte(fullLine)) {
		t.Error("not JSON")
	}
}

// same compares two events, times as they are written.
func same(a, b event.Event) bool {
	return a.ID == b.ID && a.At.Format(time.RFC3339Nano) == b.At.Format(time.RFC3339Nano) && a.Clock == b.Clock && a.Feed == b.Feed && a.System == b.System &&
		a.Class == b.Class && a.Account == b.Account && a.Device == b.Device && a.Event == b.Event && a.Object == b.Object && a.Result == b.Result &&
		a.Source == b.Source && a.Level == b.Level && a.Text == b.Text && maps.Equal(a.Fields, b.Fields) && a.Format == b.Format && bytes.Equal(a.Raw, b.Raw)
}

func TestAnEventWithoutAnIDIsGivenOne(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		line, err := event.Encode(nil, event.Event{At: time.Unix(1, 0).UTC()})
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(line)
		if err != nil || len(e.ID) != 32 || seen[e.ID] {
			t.Fatalf("%+v, %v", e, err)
		}
		seen[e.ID] = true
	}
	if id := event.NewID(); len(id) != 32 || id == event.NewID() {
		t.Error(id)
	}
}

func TestWhatCannotBeWrittenIsAFaultAndNamesTheField(t *testing.T) {
	many := map[string]string{}
	for i := range event.MaxFields + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	cases := []struct {
		name, field string
		change      func(*event.Event)
	}{
		{"an ID of another form", "id", func(e *event.Event) { e.ID = "ABC" }},
		{"upper-case hex", "id", func(e *event.Event) { e.ID = strings.ToUpper(e.ID) }},
		{"no time", "at", func(e *event.Event) { e.At = time.Time{} }},
		{"year 10000", "at", func(e *event.Event) { e.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"an unknown clock", "clock", func(e *event.Event) { e.Clock = "good" }},
		{"an unknown class", "class", func(e *event.Event) { e.Class = "party" }},
		{"an unknown result", "result", func(e *event.Event) { e.Result = "maybe" }},
		{"level 9", "level", func(e *event.Event) { e.Level = 9 }},
		{"level -1", "level", func(e *event.Event) { e.Level = -1 }},
		{"invalid UTF-8 in a text", "text", func(e *event.Event) { e.Text = "\xff" }},
		{"invalid UTF-8 in a field", "b", func(e *event.Event) { e.Fields = map[string]string{"b": "\xe3\x81"} }},
		{"invalid UTF-8 in a name", "fields", func(e *event.Event) { e.Fields = map[string]string{"\xff": ""} }},
		{"an empty name", "fields", func(e *event.Event) { e.Fields = map[string]string{"": "x"} }},
		{"a long name", "fields", func(e *event.Event) { e.Fields = map[string]string{strings.Repeat("n", 121): "x"} }},
		{"201 fields", "fields", func(e *event.Event) { e.Fields = many }},
		{"a long text", "", func(e *event.Event) { e.Text = strings.Repeat("x", event.MaxLine) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := full()
			c.change(&e)
			line, err := event.Encode([]byte("kept"), e)
			var fault event.Fault
			if !errors.As(err, &fault) || fault.Field != c.field || fault.Text.JA == "" || fault.Text.EN == "" {
				t.Errorf("%v", err)
			}
			if string(line) != "kept" {
				t.Errorf("the buffer came back as %q", line)
			}
		})
	}
}

func TestTheLargestEventFits(t *testing.T) {
	e := event.Event{ID: full().ID, At: full().At}
	empty, _ := event.Encode(nil, e)
	e.Text = strings.Repeat("x", event.MaxLine-len(empty)-len(`,"text":""`))
	line, err := event.Encode(nil, e)
	if err != nil || len(line) != event.MaxLine {
		t.Fatal(len(line), err)
	}
	if _, err := event.Decode(line); err != nil {
		t.Error(err)
	}
	e.Text += "x"
	if _, err := event.Encode(nil, e); err == nil {
		t.Error("one byte more is written")
	}
	if _, err := event.Decode(append(line[:len(line)-2], `x"}`...)); err == nil {
		t.Error("one byte more is read")
	}
}

func TestAZoneOfSecondsIsWrittenInUTC(t *testing.T) {
	at := time.Date(1880, 1, 1, 0, 0, 0, 0, time.FixedZone("LMT", 9*3600+18*60+59))
	line, err := event.Encode(nil, event.Event{At: at})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := event.Decode(line); err != nil || !e.At.Equal(at) {
		t.Error(e.At, err)
	}
}

func TestOnlyTheCanonicalLineIsRead(t *testing.T) {
	const id = `{"id":"000102030405060708090a0b0c0d0e0f"`
	const at = id + `,"at":"2026-11-24T09:30:01Z"`
	if _, err := event.Decode([]byte(at + "}")); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		``, `{}`, `null`, `[]`, at, at + "} ", at + "}\n", " " + at + "}", at + "}}",
		id + "}", `{"at":"2026-11-24T09:30:01Z"}`, `{"id":"0001","at":"2026-11-24T09:30:01Z"}`,
		id + `, "at":"2026-11-24T09:30:01Z"}`, id + `,"at":"2026-11-24T09:30:01+00:00"}`, id + `,"at":"2026-11-24T09:30:01.50Z"}`,
		id + `,"at":"2026-11-24T09:30:01.Z"}`, id + `,"at":"2026-11-24T09:30:60Z"}`, id + `,"at":"2026-02-30T09:30:01Z"}`, id + `,"at":"2026-11-24t09:30:01z"}`,
		id + `,"at":"2026-11-24T24:30:01Z"}`, id + `,"at":"2026-11-24T09:30:01.1234567891Z"}`, id + `,"at":"2026-11-24T09:30:01+24:00"}`, id + `,"at":"0001-01-01T00:00:00Z"}`,
		id + `,"at":"2026-11-24T09:30:01.5"}`, id + `,"at":"2026-11-24T09:30:01"}`, id + `,"at":"2026\u002d11-24T09:30:01Z"}`,
		at + `,"text":""}`, at + `,"text":"a","feed":"b"}`, at + `,"feed":"a","feed":"b"}`, at + `,"other":"b"}`, at + `,"text":null}`, at + `,"text":1}`,
		at + `,"text":"\/"}`, at + `,"text":"\u0041"}`, at + `,"text":"\u000a"}`, at + `,"text":"\u001F"}`, at + `,"text":"\ud800"}`, at + `,"text":"` + "\n" + `"}`,
		at + `,"text":"a` + "\t" + `\n"}`, at + `,"text":"\n` + "\t" + `"}`, at + `,"text":"\"}`, at + `,"text":"\`, at + `,"text":"` + "\xff" + `"}`,
		at + `,"clock":"good"}`, at + `,"class":"party"}`, at + `,"result":"maybe"}`, at + `,"level":0}`, at + `,"level":9}`, at + `,"level":10}`, at + `,"level":"5"}`, at + `,"level":`,
		at + `,"fields":{}}`, at + `,"fields":{"b":"1","a":"2"}}`, at + `,"fields":{"a":"1","a":"2"}}`, at + `,"fields":{"":"1"}}`, at + `,"fields":{"a":{"b":"1"}}}`,
		at + `,"fields":{"a":1}}`, at + `,"fields":{"a":"1",}}`, at + `,"fields":{"a":"1"`, at + `,"fields":{"` + strings.Repeat("n", 121) + `":"1"}}`,
		at + `,"raw":""}`, at + `,"raw":"AP8"}`, at + `,"raw":"AP9="}`, at + `,"raw":"AP8K\n"}`, at + `,"raw":"*"}`,
	} {
		if e, err := event.Decode([]byte(line)); err == nil {
			t.Errorf("read %s as %+v", line, e)
		}
	}
	var fields strings.Builder
	for i := range 201 {
		fmt.Fprintf(&fields, `"%03d":"x",`, i)
	}
	if _, err := event.Decode([]byte(at + `,"fields":{` + strings.TrimSuffix(fields.String(), ",") + "}}")); err == nil {
		t.Error("201 fields are read")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(fullLine))
	f.Add([]byte(`{"id":"000102030405060708090a0b0c0d0e0f","at":"2026-11-24T09:30:01Z"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := event.Decode(line)
		if err != nil {
			return
		}
		again, err := event.Encode(nil, e)
		if err != nil || !bytes.Equal(again, line) {
			t.Fatalf("%q\nis written as %q (%v)", line, again, err)
		}
		if !json.Valid(line) {
			t.Fatalf("%q is not JSON", line)
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add("yamada", "text", "name", "value", []byte("raw"), int64(1), 9)
	f.Fuzz(func(t *testing.T, account, text, name, value string, raw []byte, nano int64, zone int) {
		e := event.Event{At: time.Unix(0, nano).In(time.FixedZone("", zone%86400)), Account: account, Text: text, Fields: map[string]string{name: value}, Raw: raw, ID: full().ID}
		line, err := event.Encode(nil, e)
		if err != nil {
			return
		}
		got, err := event.Decode(line)
		e.At = got.At
		if err != nil || !same(got, e) || got.At.UnixNano() != nano {
			t.Fatalf("%s: %+v, %v", line, got, err)
		}
	})
}

// typical is an event of about 400 bytes, as most are.
func typical() event.Event {
	return event.Event{ID: full().ID, At: full().At, Clock: event.ClockSource, Feed: "LS-0001", System: "S-001", Class: event.Login, Account: "yamada.taro", Device: "tanmatsu-0007",
		Event: "sshd", Result: event.Success, Source: "192.0.2.7", Level: 7, Text: "Accepted publickey for yamada.taro from 192.0.2.7 port 50022 ssh2",
		Fields: map[string]string{"facility": "auth", "pid": "4321", "app": "sshd", "port": "50022"}, Format: "rfc5424"}
}

func BenchmarkEncode(b *testing.B) {
	e, buf := typical(), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = event.Encode(buf[:0], e)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkEncodeWithNewID(b *testing.B) {
	e, buf := typical(), make([]byte, 0, 1024)
	e.ID = ""
	for b.Loop() {
		buf, _ = event.Encode(buf[:0], e)
	}
}

func BenchmarkDecode(b *testing.B) {
	line, _ := event.Encode(nil, typical())
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.Decode(line); err != nil {
			b.Fatal(err)
		}
	}
}
