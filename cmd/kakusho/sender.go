package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/store"
)

func (p *program) sender() *cobra.Command {
	c := &cobra.Command{
		Use:   "sender",
		Short: bilingual.Say("証跡を送ってくる相手のトークンを管理する", "Manage the tokens of those who send events").In(p.lang),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "sender add、list 又は end を指定すること。", "Say sender add, list or end.")
		},
	}
	c.AddCommand(p.senderAdd(), p.senderList(), p.senderEnd())
	return c
}

func (p *program) dataFlag(c *cobra.Command, data *string) {
	c.Flags().StringVar(data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.lang))
}

func (p *program) senderAdd() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "add NAME",
		Short: bilingual.Say("トークンを一つ発行し、標準出力に一度だけ表示する", "Give out a token and print it, once").In(p.lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var token string
			if err := p.control(cmd.Context(), data, http.MethodPost, "/sender/"+url.PathEscape(args[0]), nil, &token); err != nil {
				return err
			}
			p.say(p.stderr, "次のトークンは再び表示されない。送る側のファイルに置き（0600）、証跡の取得元の台帳の「証明された名」に %s を記載すること。",
				"this token is not shown again: put it into a file of the sender (0600), and enter %s as the proved name in the register of log sources", args[0])
			fmt.Fprintln(p.stdout, token)
			return nil
		},
	}
	p.dataFlag(c, &data)
	return c
}

func (p *program) senderList() *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "list",
		Short: bilingual.Say("発行したトークンを一覧する（トークン自体は残していない）", "List the tokens given out (not the tokens themselves: they are not kept)").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var senders []store.Sender
			if err := p.control(cmd.Context(), data, http.MethodGet, "/senders", nil, &senders); err != nil {
				return err
			}
			for _, s := range senders {
				state := bilingual.Say("有効", "in use").In(p.lang)
				if !s.EndedAt.IsZero() {
					state = bilingual.Say("失効 ", "ended ").In(p.lang) + s.EndedAt.Format("2006-01-02 15:04")
				}
				fmt.Fprintf(p.stdout, "%s\t%s\t%.12s\t%s\n", s.Name, s.GivenAt.Format("2006-01-02 15:04"), s.Digest, state)
			}
			return nil
		},
	}
	p.dataFlag(c, &data)
	return c
}

func (p *program) senderEnd() *cobra.Command {
	var data, reason string
	c := &cobra.Command{
		Use:   "end NAME --reason TEXT",
		Short: bilingual.Say("ある名の全てのトークンを失効させる", "End every token of a name").In(p.lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var done bool
			return p.control(cmd.Context(), data, http.MethodDelete, "/sender/"+url.PathEscape(args[0]), url.Values{"reason": {reason}}, &done)
		},
	}
	p.dataFlag(c, &data)
	c.Flags().StringVar(&reason, "reason", "", bilingual.Say("失効の理由", "why they end").In(p.lang))
	return c
}
