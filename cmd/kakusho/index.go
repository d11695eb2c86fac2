package main

import (
	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/search/victorialogs/role"
)

// index is the process that serve starts for searching. Nobody types it.
func (p *program) index() *cobra.Command {
	return &cobra.Command{
		Use: "index", Hidden: true, DisableFlagParsing: true,
		Short: bilingual.Say("証跡の索引（serve が起動する）", "The index of events (started by serve)").In(p.lang),
		RunE: func(_ *cobra.Command, args []string) error {
			if status := role.Main(args, p.stdin); status != 0 {
				return exit{status: status}
			}
			return nil
		},
	}
}
