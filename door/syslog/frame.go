package syslog

import "bytes"

// splitter cuts a stream into messages, by octet counts and by line feeds as each
// message has it (RFC 6587). It holds at most one message that is not whole.
type splitter struct {
	max  int // bytes of a message that are kept
	skip int // of a message that is too long: bytes that still come; -1: up to a line feed
}

// cut is a message of a stream.
type cut struct {
	message []byte // part of the buffer it was cut from
	of      int    // length that was said, when more than what is there; -1: longer than allowed, by how much is not known
}

// next takes a message from the beginning of buf: n bytes are done with; ok is false
// when nothing is whole. At the end of the stream what is left is a message too.
func (s *splitter) next(buf []byte, end bool) (c cut, n int, ok bool) {
	if n = s.skipped(buf); s.skip != 0 {
		return cut{}, n, false
	}
	buf = buf[n:]
	for len(buf) > 0 && (buf[0] == '\n' || buf[0] == 0 || buf[0] == '\r') { // after a counted message, or between lines
		buf, n = buf[1:], n+1
	}
	if len(buf) == 0 {
		return cut{}, n, false
	}
	head, length, whole := counted(buf)
	switch {
	case !whole && !end:
		return cut{}, n, false
	case length < 0 || !whole:
		return s.line(buf, n, end)
	}
	body := buf[head:]
	switch {
	case length <= len(body) && length <= s.max:
		return cut{message: body[:length]}, n + head + length, true
	case length > s.max && len(body) >= s.max:
		s.skip = length - s.max
		return cut{message: body[:s.max], of: length}, n + head + s.max, true
	case end:
		return cut{message: body, of: length}, n + len(buf), true
	}
	return cut{}, n, false
}

// skipped drops what is left of a message that was too long.
func (s *splitter) skipped(buf []byte) int {
	switch {
	case s.skip == 0:
		return 0
	case s.skip > 0:
		n := min(s.skip, len(buf))
		s.skip -= n
		return n
	}
	i := bytes.IndexByte(buf, '\n')
	if i < 0 {
		return len(buf)
	}
	s.skip = 0
	return i + 1
}

func (s *splitter) line(buf []byte, n int, end bool) (cut, int, bool) {
	i := bytes.IndexByte(buf[:min(len(buf), s.max+1)], '\n')
	switch {
	case i >= 0:
		return cut{message: buf[:i]}, n + i + 1, true
	case len(buf) > s.max:
		s.skip = -1
		return cut{message: buf[:s.max], of: -1}, n + s.max, true
	case end:
		return cut{message: buf}, n + len(buf), true
	}
	return cut{}, n, false
}

// counted reads "LENGTH <" at the beginning of buf. length is -1 when it is not there,
// whole is false when that cannot be told yet.
func counted(buf []byte) (head, length int, whole bool) {
	for i, c := range buf[:min(len(buf), 11)] {
		switch {
		case c >= '0' && c <= '9' && (i > 0 || c != '0'):
			continue
		case c != ' ' || i == 0:
			return 0, -1, true
		case i+1 == len(buf):
			return 0, 0, false
		case buf[i+1] != '<':
			return 0, -1, true
		}
		length = number(buf[:i])
		return i + 1, length, true
	}
	if len(buf) >= 11 {
		return 0, -1, true
	}
	return 0, 0, false
}
