package peers

import (
	"context"
	"slices"
	"testing"

	"kakusho/judge/fleet"
	"kakusho/verdict"
)

// TestEnginesAgree holds the peers' verdicts against the fleet's: those written by
// hand are the same, cel-go's but for what our own terms add (an absent value that
// violates, an empty list that shows nothing), OPA's where the evidence is whole.
func TestEnginesAgree(t *testing.T) {
	s, err := NewSetting(350_000)
	if err != nil {
		t.Fatal(err)
	}
	sample := s.Sample(400)
	f := fleet.New(s.Kinds, s.Terms)
	for _, x := range sample {
		f.Put(x)
	}
	o := f.Judge(At)
	naive, err := NewNaive(s.Controls(), s.Kinds, s.Terms.Parameters)
	if err != nil {
		t.Fatal(err)
	}
	opa, err := NewOPA(context.Background(), s.Fields())
	if err != nil {
		t.Fatal(err)
	}
	var n struct{ pairs, celUnknown, celEmpty, violates, unknown int }
	for _, x := range sample {
		h, p := NewHost(x, s.Values(x.Scope)), s.Typed(x.Scope)
		slots := naive.Prepare(x, s.Values(x.Scope))
		in, err := opa.Prepare(x, s.Values(x.Scope), At)
		if err != nil {
			t.Fatal(err)
		}
		denied, err := opa.Deny(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range s.Few {
			id := r.Control().ID
			want, _ := o.Of(x.Ref, id)
			n.pairs++
			if got := s.Ours[i].Judge(h, p, At); got != want {
				t.Errorf("%s by %s: by hand %q, fleet %q: %+v", x.Ref, id, got, want, r.Judge(x.Subject, s.Values(x.Scope), At, nil).Reasons)
			}
			switch got := naive.Judge(i, slots, At); {
			case got == want:
			case got == verdict.Unknown && want == verdict.Violates && r.Control().Missing == "violates":
				n.celUnknown++
			case got == verdict.Conforms && want == verdict.Unknown && r.Control().Empty == "":
				n.celEmpty++
			default:
				t.Errorf("%s by %s: cel-go %q, fleet %q", x.Ref, id, got, want)
			}
			no := slices.Contains(denied, id)
			switch want {
			case verdict.Violates:
				n.violates++
				if !no {
					t.Errorf("%s by %s: violates, but OPA does not deny", x.Ref, id)
				}
			case verdict.Unknown:
				n.unknown++ // OPA says one or the other
			default:
				if no {
					t.Errorf("%s by %s: %q, but OPA denies", x.Ref, id, want)
				}
			}
		}
	}
	t.Logf("%+v", n)
	if n.pairs < 30*len(sample) || n.violates < 500 || n.unknown < 100 {
		t.Errorf("the comparison shows little: %+v", n)
	}
}
