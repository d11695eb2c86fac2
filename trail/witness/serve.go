package witness

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sys/unix"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// The names in a witness's directory.
const (
	keyFile  = "witness.key" // mode 0600
	logsFile = "logs"        // a policy file with log lines only: whom it witnesses
	lockFile = "lock"
	seenDir  = "seen"     // the newest checkpoint of each log, with our cosignature
	evilDir  = "evidence" // signed checkpoints that do not fit what was seen
)

// ErrWitness is returned, wrapped, when a witness cannot begin or go on.
var ErrWitness = errors.New("witness")

// Options say how a witness runs.
type Options struct {
	Name string // of its key, when that is made first; default: "kakusho/witness"
	Now  func() time.Time
	Log  *slog.Logger // nil: silent
}

// Witness answers logs that want to be watched. It is an http.Handler of the one
// address add-checkpoint below wherever it is mounted. What it has signed is on
// disk before it says so; one process has its directory.
type Witness struct {
	o      Options
	dir    string
	lock   *os.File
	signer *Signer

	mu sync.Mutex // held from comparing with what was seen until that is on disk
}

// Open opens the witness in dir, or makes it, with a key and no logs.
func Open(dir string, o Options) (*Witness, error) {
	if o.Now == nil {
		return nil, fmt.Errorf("%w: Options.Now is missing: the caller owns the clock", ErrWitness)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Name == "" {
		o.Name = "kakusho/witness"
	}
	for _, d := range []string{dir, filepath.Join(dir, seenDir), filepath.Join(dir, evilDir)} {
		if err := pack.MkdirAll(pack.OS{}, d); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWitness, err)
		}
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			err = errors.Join(fmt.Errorf("%s is in use by another process: %w", dir, err), lock.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWitness, err)
	}
	w := &Witness{o: o, dir: dir, lock: lock}
	if err = sweep(dir); err == nil {
		w.signer, err = openSigner(dir, o.Name)
	}
	if err == nil {
		_, err = w.logs()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWitness, errors.Join(err, lock.Close()))
	}
	return w, nil
}

// sweep removes what an interrupted write has left.
func sweep(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.new"))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// openSigner reads the key, or makes it where nothing was signed yet.
func openSigner(dir, name string) (*Signer, error) {
	file := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		if seen, err := os.ReadDir(filepath.Join(dir, seenDir)); err != nil || len(seen) > 0 {
			return nil, errors.Join(fmt.Errorf("%s is missing, but checkpoints were signed with it: put it back", keyFile), err)
		}
		var skey string
		if skey, err = NewKey(name); err == nil {
			text = []byte(skey + "\n")
			err = pack.WriteWhole(pack.OS{}, file, text)
		}
	}
	if err != nil {
		return nil, err
	}
	return NewSigner(string(text))
}

// Close lets go of the directory.
func (w *Witness) Close() error { return w.lock.Close() }

// PublicKey is the verifier key: what goes into the policies of others.
func (w *Witness) PublicKey() string { return w.signer.Public() }

// logs are the keys of those it witnesses. They are read each time, so that a log
// is taken up, and its key changed, while the witness runs.
func (w *Witness) logs() ([]string, error) { return Trusted(w.dir) }

// Trusted is the keys of the logs that the witness in dir takes.
func Trusted(dir string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, logsFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read logs to witness: %w", err)
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("read logs to witness: %w", err)
	}
	return p.Logs, nil
}

// Trust makes the witness in dir take a log. Of a log it knows, the key is
// exchanged; whether the new one is right the caller has made sure.
func Trust(dir, vkey string) error {
	v, err := seal.Verifier(vkey)
	if err != nil {
		return fmt.Errorf("witness a log: %w", err)
	}
	logs, err := Trusted(dir)
	if err != nil {
		return err
	}
	logs = slices.DeleteFunc(logs, func(k string) bool { return strings.HasPrefix(k, v.Name()+"+") })
	var b strings.Builder
	for _, k := range append(logs, vkey) {
		fmt.Fprintf(&b, "log %s\n", k)
	}
	if err := pack.MkdirAll(pack.OS{}, dir); err != nil {
		return fmt.Errorf("witness a log: %w", err)
	}
	return pack.WriteWhole(pack.OS{}, filepath.Join(dir, logsFile), []byte(b.String()))
}

// Succeed takes a log's new key from its key statements: from the one that is
// trusted now, over statements that both keys signed. One for a lost key changes
// nothing; that is for people to decide, with Trust.
func Succeed(dir string, chain key.Chain) (vkey string, err error) {
	logs, err := Trusted(dir)
	if err != nil {
		return "", err
	}
	for _, k := range logs {
		last, lost := chain.Follow(k)
		if last == k {
			continue
		}
		if len(lost) > 0 {
			return "", fmt.Errorf("the key of %s was lost: its new one vouches for itself only", lost[0].Origin)
		}
		return last, Trust(dir, last)
	}
	return "", errors.New("these statements begin with no key that is trusted here, or end with one")
}

// refusal is an answer that is not a cosignature.
type refusal struct {
	status int
	size   int64 // of the checkpoint last signed, for 409
	why    string
}

func (r refusal) Error() string { return r.why }

// ServeHTTP answers add-checkpoint.
func (w *Witness) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	if in.URL.Path != "/add-checkpoint" && !strings.HasSuffix(in.URL.Path, "/add-checkpoint") {
		http.NotFound(out, in)
		return
	}
	if in.Method != http.MethodPost {
		out.Header().Set("Allow", http.MethodPost)
		http.Error(out, "want POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, in.Body, maxRequest))
	if err != nil {
		http.Error(out, "request is too long or was cut short", http.StatusBadRequest)
		return
	}
	line, err := w.AddCheckpoint(in.Context(), body)
	var r refusal
	switch {
	case errors.As(err, &r) && r.status == http.StatusConflict:
		out.Header().Set("Content-Type", "text/x.tlog.size")
		out.WriteHeader(r.status)
		fmt.Fprintf(out, "%d\n", r.size)
	case errors.As(err, &r):
		http.Error(out, r.why, r.status)
	case err != nil:
		w.o.Log.Error("witness cannot sign", "error", err)
		http.Error(out, "the witness cannot sign now", http.StatusInternalServerError)
	default:
		out.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(out, line)
	}
}

// AddCheckpoint is the protocol without HTTP: it returns the cosignature line.
func (w *Witness) AddCheckpoint(_ context.Context, body []byte) (line string, err error) {
	r, err := ParseContinuation(body)
	if err != nil {
		return "", refusal{status: http.StatusBadRequest, why: err.Error()}
	}
	own, _, err := seal.Cosigned(r.Checkpoint)
	if err != nil {
		return "", refusal{status: http.StatusBadRequest, why: err.Error()}
	}
	c, text, err := statement(own)
	if err != nil {
		return "", refusal{status: http.StatusBadRequest, why: err.Error()}
	}
	signed, err := w.signed(r.Checkpoint, c.Origin)
	if err != nil {
		return "", err
	}
	if r.Old > c.Size {
		return "", refusal{status: http.StatusBadRequest, why: "old size is beyond the checkpoint"}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, err := w.seen(c.Origin)
	if err != nil {
		return "", err
	}
	switch {
	case r.Old != seen.Size:
		return "", refusal{status: http.StatusConflict, size: seen.Size, why: "another checkpoint was signed last"}
	case r.Old == c.Size && r.Old > 0 && c.Root != seen.Root:
		w.keep(c, signed)
		return "", refusal{status: http.StatusConflict, size: seen.Size, why: "another log of this size was signed"}
	case !c.Extends(seen, r.Path):
		w.keep(c, signed)
		return "", refusal{status: http.StatusUnprocessableEntity, why: "is not proved to continue the checkpoint that was signed last"}
	}
	line = w.signer.Cosign(text, w.o.Now())
	if err := pack.WriteWhole(pack.OS{}, w.seenFile(c.Origin), append(signed, line...)); err != nil {
		return "", fmt.Errorf("keep what was seen of %s: %w", c.Origin, err)
	}
	return line, nil
}

// signed returns the checkpoint with the signature of a key of its origin that is
// trusted, and no other.
func (w *Witness) signed(checkpoint []byte, origin string) ([]byte, error) {
	logs, err := w.logs()
	if err != nil {
		return nil, err
	}
	var known []note.Verifier
	for _, k := range logs {
		if v, err := seal.Verifier(k); err == nil && v.Name() == origin {
			known = append(known, v)
		}
	}
	if len(known) == 0 {
		return nil, refusal{status: http.StatusNotFound, why: "this log is not witnessed here"}
	}
	n, err := note.Open(checkpoint, note.VerifierList(known...))
	if err != nil {
		return nil, refusal{status: http.StatusForbidden, why: "not signed by a key that is trusted for this log"}
	}
	return fmt.Appendf(nil, "%s\n\u2014 %s %s\n", n.Text, n.Sigs[0].Name, n.Sigs[0].Base64), nil
}

func (w *Witness) seenFile(origin string) string {
	return filepath.Join(w.dir, seenDir, fmt.Sprintf("%x", sha256.Sum256([]byte(origin))))
}

// seen is the checkpoint last signed for a log; the empty one when there is none.
// It must bear our own signature: what lies there decides what we sign next.
func (w *Witness) seen(origin string) (seal.Checkpoint, error) {
	text, err := os.ReadFile(w.seenFile(origin))
	if errors.Is(err, os.ErrNotExist) {
		return seal.Checkpoint{Origin: origin}, nil
	}
	if err != nil {
		return seal.Checkpoint{}, fmt.Errorf("read what was seen of %s: %w", origin, err)
	}
	c, _, err := w.read(text)
	if err == nil && c.Origin != origin {
		err = fmt.Errorf("is of %s", c.Origin)
	}
	if err != nil {
		return seal.Checkpoint{}, fmt.Errorf("what was seen of %s is damaged: %w", origin, err)
	}
	return c, nil
}

// read checks one of our own files.
func (w *Witness) read(text []byte) (seal.Checkpoint, time.Time, error) {
	own, lines, err := seal.Cosigned(text)
	if err != nil {
		return seal.Checkpoint{}, time.Time{}, err
	}
	c, body, err := statement(own)
	if err != nil {
		return seal.Checkpoint{}, time.Time{}, err
	}
	v, err := Verifier(w.PublicKey())
	if err != nil {
		return seal.Checkpoint{}, time.Time{}, err
	}
	sig, ok, err := check(body, lines, v)
	if err == nil && !ok {
		err = errors.New("we have not signed it")
	}
	return c, sig.At, err
}

// mostEvidence is how many are kept; the first ones tell enough.
const mostEvidence = 256

// keep puts a checkpoint aside that the log signed and did not prove to continue
// what was seen. With another of the same size it shows two histories under one
// key; otherwise it may also have come by a careless hand, and is to be compared.
func (w *Witness) keep(c seal.Checkpoint, signed []byte) {
	w.o.Log.Error("log did not prove that it continues what was seen", "origin", c.Origin, "size", c.Size, "root", c.Root)
	kept, err := os.ReadDir(filepath.Join(w.dir, evilDir))
	name := filepath.Join(w.dir, evilDir, fmt.Sprintf("%x", sha256.Sum256(signed)))
	if _, there := os.Lstat(name); err == nil && there != nil && len(kept) < mostEvidence {
		err = pack.WriteWhole(pack.OS{}, name, signed)
	}
	if err != nil {
		w.o.Log.Error("evidence not kept", "error", err)
	}
}

// Seen is what a witness knows of a log.
type Seen struct {
	seal.Checkpoint
	At       time.Time // when it was signed
	Evidence int       // signed checkpoints that do not fit
}

// List is what it knows of each log it has signed for.
func (w *Witness) List() ([]Seen, error) {
	entries, err := os.ReadDir(filepath.Join(w.dir, seenDir))
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	evidence, err := w.evidence()
	if err != nil {
		return nil, err
	}
	var out []Seen
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(w.dir, seenDir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("list logs: %w", err)
		}
		c, at, err := w.read(text)
		if err != nil {
			return nil, fmt.Errorf("list logs: %s is damaged: %w", e.Name(), err)
		}
		out = append(out, Seen{c, at, evidence[c.Origin]})
	}
	slices.SortFunc(out, func(a, b Seen) int { return strings.Compare(a.Origin, b.Origin) })
	return out, nil
}

func (w *Witness) evidence() (map[string]int, error) {
	entries, err := os.ReadDir(filepath.Join(w.dir, evilDir))
	if err != nil {
		return nil, fmt.Errorf("list evidence: %w", err)
	}
	out := map[string]int{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(w.dir, evilDir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("list evidence: %w", err)
		}
		origin, _, _ := strings.Cut(string(text), "\n")
		out[origin]++
	}
	return out, nil
}
