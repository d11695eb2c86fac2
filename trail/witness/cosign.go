// Package witness lets others watch that a log only grows.
//
// A witness remembers the newest checkpoint it has seen of each log, and signs a
// next one only when it is proved to be a continuation. So a log that was rolled
// back, or shows two histories, is refused by whoever saw the other one. The
// protocol is C2SP tlog-witness, the signature C2SP tlog-cosignature (Ed25519),
// the rule of whose signatures suffice C2SP tlog-policy.
//
// Witness answers; Follower asks, after each checkpoint of a log, and keeps what
// it got. Nothing that is acknowledged waits for a witness.
package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/key"
)

// algorithm is the number of timestamped Ed25519 cosignatures.
const algorithm = 4

// Signer makes cosignatures.
type Signer struct {
	name string
	key  ed25519.PrivateKey
}

// NewKey makes the key of a witness. The name is as of a URL without its scheme.
func NewKey(name string) (string, error) {
	skey, _, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", fmt.Errorf("make witness key: %w", err)
	}
	return skey, nil
}

// NewSigner reads what NewKey made.
func NewSigner(skey string) (*Signer, error) {
	s, seed, err := key.Seed(skey)
	if err != nil {
		return nil, fmt.Errorf("witness key: %w", err)
	}
	return &Signer{s.Name(), seed}, nil
}

// Public is the verifier key: text for policies.
func (s *Signer) Public() string {
	return keyText(s.name, s.key.Public().(ed25519.PublicKey))
}

// Cosign is the signature line under a checkpoint's text at this time.
func (s *Signer) Cosign(text string, at time.Time) string {
	sig := binary.BigEndian.AppendUint32(nil, keyHash(s.name, s.key.Public().(ed25519.PublicKey)))
	sig = binary.BigEndian.AppendUint64(sig, uint64(at.Unix()))
	sig = append(sig, ed25519.Sign(s.key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at.Unix(), text))...)
	return fmt.Sprintf("\u2014 %s %s\n", s.name, base64.StdEncoding.EncodeToString(sig))
}

func keyHash(name string, public []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n\x04"), public...))
	return binary.BigEndian.Uint32(sum[:])
}

func keyText(name string, public []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyHash(name, public), base64.StdEncoding.EncodeToString(append([]byte{algorithm}, public...)))
}

// Verifier reads a witness's public key strictly: one key has one text.
func Verifier(vkey string) (note.Verifier, error) {
	v, err := fnote.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		return nil, fmt.Errorf("witness key %q: %w", vkey, err)
	}
	b, err := material(vkey)
	if err != nil || b[0] != algorithm || keyText(v.Name(), b[1:]) != vkey {
		return nil, fmt.Errorf("witness key %q: not an Ed25519 cosignature key in canonical form", vkey)
	}
	return v, nil
}

// material is the bytes of a verifier key: algorithm and public key.
func material(vkey string) ([]byte, error) {
	_, rest, _ := strings.Cut(vkey, "+")
	_, b64, _ := strings.Cut(rest, "+")
	b, err := base64.StdEncoding.Strict().DecodeString(b64)
	if err == nil && len(b) != 1+ed25519.PublicKeySize {
		err = errors.New("not an Ed25519 key")
	}
	return b, err
}

// Cosignature is one witness's word: at this time, nothing it had seen of the log
// was newer.
type Cosignature struct {
	Witness string    `json:"witness"` // name in the policy
	At      time.Time `json:"at"`
	Line    string    `json:"-"`

	forgot bool // the witness named less than it had signed before
}

// check finds the cosignature of v among the lines under a checkpoint's text. A
// line in its name that does not hold is an error; none is not.
func check(text string, lines []string, v note.Verifier) (Cosignature, bool, error) {
	for _, line := range lines {
		n, err := note.Open([]byte(text+"\n"+line), note.VerifierList(v))
		if unverified := (*note.UnverifiedNoteError)(nil); errors.As(err, &unverified) {
			continue // of another
		}
		if err != nil {
			return Cosignature{}, false, err
		}
		at, err := fnote.CoSigV1Timestamp(n.Sigs[0])
		if err != nil || at.Unix() < 0 {
			return Cosignature{}, false, errors.New("time of cosignature is out of range")
		}
		b, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
		if canonical := fmt.Sprintf("\u2014 %s %s\n", v.Name(), base64.StdEncoding.EncodeToString(b)); err != nil || canonical != line {
			return Cosignature{}, false, errors.New("cosignature is not in canonical form")
		}
		return Cosignature{At: at.UTC(), Line: line}, true, nil
	}
	return Cosignature{}, false, nil
}
