package govern

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control/carry"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/store"
	"kakusho/store/superior"
)

type clauseID = clause.ID

// Proposal is a value put forward for a parameter, in whatever state.
type Proposal = store.Setting

var layers = regexp.MustCompile(`^(national|prefecture/[^/\s]{1,64}|system/[^/\s]{1,64})$`)

// Propose puts forward a value for a parameter. It counts from its effective
// date once somebody else has approved it.
func (g *Govern) Propose(ctx context.Context, who actor.Actor, s directive.Setting, at time.Time) (id string, err error) {
	var faults Faults
	p, ok := g.directive.Parameters[s.Key]
	if !ok {
		faults.add("key", "この項目はない。", "There is no such parameter.")
		return "", faults
	}
	v, err := p.Check(s.Value)
	if err != nil || v == nil {
		faults.add("value", p.Label.JA+"の値が正しくない。型、単位及び範囲を確認すること。", fmt.Sprintf("The value does not fit %s: %v.", p.Label.EN, err))
	}
	if !layers.MatchString(s.Layer) {
		faults.add("layer", "層は national、prefecture/名称、system/番号 のいずれかとすること。", "The layer is national, prefecture/NAME or system/NUMBER.")
	}
	if s.Source == "" {
		faults.add("source", "根拠となる文書の名称・番号・日付を入力すること。", "Name the document (title, number, date) that determines it.")
	}
	faults.read("source", s.Source)
	faults.read("layer", s.Layer)
	if s.From.IsZero() {
		s.From = at
	}
	if !s.Until.IsZero() && !s.Until.After(s.From) {
		faults.add("until", "終期は始期より後とすること。", "The end must be after the beginning.")
	}
	if len(faults) == 0 && s.Layer != directive.LayerNational {
		if err := g.checkLayer(ctx, p, v, s, &faults); err != nil {
			return "", err
		}
	}
	if p.Directive {
		faults.add("key", "指令の本文が定める値であり、変更できない。", "This value is the directive's own and cannot be changed.")
	}
	if len(faults) > 0 {
		return "", faults
	}
	s.ID, s.By, s.Value, s.Approver = newID(), who.Person, fact.Canonical(v), ""
	_, err = g.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.SetParameter, Object: "parameter/" + s.Key, Clauses: p.Clauses,
		Scope: []string{s.Layer}, Changes: []gate.Change{{Body: s}},
	})
	return s.ID, err
}

// checkLayer holds a nearer layer to the ones above: it only tightens.
func (g *Govern) checkLayer(ctx context.Context, p directive.Parameter, v any, s directive.Setting, faults *Faults) error {
	var scope directive.Scope // of the layers above
	var set []directive.Setting
	err := g.rows.View(ctx, func(r store.Reader) (err error) {
		if id, ok := strings.CutPrefix(s.Layer, "system/"); ok {
			sys, there, err := store.Get(ctx, r, store.Subject{Kind: "system", ID: id})
			if err != nil {
				return err
			}
			if !there || sys.Retired {
				faults.add("layer", "システム「"+id+"」は台帳に登録されていない。", fmt.Sprintf("System %q is not in the register.", id))
			}
			if scope.Prefecture, err = prefecture(ctx, r, sys.Unit); err != nil {
				return err
			}
		}
		set, err = g.settings(ctx, r)
		return err
	})
	if err != nil {
		return err
	}
	upper := g.directive.Parameters.Resolve(set, scope, s.From)[p.Key].Value
	special, _ := g.directive.Clause(g.directive.Grants[string(decision.Special)])
	switch {
	case g.directive.Parameters.Tightens(p.Key, upper, v):
	case p.Stricter == "none":
		faults.add("layer", "厳しさの向きがない値であり、全国の層だけが定める。", "No value of it is stricter than another; only the national layer sets it.")
	default:
		faults.add("value", "上の層の値（"+p.Format(upper, bilingual.JA)+"）より緩い。下の層は厳しくすることだけができる。緩める必要があるときは、"+special.Label.JA+"の別段の定めによること。",
			"Looser than the layer above ("+p.Format(upper, bilingual.EN)+"). A lower layer only tightens; what must be looser needs a special provision ("+special.Label.EN+").")
	}
	return nil
}

// prefecture is that of a unit: the nearest that it or one above it names.
func prefecture(ctx context.Context, r store.Reader, unit string) (string, error) {
	for n := 0; unit != "" && n < 64; n++ { // units that name each other as parent end here
		u, ok, err := store.Get(ctx, r, store.Subject{Kind: "unit", ID: unit})
		if err != nil || !ok {
			return "", err
		}
		if p, _ := u.Values["prefecture"].(string); p != "" {
			return p, nil
		}
		unit, _ = u.Values["parent"].(string)
	}
	return "", nil
}

// ApproveSetting makes a proposed value count. Its author cannot. Whoever approves was
// shown what comes of exactly this draft: p is that, as it is now, and seen the digest of
// what he was shown. It is sealed with the approval.
func (g *Govern) ApproveSetting(ctx context.Context, who actor.Actor, id string, p decision.Prediction, seen string, at time.Time) error {
	return g.settingStep(ctx, who, gate.ApproveParameter, stepBody{ID: id, Predicted: &p}, seen, at)
}

// unpredicted is what keeps a value from being approved: nobody tried it, or what was
// tried or shown is something else.
func unpredicted(s directive.Setting, p decision.Prediction, seen string) (f Faults) {
	switch {
	case seen == "" || p.Key == "":
		f.add("predicted", "この案の試算の結果を表示し、確認した後に承認すること。", "Look at what comes of this draft before you approve it.")
	case !p.Of(s.Key, s.Layer, s.Value, s.From):
		f.add("predicted", "試算が、この案（値、層及び始期）についてのものではない。改めて試算すること。", "What was tried is not this draft: its value, layer and beginning. Try it again.")
	case seen != p.Digest():
		f.add("predicted", "表示した後に、試算の結果が変わった。改めて確認した後に承認すること。", "What comes of it has changed since you looked. Look again before you approve it.")
	}
	return f
}

// EndSetting rejects or takes back a proposal. A value that was approved is not
// ended by one person: another value takes its place, and needs approval too.
func (g *Govern) EndSetting(ctx context.Context, who actor.Actor, id, reason string, at time.Time) error {
	if faults := why(reason); len(faults) > 0 {
		return faults
	}
	return g.settingStep(ctx, who, gate.EndParameter, stepBody{ID: id, Reason: reason}, "", at)
}

func (g *Govern) settingStep(ctx context.Context, who actor.Actor, action gate.Action, b stepBody, seen string, at time.Time) error {
	g.deciding.Lock()
	defer g.deciding.Unlock()
	r, s, err := g.askedOf(ctx, who, action, b, at)
	if err != nil {
		return err
	}
	if b.Predicted != nil && r.Allows() {
		if faults := unpredicted(s, *b.Predicted, seen); len(faults) > 0 {
			return faults
		}
	}
	_, err = g.gate.Ask(ctx, r)
	return err
}

// askedOf is what the gate is asked when somebody leads a proposal on; ErrState when
// nothing is left to decide about it.
func (g *Govern) askedOf(ctx context.Context, who actor.Actor, action gate.Action, b stepBody, at time.Time) (r gate.Request, draft directive.Setting, err error) {
	id := b.ID
	err = g.rows.View(ctx, func(rd store.Reader) error {
		s, ok, err := store.Get(ctx, rd, store.Setting{ID: id})
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("%s: %w", id, ErrNone)
		case !s.WithdrawnAt.IsZero() || s.Approver != "":
			return fmt.Errorf("%s: %w", id, ErrState)
		}
		draft = directive.Setting{ID: s.ID, Key: s.Key, Layer: s.Layer, Value: s.Value, From: s.From}
		r = gate.Request{
			Actor: who, At: at, Action: action, Object: "parameter/" + s.Key, Scope: []string{s.Layer},
			Changes: []gate.Change{{Body: b}},
		}
		if action == gate.ApproveParameter {
			r.Need, r.NotBy = []actor.Duty{actor.SecurityAdministrator, actor.Chief}, []string{s.By}
			ruling, err := superior.Of(ctx, rd, s.By, r.Need, r.Scope, at)
			r.Actor = ruling.Other(who)
			return err
		}
		return nil
	})
	return r, draft, err
}

// MaySettle says what somebody may do with a proposal at an instant.
func (g *Govern) MaySettle(ctx context.Context, p gate.Permit, id string, at time.Time) (approve, end bool, err error) {
	for action, may := range map[gate.Action]*bool{gate.ApproveParameter: &approve, gate.EndParameter: &end} {
		r, _, err := g.askedOf(ctx, p.Who(), action, stepBody{ID: id}, at)
		if errors.Is(err, ErrState) {
			continue
		} else if err != nil {
			return false, false, err
		}
		*may = r.Allows()
	}
	return approve, end, nil
}

// Settings lists every value ever proposed for a parameter, newest first; for
// all parameters when key is empty.
func (g *Govern) Settings(ctx context.Context, p gate.Permit, key string) (out []Proposal, err error) {
	p.Who()
	w := store.Where{Sort: []string{"-entry"}}
	if key != "" {
		w.Equal = map[string]any{"key": key}
	}
	err = g.rows.View(ctx, func(r store.Reader) (err error) {
		out, err = store.All[Proposal](ctx, r, w)
		return err
	})
	return out, err
}

// settings reads the approved values and those of special provisions, as Resolve wants
// them.
func (g *Govern) settings(ctx context.Context, r store.Reader) ([]directive.Setting, error) {
	rows, err := store.All[store.Setting](ctx, r, store.Where{Sort: []string{"entry"}})
	if err != nil {
		return nil, fmt.Errorf("read parameters: %w", err)
	}
	special, err := store.All[store.Decision](ctx, r, store.Where{Equal: map[string]any{"type": string(decision.Special)}})
	if err != nil {
		return nil, fmt.Errorf("read special provisions: %w", err)
	}
	var provide []decision.Decision
	for _, d := range special {
		if carry.Under(g.directive.Source, d.Decision) {
			provide = append(provide, d.Decision)
		}
	}
	return append(store.Approved(rows), store.Provided(provide)...), nil
}

// Values are the parameters that hold for a scope at an instant. They are no
// secret within the installation and need no permit: the program itself is held
// to them.
func (g *Govern) Values(ctx context.Context, scope directive.Scope, at time.Time) (v directive.Values, err error) {
	err = g.rows.View(ctx, func(r store.Reader) error {
		set, err := g.settings(ctx, r)
		v = g.directive.Parameters.Resolve(set, scope, at)
		return err
	})
	return v, err
}
