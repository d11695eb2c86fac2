package main

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/report"
)

func (p *program) report() *cobra.Command {
	var data, asOf, knownAt, format string
	var all bool
	c := &cobra.Command{
		Use:   "report",
		Short: bilingual.Say("導入の全ての対象の適合状況を、現在又は過去の時点で書き出す", "Write how everything registered stands, now or at another time").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(report.Formats, format) {
				return usage(cmd, "--format は "+strings.Join(report.Formats, "、")+" のいずれかとすること。", "--format is one of "+strings.Join(report.Formats, ", ")+".")
			}
			form := url.Values{"as_of": {asOf}, "known_at": {knownAt}, "format": {format}, "lang": {string(p.lang)},
				"width": {strconv.Itoa(p.width())}, "all": {strconv.FormatBool(all)}}
			var text string
			if err := p.control(cmd.Context(), data, http.MethodGet, "/report", form, &text); err != nil {
				return err
			}
			_, err := io.WriteString(p.stdout, text)
			return err
		},
	}
	p.dataFlag(c, &data)
	fs := c.Flags()
	fs.StringVar(&asOf, "as-of", "", bilingual.Say("いつの状態か。2026-06-30（その日の終わり）、令和8年6月30日、2026-06-30T17:00 等。既定は現在", "state at: 2026-06-30 (its end), 2026-06-30T17:00 …; default: now").In(p.lang))
	fs.StringVar(&knownAt, "known-at", "", bilingual.Say("いつまでの記録によるか。既定は今日までの全て（後から届いた証拠を含む）", "by what was recorded until; default: everything until today, late evidence included").In(p.lang))
	fs.StringVar(&format, "format", "table", strings.Join(report.Formats, "|"))
	fs.BoolVar(&all, "all", false, bilingual.Say("適合と対象外も表に示す", "also list what conforms or does not apply, in the table").In(p.lang))
	return c
}
