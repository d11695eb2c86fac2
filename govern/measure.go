package govern

import (
	"fmt"
	"slices"
	"strings"

	"kakusho/control/measure"
	"kakusho/decision"
	"kakusho/directive"
)

// Measures are the alternative measures that may be chosen while a clause is deferred
// under the values that hold.
func (g *Govern) Measures(params directive.Values) []measure.Measure {
	may, _ := params[measure.Key].Value.([]any)
	return slices.DeleteFunc(slices.Clone(g.measures), func(m measure.Measure) bool { return !slices.Contains(may, any(m.ID)) })
}

// conditions are those that were named, and those of the measures that were chosen.
func (g *Govern) conditions(d decision.Decision) []string {
	out := slices.Clone(d.Conditions)
	for _, m := range g.measures {
		if slices.Contains(d.Chosen, m.ID) {
			out = append(out, m.Conditions()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkConditions holds conditions to controls that are there, under values that they
// read.
func (g *Govern) checkConditions(all []string, faults *Faults) {
	for _, text := range all {
		c, err := decision.ParseCondition(text)
		if err != nil {
			faults.add("conditions", "「"+text+"」は、「確認項目の番号」又は「確認項目の番号?値の名称=値」の形で入力すること。", "Write a control, or CONTROL?PARAMETER=VALUE: "+text)
			continue
		}
		known, ok := g.controls[c.Control]
		if !ok {
			faults.add("conditions", "条件とする確認項目「"+c.Control+"」がない。", fmt.Sprintf("There is no control %q to be a condition.", c.Control))
			continue
		}
		for key, v := range c.With {
			if _, err := g.directive.Parameters[key].Check(v); err != nil || !slices.Contains(known.Parameters, key) {
				faults.add("conditions", "確認項目「"+c.Control+"」は値「"+key+"="+v+"」を用いない。", fmt.Sprintf("Control %q takes no value %s=%s.", c.Control, key, v))
			}
		}
	}
}

// checkMeasures holds what a deferral says of the time until the clause is met: each
// measure chosen is in the catalogue, and the target lies within the deferral.
func (g *Govern) checkMeasures(d decision.Decision, params directive.Values, faults *Faults) {
	may := g.Measures(params)
	for _, id := range d.Chosen {
		if !slices.ContainsFunc(may, func(m measure.Measure) bool { return m.ID == id }) {
			faults.add("chosen", "「"+id+"」は、選ぶことのできる代替手段ではない。", fmt.Sprintf("%q is no alternative measure that may be chosen.", id))
		}
	}
	if slices.Contains(d.Chosen, measure.Other) {
		if strings.TrimSpace(d.Measures) == "" {
			faults.add("measures", "「その他」の内容を入力すること。", "Say what the other measure is.")
		}
		if len(d.Conditions) == 0 {
			faults.add("conditions", "「その他」の実施を確かめる確認項目を入力すること。", "Name the controls that show the other measure.")
		}
	}
	if !d.Target.IsZero() && (d.Target.Before(d.From) || d.Target.After(d.Until)) {
		faults.add("target", "適合予定日は、猶予の期間内とすること。", "The target date lies within the deferral.")
	}
}
