package trail_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"kakusho/trail"
)

func TestAProofOfEachEntryHoldsWithThePublicKeyAlone(t *testing.T) {
	l := open(t, ramDir(t), options())
	for i := range 5 {
		for j := range i + 1 {
			if _, err := l.Append(t.Context(), entry(10*i+j), entry(10*i+j+5)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for s, err := range l.Read(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		p, err := l.Prove(t.Context(), s.Seq)
		if err != nil {
			t.Fatal(err)
		}
		got, err := trail.VerifyProof(p, l.PublicKey())
		if err != nil || got.Seq != s.Seq || got.ID != s.ID || string(got.Body) != string(s.Body) {
			t.Fatalf("got %+v, %v, want %+v", got, err, s)
		}
		if s.Arrived.Before(got.Record.From) || s.Arrived.After(got.Record.To) {
			t.Errorf("entry %d arrived %v, outside %v to %v", s.Seq, s.Arrived, got.Record.From, got.Record.To)
		}
	}
}

func TestAProofWithAnyBitFlippedDoesNotHold(t *testing.T) {
	l := open(t, ramDir(t), options())
	for i := range 3 {
		if _, err := l.Append(t.Context(), entry(i), entry(i+10), entry(i+20)); err != nil {
			t.Fatal(err)
		}
		if err := l.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p, err := l.Prove(t.Context(), 4)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p {
		for bit := rand.N(oneIn(8)); bit < 8; bit += oneIn(8) {
			q := slices.Clone(p)
			q[i] ^= 1 << bit
			if got, err := trail.VerifyProof(q, l.PublicKey()); err == nil {
				t.Fatalf("bit %d of byte %d of %d flipped: still proves %+v", bit, i, len(p), got)
			}
		}
	}
	t.Logf("%d bytes, %d bits of each flipped", len(p), 8/oneIn(8))
}

func TestAProofIsWaitedForUntilTheSeal(t *testing.T) {
	o := options()
	o.SealEvery = 200 * 1e6
	l := open(t, ramDir(t), o)
	if _, err := l.Append(t.Context(), entry(1)); err != nil {
		t.Fatal(err)
	}
	p, err := l.Prove(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trail.VerifyProof(p, l.PublicKey()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Prove(t.Context(), 1); err == nil {
		t.Error("proved an entry that is not there")
	}
}
