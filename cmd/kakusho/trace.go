package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/procedure"
)

func (p *program) trace() *cobra.Command {
	return &cobra.Command{Use: "trace CLAUSE", Args: cobra.ExactArgs(1),
		Short: bilingual.Say("項から確認項目、事実、収集、ページまでを辿る", "Trace a clause to its controls, facts, collectors and page").In(p.lang),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := clause.Parse(args[0])
			if err != nil {
				return usage(cmd, err.Error(), err.Error())
			}
			kinds, d := kind.Default(), directive.Default()
			c, ok := d.Clause(id)
			if !ok {
				return exit{statusError, bilingual.Say("項 "+string(id)+" はない。kakusho clauses で一覧を見ること。", "there is no clause "+string(id)+"; kakusho clauses lists them")}
			}
			p.printTrace(c, control.WithCases(kinds, d), kinds)
			return nil
		},
	}
}

func (p *program) printTrace(c clause.Clause, controls []control.Control, kinds kind.Set) {
	fmt.Fprintf(p.stdout, "%s  %s %s\n", c.ID, c.Label.In(p.lang), c.Title.In(p.lang))
	fmt.Fprintf(p.stdout, "  %s\n", c.Statement.In(p.lang))
	for _, x := range serving(c.ID, controls) {
		fmt.Fprintf(p.stdout, "  control %s  %s\n", x.ID, x.Title.In(p.lang))
		for _, kindID := range x.Kinds {
			k := kinds[kindID]
			for _, name := range x.Needs {
				if f, ok := k.Field(name); ok {
					fmt.Fprintf(p.stdout, "    fact %s.%s  %s  ← %s\n", kindID, name, f.Label.In(p.lang), bringer(f))
				}
			}
		}
		if x.Record != nil {
			fmt.Fprintf(p.stdout, "    %s  %s  ← %s\n", x.Record.Type, x.Record.Question.In(p.lang), p.duties(x))
		}
		for _, key := range x.Parameters {
			fmt.Fprintf(p.stdout, "    parameter %s  ← /parameter/%s\n", key, key)
		}
		fmt.Fprintf(p.stdout, "    cases %d  control/%s/cases.txtar\n", len(x.Cases), x.ID)
		fmt.Fprintf(p.stdout, "    page /control/%s\n", x.ID)
	}
	fmt.Fprintf(p.stdout, "  page /clause/%s\n", c.ID)
}

func (p *program) duties(c control.Control) string {
	out := ""
	for _, d := range c.Record.Duty {
		out += ", " + d.Label().In(p.lang)
	}
	return strings.TrimPrefix(out, ", ")
}

// bringer is who brings a field: a collector, a register or a derivation.
func bringer(f kind.Field) string {
	switch {
	case f.In(kind.Observed):
		return "collect/" + f.Group
	case f.In(kind.Derived):
		return "derive/" + f.Derive
	}
	return "register"
}

func serving(id clause.ID, controls []control.Control) []control.Control {
	return slices.DeleteFunc(slices.Clone(controls), func(c control.Control) bool {
		return !slices.ContainsFunc(c.Clauses, func(x clause.ID) bool { return posture.Under(x, id) })
	})
}

// clauseLine is one clause as "clauses --format json" prints it. The names are
// for others to script against.
type clauseLine struct {
	Clause     clause.ID          `json:"clause"`
	Label      bilingual.Text     `json:"label"`
	Title      bilingual.Text     `json:"title"`
	Type       clause.Type        `json:"type"`
	Force      clause.Force       `json:"force"`
	Mechanisms []clause.Mechanism `json:"mechanisms"`
	Controls   []string           `json:"controls"`
	Procedures []string           `json:"procedures"`
	Tests      []string           `json:"tests"` // control/case, and the walks of the procedures
}

func (p *program) clauses() *cobra.Command {
	var format string
	c := &cobra.Command{Use: "clauses", Args: cobra.NoArgs,
		Short: bilingual.Say("項と、それを確認するものの一覧", "List the clauses and what checks them").In(p.lang),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "table" && format != "json" {
				return usage(cmd, "--format は table 又は json とすること。", "--format is table or json.")
			}
			kinds, d := kind.Default(), directive.Default()
			lines := clauseLines(d, control.WithCases(kinds, d), procedure.Default(kinds))
			if format == "json" {
				enc := json.NewEncoder(p.stdout)
				enc.SetIndent("", " ")
				enc.SetEscapeHTML(false)
				return enc.Encode(lines)
			}
			for _, l := range lines {
				fmt.Fprintf(p.stdout, "%-18s %-22s %3d %-24s %s %s\n", l.Clause, strings.Trim(fmt.Sprint(l.Mechanisms), "[]"), len(l.Controls), strings.Join(l.Procedures, ","), l.Label.In(p.lang), l.Title.In(p.lang))
			}
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "table", "table|json")
	return c
}

func clauseLines(d *directive.Directive, controls []control.Control, procedures procedure.Set) []clauseLine {
	var out []clauseLine
	for _, c := range d.Clauses {
		l := clauseLine{c.ID, c.Label, c.Title, c.Type, c.Force, c.Mechanisms, []string{}, []string{}, []string{}}
		for _, x := range serving(c.ID, controls) {
			l.Controls = append(l.Controls, x.ID)
			for _, y := range x.Cases {
				l.Tests = append(l.Tests, x.ID+"/"+y.Name)
			}
		}
		for _, id := range procedures.IDs() {
			if slices.ContainsFunc(procedures[id].Clauses, func(x clause.ID) bool { return posture.Under(x, c.ID) }) {
				l.Procedures = append(l.Procedures, id)
				l.Tests = append(l.Tests, "TestEveryProcedureIsWalked/"+id)
			}
		}
		out = append(out, l)
	}
	return out
}
