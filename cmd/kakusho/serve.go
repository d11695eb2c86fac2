package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/server"
)

func (p *program) serve() *cobra.Command {
	cfg := server.Config{Version: version, Log: p.log}
	c := &cobra.Command{
		Use:   "serve",
		Short: bilingual.Say("ページを提供し、この機器の事実を収集する", "Serve the pages and collect facts of this machine").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (cfg.TLSCert == "") != (cfg.TLSKey == "") {
				return usage(cmd, "--tls-cert と --tls-key は両方を指定すること。", "--tls-cert and --tls-key belong together.")
			}
			began := time.Now()
			s, err := server.New(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return s.Run(cmd.Context(), func(base, setup string) {
				p.say(p.stdout, "%s で提供中（%s、起動 %v）", "serving on %s (%s, started in %v)", base, version, time.Since(began).Round(time.Millisecond))
				if setup != "" {
					p.say(p.stdout, "最初の管理者の設定（一回限りのリンク）:\n\n    %s\n", "make the first administrator (one-time link):\n\n    %s\n", base+setup)
				} else {
					fmt.Fprintf(p.stdout, "\n    %s/\n\n", base)
				}
				p.say(p.stdout, "見本: kakusho demo --data data-demo && kakusho serve --data data-demo --listen 127.0.0.1:8744",
					"an invented body to look at: kakusho demo --data data-demo && kakusho serve --data data-demo --listen 127.0.0.1:8744")
			})
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of this installation").In(p.lang))
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:8743", bilingual.Say("待ち受けるアドレス。自機以外へはTLSで提供する", "address; off loopback it is served over TLS").In(p.lang))
	f.StringVar(&cfg.TLSCert, "tls-cert", "", bilingual.Say("TLS証明書（PEM）", "TLS certificate (PEM)").In(p.lang))
	f.StringVar(&cfg.TLSKey, "tls-key", "", bilingual.Say("TLS秘密鍵（PEM）", "TLS private key (PEM)").In(p.lang))
	f.DurationVar(&cfg.Interval, "interval", time.Hour, bilingual.Say("この機器から収集する間隔。負数は収集しない", "time between collections of this machine; negative: never").In(p.lang))
	return c
}
