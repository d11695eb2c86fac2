package govern

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"kakusho/actor"
	"kakusho/clause"
	"kakusho/control/carry"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/gate"
	"kakusho/store"
	"kakusho/trail"
)

// Adoption is a directive that was taken into force.
type Adoption = store.Adoption

// adoptBody is what the trail keeps of an adoption: one entry for the act, then one
// for each answer that is carried over. They are sealed together or not at all.
type adoptBody struct {
	Adopts  *adopted           `json:"adopts,omitempty"`
	Carried *decision.Decision `json:"carried,omitempty"` // as it stands from now on
}

// adopted is the act. Asked and Archived name the answers that are not carried.
type adopted struct {
	Source   string   `json:"source"`
	Replaces string   `json:"replaces"`
	Document string   `json:"document"`
	Reason   string   `json:"reason"`
	Carried  int64    `json:"carried"`
	Asked    []string `json:"asked,omitempty"`
	Archived []string `json:"archived,omitempty"`
}

// Succession says which directive takes the place of which, and what becomes of
// answers.
type Succession struct {
	*carry.Planner
	Document string // that issued the successor: title, number, date
	Reason   string
	Drafts   bool // a draft may be adopted: in an invented body only
}

// Plan is what becomes of every answer that stands: neither withdrawn nor ended.
func (g *Govern) Plan(ctx context.Context, p gate.Permit, planner *carry.Planner, at time.Time) (lines []carry.Line, err error) {
	p.Who()
	err = g.rows.View(ctx, func(r store.Reader) (err error) {
		lines, err = plan(ctx, r, planner, at)
		return err
	})
	return lines, err
}

func plan(ctx context.Context, r store.Reader, p *carry.Planner, at time.Time) (lines []carry.Line, err error) {
	rows, err := store.All[store.Decision](ctx, r, store.Where{Sort: []string{"entry"}})
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	there := map[string]bool{} // carried before, by an adoption that was followed by another
	for _, d := range rows {
		if d.Directive == p.To().Source && d.Carries != "" {
			there[d.Carries] = true
		}
	}
	for _, d := range rows {
		over := !d.WithdrawnAt.IsZero() || !d.Until.IsZero() && !at.Before(d.Until)
		if over || there[d.ID] || d.Type == decision.Override || !carry.Under(p.From().Source, d.Decision) {
			continue
		}
		lines = append(lines, p.Of(d.Decision))
	}
	return lines, nil
}

// Adopt takes the successor into force. Every answer that the plan carries over is
// given again under it, with the person, the day and the approval it had; the rest
// stays as it is, about the directive it was given under.
func (g *Govern) Adopt(ctx context.Context, who actor.Actor, s Succession, at time.Time) error {
	g.deciding.Lock()
	defer g.deciding.Unlock()
	var holds string // as the rows say, whatever directive g decides under
	var lines []carry.Line
	err := g.rows.View(ctx, func(r store.Reader) (err error) {
		if holds, err = inForce(ctx, r); err != nil {
			return err
		}
		lines, err = plan(ctx, r, s.Planner, at)
		return err
	})
	if err != nil {
		return err
	}
	if faults := s.check(holds, at); len(faults) > 0 {
		return faults
	}
	act := adopted{Source: s.To().Source, Replaces: s.From().Source, Document: s.Document, Reason: s.Reason}
	changes := make([]gate.Change, 1, len(lines)+1)
	for _, l := range lines {
		switch l.Fate {
		case carry.Carried:
			d := l.New
			d.ID = newID()
			act.Carried++
			changes = append(changes, gate.Change{Object: string(d.Subject), Body: adoptBody{Carried: &d}})
		case carry.Asked:
			act.Asked = append(act.Asked, l.Old.ID)
		case carry.Archived:
			act.Archived = append(act.Archived, l.Old.ID)
		}
	}
	changes[0] = gate.Change{Body: adoptBody{Adopts: &act}}
	_, err = g.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.AdoptDirective, Object: "directive/" + act.Source,
		Clauses: []clause.ID{clause.ID(act.Source)}, Changes: changes,
	})
	return err
}

// check holds for a succession while the directive of a source is in force.
func (s Succession) check(holds string, at time.Time) (f Faults) {
	if f.read("document", s.Document); s.Document == "" {
		f.add("document", "発出した文書の名称・番号・日付を入力すること。", "Name the document (title, number, date) that issued it.")
	}
	if f.read("reason", s.Reason); s.Reason == "" {
		f.add("reason", "理由を入力すること。", "Give the reason.")
	}
	from, to := s.From(), s.To()
	switch {
	case from.Source != holds || to.Succeeds != from.Source:
		f.add("source", "現に適用している規程の後継ではない。", "It does not succeed the directive in force.")
	case to.Draft && !s.Drafts:
		f.add("source", "案であり、発出されていないため適用できない。", "It is a draft that nobody issued, and cannot be taken into force.")
	case !to.Draft && !to.InForce(at):
		f.add("source", "施行日前であるか、有効期間が終わっている。", "It is not in force on this day.")
	}
	return f
}

// Adoptions lists every directive that was taken into force, newest first.
func (g *Govern) Adoptions(ctx context.Context, p gate.Permit) (out []Adoption, err error) {
	p.Who()
	err = g.rows.View(ctx, func(r store.Reader) (err error) {
		out, err = store.All[Adoption](ctx, r, store.Where{Sort: []string{"-entry"}})
		return err
	})
	return out, err
}

// InForce is the source of the directive that rows say was adopted last; of the first
// when none was.
func InForce(ctx context.Context, rows store.Store) (source string, err error) {
	err = rows.View(ctx, func(r store.Reader) (err error) {
		source, err = inForce(ctx, r)
		return err
	})
	return source, err
}

func inForce(ctx context.Context, r store.Reader) (source string, err error) {
	all, err := store.All[Adoption](ctx, r, store.Where{Sort: []string{"-entry"}, Limit: 1})
	if err != nil {
		return "", fmt.Errorf("read adoptions: %w", err)
	}
	if len(all) == 0 {
		return directive.First, nil
	}
	return all[0].Source, nil
}

func foldAdoption(ctx context.Context, tx store.Tx, e trail.Sealed) error {
	var b adoptBody
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return err
	}
	if b.Carried != nil {
		return tx.Put(ctx, &store.Decision{Decision: *b.Carried, Entry: e.Seq})
	}
	if b.Adopts == nil {
		return nil
	}
	return tx.Put(ctx, &Adoption{
		Source: b.Adopts.Source, Replaces: b.Adopts.Replaces, Document: b.Adopts.Document, Reason: b.Adopts.Reason,
		By: e.Actor, Post: e.Post, At: e.At, Carried: b.Adopts.Carried,
		Asked: int64(len(b.Adopts.Asked)), Archived: int64(len(b.Adopts.Archived)), Entry: e.Seq,
	})
}
