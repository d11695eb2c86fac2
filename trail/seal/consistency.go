package seal

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Extends reports whether path proves that what from signs is the beginning of
// what to signs. Of nothing, everything is the continuation, and needs no path.
func (to Checkpoint) Extends(from Checkpoint, path []Hash) bool {
	switch {
	case from.Origin != to.Origin || from.Size < 0 || from.Size > to.Size:
		return false
	case from.Size == 0:
		return len(path) == 0
	case from.Size == to.Size:
		return len(path) == 0 && from.Root == to.Root
	}
	raw := make([][]byte, len(path))
	for i, h := range path {
		raw[i] = bytes.Clone(h[:])
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(from.Size), uint64(to.Size), raw, from.Root[:], to.Root[:]) == nil
}

// Cosigned takes a checkpoint apart that others have signed beside the log: what
// is left with the log's signature alone, and the lines of the others, which
// nobody has checked yet.
func Cosigned(text []byte) (own []byte, others []string, err error) {
	body, sigs, ok := strings.Cut(string(text), "\n\n")
	origin, _, _ := strings.Cut(body, "\n")
	if !ok || !strings.HasSuffix(sigs, "\n") {
		return nil, nil, fmt.Errorf("checkpoint: no signatures")
	}
	for line := range strings.Lines(sigs) {
		if !strings.HasPrefix(line, "\u2014 ") {
			return nil, nil, fmt.Errorf("checkpoint: %q is not a signature line", line)
		}
		if own == nil && strings.HasPrefix(line, "\u2014 "+origin+" ") {
			own = []byte(body + "\n\n" + line)
			continue
		}
		others = append(others, line)
	}
	if own == nil {
		return nil, nil, fmt.Errorf("checkpoint: not signed by %s", origin)
	}
	return own, others, nil
}
