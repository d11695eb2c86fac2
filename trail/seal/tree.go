// Package seal has the forms in which the trail commits to what it holds: tree
// hashes, the frame table and the record of a segment, checkpoints and proofs.
//
// It has values and pure functions only; each form has one text, and what is not
// exactly that is refused. FORMAT.md beside package trail gives the bytes.
package seal

import (
	"crypto/sha256"
	"math/bits"
)

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// Leaf is the RFC 6962 hash of one entry or record.
func Leaf(data []byte) Hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(data)
	return Hash(h.Sum(nil))
}

// Leaves adds the hashes of lines to b. It costs less than Leaf for each.
func Leaves(b []Hash, lines [][]byte) []Hash {
	var short [1 << 10]byte // begins with the zero
	for _, line := range lines {
		if len(line) < len(short) {
			b = append(b, sha256.Sum256(short[:1+copy(short[1:], line)]))
		} else {
			b = append(b, Leaf(line))
		}
	}
	return b
}

// Node is the RFC 6962 hash of two subtrees.
func Node(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Root is the RFC 6962 tree hash of the leaves.
func Root(leaves []Hash) Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := split(len(leaves))
	return Node(Root(leaves[:k]), Root(leaves[k:]))
}

// Path proves that leaves[i] is under Root(leaves): the hashes beside the way up.
func Path(leaves []Hash, i int) []Hash {
	if len(leaves) <= 1 {
		return nil
	}
	k := split(len(leaves))
	if i < k {
		return append(Path(leaves[:k], i), Root(leaves[k:]))
	}
	return append(Path(leaves[k:], i-k), Root(leaves[:k]))
}

// Climb is the root that path leads to from leaf i of n; false if a path of this
// length cannot belong to such a tree.
func Climb(leaf Hash, i, n uint64, path []Hash) (Hash, bool) {
	if i >= n {
		return Hash{}, false
	}
	for last := n - 1; last > 0; i, last = i>>1, last>>1 {
		switch {
		case i&1 == 1 || i < last:
			if len(path) == 0 {
				return Hash{}, false
			}
			if i&1 == 1 {
				leaf = Node(path[0], leaf)
			} else {
				leaf = Node(leaf, path[0])
			}
			path = path[1:]
		}
	}
	return leaf, len(path) == 0
}

// split is the largest power of two below n.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// Frontier makes the root of leaves that come one at a time.
type Frontier struct {
	n     uint64 // leaves
	stack []Hash
}

// Push adds a leaf.
func (f *Frontier) Push(h Hash) {
	for n := f.n; n&1 == 1; n >>= 1 {
		h = Node(f.stack[len(f.stack)-1], h)
		f.stack = f.stack[:len(f.stack)-1]
	}
	f.stack = append(f.stack, h)
	f.n++
}

// Root is the root of what was pushed.
func (f *Frontier) Root() Hash {
	if f.n == 0 {
		return Root(nil)
	}
	h := f.stack[len(f.stack)-1]
	for i := len(f.stack) - 2; i >= 0; i-- {
		h = Node(f.stack[i], h)
	}
	return h
}
