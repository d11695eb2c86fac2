package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"kakusho/actor"
	"kakusho/calendar"
	"kakusho/collect"
	"kakusho/collect/linux"
	"kakusho/collect/mariadb"
	"kakusho/collect/postgres"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/register"
	"kakusho/server/backup"
	"kakusho/store"
)

// Self is this installation as a subject: the system it is, and the machine it
// runs on. It is judged like any other.
const (
	SelfSystem   = "KAKUSHO"
	SelfComputer = "KAKUSHO-1"
	SelfJournal  = "KAKUSHO-1-JOURNAL"
)

// bootstrap seals the start and, the first time, enters this installation into
// the registers: its unit and post (renamed at the first set-up), its system, its
// machine and what it is told by that.
func (s *Server) bootstrap(ctx context.Context) error {
	at := s.cfg.Now()
	if err := s.sealRestored(ctx, at); err != nil {
		return fmt.Errorf("take down that this was restored: %w", err)
	}
	_, err := s.Gate.Ask(ctx, gate.Request{
		Actor: actor.Program, At: at, Action: gate.Start, Object: "system",
		Changes: []gate.Change{{Body: map[string]string{"version": s.cfg.Version}}},
	})
	if err != nil || s.demo {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read host name: %w", err)
	}
	entries := []struct {
		kind   string
		values map[string]any
	}{
		{"unit", map[string]any{"unit_id": "HQ", "title": "（初回設定で入力）", "level": "prefecture"}},
		{"post", map[string]any{"post_id": "FIRST", "title": "初期管理者", "unit": "HQ", "status": "active"}},
		{"system", map[string]any{
			"system_id": SelfSystem, "title": "確証（本システム）", "unit": "HQ", "officer": "FIRST", "maintainer": "FIRST", "status": "in-service",
			"purpose": "情報セキュリティ要件の適合状況の収集・判定・記録", "confidentiality": int64(2), "integrity": int64(2), "availability": int64(1),
			"internet": "direct", "note": "初期値は最も厳しい想定で登録した。実態に合わせて修正すること。", "in_service_on": at.In(calendar.Tokyo()).Format("2006-01-02"),
		}},
		{"computer", map[string]any{
			"asset_no": SelfComputer, "role": "server", "system": SelfSystem, "unit": "HQ", "hostname": host, "status": "in-service",
			"ownership": "organisation", "in_service_on": at.In(calendar.Tokyo()).Format("2006-01-02"),
		}},
		{"log-source", map[string]any{
			"source_no": SelfJournal, "title": "本システムの機器のジャーナル", "system": SelfSystem, "subject": "computer/" + SelfComputer, "door": "journal",
			"classes": []any{"login", "login-failure", "privilege", "account", "audit", "time", "boot"}, "status": "in-service", "in_service_on": at.In(calendar.Tokyo()).Format("2006-01-02"),
		}},
	}
	for _, e := range entries {
		if err := s.enterOnce(ctx, e.kind, e.values, at); err != nil {
			return fmt.Errorf("enter this installation as %s: %w", e.kind, err)
		}
	}
	return nil
}

// enterOnce enters what is not there; what is there belongs to its editors.
func (s *Server) enterOnce(ctx context.Context, kindID string, values map[string]any, at time.Time) error {
	id, _ := values[s.Kinds[kindID].Key].(string)
	var there bool
	err := s.rows.View(ctx, func(r store.Reader) (err error) {
		_, there, err = store.Get(ctx, r, store.Subject{Kind: kindID, ID: id})
		return err
	})
	if err != nil || there {
		return err
	}
	_, err = s.Register.Put(ctx, actor.Program, kindID, values, 0, at)
	if errors.Is(err, register.ErrConflict) {
		return nil
	}
	return err
}

// collectLoop collects at once and then every interval. A collection that fails
// is logged; the facts then grow stale, which the verdicts say.
func (s *Server) collectLoop(ctx context.Context) {
	if s.cfg.Interval < 0 || s.demo {
		return
	}
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	for {
		if err := s.Collect(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("collect from this machine", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Collect observes this machine once and seals what it saw.
func (s *Server) Collect(ctx context.Context) error {
	at := s.cfg.Now()
	ref := fact.NewRef("computer", SelfComputer)
	dialer := &net.Dialer{Timeout: 3 * time.Second}
	h := collect.Host{FS: collect.RootFS(s.cfg.Root), Live: s.cfg.Root == "/", Root: s.cfg.Root, Now: at}
	if h.Live {
		h.Dial = dialer.DialContext
	}
	batches := collect.Run(ctx, h, ref, linux.Collectors(), nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := s.Intake.Accept(ctx, actor.Program, batches, s.cfg.Now()); err != nil {
		return err
	}
	if err := s.collectDatabases(ctx, h); err != nil {
		return err
	}
	debug.FreeOSMemory() // a collection reads much once; the server is idle after it
	s.cfg.Log.Info("collected from this machine", "batches", len(batches), "took", s.cfg.Now().Sub(at).Round(time.Millisecond))
	return nil
}

// collectDatabases observes the databases that the register says run on this
// machine. One that is registered and cannot be reached says so in its facts.
func (s *Server) collectDatabases(ctx context.Context, h collect.Host) error {
	var dbs []store.Subject
	err := s.rows.View(ctx, func(r store.Reader) (err error) {
		dbs, err = store.All[store.Subject](ctx, r, store.Where{
			Equal: map[string]any{"kind": "database", "retired": false, "values.computer": SelfComputer},
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("list own databases: %w", err)
	}
	for _, db := range dbs {
		var collectors []collect.Collector
		switch db.Values["engine"] {
		case "postgresql":
			collectors = postgres.Collectors("")
		case "mariadb":
			collectors = mariadb.Collectors("")
		default:
			continue // no collector for this engine: its facts stay unknown
		}
		batches := collect.Run(ctx, h, fact.NewRef("database", db.ID), collectors, nil)
		if err := s.Intake.Accept(ctx, actor.Program, batches, s.cfg.Now()); err != nil {
			return err
		}
	}
	return nil
}

// sealRestored takes down that this installation was restored from a backup, once.
func (s *Server) sealRestored(ctx context.Context, at time.Time) error {
	mark := filepath.Join(s.cfg.Data, backup.Mark)
	text, err := os.ReadFile(mark)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !json.Valid(text) {
		return fmt.Errorf("%s is not what a restore wrote: remove it, and note when the backup was made", mark)
	}
	if _, err := s.Gate.Ask(ctx, gate.Request{Actor: actor.Program, At: at, Action: gate.Restore, Object: "system", Changes: []gate.Change{{Body: json.RawMessage(text)}}}); err != nil {
		return err
	}
	return os.Remove(mark)
}
