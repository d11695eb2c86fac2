package controls

import (
	"kakusho/bilingual"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/judge/fleet/table"
)

// speeds say how the work of a rule grows with the number of subjects.
var speeds = map[table.Speed]bilingual.Text{
	table.Vector:   bilingual.Say("一括（対象が増えても評価は数十回）", "vector: some tens of evaluations, however many subjects"),
	table.PerValue: bilingual.Say("値ごと（異なる値の数だけ評価する）", "per value: one evaluation for every distinct value"),
	table.PerRow:   bilingual.Say("行ごと（値の組合せごとに評価する）", "per row: one evaluation for every distinct combination of values"),
}

// speed is how fast the rule is judged over many subjects.
func (t *terminal) speed(r *judge.Rule) string { return speeds[fleet.Speed(r)].In(t.Lang) }
