package decision_test

import (
	"reflect"
	"testing"

	"kakusho/decision"
)

func TestAConditionIsReadAsItIsWritten(t *testing.T) {
	for text, want := range map[string]*decision.Condition{
		"server/clock-offset":     {Control: "server/clock-offset"},
		"a/b?time.max=60000":      {Control: "a/b", With: map[string]string{"time.max": "60000"}},
		"a/b?x=1%2C2&y=%E5%80%A4": {Control: "a/b", With: map[string]string{"x": "1,2", "y": "値"}},
		"":                        nil,
		"?x=1":                    nil,
		"a/b?x":                   nil,
		"a/b?x=1&x=2":             nil,
		"a/b c":                   nil,
		"a/b?%zz=1":               nil,
	} {
		got, err := decision.ParseCondition(text)
		switch {
		case want == nil && err == nil:
			t.Errorf("%q: got %+v, want it refused", text, got)
		case want != nil && (err != nil || !reflect.DeepEqual(got, *want) || got.String() != text):
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
}

func FuzzParseCondition(f *testing.F) {
	f.Add("server/clock-offset?time.max_offset_ms.server=60000")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := decision.ParseCondition(text)
		if err != nil {
			return
		}
		again, err := decision.ParseCondition(c.String())
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%q: %+v, then %+v, %v", text, c, again, err)
		}
	})
}
