// Package forward takes events of one machine to a Kakusho elsewhere.
//
// A Spool is an event.Sink on this machine's disk: any door can fill it. What it has
// taken is on disk, and a Forwarder brings it as numbered batches over HTTP, each
// until it is acknowledged and only then removed. A batch is never changed once it
// was sent, so one that comes again after a lost answer or a crash is known at the
// other end by its number and not taken twice. A spool that was set back, by a
// snapshot of the machine, notices that its new numbers are known already, and takes
// another name. When the spool is full it takes no more, and the journal and the
// files keep what they have.
package forward

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"kakusho/door/carry"
	"kakusho/event"
)

// What one batch holds at most, a little more if the last events are big.
const (
	maxEvents = 5_000
	maxBytes  = 4 << 20 // of lines
)

// SpoolOptions say where a spool is.
type SpoolOptions struct {
	Dir  string           // needed
	Name string           // of this machine: a random part is added, once per spool
	Max  int64            // bytes on disk; zero: 1 GiB
	Now  func() time.Time // needed
	Log  *slog.Logger     // nil: none
}

// Spool keeps events on disk until they are brought.
type Spool struct {
	opt SpoolOptions
	enc *zstd.Encoder

	mu     sync.Mutex
	state  state
	size   int64
	taken  map[string]int64 // last number of each sender
	ready  []int64          // batches that are complete, or are being filled, in order
	filled *filling         // the last of them, when it is still being filled
	losses map[string]int64 // not written yet, by why
	broken error
	came   chan struct{} // has one when something came
	old    int64         // numbers up to here are of an earlier run, which may have sent them
}

// state is what is known of batches that are gone.
type state struct {
	Sender string           `json:"sender"`
	Next   int64            `json:"next"` // lowest number not acknowledged
	Taken  map[string]int64 `json:"taken"`
}

// filling is the batch that grows.
type filling struct {
	f      *os.File
	number int64
	events int
	bytes  int   // of lines
	length int64 // of what is on disk for certain
}

// OpenSpool opens a spool, and cuts off what a crash left half written.
func OpenSpool(opt SpoolOptions) (*Spool, error) {
	if opt.Max == 0 {
		opt.Max = 1 << 30
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &Spool{opt: opt, enc: enc, taken: map[string]int64{}, losses: map[string]int64{}, came: make(chan struct{}, 1)}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", opt.Dir, err)
	}
	return s, nil
}

func (s *Spool) open() error {
	if err := os.MkdirAll(s.opt.Dir, 0o700); err != nil {
		return err
	}
	b, err := os.ReadFile(s.path("state"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.state = state{Sender: newName(s.opt.Name), Next: 1}
		if err := s.keepState(); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(b, &s.state); err != nil || s.state.Sender == "" || s.state.Next < 1 {
			return fmt.Errorf("read state: %w", cmp.Or(err, errors.New("no sender")))
		}
	}
	maps.Copy(s.taken, s.state.Taken)
	list, err := os.ReadDir(s.opt.Dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		name, ok := strings.CutSuffix(e.Name(), ".batch")
		n, err := strconv.ParseInt(name, 10, 64)
		if !ok || err != nil {
			continue
		}
		if n < s.state.Next { // acknowledged, and not removed in time
			if err := os.Remove(s.batch(n)); err != nil {
				return err
			}
			continue
		}
		s.ready = append(s.ready, n)
	}
	slices.Sort(s.ready)
	for i, n := range s.ready {
		if n != s.state.Next+int64(i) {
			return fmt.Errorf("batch %d is missing", s.state.Next+int64(i))
		}
		if err := s.recover(n, i == len(s.ready)-1); err != nil {
			return err
		}
	}
	s.old = s.state.Next + int64(len(s.ready)) - 1
	return nil
}

func (s *Spool) path(name string) string { return filepath.Join(s.opt.Dir, name) }
func (s *Spool) batch(n int64) string    { return s.path(fmt.Sprintf("%016d.batch", n)) }

func (s *Spool) keepState() error {
	b, err := json.Marshal(s.state)
	if err != nil {
		return err
	}
	return carry.Replace(s.path("state"), b)
}

// recover reads whose events a batch has. The last one may end within a record
// nobody was told is kept.
func (s *Spool) recover(n int64, last bool) error {
	b, err := os.ReadFile(s.batch(n))
	if err != nil {
		return err
	}
	records, good := parse(b)
	if good < len(b) && !last {
		return fmt.Errorf("batch %d is damaged after %d of %d bytes", n, good, len(b))
	}
	if good < len(b) {
		s.opt.Log.Info("cut off a record that was being written", "batch", n, "bytes", len(b)-good)
		if err := cutFile(s.batch(n), int64(good)); err != nil {
			return err
		}
	}
	if len(records) == 0 {
		s.ready = s.ready[:len(s.ready)-1]
		return os.Remove(s.batch(n))
	}
	for _, r := range records {
		s.note(r.head)
	}
	s.size += int64(good)
	return nil
}

func cutFile(name string, n int64) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(n), f.Sync(), f.Close())
}

func (s *Spool) note(h head) {
	if h.Sender != "" {
		s.taken[h.Sender] = max(s.taken[h.Sender], h.Number)
	}
}

// Accept implements event.Sink. It returns when the events are on this disk.
func (s *Spool) Accept(ctx context.Context, b event.Batch, _ bool) (event.Receipt, error) {
	var lines []byte
	for i, e := range b.Events {
		if e.Device == "" {
			e.Device = b.Origin.Host
		}
		longer, err := event.Encode(lines, e)
		if err != nil {
			longer, err = event.Encode(lines, event.Fit(e, s.opt.Now()))
		}
		if err != nil {
			return event.Receipt{}, fmt.Errorf("spool event %d: %w", i, err)
		}
		lines = append(longer, '\n')
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.Sender != "" && b.Number <= s.taken[b.Sender] {
		return event.Receipt{Taken: len(b.Events), Duplicate: true}, nil
	}
	h := head{Sender: b.Sender, Number: b.Number, Count: len(b.Events)}
	if err := s.add(h, lines); err != nil {
		return event.Receipt{}, err
	}
	s.note(h)
	s.writeLosses()
	return event.Receipt{Taken: len(b.Events)}, nil
}

// Lost implements event.Sink: what is lost is an event too.
func (s *Spool) Lost(o event.Origin, n int64, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losses[o.Door+": "+why] += n
	s.writeLosses()
}

// writeLosses writes what was lost; what cannot be written now waits for later.
func (s *Spool) writeLosses() {
	for why, n := range s.losses {
		line, err := event.Encode(nil, event.Event{
			At: s.opt.Now(), Clock: event.ClockSource, Class: event.LogStore, Device: s.opt.Name, Event: "events-lost", Level: 5,
			Text: fmt.Sprintf("%d events lost: %s", n, why), Fields: map[string]string{"lost": strconv.FormatInt(n, 10), "why": why}, Format: "kakusho",
		})
		if err == nil {
			err = s.add(head{Count: 1}, append(line, '\n'))
		}
		if err != nil {
			return
		}
		delete(s.losses, why)
	}
}

// add puts one record on disk, into the batch that grows or a new one.
func (s *Spool) add(h head, lines []byte) error {
	if s.broken != nil {
		return s.broken
	}
	record := appendRecord(nil, h, s.enc.EncodeAll(lines, nil))
	if s.size+int64(len(record)) > s.opt.Max {
		return fmt.Errorf("%w: the spool has %d bytes", event.ErrFull, s.size)
	}
	if s.filled != nil && s.filled.events > 0 && (s.filled.events+h.Count > maxEvents || s.filled.bytes+len(lines) > maxBytes) {
		s.seal()
	}
	if s.filled == nil {
		if err := s.begin(); err != nil {
			return fmt.Errorf("%w: %w", event.ErrFull, err)
		}
	}
	w := s.filled
	if _, err := w.f.WriteAt(record, w.length); err != nil {
		if cut := w.f.Truncate(w.length); cut != nil {
			s.broken = fmt.Errorf("spool cannot be written until a restart: %w", cut)
		}
		return fmt.Errorf("%w: spool: %w", event.ErrFull, err)
	}
	if err := w.f.Sync(); err != nil { // what is on disk now nobody knows
		s.broken = fmt.Errorf("spool cannot be written until a restart: %w", err)
		return s.broken
	}
	w.length += int64(len(record))
	w.events += h.Count
	w.bytes += len(lines)
	s.size += int64(len(record))
	select {
	case s.came <- struct{}{}:
	default:
	}
	return nil
}

func (s *Spool) begin() error {
	n := s.state.Next + int64(len(s.ready))
	f, err := os.OpenFile(s.batch(n), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := carry.SyncFolder(s.opt.Dir); err != nil {
		f.Close()
		return fmt.Errorf("spool: %w", err)
	}
	s.filled = &filling{f: f, number: n}
	s.ready = append(s.ready, n)
	return nil
}

// seal ends the batch that grows.
func (s *Spool) seal() {
	if s.filled != nil {
		s.filled.f.Close() // all of it was synced
		s.filled = nil
	}
}

// Batch is one batch to bring.
type Batch struct {
	Sender string
	Number int64
	Count  int
	Body   []byte // its lines, zstd
	New    bool   // no earlier run can have sent it
}

// Next returns the batch to bring next, and waits for one until ctx ends. From then on it does
// not change.
func (s *Spool) Next(ctx context.Context) (Batch, error) {
	for {
		b, ok, err := s.first()
		if ok || err != nil {
			return b, err
		}
		select {
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-s.came:
		}
	}
}

func (s *Spool) first() (Batch, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 || s.filled != nil && s.filled.number == s.ready[0] && s.filled.events == 0 {
		return Batch{}, false, nil
	}
	n := s.ready[0]
	if s.filled != nil && s.filled.number == n {
		s.seal()
	}
	b, err := os.ReadFile(s.batch(n))
	if err != nil {
		return Batch{}, false, fmt.Errorf("read spool: %w", err)
	}
	out := Batch{Sender: s.state.Sender, Number: n, New: n > s.old}
	records, good := parse(b)
	if good < len(b) {
		return Batch{}, false, fmt.Errorf("read spool: batch %d is damaged after %d of %d bytes", n, good, len(b))
	}
	for _, r := range records {
		out.Count += r.head.Count
		out.Body = append(out.Body, r.body...)
	}
	return out, true, nil
}

// Done removes a batch that was acknowledged.
func (s *Spool) Done(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ready) == 0 || s.ready[0] != n {
		return fmt.Errorf("batch %d is not the next of the spool", n)
	}
	info, err := os.Stat(s.batch(n))
	if err != nil {
		return fmt.Errorf("acknowledge batch %d: %w", n, err)
	}
	before := s.state
	s.state.Next, s.state.Taken = n+1, maps.Clone(s.taken)
	if err := s.keepState(); err != nil {
		s.state = before
		return fmt.Errorf("acknowledge batch %d: %w", n, err)
	}
	s.ready = s.ready[1:]
	s.size -= info.Size()
	if err := os.Remove(s.batch(n)); err != nil {
		return fmt.Errorf("acknowledge batch %d: %w", n, err)
	}
	return nil
}

// Rename gives the spool another name to the other end.
func (s *Spool) Rename() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.state
	s.state.Sender = newName(s.opt.Name)
	if err := s.keepState(); err != nil {
		s.state = before
		return fmt.Errorf("rename spool: %w", err)
	}
	return nil
}

func newName(name string) string {
	var random [8]byte
	rand.Read(random[:])
	return name + "-" + hex.EncodeToString(random[:])
}

// Waiting is how many batches and bytes are not acknowledged.
func (s *Spool) Waiting() (batches int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ready), s.size
}

// Close closes the spool. What is in it stays.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seal()
	s.broken = cmp.Or(s.broken, errors.New("spool is closed"))
}
