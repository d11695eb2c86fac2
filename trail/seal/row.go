package seal

import (
	"crypto/sha256"
	"encoding/binary"
)

// RowSize is the length of a row of the frame table.
const RowSize = 60

// Row is what a segment's record commits to for one of its frames. It covers
// what was said and when, not how it was packed.
type Row struct {
	First   int64
	Count   int
	Arrived int64
	Wall    int64
	Leaves  Hash // Digest of its leaf hashes
}

// Digest is the SHA-256 of leaf hashes, one after the other.
func Digest(leaves []Hash) Hash {
	sum := sha256.New()
	for _, l := range leaves {
		sum.Write(l[:])
	}
	return Hash(sum.Sum(nil))
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
