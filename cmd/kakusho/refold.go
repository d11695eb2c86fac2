package main

import (
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/server/fold"
	"kakusho/store"
)

func (p *program) refold() *cobra.Command {
	var data, driver string
	var compare bool
	c := &cobra.Command{
		Use:   "refold",
		Short: bilingual.Say("証跡から行を畳み直し、現在の行と比較する", "Fold the rows again from the trail, and compare").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			differences, err := fold.Refold(cmd.Context(), data, driver, compare, time.Now, p.progress("畳み直し", "refolding"))
			if err != nil {
				return err
			}
			if !compare {
				p.say(p.stdout, "行を畳み直した。以前の行は store.db.*.aside に残した。", "the rows were folded again; the old ones are kept as store.db.*.aside")
				return nil
			}
			for _, d := range differences {
				p.sayDifference(d)
			}
			if len(differences) > 0 {
				n := len(differences)
				return exit{statusIntegrity, bilingual.Say(
					plural(n, "%d件の相違がある。行は証跡の外で変更された。kakusho refold で証跡から畳み直せる。"),
					plural(n, "%d differences: the rows were changed behind the trail's back; kakusho refold folds them again"))}
			}
			p.say(p.stdout, "相違なし: 行は証跡のとおりである。", "no difference: the rows are what the trail says")
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.lang))
	c.Flags().StringVar(&driver, "log-driver", "", bilingual.Say("区分の木の置き場所（serve に与えたもの）", "where the logs of segments are kept, as given to serve").In(p.lang))
	c.Flags().BoolVar(&compare, "compare", false, bilingual.Say("比較だけを行い、変更しない", "compare only, change nothing").In(p.lang))
	return c
}

func (p *program) sayDifference(d store.Difference) {
	switch {
	case d.Column != "":
		p.say(p.stdout, "相違: 表 %s 行 %s 列 %s: 証跡 %s 現在 %s", "difference: table %s row %s column %s: trail %s rows %s", d.Table, d.Key, d.Column, d.Want, d.Got)
	case d.Got == "":
		p.say(p.stdout, "相違: 表 %s 行 %s: 証跡にあるが、現在の行にない", "difference: table %s row %s: in the trail, and missing among the rows", d.Table, d.Key)
	default:
		p.say(p.stdout, "相違: 表 %s 行 %s: 証跡にないが、現在の行にある", "difference: table %s row %s: not in the trail, and among the rows", d.Table, d.Key)
	}
}
