package syslog_test

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"kakusho/door/syslog"
	"kakusho/event"
)

var (
	jst = time.FixedZone("", 9*3600)
	now = time.Date(2026, 11, 24, 21, 0, 0, 0, jst)
)

func TestMessagesAreReadAsTheirSendersMeantThem(t *testing.T) {
	const at = "2026-11-24T21:00:00+09:00"
	cases := []struct {
		name, message string
		want          event.Event
		at            string
		raw           bool
	}{
		{"the example of RFC 5424, a year old", `<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - ` + "\uFEFF" + `'su root' failed for lonvick on /dev/pts/8`,
			event.Event{Clock: event.ClockDoubt, Device: "mymachine.example.com", Event: "ID47", Level: 3, Text: "'su root' failed for lonvick on /dev/pts/8", Format: "rfc5424",
				Fields: map[string]string{"app": "su", "msgid": "ID47", "facility": "auth"}}, "2003-10-11T22:14:15.003Z", false},
		{"structured data, synchronised", `<165>1 2026-11-24T12:00:00.5Z host app 12 - [timeQuality tzKnown="1" isSynced="1"][ex@32473 iut="3" s="a \"b\" \\ \] \n"] 本文`,
			event.Event{Clock: event.ClockSynced, Device: "host", Event: "app", Level: 6, Text: "本文", Format: "rfc5424",
				Fields: map[string]string{"app": "app", "pid": "12", "facility": "local4", "timeQuality.tzKnown": "1", "timeQuality.isSynced": "1", "ex@32473.iut": "3", "ex@32473.s": `a "b" \ ] \n`}}, "2026-11-24T12:00:00.5Z", false},
		{"an element without parameters, no message", `<0>1 - - - - - [a]`,
			event.Event{Clock: event.ClockArrival, Level: 1, Format: "rfc5424", Fields: map[string]string{"a": "", "facility": "kern"}}, at, false},
		{"the same parameter twice", `<13>1 2026-11-24T21:00:00+09:00 h a - - [origin ip="192.0.2.1" ip="192.0.2.2"] x`,
			event.Event{Clock: event.ClockSource, Device: "h", Event: "a", Level: 6, Text: "x", Format: "rfc5424", Fields: map[string]string{"app": "a", "facility": "user", "origin.ip": "192.0.2.1, 192.0.2.2"}}, at, true},
		{"a time zone that is not known", `<13>1 2026-11-24T21:00:00+09:00 h a - - [timeQuality tzKnown="0"] x`,
			event.Event{Clock: event.ClockAssumed, Device: "h", Event: "a", Level: 6, Text: "x", Format: "rfc5424", Fields: map[string]string{"app": "a", "facility": "user", "timeQuality.tzKnown": "0"}}, at, false},
		{"structured data that does not end", `<13>1 2026-11-24T21:00:00+09:00 h a - - [a b="c`,
			event.Event{Clock: event.ClockArrival, Level: 6, Text: `1 2026-11-24T21:00:00+09:00 h a - - [a b="c`, Format: "rfc3164", Fields: map[string]string{"facility": "user"}}, at, false},
		{"as RFC 3164 has it", `<34>Nov 24 20:59:59 mymachine su[77]: 'su root' failed`,
			event.Event{Clock: event.ClockAssumed, Device: "mymachine", Event: "su", Level: 3, Text: "'su root' failed", Format: "rfc3164", Fields: map[string]string{"app": "su", "pid": "77", "facility": "auth"}}, "2026-11-24T20:59:59+09:00", false},
		{"a day of one digit, no process", `<34>Nov  4 20:59:59 m postfix/smtp: text`,
			event.Event{Clock: event.ClockDoubt, Device: "m", Event: "postfix/smtp", Level: 3, Text: "text", Format: "rfc3164", Fields: map[string]string{"app": "postfix/smtp", "facility": "auth"}}, "2026-11-04T20:59:59+09:00", false},
		{"as rsyslog forwards", `<13>2026-11-24T20:59:59.123456+09:00 host root: text`,
			event.Event{Clock: event.ClockSource, Device: "host", Event: "root", Level: 6, Text: "text", Format: "rfc3164", Fields: map[string]string{"app": "root", "facility": "user"}}, "2026-11-24T20:59:59.123456+09:00", false},
		{"as /dev/log has it, without a host", `<13>Nov 24 20:59:59 sato: text`,
			event.Event{Clock: event.ClockAssumed, Event: "sato", Level: 6, Text: "text", Format: "rfc3164", Fields: map[string]string{"app": "sato", "facility": "user"}}, "2026-11-24T20:59:59+09:00", true},
		{"a router", `<189>45: *Mar  1 18:48:50.483: %SYS-5-CONFIG_I: Configured`,
			event.Event{Clock: event.ClockArrival, Event: "45", Level: 6, Text: "*Mar  1 18:48:50.483: %SYS-5-CONFIG_I: Configured", Format: "rfc3164", Fields: map[string]string{"app": "45", "facility": "local7"}}, at, false},
		{"a firewall with a year", `<189>Nov 24 2026 20:59:59 fw1 : %ASA-6-1: x`,
			event.Event{Clock: event.ClockAssumed, Device: "fw1", Level: 6, Text: ": %ASA-6-1: x", Format: "rfc3164", Fields: map[string]string{"facility": "local7"}}, "2026-11-24T20:59:59+09:00", true},
		{"no priority", `just a line`, event.Event{Clock: event.ClockArrival, Text: "just a line", Format: "text"}, at, false},
		{"a priority of 192", `<192>x`, event.Event{Clock: event.ClockArrival, Text: "<192>x", Format: "text"}, at, false},
		{"a priority with a zero before it", `<013>x`, event.Event{Clock: event.ClockArrival, Text: "<013>x", Format: "text"}, at, false},
		{"a NUL in the text and one behind it", "<13>a\x00b\x00\n", event.Event{Clock: event.ClockArrival, Level: 6, Text: "a\x00b", Format: "rfc3164", Fields: map[string]string{"facility": "user"}}, at, false},
		{"a clock of 1970", `<13>1 1970-01-01T00:00:01Z h a - - - x`, event.Event{Clock: event.ClockDoubt, Device: "h", Event: "a", Level: 6, Text: "x", Format: "rfc5424", Fields: map[string]string{"app": "a", "facility": "user"}}, "1970-01-01T00:00:01Z", false},
		{"a clock of 2099", `<13>1 2099-12-31T23:59:59Z h a - - - x`, event.Event{Clock: event.ClockDoubt, Device: "h", Event: "a", Level: 6, Text: "x", Format: "rfc5424", Fields: map[string]string{"app": "a", "facility": "user"}}, "2099-12-31T23:59:59Z", false},
		{"a time that is none", `<13>1 2026-13-45T99:00:00Z h a - - - x`, event.Event{Clock: event.ClockArrival, Level: 6, Text: "1 2026-13-45T99:00:00Z h a - - - x", Format: "rfc3164", Fields: map[string]string{"facility": "user"}}, at, false},
		{"nothing", ``, event.Event{Clock: event.ClockArrival, Format: "text"}, at, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := syslog.Parse([]byte(c.message), now)
			if s := got.At.Format(time.RFC3339Nano); s != c.at {
				t.Errorf("time %s, want %s", s, c.at)
			}
			if (got.Raw != nil) != c.raw {
				t.Errorf("raw %q", got.Raw)
			}
			if !maps.Equal(got.Fields, c.want.Fields) {
				t.Errorf("fields %v\nwant   %v", got.Fields, c.want.Fields)
			}
			got.At, got.Raw, got.Fields, c.want.Fields = time.Time{}, nil, nil, nil
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestJapaneseEncodingsBecomeTextAndTheirBytesStay(t *testing.T) {
	for _, text := range []string{"認証に失敗しました（利用者：山田）", "ﾛｸﾞｲﾝ失敗", "捜査資料を印刷しました。", "カード照会 12件", "表示"} {
		for name, encode := range map[string]func(string) (string, error){
			"Shift_JIS": japanese.ShiftJIS.NewEncoder().String, "EUC-JP": japanese.EUCJP.NewEncoder().String, "ISO-2022-JP": japanese.ISO2022JP.NewEncoder().String,
		} {
			if strings.ContainsRune(text, 'ﾛ') && name != "Shift_JIS" {
				continue // seldom written so
			}
			body, err := encode(text)
			if err != nil {
				t.Fatal(err)
			}
			message := []byte("<13>Nov 24 20:59:59 host app: " + body)
			e := syslog.Parse(message, now)
			if e.Text != text || !bytes.Equal(e.Raw, message) || e.Device != "host" {
				t.Errorf("%s: %q, raw kept: %v", name, e.Text, e.Raw != nil)
			}
		}
	}
	message := []byte("<13>Nov 24 20:59:59 host app: \xff\xfe\xfa")
	if e := syslog.Parse(message, now); e.Text != "\uFFFD" && e.Text != "\uFFFD\uFFFD\uFFFD" || !bytes.Equal(e.Raw, message) {
		t.Errorf("%q %q", e.Text, e.Raw)
	}
}

func TestAMessageOfOldYearAtNewYear(t *testing.T) {
	for _, c := range []struct{ arrived, stamp, want string }{
		{"2027-01-01T00:00:03+09:00", "Dec 31 23:59:59", "2026-12-31T23:59:59+09:00"},
		{"2026-12-31T23:59:58+09:00", "Jan  1 00:00:00", "2027-01-01T00:00:00+09:00"},
		{"2028-02-29T10:00:00+09:00", "Feb 29 09:59:59", "2028-02-29T09:59:59+09:00"},
		{"2026-03-01T10:00:00+09:00", "Feb 29 09:59:59", "2026-03-01T10:00:00+09:00"},
	} {
		arrived, _ := time.Parse(time.RFC3339, c.arrived)
		if e := syslog.Parse([]byte("<13>"+c.stamp+" h a: x"), arrived); e.At.Format(time.RFC3339) != c.want {
			t.Errorf("%s at %s: %s, want %s", c.stamp, c.arrived, e.At.Format(time.RFC3339), c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`<34>1 2003-10-11T22:14:15.003Z m su - ID47 - x`, `<165>1 2026-11-24T12:00:00.5Z h a 1 - [a b="c\]"][d] x`, `<34>Nov  4 20:59:59 m su[77]: x`, "<13>\x82\xa0", "x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		e := event.Fit(syslog.Parse(message, now), now)
		if _, err := event.Encode(nil, e); err != nil {
			t.Fatal(err)
		}
		if e.Raw == nil && len(message) < 10_000 { // all that was said is in the event
			said := e.Text + e.Device
			for k, v := range e.Fields {
				said += k + v
			}
			for _, word := range strings.FieldsFunc(e.Text, func(c rune) bool { return c == ' ' }) {
				if !bytes.Contains(message, []byte(word)) {
					t.Fatalf("%q is not in %q", word, message)
				}
			}
			if e.Format == "text" && strings.TrimRight(string(message), "\r\n\x00") != e.Text {
				t.Fatalf("%q became %q", message, e.Text)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for name, message := range map[string]string{
		"rfc5424": `<165>1 2026-11-24T12:00:00.5Z tanmatsu-0007 sshd 4321 - [timeQuality tzKnown="1" isSynced="1"] Accepted publickey for yamada.taro from 192.0.2.7 port 50022 ssh2`,
		"rfc3164": `<34>Nov 24 20:59:59 tanmatsu-0007 sshd[4321]: Accepted publickey for yamada.taro from 192.0.2.7 port 50022 ssh2`,
	} {
		b.Run(name, func(b *testing.B) {
			m := []byte(message)
			b.ReportAllocs()
			for b.Loop() {
				syslog.Parse(m, now)
			}
		})
	}
}
