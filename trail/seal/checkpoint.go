package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Verifier reads a public key strictly: one key has one text.
func Verifier(key string) (note.Verifier, error) {
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("public key %q: %w", key, err)
	}
	_, rest, _ := strings.Cut(key, "+")
	_, b64, _ := strings.Cut(rest, "+")
	data, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err != nil || base64.StdEncoding.EncodeToString(data) != b64 {
		return nil, fmt.Errorf("public key %q: not in canonical form", key)
	}
	return v, nil
}

// Checkpoint is a signed statement of how long the log is and what its root is.
type Checkpoint struct {
	Origin string
	Size   int64 // segments
	Root   Hash
}

// Text is what is signed.
func (c Checkpoint) Text() string { return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root) }

// ParseCheckpoint checks the signature of v over text, and that text is the one
// form it can have: note.Open would let pass other signatures and loose base64.
func ParseCheckpoint(text []byte, v note.Verifier) (Checkpoint, error) {
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	var c Checkpoint
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != v.Name() {
		return Checkpoint{}, fmt.Errorf("checkpoint: not of %s", v.Name())
	}
	c.Origin = lines[0]
	if _, err := fmt.Sscanf(lines[1], "%d", &c.Size); err != nil || fmt.Sprint(c.Size) != lines[1] || c.Size < 0 {
		return Checkpoint{}, fmt.Errorf("checkpoint: size %q", lines[1])
	}
	if c.Root, err = ParseHash(lines[2]); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	sig, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil || base64.StdEncoding.EncodeToString(sig) != n.Sigs[0].Base64 ||
		string(text) != fmt.Sprintf("%s\n\u2014 %s %s\n", n.Text, v.Name(), n.Sigs[0].Base64) {
		return Checkpoint{}, errors.New("checkpoint: signature line is not in canonical form")
	}
	return c, nil
}
