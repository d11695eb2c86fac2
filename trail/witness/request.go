package witness

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"kakusho/trail/seal"
)

// Continuation is what a log submits to a witness, and what shows anyone that one
// checkpoint continues another: the newer one, and the path from the older's size.
type Continuation struct {
	Old        int64
	Path       []seal.Hash
	Checkpoint []byte // signed, by others too if they have
}

// The most that a request holds.
const (
	maxRequest = 64 << 10
	maxPath    = 63
)

// errRequest is wrapped with what is wrong with the form.
var errRequest = errors.New("continuation cannot be read")

// Text is the canonical form, the body of add-checkpoint.
func (r Continuation) Text() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", r.Old)
	for _, h := range r.Path {
		fmt.Fprintln(&b, h)
	}
	return append([]byte(b.String()+"\n"), r.Checkpoint...)
}

// ParseContinuation reads what Text wrote and nothing else. It checks the form only.
func ParseContinuation(b []byte) (Continuation, error) {
	head, checkpoint, ok := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(b) > maxRequest || len(lines) > 1+maxPath {
		return Continuation{}, fmt.Errorf("%w: want old SIZE, up to %d hashes, an empty line and a checkpoint", errRequest, maxPath)
	}
	var r Continuation
	n, ok := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseInt(n, 10, 64)
	if !ok || err != nil || old < 0 || strconv.FormatInt(old, 10) != n {
		return Continuation{}, fmt.Errorf("%w: first line %q", errRequest, lines[0])
	}
	r.Old, r.Checkpoint = old, []byte(checkpoint)
	for _, line := range lines[1:] {
		h, err := seal.ParseHash(line)
		if err != nil {
			return Continuation{}, fmt.Errorf("%w: %w", errRequest, err)
		}
		r.Path = append(r.Path, h)
	}
	return r, nil
}

// statement reads the text of a checkpoint, whoever signed it. Extension lines are
// left aside: a witness says nothing of them.
func statement(own []byte) (seal.Checkpoint, string, error) {
	body, _, _ := strings.Cut(string(own), "\n\n")
	lines := strings.Split(body, "\n")
	if len(lines) < 3 || lines[0] == "" {
		return seal.Checkpoint{}, "", fmt.Errorf("%w: checkpoint has no origin, size and root", errRequest)
	}
	c := seal.Checkpoint{Origin: lines[0]}
	var err error
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 || strconv.FormatInt(c.Size, 10) != lines[1] {
		return seal.Checkpoint{}, "", fmt.Errorf("%w: size %q", errRequest, lines[1])
	}
	if c.Root, err = seal.ParseHash(lines[2]); err != nil {
		return seal.Checkpoint{}, "", fmt.Errorf("%w: %w", errRequest, err)
	}
	return c, body + "\n", nil
}
