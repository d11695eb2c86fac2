// Package superior reads from the registers who decides when he who asks for something
// could decide it himself: not he, nor his equal, but a post above his.
package superior

import (
	"context"
	"slices"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/store"
)

// Ruling says who may decide about what somebody asked for.
type Ruling struct {
	Held  []actor.Duty // of those that decide, the ones the applicant holds himself over the place; empty: anybody else may
	Posts []string     // above those by which he holds them
}

// Of is the ruling about what the applicant asked for at places: duties decide there.
func Of(ctx context.Context, rd store.Reader, applicant string, duties []actor.Duty, places []string, at time.Time) (r Ruling, err error) {
	own, err := assignments(ctx, rd, applicant, at)
	if err != nil {
		return r, err
	}
	within, err := around(ctx, rd, places)
	if err != nil {
		return r, err
	}
	for _, as := range own {
		if !slices.Contains(duties, as.Duty) || !slices.Contains(within, as.Scope) {
			continue
		}
		up, err := above(ctx, rd, as.Post)
		if err != nil {
			return r, err
		}
		r.Held, r.Posts = append(r.Held, as.Duty), append(r.Posts, up...)
	}
	return r, nil
}

// Above is who with only what he holds by a post above the applicant's.
func (r Ruling) Above(who actor.Actor) actor.Actor {
	return without(who, func(as actor.Assignment) bool { return len(r.Held) > 0 && !slices.Contains(r.Posts, as.Post) })
}

// Other is who without the duties that the applicant holds as well, unless by a post
// above his. Where no post stands above the applicant's, another person is enough.
func (r Ruling) Other(who actor.Actor) actor.Actor {
	return without(who, func(as actor.Assignment) bool {
		return len(r.Posts) > 0 && slices.Contains(r.Held, as.Duty) && !slices.Contains(r.Posts, as.Post)
	})
}

func without(who actor.Actor, not func(actor.Assignment) bool) actor.Actor {
	who.Assignments = slices.DeleteFunc(slices.Clone(who.Assignments), not)
	return who
}

// assignments are those of a person at an instant.
func assignments(ctx context.Context, rd store.Reader, person string, at time.Time) (out []actor.Assignment, err error) {
	err = rd.List(ctx, &store.Subject{}, store.Where{Equal: map[string]any{"kind": "assignment", "retired": false, "values.person": person}}, func(row store.Row) error {
		v := row.(*store.Subject).Values
		text := func(name string) string { s, _ := v[name].(string); return s }
		from, _ := time.Parse(time.RFC3339, text("from"))
		until, err := time.Parse(time.RFC3339, text("until"))
		if !at.Before(from) && (err != nil || at.Before(until)) {
			out = append(out, actor.Assignment{Post: text("post"), Duty: actor.Duty(text("duty")), Scope: text("scope")})
		}
		return nil
	})
	return out, err
}

// around are the scopes that cover one of places: itself, of a unit those above it, and
// everything.
func around(ctx context.Context, rd store.Reader, places []string) ([]string, error) {
	out := append([]string{"*"}, places...)
	for i := 1; i < len(out) && len(out) < 256; i++ { // out grows while it is walked
		id, unit := strings.CutPrefix(out[i], "unit/")
		if !unit {
			continue
		}
		s, _, err := store.Get(ctx, rd, store.Subject{Kind: "unit", ID: id})
		if err != nil {
			return nil, err
		}
		if up, _ := s.Values["parent"].(string); up != "" && !slices.Contains(out, "unit/"+up) {
			out = append(out, "unit/"+up)
		}
	}
	return out, nil
}

// above are the posts above one, the nearest first.
func above(ctx context.Context, rd store.Reader, post string) (up []string, err error) {
	for len(up) < 64 { // posts that name each other as superior end here
		s, ok, err := store.Get(ctx, rd, store.Subject{Kind: "post", ID: post})
		if err != nil || !ok {
			return up, err
		}
		if post, _ = s.Values["superior"].(string); post == "" || slices.Contains(up, post) {
			return up, nil
		}
		up = append(up, post)
	}
	return up, nil
}
