package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/demo"
)

func (p *program) demo() *cobra.Command {
	var data string
	var national bool
	c := &cobra.Command{
		Use:   "demo",
		Short: bilingual.Say("架空の警察本部の見本を、新しいフォルダに作る", "Make the invented sample body in a new folder").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fill := demo.Fill
			if national {
				fill = demo.FillNation
			}
			r, err := fill(cmd.Context(), data, time.Now, p.progress("作成", "making"))
			var occupied demo.Fault
			if errors.As(err, &occupied) {
				return exit{statusUsage, occupied.Text()}
			}
			if err != nil {
				return err
			}
			p.say(p.stdout, "見本を %s に作った: システム %d、機器 %d。", "the sample body is in %s: %d systems, %d devices", data, r.Systems, r.Devices)
			if r.List != "" {
				p.say(p.stdout, "仕込んだ不備は %s にある。", "the planted faults are listed in %s", r.List)
			}
			p.say(p.stdout, "次に: kakusho serve --data %s --listen 127.0.0.1:8744", "next: kakusho serve --data %s --listen 127.0.0.1:8744", data)
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", "data-demo", bilingual.Say("作成先。空か、まだないフォルダに限る", "where to; only an empty or a new folder").In(p.lang))
	c.Flags().BoolVar(&national, "national", false, bilingual.Say("47都道府県を合わせた全国の見本とする", "a nation of 47 prefectural bodies").In(p.lang))
	return c
}
