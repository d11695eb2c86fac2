package forward

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
)

// A batch on disk is records one after the other: the lengths of head and body, a
// checksum of what follows, the head as JSON, and the body: lines, as one zstd frame.
// The bodies of a batch one after the other are what is sent: zstd reads frames that
// follow each other as one.
type record struct {
	head head
	body []byte
}

// head says whose events a record has.
type head struct {
	Sender string `json:"sender,omitempty"`
	Number int64  `json:"number,omitempty"`
	Count  int    `json:"count"`
}

const recordHead = 12

func appendRecord(dst []byte, h head, body []byte) []byte {
	text, _ := json.Marshal(h) // plain values cannot fail
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(text)))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(body)))
	dst = append(dst, 0, 0, 0, 0)
	dst = append(append(dst, text...), body...)
	binary.LittleEndian.PutUint32(dst[at+8:], sum(dst[at:]))
	return dst
}

// sum is the checksum of a record: of its lengths, its head and its body.
func sum(b []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(b[:8], table), table, b[recordHead:])
}

// parse reads records as far as they are whole; good is how many bytes that is.
func parse(b []byte) (records []record, good int) {
	for len(b)-good >= recordHead {
		rest := b[good:]
		n := recordHead + int64(binary.LittleEndian.Uint32(rest)) + int64(binary.LittleEndian.Uint32(rest[4:]))
		text := recordHead + int64(binary.LittleEndian.Uint32(rest))
		if n > int64(len(rest)) || binary.LittleEndian.Uint32(rest[8:]) != sum(rest[:n]) {
			break
		}
		var h head
		if json.Unmarshal(rest[recordHead:text], &h) != nil || h.Count < 0 {
			break
		}
		records = append(records, record{h, rest[text:n]})
		good += int(n)
	}
	return records, good
}
