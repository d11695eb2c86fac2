package pack

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Stream reads a file in a form from its first byte on and calls fn with each frame,
// whose bytes are good until it returns. What is not a whole file is an error.
func Stream(r io.Reader, form Form, origin string, fn func(h Header, stored []byte) error) (segment, first int64, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	head := make([]byte, HeaderSize)
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, 0, fmt.Errorf("%w: head: %w", ErrDamaged, err)
	}
	if segment, first, err = form.ParseHead(head, origin); err != nil {
		return 0, 0, err
	}
	var stored []byte
	for {
		_, err := io.ReadFull(in, head)
		if errors.Is(err, io.EOF) {
			return segment, first, nil
		}
		if err != nil {
			return 0, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		h, err := ParseHeader(head)
		if err != nil {
			return 0, 0, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if h.Type != Seal && h.Type != form.Entries() {
			return 0, 0, fmt.Errorf("%w: frame of type %q", ErrDamaged, byte(h.Type))
		}
		if cap(stored) < h.Stored {
			stored = make([]byte, h.Stored)
		}
		stored = stored[:h.Stored]
		if _, err := io.ReadFull(in, stored); err != nil {
			return 0, 0, fmt.Errorf("%w: entry %d: %w", ErrDamaged, h.First, err)
		}
		if err := fn(h, stored); err != nil {
			return 0, 0, err
		}
	}
}

// Check sees that stored is the payload h names, without decoding it.
func (h Header) Check(stored []byte) error {
	if len(stored) != h.Stored || crc32.Checksum(stored, castagnoli) != h.Sum {
		return fmt.Errorf("%w: sum of the payload is wrong", ErrFrame)
	}
	return nil
}
