package main

import (
	"context"
	"fmt"
	"html/template"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"kakusho/bilingual"
	"kakusho/collect"
	"kakusho/collect/linux"
	"kakusho/collect/mariadb"
	"kakusho/collect/postgres"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/intake"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/report"
	"kakusho/report/document"
	"kakusho/store"
	"kakusho/trail"
	"kakusho/trail/short"
)

// checkFlags are the flags of check.
type checkFlags struct {
	root, format, role, data string
	all                      bool
}

func (p *program) check() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check",
		Short: bilingual.Say("この機器、又は --root のフォルダの適合状況を項ごとに表示する", "Print how this machine, or the folder --root, stands, clause by clause").In(p.lang),
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.runCheck(cmd, f) },
	}
	fs := c.Flags()
	fs.StringVar(&f.root, "root", "/", bilingual.Say("調べるルート（マウントした他の機器のディスク等）", "root to look at, e.g. another machine's mounted disk").In(p.lang))
	fs.StringVar(&f.format, "format", "table", strings.Join(report.Formats, "|"))
	fs.StringVar(&f.role, "role", "auto", bilingual.Say("機器の区分 server|terminal|mobile。auto は筐体と画面環境から仮定する", "role: server|terminal|mobile; auto assumes it from chassis and desktop").In(p.lang))
	fs.StringVar(&f.data, "data", "", bilingual.Say("証跡の検証点（照合文字とQRコード）を記す導入のデータのフォルダ", "folder of the installation whose trail's checkpoint (characters, QR code) the report bears").In(p.lang))
	fs.BoolVar(&f.all, "all", false, bilingual.Say("適合と対象外も表示する", "also list what conforms or does not apply").In(p.lang))
	return c
}

func (p *program) runCheck(cmd *cobra.Command, f checkFlags) error {
	if !slices.Contains(report.Formats, f.format) {
		return usage(cmd, "--format は "+strings.Join(report.Formats, "、")+" のいずれかとすること。", "--format is one of "+strings.Join(report.Formats, ", ")+".")
	}
	if !slices.Contains([]string{"auto", "server", "terminal", "mobile"}, f.role) {
		return usage(cmd, "--role は auto、server、terminal、mobile のいずれかとすること。", "--role is auto, server, terminal or mobile.")
	}
	if info, err := os.Stat(f.root); err != nil || !info.IsDir() {
		return usage(cmd, fmt.Sprintf("--root %s はフォルダではない。", f.root), fmt.Sprintf("--root %s is no folder.", f.root))
	}
	judged, err := shipped()
	if err != nil {
		return err
	}
	seal, err := sealOf(cmd.Context(), f.data)
	if err != nil {
		return err
	}
	r, err := look(cmd.Context(), judged, f, time.Now(), p.progressOf())
	if err != nil {
		return err
	}
	r.Seal = seal
	if err := r.Write(p.stdout, f.format, p.lang, p.width(), f.all); err != nil {
		return err
	}
	if r.Violates() {
		return exit{status: statusViolates}
	}
	return nil
}

// sealOf is the newest checkpoint of an installation's trail, for paper; of none, nil.
func sealOf(ctx context.Context, data string) (*report.Seal, error) {
	if data == "" {
		return nil, nil
	}
	r, err := trail.NewReader(filepath.Join(data, "trail"))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, c, err := r.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	form := short.Of(c, text)
	qr, err := form.SVG(fmt.Sprintf("%s %d %s", form.Origin, form.Size, form.Code))
	return &report.Seal{Origin: form.Origin, Size: form.Size, Code: form.Code, Text: form.Text, QR: template.HTML(qr)}, err //nolint:gosec // an image of ours
}

// progressOf shows which group of facts is being collected.
func (p *program) progressOf() func(done, total int, group string) {
	line := p.progress("収集", "collecting")
	return func(done, total int, _ string) { line(int64(done), int64(total)) }
}

// width is the terminal's, or wide enough for a pipe.
func (p *program) width() int {
	if f, ok := p.stdout.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			return w
		}
	}
	return 160
}

// shipped is the judge with the directive and controls that ship with the program.
func shipped() (*posture.Posture, error) {
	kinds, d := kind.Default(), directive.Default()
	terms := posture.NewTerms(d, control.Default(kinds, d), kinds)
	return posture.Over(nil, terms, document.Derivations(terms))
}

// look collects from a root once and judges it. What a register would declare is
// assumed where a rule cannot do without it, and the report says so.
func look(ctx context.Context, p *posture.Posture, f checkFlags, now time.Time, progress func(int, int, string)) (*report.Report, error) {
	h := collect.Host{FS: collect.RootFS(f.root), Live: f.root == "/", Root: f.root, Now: now}
	if h.Live {
		h.Dial = (&net.Dialer{Timeout: 3 * time.Second}).DialContext
	}
	ref := fact.NewRef("computer", "this")
	batches := collect.Run(ctx, h, ref, linux.Collectors(), progress)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("collect: %w", err)
	}
	var facts []store.Fact
	for _, b := range batches {
		for _, x := range b.Facts {
			facts = append(facts, intake.Observed(b, x, now))
		}
	}
	role := f.role
	if role == "auto" {
		role = assumeRole(facts)
	}
	declared := map[string]any{"asset_no": "this", "role": role, "system": "this", "status": "in-service"}
	subjects := []store.Subject{
		{Kind: "computer", ID: "this", Name: textOf(facts, "hostname"), System: "this", Values: declared, Rev: 1, ChangedAt: now},
		{Kind: "system", ID: "this", Name: "this", System: "this", Values: map[string]any{"system_id": "this", "status": "in-service"}, Rev: 1, ChangedAt: now},
	}
	dbs, dbFacts, err := databases(ctx, h, now)
	if err != nil {
		return nil, err
	}
	st, err := p.Of(append(subjects, dbs...), append(facts, dbFacts...), now)
	if err != nil {
		return nil, fmt.Errorf("judge: %w", err)
	}
	r := report.New(p, st, version)
	r.Root, r.Host, r.Assumed = f.root, textOf(facts, "hostname"), map[string]string{"role": role, "status": "in-service"}
	if len(batches) > 0 {
		r.Privilege = batches[0].Privilege
	}
	return r, nil
}

// databases looks at the database servers that listen on this machine's sockets:
// a subject and its facts for each. On a folder there are none to ask.
func databases(ctx context.Context, h collect.Host, now time.Time) (subjects []store.Subject, facts []store.Fact, err error) {
	if !h.Live {
		return nil, nil, nil
	}
	for _, engine := range []struct {
		name       string
		local      func(collect.Host) ([]string, error)
		collectors func(string) []collect.Collector
	}{{"postgresql", postgres.Local, postgres.Collectors}, {"mariadb", func(h collect.Host) ([]string, error) {
		dsn, err := mariadb.Local(h)
		if dsn == "" {
			return nil, err
		}
		return []string{dsn}, err
	}, mariadb.Collectors}} {
		dsns, err := engine.local(h)
		if err != nil {
			return nil, nil, fmt.Errorf("find %s: %w", engine.name, err)
		}
		for i, dsn := range dsns {
			id := fmt.Sprintf("%s-%d", engine.name, i+1)
			subjects = append(subjects, store.Subject{Kind: "database", ID: id, Name: id, System: "this", Rev: 1, ChangedAt: now,
				Values: map[string]any{"database_no": id, "title": id, "system": "this", "computer": "this", "status": "in-service"}})
			for _, b := range collect.Run(ctx, h, fact.NewRef("database", id), engine.collectors(dsn), nil) {
				for _, x := range b.Facts {
					facts = append(facts, intake.Observed(b, x, now))
				}
			}
		}
	}
	return subjects, facts, nil
}

// assumeRole is a portable chassis: mobile; a desktop: terminal; else a server,
// which is held to the most.
func assumeRole(facts []store.Fact) string {
	switch textOf(facts, "chassis") {
	case "laptop", "tablet":
		return "mobile"
	}
	for _, f := range facts {
		if f.Field == "graphical" && f.Value == true {
			return "terminal"
		}
	}
	return "server"
}

func textOf(facts []store.Fact, field string) string {
	for _, f := range facts {
		if f.Field == field {
			s, _ := f.Value.(string)
			return s
		}
	}
	return ""
}
