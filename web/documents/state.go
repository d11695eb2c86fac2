package documents

import "kakusho/bilingual"

// State is how a version stands to what is known now.
type State string

// The states. Those of a version that was not made here cannot be told from its content.
const (
	Current   State = "current"   // the content is the same
	Due       State = "due"       // it is another
	Draft     State = "draft"     // waits for approval
	Elsewhere State = "elsewhere" // not made here: its own dates say
	Dated     State = "dated"     // a report of its day, which stays as it is
	Follows   State = "follows"   // printed from the registers whenever it is wanted
	Missing   State = "missing"   // no version is registered
	Closed    State = "closed"    // not for the reader's duties
)

// States lists every State, the most urgent first.
var States = []State{Due, Missing, Draft, Current, Dated, Follows, Elsewhere, Closed}

var stateWords = map[State]struct {
	label      bilingual.Text
	chip, mark string
}{
	Due:       {bilingual.Say("要更新", "Due"), "violates", "×"},
	Missing:   {bilingual.Say("版の登録なし", "No version"), "unknown", "？"},
	Draft:     {bilingual.Say("承認待ち", "Waits for approval"), "undecided", "△"},
	Current:   {bilingual.Say("最新", "Current"), "conforms", "○"},
	Dated:     {bilingual.Say("基準日の報告", "As of its day"), "conforms", "○"},
	Follows:   {bilingual.Say("台帳による", "As the registers"), "conforms", "○"},
	Elsewhere: {bilingual.Say("別に作成", "Made elsewhere"), "not-applicable", "－"},
	Closed:    {bilingual.Say("閲覧の対象外", "Not for your duties"), "not-applicable", "－"},
}

// Label is the state as pages print it.
func (s State) Label() bilingual.Text { return stateWords[s].label }

// Chip is the outcome whose colours it bears.
func (s State) Chip() string { return stateWords[s].chip }

// Mark is the sign beside it, so that it is not told by colour alone.
func (s State) Mark() string { return stateWords[s].mark }
