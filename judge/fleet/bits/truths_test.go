package bits_test

import (
	"math/rand/v2"
	"testing"

	"kakusho/judge/fleet/bits"
)

// every is each thing that an expression can be for one row.
func every() (all []bits.Flags) {
	all = []bits.Flags{bits.Broken, bits.Yes, bits.No}
	for cause := bits.Flags(1); cause < 16; cause++ {
		all = append(all, bits.Unsure|cause<<bits.CauseShift)
	}
	return all
}

// lay spreads pairs of all values over a block.
func lay(t *testing.T, seed uint64) (a, b *bits.Truths, as, bs []bits.Flags) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 4))
	a, b = new(bits.Truths), new(bits.Truths)
	few := 1 + r.IntN(18) // sometimes planes stay unused
	for i := range bits.Size {
		x, y := every()[r.IntN(few)], every()[r.IntN(few)]
		a.Put(i, x)
		b.Put(i, y)
		as, bs = append(as, x), append(bs, y)
	}
	return a, b, as, bs
}

// kleene is the conjunction of two single values, as package weigh folds them;
// with or, the disjunction.
func kleene(x, y bits.Flags, or bool) bits.Flags {
	decisive, neutral := bits.No, bits.Yes
	if or {
		decisive, neutral = neutral, decisive
	}
	switch {
	case x == decisive || y == decisive:
		return decisive
	case x&bits.Unsure != 0 && y&bits.Unsure != 0:
		return x | y
	case x&bits.Unsure != 0:
		return x
	case y&bits.Unsure != 0:
		return y
	case x == neutral && y == neutral:
		return neutral
	}
	return bits.Broken
}

func TestTheAlgebraIsKleenesForEveryPairOfValues(t *testing.T) {
	negate := map[bits.Flags]bits.Flags{bits.Yes: bits.No, bits.No: bits.Yes}
	operations := map[string]struct {
		do   func(a, b *bits.Truths)
		want func(x, y bits.Flags) bits.Flags
	}{
		"and":  {(*bits.Truths).And, func(x, y bits.Flags) bits.Flags { return kleene(x, y, false) }},
		"or":   {(*bits.Truths).Or, func(x, y bits.Flags) bits.Flags { return kleene(x, y, true) }},
		"copy": {(*bits.Truths).Copy, func(_, y bits.Flags) bits.Flags { return y }},
		"not": {func(a, _ *bits.Truths) { a.Not() }, func(x, _ bits.Flags) bits.Flags {
			if n, ok := negate[x]; ok {
				return n
			}
			return x
		}},
		"choose": {
			func(a, b *bits.Truths) { n := *b; n.Not(); a.Choose(b, &n) },
			func(x, y bits.Flags) bits.Flags {
				switch n, sure := negate[y]; {
				case x == bits.Yes:
					return y
				case x == bits.No && sure:
					return n
				case x == bits.No:
					return y
				}
				return x
			},
		},
		"push": {func(a, _ *bits.Truths) { a.Push(bits.No) }, func(x, _ bits.Flags) bits.Flags {
			if x == bits.Unsure|bits.Absent {
				return bits.No
			}
			return x
		}},
	}
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(60) {
				a, b, as, bs := lay(t, seed)
				op.do(a, b)
				for i := range as {
					if got, want := a.At(i), op.want(as[i], bs[i]); got != want {
						t.Fatalf("seed %d: %07b and %07b: got %07b, want %07b", seed, as[i], bs[i], got, want)
					}
				}
				sound(t, a)
			}
		})
	}
}

// sound is what must always hold: no plane outside Used, one value a row, causes
// where it is unsure.
func sound(t *testing.T, a *bits.Truths) {
	t.Helper()
	for p := range bits.Flagged {
		if a.Used>>p&1 == 0 && !a.Planes[p].Empty() {
			t.Fatalf("plane %d holds rows but is not in use", p)
		}
	}
	for i := range bits.Size {
		switch f := a.At(i); {
		case f == bits.Yes || f == bits.No || f == bits.Broken:
		case f&(bits.Yes|bits.No) != 0 || f&bits.Unsure == 0 || f>>bits.CauseShift == 0:
			t.Fatalf("row %d is %07b", i, f)
		}
	}
}

func TestRowsAreSetAndKept(t *testing.T) {
	a, _, as, _ := lay(t, 17)
	var some bits.Block
	for i := 0; i < bits.Size; i += 3 {
		some.Add(i)
	}
	a.Set(&some, bits.Unsure|bits.Unknown)
	for i := range as {
		want := as[i]
		if i%3 == 0 {
			want = bits.Unsure | bits.Unknown
		}
		if a.At(i) != want {
			t.Fatalf("row %d: got %07b, want %07b", i, a.At(i), want)
		}
	}
	sound(t, a)
	a.Keep(&some)
	if a.At(1) != bits.Broken || a.At(3) != bits.Unsure|bits.Unknown {
		t.Error("Keep did not clear outside, or cleared inside")
	}
	a.All(bits.Yes)
	if a.At(1) != bits.Yes || a.Plane(bits.Unsure) != nil {
		t.Error("All left something behind")
	}
	sound(t, a)
}

func TestABlockIsASet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var b bits.Block
	in := map[int]bool{}
	for range 3_000 {
		i, on := r.IntN(bits.Size), r.IntN(3) > 0
		b.Put(i, on)
		in[i] = on
	}
	last := -1
	for i := range b.All() {
		if !in[i] || i <= last {
			t.Fatalf("row %d after %d, in %v", i, last, in[i])
		}
		last = i
		in[i] = false
	}
	for i, on := range in {
		if on {
			t.Fatalf("row %d is not listed", i)
		}
	}
	if b.Empty() || !new(bits.Block).Empty() {
		t.Error("a set with rows is empty, or one without is not")
	}
}
