package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/server"
	"kakusho/server/events"
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
			if s3 := cfg.Events.S3; (s3.Bucket == "") != (s3.Endpoint == "") || (s3.Bucket == "") != (s3.KeyFile == "") {
				return usage(cmd, "--s3-endpoint、--s3-bucket 及び --s3-key-file は共に指定すること。", "--s3-endpoint, --s3-bucket and --s3-key-file belong together.")
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			cfg.Events.Index = []string{self, "index"}
			began := time.Now()
			s, err := server.New(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return s.Run(cmd.Context(), func(base, setup string) {
				if err := p.ready(); err != nil {
					p.log.Error("tell the service manager", "error", err)
				}
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
	f.StringVar(&cfg.Directive, "directive", "", bilingual.Say("判定に用いる規程（npa-r3 等）。既定は最後に適用したもの", "directive to judge by, as npa-r3; default: the one adopted last").In(p.lang))
	f.StringVar(&cfg.Listen, "listen", "127.0.0.1:8743", bilingual.Say("待ち受けるアドレス。自機以外へはTLSで提供する", "address; off loopback it is served over TLS").In(p.lang))
	f.StringVar(&cfg.TLSCert, "tls-cert", "", bilingual.Say("TLS証明書（PEM）", "TLS certificate (PEM)").In(p.lang))
	f.StringVar(&cfg.TLSKey, "tls-key", "", bilingual.Say("TLS秘密鍵（PEM）", "TLS private key (PEM)").In(p.lang))
	f.DurationVar(&cfg.Interval, "interval", time.Hour, bilingual.Say("この機器から収集する間隔。負数は収集しない", "time between collections of this machine; negative: never").In(p.lang))
	f.StringVar(&cfg.Proof.Policy, "witness", "", bilingual.Say("証跡の立会人を定めるファイル（C2SP tlog-policy）", "file that names the witnesses of the trails (C2SP tlog-policy)").In(p.lang))
	f.BoolVar(&cfg.Proof.Witness, "witness-others", false, bilingual.Say("他の証跡に /witness/ で立ち会う", "witness the trails of others at /witness/").In(p.lang))
	f.StringVar(&cfg.Proof.Driver, "log-driver", "", bilingual.Say("区分の木の置き場所。既定はファイル。mysql:DSN（{trail} は証跡の名に置き換わる）", "where the logs of segments are kept; default: files; mysql:DSN, with {trail} for the name of the trail").In(p.lang))
	p.eventFlags(c, &cfg.Events)
	return c
}

// ready tells the service manager that started this program, if one did, that it
// serves now: sd_notify(3).
func (p *program) ready() error {
	name := p.getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	c, err := net.Dial("unixgram", name)
	if err != nil {
		return err
	}
	_, err = c.Write([]byte("READY=1"))
	return errors.Join(err, c.Close())
}

// eventFlags say how events come in and what becomes of them.
func (p *program) eventFlags(c *cobra.Command, e *events.Config) {
	f := c.Flags()
	text := func(to *string, name, value, ja, en string) {
		f.StringVar(to, name, value, bilingual.Say(ja, en).In(p.lang))
	}
	f.BoolVar(&e.Journal, "journal", true, bilingual.Say("この機器のジャーナルを読む", "read the journal of this machine").In(p.lang))
	text(&e.Rules, "rules", "", "独自の検知規則（Sigma 形式）のフォルダ", "folder of detection rules of one's own, in the Sigma format")
	text(&e.SyslogUDP, "syslog-udp", "", "syslog（UDP）を受けるアドレス。例 :514", "address for syslog over UDP, as :514")
	text(&e.SyslogTCP, "syslog-tcp", "", "syslog（TCP）を受けるアドレス。例 :514", "address for syslog over TCP, as :514")
	text(&e.SyslogTLS, "syslog-tls", "", "syslog（TLS）を受けるアドレス。例 :6514", "address for syslog over TLS, as :6514")
	text(&e.OTLPGRPC, "otlp-grpc", "", "OTLP/gRPC を受けるアドレス。例 :4317", "address for OTLP/gRPC, as :4317")
	text(&e.ClientCA, "client-ca", "", "送信元の証明書を検証する認証局（PEM）", "authority whose certificates prove the name of a sender (PEM)")
	text(&e.Archive, "archive", "", "検索の期間を過ぎた束を置くフォルダ。none は移さない（既定 DATA/archive）", "folder for packs past their time of search; none: they stay (default DATA/archive)")
	text(&e.S3.Endpoint, "s3-endpoint", "", "束を S3 互換の保管先に置くときの host:port（TLS なしは http://host:port）", "S3 store for packs instead: host:port (http://host:port without TLS)")
	text(&e.S3.Bucket, "s3-bucket", "", "そのバケット", "its bucket")
	text(&e.S3.Region, "s3-region", "", "そのリージョン", "its region")
	text(&e.S3.KeyFile, "s3-key-file", "", "アクセスキーと秘密鍵を一行ずつ書いたファイル", "file with the access key and the secret, a line each")
	text(&e.SearchURL, "search-url", "", "検索に用いる VictoriaLogs の URL。none は検索しない（既定は自ら起動する）", "VictoriaLogs to search with; none: no searching (default: a process of our own)")
	f.Int64Var(&e.IndexQuota, "index-quota", 0, bilingual.Say("索引に使ってよい容量（バイト）", "bytes of disk for the index").In(p.lang))
	f.Int64Var(&e.Reserve, "reserve", 0, bilingual.Say("空けておく容量（バイト）。これを下回ると証跡を受け取らず、送信元に待たせる（既定 256 MiB）", "bytes of disk to keep free: below, senders of events are made to wait (default 256 MiB)").In(p.lang))
}
