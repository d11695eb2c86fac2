package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"kakusho/bilingual"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// CosignedFile is where the newest checkpoint with enough cosignatures is, below
// the trail's directory.
const CosignedFile = "witness/checkpoint"

// FollowOptions say how a log is presented to its witnesses.
type FollowOptions struct {
	Dir     string // of the trail
	Policy  Policy
	Now     func() time.Time
	Log     *slog.Logger
	Client  *http.Client  // nil: one with plain defaults and no redirects
	Every   time.Duration // between looks at the checkpoint; 0: 200 ms
	Timeout time.Duration // for one witness's answer; 0: 5 s
	Retry   time.Duration // after the first failure, doubled each time up to 64 times; 0: 1 s

	// Verify checks the log's own signature on a stored checkpoint, which may be
	// by a key before.
	Verify func(own []byte) (seal.Checkpoint, error)
}

// State is how it stands with a witness.
type State string

// The states of a witness. The last three are findings.
const (
	Waiting     State = "waiting" // not asked yet
	Cosigned    State = "cosigned"
	Unreachable State = "unreachable"
	Unknown     State = "unknown" // it does not take this log or its key
	RolledBack  State = "rolled-back"
	Forked      State = "forked"
)

var stateLabels = map[State]bilingual.Text{
	Waiting:     {JA: "未照会", EN: "Not asked yet"},
	Cosigned:    {JA: "立会済み", EN: "Has signed"},
	Unreachable: {JA: "応答なし", EN: "Does not answer"},
	Unknown:     {JA: "未登録（相手方が鍵を知らない）", EN: "Does not know this trail or its key"},
	RolledBack:  {JA: "拒否（証跡の巻戻し）", EN: "Refuses: it has seen more of the trail"},
	Forked:      {JA: "拒否（別の履歴）", EN: "Refuses: it has seen another history"},
}

// Label is the state as pages print it.
func (s State) Label() bilingual.Text { return stateLabels[s] }

// PeerStatus is one witness, as it last answered.
type PeerStatus struct {
	Name   string    `json:"name"`
	Key    string    `json:"key"`
	URL    string    `json:"url"`
	State  State     `json:"state"`
	Since  time.Time `json:"since"`  // of this state
	Size   int64     `json:"size"`   // of the checkpoint it signed last
	At     time.Time `json:"at"`     // when it did, by its clock
	Detail string    `json:"detail"` // technical
	Forgot int64     `json:"forgot"` // how often it named less than it had signed: its memory was lost or put back, and it may sign another history
}

// Status is how far a log is witnessed.
type Status struct {
	Peers   []PeerStatus    `json:"peers"`
	Newest  seal.Checkpoint `json:"newest"`  // with enough cosignatures
	At      time.Time       `json:"at"`      // the latest of them
	Current int64           `json:"current"` // size of the log's own checkpoint
	Fault   string          `json:"fault"`   // the log is not what was witnessed before
}

// Refused reports that somebody has seen another history of the log, or more of it.
func (s Status) Refused() bool {
	for _, p := range s.Peers {
		if p.State == RolledBack || p.State == Forked {
			return true
		}
	}
	return s.Fault != ""
}

// Follower presents each new checkpoint of a log to its witnesses.
type Follower struct {
	o      FollowOptions
	source Source
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	turn   *sync.Cond // the target has changed, or it is time to end
	ended  bool
	target target
	peers  []*peer
	status Status // without the peers
	stored []byte // text of status.Newest
}

// target is the checkpoint of the present round. All witnesses get the same, so
// that slow and quick ones come together.
type target struct {
	text  []byte
	c     seal.Checkpoint
	began time.Time
	sigs  []Cosignature
}

type peer struct {
	Peer
	known    int64 // size it signed last
	asked    int64 // size of the target it is done with; -1: none
	failures int
	status   PeerStatus
}

// Follow begins to present a log. What was witnessed in an earlier life is
// compared with the log first; when it differs, the status says so, and nothing
// more counts as witnessed until somebody has looked at it.
func Follow(l Source, o FollowOptions) *Follower {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	o.Every, o.Timeout, o.Retry = orElse(o.Every, 200*time.Millisecond), orElse(o.Timeout, 5*time.Second), orElse(o.Retry, time.Second)
	ctx, stop := context.WithCancel(context.Background())
	f := &Follower{o: o, source: l, stop: stop}
	f.turn = sync.NewCond(&f.mu)
	for _, p := range o.Policy.Witnesses {
		if p.URL == "" {
			continue
		}
		f.peers = append(f.peers, &peer{Peer: p, asked: -1, status: PeerStatus{Name: p.Name, Key: p.Key, URL: p.URL, State: Waiting, Since: o.Now()}})
	}
	if err := f.recall(ctx); err != nil {
		f.status.Fault = err.Error()
	}
	if f.status.Fault != "" {
		o.Log.Error("log is not what was witnessed", "fault", f.status.Fault)
	}
	for _, p := range f.peers {
		f.done.Go(func() { f.present(ctx, p) })
	}
	f.done.Go(func() { f.rounds(ctx) })
	return f
}

func orElse(d, other time.Duration) time.Duration {
	if d <= 0 {
		return other
	}
	return d
}

// recall reads what was witnessed before, and sees that the log continues it.
func (f *Follower) recall(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(f.o.Dir, CosignedFile))
	if errors.Is(err, os.ErrNotExist) {
		return pack.MkdirAll(pack.OS{}, filepath.Join(f.o.Dir, filepath.Dir(CosignedFile)))
	}
	if err != nil {
		return err
	}
	own, _, err := seal.Cosigned(text)
	if err != nil {
		return fmt.Errorf("%s: %w", CosignedFile, err)
	}
	was, err := f.o.Verify(own)
	if err != nil {
		return fmt.Errorf("%s: %w", CosignedFile, err)
	}
	by, err := f.o.Policy.Check(text)
	if err != nil {
		f.o.Log.Warn("stored cosignature does not hold", "error", err)
	}
	for _, s := range by {
		if p := f.peer(s.Witness); p != nil {
			p.known, p.status.Size, p.status.At = was.Size, was.Size, s.At
		}
		if s.At.After(f.status.At) {
			f.status.At = s.At
		}
	}
	f.status.Newest, f.stored = was, text
	return f.compare(ctx, was)
}

func (f *Follower) compare(ctx context.Context, was seal.Checkpoint) error {
	_, now, err := f.source.Checkpoint(ctx)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // a log that is just made is one of nothing
	}
	if err != nil {
		return err
	}
	switch {
	case now.Size < was.Size:
		f.status.Fault = fmt.Sprintf("%d segments were witnessed, here are %d: an old copy was put back", was.Size, now.Size)
	default:
		path, err := f.source.Consistency(ctx, was.Size, now.Size)
		if err != nil || !now.Extends(was, path) {
			f.status.Fault = fmt.Sprintf("the first %d segments are not those that were witnessed", was.Size)
		}
	}
	return nil
}

func (f *Follower) peer(name string) *peer {
	for _, p := range f.peers {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// rounds takes up the log's newest checkpoint whenever the one before has enough
// cosignatures, or those who could sign it have answered, or were too slow.
func (f *Follower) rounds(ctx context.Context) {
	tick := time.NewTicker(f.o.Every)
	defer tick.Stop()
	for {
		text, c, err := f.source.Checkpoint(ctx)
		if err == nil {
			f.propose(text, c)
		}
		select {
		case <-ctx.Done():
			f.mu.Lock()
			f.ended = true
			f.turn.Broadcast()
			f.mu.Unlock()
			return
		case <-tick.C:
		}
	}
}

func (f *Follower) propose(text []byte, c seal.Checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.o.Now()
	if bytes.Equal(f.target.text, text) || !f.over(now) {
		return
	}
	f.target = target{text: text, c: c, began: now}
	f.turn.Broadcast()
}

// over reports whether the round has come to its end.
func (f *Follower) over(now time.Time) bool {
	if f.target.text == nil || f.o.Policy.Satisfied(f.target.sigs) || now.Sub(f.target.began) > f.o.Timeout || now.Before(f.target.began) {
		return true
	}
	for _, p := range f.peers {
		if p.asked != f.target.c.Size && p.failures == 0 {
			return false
		}
	}
	return true
}

// present is the goroutine of one witness.
func (f *Follower) present(ctx context.Context, p *peer) {
	for {
		f.mu.Lock()
		for !f.ended && (f.target.text == nil || p.asked == f.target.c.Size) {
			f.turn.Wait()
		}
		t, known, ended := f.target, p.known, f.ended
		f.mu.Unlock()
		if ended {
			return
		}
		within, cancel := context.WithTimeout(ctx, f.o.Timeout)
		sig, known, err := submit(within, f.o.Client, p.Peer, f.source, known, t.text, t.c)
		cancel()
		if ctx.Err() != nil {
			return
		}
		wait := f.answered(p, t, sig, known, err)
		if wait == 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// answered notes what a witness said, and how long not to ask it again.
func (f *Follower) answered(p *peer, t target, sig Cosignature, known int64, err error) (wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.known = known
	if err != nil {
		f.state(p, stateOf(err), err.Error())
		wait = f.o.Retry << min(p.failures, 6)
		p.failures++
		return wait
	}
	p.asked, p.failures = t.c.Size, 0
	p.status.Size, p.status.At = t.c.Size, sig.At
	f.state(p, Cosigned, "")
	if sig.forgot {
		p.status.Forgot++
		f.o.Log.Error("witness has forgotten what it signed", "name", p.Name)
	}
	if bytes.Equal(t.text, f.target.text) {
		f.target.sigs = append(f.target.sigs, sig)
		if f.o.Policy.Satisfied(f.target.sigs) {
			f.store(f.target)
		}
	}
	return 0
}

func (f *Follower) state(p *peer, s State, detail string) {
	if p.status.State != s {
		p.status.Since = f.o.Now()
		level := slog.LevelInfo
		if s != Cosigned {
			level = slog.LevelWarn
		}
		if s == RolledBack || s == Forked {
			level = slog.LevelError
		}
		f.o.Log.Log(context.Background(), level, "witness", "name", p.Name, "state", s, "detail", detail)
	}
	p.status.State, p.status.Detail = s, detail
}

func stateOf(err error) State {
	switch {
	case errors.Is(err, ErrRolledBack):
		return RolledBack
	case errors.Is(err, ErrForked):
		return Forked
	case errors.Is(err, ErrUnknown):
		return Unknown
	}
	return Unreachable
}

// store keeps the checkpoint with its cosignatures, in the order of the policy.
// A fault found when the log was opened stays until it is opened again.
func (f *Follower) store(t target) {
	if f.status.Fault != "" {
		return
	}
	text := bytes.Clone(t.text)
	at := time.Time{}
	for _, w := range f.o.Policy.Witnesses {
		for _, s := range t.sigs {
			if s.Witness == w.Name {
				text = append(text, s.Line...)
				if s.At.After(at) {
					at = s.At
				}
			}
		}
	}
	if err := pack.WriteWhole(pack.OS{}, filepath.Join(f.o.Dir, CosignedFile), text); err != nil {
		f.o.Log.Warn("cosigned checkpoint not kept", "error", err)
		return
	}
	f.status.Newest, f.status.At, f.stored = t.c, at, text
}

// Cosigned is the newest checkpoint with enough cosignatures; nil when there is none.
func (f *Follower) Cosigned() ([]byte, seal.Checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stored, f.status.Newest
}

// Status is how it stands now.
func (f *Follower) Status() Status {
	_, c, err := f.source.Checkpoint(context.Background())
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status
	if err == nil {
		s.Current = c.Size
	}
	for _, p := range f.peers {
		s.Peers = append(s.Peers, p.status)
	}
	return s
}

// Close ends the asking; a witness that is slow to answer is not waited for.
func (f *Follower) Close() {
	f.stop()
	f.done.Wait()
}
