package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/kind/table"
	"kakusho/register/exchange"
	"kakusho/server"
)

// crowdLedger is a ledger of n computers of the self's system, as an office would bring it.
func crowdLedger(n int, mark string) []byte {
	var b strings.Builder
	b.WriteString("asset_no,role,system,hostname,status,support_end_on,in_service_on\n")
	for i := range n {
		fmt.Fprintf(&b, "PC-%06d,terminal,%s,%s-%06d,in-service,2030-03-31,2025-04-01\n", i, server.SelfSystem, mark, i)
	}
	return []byte(b.String())
}

// BenchmarkImport takes the largest ledger there may be: read as a workbook, tried
// against an empty register, applied, tried again against what is there now, undone.
func BenchmarkImport(b *testing.B) {
	ctx, stop := context.WithTimeout(b.Context(), 20*time.Minute)
	defer stop()
	for b.Loop() {
		s, err := server.New(ctx, server.Config{Data: b.TempDir(), Interval: -1, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			b.Fatal(err)
		}
		who := looker()
		permit, err := s.Gate.Ask(ctx, gate.Request{Actor: who, At: time.Now(), Action: gate.Read, Object: "page/bench", Scope: []string{"*"}})
		if err != nil {
			b.Fatal(err)
		}
		settleForBench(b, ctx, s)
		took := func(name string, do func() error) {
			b.Helper()
			begun := time.Now()
			if err := do(); err != nil {
				b.Fatalf("%s: %v", name, err)
			}
			b.ReportMetric(time.Since(begun).Seconds(), name+"-s")
		}
		f := exchange.File{Name: "台帳.csv", Data: crowdLedger(table.MaxRows, "pc")}
		try := func(want string, count func(*exchange.Plan) int) func() error {
			return func() error {
				p, err := s.Exchange.Plan(ctx, permit, "computer", f, nil, nil)
				if err == nil && (len(p.Faults) > 0 || count(p) != table.MaxRows) {
					err = fmt.Errorf("%d %s, faults %v", count(p), want, p.Faults)
				}
				return err
			}
		}
		id := exchange.NewID(time.Now())
		took("try", try("new", func(p *exchange.Plan) int { return p.New }))
		took("apply", func() error {
			n, err := s.Exchange.Take(ctx, who, exchange.Order{ID: id, Kind: "computer", File: f, Note: "bench"}, time.Now(), nil)
			if err == nil && n != table.MaxRows {
				err = fmt.Errorf("%d entries", n)
			}
			return err
		})
		f.Data = crowdLedger(table.MaxRows, "renamed")
		took("try-again", try("changed", func(p *exchange.Plan) int { return p.Changed }))
		took("undo", func() error { return s.Exchange.Undo(ctx, who, id, "bench", time.Now()) })
		var rows []map[string]any
		for i := range table.MaxRows {
			rows = append(rows, map[string]any{"asset_no": fmt.Sprintf("PC-%06d", i), "role": "terminal", "system": server.SelfSystem, "hostname": fmt.Sprintf("x-%d", i), "status": "in-service"})
		}
		var book writer
		if err := table.Write(&book, table.XLSX, s.Kinds["computer"], bilingual.JA, rows, table.Options{}); err != nil {
			b.Fatal(err)
		}
		took("read-xlsx", func() error {
			sheet, err := table.Read(book.reader(), "x.xlsx", s.Kinds["computer"])
			if err == nil && (!sheet.OK() || len(sheet.Rows) != table.MaxRows) {
				err = fmt.Errorf("%d rows, %v", len(sheet.Rows), sheet.All())
			}
			return err
		})
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

type writer struct{ strings.Builder }

func (w *writer) reader() io.Reader { return strings.NewReader(w.String()) }

// settleForBench enters the system that the computers belong to.
func settleForBench(b *testing.B, ctx context.Context, s *server.Server) {
	b.Helper()
	for _, e := range []struct {
		kind   string
		values values
	}{
		{"unit", values{"unit_id": "HQ", "title": "本部", "level": "prefecture", "prefecture": "98"}},
		{"post", values{"post_id": "P", "title": "係長", "unit": "HQ", "status": "active"}},
		{"system", values{"system_id": server.SelfSystem, "title": "システム", "unit": "HQ", "officer": "P", "maintainer": "P", "in_service_on": "2024-04-01",
			"status": "in-service", "confidentiality": 1, "integrity": 1, "availability": 1, "internet": "none"}},
	} {
		if _, err := s.Register.Put(ctx, actor.Program, e.kind, e.values, 0, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
