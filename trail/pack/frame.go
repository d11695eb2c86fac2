package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"

	"kakusho/trail/seal"
)

// The limits of the format. A reader allocates no more than they allow, whatever
// a header says.
const (
	HeaderSize = 64       // of a frame, and of a pack
	MaxRaw     = 64 << 20 // bytes of a frame's payload, decoded
	MaxCount   = 1 << 16  // entries in a frame, rows in a table

	maxStored = MaxRaw + MaxRaw/64
)

// Type says what a frame carries.
type Type byte

// The types of frame.
const (
	Entries Type = 'E' // entries, one a line, zstd
	Seal    Type = 'S' // a segment record and its frame table, plain
	Hashes  Type = 'H' // what is left of Entries: their leaf hashes, plain
)

// Header stands before a frame's payload.
type Header struct {
	Type    Type
	Segment int64  // the segment the frame belongs to
	First   int64  // first entry in it; of a Seal, the one after the segment
	Count   int    // entries; of a Seal, rows of the table
	Raw     int    // bytes of the payload, decoded
	Stored  int    // bytes of the payload, as they follow
	Sum     uint32 // CRC-32C of these
	Arrived int64  // Unix nanoseconds; never less than in the frame before
	Wall    int64  // Unix nanoseconds; what the clock said
}

// ErrFrame is returned, wrapped, for bytes that are not a whole and sound frame.
var ErrFrame = errors.New("bad frame")

var (
	magic      = []byte("KKF1")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Append adds the 64 bytes of h to b.
func (h Header) Append(b []byte) []byte {
	start := len(b)
	b = append(b, magic...)
	b = append(b, byte(h.Type), 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Segment))
	b = binary.BigEndian.AppendUint64(b, uint64(h.First))
	b = binary.BigEndian.AppendUint32(b, uint32(h.Count))
	b = binary.BigEndian.AppendUint32(b, uint32(h.Raw))
	b = binary.BigEndian.AppendUint32(b, uint32(h.Stored))
	b = binary.BigEndian.AppendUint32(b, h.Sum)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Arrived))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Wall))
	b = append(b, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// ParseHeader reads the first 64 bytes of b.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("%w: %d bytes of header, want %d", ErrFrame, len(b), HeaderSize)
	}
	b = b[:HeaderSize]
	if !bytes.Equal(b[:4], magic) {
		return Header{}, fmt.Errorf("%w: begins %q, want %q", ErrFrame, b[:4], magic)
	}
	if crc32.Checksum(b[:60], castagnoli) != binary.BigEndian.Uint32(b[60:]) {
		return Header{}, fmt.Errorf("%w: sum of the header is wrong", ErrFrame)
	}
	h := Header{
		Type:    Type(b[4]),
		Segment: int64(binary.BigEndian.Uint64(b[8:])),
		First:   int64(binary.BigEndian.Uint64(b[16:])),
		Count:   int(binary.BigEndian.Uint32(b[24:])),
		Raw:     int(binary.BigEndian.Uint32(b[28:])),
		Stored:  int(binary.BigEndian.Uint32(b[32:])),
		Sum:     binary.BigEndian.Uint32(b[36:]),
		Arrived: int64(binary.BigEndian.Uint64(b[40:])),
		Wall:    int64(binary.BigEndian.Uint64(b[48:])),
	}
	// What Append would not have written is refused, so that one frame has one form.
	if !bytes.Equal(h.Append(nil), b) {
		return Header{}, fmt.Errorf("%w: reserved bytes are not zero", ErrFrame)
	}
	return h, h.check()
}

func (h Header) check() error {
	switch {
	case h.Type != Entries && h.Type != Seal && h.Type != Hashes:
		return fmt.Errorf("%w: type %q", ErrFrame, byte(h.Type))
	case h.Segment < 0 || h.First < 0:
		return fmt.Errorf("%w: segment %d, entry %d", ErrFrame, h.Segment, h.First)
	case h.Count > MaxCount || h.Type != Seal && h.Count < 1:
		return fmt.Errorf("%w: %d in it", ErrFrame, h.Count)
	case h.Type == Hashes && h.Raw != h.Count*len(seal.Hash{}):
		return fmt.Errorf("%w: %d bytes for %d hashes", ErrFrame, h.Raw, h.Count)
	case h.Raw > MaxRaw || h.Stored > maxStored:
		return fmt.Errorf("%w: %d bytes, %d stored", ErrFrame, h.Raw, h.Stored)
	}
	return nil
}

// Codec packs and unpacks payloads. It is safe for concurrent use.
type Codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// NewCodec returns a codec that uses up to n processors.
func NewCodec(n int) (*Codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(n),
		zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("start zstd: %w", err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(n), zstd.WithDecoderMaxMemory(MaxRaw))
	if err != nil {
		return nil, fmt.Errorf("start zstd: %w", err)
	}
	return &Codec{enc: enc, dec: dec}, nil
}

// Close frees what the codec holds.
func (c *Codec) Close() {
	c.enc.Close()
	c.dec.Close()
}

// Frame returns header and payload in one piece, ready to write. It fills in
// Raw, Stored and Sum. The payload of an Entries frame ends each entry with a
// newline.
func (c *Codec) Frame(h Header, payload []byte) ([]byte, Header, error) {
	return c.AppendFrame(make([]byte, 0, HeaderSize+len(payload)/2+64), h, payload)
}

// AppendFrame is Frame, behind what b holds.
func (c *Codec) AppendFrame(b []byte, h Header, payload []byte) ([]byte, Header, error) {
	h.Raw = len(payload)
	start := len(b)
	b = append(b, make([]byte, HeaderSize)...)
	stored := start + HeaderSize
	if h.Type == Entries {
		b = c.enc.EncodeAll(payload, b)
	} else {
		b = append(b, payload...)
	}
	h.Stored = len(b) - stored
	h.Sum = crc32.Checksum(b[stored:], castagnoli)
	if err := h.check(); err != nil {
		return b[:start], Header{}, err
	}
	h.Append(b[:start])
	return b, h, nil
}

// Payload checks the stored bytes of h and decodes them.
func (c *Codec) Payload(h Header, stored []byte) ([]byte, error) {
	if len(stored) != h.Stored {
		return nil, fmt.Errorf("%w: %d bytes of payload, want %d", ErrFrame, len(stored), h.Stored)
	}
	if crc32.Checksum(stored, castagnoli) != h.Sum {
		return nil, fmt.Errorf("%w: sum of the payload is wrong", ErrFrame)
	}
	raw := stored
	if h.Type == Entries {
		var err error
		if raw, err = c.dec.DecodeAll(stored, make([]byte, 0, h.Raw)); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFrame, err)
		}
	}
	if len(raw) != h.Raw {
		return nil, fmt.Errorf("%w: %d bytes decoded, want %d", ErrFrame, len(raw), h.Raw)
	}
	return raw, nil
}

// Lines splits the payload of an Entries frame into its entries.
func (h Header) Lines(raw []byte) ([][]byte, error) {
	lines := make([][]byte, 0, h.Count)
	for len(raw) > 0 {
		line, rest, ok := bytes.Cut(raw, []byte("\n"))
		if !ok || len(lines) == h.Count {
			return nil, fmt.Errorf("%w: not %d lines", ErrFrame, h.Count)
		}
		lines, raw = append(lines, line), rest
	}
	if len(lines) != h.Count {
		return nil, fmt.Errorf("%w: %d lines, want %d", ErrFrame, len(lines), h.Count)
	}
	return lines, nil
}

// Leaves are the leaf hashes of the entries, made or, of Hashes, read.
func (h Header) Leaves(raw []byte) ([]seal.Hash, error) {
	if h.Type == Hashes {
		leaves := make([]seal.Hash, len(raw)/len(seal.Hash{}))
		for i := range leaves {
			leaves[i] = seal.Hash(raw[i*len(seal.Hash{}):])
		}
		return leaves, nil
	}
	lines, err := h.Lines(raw)
	if err != nil {
		return nil, err
	}
	return seal.Leaves(make([]seal.Hash, 0, len(lines)), lines), nil
}

// Split takes the payload of a Seal apart: the record's text and the rows.
func (h Header) Split(raw []byte) (record []byte, rows []seal.Row, err error) {
	n := len(raw) - h.Count*seal.RowSize
	if h.Type != Seal || n < 0 {
		return nil, nil, fmt.Errorf("%w: %d bytes do not hold %d rows", ErrFrame, len(raw), h.Count)
	}
	return raw[:n], seal.ParseTable(raw[n:]), nil
}

// Row is the row that an Entries frame has in the table of its segment.
func (h Header) Row(leaves []seal.Hash) seal.Row {
	return seal.Row{First: h.First, Count: h.Count, Arrived: h.Arrived, Wall: h.Wall, Leaves: seal.Digest(leaves)}
}
