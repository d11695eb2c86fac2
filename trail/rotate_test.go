package trail_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail"
	"kakusho/trail/audit"
	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// trust is what an auditor has who was given this key and has the trail's statements.
func trust(t *testing.T, dir, public string, accepted ...string) trail.Trust {
	t.Helper()
	chain, err := key.ReadChain(dir)
	if err != nil {
		t.Fatal(err)
	}
	return trail.Trust{Key: public, Chain: chain, Accepted: accepted}
}

func TestAKeyIsRotatedAndOldProofsHold(t *testing.T) {
	dir := filepath.Join(ramDir(t), "trail")
	o := options()
	fill(t, dir, o, 3, 2)
	keys := []string{public(t, dir)}
	proofs := []trail.Proof{proofFrom(t, dir, 0)}
	for i := range 3 {
		s, err := trail.RotateKey(t.Context(), dir, o, false)
		if err != nil {
			t.Fatal(err)
		}
		if s.Old != keys[i] || s.New != public(t, dir) || s.Number != int64(i)+1 || s.Lost {
			t.Fatalf("statement %+v", s)
		}
		keys = append(keys, s.New)
		proofs = append(proofs, proofFrom(t, dir, 0)) // under the same checkpoint, signed anew
		fill(t, dir, o, 2, 2)
		proofs = append(proofs, proofFrom(t, dir, int64(6+4*i)))
	}
	for i, p := range proofs {
		for j, k := range keys {
			if _, err := trail.VerifyProofWith(p, trust(t, dir, k)); err != nil {
				t.Errorf("proof %d with key %d and the statements: %v", i, j, err)
			}
			_, err := trail.VerifyProof(p, k)
			if signs := (i+1)/2 == j; (err == nil) != signs {
				t.Errorf("proof %d with key %d alone: %v", i, j, err)
			}
		}
	}
	for i, k := range keys {
		if r, err := trail.Verify(t.Context(), dir, k, nil); err != nil || !r.OK() {
			t.Errorf("verify with key %d: %v %v", i, err, r.Problems)
		}
	}
}

func TestALostKeyIsReportedUntilItIsAccepted(t *testing.T) {
	dir := filepath.Join(ramDir(t), "trail")
	o := options()
	fill(t, dir, o, 3, 2)
	old, before := public(t, dir), proofFrom(t, dir, 1)
	if err := os.Remove(filepath.Join(dir, "key/trail.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := trail.Open(dir, o); err == nil || !strings.Contains(err.Error(), "rotate-key --lost") {
		t.Fatalf("opens without its key: %v", err)
	}
	if _, err := trail.RotateKey(t.Context(), dir, o, false); err == nil {
		t.Fatal("rotates without the old key")
	}
	s, err := trail.RotateKey(t.Context(), dir, o, true)
	if err != nil || !s.Lost {
		t.Fatalf("%+v, %v", s, err)
	}
	fill(t, dir, o, 3, 2)
	after := proofFrom(t, dir, 8)
	if _, err := trail.VerifyProofWith(after, trust(t, dir, old)); !errors.Is(err, seal.ErrProof) {
		t.Errorf("the old key vouches for the new one: %v", err)
	}
	if _, err := trail.VerifyProofWith(after, trust(t, dir, old, s.New)); err != nil {
		t.Errorf("accepted: %v", err)
	}
	if _, err := trail.VerifyProofWith(before, trust(t, dir, s.New)); err != nil {
		t.Errorf("a proof from before with the new key: %v", err)
	}
}

// TestAChangeOfKeyThatIsCutShortIsFinishedOrUndone fails each write of it in turn.
func TestAChangeOfKeyThatIsCutShortIsFinishedOrUndone(t *testing.T) {
	done := false
	for at := 1; !done; at++ {
		dir := filepath.Join(ramDir(t), "trail")
		o := options()
		fill(t, dir, o, 2, 1)
		old := public(t, dir)
		v, err := seal.Verifier(old)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "log/checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := seal.ParseCheckpoint(text, v)
		if err != nil {
			t.Fatal(err)
		}
		_, err = key.Change(&failing{left: at}, dir, c, false, o.Now())
		done = err == nil
		fill(t, dir, o, 1, 1)
		chain, err := key.ReadChain(dir)
		if err != nil {
			t.Fatal(err)
		}
		now := public(t, dir)
		if last, lost := chain.Follow(old); last != now || len(lost) > 0 {
			t.Errorf("write %d: the statements lead to %s, the trail has %s", at, last, now)
		}
		if (now == old) != (len(chain) == 0) {
			t.Errorf("write %d: %d statements, key changed: %v", at, len(chain), now != old)
		}
		if _, err := os.Lstat(filepath.Join(dir, "key/trail.key.next")); err == nil {
			t.Errorf("write %d: a key is left over", at)
		}
		if r, err := trail.Verify(t.Context(), dir, now, nil); err != nil || !r.OK() {
			t.Errorf("write %d: %v %v", at, err, r.Problems)
		}
		if at > 50 {
			t.Fatal("never ends")
		}
	}
}

// The power went while the statement was written, and both files are left over.
func TestAStatementThatWasNotWrittenLeavesNothing(t *testing.T) {
	dir := filepath.Join(ramDir(t), "trail")
	fill(t, dir, options(), 2, 1)
	write(t, filepath.Join(dir, "key/trail.key.next"), []byte("PRIV"))
	write(t, filepath.Join(dir, "trail.keys.new"), []byte("kakusho/trail/key"))
	fill(t, dir, options(), 1, 1)
	checkTrail(t, dir, 6)
}

// failing is a disk on which one operation fails, and all after it.
type failing struct {
	pack.OS
	left int
}

func (f *failing) fails() bool { f.left--; return f.left <= 0 }

func (f *failing) Create(name string) (pack.File, error) {
	if f.fails() {
		return nil, syscall.EIO
	}
	return f.OS.Create(name)
}

func (f *failing) SyncDir(name string) error {
	if f.fails() {
		return syscall.EIO
	}
	return f.OS.SyncDir(name)
}

func public(t *testing.T, dir string) string {
	t.Helper()
	k, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// proofFrom makes a proof from the files alone.
func proofFrom(t *testing.T, dir string, seq int64) trail.Proof {
	t.Helper()
	r, err := trail.NewReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := r.Prove(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestVerifySaysThatAKeyWasLostUntilItIsAccepted(t *testing.T) {
	dir := filepath.Join(ramDir(t), "trail")
	o := options()
	fill(t, dir, o, 3, 2)
	old := public(t, dir)
	if _, err := trail.RotateKey(t.Context(), dir, o, true); err != nil {
		t.Fatal(err)
	}
	fill(t, dir, o, 2, 2)
	now := public(t, dir)
	for name, c := range map[string]struct {
		trust  trail.Trust
		beside bool
		ok     bool
	}{
		"with the old key":                            {trust(t, dir, old), false, false},
		"with the old key, the new one accepted":      {trust(t, dir, old, now), false, true},
		"with the new key":                            {trust(t, dir, now), false, true},
		"with the key beside the trail":               {trust(t, dir, now), true, false},
		"with the key beside the trail, and accepted": {trust(t, dir, now, now), true, true},
	} {
		r, err := trail.VerifyWith(t.Context(), dir, c.trust, c.beside, nil)
		if err != nil || r.OK() != c.ok {
			t.Errorf("%s: %v %v", name, err, r.Problems)
		}
		if !c.ok && (len(r.Problems) != 1 || r.Problems[0].What != audit.Lost) {
			t.Errorf("%s: %v, want the lost key alone", name, r.Problems)
		}
	}
}

// TestNoByteOfTheKeyStatementsCanBeChanged flips, cuts and swaps them.
func TestNoByteOfTheKeyStatementsCanBeChanged(t *testing.T) {
	dir := filepath.Join(ramDir(t), "trail")
	o := options()
	fill(t, dir, o, 2, 1)
	first := public(t, dir)
	for _, lost := range []bool{false, true, false} {
		if _, err := trail.RotateKey(t.Context(), dir, o, lost); err != nil {
			t.Fatal(err)
		}
		fill(t, dir, o, 1, 1)
	}
	chain, err := key.ReadChain(dir)
	if err != nil {
		t.Fatal(err)
	}
	last, accepted := public(t, dir), chain[1].New
	name := filepath.Join(dir, "trail.keys")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	bad := func(what string, b []byte) {
		t.Helper()
		write(t, name, b)
		for _, k := range []string{first, last} {
			r, err := trail.VerifyWith(t.Context(), dir, trail.Trust{Key: k, Accepted: []string{accepted}}, false, nil)
			if err != nil || r.OK() {
				t.Errorf("%s: not found with %s: %v", what, k, err)
			}
		}
	}
	for i := rand.N(oneIn(8)); i < len(good); i += 1 + rand.N(2*oneIn(8)-1) {
		b := append([]byte(nil), good...)
		b[i] ^= 1 << (i % 8)
		bad(fmt.Sprintf("byte %d flipped", i), b)
	}
	third := strings.LastIndex(string(good), "kakusho/trail/key/v1")
	second := strings.LastIndex(string(good[:third]), "kakusho/trail/key/v1")
	bad("the first cut", good[second:])
	bad("the last cut", good[:third])
	bad("all cut", nil)
	bad("the middle cut", append(append([]byte(nil), good[:second]...), good[third:]...))
	bad("two swapped", append(append(append([]byte(nil), good[:second]...), good[third:]...), good[second:third]...))
	bad("the last twice", append(append([]byte(nil), good...), good[third:]...))
	write(t, name, good)
	if r, err := trail.VerifyWith(t.Context(), dir, trail.Trust{Key: first, Accepted: []string{accepted}}, false, nil); err != nil || !r.OK() {
		t.Errorf("restored: %v %v", err, r.Problems)
	}
}

// The statement says what the log was when the key changed: of that size neither key
// signs anything else that is believed.
func TestAnotherLogOfTheSizeOfAStatementIsNotBelieved(t *testing.T) {
	dir := filepath.Join(ramDir(t), "trail")
	o := options()
	fill(t, dir, o, 2, 1)
	old, err := os.ReadFile(filepath.Join(dir, "key/trail.key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := trail.RotateKey(t.Context(), dir, o, false)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := os.ReadFile(filepath.Join(dir, "key/trail.key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"old": old, "new": fresh} {
		signer, err := note.NewSigner(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		for _, root := range []seal.Hash{s.Root, {1}} {
			c := seal.Checkpoint{Origin: s.Origin, Size: s.Size, Root: root}
			signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range []string{s.Old, s.New} {
				if _, _, err := trust(t, dir, k).Checkpoint(signed); (err == nil) != (root == s.Root) {
					t.Errorf("by the %s key, root %s, given %s: got %v", name, root, k, err)
				}
			}
		}
	}
}
