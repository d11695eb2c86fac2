package trails

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/trail"
	"kakusho/trail/key"
	"kakusho/trail/seal"
	"kakusho/trail/tree"
)

func (p *program) trailRotateKey() *cobra.Command {
	var data, dir, driver string
	var lost bool
	c := &cobra.Command{
		Use:   "rotate-key",
		Short: bilingual.Say("証跡の署名鍵を交代する。停止中に行う", "Exchange the key that signs the trail, while it is stopped").In(p.lang),
		Long: bilingual.Say(
			"新しい署名鍵を作り、旧鍵と新鍵の両方で署名した交代の記録を trail.keys に加える。旧鍵による証明は引き続き検証できる。旧鍵を亡失したときは --lost とする。新鍵だけが署名するため、監査人が認めるまで検証は「亡失した署名鍵の交代（未承認）」と報告する。手順は docs/keys.md。",
			"Makes a new key and adds a statement, signed by the old key and the new, to trail.keys. Proofs under the old key go on holding. When the old key is lost, say --lost: only the new key signs then, and verification reports it until the auditor accepts it. The procedures are in docs/keys.md.").In(p.lang),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := auditor{data: data, dir: dir}
			s, err := trail.RotateKey(cmd.Context(), a.folder(), trail.Options{Now: time.Now, Log: p.log, Driver: driver}, lost)
			if errors.Is(err, trail.ErrInUse) {
				return exit{statusError, bilingual.Say("証跡は使用中である。kakusho serve を止めてから行うこと。", "the trail is in use: stop kakusho serve first")}
			}
			if err != nil {
				return err
			}
			p.sayStatement(s)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.lang))
	f.StringVar(&dir, "trail", "", bilingual.Say("証跡のフォルダ。既定はデータの下の trail", "folder of the trail; default: trail below the data").In(p.lang))
	f.StringVar(&driver, "log-driver", "", bilingual.Say("区分の木の置き場所。既定は証跡のフォルダ", "where the log of segments is kept; default: in the trail's folder").In(p.lang))
	f.BoolVar(&lost, "lost", false, bilingual.Say("旧鍵を亡失したとき", "the old key is lost").In(p.lang))
	return c
}

func (p *program) sayStatement(s key.Statement) {
	p.say(p.stdout, "署名鍵を交代した（%d回目、区分 %d から）。\n旧 %s\n新 %s", "the key was exchanged (number %d, from segment %d on)\nold %s\nnew %s", s.Number, s.Size, s.Old, s.New)
	if s.Lost {
		p.say(p.stdout, "旧鍵の署名はない。監査人に新しい検証鍵を対面等の別の経路で渡し、trail verify --accept で認めてもらうこと。立会人には witness trust を依頼すること。",
			"the old key has not signed: bring the new public key to the auditors on another way, to be accepted with trail verify --accept; ask the witnesses for witness trust")
		return
	}
	p.say(p.stdout, "立会人に trail.keys を渡し、witness succeed を依頼すること。監査人は以前の検証鍵のままで検証できる。",
		"give trail.keys to the witnesses, and ask them for witness succeed; auditors go on with the public key they have")
}

func (p *program) trailCopyLog() *cobra.Command {
	var a auditor
	var driver string
	c := &cobra.Command{
		Use:   "copy-log",
		Short: bilingual.Say("データベースにある区分の木を、検証のためファイルに写す", "Copy the log of segments out of a database into files, to be verified").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			public, err := trail.PublicKey(a.folder())
			if err != nil {
				return err
			}
			v, err := seal.Verifier(public)
			if err != nil {
				return err
			}
			c, err := tree.Copy(cmd.Context(), tree.Options{Dir: filepath.Join(a.folder(), "log"), Driver: driver, Verifier: v})
			if err != nil {
				return err
			}
			p.say(p.stdout, "%s の区分 %d までを写した。", "copied %s up to segment %d", c.Origin, c.Size)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&a.data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.lang))
	f.StringVar(&a.dir, "trail", "", bilingual.Say("証跡のフォルダ。既定はデータの下の trail", "folder of the trail; default: trail below the data").In(p.lang))
	f.StringVar(&driver, "log-driver", "", bilingual.Say("区分の木の置き場所（mysql:DSN）", "where the log is kept (mysql:DSN)").In(p.lang))
	return c
}
