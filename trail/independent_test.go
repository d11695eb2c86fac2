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

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// second verifies the trail in dir with key and returns how many entries it has.
func second(dir, key string) (entries uint64, err error) {
	public, err := os.ReadFile(filepath.Join(dir, "trail.pub"))
	if err != nil || string(public) != key+"\n" {
		return 0, fmt.Errorf("trail.pub: %q, %v", public, err)
	}
	origin, size, root, err := secondCheckpoint(dir, key)
	if err != nil {
		return 0, err
	}
	records, err := secondLog(dir, size, root)
	if err != nil {
		return 0, err
	}
	s := secondPacks{origin: origin, records: records}
	names, err := filepath.Glob(filepath.Join(dir, "pack", "*"))
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if err := s.pack(name); err != nil {
			return 0, fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
	}
	if s.segment != uint64(len(records)) || len(s.leaves) > 0 {
		return 0, fmt.Errorf("%d segments and %d entries behind them, the log has %d", s.segment, len(s.leaves), len(records))
	}
	return s.entry, nil
}

// secondCheckpoint checks the signed note.
func secondCheckpoint(dir, key string) (origin string, size int, root string, err error) {
	name, rest, _ := strings.Cut(key, "+")
	id, data, _ := strings.Cut(rest, "+")
	pub, err := base64.StdEncoding.DecodeString(data)
	if err != nil || len(pub) != 33 || pub[0] != 1 {
		return "", 0, "", errors.New("key is not Ed25519")
	}
	h := sha256.Sum256(append([]byte(name+"\n"), pub...))
	if fmt.Sprintf("%x", h[:4]) != id {
		return "", 0, "", errors.New("key ID is wrong")
	}
	note, err := os.ReadFile(filepath.Join(dir, "log", "checkpoint"))
	if err != nil {
		return "", 0, "", err
	}
	text, sigs, _ := strings.Cut(string(note), "\n\n")
	text += "\n"
	sig, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(strings.TrimPrefix(sigs, "— "+name+" "), "\n"))
	if err != nil || len(sig) != 4+ed25519.SignatureSize || !bytes.Equal(sig[:4], h[:4]) {
		return "", 0, "", errors.New("no signature of the key")
	}
	if string(note) != text+"\n— "+name+" "+base64.StdEncoding.EncodeToString(sig)+"\n" || !ed25519.Verify(pub[1:], []byte(text), sig[4:]) {
		return "", 0, "", errors.New("signature is wrong")
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != name {
		return "", 0, "", errors.New("checkpoint is of another log")
	}
	_, err = fmt.Sscan(lines[1], &size)
	return name, size, lines[2], err
}

// secondLog reads the records out of the bundles and compares bundles, level 0
// tiles and root.
func secondLog(dir string, size int, root string) (records [][]byte, err error) {
	var hashes []digest
	for i := 0; i*256 < size; i++ {
		name := fmt.Sprintf("%03d", i%1000)
		if i >= 1000 {
			return nil, errors.New("longer than this verifier reads")
		}
		if n := size - i*256; n < 256 {
			name = fmt.Sprintf("%s.p/%d", name, n)
		}
		b, err := os.ReadFile(filepath.Join(dir, "log/tile/entries", name))
		if err != nil {
			return nil, err
		}
		tile, err := os.ReadFile(filepath.Join(dir, "log/tile/0", name))
		if err != nil {
			return nil, err
		}
		var all []byte
		for len(b) >= 2 {
			n := int(binary.BigEndian.Uint16(b))
			if len(b) < 2+n {
				return nil, errors.New("bundle is cut short")
			}
			h := leafOf(b[2 : 2+n])
			records, hashes, all = append(records, b[2:2+n]), append(hashes, h), append(all, h[:]...)
			b = b[2+n:]
		}
		if len(b) > 0 || !bytes.Equal(all, tile) {
			return nil, errors.New("bundle and tile differ")
		}
	}
	if len(records) != size || b64(rootOf(hashes)) != root {
		return nil, errors.New("records do not make the root that is signed")
	}
	return records, nil
}

type secondPacks struct {
	origin  string
	records [][]byte

	segment, entry uint64 // next
	arrived        uint64
	from           uint64
	leaves         []digest // of the open segment
	table          []byte
}

func (s *secondPacks) pack(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	o := leafOf([]byte(s.origin))
	head := append([]byte("KKPACK1\n"), binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.segment), s.entry)...)
	head = append(append(head, o[:]...), 0, 0, 0, 0)
	head = binary.BigEndian.AppendUint32(head, sum(head))
	if len(b) < 64 || !bytes.Equal(b[:64], head) || filepath.Base(name) != fmt.Sprintf("%016d.pack", s.segment) || len(s.leaves) > 0 {
		return errors.New("pack header is wrong")
	}
	for b = b[64:]; len(b) > 0; {
		if len(b) < 64 || sum(b[:60]) != binary.BigEndian.Uint32(b[60:]) || string(b[:4]) != "KKF1" {
			return errors.New("frame header is wrong")
		}
		n := int(binary.BigEndian.Uint32(b[32:]))
		if len(b) < 64+n || sum(b[64:64+n]) != binary.BigEndian.Uint32(b[36:]) {
			return errors.New("payload is wrong")
		}
		if err := s.frame(b[:64], b[64:64+n]); err != nil {
			return fmt.Errorf("segment %d, entry %d: %w", s.segment, s.entry, err)
		}
		b = b[64+n:]
	}
	return nil
}

func (s *secondPacks) frame(h, payload []byte) error {
	u64 := func(i int) uint64 { return binary.BigEndian.Uint64(h[i:]) }
	count, raw := binary.BigEndian.Uint32(h[24:]), binary.BigEndian.Uint32(h[28:])
	zeros := append(append([]byte{}, h[5:8]...), h[56:60]...)
	if !bytes.Equal(zeros, make([]byte, 7)) || u64(8) != s.segment || u64(16) != s.entry || u64(40) < s.arrived {
		return errors.New("frame is out of order")
	}
	if h[4] == 'S' {
		return s.seal(h, payload)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		return err
	}
	defer dec.Close()
	lines, err := dec.DecodeAll(payload, nil)
	if err != nil || h[4] != 'E' || len(lines) != int(raw) || !bytes.HasSuffix(lines, []byte("\n")) {
		return errors.New("frame does not decode")
	}
	all := sha256.New()
	n := uint32(0)
	for line := range bytes.Lines(lines) {
		l := leafOf(line[:len(line)-1])
		all.Write(l[:])
		s.leaves = append(s.leaves, l)
		n++
	}
	if n != count {
		return errors.New("frame has another count")
	}
	if len(s.table) == 0 {
		s.from = u64(40)
	}
	s.table = append(append(s.table, h[16:28]...), h[40:56]...)
	s.table = all.Sum(s.table)
	s.entry, s.arrived = s.entry+uint64(n), u64(40)
	return nil
}

func (s *secondPacks) seal(h, payload []byte) error {
	if s.segment >= uint64(len(s.records)) {
		return errors.New("sealed, but not under the checkpoint")
	}
	to := binary.BigEndian.Uint64(h[40:])
	if len(s.leaves) == 0 {
		s.from, s.arrived = to, to
	}
	stamp := func(ns uint64) string { return time.Unix(0, int64(ns)).UTC().Format(time.RFC3339Nano) }
	prev := digest{}
	if s.segment > 0 {
		prev = leafOf(s.records[s.segment-1])
	}
	n := uint64(len(s.leaves))
	record := fmt.Sprintf("kakusho/trail/segment/v1\norigin %s\nsegment %d\nfirst %d\ncount %d\nfrom %s\nto %s\nroot %s\nframes %s\nprev %s\n",
		s.origin, s.segment, s.entry-n, n, stamp(s.from), stamp(s.arrived), b64(rootOf(s.leaves)), b64(sha256.Sum256(s.table)), b64(prev))
	if record != string(s.records[s.segment]) || !bytes.Equal(payload, append([]byte(record), s.table...)) {
		return errors.New("seal is not what the log and the frames say")
	}
	rows, length := binary.BigEndian.Uint32(h[24:]), binary.BigEndian.Uint32(h[28:])
	if to != s.arrived || binary.BigEndian.Uint64(h[48:]) != 0 || int(rows)*60 != len(s.table) || int(length) != len(payload) {
		return errors.New("seal header is wrong")
	}
	s.segment, s.leaves, s.table = s.segment+1, nil, nil
	return nil
}
