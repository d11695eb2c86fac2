package searchtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"kakusho/event"
	"kakusho/search"
)

// Start is the instant the events of Rows begin at.
var Start = time.Date(2026, 11, 2, 22, 30, 0, 0, time.UTC)

// parts of invented events: some common, some rare, some that look alike.
var (
	messages = []string{
		"Accepted publickey for %s from %s port 52211 ssh2", "Failed password for invalid user %s from %s port 22", "職員 %s が捜査資料を閲覧した（接続元 %s）",
		"照会：車両番号の検索 職員=%s 端末=%s", "ﾌｧｲﾙ「被害届.xlsx」をﾀﾞｳﾝﾛｰﾄﾞ %s %s", "ファイルのアップロードに失敗しました。利用者 %s 宛先 %s",
		"ＵＳＢメモリの接続を拒否 user=%s host=%s", "checksum mismatch for pack 0x1F (%s, %s)", "systemd[1]: Started session of user %s. (%s)",
		"警報: 権限昇格の試み sudo %s -> root 送信元 %s",
	}
	accounts = []string{"tanaka", "SUZUKI", "sato.k", "root", "svc-backup", "山田", "o'brien", `DOM\kimura`}
	objects  = []string{"/etc/shadow", `C:\秘\捜査 資料.docx`, "被害届.xlsx", "table:person", "", "https://example.jp/a?b=c&d=\"e\""}
	classes  = []event.Class{event.Login, event.File, "", event.LoginFailure}
	systems  = []string{"sosa", "shokai", ""}
)

// Rows are n invented events of a stream, numbered from first, as a few systems
// would write them: always the same ones for the same arguments. Many share an
// instant, and some have clocks that are wrong.
func Rows(stream string, first int64, n int) []search.Row {
	r := rand.New(rand.NewPCG(uint64(first), uint64(n))) //nolint:gosec // to be repeatable
	out := make([]search.Row, n)
	for i := range out {
		out[i] = row(r, stream, first+int64(i))
	}
	return out
}

func row(r *rand.Rand, stream string, seq int64) search.Row {
	arrived := Start.Add(time.Duration(seq) * 7 * time.Second / 10)
	e := event.Event{
		ID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), At: arrived.Truncate(time.Minute), Clock: event.ClockSource, Format: "rfc5424",
		Class: classes[r.IntN(len(classes))], System: systems[r.IntN(len(systems))], Account: accounts[min(r.IntN(len(accounts)), r.IntN(len(accounts)))],
		Device: fmt.Sprintf("pc-%04d", r.IntN(500)), Object: objects[r.IntN(len(objects))], Source: fmt.Sprintf("10.%d.%d.%d", r.IntN(4), r.IntN(256), r.IntN(256)),
		Result: []event.Result{event.Success, event.Failure, event.Denied, ""}[r.IntN(4)], Level: event.Level(r.IntN(9)),
	}
	e.Text = fmt.Sprintf(messages[r.IntN(len(messages))], e.Account, e.Device)
	switch r.IntN(10) {
	case 0:
		e.Fields = map[string]string{"bytes": fmt.Sprint(r.IntN(5000)), "Session": strings.Repeat("あ", r.IntN(4))}
	case 1:
		e.At = time.Unix(0, 0)
	case 2:
		e.At = arrived.AddDate(70, 0, 0)
	case 3:
		e.At = arrived.Add(-time.Duration(r.IntN(40*24)) * time.Hour)
	case 4:
		e.Fields = map[string]string{"exit": "-1", "bytes": "12.5", "tab\tname\"": "a\nb"}
	case 5:
		e = event.Event{Raw: []byte("<34>Oct 11 22:14:15 su: 'su root' 失敗"), At: e.At, System: e.System}
	case 6:
		if r.IntN(4) == 0 {
			return search.Row{Ref: search.Ref{Stream: stream, Seq: seq}, Arrived: arrived} // its line could not be read
		}
	}
	return search.Row{Ref: search.Ref{Stream: stream, Seq: seq}, Arrived: arrived, Event: e}
}

// Searches are searches in which an engine and the model must agree.
var Searches = []string{
	"", "failed", "Failed password", `"failed password"`, "捜査", "捜査資料", "資料", "料", "捜 料", "査資", "ファイル", "ﾌｧｲﾙ", "ふぁいる", "ファイルの", "だうん", "アップロードに失敗",
	"USB", "ＵＳＢメモリ", "check*", "checksum mismatch -suzuki", "tanaka OR suzuki", "失敗 または 拒否", "(失敗 OR 拒否) 除く 利用者", "-失敗", "NOT (tanaka OR 捜査)",
	`"a b c d"`, "0x1f", "port 22", `"port 22"`, "10.1*", "o'brien", `dom\kimura`, "root", `"su root"`, "nothing-like-this", "a", "b",
	"account:tanaka", "account:TANAKA", "account:山田", "account:s*", "account:*a*", "account:(tanaka suzuki)", "account:*", "-account:*", `account:"dom\kimura"`,
	`object:"C:\秘\捜査 資料.docx"`, "object:*資料*", "object:被害*", "result:failure", "結果:拒否 捜査", "result:*", "level:<=4", "level:error", "level:3..5", "level:>7",
	"bytes:>1000", "bytes:12.5", "f.bytes:<100", "bytes:*", "exit:-1", "exit:<0", "session:ああ", "session:あ*", "source:10.1.0.0/16", "source:10.2.3.0/24", "source:10.0.0.0/8 -source:10.3.0.0/16",
	"device:pc-0001", "device:pc-00* failed", "class:login", "class:log*", "-class:*", "system:sosa", "stream:3y", "stream:10y 失敗", "stream:x",
	"time:2026-11-03", "time:2026-11-03T08:00..2026-11-03T08:30", "time:2026-11-03T20:10..2026-11-03T20:20", "time:2026-11-03T20:12", "time:2026-11-03T20:11:00..2026-11-03T20:12:00 失敗", "time:..2026-10-20", "time:2026-10 失敗", "time:2026-11-03T09:00.. account:root",
	"形式:rfc5424", "clock:source", `tab:*`, "失敗 捜査 OR 検索 -(root OR 10.2*)",
}

// oddRows are events at the limits, and of texts that hurt careless programs.
func oddRows() []search.Row {
	many := map[string]string{}
	for i := range event.MaxFields {
		many[fmt.Sprintf("%s%03d", strings.Repeat("n", event.MaxName-3), i)] = strings.Repeat("値", 400)
	}
	var out []search.Row
	for _, e := range []event.Event{
		{Text: strings.Repeat("長い文 ", 20000) + " 針金"},
		{Text: strings.Repeat("漢", 85000)},
		{Text: strings.Repeat("x", 250<<10)},
		{Text: strings.Repeat("a ", 120<<10)},
		{Fields: many},
		{Fields: map[string]string{"_time": "1999-01-01", "_msg": "m", "_stream": "s", "kseq": "7", "": "no name", "*": "star", "a:b|c": "pipe"}},
		{Text: "\x00\x01\ufffd\u2028 \" \\ ' ` { } | # // /*"},
		{Text: "broken \xff\xe3 text"},
		{Account: `") or *`, Device: "`", Object: `\`},
		{},
	} {
		seq := int64(len(out))
		e.At = Start
		out = append(out, search.Row{Ref: search.Ref{Stream: "3y", Seq: seq}, Arrived: Start.Add(time.Second), Event: e})
	}
	return out
}
