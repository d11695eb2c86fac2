package pack

import (
	"crypto/sha256"
	"encoding/binary"
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

// RowSize is the length of a row of the frame table.
const RowSize = 60

// Row is what a segment's record commits to for one of its frames. It covers
// what was said and when, not how it was packed.
type Row struct {
	First   int64
	Count   int
	Arrived int64
	Wall    int64
	Leaves  Hash // SHA-256 of the leaf hashes, one after the other
}

// NewRow makes the row of a frame.
func NewRow(h Header, leaves []Hash) Row {
	sum := sha256.New()
	for _, l := range leaves {
		sum.Write(l[:])
	}
	return Row{First: h.First, Count: h.Count, Arrived: h.Arrived, Wall: h.Wall, Leaves: Hash(sum.Sum(nil))}
}

// Append adds the 60 bytes of r to b.
func (r Row) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.First))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Count))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Arrived))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Wall))
	return append(b, r.Leaves[:]...)
}

// Table is the rows one after the other.
func Table(rows []Row) []byte {
	b := make([]byte, 0, len(rows)*RowSize)
	for _, r := range rows {
		b = r.Append(b)
	}
	return b
}

// ParseTable reads what Table wrote. A row of a length that does not fit is cut off.
func ParseTable(b []byte) []Row {
	rows := make([]Row, 0, len(b)/RowSize)
	for ; len(b) >= RowSize; b = b[RowSize:] {
		rows = append(rows, Row{
			First:   int64(binary.BigEndian.Uint64(b)),
			Count:   int(binary.BigEndian.Uint32(b[8:])),
			Arrived: int64(binary.BigEndian.Uint64(b[12:])),
			Wall:    int64(binary.BigEndian.Uint64(b[20:])),
			Leaves:  Hash(b[28:60]),
		})
	}
	return rows
}
