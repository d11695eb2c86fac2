package trails

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/trail"
	"kakusho/trail/audit"
	"kakusho/trail/prove"
)

func (p *program) trail() *cobra.Command {
	c := &cobra.Command{
		Use:   "trail",
		Short: bilingual.Say("証跡を検証し、証明し、その鍵を交代する", "Verify and prove the trail, exchange its key").In(p.lang),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "trail verify、prove、consistency、checkpoint、receipt、rotate-key のいずれかを指定すること。", "Say trail verify, prove, consistency, checkpoint, receipt or rotate-key.")
		},
	}
	c.AddCommand(p.trailVerify(), p.trailProve(), p.trailConsistency(), p.trailCheckpoint(), p.trailReceipt(), p.trailRotateKey(), p.trailCopyLog())
	return c
}

func (p *program) trailVerify() *cobra.Command {
	var a *auditor
	var away *archive
	var proof, format, resume string
	var parallel int
	c := &cobra.Command{
		Use:   "verify",
		Short: bilingual.Say("証跡全体、又は一件の証明を、検証鍵だけで検証する", "Verify the whole trail, or the proof of one entry, with the public key alone").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage(cmd, "--format は text 又は json とすること。", "--format is text or json.")
			}
			t, beside, err := p.trust(a)
			if err != nil {
				return err
			}
			if proof != "" {
				return p.verifyProof(proof, t)
			}
			store, done, err := away.open(cmd.Context(), a)
			if err != nil {
				return err
			}
			report, err := audit.VerifyWith(cmd.Context(), a.folder(), t.Key, audit.Options{
				Progress: p.progress("検証", "verifying"), Accepted: t.Accepted, Beside: beside, Policy: t.Policy,
				Archive: store, Resume: resume, Parallel: parallel,
			})
			if err = errors.Join(err, done()); err != nil {
				return err
			}
			return p.printReport(report, format)
		},
	}
	a, away = p.auditor(c), p.archive(c)
	f := c.Flags()
	f.StringVar(&resume, "resume", "", bilingual.Say("中断した検証を続けるためのファイル。終われば消える", "file with which a check that was stopped goes on; removed at the end").In(p.lang))
	f.IntVar(&parallel, "parallel", 0, bilingual.Say("同時に調べる束の数。0 は処理装置の数", "packs looked at side by side; 0: as many as there are processors").In(p.lang))
	f.StringVar(&proof, "proof", "", bilingual.Say("一件の証明のファイル", "file with the proof of one entry").In(p.lang))
	f.StringVar(&format, "format", "text", "text|json")
	return c
}

func (p *program) verifyProof(file string, t trail.Trust) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	proven, err := trail.VerifyProofWith(b, t)
	if errors.Is(err, prove.ErrUnwitnessed) {
		return exit{statusIntegrity, bilingual.Say(
			fmt.Sprintf("証跡には署名されているが、立会署名が足りない: %v", err), fmt.Sprintf("signed by the trail, but %v", err))}
	}
	if err != nil {
		return exit{statusIntegrity, bilingual.Say(
			fmt.Sprintf("証明は成り立たない: %v", err), fmt.Sprintf("the proof does not hold: %v", err))}
	}
	p.say(p.stdout, "証明は成り立つ: 第%d号は署名された証跡に含まれる。", "the proof holds: entry %d is in the signed trail", proven.Seq)
	for _, w := range proven.Witnessed {
		p.say(p.stdout, "立会 %s %s", "witnessed by %s %s", w.Witness, w.At.Format("2006-01-02 15:04:05Z"))
	}
	fmt.Fprintln(p.stdout, string(proven.Line))
	return nil
}

func (p *program) printReport(r trail.Report, format string) error {
	if format == "json" {
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("print report: %w", err)
		}
	} else {
		for _, x := range r.Problems {
			fmt.Fprintf(p.stdout, "%s: %s\n", x.What.Label().In(p.lang), x)
		}
		p.say(p.stdout, "記録 %d件、区分 %d、未封緘 %d件", "%d entries, %d segments, %d entries not sealed yet", r.Entries, r.Segments, r.Unsealed)
		p.printGone(r)
		if r.Witnessed > 0 {
			p.say(p.stdout, "立会署名 区分%dまで（%d者を方針により確認）", "witnessed up to segment %d (%d witnesses checked by the policy)", r.Witnessed, len(r.Witnesses))
		}
	}
	if !r.OK() {
		n := len(r.Problems)
		return exit{statusIntegrity, bilingual.Say(fmt.Sprintf("証跡に%d件の異常がある。", n), fmt.Sprintf("the trail has %d problems", n))}
	}
	if format != "json" {
		p.say(p.stdout, "証跡に異常はない。", "the trail is intact")
	}
	return nil
}
