package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Proof is all that is needed, with the public key, to see that an entry is in
// the trail. Its text is a C2SP tlog-proof of the segment's record; what leads
// from the entry to that record stands in the extra line.
type Proof struct {
	Entry      []byte // the bytes that were sealed
	Index      int64  // place in the segment
	Path       []Hash // up to the segment's root
	Record     []byte // text of the segment's record
	Segment    int64
	LogPath    []Hash // up to the checkpoint's root
	Checkpoint []byte // signed text
}

// ErrProof is returned, wrapped, for bytes that prove nothing.
var ErrProof = errors.New("proof does not hold")

// MaxProof is the longest proof: the longest entry in base64 and what is around it.
const MaxProof = 2 << 20

const (
	proofVersion = "c2sp.org/tlog-proof@v1"
	extraVersion = "kakusho/trail/proof/v1"
)

// Text is the canonical form.
func (p Proof) Text() []byte {
	var x, b bytes.Buffer
	fmt.Fprintf(&x, "%s\nindex %d\n", extraVersion, p.Index)
	for _, h := range p.Path {
		fmt.Fprintln(&x, h)
	}
	fmt.Fprintf(&x, "\n%s\n%s\n", p.Record, p.Entry)
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofVersion, base64.StdEncoding.EncodeToString(x.Bytes()), p.Segment)
	for _, h := range p.LogPath {
		fmt.Fprintln(&b, h)
	}
	fmt.Fprintf(&b, "\n%s", p.Checkpoint)
	return b.Bytes()
}

// ParseProof reads what Text wrote and nothing else. It checks the form; Verify
// checks what it says.
func ParseProof(text []byte) (Proof, error) {
	if len(text) > MaxProof {
		return Proof{}, fmt.Errorf("%w: longer than %d bytes", ErrProof, MaxProof)
	}
	var p Proof
	rest, ok := strings.CutPrefix(string(text), proofVersion+"\nextra ")
	extra, rest, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 {
		return Proof{}, fmt.Errorf("%w: does not begin with %q and an extra line", ErrProof, proofVersion)
	}
	x, err := base64.StdEncoding.Strict().DecodeString(extra)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: extra line: %w", ErrProof, err)
	}
	if p.Segment, p.LogPath, rest, err = parsePath(rest); err != nil {
		return Proof{}, fmt.Errorf("%w: log: %w", ErrProof, err)
	}
	p.Checkpoint = []byte(rest)
	inner, ok := strings.CutPrefix(string(x), extraVersion+"\n")
	if !ok {
		return Proof{}, fmt.Errorf("%w: extra line does not begin with %q", ErrProof, extraVersion)
	}
	if p.Index, p.Path, inner, err = parsePath(inner); err != nil {
		return Proof{}, fmt.Errorf("%w: segment: %w", ErrProof, err)
	}
	record, entry, ok := strings.Cut(inner, "\n\n")
	p.Record, p.Entry = []byte(record+"\n"), []byte(strings.TrimSuffix(entry, "\n"))
	if !ok || !bytes.Equal(p.Text(), text) {
		return Proof{}, fmt.Errorf("%w: not in canonical form", ErrProof)
	}
	return p, nil
}

// parsePath reads an index line, hashes and an empty line.
func parsePath(s string) (index int64, path []Hash, rest string, err error) {
	line, s, _ := strings.Cut(s, "\n")
	n, _ := strings.CutPrefix(line, "index ")
	if index, err = strconv.ParseInt(n, 10, 64); err != nil || index < 0 {
		return 0, nil, "", fmt.Errorf("index line %q", line)
	}
	for {
		line, s, _ = strings.Cut(s, "\n")
		if line == "" {
			return index, path, s, nil
		}
		h, err := ParseHash(line)
		if err != nil {
			return 0, nil, "", err
		}
		if path = append(path, h); len(path) > 64 {
			return 0, nil, "", errors.New("path of more than 64 hashes")
		}
	}
}

// Verify follows p from the entry to the signature of v. Who else signed the
// checkpoint is not looked at.
func (p Proof) Verify(v note.Verifier) (Record, Checkpoint, error) {
	own, _, err := Cosigned(p.Checkpoint)
	if err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	c, err := ParseCheckpoint(own, v)
	if err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	root, ok := Climb(Leaf(p.Record), uint64(p.Segment), uint64(c.Size), p.LogPath)
	if !ok || root != c.Root {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: the segment's record is not in the log", ErrProof)
	}
	r, err := ParseRecord(p.Record)
	if err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if r.Origin != c.Origin || r.Segment != p.Segment {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: record of segment %d of %s", ErrProof, r.Segment, r.Origin)
	}
	root, ok = Climb(Leaf(p.Entry), uint64(p.Index), uint64(r.Count), p.Path)
	if !ok || root != r.Root {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: the entry is not in the segment", ErrProof)
	}
	return r, c, nil
}
