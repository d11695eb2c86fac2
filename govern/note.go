package govern

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/decision"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/store"
)

// Note adds what somebody says about a decision: how far what is deferred has come, what
// is said in the consultation about a special provision, and what was agreed there,
// which the security administrator enters. A note is never changed.
func (g *Govern) Note(ctx context.Context, who actor.Actor, id string, t decision.NoteType, text string, at time.Time) error {
	g.deciding.Lock()
	defer g.deciding.Unlock()
	d, _, r, err := g.asked(ctx, who, gate.NoteDecision, id, "", at)
	if err != nil {
		return err
	}
	r.Changes = []gate.Change{{Body: noteBody{ID: id, Type: t, Text: text}}}
	if t == decision.Agreement {
		r.Need, r.NotBy = []actor.Duty{actor.SecurityAdministrator}, []string{d.By}
	}
	if r.Allows() {
		if over(d, gate.NoteDecision, at) || t == decision.Agreement && !d.ApprovedAt.IsZero() {
			return fmt.Errorf("%s: %w", id, ErrState)
		}
		if faults := checkNote(d, t, text); len(faults) > 0 {
			return faults
		}
	}
	_, err = g.gate.Ask(ctx, r)
	return err
}

func checkNote(d decision.Decision, t decision.NoteType, text string) (f Faults) {
	of := map[decision.NoteType]decision.Type{decision.Progress: decision.Deferral, decision.Consultation: decision.Special, decision.Agreement: decision.Special}[t]
	if of != d.Type {
		f.add("note", "この決定に記録する事項ではない。", "This is nothing to note about this decision.")
	}
	if strings.TrimSpace(text) == "" {
		f.add("note", "内容を入力すること。", "Write the note.")
	}
	f.read("note", text)
	return f
}

// Mutatis is the clause under which the chief of the prefectural police decides about a
// system by himself, on the model of the requirements: it is connected to no other
// police system, which is evidenced and confirmed. false: it is none of these.
func (g *Govern) Mutatis(ctx context.Context, p gate.Permit, ref fact.Ref) (c clause.Clause, ok bool, err error) {
	p.Who()
	err = g.rows.View(ctx, func(r store.Reader) error {
		s, _, err := store.Get(ctx, r, store.Subject{Kind: ref.Kind(), ID: ref.ID()})
		if g.unconnected(s) {
			c, ok = g.directive.Clause(g.directive.Grants[mutatis])
		}
		return err
	})
	return c, ok, err
}

// mutatis is the name of the clause among those that a directive names for us.
const mutatis = "mutatis"

func (g *Govern) unconnected(system store.Subject) bool {
	if g.directive.Grants[mutatis] == "" || system.Kind != "system" {
		return false
	}
	connected, known := system.Values["connected_to_police"].(bool)
	evidence, _ := system.Values["unconnected_evidence"].(string)
	return known && !connected && evidence != "" && system.Values["unconnected_confirmed_on"] != nil
}

// unagreed is what keeps a special provision from being approved: there must be
// something that was agreed.
func (g *Govern) unagreed(d decision.Decision, subject store.Subject) (f Faults) {
	if d.Type == decision.Special && !g.unconnected(subject) && d.Noted(decision.Agreement) == nil {
		f.add("agreed", "協議により合意した内容が記録されていない。情報セキュリティ管理者が記録した後に承認すること。",
			"What was agreed in the consultation is not recorded. The information security administrator records it first.")
	}
	return f
}
