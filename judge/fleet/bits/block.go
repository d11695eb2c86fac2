// Package bits holds sets of rows, and what an expression is for each of them,
// 4,096 rows at a time.
//
// A Block is a set within that many rows. Truths is the three-valued truth of an
// expression for a block, with the causes of what is unsure; its algebra is
// Kleene's, as package weigh has it: unsure dominates broken, and both give way
// to the decisive value. All of it works in place and allocates nothing.
package bits

import (
	"iter"
	"math/bits"
)

// Size is how many rows a block holds.
const Size = 4096

// Block is a set of rows, numbered from 0 within the block.
type Block [Size / 64]uint64

// Blocks is how many blocks hold so many rows.
func Blocks(rows int) int { return (rows + Size - 1) / Size }

// Has reports whether row i is in b.
func (b *Block) Has(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }

// Add puts row i into b.
func (b *Block) Add(i int) { b[i>>6] |= 1 << (i & 63) }

// Remove takes row i out of b.
func (b *Block) Remove(i int) { b[i>>6] &^= 1 << (i & 63) }

// Put puts row i into b, or takes it out.
func (b *Block) Put(i int, in bool) {
	if in {
		b.Add(i)
	} else {
		b.Remove(i)
	}
}

// And keeps what is in o too.
func (b *Block) And(o *Block) {
	for i := range b {
		b[i] &= o[i]
	}
}

// Or adds what is in o.
func (b *Block) Or(o *Block) {
	for i := range b {
		b[i] |= o[i]
	}
}

// AndNot takes out what is in o.
func (b *Block) AndNot(o *Block) {
	for i := range b {
		b[i] &^= o[i]
	}
}

// Xor keeps what is in one of the two only.
func (b *Block) Xor(o *Block) {
	for i := range b {
		b[i] ^= o[i]
	}
}

// Empty reports whether no row is in b.
func (b *Block) Empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

// All lists the rows in b in order.
func (b *Block) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range b {
			for ; w != 0; w &= w - 1 {
				if !yield(i*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}
