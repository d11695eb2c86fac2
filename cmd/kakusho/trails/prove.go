package trails

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/trail"
	"kakusho/trail/seal"
	"kakusho/trail/short"
	"kakusho/trail/witness"
)

// reading runs fn on the trail's files; it may be in use.
func reading(a *auditor, fn func(*trail.Reader) error) error {
	r, err := trail.NewReader(a.folder())
	if err != nil {
		return err
	}
	return errors.Join(fn(r), r.Close())
}

// put writes to a file, or to the standard output where none is named.
func (p *program) put(name string, b []byte) error {
	if name == "" {
		_, err := p.stdout.Write(b)
		return err
	}
	if err := os.WriteFile(name, b, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (p *program) trailProve() *cobra.Command {
	var a *auditor
	var seq int64
	var out string
	c := &cobra.Command{
		Use:   "prove",
		Short: bilingual.Say("一件の証明を作る（C2SP tlog-proof）", "Make the proof of one entry (C2SP tlog-proof)").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seq") {
				return usage(cmd, "--seq で記録の番号を指定すること。", "Say which entry with --seq.")
			}
			return reading(a, func(r *trail.Reader) error {
				proof, err := r.Prove(cmd.Context(), seq)
				if err != nil {
					return err
				}
				return p.put(out, proof)
			})
		},
	}
	a = p.auditor(c)
	c.Flags().Int64Var(&seq, "seq", 0, bilingual.Say("記録の番号", "number of the entry").In(p.lang))
	c.Flags().StringVar(&out, "out", "", bilingual.Say("書き出すファイル", "file to write").In(p.lang))
	return c
}

func (p *program) trailConsistency() *cobra.Command {
	var a *auditor
	var proof, out string
	c := &cobra.Command{
		Use:   "consistency OLD [NEW]",
		Short: bilingual.Say("二つの検証点の間で証跡が書き換えられていないことを示す", "Show that between two checkpoints the trail only grew").In(p.lang),
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, _, err := p.trust(a)
			if err != nil {
				return err
			}
			old, _, err := p.readCheckpoint(t, args[0])
			if err != nil {
				return err
			}
			if proof != "" {
				return p.checkContinuation(t, old, proof)
			}
			return reading(a, func(r *trail.Reader) error {
				text, newer, err := r.Checkpoint(cmd.Context())
				if len(args) == 2 {
					newer, text, err = p.readCheckpoint(t, args[1])
				}
				if err != nil {
					return err
				}
				if newer.Size < old.Size {
					return p.notContinued(old, newer)
				}
				path, err := r.Consistency(cmd.Context(), old.Size, newer.Size)
				if err != nil || !newer.Extends(old, path) {
					return p.notContinued(old, newer)
				}
				p.continued(old, newer)
				if out == "" {
					return nil
				}
				return p.put(out, witness.Continuation{Old: old.Size, Path: path, Checkpoint: text}.Text())
			})
		},
	}
	a = p.auditor(c)
	c.Flags().StringVar(&proof, "proof", "", bilingual.Say("証跡なしに検証する、一貫性の証明のファイル", "file with a proof of consistency, checked without the trail").In(p.lang))
	c.Flags().StringVar(&out, "out", "", bilingual.Say("一貫性の証明を書き出すファイル", "file to write the proof of consistency to").In(p.lang))
	return c
}

func (p *program) readCheckpoint(t trail.Trust, name string) (seal.Checkpoint, []byte, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return seal.Checkpoint{}, nil, fmt.Errorf("read checkpoint: %w", err)
	}
	c, _, err := t.Checkpoint(text)
	if err != nil {
		return c, nil, exit{statusIntegrity, bilingual.Say(fmt.Sprintf("%s: 検証点は成り立たない: %v", name, err), fmt.Sprintf("%s: the checkpoint does not hold: %v", name, err))}
	}
	return c, text, nil
}

func (p *program) checkContinuation(t trail.Trust, old seal.Checkpoint, name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read proof of consistency: %w", err)
	}
	x, err := witness.ParseContinuation(b)
	var newer seal.Checkpoint
	if err == nil {
		newer, _, err = t.Checkpoint(x.Checkpoint)
	}
	if err != nil {
		return exit{statusIntegrity, bilingual.Say(fmt.Sprintf("一貫性の証明は成り立たない: %v", err), fmt.Sprintf("the proof of consistency does not hold: %v", err))}
	}
	if x.Old != old.Size || !newer.Extends(old, x.Path) {
		return p.notContinued(old, newer)
	}
	p.continued(old, newer)
	return nil
}

func (p *program) continued(old, newer seal.Checkpoint) {
	p.say(p.stdout, "区分 %d の検証点は、区分 %d の検証点にそのまま続いている。", "the checkpoint of %d segments is continued by that of %d", old.Size, newer.Size)
}

func (p *program) notContinued(old, newer seal.Checkpoint) error {
	return exit{statusIntegrity, bilingual.Say(
		fmt.Sprintf("区分 %d の検証点は、区分 %d の検証点に続いていない。証跡が巻き戻されたか、書き換えられた。", old.Size, newer.Size),
		fmt.Sprintf("the checkpoint of %d segments is not continued by that of %d: the trail was rolled back or rewritten", old.Size, newer.Size))}
}

func (p *program) trailCheckpoint() *cobra.Command {
	var a *auditor
	var svg, out, compare string
	var size int64
	c := &cobra.Command{
		Use:   "checkpoint",
		Short: bilingual.Say("検証点を短い形で示し、控えの文字と照合する", "Show the checkpoint in its short form, or compare the characters on paper with the trail").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (compare == "") != !cmd.Flags().Changed("size") {
				return usage(cmd, "--compare と --size は両方を指定すること。", "--compare and --size belong together.")
			}
			t, _, err := p.trust(a)
			if err != nil {
				return err
			}
			return reading(a, func(r *trail.Reader) error {
				text, _, err := r.Checkpoint(cmd.Context())
				if err != nil {
					return err
				}
				c, _, err := t.Checkpoint(text)
				if err != nil {
					return exit{statusIntegrity, bilingual.Say(fmt.Sprintf("検証点は成り立たない: %v", err), fmt.Sprintf("the checkpoint does not hold: %v", err))}
				}
				if compare != "" {
					return p.comparePaper(cmd, r, c, size, compare)
				}
				return p.showCheckpoint(short.Of(c, text), svg, out)
			})
		},
	}
	a = p.auditor(c)
	f := c.Flags()
	f.StringVar(&svg, "svg", "", bilingual.Say("QRコードを書き出すファイル（SVG）", "file to write the QR code to (SVG)").In(p.lang))
	f.StringVar(&out, "out", "", bilingual.Say("署名された検証点を書き出すファイル", "file to write the signed checkpoint to").In(p.lang))
	f.StringVar(&compare, "compare", "", bilingual.Say("控えの照合文字", "the characters on the paper").In(p.lang))
	f.Int64Var(&size, "size", 0, bilingual.Say("控えの区分数", "the number of segments on the paper").In(p.lang))
	return c
}

func (p *program) showCheckpoint(f short.Form, svg, out string) error {
	p.say(p.stdout, "証跡　　 %s\n区分数　 %d\n根　　　 %s\n照合文字 %s", "trail      %s\nsegments   %d\nroot       %s\ncharacters %s", f.Origin, f.Size, f.Root, f.Code)
	if svg != "" {
		b, err := f.SVG(fmt.Sprintf("%s %d %s", f.Origin, f.Size, f.Code))
		if err != nil {
			return err
		}
		if err := p.put(svg, b); err != nil {
			return err
		}
	}
	if out == "" {
		return nil
	}
	return p.put(out, []byte(f.Text))
}

// comparePaper remakes the short form of an earlier state from the trail.
func (p *program) comparePaper(cmd *cobra.Command, r *trail.Reader, c seal.Checkpoint, size int64, typed string) error {
	then := seal.Checkpoint{Origin: c.Origin, Size: size}
	if size < 0 || size > c.Size {
		return p.notContinued(then, c)
	}
	root, err := r.Root(cmd.Context(), size)
	if err != nil {
		return err
	}
	then.Root = root
	path, err := r.Consistency(cmd.Context(), size, c.Size)
	if err != nil || !c.Extends(then, path) {
		return exit{statusIntegrity, bilingual.Say("証跡のファイルが検証点と合わない。trail verify で調べること。", "the files of the trail do not fit its checkpoint: see trail verify")}
	}
	if !short.Same(short.Code(then), typed) {
		return exit{statusIntegrity, bilingual.Say(
			fmt.Sprintf("控えと一致しない。区分 %d の照合文字は %s である。", size, short.Code(then)),
			fmt.Sprintf("does not match the paper: the characters of %d segments are %s", size, short.Code(then)))}
	}
	p.say(p.stdout, "控えと一致する: 証跡の初めの %d 区分は、控えの時点のままである。", "matches the paper: the first %d segments of the trail are as they were then", size)
	return nil
}
