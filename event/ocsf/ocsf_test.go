package ocsf_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/event/ocsf"
)

// full is an event with everything in it.
func full() event.Event {
	return event.Event{
		ID: "000102030405060708090a0b0c0d0e0f", At: time.Date(2026, 11, 24, 9, 30, 1, 120_000_000, time.FixedZone("", 9*3600)), Clock: event.ClockSynced,
		Feed: "LS-0001", System: "S-001", Class: event.LoginFailure, Account: "yamada", Device: "tanmatsu-07", Event: "sshd",
		Object: "捜査資料", Result: event.Denied, Source: "192.0.2.7", Level: 5, Text: "認証に\n失敗 \"x\" \\ \x00\x1f\x7f",
		Fields: map[string]string{"b": "2", "a": "", "日本": "語"}, Format: "rfc5424", Raw: []byte{0, 255, 10},
	}
}

func TestOCSFLeavesNothingOut(t *testing.T) {
	out, err := json.Marshal(ocsf.From(full()))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"activity_id":1,"actor":{"user":{"name":"yamada"}},"category_uid":3,"class_name":"Authentication","class_uid":3002,"device":{"hostname":"tanmatsu-07","type_id":0},` +
		`"message":"認証に\n失敗 \"x\" \\ \u0000\u001f` + "\x7f" + `","metadata":{"event_code":"sshd","log_name":"LS-0001","product":{"name":"Kakusho"},"profiles":["host"],"uid":"000102030405060708090a0b0c0d0e0f","version":"1.3.0"},` +
		`"raw_data":"\u0000` + "\uFFFD" + `\n","raw_data_size":3,"resources":[{"name":"捜査資料"}],"severity_id":3,"src_endpoint":{"ip":"192.0.2.7"},"status_detail":"denied","status_id":2,"time":1795480201120,"timezone_offset":540,"type_uid":300201,` +
		`"unmapped":{"class":"login-failure","clock":"synced","fields.a":"","fields.b":"2","fields.日本":"語","format":"rfc5424","level":"5","system":"S-001"},"user":{"name":"yamada"}}`
	if string(out) != want {
		t.Errorf("%s\n%s", out, want)
	}
}

func TestEveryClassHasItsOCSFClassAndStandsInTheTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range event.Classes() {
		out := ocsf.From(event.Event{Class: class, At: full().At})
		uid, activity := out["class_uid"].(int), out["activity_id"].(int)
		if out["category_uid"] != uid/1000 || out["type_uid"] != uid*100+activity || activity == 0 {
			t.Errorf("%s: %v", class, out)
		}
		if row := fmt.Sprintf("| `%s` | ", class); !strings.Contains(string(page), row) || !strings.Contains(string(page), fmt.Sprintf("%v (%d)", out["class_name"], uid)) {
			t.Errorf("docs/events.md has no row %q with %v (%d)", row, out["class_name"], uid)
		}
	}
	if out := ocsf.From(event.Event{At: full().At, Source: "pc.example.jp"}); out["class_uid"] != 0 || fmt.Sprint(out["src_endpoint"]) != "map[hostname:pc.example.jp]" {
		t.Error(out)
	}
}
