package event_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kakusho/event"
)

func TestFitMakesAnyEventFitAndSaysWhatItCut(t *testing.T) {
	many := map[string]string{}
	for i := range 500 {
		many[fmt.Sprintf("n%03d", i)] = "v"
	}
	wide := map[string]string{}
	for i := range 199 {
		wide[fmt.Sprintf("n%03d", i)] = strings.Repeat("\x00", 4000)
	}
	cases := []struct {
		name string
		e    event.Event
		cut  string
	}{
		{"a long text", event.Event{Text: strings.Repeat("あ", 200_000)}, "text"},
		{"a long text of zeros", event.Event{Text: strings.Repeat("\x00", 100_000)}, "text"},
		{"a long text and raw", event.Event{Text: strings.Repeat("x", 150_000), Raw: make([]byte, 150_000)}, "text"},
		{"long raw", event.Event{Raw: make([]byte, 400_000)}, "raw text"},
		{"a long field", event.Event{Fields: map[string]string{"a": strings.Repeat(`"`, 300_000), "b": "kept"}}, "a text"},
		{"500 fields", event.Event{Fields: many}, ""},
		{"199 wide fields", event.Event{Fields: wide}, "fields"},
		{"a long name", event.Event{Fields: map[string]string{strings.Repeat("n", 500): "v"}}, ""},
		{"invalid UTF-8", event.Event{Text: "\xff\xfe", Account: "\x80", Fields: map[string]string{"\xff": "\xff"}}, ""},
		{"unknown words", event.Event{Class: "x", Result: "y", Clock: "z", Level: 77, ID: "short"}, ""},
		{"everything long", event.Event{Text: strings.Repeat("x", 300_000), Object: strings.Repeat("o", 300_000), Account: strings.Repeat("o", 300_000), Fields: map[string]string{"a": strings.Repeat("f", 300_000)}, Raw: make([]byte, 300_000)}, "a raw text"},
	}
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := event.Fit(c.e, at)
			line, err := event.Encode(nil, got)
			if err != nil {
				t.Fatal(err)
			}
			if c.cut != "" && len(line) < event.MaxLine*9/10 && c.cut != "fields" {
				t.Errorf("cut to %d bytes", len(line))
			}
			if got.Fields[event.Truncated] != c.cut {
				t.Errorf("says %q was cut, want %q", got.Fields[event.Truncated], c.cut)
			}
			if !got.At.Equal(at) || got.Clock != event.ClockArrival {
				t.Errorf("time %s (%s)", got.At, got.Clock)
			}
		})
	}
	if got := event.Fit(event.Event{Fields: many}, at); !strings.Contains(got.Fields["rest"], `"n499":"v"`) || got.Fields["n000"] != "v" {
		t.Error("fields beyond the limit are gone")
	}
	if got := event.Fit(event.Event{Result: "maybe"}, at); got.Fields["said.result"] != "maybe" {
		t.Error("a result that is none of ours is gone")
	}
}

func TestFitLeavesWhatFits(t *testing.T) {
	e := full()
	got := event.Fit(e, time.Time{})
	if !same(got, e) {
		t.Errorf("%+v", got)
	}
}

func FuzzFit(f *testing.F) {
	f.Add("text", "name", "value", []byte{1}, 3, 1)
	f.Fuzz(func(t *testing.T, text, name, value string, raw []byte, repeat, level int) {
		n := max(0, min(repeat, 3000))
		e := event.Event{Text: strings.Repeat(text, n), Fields: map[string]string{name: strings.Repeat(value, n), "x" + name: value}, Raw: raw, Level: event.Level(level), Object: text}
		if _, err := event.Encode(nil, event.Fit(e, time.Unix(1, 0))); err != nil {
			t.Fatal(err)
		}
	})
}
