package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/retention"
)

func (p *program) retention() *cobra.Command {
	c := &cobra.Command{
		Use:   "retention",
		Short: bilingual.Say("証跡の保存期間の計画を示し、又は実行する", "Show, or carry out, what becomes of events by their period").In(p.lang),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "retention plan 又は retention run を指定すること。", "Say retention plan or retention run.")
		},
	}
	c.AddCommand(p.retentionPlan(), p.retentionRun())
	return c
}

func (p *program) retentionPlan() *cobra.Command {
	var data, at, format string
	var all bool
	c := &cobra.Command{
		Use:   "plan",
		Short: bilingual.Say("束ごとに、移す・廃棄する・残すの別とその根拠を示す。何も変えない", "Say of each pack whether it would go to the archive, be disposed of, or stay, and why; changes nothing").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			form := url.Values{}
			if at != "" {
				day, err := time.ParseInLocation(time.DateOnly, at, calendar.Tokyo())
				if err != nil {
					return usage(cmd, "--at は 2031-04-01 の形とすること。", "--at is a day, as 2031-04-01.")
				}
				form.Set("at", day.Format(time.RFC3339))
			}
			var steps []retention.Step
			if err := p.control(cmd.Context(), data, http.MethodGet, "/retention", form, &steps); err != nil {
				return err
			}
			if format == "json" {
				enc := json.NewEncoder(p.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(steps)
			}
			p.printSteps(steps, all)
			return nil
		},
	}
	p.dataFlag(c, &data)
	c.Flags().StringVar(&at, "at", "", bilingual.Say("この日の計画を示す（既定は本日）", "the plan as of this day (default: today)").In(p.lang))
	c.Flags().BoolVar(&all, "all", false, bilingual.Say("何も起こらない束も示す", "packs to which nothing happens as well").In(p.lang))
	c.Flags().StringVar(&format, "format", "text", "text|json")
	return c
}

func (p *program) printSteps(steps []retention.Step, all bool) {
	counts := map[retention.Deed]int{}
	for _, s := range steps {
		counts[s.Do]++
		if s.Do == retention.Nothing && !all && len(s.Holds) == 0 && !s.Waiting {
			continue
		}
		why := bilingual.Say("保存期限 ", "kept until ").In(p.lang) + s.Keep.Format(time.DateOnly)
		if s.By != "" {
			why += bilingual.Say(" システム ", " system ").In(p.lang) + s.By
		}
		if len(s.Holds) > 0 {
			why += bilingual.Say(" 保全 ", " hold ").In(p.lang) + strings.Join(s.Holds, ",")
		}
		if s.Waiting {
			why += bilingual.Say(" 待機中", " waiting").In(p.lang)
		}
		fmt.Fprintf(p.stdout, "%s\t%s\t%s\t%s..%s\t%d\t%s\n", p.deed(s.Do), s.Stream, s.Pack.Name,
			s.Pack.From.Format(time.DateOnly), s.Pack.To.Format(time.DateOnly), s.Pack.Count, why)
	}
	p.say(p.stdout, "移す %d束、廃棄する %d束、残す %d束", "to the archive %d packs, disposed of %d, staying %d",
		counts[retention.Archive], counts[retention.Retire], counts[retention.Nothing])
}

func (p *program) deed(d retention.Deed) string {
	switch d {
	case retention.Archive:
		return bilingual.Say("移す", "archive").In(p.lang)
	case retention.Retire:
		return bilingual.Say("廃棄", "retire").In(p.lang)
	}
	return bilingual.Say("残す", "stays").In(p.lang)
}

func (p *program) retentionRun() *cobra.Command {
	var data, today string
	c := &cobra.Command{
		Use:   "run",
		Short: bilingual.Say("計画を今実行する（サーバは毎日自ら実行する）", "Carry out the plan now (the server does so every day by itself)").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done retention.Done
			if err := p.control(cmd.Context(), data, http.MethodPost, "/retention", url.Values{"today": {today}}, &done); err != nil {
				return err
			}
			p.say(p.stdout, "移した束 %d、廃棄した束 %d", "%d packs archived, %d disposed of", len(done.Archived), len(done.Retired))
			return nil
		},
	}
	p.dataFlag(c, &data)
	c.Flags().StringVar(&today, "today", "", bilingual.Say("本日の日付。時計が大きく進んだ後は、これを確かめるまで廃棄しない", "the day it is: after a clock leapt far ahead nothing is disposed of without it").In(p.lang))
	return c
}

func (p *program) dataFlag(c *cobra.Command, data *string) {
	c.Flags().StringVar(data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.lang))
}
