// Package notice tells people what is new in their inboxes, by mail and webhook.
//
// It sleeps until an inbox may be another: until the first instant at which one changes
// by time, or until something was recorded. What it could not hand over it tries again;
// what was handed over is recorded and not told again. When the program is killed
// between the two, the digest goes out once more under the same number.
package notice

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"time"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/identity"
	"kakusho/identity/notice"
	"kakusho/web/inbox/due"
)

// Config is what a Teller works with.
type Config struct {
	Keeper   *notice.Keeper
	Identity *identity.Identity
	Sources  func() due.Sources // of the present
	Gate     *gate.Gate
	Now      func() time.Time
	Log      *slog.Logger
}

// Teller tells people what is new.
type Teller struct {
	cfg    Config
	wake   chan struct{}
	failed map[string]failure // by channel, and by channel and person
}

// failure is what could not be handed over, and when it is tried again.
type failure struct {
	times int
	again time.Time
}

// New returns a teller. Run it.
func New(cfg Config) *Teller {
	return &Teller{cfg: cfg, wake: make(chan struct{}, 1), failed: map[string]failure{}}
}

// Wake says that an inbox may be another than it was.
func (t *Teller) Wake() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// rest is how long it rests at least between two looks, and how many times as long as
// the last look took.
const (
	rest     = time.Second
	restPart = 20
)

// Run tells until ctx ends.
func (t *Teller) Run(ctx context.Context) {
	permit, err := t.cfg.Gate.Ask(ctx, gate.Request{Actor: actor.Program, At: t.cfg.Now(), Action: gate.RunNotices, Object: "notices"})
	if err != nil {
		t.cfg.Log.Error("notices cannot begin", "error", err)
		return
	}
	for {
		began := time.Now()
		next, err := t.look(ctx, permit)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.cfg.Log.Error("look what is new in the inboxes", "error", err)
			next = t.cfg.Now().Add(time.Minute)
		}
		if !t.sleep(ctx, max(rest, restPart*time.Since(began)), next) {
			return
		}
	}
}

// sleep waits at least for a while, then until next or until woken; false: ctx ended.
func (t *Teller) sleep(ctx context.Context, least time.Duration, next time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(least):
	}
	var alarm <-chan time.Time
	if !next.IsZero() {
		timer := time.NewTimer(max(0, next.Sub(t.cfg.Now())))
		defer timer.Stop()
		alarm = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-t.wake:
	case <-alarm:
	}
	return true
}

// look tells everybody what is new, and says when something may be again; zero: only
// when it is woken.
func (t *Teller) look(ctx context.Context, permit gate.Permit) (next time.Time, err error) {
	s, err := t.cfg.Keeper.Settings(ctx)
	if err != nil || !s.On {
		return time.Time{}, err
	}
	x, err := t.cfg.Keeper.Secrets(s)
	if err != nil {
		return time.Time{}, err
	}
	now := t.cfg.Now()
	holders, next, err := t.cfg.Identity.Holders(ctx, now)
	if err != nil {
		return time.Time{}, err
	}
	sooner := func(at time.Time) {
		if at.After(now) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, h := range holders {
		box, err := t.cfg.Sources().Of(ctx, permit.For(h.Actor), now)
		if err != nil {
			return time.Time{}, err
		}
		sooner(box.Until)
		for _, c := range notice.Channels {
			if !s.Has(c) || c == notice.Mail && h.Email == "" {
				continue
			}
			again, err := t.tell(ctx, s, x, c, h, box)
			if err != nil {
				return time.Time{}, err
			}
			sooner(again)
		}
	}
	return next, nil
}

// tell tells one person by one channel what he was not told of yet. again is when that
// is to be tried.
func (t *Teller) tell(ctx context.Context, s notice.Settings, x notice.Secrets, c notice.Channel, h identity.Holder, box due.Inbox) (again time.Time, err error) {
	told, last, err := t.cfg.Keeper.Told(ctx, h.Person)
	if err != nil {
		return again, err
	}
	d := digest{to: h, at: box.At}
	var keys []string
	there := map[string]bool{}
	for _, i := range box.Items {
		item := i.Key()
		if i.Late(box.At) {
			item += " late"
		}
		key := notice.Key(c, item)
		if there[key] = true; told[key] {
			continue
		}
		d.items, keys = append(d.items, i), append(keys, key)
		if i.Late(box.At) {
			d.late++
		}
	}
	if len(keys) == 0 {
		return again, nil
	}
	if wait := last[c].Add(time.Duration(s.Minutes) * time.Minute); box.At.Before(wait) {
		return wait, nil
	}
	own := string(c) + " " + h.Person
	for _, name := range []string{string(c), own} {
		if f := t.failed[name]; box.At.Before(f.again) {
			return f.again, nil
		}
	}
	sum := sha256.Sum256([]byte(own + " " + strings.Join(keys, " ")))
	d.id = hex.EncodeToString(sum[:16])
	if err := ways[c](ctx, s, x, d); err != nil {
		if ctx.Err() != nil {
			return again, ctx.Err()
		}
		name := string(c)
		if errors.Is(err, errRecipient) {
			name = own
		}
		again = t.fail(name, box.At)
		t.cfg.Keeper.Note(c, box.At, err, again)
		t.cfg.Log.Warn("a notice could not be handed over and is tried again", "channel", c, "person", h.Person, "error", err, "again", again)
		return again, nil
	}
	delete(t.failed, string(c))
	delete(t.failed, own)
	t.cfg.Keeper.Note(c, box.At, nil, time.Time{})
	var gone []string
	for key := range told {
		if strings.HasPrefix(key, string(c)+":") && !there[key] {
			gone = append(gone, key)
		}
	}
	return again, t.cfg.Keeper.Sent(context.WithoutCancel(ctx), h.Person, c, keys, gone, box.At)
}

// The time until something is tried again doubles from the first to the last.
const (
	firstAgain = time.Minute
	lastAgain  = time.Hour
)

func (t *Teller) fail(name string, at time.Time) time.Time {
	f := t.failed[name]
	f.again = at.Add(min(firstAgain<<min(f.times, 10), lastAgain))
	f.times++
	t.failed[name] = f
	return f.again
}
