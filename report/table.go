package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/clause"
	"kakusho/posture"
	"kakusho/verdict"
)

// table prints by section: each clause with its outcome, under it the controls
// that decided, with reason and evidence. Columns align for kanji.
func (r *Report) table(w io.Writer, l bilingual.Lang, width int, detailed bool) error {
	out := bufio.NewWriter(w)
	t := tabular{out: out, lang: l, width: max(width, 60)}
	fmt.Fprintf(out, "%s\n", r.Title.In(l))
	fmt.Fprintf(out, "%s  %s  %s  (%s)\n", visible(r.Host), visible(r.Root), r.At.In(calendar.Tokyo()).Format("2006-01-02 15:04:05 JST"), r.Privilege)
	for _, k := range slices.Sorted(mapKeys(r.Assumed)) {
		fmt.Fprintf(out, "%s: %s = %s\n", bilingual.Say("仮定", "assumed").In(l), k, r.Assumed[k])
	}
	for _, sec := range r.sections {
		fmt.Fprintf(out, "\n%s %s\n", sec.Label.In(l), sec.Title.In(l))
		for _, line := range r.Clauses {
			if line.Clause.Section() != sec.ID && !posture.Under(line.Clause, sec.ID) {
				continue
			}
			t.clause(line)
			for _, v := range r.Verdicts {
				if v.Clause == line.Clause && (detailed || shown(v.Outcome)) {
					t.verdict(v, r.titles[v.Control])
				}
			}
		}
	}
	fmt.Fprintln(out)
	var parts []string
	for _, o := range verdict.Outcomes {
		if n := r.Summary[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", o.Label().In(l), n))
		}
	}
	fmt.Fprintf(out, "%s: %s\n", bilingual.Say("73の義務", "73 obligations").In(l), strings.Join(parts, bilingual.Say("、", ", ").In(l)))
	if r.Seal != nil {
		fmt.Fprintf(out, bilingual.Say("証跡の検証点: %s 区分数 %d 照合文字 %s", "checkpoint of the trail: %s, %d segments, %s").In(l)+"\n", visible(r.Seal.Origin), r.Seal.Size, r.Seal.Code)
	}
	if !detailed {
		fmt.Fprintln(out, bilingual.Say("適合と対象外の内訳は --all で、証拠の全部は --format json で表示する。",
			"--all also lists what conforms or does not apply; --format json holds all evidence.").In(l))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func shown(o verdict.Outcome) bool { return o != verdict.Conforms && o != verdict.NotApplicable }

type tabular struct {
	out   *bufio.Writer
	lang  bilingual.Lang
	width int
}

func (t tabular) clause(line Line) {
	indent := "  "
	if line.Type == clause.SubItem {
		indent = "    "
	}
	fmt.Fprintf(t.out, "%s%s %s %s\n", indent, t.chip(line.Outcome), line.Label.In(t.lang), line.Title.In(t.lang))
}

// chip is the outcome in words, padded: marks have no width that all terminals
// agree on.
func (t tabular) chip(o verdict.Outcome) string {
	wide := 0
	for _, x := range verdict.Outcomes {
		wide = max(wide, runewidth.StringWidth(x.Label().In(t.lang)))
	}
	return "[" + runewidth.FillRight(o.Label().In(t.lang), wide) + "]"
}

func (t tabular) verdict(v verdict.Verdict, title bilingual.Text) {
	fmt.Fprintf(t.out, "      %s %s — %s\n", t.chip(v.Outcome), title.In(t.lang), visible(v.Subject))
	for i, reason := range v.Reasons {
		if i == 3 {
			fmt.Fprintf(t.out, "          … +%d\n", len(v.Reasons)-3)
			break
		}
		fmt.Fprintf(t.out, "          %s\n", t.cut(reason.In(t.lang), 10))
	}
	var sources []string
	for _, e := range v.Evidence {
		if !slices.Contains(sources, e.Source) && e.Source != "" {
			sources = append(sources, e.Source)
		}
	}
	if len(sources) > 0 {
		fmt.Fprintf(t.out, "          %s\n", t.cut(bilingual.Say("証拠 ", "evidence ").In(t.lang)+strings.Join(sources, " "), 10))
	}
}

// cut shortens a line to the terminal; nothing is lost, the other formats have it.
func (t tabular) cut(s string, indent int) string {
	return runewidth.Truncate(visible(s), t.width-indent, "…")
}

// visible keeps what a machine brought from steering the terminal or reordering
// what is read.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, s)
}
