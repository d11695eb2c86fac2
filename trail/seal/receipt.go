package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Receipt says that a log took lines and has them on disk. Its text is a signed
// note; no checkpoint and no record has this form, so none passes for another.
type Receipt struct {
	Origin string
	First  int64     // number of the first
	Count  int64     // how many
	Leaves Hash      // Digest of their leaf hashes
	At     time.Time // when they were acknowledged
}

// ErrReceipt is returned, wrapped, for a receipt that is none, or is not kept.
var ErrReceipt = errors.New("receipt does not hold")

const receiptVersion = "kakusho/trail/receipt/v1"

// MaxReceipt is the longest receipt.
const MaxReceipt = 4 << 10

// Text is the canonical form of what is signed, six lines.
func (r Receipt) Text() string {
	return fmt.Sprintf("%s\norigin %s\nfirst %d\ncount %d\nleaves %s\nat %s\n",
		receiptVersion, r.Origin, r.First, r.Count, r.Leaves, r.At.UTC().Format(time.RFC3339Nano))
}

// Sign makes the note.
func (r Receipt) Sign(s note.Signer) ([]byte, error) {
	if r.First < 0 || r.Count < 1 || r.Origin != s.Name() {
		return nil, fmt.Errorf("sign receipt: %d entries from %d of %s, by %s", r.Count, r.First, r.Origin, s.Name())
	}
	text, err := note.Sign(&note.Note{Text: r.Text()}, s)
	if err != nil {
		return nil, fmt.Errorf("sign receipt: %w", err)
	}
	return text, nil
}

// ParseReceipt reads what Sign wrote and nothing else.
func ParseReceipt(text []byte, v note.Verifier) (Receipt, error) {
	if len(text) > MaxReceipt {
		return Receipt{}, fmt.Errorf("%w: longer than %d bytes", ErrReceipt, MaxReceipt)
	}
	n, err := note.Open(text, note.VerifierList(v))
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil || string(text) != fmt.Sprintf("%s\n\u2014 %s %s\n", n.Text, v.Name(), base64.StdEncoding.EncodeToString(sig)) {
		return Receipt{}, fmt.Errorf("%w: signature line is not in canonical form", ErrReceipt)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 7 || lines[0] != receiptVersion {
		return Receipt{}, fmt.Errorf("%w: want six lines from %q on", ErrReceipt, receiptVersion)
	}
	var r Receipt
	var errs [4]error
	r.Origin = strings.TrimPrefix(lines[1], "origin ")
	r.First, errs[0] = strconv.ParseInt(strings.TrimPrefix(lines[2], "first "), 10, 64)
	r.Count, errs[1] = strconv.ParseInt(strings.TrimPrefix(lines[3], "count "), 10, 64)
	r.Leaves, errs[2] = ParseHash(strings.TrimPrefix(lines[4], "leaves "))
	r.At, errs[3] = time.Parse(time.RFC3339Nano, strings.TrimPrefix(lines[5], "at "))
	if err := errors.Join(errs[:]...); err != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	switch {
	case r.Origin != v.Name():
		return Receipt{}, fmt.Errorf("%w: of %s, not of %s", ErrReceipt, r.Origin, v.Name())
	case r.First < 0 || r.Count < 1 || r.Text() != n.Text:
		return Receipt{}, fmt.Errorf("%w: not in canonical form", ErrReceipt)
	}
	return r, nil
}

// Honoured compares a receipt with the leaf hashes of what the log has from
// First on, up to Count of them.
func (r Receipt) Honoured(leaves []Hash) error {
	switch {
	case int64(len(leaves)) < r.Count:
		return fmt.Errorf("%w: it says entries %d to %d, the trail ends before %d", ErrReceipt, r.First, r.First+r.Count-1, r.First+int64(len(leaves)))
	case int64(len(leaves)) > r.Count || Digest(leaves) != r.Leaves:
		return fmt.Errorf("%w: entries %d to %d are others", ErrReceipt, r.First, r.First+r.Count-1)
	}
	return nil
}
