// Package ledgers has the command kakusho registers: to take every register out as one
// file, or in.
package ledgers

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/register/exchange"
)

// Terminal is where the command speaks.
type Terminal struct {
	Stdout, Stderr io.Writer
	Lang           bilingual.Lang
	// Ask asks the installation in a data folder, as its control socket is asked; with a
	// file.
	Ask func(ctx context.Context, data, method, path string, form url.Values, file io.Reader, out any) error
}

// end is an error with an exit status of its own.
type end struct {
	status int
	text   bilingual.Text
}

func (e end) Error() string        { return e.text.EN }
func (e end) Text() bilingual.Text { return e.text }
func (e end) Status() int          { return e.status }

func (p Terminal) say(ja, en string, a ...any) {
	fmt.Fprintf(p.Stdout, bilingual.Say(ja, en).In(p.Lang)+"\n", a...)
}

// Command is registers.
func Command(p Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "registers",
		Short: bilingual.Say("全台帳を一つのファイルに書き出し、又は取り込む", "Take every register out as one file, or in").In(p.Lang),
		RunE: func(*cobra.Command, []string) error {
			return end{2, bilingual.Say("registers export 又は registers import を指定すること。", "Say registers export or registers import.")}
		},
	}
	c.AddCommand(p.export(), p.take())
	return c
}

func (p Terminal) dataFlag(c *cobra.Command, data *string) {
	c.Flags().StringVar(data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.Lang))
}

func (p Terminal) export() *cobra.Command {
	var data, format string
	var without bool
	c := &cobra.Command{
		Use:   "export FILE.zip",
		Short: bilingual.Say("全台帳を書き出す。個人情報を含む", "Take every register out, personal data included").In(p.Lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "csv" && format != "xlsx" {
				return end{2, bilingual.Say("--format は csv 又は xlsx とすること。", "--format is csv or xlsx.")}
			}
			form := url.Values{"format": {format}}
			if !without {
				form.Set("personal", "1")
			}
			var archive []byte
			if err := p.Ask(cmd.Context(), data, http.MethodGet, "/registers", form, nil, &archive); err != nil {
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
			p.say("%s に書き出した（%dバイト）。", "%s written (%d bytes).", args[0], len(archive))
			return nil
		},
	}
	p.dataFlag(c, &data)
	c.Flags().StringVar(&format, "format", "csv", "csv|xlsx")
	c.Flags().BoolVar(&without, "no-personal", false, bilingual.Say("個人情報の項目を除く（そのままでは取り込めない）", "without the fields that hold personal data (it cannot be imported so)").In(p.Lang))
	return c
}

func (p Terminal) take() *cobra.Command {
	var data, note string
	c := &cobra.Command{
		Use:   "import FILE.zip",
		Short: bilingual.Say("書き出した全台帳を取り込む。誤りが一件でもあれば何も取り込まない", "Take in what export wrote; with a single fault, nothing of it").In(p.Lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("read archive: %w", err)
			}
			defer f.Close()
			var told exchange.Told
			if err := p.Ask(cmd.Context(), data, http.MethodPost, "/registers", url.Values{"name": {filepath.Base(args[0])}, "note": {note}}, f, &told); err != nil {
				return err
			}
			for _, fault := range told.Faults {
				fmt.Fprintln(p.Stderr, fault.In(p.Lang))
			}
			if n := len(told.Faults); n > 0 {
				return end{1, bilingual.Say(fmt.Sprintf("誤りが%d件あるため、何も取り込んでいない。", n), fmt.Sprintf("%d faults; nothing was imported", n))}
			}
			p.say("新規 %d件、変更 %d件、同一 %d件。", "%d new, %d changed, %d unchanged.", told.New, told.Changed, told.Same)
			for _, id := range told.Imports {
				p.say("取込番号 %s", "import %s", id)
			}
			return nil
		},
	}
	p.dataFlag(c, &data)
	c.Flags().StringVar(&note, "note", "", bilingual.Say("備考", "a note").In(p.Lang))
	return c
}
