package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kakusho/audit"
	"kakusho/bilingual"
	"kakusho/search"
	"kakusho/server/events"
)

func (p *program) events() *cobra.Command {
	c := &cobra.Command{
		Use:   "events",
		Short: bilingual.Say("証跡（事象）を検索し、状況を示す", "Search events, and say how they stand").In(p.lang),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "events search 又は events status を指定すること。", "Say events search or events status.")
		},
	}
	c.AddCommand(p.eventsSearch(), p.eventsStatus())
	return c
}

func (p *program) eventsSearch() *cobra.Command {
	var data, format string
	var limit int
	var by []string
	c := &cobra.Command{
		Use:   "search [WORDS]",
		Short: bilingual.Say("稼働中のサーバの証跡を検索する。検索自体も証跡に残る", "Search the events of the running server; the search itself is recorded").In(p.lang),
		Example: `  kakusho events search 'class:login-failure account:admin'
  kakusho events search '捜査資料 -result:success' --limit 20
  kakusho events search 'class:login-failure' --by account --by source`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			form := url.Values{"q": {strings.Join(args, " ")}, "limit": {strconv.Itoa(limit)}, "by": by}
			if len(by) > 0 {
				var groups []search.Group
				if err := p.control(cmd.Context(), data, http.MethodGet, "/events", form, &groups); err != nil {
					return err
				}
				for _, g := range groups {
					fmt.Fprintf(p.stdout, "%d\t%s\n", g.Count, strings.Join(g.Keys, "\t"))
				}
				return nil
			}
			var page audit.Page
			if err := p.control(cmd.Context(), data, http.MethodGet, "/events", form, &page); err != nil {
				return err
			}
			return p.printEvents(page, format)
		},
	}
	p.dataFlag(c, &data)
	f := c.Flags()
	f.IntVar(&limit, "limit", 100, bilingual.Say("件数の上限", "how many at most").In(p.lang))
	f.StringArrayVar(&by, "by", nil, bilingual.Say("この項目ごとに数える（繰返し可）", "count by this field (may be repeated)").In(p.lang))
	f.StringVar(&format, "format", "text", bilingual.Say("text、又は封緘された行のままの ndjson", "text, or ndjson: the lines as they were sealed").In(p.lang))
	return c
}

func (p *program) printEvents(page audit.Page, format string) error {
	damaged := 0
	for _, f := range page.Events {
		if f.Standing == audit.Damaged {
			damaged++
		}
		if format == "ndjson" {
			fmt.Fprintf(p.stdout, "%s\n", f.Line)
			continue
		}
		e := f.Event
		fmt.Fprintf(p.stdout, "%s\t%s/%d\t%s\t%s\t%s\t%s\t%s\n", e.At.Format("2006-01-02T15:04:05.000Z07:00"), f.Stream, f.Seq, f.Standing, e.Device, e.Class, e.Account,
			strings.ReplaceAll(e.Text, "\n", "⏎"))
	}
	if damaged > 0 {
		return exit{statusIntegrity, bilingual.Say(plural(damaged, "%d件は封緘されたものと異なる。kakusho trail verify で調べること。"),
			plural(damaged, "%d events are not what was sealed: see kakusho trail verify"))}
	}
	return nil
}

func (p *program) eventsStatus() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "status",
		Short: bilingual.Say("系列、索引、取得元の状況を JSON で示す", "Streams, index and sources, as JSON").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s events.Standing
			if err := p.control(cmd.Context(), data, http.MethodGet, "/standing", nil, &s); err != nil {
				return err
			}
			enc := json.NewEncoder(p.stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(s)
		},
	}
	p.dataFlag(c, &data)
	return c
}
