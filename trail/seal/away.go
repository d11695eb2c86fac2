package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Away says what a pack is that is not in the folder but in an archive. Its text is
// a signed note; the headers of the pack's frames follow it, so that one frame can be
// fetched without the others.
type Away struct {
	Origin            string
	Segment, Segments int64 // the first, and how many
	First, Count      int64 // entries
	From, To          time.Time
	Bytes             int64 // of the pack
	Digest            Hash  // SHA-256 of the pack
	Index             Hash  // SHA-256 of the headers
}

// ErrAway is returned, wrapped, for what is not the note of a pack in an archive.
var ErrAway = errors.New("note of an archived pack does not hold")

const awayVersion = "kakusho/trail/away/v1"

func (a Away) text() string {
	return fmt.Sprintf("%s\norigin %s\nsegments %d %d\nentries %d %d\nfrom %s\nto %s\nbytes %d\npack %s\nindex %s\n",
		awayVersion, a.Origin, a.Segment, a.Segments, a.First, a.Count,
		a.From.UTC().Format(time.RFC3339Nano), a.To.UTC().Format(time.RFC3339Nano), a.Bytes, a.Digest, a.Index)
}

// Sign makes the note, and puts the headers behind it.
func (a Away) Sign(headers []byte, s note.Signer) ([]byte, error) {
	a.Origin, a.Index = s.Name(), sha256.Sum256(headers)
	text, err := note.Sign(&note.Note{Text: a.text()}, s)
	if err != nil {
		return nil, fmt.Errorf("sign note of an archived pack: %w", err)
	}
	return append(text, headers...), nil
}

// ParseAway reads what Sign wrote and nothing else.
func ParseAway(data []byte, v note.Verifier) (a Away, headers []byte, err error) {
	_, rest, ok := bytes.Cut(data, []byte("\n\n"))
	_, headers, ok2 := bytes.Cut(rest, []byte("\n"))
	if !ok || !ok2 {
		return a, nil, fmt.Errorf("%w: no signature", ErrAway)
	}
	text := data[:len(data)-len(headers)]
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return a, nil, fmt.Errorf("%w: %w", ErrAway, err)
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil || string(text) != fmt.Sprintf("%s\n\u2014 %s %s\n", n.Text, v.Name(), base64.StdEncoding.EncodeToString(sig)) {
		return a, nil, fmt.Errorf("%w: signature line is not in canonical form", ErrAway)
	}
	var from, to, digest, index string
	_, err = fmt.Sscanf(n.Text, awayVersion+"\norigin %s\nsegments %d %d\nentries %d %d\nfrom %s\nto %s\nbytes %d\npack %s\nindex %s\n",
		&a.Origin, &a.Segment, &a.Segments, &a.First, &a.Count, &from, &to, &a.Bytes, &digest, &index)
	var errs [5]error
	errs[0] = err
	a.From, errs[1] = time.Parse(time.RFC3339Nano, from)
	a.To, errs[2] = time.Parse(time.RFC3339Nano, to)
	a.Digest, errs[3] = ParseHash(digest)
	a.Index, errs[4] = ParseHash(index)
	switch err := errors.Join(errs[:]...); {
	case err != nil:
		return Away{}, nil, fmt.Errorf("%w: %w", ErrAway, err)
	case a.text() != n.Text || a.Origin != v.Name() || a.Segment < 0 || a.Segments < 1 || a.First < 0 || a.Count < 0 || a.Bytes < 0:
		return Away{}, nil, fmt.Errorf("%w: not in canonical form", ErrAway)
	case sha256.Sum256(headers) != a.Index:
		return Away{}, nil, fmt.Errorf("%w: the headers are others", ErrAway)
	}
	return a, headers, nil
}
