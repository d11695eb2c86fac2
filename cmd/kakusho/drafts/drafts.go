// Package drafts has the command kakusho what-if: to try other values, texts,
// exceptions or another day over today's evidence.
package drafts

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/posture/trial"
)

// Terminal is where the command speaks.
type Terminal struct {
	Stdout io.Writer
	Lang   bilingual.Lang
	// Ask asks the installation in a data folder, as its control socket is asked.
	Ask func(ctx context.Context, data, method, path string, form url.Values, out any) error
}

// misuse is wrong flags: exit status 2.
type misuse bilingual.Text

func (m misuse) Error() string        { return m.EN }
func (m misuse) Text() bilingual.Text { return bilingual.Text(m) }
func (m misuse) Status() int          { return 2 }

// flags are those of what-if.
type flags struct {
	data, control, rule, by, format string
	set, lapse                      []string
	rest                            map[string]*string // of the draft, as its address names them
}

// Command is what-if.
func Command(p Terminal) *cobra.Command {
	f := flags{rest: map[string]*string{}}
	c := &cobra.Command{
		Use:   "what-if",
		Short: bilingual.Say("値、文面、例外の扱い又は期日を変えた場合の判定を、今日の証拠の上で試算する", "Try other values, texts, exceptions or another day over today's evidence").In(p.Lang),
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.run(cmd, f) },
	}
	fs := c.Flags()
	fs.StringVar(&f.data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.Lang))
	fs.StringArrayVar(&f.set, "set", nil, bilingual.Say("値 KEY=VALUE 又は KEY@LAYER=VALUE（層は national、prefecture/13 等）", "a value, KEY=VALUE or KEY@LAYER=VALUE (layer national, prefecture/13 …)").In(p.Lang))
	fs.StringVar(&f.control, "control", "", bilingual.Say("文面を改める確認項目", "control whose text is another").In(p.Lang))
	fs.StringVar(&f.rule, "rule", "", bilingual.Say("その規則のファイル", "file of its rule").In(p.Lang))
	fs.StringArrayVar(&f.lapse, "lapse", nil, bilingual.Say("効力を認めない決定 deferral|special|exception|override", "decisions that no longer count: deferral|special|exception|override").In(p.Lang))
	for _, x := range []struct{ name, ja, en string }{
		{"longest", "例外の最長期間（90d、6mo）", "longest exception, as in 90d or 6mo"}, {"on", "試す期日（2027-04-01、R9.4.1）", "the day tried, as in 2027-04-01"},
		{"renewed", "それまでの証拠 routine|never。既定は routine（収集は続く）", "evidence until then: routine (default: machines go on reporting) or never"},
		{"directive", "試す指令", "directive to try"}, {"minutes", "回答1件に要する分。既定は10（参考値）", "minutes an answer takes; default 10"},
	} {
		f.rest[x.name] = fs.String(x.name, "", bilingual.Say(x.ja, x.en).In(p.Lang))
	}
	fs.StringVar(&f.by, "by", string(trial.ByPrefecture), "prefecture|unit|system|clause|control")
	fs.StringVar(&f.format, "format", "table", "table|json")
	return c
}

func (p Terminal) run(cmd *cobra.Command, f flags) error {
	if !slices.Contains(trial.Axes, trial.Axis(f.by)) || f.format != "table" && f.format != "json" {
		return misuse(bilingual.Say("--by は prefecture、unit、system、clause、control、--format は table、json のいずれかとすること。", "--by is prefecture, unit, system, clause or control; --format is table or json."))
	}
	q, err := f.address()
	if err != nil {
		return err
	}
	var s trial.Summary
	if err := p.Ask(cmd.Context(), f.data, http.MethodGet, "/what-if", q, &s); err != nil {
		return err
	}
	if f.format == "json" {
		enc := json.NewEncoder(p.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	p.print(s, trial.Axis(f.by))
	return nil
}

// address is the draft as the server reads it.
func (f flags) address() (url.Values, error) {
	q := url.Values{"lapse": f.lapse}
	for _, text := range f.set {
		what, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, misuse(bilingual.Say("--set "+text+" は KEY=VALUE とすること。", "--set "+text+": want KEY=VALUE."))
		}
		key, layer, _ := strings.Cut(what, "@")
		q["key"], q["layer"], q["value"] = append(q["key"], key), append(q["layer"], layer), append(q["value"], value)
	}
	if f.control != "" {
		b, err := os.ReadFile(f.rule)
		if err != nil {
			return nil, fmt.Errorf("read rule of %s: %w: name its file with --rule", f.control, err)
		}
		q.Set("control", f.control)
		q.Set("rule", string(b))
	}
	for name, value := range f.rest {
		q.Set(name, *value)
	}
	return q, nil
}

// say prints one line in the reader's language.
func (p Terminal) say(ja, en string, a ...any) {
	fmt.Fprintf(p.Stdout, bilingual.Say(ja, en).In(p.Lang)+"\n", a...)
}

func (p Terminal) print(s trial.Summary, by trial.Axis) {
	p.say("試算の結果（何も変更していない）", "what would come of it (nothing was changed)")
	for _, x := range trial.Sorts {
		if n := s.Counts[x]; n > 0 {
			fmt.Fprintf(p.Stdout, "  %6d  %s\n", n, x.Label().In(p.Lang))
		}
	}
	if s.Counts.Total() == 0 {
		p.say("  変わる判定はない。", "  no verdict changes.")
		return
	}
	w := s.Work
	p.say("新たな確認 %d件、要否の判断 %d件（%.1f時間、1件%d分）。是正しない場合、猶予 %d件、別段の定め %d件。",
		"%d new attestations, %d judgements (%.1f h at %d min); unless put right, %d deferrals and %d special provisions.",
		w.Attestations, w.Judgements, w.Hours, w.Minutes, w.Deferrals, w.Specials)
	for _, l := range s.By[by] {
		key := l.Key
		if key == "" {
			key = "-"
		}
		fmt.Fprintf(p.Stdout, "%-24s", key)
		for _, x := range trial.Sorts {
			if n := l.Counts[x]; n > 0 {
				fmt.Fprintf(p.Stdout, "  %s %d", x.Label().In(p.Lang), n)
			}
		}
		fmt.Fprintln(p.Stdout)
	}
}
