// Package controls has the commands kakusho control: to try, lint, explain and
// begin the controls by which clauses are checked, those that ship or those of a
// folder of one's own.
package controls

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/collect/linux"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/directive/library"
	"kakusho/judge"
	"kakusho/judge/author"
	"kakusho/kind"
	"kakusho/verdict"
)

// Terminal is where the commands speak.
type Terminal struct {
	Stdout io.Writer
	Lang   bilingual.Lang
	// Verdict asks the installation in a data folder how a control stands on a subject.
	Verdict func(cmd *cobra.Command, data, subject, control string) (verdict.Verdict, error)
}

// terminal is one run of the commands.
type terminal struct {
	Terminal
	rulebook string // source of the directive whose controls are meant
}

// fault is an error with a text for people, and the exit status 1.
type fault bilingual.Text

func (f fault) Error() string        { return f.EN }
func (f fault) Text() bilingual.Text { return bilingual.Text(f) }
func (f fault) Status() int          { return 1 }

func wrong(ja, en string, a ...any) error {
	return fault(bilingual.Say(fmt.Sprintf(ja, a...), fmt.Sprintf(en, a...)))
}

// Command is control.
func Command(on Terminal) *cobra.Command {
	t := &terminal{Terminal: on}
	c := &cobra.Command{
		Use:   "control",
		Short: t.in("確認項目（control）を試し、検査し、説明し、新しく作る", "Try, lint, explain and begin the controls by which clauses are checked"),
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.PersistentFlags().StringVar(&t.rulebook, "directive", "npa-r3", t.in("どの指令の確認項目か", "directive whose controls are meant"))
	c.AddCommand(t.test(), t.lint(), t.explain(), t.new(), t.fields())
	return c
}

// sources are the directives on hand.
func sources() string {
	var out []string
	for _, d := range library.All() {
		out = append(out, d.Source)
	}
	return strings.Join(out, ", ")
}

func (t *terminal) in(ja, en string) string { return bilingual.Say(ja, en).In(t.Lang) }

func (t *terminal) say(ja, en string, a ...any) { fmt.Fprintf(t.Stdout, t.in(ja, en)+"\n", a...) }

// bench is the controls at work.
type bench struct {
	author.Desk
	controls []control.Control
	rules    map[string]*judge.Rule // what those chosen were compiled to
	faults   []author.Finding       // of folders that do not load
	root     string                 // folder of the controls, as places in them begin
}

// Desk is what authors of controls for a directive work with: all kinds, and who
// brings the observed fields.
func Desk(d *directive.Directive) author.Desk {
	brought := map[string][]string{"database": {"database"}, "log-source": {"feed", "keeping"}}
	for _, c := range linux.Collectors() {
		brought["computer"] = append(brought["computer"], c.Group)
	}
	return author.Desk{Kinds: kind.Default(), Directive: d, Brought: brought}
}

func (t *terminal) desk() (author.Desk, error) {
	if d := directive.Default(); d.Source == t.rulebook {
		return Desk(d), nil // the whole library takes longer to read
	}
	d, ok := library.Shipped().Of(t.rulebook)
	if !ok {
		return author.Desk{}, wrong("指令 %s はない。次のいずれかとすること：%s", "there is no directive %s; one of %s", t.rulebook, sources())
	}
	return Desk(d), nil
}

// open loads the controls of a folder, or those that ship.
func (t *terminal) open(dir string) (*bench, error) {
	desk, err := t.desk()
	if err != nil {
		return nil, err
	}
	b := &bench{Desk: desk, rules: map[string]*judge.Rule{}, root: cmp.Or(dir, "control")}
	if dir == "" {
		b.controls = shipped(desk)
	} else if err := b.load(dir); err != nil {
		return nil, err
	}
	return b, nil
}

// shipped are the controls that ship for the desk's directive, with their cases.
// Of one that inherits nothing the library need not be read.
func shipped(d author.Desk) []control.Control {
	if d.Directive.Inherits == "" {
		return control.WithCases(d.Kinds, d.Directive)
	}
	return control.ForWithCases(d.Kinds, library.Shipped(), d.Directive)
}

func (b *bench) load(dir string) error {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return wrong("--dir %s はフォルダではない。", "--dir %s is no folder", dir)
	}
	var err error
	b.controls, err = control.Load(os.DirFS(dir), b.Kinds, b.Directive)
	if err == nil && len(b.controls) == 0 {
		return wrong("--dir %s に確認項目（区分/名前/control.yaml）がない。", "--dir %s holds no control (area/name/control.yaml)", dir)
	}
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			place, text, ok := strings.Cut(strings.TrimPrefix(line, "control "), ": ")
			if !ok {
				place, text = ".", line
			}
			b.faults = append(b.faults, author.Finding{Place: place, Grave: true, Text: bilingual.Say(text, text)})
		}
	}
	return nil
}

// at is a place with the folder of the controls, so that editors find it.
func (b *bench) at(place string) string { return filepath.ToSlash(filepath.Join(b.root, place)) }

func (t *terminal) found(b *bench, f author.Finding) {
	f.Place = b.at(f.Place)
	fmt.Fprintln(t.Stdout, f.In(t.Lang))
}

// chosen are the controls named, by ID or by area, compiled; none named: all.
func (b *bench) chosen(names []string) ([]control.Control, error) {
	out := b.controls
	if len(names) > 0 {
		out = nil
	}
	for _, name := range names {
		found := b.named(strings.Trim(name, "/"))
		if len(found) == 0 && len(b.faults) == 0 {
			return nil, wrong("確認項目 %s はない。%s", "there is no control %s%s", name, b.nearest(name))
		}
		out = append(out, found...)
	}
	rules, _ := judge.Rules(out, b.Kinds, b.Directive) // each fault stands in its rule
	for _, r := range rules {
		b.rules[r.Control().ID] = r
	}
	return out, nil
}

func (b *bench) named(name string) []control.Control {
	return slices.DeleteFunc(slices.Clone(b.controls), func(c control.Control) bool {
		return c.ID != name && !strings.HasPrefix(c.ID, name+"/")
	})
}

// nearest names controls whose ID holds the last word of name.
func (b *bench) nearest(name string) string {
	word := name[strings.LastIndexByte(name, '/')+1:]
	var near []string
	for _, pattern := range []string{name, word} {
		for _, c := range b.controls {
			if strings.Contains(c.ID, pattern) && !slices.Contains(near, c.ID) && len(near) < 5 {
				near = append(near, c.ID)
			}
		}
	}
	if near == nil {
		return ""
	}
	return " (" + strings.Join(near, ", ") + "?)"
}

func (t *terminal) dirFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", "", t.in("内蔵のものに代えて、このフォルダの確認項目を使う", "controls of this folder instead of those that ship"))
}

func (t *terminal) test() *cobra.Command {
	var dir string
	var verbose bool
	c := &cobra.Command{
		Use:     "test [AREA|AREA/NAME …]",
		Short:   t.in("確認項目のケースを判定し、素の cel-go とも照合する", "Judge the cases of controls, and compare with plain cel-go"),
		Example: "  kakusho control test auth\n  kakusho control test --dir drafts -v",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := t.open(dir)
			if err != nil {
				return err
			}
			return t.runTest(b, args, verbose)
		},
	}
	t.dirFlag(c, &dir)
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, t.in("成功したケースも示す", "also print cases that pass"))
	return c
}

func (t *terminal) runTest(b *bench, names []string, verbose bool) error {
	controls, err := b.chosen(names)
	if err != nil {
		return err
	}
	failed, cases := 0, 0
	for _, f := range b.faults {
		failed++
		t.found(b, f)
	}
	begun := time.Now()
	for _, c := range controls {
		r := b.rules[c.ID]
		if r.Fault() != nil {
			failed++
			for _, f := range b.Lint(c, r) {
				t.found(b, f)
			}
			continue
		}
		for _, x := range b.Try(c, r) {
			cases++
			switch {
			case x.Fault != "":
				failed++
				t.say("%s: 失敗: %s %s: %s", "%s: FAIL: %s %s: %s", b.at(x.Place), c.ID, x.Case.Name, x.Fault)
			case verbose:
				whole, plain := b.timed(r, x.Case)
				t.say("%s: 成功: %s %s（%s、判定 %v、式のみ cel-go %v）", "%s: ok: %s %s (%s; judged in %v, plain cel-go %v)",
					b.at(x.Place), c.ID, x.Case.Name, x.Case.Want.Label().In(t.Lang), whole, plain)
			}
		}
	}
	t.say("確認項目 %d、ケース %d、失敗 %d（%v）", "%d controls, %d cases, %d failed (%v)", len(controls), cases, failed, time.Since(begun).Round(time.Millisecond))
	if failed > 0 {
		return fault{}
	}
	return nil
}

// timed is how long one judgement of a case takes, reasons and next change too,
// and how long the rule alone as one program of plain cel-go.
func (b *bench) timed(r *judge.Rule, c control.Case) (whole, plain time.Duration) {
	s, p := judge.CaseSubject(r, c, b.Kinds), judge.CaseValues(c, b.Directive.Parameters)
	_, check, _ := r.Plans()
	return mean(func() { r.Judge(s, p, c.At, nil) }), mean(func() { r.Scale(s, p, c.At).Value(check.Whole) })
}

func mean(do func()) time.Duration {
	const rounds = 20
	begun := time.Now()
	for range rounds {
		do()
	}
	return (time.Since(begun) / rounds).Round(100 * time.Nanosecond)
}

func (t *terminal) lint() *cobra.Command {
	var dir string
	var advice, strict bool
	c := &cobra.Command{
		Use:   "lint [AREA|AREA/NAME …]",
		Short: t.in("確認項目の誤りと助言を、ファイル・行・桁とともに示す", "Print faults of controls and advice, with file, line and column"),
		Long: t.in("型の誤り、常に真（偽）となる式、成り立ち得ない例外、収集されない項目を誤りとして、境界を示すケースの不足等を助言として示す。誤りがあれば状態1で終わる。助言は、対象を指定したとき又は --advice を付けたときに示す。",
			"Faults are expressions that do not type-check or say the same of everything, exceptions that can never be granted, and fields nobody collects; advice is about cases that are missing and operands that decide nothing. Ends with status 1 when there are faults. Advice is printed when controls are named, or with --advice."),
		Example: "  kakusho control lint auth/password-length\n  kakusho control lint --dir drafts",
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := t.open(dir)
			if err != nil {
				return err
			}
			return t.runLint(b, args, advice || strict || dir != "" || len(args) > 0, strict)
		},
	}
	t.dirFlag(c, &dir)
	c.Flags().BoolVar(&advice, "advice", false, t.in("助言も示す", "print advice too"))
	c.Flags().BoolVar(&strict, "strict", false, t.in("助言も誤りとして扱う", "treat advice as faults"))
	return c
}

func (t *terminal) runLint(b *bench, names []string, advice, strict bool) error {
	controls, err := b.chosen(names)
	if err != nil {
		return err
	}
	findings := b.faults
	for _, c := range controls {
		findings = append(findings, b.Lint(c, b.rules[c.ID])...)
	}
	grave := 0
	for _, f := range findings {
		if f.Grave {
			grave++
		}
		if f.Grave || advice {
			t.found(b, f)
		}
	}
	t.say("確認項目 %d、誤り %d、助言 %d", "%d controls, %d faults, %d pieces of advice", len(controls), grave, len(findings)-grave)
	if grave > 0 || strict && len(findings) > 0 {
		return fault{}
	}
	return nil
}

func (t *terminal) explain() *cobra.Command {
	var dir, name, subject, data string
	c := &cobra.Command{
		Use:     "explain AREA/NAME",
		Short:   t.in("確認項目の式の読み方、読む項目、及び（指定した対象又はケースの）判定の理由を示す", "Show how a control is read, what it reads and, of a subject or a case, why it is judged so"),
		Example: "  kakusho control explain auth/password-length --subject computer/PC-1 --data data\n  kakusho control explain auth/password-length --case too-short",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := t.open(dir)
			if err != nil {
				return err
			}
			controls, err := b.chosen(args)
			if err != nil {
				return err
			}
			if len(controls) != 1 {
				return wrong("確認項目を一つ指定すること（区分/名前）。", "name one control, as area/name")
			}
			c := controls[0]
			b.Explain(t.Stdout, t.Lang, c, b.rules[c.ID], t.speed(b.rules[c.ID]))
			switch {
			case name != "":
				return t.explainCase(b, c, name)
			case subject != "":
				v, err := t.Verdict(cmd, data, subject, c.ID)
				if err != nil {
					return err
				}
				b.Verdict(t.Stdout, t.Lang, v)
			}
			return nil
		},
	}
	t.dirFlag(c, &dir)
	c.Flags().StringVar(&name, "case", "", t.in("このケースの判定を示す", "show how this case is judged"))
	c.Flags().StringVar(&subject, "subject", "", t.in("この対象（種別/番号）の判定を示す", "show how this subject (kind/key) is judged"))
	c.Flags().StringVar(&data, "data", "data", t.in("データのフォルダ", "data folder"))
	return c
}

func (t *terminal) explainCase(b *bench, c control.Control, name string) error {
	i := slices.IndexFunc(c.Cases, func(x control.Case) bool { return x.Name == name })
	if i < 0 {
		var all []string
		for _, x := range c.Cases {
			all = append(all, x.Name)
		}
		return wrong("ケース %s はない（%s）。", "there is no case %s (%s)", name, strings.Join(all, ", "))
	}
	x, r := c.Cases[i], b.rules[c.ID]
	v := r.Judge(judge.CaseSubject(r, x, b.Kinds), judge.CaseValues(x, b.Directive.Parameters), x.At, nil)
	b.Verdict(t.Stdout, t.Lang, v)
	return nil
}

func (t *terminal) new() *cobra.Command {
	var dir string
	w := author.Wish{}
	var clauseID string
	c := &cobra.Command{
		Use:     "new AREA/NAME",
		Short:   t.in("新しい確認項目の三つのファイルを書き出す", "Write the three papers of a new control"),
		Example: "  kakusho control new auth/password-history --kind computer --clause npa-r3@2.2.1 --field pw_history --dir drafts",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			w.ID = strings.Trim(args[0], "/")
			w.Clause = clause.ID(clauseID)
			desk, err := t.desk()
			if err != nil {
				return err
			}
			papers, err := desk.New(w)
			if err != nil {
				return err
			}
			return t.write(dir, w.ID, papers)
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", t.in("書き出すフォルダ", "folder to write to"))
	c.Flags().StringVar(&w.Kind, "kind", "computer", t.in("対象の種別", "kind of subject"))
	c.Flags().StringVar(&w.Field, "field", "", t.in("読む項目", "field that it reads"))
	c.Flags().StringVar(&clauseID, "clause", "", t.in("確認する項", "clause that it checks"))
	return c
}

// write puts the papers in place; what is there already stays.
func (t *terminal) write(dir, id string, papers map[string]string) error {
	folder := filepath.Join(dir, filepath.FromSlash(id))
	if _, err := os.Stat(folder); err == nil {
		return wrong("%s は既にある。", "%s is there already", folder)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the control's folder: %w", err)
	}
	for _, name := range []string{"control.yaml", "rule.cel", "cases.txtar"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(papers[name]), fs.FileMode(0o644)); err != nil {
			return fmt.Errorf("write the control: %w", err)
		}
		fmt.Fprintln(t.Stdout, filepath.ToSlash(filepath.Join(folder, name)))
	}
	t.say("TODO を書き換え、次で確かめること：kakusho control lint --dir %[1]s、kakusho control test --dir %[1]s", "Write the TODOs, then: kakusho control lint --dir %[1]s, kakusho control test --dir %[1]s", dir)
	return nil
}

func (t *terminal) fields() *cobra.Command {
	return &cobra.Command{
		Use:     "fields [KIND]",
		Short:   t.in("確認の式で読める全項目の文書（docs/fields.md）、又は一つの種別の項目を示す", "Print the page of every field that rules may read (docs/fields.md), or those of a kind"),
		Example: "  kakusho control fields computer\n  kakusho control fields > docs/fields.md",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := t.desk()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				d.Fields(t.Stdout, shipped(d))
				return nil
			}
			k, ok := d.Kinds[args[0]]
			if !ok {
				return wrong("台帳の種別 %q はない。次のいずれかとすること：%s", "there is no kind %q; one of %s", args[0], strings.Join(d.Kinds.IDs(), ", "))
			}
			d.FieldsOfKind(t.Stdout, t.Lang, k)
			return nil
		},
	}
}
