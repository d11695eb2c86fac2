package trail_test

// A second verifier, written from FORMAT.md alone. It uses nothing of package
// trail, so that a mistake there is not believed here.

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

type digest = [32]byte

func leafOf(x []byte) digest { return sha256.Sum256(append([]byte{0}, x...)) }

func rootOf(hs []digest) digest {
	if len(hs) == 0 {
		return sha256.Sum256(nil)
	}
	if len(hs) == 1 {
		return hs[0]
	}
	k := 1
	for k*2 < len(hs) {
		k *= 2
	}
	l, r := rootOf(hs[:k]), rootOf(hs[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}

func b64(h digest) string { return base64.StdEncoding.EncodeToString(h[:]) }

func unb64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	demand(err == nil && base64.StdEncoding.EncodeToString(b) == s, "base64")
	return b
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// unsound is what demand throws and second catches.
type unsound struct{ error }

func demand(ok bool, what string) {
	if !ok {
		panic(unsound{errors.New(what)})
	}
}

func contents(parts ...string) []byte {
	b, err := os.ReadFile(filepath.Join(parts...))
	demand(err == nil, fmt.Sprint(err))
	return b
}

// second verifies the trail in dir with key and returns how many entries it has. Packs
// that are away are read in the folder archive.
func second(dir, key, archive string) (entries uint64, err error) {
	s := secondVerifier{key: key, archive: archive}
	defer func() {
		if bad, ok := recover().(unsound); ok {
			err = fmt.Errorf("%s: segment %d, entry %d: %w", s.at, s.segment, s.entry, bad.error)
		}
	}()
	demand(string(contents(dir, "trail.pub")) == key+"\n", "trail.pub is another key")
	s.log(dir)
	names, err := filepath.Glob(filepath.Join(dir, "pack", "*"))
	demand(err == nil, "cannot be listed")
	for _, name := range names {
		s.at = filepath.Base(name)
		s.file(contents(name))
		demand(len(s.leaves) == 0, "ends inside a segment")
	}
	demand(s.segment == uint64(len(s.records)), "segments are missing")
	return s.entry, nil
}

type secondVerifier struct {
	key, archive, origin string
	records              [][]byte

	at             string
	segment, entry uint64 // next
	arrived, from  uint64
	leaves         []digest // of the open segment
	table          []byte
	heads          []byte // of the frames of this file
}

// note checks a signed note and returns its text and what follows it.
func (s *secondVerifier) note(b []byte) (text string, rest []byte) {
	name, k, _ := strings.Cut(s.key, "+")
	id, data, _ := strings.Cut(k, "+")
	pub := unb64(data)
	demand(len(pub) == 33 && pub[0] == 1, "key is not Ed25519")
	h := sha256.Sum256(append([]byte(name+"\n"), pub...))
	demand(fmt.Sprintf("%x", h[:4]) == id, "key ID is wrong")
	text, sigs, _ := strings.Cut(string(b), "\n\n")
	line, after, ok := strings.Cut(sigs, "\n")
	sig64, ok2 := strings.CutPrefix(line, "— "+name+" ")
	demand(ok && ok2, "no signature of the key")
	sig := unb64(sig64)
	demand(len(sig) == 4+ed25519.SignatureSize && bytes.Equal(sig[:4], h[:4]), "signature of another key")
	demand(ed25519.Verify(pub[1:], []byte(text+"\n"), sig[4:]), "signature is wrong")
	return text + "\n", []byte(after)
}

// log reads the records out of the bundles and compares bundles, level 0 tiles and the
// root that is signed.
func (s *secondVerifier) log(dir string) {
	text, rest := s.note(contents(dir, "log/checkpoint"))
	lines := strings.Split(text, "\n")
	s.origin, _, _ = strings.Cut(s.key, "+")
	size := 0
	_, err := fmt.Sscan(lines[1], &size)
	demand(len(lines) == 4 && lines[0] == s.origin && len(rest) == 0 && err == nil, "checkpoint is of another log")
	var hashes []digest
	for i := 0; i*256 < size; i++ {
		demand(i < 1000, "longer than this verifier reads")
		name := fmt.Sprintf("%03d", i)
		if n := size - i*256; n < 256 {
			name = fmt.Sprintf("%s.p/%d", name, n)
		}
		var all []byte
		for b := contents(dir, "log/tile/entries", name); len(b) > 0; {
			demand(len(b) >= 2 && len(b) >= 2+int(binary.BigEndian.Uint16(b)), "bundle is cut short")
			n := 2 + int(binary.BigEndian.Uint16(b))
			h := leafOf(b[2:n])
			s.records, hashes, all = append(s.records, b[2:n]), append(hashes, h), append(all, h[:]...)
			b = b[n:]
		}
		demand(bytes.Equal(all, contents(dir, "log/tile/0", name)), "bundle and tile differ")
	}
	demand(len(s.records) == size && b64(rootOf(hashes)) == lines[2], "records do not make the root that is signed")
}

// file checks a pack, what is left of a retired one, or the note of one that is away.
func (s *secondVerifier) file(b []byte) {
	segment, first, base := s.segment, s.entry, fmt.Sprintf("%016d.", s.segment)
	switch kind := strings.TrimPrefix(s.at, base); {
	case kind == "pack":
		s.pack(b, "KKPACK1\n", 'E')
	case kind == "away":
		text, heads := s.note(b)
		p := contents(s.archive, base+"pack")
		s.pack(p, "KKPACK1\n", 'E')
		demand(bytes.Equal(heads, s.heads), "headers of another pack")
		demand(text == fmt.Sprintf("kakusho/trail/away/v1\norigin %s\nsegments %d %d\nentries %d %d\nfrom %s\nto %s\nbytes %d\npack %s\nindex %s\n",
			s.origin, segment, s.segment-segment, first, s.entry-first, s.line(segment, "from"), s.line(s.segment-1, "to"),
			len(p), b64(sha256.Sum256(p)), b64(sha256.Sum256(heads))), "note of another pack")
	default:
		var by uint64
		_, err := fmt.Sscanf(kind, "%016d.hashes", &by)
		demand(err == nil && kind == fmt.Sprintf("%016d.hashes", by), "not the file of a pack")
		s.pack(b, "KKHASH1\n", 'H')
		demand(by >= s.segment && by < uint64(len(s.records)), "retired by no later segment")
		_, retirement, _ := strings.Cut(string(s.records[by]), "\nwhy ")
		demand(strings.Contains(retirement, fmt.Sprintf("\nretire %d %d %d %d ", segment, s.segment-1, first, s.entry-first)), "not retired")
	}
}

// line is what a segment's record says under a word.
func (s *secondVerifier) line(segment uint64, word string) string {
	_, v, _ := strings.Cut(string(s.records[segment]), "\n"+word+" ")
	v, _, _ = strings.Cut(v, "\n")
	return v
}

func (s *secondVerifier) pack(b []byte, magic string, kind byte) {
	o := leafOf([]byte(s.origin))
	head := append([]byte(magic), binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.segment), s.entry)...)
	head = append(append(head, o[:]...), 0, 0, 0, 0)
	head = binary.BigEndian.AppendUint32(head, sum(head))
	demand(len(b) >= 64 && bytes.Equal(b[:64], head), "head is wrong")
	s.heads = nil
	for b = b[64:]; len(b) > 0; {
		demand(len(b) >= 64 && sum(b[:60]) == binary.BigEndian.Uint32(b[60:]) && string(b[:4]) == "KKF1", "frame header is wrong")
		n := 64 + int(binary.BigEndian.Uint32(b[32:]))
		demand(len(b) >= n && sum(b[64:n]) == binary.BigEndian.Uint32(b[36:]), "payload is wrong")
		demand(b[4] == 'S' || b[4] == kind, "frame does not belong here")
		s.heads = append(s.heads, b[:64]...)
		s.frame(b[:64], b[64:n])
		b = b[n:]
	}
}

func (s *secondVerifier) frame(h, payload []byte) {
	u64 := func(i int) uint64 { return binary.BigEndian.Uint64(h[i:]) }
	count, raw := binary.BigEndian.Uint32(h[24:]), binary.BigEndian.Uint32(h[28:])
	zeros := append(append([]byte{}, h[5:8]...), h[56:60]...)
	demand(bytes.Equal(zeros, make([]byte, 7)) && u64(8) == s.segment && u64(16) == s.entry && u64(40) >= s.arrived, "frame is out of order")
	if h[4] == 'S' {
		s.seal(h, payload)
		return
	}
	leaves := leavesIn(h[4], payload, int(raw))
	demand(len(leaves) == int(count) && count > 0, "frame has another count")
	if len(s.table) == 0 {
		s.from = u64(40)
	}
	all := sha256.New()
	for _, l := range leaves {
		all.Write(l[:])
	}
	s.table = all.Sum(append(append(s.table, h[16:28]...), h[40:56]...))
	s.leaves, s.entry, s.arrived = append(s.leaves, leaves...), s.entry+uint64(count), u64(40)
}

// leavesIn are the leaf hashes of a frame, made of entries or read.
func leavesIn(kind byte, payload []byte, raw int) (leaves []digest) {
	if kind == 'H' {
		demand(len(payload) == raw && raw%32 == 0, "not hashes")
		for ; len(payload) > 0; payload = payload[32:] {
			leaves = append(leaves, digest(payload))
		}
		return leaves
	}
	dec, err := zstd.NewReader(nil)
	demand(err == nil, "no zstd")
	defer dec.Close()
	lines, err := dec.DecodeAll(payload, nil)
	demand(err == nil && len(lines) == raw && bytes.HasSuffix(lines, []byte("\n")), "frame does not decode")
	for line := range bytes.Lines(lines) {
		leaves = append(leaves, leafOf(line[:len(line)-1]))
	}
	return leaves
}

func (s *secondVerifier) seal(h, payload []byte) {
	demand(s.segment < uint64(len(s.records)), "sealed, but not under the checkpoint")
	to := binary.BigEndian.Uint64(h[40:])
	if len(s.leaves) == 0 {
		s.from, s.arrived = to, to
	}
	stamp := func(ns uint64) string { return time.Unix(0, int64(ns)).UTC().Format(time.RFC3339Nano) }
	prev := digest{}
	if s.segment > 0 {
		prev = leafOf(s.records[s.segment-1])
	}
	sealed, n, version, retirement := string(s.records[s.segment]), uint64(len(s.leaves)), "v1", ""
	if _, more, ok := strings.Cut(sealed, "\nwhy "); ok {
		version, retirement = "v2", "why "+more // it is signed; it counts where something is gone
	}
	record := fmt.Sprintf("kakusho/trail/segment/%s\norigin %s\nsegment %d\nfirst %d\ncount %d\nfrom %s\nto %s\nroot %s\nframes %s\nprev %s\n%s", version,
		s.origin, s.segment, s.entry-n, n, stamp(s.from), stamp(s.arrived), b64(rootOf(s.leaves)), b64(sha256.Sum256(s.table)), b64(prev), retirement)
	demand(record == sealed && bytes.Equal(payload, append([]byte(record), s.table...)), "seal is not what the log and the frames say")
	rows, length := binary.BigEndian.Uint32(h[24:]), binary.BigEndian.Uint32(h[28:])
	demand(to == s.arrived && binary.BigEndian.Uint64(h[48:]) == 0 && int(rows)*60 == len(s.table) && int(length) == len(payload), "seal header is wrong")
	s.segment, s.leaves, s.table = s.segment+1, nil, nil
}
