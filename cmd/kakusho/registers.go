package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/register/exchange"
)

func (p *program) registers() *cobra.Command {
	c := &cobra.Command{
		Use:   "registers",
		Short: bilingual.Say("全台帳を一つのファイルに書き出し、又は取り込む", "Take every register out as one file, or in").In(p.lang),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "registers export 又は registers import を指定すること。", "Say registers export or registers import.")
		},
	}
	c.AddCommand(p.registersExport(), p.registersImport())
	return c
}

func (p *program) registersExport() *cobra.Command {
	var data, format string
	var without bool
	c := &cobra.Command{
		Use:   "export FILE.zip",
		Short: bilingual.Say("全台帳を書き出す。個人情報を含む", "Take every register out, personal data included").In(p.lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "csv" && format != "xlsx" {
				return usage(cmd, "--format は csv 又は xlsx とすること。", "--format is csv or xlsx.")
			}
			form := url.Values{"format": {format}}
			if !without {
				form.Set("personal", "1")
			}
			var archive []byte
			if err := p.control(cmd.Context(), data, http.MethodGet, "/registers", form, &archive); err != nil {
				return err
			}
			f, err := os.OpenFile(args[0], os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("write archive: %w", err)
			}
			_, err = f.Write(archive)
			if cerr := f.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				return fmt.Errorf("write archive: %w", err)
			}
			p.say(p.stdout, "%s に書き出した（%dバイト）。", "%s written (%d bytes).", args[0], len(archive))
			return nil
		},
	}
	p.dataFlag(c, &data)
	c.Flags().StringVar(&format, "format", "csv", "csv|xlsx")
	c.Flags().BoolVar(&without, "no-personal", false, bilingual.Say("個人情報の項目を除く（そのままでは取り込めない）", "without the fields that hold personal data (it cannot be imported so)").In(p.lang))
	return c
}

func (p *program) registersImport() *cobra.Command {
	var data, note string
	c := &cobra.Command{
		Use:   "import FILE.zip",
		Short: bilingual.Say("書き出した全台帳を取り込む。誤りが一件でもあれば何も取り込まない", "Take in what export wrote; with a single fault, nothing of it").In(p.lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("read archive: %w", err)
			}
			defer f.Close()
			var told exchange.Told
			if err := p.controlWith(cmd.Context(), data, http.MethodPost, "/registers", url.Values{"name": {filepath.Base(args[0])}, "note": {note}}, f, &told); err != nil {
				return err
			}
			for _, fault := range told.Faults {
				fmt.Fprintln(p.stderr, fault.In(p.lang))
			}
			if n := len(told.Faults); n > 0 {
				return exit{statusError, bilingual.Say(fmt.Sprintf("誤りが%d件あるため、何も取り込んでいない。", n), fmt.Sprintf("%d faults; nothing was imported", n))}
			}
			p.say(p.stdout, "新規 %d件、変更 %d件、同一 %d件。", "%d new, %d changed, %d unchanged.", told.New, told.Changed, told.Same)
			for _, id := range told.Imports {
				p.say(p.stdout, "取込番号 %s", "import %s", id)
			}
			return nil
		},
	}
	p.dataFlag(c, &data)
	c.Flags().StringVar(&note, "note", "", bilingual.Say("備考", "a note").In(p.lang))
	return c
}
