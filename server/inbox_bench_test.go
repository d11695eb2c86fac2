package server_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/posture"
	"kakusho/register/exchange"
	"kakusho/server"
	"kakusho/web/inbox/due"
)

// BenchmarkInbox reads the inbox of who keeps 3,000 accounts, some of which are to be
// reviewed soon, and 500 cases: first, when nothing of it is remembered, again, and
// after one entry changed. How long the standing takes that it is read from is told
// beside it.
func BenchmarkInbox(b *testing.B) {
	ctx := b.Context()
	at := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	s, err := server.New(ctx, server.Config{Data: b.TempDir(), Interval: -1, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	settleForBench(b, ctx, s)
	take := func(kind, ledger string) {
		b.Helper()
		_, err := s.Exchange.Take(ctx, looker(), exchange.Order{ID: exchange.NewID(at), Kind: kind, File: exchange.File{Name: kind + ".csv", Data: []byte(ledger)}, Note: "bench"}, at, nil)
		if err != nil {
			b.Fatal(err)
		}
	}
	take("account", reviewedAccounts(3000, at))
	take("disposal", openCases(500))
	read := func(name string, p *posture.Posture) due.Inbox {
		b.Helper()
		permit, err := s.Gate.Ask(ctx, gate.Request{Actor: looker(), At: at, Action: gate.Read, Object: "page/bench", Scope: []string{"*"}})
		if err != nil {
			b.Fatal(err)
		}
		begun := time.Now()
		box, err := (due.Sources{Register: s.Register, Drafts: s.Drafts, Govern: s.Govern, Posture: p}).Of(ctx, permit, at)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(begun).Milliseconds()), name+"-ms")
		return box
	}
	for b.Loop() {
		standing(b, s, at)
		box := read("first", s.Posture)
		b.ReportMetric(float64(len(box.Items)), "items")
		at = at.Add(2 * time.Minute)
		read("again", s.Posture)
		if _, err := s.Register.Put(ctx, actor.Program, "account", values{"account_no": "AC-00007", "system": server.SelfSystem, "name": "u7", "use": "individual", "shared": false, "admin": false,
			"status": "active", "note": "x"}, 1, at); err != nil {
			b.Fatal(err)
		}
		read("changed", s.Posture)
	}
}

// standing lets the posture read everything, as the first page of a started server does.
func standing(b *testing.B, s *server.Server, at time.Time) {
	b.Helper()
	permit, err := s.Gate.Ask(b.Context(), gate.Request{Actor: looker(), At: at, Action: gate.Read, Object: "page/bench", Scope: []string{"*"}})
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	if _, err := s.Posture.Now(b.Context(), permit, at); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(begun).Milliseconds()), "standing-ms")
}

// reviewedAccounts is a ledger of n accounts, last reviewed over a year and a half.
func reviewedAccounts(n int, at time.Time) string {
	var b strings.Builder
	b.WriteString("account_no,name,system,use,shared,admin,issued_on,reviewed_on,status\n")
	for i := range n {
		fmt.Fprintf(&b, "AC-%05d,u%d,%s,service,いいえ,いいえ,2025-04-01,%s,active\n", i, i, server.SelfSystem, at.AddDate(0, 0, -i%180).Format(time.DateOnly))
	}
	return b.String()
}

// openCases is a ledger of n devices that are being disposed of.
func openCases(n int) string {
	var b strings.Builder
	b.WriteString("case_no,title,type,system,confidentiality,opened_on,status\n")
	for i := range n {
		fmt.Fprintf(&b, "D-%05d,廃棄%d,disposal,%s,2,2026-10-01,open\n", i, i, server.SelfSystem)
	}
	return b.String()
}
