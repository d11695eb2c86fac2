package pack

import (
	"bytes"
	"fmt"
)

// Piece is a stretch of a pack file: a frame, or bytes that are none.
type Piece struct {
	Off, Size int64
	Err       error // why it is no frame; then the rest is empty
	Header    Header
	Stored    []byte // the payload as it stands; not yet checked
}

// Scan takes the image of a pack apart, behind its header. It goes on behind
// bytes that are no frame at the next that are, so that damage to one frame does
// not hide the others. A frame is what has a sound header and fits in the file;
// its payload is for Codec.Payload to check.
func Scan(image []byte) []Piece { return ScanAs(image, Entries) }

// ScanAs is Scan of a file whose entries stand in frames of the given type: a pack
// with hashes in place of entries is not what was written.
func ScanAs(image []byte, t Type) []Piece {
	var ps []Piece
	for off := min(HeaderSize, len(image)); off < len(image); {
		p := piece(image, off)
		if p.Err == nil && p.Header.Type != Seal && p.Header.Type != t {
			p = Piece{Off: p.Off, Size: p.Size, Err: fmt.Errorf("%w: type %q does not belong here", ErrFrame, byte(p.Header.Type))}
		} else if p.Err != nil {
			end := next(image, off+1)
			p.Size = int64(end - off)
		}
		ps = append(ps, p)
		off += int(p.Size)
	}
	return ps
}

func piece(image []byte, off int) Piece {
	p := Piece{Off: int64(off)}
	if p.Header, p.Err = ParseHeader(image[off:]); p.Err != nil {
		return p
	}
	end := off + HeaderSize + p.Header.Stored
	if end > len(image) {
		return Piece{Off: int64(off), Err: ErrFrame}
	}
	p.Stored, p.Size = image[off+HeaderSize:end], int64(end-off)
	return p
}

// next is where the next frame begins at or behind off, or the end.
func next(image []byte, off int) int {
	for off < len(image) {
		i := bytes.Index(image[off:], magic)
		if i < 0 {
			break
		}
		if off += i; piece(image, off).Err == nil {
			return off
		}
		off++
	}
	return len(image)
}
