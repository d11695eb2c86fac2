// Package rules has the commands kakusho rules: to list and check detection rules,
// and to try them on events that are there already.
package rules

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/sigma"
	"kakusho/trail"
	"kakusho/watch"
)

// Terminal is where the commands speak.
type Terminal struct {
	Stdout   io.Writer
	Lang     bilingual.Lang
	Progress func(ja, en string) func(done, total int64) // a line that rewrites itself
}

// fault is an error with a text for people.
type fault bilingual.Text

func (f fault) Error() string        { return f.EN }
func (f fault) Text() bilingual.Text { return bilingual.Text(f) }

// Command is rules.
func Command(t Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "rules",
		Short: bilingual.Say("検知規則（Sigma 形式）を示し、確かめ、過去の証跡に当てる", "List detection rules in the Sigma format, check them, and try them on past events").In(t.Lang),
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(t.list(), t.search())
	return c
}

// load reads the rules that ship and those of a folder.
func load(folder string) (*sigma.Set, error) {
	folders := []fs.FS{sigma.Shipped()}
	if folder != "" {
		if _, err := os.Stat(folder); err != nil {
			return nil, fault(bilingual.Say("フォルダ "+folder+" を読めない。", "cannot read the folder "+folder))
		}
		folders = append(folders, os.DirFS(folder))
	}
	set, err := sigma.Load(folders...)
	if err != nil {
		return nil, fault(bilingual.Say("検知規則に誤りがある。\n"+err.Error(), "rules have faults\n"+err.Error()))
	}
	return set, nil
}

func (t Terminal) list() *cobra.Command {
	return &cobra.Command{
		Use:     "list [DIR]",
		Short:   bilingual.Say("内蔵の規則とフォルダ DIR の規則を示す。誤りがあれば、ファイルと行を示して終わる", "List the rules that ship and those of DIR; with faults, name file and line and fail").In(t.Lang),
		Example: "  kakusho rules list /etc/kakusho/rules",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := load(strings.Join(args, ""))
			if err != nil {
				return err
			}
			for _, r := range set.Rules() {
				if r.Level == sigma.Informational || !r.Alone {
					continue
				}
				fmt.Fprintf(t.Stdout, "%s\t%s\t%s\t%s\n", r.ID, r.Level, r.Title.In(t.Lang), r.File)
			}
			return nil
		},
	}
}

// wanted are the flags of search.
type wanted struct {
	data, stream, folder, since, before string
	most                                int
}

func (t Terminal) search() *cobra.Command {
	var w wanted
	c := &cobra.Command{
		Use:     "search",
		Short:   bilingual.Say("保管している証跡に検知規則を当て、該当を示す。警告は挙げない", "Try the rules on events that are kept, and print what they find; no alert is raised").In(t.Lang),
		Example: "  kakusho rules search --stream 1y --since 2026-10-01 --rules DIR",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return t.run(cmd, w) },
	}
	f := c.Flags()
	text := func(to *string, name, value, ja, en string) {
		f.StringVar(to, name, value, bilingual.Say(ja, en).In(t.Lang))
	}
	text(&w.data, "data", "data", "データのフォルダ", "data folder")
	text(&w.stream, "stream", "1y", "系列（1y 2y 3y 5y 10y 30y）", "stream: 1y 2y 3y 5y 10y 30y")
	text(&w.folder, "rules", "", "独自の検知規則のフォルダ", "folder of rules of one's own")
	text(&w.since, "since", "", "この日以後に届いた証跡（YYYY-MM-DD）", "events that arrived on this day or later (YYYY-MM-DD)")
	text(&w.before, "before", "", "この日より前に届いた証跡（YYYY-MM-DD）", "events that arrived before this day (YYYY-MM-DD)")
	f.IntVar(&w.most, "limit", 1000, bilingual.Say("示す件数", "how many to print").In(t.Lang))
	return c
}

func (t Terminal) run(cmd *cobra.Command, w wanted) error {
	set, err := load(w.folder)
	if err != nil {
		return err
	}
	span := watch.Span{Stream: w.stream}
	for _, x := range []struct {
		text string
		to   *time.Time
	}{{w.since, &span.Since}, {w.before, &span.Before}} {
		if x.text == "" {
			continue
		}
		if *x.to, err = time.ParseInLocation(time.DateOnly, x.text, calendar.Tokyo()); err != nil {
			return fault(bilingual.Say("日付「"+x.text+"」は YYYY-MM-DD の形とする。", "a day is written YYYY-MM-DD, not "+x.text))
		}
	}
	dir := filepath.Join(w.data, "events", w.stream)
	r, err := trail.NewReader(dir)
	if err != nil {
		return fault(bilingual.Say("証跡 "+dir+" を読めない："+err.Error(), "cannot read the events in "+dir+": "+err.Error()))
	}
	defer r.Close()
	show := t.Progress("検索中", "searching")
	h, err := watch.Search(cmd.Context(), r, span, set, w.most, func(seq, _ int64) { show(seq, r.Len()) })
	if err != nil {
		return err
	}
	for _, a := range h.Alerts {
		title := a.Title
		if rule, ok := set.Rule(a.Rule); ok {
			title = rule.Title.In(t.Lang)
		}
		fmt.Fprintf(t.Stdout, "%s\t%s\t%s\t%d\t%s\t%s\t%s/%d\n", a.Level, a.Rule, title, a.Count, a.First.At.Format(time.RFC3339), a.Group, a.First.Ref.Stream, a.First.Ref.Seq)
	}
	fmt.Fprintf(t.Stdout, bilingual.Say("%d 件の証跡を調べ、%d 件の該当を示した。示さなかった該当 %d、読めない行 %d。\n",
		"%d events looked at, %d findings printed; %d more not printed, %d lines that are no event.\n").In(t.Lang), h.Events, len(h.Alerts), h.Left, h.Broken)
	return nil
}
