// Package senders has the command kakusho sender: the tokens of those who send events.
package senders

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/store"
)

// Terminal is where the command speaks.
type Terminal struct {
	Stdout, Stderr io.Writer
	Lang           bilingual.Lang
	// Ask asks the installation in a data folder, as its control socket is asked.
	Ask func(ctx context.Context, data, method, path string, form url.Values, out any) error
	// Usage is the error of wrong words.
	Usage func(cmd *cobra.Command, ja, en string) error
}

func (p Terminal) say(w io.Writer, ja, en string, a ...any) {
	fmt.Fprintf(w, bilingual.Say(ja, en).In(p.Lang)+"\n", a...)
}

// Command is sender.
func Command(p Terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "sender",
		Short: bilingual.Say("証跡を送ってくる相手のトークンを管理する", "Manage the tokens of those who send events").In(p.Lang),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.Usage(cmd, "sender add、list 又は end を指定すること。", "Say sender add, list or end.")
		},
	}
	c.AddCommand(p.add(), p.list(), p.end())
	return c
}

func (p Terminal) dataFlag(c *cobra.Command, data *string) {
	c.Flags().StringVar(data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.Lang))
}

func (p Terminal) add() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "add NAME",
		Short: bilingual.Say("トークンを一つ発行し、標準出力に一度だけ表示する", "Give out a token and print it, once").In(p.Lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var token string
			if err := p.Ask(cmd.Context(), data, http.MethodPost, "/sender/"+url.PathEscape(args[0]), nil, &token); err != nil {
				return err
			}
			p.say(p.Stderr, "次のトークンは再び表示されない。送る側のファイルに置き（0600）、証跡の取得元の台帳の「証明された名」に %s を記載すること。",
				"this token is not shown again: put it into a file of the sender (0600), and enter %s as the proved name in the register of log sources", args[0])
			fmt.Fprintln(p.Stdout, token)
			return nil
		},
	}
	p.dataFlag(c, &data)
	return c
}

func (p Terminal) list() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "list",
		Short: bilingual.Say("発行したトークンを一覧する（トークン自体は残していない）", "List the tokens given out (not the tokens themselves: they are not kept)").In(p.Lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var senders []store.Sender
			if err := p.Ask(cmd.Context(), data, http.MethodGet, "/senders", nil, &senders); err != nil {
				return err
			}
			for _, s := range senders {
				state := bilingual.Say("有効", "in use").In(p.Lang)
				if !s.EndedAt.IsZero() {
					state = bilingual.Say("失効 ", "ended ").In(p.Lang) + s.EndedAt.Format("2006-01-02 15:04")
				}
				fmt.Fprintf(p.Stdout, "%s\t%s\t%.12s\t%s\n", s.Name, s.GivenAt.Format("2006-01-02 15:04"), s.Digest, state)
			}
			return nil
		},
	}
	p.dataFlag(c, &data)
	return c
}

func (p Terminal) end() *cobra.Command {
	var data, reason string
	c := &cobra.Command{
		Use:   "end NAME --reason TEXT",
		Short: bilingual.Say("ある名の全てのトークンを失効させる", "End every token of a name").In(p.Lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var done bool
			return p.Ask(cmd.Context(), data, http.MethodDelete, "/sender/"+url.PathEscape(args[0]), url.Values{"reason": {reason}}, &done)
		},
	}
	p.dataFlag(c, &data)
	c.Flags().StringVar(&reason, "reason", "", bilingual.Say("失効の理由", "why they end").In(p.Lang))
	return c
}
