package bits

import "math/bits"

// Flags is what an expression is for one row: one of Yes, No and Unsure, or
// none of them when it is broken; and if Unsure, why.
type Flags uint8

// The flags. The causes stand in the order of package weigh's.
const (
	Yes Flags = 1 << iota
	No
	Unsure
	Unknown       // no value, and no way to tell
	Absent        // looked, and there is none
	NotApplicable // the question does not arise there
	Answer        // nobody has answered, or too long ago

	causes        = Unknown | Absent | NotApplicable | Answer
	Broken  Flags = 0
	Flagged       = 7 // planes of Truths
)

// CauseShift turns a weigh.Cause into Flags: Unsure | Flags(cause) << CauseShift.
const CauseShift = 3

// Truths is what an expression is for every row of a block: one plane for each
// flag. Planes outside Used are empty and are not looked at, so that taking
// over a Truths costs what it holds. The zero value is broken everywhere.
type Truths struct {
	Planes [Flagged]Block
	Used   Flags
}

// Plane is the rows that have the flag f; nil if none has.
func (t *Truths) Plane(f Flags) *Block {
	if t.Used&f == 0 {
		return nil
	}
	return &t.Planes[bits.TrailingZeros8(uint8(f))]
}

// Reset makes t broken everywhere.
func (t *Truths) Reset() {
	for f := range t.Used.each {
		t.Planes[f] = Block{}
	}
	t.Used = 0
}

// each lists the numbers of the planes in f.
func (f Flags) each(yield func(int) bool) {
	for ; f != 0; f &= f - 1 {
		if !yield(bits.TrailingZeros8(uint8(f))) {
			return
		}
	}
}

// At is what t is for row i.
func (t *Truths) At(i int) (f Flags) {
	for p := range t.Used.each {
		if t.Planes[p].Has(i) {
			f |= 1 << p
		}
	}
	return f
}

// Put makes t be f for row i.
func (t *Truths) Put(i int, f Flags) {
	t.Used |= f
	for p := range t.Used.each {
		t.Planes[p].Put(i, f>>p&1 != 0)
	}
}

// Set makes t be f for the rows of in. Other rows stay.
func (t *Truths) Set(in *Block, f Flags) {
	for p := range t.Used.each {
		t.Planes[p].AndNot(in)
	}
	for p := range f.each {
		t.Planes[p].Or(in)
	}
	t.Used |= f
}

// All makes t be f for every row.
func (t *Truths) All(f Flags) {
	t.Reset()
	for p := range f.each {
		for i := range t.Planes[p] {
			t.Planes[p][i] = ^uint64(0)
		}
	}
	t.Used = f
}

// Copy makes t what o is.
func (t *Truths) Copy(o *Truths) {
	for p := range t.Used.each {
		if o.Used>>p&1 == 0 {
			t.Planes[p] = Block{}
		}
	}
	for p := range o.Used.each {
		t.Planes[p] = o.Planes[p]
	}
	t.Used = o.Used
}

// Keep makes t broken outside in.
func (t *Truths) Keep(in *Block) {
	for p := range t.Used.each {
		t.Planes[p].And(in)
	}
}

// Not turns yes into no and no into yes.
func (t *Truths) Not() {
	t.Planes[0], t.Planes[1] = t.Planes[1], t.Planes[0]
	t.Used = t.Used&^(Yes|No) | t.Used&Yes<<1 | t.Used&No>>1
}

// And makes t the conjunction of both.
func (t *Truths) And(o *Truths) { t.fold(o, 1, 0) }

// Or makes t the disjunction of both.
func (t *Truths) Or(o *Truths) { t.fold(o, 0, 1) }

// fold joins two operands: decisive and neutral are the planes of those values.
func (t *Truths) fold(o *Truths, decisive, neutral int) {
	d, n := Flags(1)<<decisive, Flags(1)<<neutral
	switch {
	case t.Used&n == 0:
	case o.Used&n == 0:
		t.Planes[neutral] = Block{}
		t.Used &^= n
	default:
		t.Planes[neutral].And(&o.Planes[neutral])
	}
	if o.Used&d != 0 {
		t.Planes[decisive].Or(&o.Planes[decisive])
	}
	t.Used |= o.Used & (d | Unsure | causes)
	for p := range (t.Used & (Unsure | causes)).each {
		if o.Used>>p&1 != 0 {
			t.Planes[p].Or(&o.Planes[p])
		}
		if t.Used&d != 0 {
			t.Planes[p].AndNot(&t.Planes[decisive])
		}
	}
}

// Choose makes t, a condition, what then is where it is yes and what otherwise
// is where it is no. Where it is unsure or broken it stays so.
func (t *Truths) Choose(then, otherwise *Truths) {
	var yes, no Block
	if t.Used&Yes != 0 {
		yes, t.Planes[0] = t.Planes[0], Block{}
	}
	if t.Used&No != 0 {
		no, t.Planes[1] = t.Planes[1], Block{}
	}
	for p := range then.Used.each {
		for i := range t.Planes[p] {
			t.Planes[p][i] |= then.Planes[p][i] & yes[i]
		}
	}
	for p := range otherwise.Used.each {
		for i := range t.Planes[p] {
			t.Planes[p][i] |= otherwise.Planes[p][i] & no[i]
		}
	}
	t.Used |= then.Used | otherwise.Used
}

// Push makes what is unsure only because something is absent to what: No where
// a truer expression makes a truer rule, Yes where it makes a falser one.
func (t *Truths) Push(to Flags) {
	if t.Used&Absent == 0 {
		return
	}
	only := t.Planes[4]
	for p := range (t.Used & (causes &^ Absent)).each {
		only.AndNot(&t.Planes[p])
	}
	if !only.Empty() {
		t.Set(&only, to)
	}
}

// Add gives rows that are broken in t the flags f.
func (t *Truths) Add(in *Block, f Flags) {
	for p := range f.each {
		t.Planes[p].Or(in)
	}
	t.Used |= f
}
