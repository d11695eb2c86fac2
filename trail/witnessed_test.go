package trail_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/trail"
	"kakusho/trail/audit"
	"kakusho/trail/key"
	"kakusho/trail/prove"
	"kakusho/trail/witness"
)

// prefecture is an installation: a trail, and a witness for others.
type prefecture struct {
	name   string
	dir    string
	w      *witness.Witness
	server *httptest.Server
	policy witness.Policy
}

// prefectures are installations that witness each other, each by all others; need
// of them must sign. Their trails have their first key.
func prefectures(t *testing.T, need string, names ...string) []*prefecture {
	t.Helper()
	var all []*prefecture
	for _, name := range names {
		p := &prefecture{name: name, dir: filepath.Join(ramDir(t), name)}
		w, err := witness.Open(filepath.Join(p.dir, "witness"), witness.Options{Name: "kakusho/" + name + "/witness", Now: options().Now})
		if err != nil {
			t.Fatal(err)
		}
		p.w, p.server = w, httptest.NewServer(w)
		t.Cleanup(func() { p.server.Close(); w.Close() })
		all = append(all, p)
		if err := p.open(t).Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range all {
		text, members := "", ""
		for _, q := range all {
			if q == p {
				continue
			}
			text += fmt.Sprintf("witness %s %s %s\n", q.name, q.w.PublicKey(), q.server.URL)
			members += " " + q.name
			if err := witness.Trust(filepath.Join(q.dir, "witness"), public(t, p.trail())); err != nil {
				t.Fatal(err)
			}
		}
		policy, err := witness.ParsePolicy([]byte(text + "group others " + need + members + "\nquorum others\n"))
		if err != nil {
			t.Fatal(err)
		}
		p.policy = policy
	}
	return all
}

func (p *prefecture) trail() string { return filepath.Join(p.dir, "trail") }

func (p *prefecture) open(t *testing.T) *trail.Log {
	t.Helper()
	o := options()
	o.Installation, o.Witnesses = p.name, p.policy
	l, err := trail.Open(p.trail(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// grow appends and seals a segment of n entries.
func grow(t *testing.T, l *trail.Log, n int) {
	t.Helper()
	for i := range n {
		if _, err := l.Append(t.Context(), entry(int(l.Len())+i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// until waits for the status of the witnesses to be as wanted.
func until(t *testing.T, l *trail.Log, what string, ok func(witness.Status) bool) witness.Status {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		s := l.Witnessed()
		if ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("not %s: %+v", what, s)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func current(s witness.Status) bool {
	return s.Newest.Size > 0 && s.Newest.Size == s.Current && !s.Refused()
}

func in(state witness.State) func(witness.Status) bool {
	return func(s witness.Status) bool {
		for _, p := range s.Peers {
			if p.State != state {
				return false
			}
		}
		return len(s.Peers) > 0
	}
}

func TestTwoPrefecturesWitnessEachOther(t *testing.T) {
	both := prefectures(t, "all", "osaka", "kyoto")
	var logs []*trail.Log
	for _, p := range both {
		logs = append(logs, p.open(t))
	}
	for range 3 {
		for _, l := range logs {
			grow(t, l, 2)
			until(t, l, "witnessed", current)
		}
	}
	for i, p := range both {
		proof, err := logs[i].Prove(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		if err := logs[i].Close(); err != nil {
			t.Fatal(err)
		}
		believe := trail.Trust{Key: public(t, p.trail()), Policy: p.policy}
		if s, err := trail.VerifyProofWith(proof, believe); err != nil || len(s.Witnessed) != 1 {
			t.Errorf("%s: witnessed proof: %v %v", p.name, s.Witnessed, err)
		}
		if _, err := trail.VerifyProof(proof, believe.Key); err != nil {
			t.Errorf("%s: without a policy: %v", p.name, err)
		}
		// The other's policy names another witness: this proof is not enough for it.
		stranger := trail.Trust{Key: believe.Key, Policy: both[1-i].policy}
		if _, err := trail.VerifyProofWith(proof, stranger); !errors.Is(err, prove.ErrUnwitnessed) {
			t.Errorf("%s: with the other's policy: %v", p.name, err)
		}
		r, err := trail.VerifyWith(t.Context(), p.trail(), believe, false, nil)
		if err != nil || !r.OK() || r.Witnessed < 3 || len(r.Witnesses) != 1 {
			t.Errorf("%s: verify: %v %+v", p.name, err, r)
		}
		flipCosigned(t, p, believe)
	}
}

// flipCosigned flips bytes of what witnesses have signed; an auditor with the
// policy finds it.
func flipCosigned(t *testing.T, p *prefecture, believe trail.Trust) {
	t.Helper()
	name := filepath.Join(p.trail(), witness.CosignedFile)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := rand.N(oneIn(5)); i < len(good); i += 1 + rand.N(2*oneIn(5)-1) {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1 << (i % 7)
		write(t, name, bad)
		if r, err := trail.VerifyWith(t.Context(), p.trail(), believe, false, nil); err != nil || r.OK() {
			t.Errorf("byte %d of %s flipped: not found, %v", i, witness.CosignedFile, err)
		}
	}
	write(t, name, good)
}

// TestARolledBackTrailIsRefused puts a whole old copy of a trail back, which nothing
// in it can show: the witness knows better, and so does what lies beside the trail
// when that was not put back too.
func TestARolledBackTrailIsRefused(t *testing.T) {
	for _, all := range []bool{true, false} {
		both := prefectures(t, "all", "osaka", "kyoto")
		p := both[0]
		l := p.open(t)
		grow(t, l, 2)
		until(t, l, "witnessed", current)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		backup := files(t, p.trail())
		l = p.open(t)
		for range 3 {
			grow(t, l, 2)
		}
		until(t, l, "witnessed", current)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		newest := files(t, p.trail())[witness.CosignedFile]
		restore(t, p.trail(), backup)
		if !all {
			write(t, filepath.Join(p.trail(), witness.CosignedFile), newest)
		}
		believe := trail.Trust{Key: public(t, p.trail()), Policy: p.policy}
		r, err := trail.VerifyWith(t.Context(), p.trail(), believe, false, nil)
		if err != nil || r.OK() != all {
			t.Errorf("all put back: %v: verify: %v %v", all, err, r.Problems)
		}
		if !all && (len(r.Problems) != 1 || r.Problems[0].What != audit.Witness) {
			t.Errorf("got %v, want that more was witnessed", r.Problems)
		}
		l = p.open(t)
		s := until(t, l, "rolled back", in(witness.RolledBack))
		if !s.Refused() || (s.Fault == "") != all {
			t.Errorf("all put back: %v: status %+v", all, s)
		}
		// Entries are taken all the same, but none counts as witnessed, until the
		// rolled back log is as long as the one before: then it is another.
		grow(t, l, 1)
		grow(t, l, 1)
		grow(t, l, 1)
		s = until(t, l, "forked", in(witness.Forked))
		if current(s) {
			t.Errorf("another history counts as witnessed: %+v", s)
		}
		list, err := both[1].w.List()
		if err != nil || len(list) != 1 || list[0].Evidence == 0 {
			t.Errorf("the witness keeps no evidence: %+v %v", list, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func restore(t *testing.T, dir string, backup map[string][]byte) {
	t.Helper()
	for _, name := range []string{"pack", "log", "witness"} { // the private key is not in it
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range backup {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), data)
	}
}

// TestWitnessesThatFailDelayNothing has three others of whom two must sign: one is
// down, then hangs, then two are down, then they are back.
func TestWitnessesThatFailDelayNothing(t *testing.T) {
	all := prefectures(t, "2", "osaka", "kyoto", "nara", "hyogo")
	p := all[0]
	var hang [4]chan struct{}
	for i, q := range all {
		inner, name := q.server.Config.Handler, i
		q.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch c := hang[name]; {
			case c == nil:
				inner.ServeHTTP(w, r)
			default:
				select {
				case <-c:
				case <-r.Context().Done():
				}
			}
		})
	}
	l := p.open(t)
	grow(t, l, 1)
	until(t, l, "witnessed", current)
	hang[3] = make(chan struct{})
	for range 3 {
		grow(t, l, 1)
		until(t, l, "witnessed by two while one hangs", current)
	}
	all[2].server.CloseClientConnections()
	all[2].server.Listener.Close()
	began := time.Now()
	grow(t, l, 1)
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("sealing took %v while witnesses were down", d)
	}
	proof, err := l.Prove(t.Context(), l.Len()-1)
	if err != nil {
		t.Fatalf("an entry that is not witnessed is not proved: %v", err)
	}
	believe := trail.Trust{Key: public(t, p.trail()), Policy: p.policy}
	if _, err := trail.VerifyProofWith(proof, believe); !errors.Is(err, prove.ErrUnwitnessed) {
		t.Errorf("counts as witnessed with one of three: %v", err)
	}
	if s := l.Witnessed(); s.Newest.Size != s.Current-1 {
		t.Errorf("newest %d, current %d: want one less witnessed", s.Newest.Size, s.Current)
	}
	close(hang[3])
	hang[3] = nil
	until(t, l, "witnessed again", current)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAWitnessFollowsARotatedKey gives the witness the statement, as its operator
// does; a lost key it does not take by itself.
func TestAWitnessFollowsARotatedKey(t *testing.T) {
	both := prefectures(t, "all", "osaka", "kyoto")
	p, q := both[0], filepath.Join(both[1].dir, "witness")
	l := p.open(t)
	grow(t, l, 1)
	until(t, l, "witnessed", current)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	old := public(t, p.trail())
	for _, lost := range []bool{false, true} {
		o := options()
		o.Installation = p.name
		if _, err := trail.RotateKey(t.Context(), p.trail(), o, lost); err != nil {
			t.Fatal(err)
		}
		l = p.open(t)
		grow(t, l, 1)
		until(t, l, "unknown", in(witness.Unknown))
		chain, err := key.ReadChain(p.trail())
		if err != nil {
			t.Fatal(err)
		}
		now, err := witness.Succeed(q, chain)
		if lost {
			if err == nil {
				t.Fatal("the witness believes the new key for a lost one by itself")
			}
			now, err = public(t, p.trail()), witness.Trust(q, public(t, p.trail()))
		}
		if err != nil || now != public(t, p.trail()) {
			t.Fatal(now, err)
		}
		until(t, l, "witnessed with the new key", current)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	chain, err := key.ReadChain(p.trail())
	if err != nil {
		t.Fatal(err)
	}
	believe := trail.Trust{Key: old, Chain: chain, Accepted: []string{chain[1].New}, Policy: p.policy}
	if r, err := trail.VerifyWith(t.Context(), p.trail(), believe, false, nil); err != nil || !r.OK() {
		t.Errorf("verify from the first key: %v %v", err, r.Problems)
	}
}

// TestWhatWasWitnessedIsFoundAgain reopens, with the stored form whole, cut and gone.
func TestWhatWasWitnessedIsFoundAgain(t *testing.T) {
	both := prefectures(t, "all", "osaka", "kyoto")
	p := both[0]
	l := p.open(t)
	grow(t, l, 1)
	until(t, l, "witnessed", current)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	both[1].server.Close()
	name := filepath.Join(p.trail(), witness.CosignedFile)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	l = p.open(t)
	if s := l.Witnessed(); s.Newest.Size == 0 || s.Fault != "" || s.At.IsZero() {
		t.Errorf("found again: %+v", s)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, name, good[:len(good)/2])
	l = p.open(t) // never an error: what is acknowledged does not hang on witnesses
	if s := l.Witnessed(); s.Fault == "" || !s.Refused() {
		t.Errorf("cut: %+v", s)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	l = p.open(t)
	if s := l.Witnessed(); s.Fault != "" || s.Newest.Size != 0 {
		t.Errorf("gone: %+v", s)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := trail.VerifyWith(t.Context(), p.trail(), trail.Trust{Key: public(t, p.trail()), Policy: p.policy}, false, nil)
	if err != nil || r.OK() || !strings.Contains(fmt.Sprint(r.Problems), "nothing is witnessed") {
		t.Errorf("gone: verify: %v %v", err, r.Problems)
	}
}

// A witness whose memory was lost signs whatever it is shown; that it forgot is seen by
// the log it watches, also in a later life of the log.
func TestAWitnessThatForgetsIsNoticed(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		both := prefectures(t, "all", "osaka", "kyoto")
		p, watcher := both[0], both[1]
		l := p.open(t)
		grow(t, l, 2)
		until(t, l, "witnessed", current)
		grow(t, l, 2)
		if s := until(t, l, "witnessed", current); s.Peers[0].Forgot != 0 {
			t.Errorf("got %+v, want nothing forgotten", s.Peers)
		}
		if reopened {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		seen, err := filepath.Glob(filepath.Join(watcher.dir, "witness", "seen", "*"))
		if err != nil || len(seen) != 1 {
			t.Fatalf("got %v, %v", seen, err)
		}
		if err := os.Remove(seen[0]); err != nil {
			t.Fatal(err)
		}
		if reopened {
			l = p.open(t)
		}
		grow(t, l, 2)
		until(t, l, "noticed", func(s witness.Status) bool { return current(s) && s.Peers[0].Forgot == 1 })
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
