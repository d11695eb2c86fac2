package trails

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/trail/key"
	"kakusho/trail/witness"
)

func (p *program) witness() *cobra.Command {
	c := &cobra.Command{
		Use:   "witness",
		Short: bilingual.Say("他の証跡に立ち会う（C2SP tlog-witness）", "Witness the trails of others (C2SP tlog-witness)").In(p.lang),
		Args:  cobra.NoArgs,
	}
	w := witnessFlags{}
	f := c.PersistentFlags()
	f.StringVar(&w.data, "data", "data-witness", bilingual.Say("立会人のデータを置くフォルダ", "folder of the witness").In(p.lang))
	f.StringVar(&w.name, "name", "kakusho/witness", bilingual.Say("鍵を初めて作るときの立会人の名", "name of the witness, when its key is first made").In(p.lang))
	c.Flags().StringVar(&w.listen, "listen", "127.0.0.1:8746", bilingual.Say("待ち受けるアドレス", "address").In(p.lang))
	c.Flags().StringVar(&w.cert, "tls-cert", "", bilingual.Say("TLS証明書（PEM）", "TLS certificate (PEM)").In(p.lang))
	c.Flags().StringVar(&w.key, "tls-key", "", bilingual.Say("TLS秘密鍵（PEM）", "TLS private key (PEM)").In(p.lang))
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if (w.cert == "") != (w.key == "") {
			return usage(cmd, "--tls-cert と --tls-key は両方を指定すること。", "--tls-cert and --tls-key belong together.")
		}
		return p.witnessServe(cmd.Context(), w)
	}
	c.AddCommand(p.witnessTrust(&w), p.witnessSucceed(&w), p.witnessList(&w), p.witnessKey(&w))
	return c
}

type witnessFlags struct{ data, name, listen, cert, key string }

func (p *program) openWitness(w witnessFlags) (*witness.Witness, error) {
	return witness.Open(w.data, witness.Options{Name: w.name, Now: time.Now, Log: p.log})
}

func (p *program) witnessServe(ctx context.Context, f witnessFlags) (err error) {
	w, err := p.openWitness(f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	ln, err := net.Listen("tcp", f.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s := &http.Server{Handler: w, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 16 << 10}
	scheme := "http"
	if f.cert != "" {
		scheme = "https"
	}
	p.say(p.stdout, "%s://%s で立ち会う。\n方針に書く行:\n\n    witness NAME %s %[1]s://%[2]s\n", "witnessing on %s://%s\nthe line for policies:\n\n    witness NAME %s %[1]s://%[2]s\n", scheme, ln.Addr(), w.PublicKey())
	stop := context.AfterFunc(ctx, func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		s.Shutdown(within) // who is still asking will ask again
	})
	defer stop()
	if f.cert != "" {
		err = s.ServeTLS(ln, f.cert, f.key)
	} else {
		err = s.Serve(ln)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (p *program) witnessTrust(w *witnessFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "trust KEY|FILE",
		Short: bilingual.Say("この検証鍵の証跡に立ち会う。同じ名の証跡の鍵は置き換える", "Witness the trail of this public key; of a trail of that name, the key is replaced").In(p.lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			k, err := keyOrFile(args[0])
			if err != nil {
				return err
			}
			if err := witness.Trust(w.data, k); err != nil {
				return err
			}
			p.say(p.stdout, "立ち会う: %s", "witnesses %s", k)
			return nil
		},
	}
}

func (p *program) witnessSucceed(w *witnessFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "succeed FILE",
		Short: bilingual.Say("鍵の交代の記録（trail.keys）により、証跡の新しい鍵を受け入れる", "Take the new key of a trail by its key statements (trail.keys)").In(p.lang),
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("read key statements: %w", err)
			}
			chain, err := key.ParseChain(text)
			if err != nil {
				return err
			}
			k, err := witness.Succeed(w.data, chain)
			if err != nil {
				return err
			}
			p.say(p.stdout, "新しい鍵を受け入れた: %s", "took the new key %s", k)
			return nil
		},
	}
}

func (p *program) witnessList(w *witnessFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: bilingual.Say("立ち会った証跡と、合わない検証点の有無", "The trails that were witnessed, and what did not fit").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			o, err := p.openWitness(*w)
			if err != nil {
				return err
			}
			list, err := o.List()
			if err = errors.Join(err, o.Close()); err != nil {
				return err
			}
			evidence := 0
			for _, s := range list {
				p.say(p.stdout, "%s 区分 %d %s 合わない検証点 %d", "%s segments %d %s not fitting %d", s.Origin, s.Size, s.At.Format("2006-01-02 15:04:05Z"), s.Evidence)
				evidence += s.Evidence
			}
			if evidence > 0 {
				return exit{statusIntegrity, bilingual.Say("以前に立ち会った証跡と合わない検証点が示された。evidence フォルダにある。", "checkpoints were shown that do not fit what was witnessed before: see the folder evidence")}
			}
			return nil
		},
	}
}

func (p *program) witnessKey(w *witnessFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: bilingual.Say("立会人の検証鍵", "The public key of the witness").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			o, err := p.openWitness(*w)
			if err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, o.PublicKey())
			return o.Close()
		},
	}
}
