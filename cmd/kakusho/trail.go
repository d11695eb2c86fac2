package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/trail"
)

func (p *program) trail() *cobra.Command {
	c := &cobra.Command{
		Use:   "trail",
		Short: bilingual.Say("証跡を検証する", "Verify the trail").In(p.lang),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage(cmd, "trail verify を指定すること。", "Say trail verify.")
		},
	}
	c.AddCommand(p.trailVerify())
	return c
}

func (p *program) trailVerify() *cobra.Command {
	var data, key, proof, format string
	c := &cobra.Command{
		Use:   "verify",
		Short: bilingual.Say("証跡全体、又は一件の証明を、検証鍵だけで検証する", "Verify the whole trail, or the proof of one entry, with the public key alone").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage(cmd, "--format は text 又は json とすること。", "--format is text or json.")
			}
			verifier, err := p.verifier(data, key)
			if err != nil {
				return err
			}
			if proof != "" {
				return p.verifyProof(proof, verifier)
			}
			report, err := trail.Verify(cmd.Context(), filepath.Join(data, "trail"), verifier, p.progress("検証", "verifying"))
			if err != nil {
				return err
			}
			return p.printReport(report, format)
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "data", bilingual.Say("この導入のデータを置くフォルダ", "folder of the installation").In(p.lang))
	f.StringVar(&key, "key", "", bilingual.Say("検証鍵、又はその入ったファイル。既定は証跡の横の trail.pub", "public key or a file of it; default: trail.pub beside the trail").In(p.lang))
	f.StringVar(&proof, "proof", "", bilingual.Say("一件の証明のファイル", "file with the proof of one entry").In(p.lang))
	f.StringVar(&format, "format", "text", "text|json")
	return c
}

// verifier finds the public key: given as text, in a file, or beside the trail.
func (p *program) verifier(data, key string) (string, error) {
	if key == "" {
		p.say(p.stderr, "注意: 証跡の横にある検証鍵を用いる。監査では別の経路で受け取った鍵を --key で与えること。",
			"note: using the public key that lies beside the trail; an auditor gives the key he received on another way with --key")
		return trail.PublicKey(filepath.Join(data, "trail"))
	}
	if b, err := os.ReadFile(key); err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !strings.Contains(key, "+") {
		return "", fmt.Errorf("public key %q: no such file, and not a key", key)
	}
	return key, nil
}

func (p *program) verifyProof(file, key string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read proof: %w", err)
	}
	proven, err := trail.VerifyProof(b, key)
	if err != nil {
		return exit{statusIntegrity, bilingual.Say(
			fmt.Sprintf("証明は成り立たない: %v", err), fmt.Sprintf("the proof does not hold: %v", err))}
	}
	line, err := json.Marshal(proven.Entry)
	if err != nil {
		return fmt.Errorf("print entry: %w", err)
	}
	p.say(p.stdout, "証明は成り立つ: 第%d号は署名された証跡に含まれる。", "the proof holds: entry %d is in the signed trail", proven.Seq)
	fmt.Fprintln(p.stdout, string(line))
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
