package key

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/seal"
)

// Statement says that one key follows another in signing a log, from a
// checkpoint on. Its text is a signed note: by both keys, or, when the old one is
// lost, by the new one alone.
type Statement struct {
	Origin string
	Number int64 // from 1
	Old    string
	New    string
	Lost   bool // the old key did not sign
	At     time.Time
	Size   int64 // of the log then: the old key signs nothing longer
	Root   seal.Hash
	Prev   seal.Hash // leaf() of the statement before; zeros in the first
}

const version = "kakusho/trail/key/v1"

// ErrChain is returned, wrapped, for statements that do not lead from key to key.
var ErrChain = errors.New("key statements do not hold")

// Text is what is signed.
func (s Statement) Text() string {
	why := "rotated"
	if s.Lost {
		why = "lost"
	}
	return fmt.Sprintf("%s\norigin %s\nnumber %d\nold %s\nnew %s\nreason %s\nat %s\nsize %d\nroot %s\nprev %s\n",
		version, s.Origin, s.Number, s.Old, s.New, why, s.At.UTC().Format(time.RFC3339Nano), s.Size, s.Root, s.Prev)
}

var names = []string{"origin", "number", "old", "new", "reason", "at", "size", "root", "prev"}

func parseStatement(text string) (Statement, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != len(names)+2 || lines[0] != version {
		return Statement{}, fmt.Errorf("%w: not %d lines of %s", ErrChain, len(names)+1, version)
	}
	var s Statement
	var errs []error
	for i, name := range names {
		v, ok := strings.CutPrefix(lines[i+1], name+" ")
		if !ok {
			return Statement{}, fmt.Errorf("%w: line %d is not %q", ErrChain, i+2, name)
		}
		errs = append(errs, s.set(name, v))
	}
	if err := errors.Join(errs...); err != nil {
		return Statement{}, fmt.Errorf("%w: %w", ErrChain, err)
	}
	if s.Size < 0 || s.Text() != text {
		return Statement{}, fmt.Errorf("%w: not in canonical form", ErrChain)
	}
	return s, nil
}

func (s *Statement) set(name, v string) (err error) {
	switch name {
	case "origin":
		s.Origin = v
	case "number":
		s.Number, err = strconv.ParseInt(v, 10, 64)
	case "old":
		s.Old = v
	case "new":
		s.New = v
	case "reason":
		s.Lost = v == "lost"
	case "at":
		s.At, err = time.Parse(time.RFC3339Nano, v)
	case "size":
		s.Size, err = strconv.ParseInt(v, 10, 64)
	case "root":
		s.Root, err = seal.ParseHash(v)
	case "prev":
		s.Prev, err = seal.ParseHash(v)
	}
	return err
}

// check sees that the keys are of one log, and that those sign who must.
func (s Statement) check(signed string) error {
	old, err := seal.Verifier(s.Old)
	if err != nil {
		return err
	}
	fresh, err := seal.Verifier(s.New)
	if err != nil {
		return err
	}
	if old.Name() != s.Origin || fresh.Name() != s.Origin || s.Old == s.New {
		return errors.New("not two keys of one log")
	}
	signers := []note.Verifier{fresh}
	if !s.Lost {
		signers = append(signers, old)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(signers...))
	if err != nil {
		return err
	}
	if len(n.Sigs) != len(signers) || len(n.UnverifiedSigs) > 0 {
		return fmt.Errorf("%d signatures, want %d", len(n.Sigs)+len(n.UnverifiedSigs), len(signers))
	}
	if signedBy(n) != signed {
		return errors.New("signatures are not in canonical form")
	}
	return nil
}

// signedBy is the one text that a note with these signatures has.
func signedBy(n *note.Note) string {
	var b strings.Builder
	b.WriteString(n.Text + "\n")
	for _, sig := range n.Sigs {
		data, err := base64.StdEncoding.DecodeString(sig.Base64)
		if err != nil {
			return ""
		}
		fmt.Fprintf(&b, "\u2014 %s %s\n", sig.Name, base64.StdEncoding.EncodeToString(data))
	}
	return b.String()
}

// Chain is all statements of a trail, first to last; each follows from the one before.
type Chain []Statement

// MaxChain is the longest chain file that is read.
const MaxChain = 1 << 20

// ParseChain reads the text of a chain file and checks all but whether to believe
// the first old key, and each new one that was put for a lost one.
func ParseChain(text []byte) (Chain, error) {
	if len(text) > MaxChain {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrChain, MaxChain)
	}
	var c Chain
	prev := seal.Hash{}
	for rest := string(text); rest != ""; {
		body, after, ok := strings.Cut(rest, "\n\n")
		sigs, next, ok2 := strings.Cut(after, "\n\n")
		if !ok || !ok2 {
			return nil, fmt.Errorf("%w: statement %d is not whole", ErrChain, len(c)+1)
		}
		body, sigs, rest = body+"\n", sigs+"\n", next
		s, err := parseStatement(body)
		if err != nil {
			return nil, err
		}
		if err := s.check(body + "\n" + sigs); err != nil {
			return nil, fmt.Errorf("%w: statement %d: %w", ErrChain, len(c)+1, err)
		}
		if err := c.next(s, prev); err != nil {
			return nil, fmt.Errorf("%w: statement %d: %w", ErrChain, len(c)+1, err)
		}
		c, prev = append(c, s), seal.Leaf([]byte(body))
	}
	return c, nil
}

// next sees that s goes on from the last of c.
func (c Chain) next(s Statement, prev seal.Hash) error {
	if s.Number != int64(len(c))+1 || s.Prev != prev {
		return errors.New("does not name the one before")
	}
	if len(c) == 0 {
		return nil
	}
	last := c[len(c)-1]
	if s.Origin != last.Origin || s.Old != last.New || s.Size < last.Size {
		return errors.New("does not go on from the one before")
	}
	return nil
}

// ReadChain reads the chain of the trail in dir; none is an empty one.
func ReadChain(dir string) (Chain, error) {
	b, err := os.ReadFile(filepath.Join(dir, ChainFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read key statements: %w", err)
	}
	return ParseChain(b)
}

// Follow is the way from a key that is believed to the last one. The keys that
// only their own word puts there (a lost key was replaced) are named, unless they
// are among the accepted. A key that is not in the chain leads nowhere but to itself.
func (c Chain) Follow(from string, accepted ...string) (last string, unaccepted []Statement) {
	last = from
	for _, s := range c {
		if s.Old != last {
			continue
		}
		if last = s.New; s.Lost && !slices.Contains(accepted, s.New) {
			unaccepted = append(unaccepted, s)
		}
	}
	return last, unaccepted
}

// Trusted is the keys whose signature under a log of this size an auditor who was
// given one key believes, newest first. An old key cannot sign for what came after
// it, nor a new one for what was before. Backwards a key vouches for those before
// it; forwards over a lost one only when it was accepted.
func (c Chain) Trusted(given string, size int64, accepted ...string) (keys []string) {
	at := slices.Index(c.keys(), given)
	if at < 0 {
		return []string{given}
	}
	for i, k := range c.keys() {
		if i > at && c[i-1].Lost && !slices.Contains(accepted, k) {
			break
		}
		if (i == 0 || size >= c[i-1].Size) && (i == len(c) || size <= c[i].Size) {
			keys = append(keys, k)
		}
	}
	slices.Reverse(keys)
	return keys
}

// Checkpoint reads a checkpoint that one of the keys signed which Trusted names for
// its size, and that no statement contradicts. The text bears that one signature.
func (c Chain) Checkpoint(text []byte, given string, accepted ...string) (seal.Checkpoint, string, error) {
	candidates := append(c.keys(), given)
	err := error(nil)
	for _, k := range candidates {
		v, verr := seal.Verifier(k)
		if verr != nil {
			return seal.Checkpoint{}, "", verr
		}
		cp, perr := seal.ParseCheckpoint(text, v)
		if perr != nil {
			err = perr
			continue
		}
		if slices.Contains(c.Trusted(given, cp.Size, accepted...), k) {
			if slices.ContainsFunc(c, func(s Statement) bool { return s.Size == cp.Size && s.Root != cp.Root }) {
				return seal.Checkpoint{}, "", fmt.Errorf("%w: checkpoint of %d segments is not the one that a statement names", ErrChain, cp.Size)
			}
			return cp, k, nil
		}
		return seal.Checkpoint{}, "", fmt.Errorf("%w: checkpoint of %d segments is signed with a key that is not believed for it", ErrChain, cp.Size)
	}
	return seal.Checkpoint{}, "", err
}

// keys are all, first to last.
func (c Chain) keys() (keys []string) {
	for i, s := range c {
		if i == 0 {
			keys = append(keys, s.Old)
		}
		keys = append(keys, s.New)
	}
	return keys
}
