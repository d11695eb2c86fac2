package journal

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// data returns the field whose data object stands at at. Values are shared by many
// entries, so they are remembered.
func (f *File) data(at uint64) (Field, error) {
	if field, ok := f.values[at]; ok {
		return field, nil
	}
	start := uint64(dataStart)
	if f.compact {
		start = dataCompact
	}
	size, head, err := f.object(at, objectData, start)
	if err != nil {
		return Field{}, fmt.Errorf("field: %w", err)
	}
	hash := le64(head[16:])
	packing := head[1] & (flagXZ | flagLZ4 | 4)
	length := size - start
	if packing == 0 {
		length = min(length, 64+1+MaxValue)
	} else if length > maxPacked {
		return Field{}, fmt.Errorf("field at %d has %d packed bytes", at, length)
	}
	payload, err := f.bytes(at+start, length)
	if err != nil {
		return Field{}, err
	}
	whole := int(size - start)
	if packing != 0 {
		if payload, whole, err = f.unpack.unpack(packing, payload); err != nil {
			return Field{}, fmt.Errorf("field at %d: %w", at, err)
		}
	}
	name, value, ok := bytes.Cut(payload, []byte("="))
	if !ok {
		return Field{}, fmt.Errorf("field at %d has no name", at)
	}
	field := Field{Name: string(name), Value: bytes.Clone(value[:min(len(value), MaxValue)]), Size: whole - len(name) - 1}
	field.Bad = f.keyed && whole == len(payload) && sip(f.id, payload) != hash
	f.remember(at, field)
	return field, nil
}

func (f *File) remember(at uint64, field Field) {
	if len(field.Value) > 4096 {
		return
	}
	if f.held += len(field.Value) + 128; f.held > remembered {
		clear(f.values)
		f.held = len(field.Value) + 128
	}
	f.values[at] = field
}

// unpacker unpacks values of the three packings.
type unpacker struct {
	zstd *zstd.Decoder
	lz4  []byte
}

// unpack returns the beginning of what was packed, at most a name and MaxValue
// bytes, and how long the whole is.
func (u *unpacker) unpack(packing byte, b []byte) ([]byte, int, error) {
	switch packing {
	case flagXZ:
		r, err := xz.ReaderConfig{DictCap: 1 << 24, SingleStream: true}.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, 0, fmt.Errorf("unpack xz: %w", err)
		}
		return beginning(r, "xz")
	case flagLZ4:
		return u.unpackLZ4(b)
	case 4:
		if u.zstd == nil {
			d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(1<<27))
			if err != nil {
				return nil, 0, fmt.Errorf("unpack zstd: %w", err)
			}
			u.zstd = d
		}
		if err := u.zstd.Reset(bytes.NewReader(b)); err != nil {
			return nil, 0, fmt.Errorf("unpack zstd: %w", err)
		}
		return beginning(u.zstd, "zstd")
	}
	return nil, 0, fmt.Errorf("packed in two ways: %#x", packing)
}

// beginning reads what is kept and counts the rest.
func beginning(r io.Reader, how string) ([]byte, int, error) {
	var kept bytes.Buffer
	n, err := io.Copy(&kept, io.LimitReader(r, 64+1+MaxValue))
	if err == nil {
		var rest int64
		rest, err = io.Copy(io.Discard, io.LimitReader(r, maxPacked))
		n += rest
	}
	if err != nil {
		return nil, 0, fmt.Errorf("unpack %s: %w", how, err)
	}
	return kept.Bytes(), int(n), nil
}

func (u *unpacker) unpackLZ4(b []byte) ([]byte, int, error) {
	if len(b) < 8 {
		return nil, 0, fmt.Errorf("unpack lz4: %d bytes", len(b))
	}
	size := le64(b)
	if size > maxPacked || size/255 > uint64(len(b)) { // a block cannot say more
		return nil, 0, fmt.Errorf("unpack lz4: %d bytes out of %d", size, len(b))
	}
	if uint64(cap(u.lz4)) < size {
		u.lz4 = make([]byte, size)
	}
	n, err := lz4.UncompressBlock(b[8:], u.lz4[:size])
	if err != nil || uint64(n) != size {
		return nil, 0, fmt.Errorf("unpack lz4: %d bytes instead of %d: %w", n, size, err)
	}
	return u.lz4[:n], n, nil
}
