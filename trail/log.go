// Package trail keeps what happened so that nobody can alter it unseen.
//
// Entries go in once and stay. Append returns when they are on disk; about a
// second later they are sealed: the hash of each is under the root of a segment,
// the segment's record is a leaf of a public log, and the log's root is in a
// signed checkpoint. From then on anyone with the public key and a copy of the
// files can prove one entry (Prove, VerifyProof) or check all of it (Verify),
// offline. Between Append and the checkpoint only the disk protects an entry; and
// a copy of the whole directory put back as it once was is not noticed from inside:
// for that, keep a checkpoint elsewhere and compare.
//
// Start with Open. FORMAT.md gives the files byte by byte.
package trail

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
	"kakusho/trail/tree"
)

// The names in a trail's directory, beside those of its keys.
const (
	lockName = "lock"
	packName = "pack"
	logName  = "log"
)

// What Open, Append and the readers return, wrapped with the cause.
var (
	ErrInUse  = errors.New("trail is in use by another process")                          // wait for it to end
	ErrBroken = errors.New("trail refuses writes after a fault")                          // mend the disk, open again
	ErrClosed = errors.New("trail is closed")                                             // open it
	ErrDamage = errors.New("trail is damaged; see what trail verify says before opening") // call Verify
)

// The limits of one Append.
const (
	MaxAppend = 32 << 20      // bytes, encoded
	MaxBatch  = pack.MaxCount // entries
)

// Options say how a trail runs. Now must be given; the rest has defaults.
type Options struct {
	Now func() time.Time // the caller owns the clock; entries arrive by it
	Log *slog.Logger     // nil: silent

	// Installation is the last part of the log's name, kakusho/INSTALLATION. It is
	// fixed when the trail is first opened; empty: random then, and any later.
	Installation string

	Window    time.Duration // longest wait for others to share a write; 0: 5 ms, below 0: none. Who comes alone never waits
	SealEvery time.Duration // age at which a segment with entries is sealed; 0: 1 s
	Heartbeat time.Duration // an empty segment is sealed after as long a silence; 0: never
	PackSize  int64         // a new pack file is begun after as many bytes; 0: 32 MiB; at most 256 MiB

	Archive Archive // where whole packs can be put away; nil: nowhere
	// Driver is where the log of segments is kept: "" or posix for files beside the
	// packs, mysql:DSN for a database, others as the program was built. It is not
	// changed once there are segments.
	Driver string

	FS pack.FS // of the packs; nil: the machine's
}

func (o Options) withDefaults() (Options, error) {
	if o.Now == nil {
		return o, errors.New("open trail: Options.Now is missing: the caller owns the clock")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Window == 0 {
		o.Window = 5 * time.Millisecond
	}
	if o.SealEvery <= 0 {
		o.SealEvery = time.Second
	}
	if o.PackSize <= 0 {
		o.PackSize = 32 << 20
	}
	o.PackSize = min(o.PackSize, 256<<20)
	if o.FS == nil {
		o.FS = pack.OS{}
	}
	return o, nil
}

// Log is an open trail. It is safe for concurrent use; one process has it.
type Log struct {
	o        Options
	dir      string
	lock     *os.File
	verifier note.Verifier
	public   string
	codec    *pack.Codec
	set      *pack.Set
	tree     *tree.Tree
	room     *semaphore.Weighted // bytes that wait to be written
	durable  atomic.Int64        // entries on disk

	mu     sync.Mutex
	next   int64   // number of the next entry
	queue  []*call // waits to be written
	bytes  int     // in queue
	fault  error   // why nothing is taken any more
	closed bool

	wake    chan struct{}     // there is something in queue
	seals   chan sealing      // asks the writer to seal now
	records chan sealedRecord // from the writer to the publisher
	stop    chan struct{}     // closed by Close
	done    sync.WaitGroup

	open segment // of the writer
}

// Open opens the trail in dir, or makes it. What a crash has left is brought in
// order: a frame that was never acknowledged is cut off, entries that were
// acknowledged but not sealed are sealed.
func Open(dir string, o Options) (*Log, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := pack.MkdirAll(o.FS, dir); err != nil {
		return nil, fmt.Errorf("open trail: %w", err)
	}
	l := &Log{
		o: o, dir: dir, room: semaphore.NewWeighted(2 * MaxAppend),
		wake: make(chan struct{}, 1), seals: make(chan sealing), records: make(chan sealedRecord), stop: make(chan struct{}),
	}
	if l.lock, err = lockDir(dir); err != nil {
		return nil, fmt.Errorf("open trail: %w", err)
	}
	if err := l.start(); err != nil {
		if errors.Is(err, pack.ErrDamaged) {
			err = fmt.Errorf("%w: %w", ErrDamage, err)
		}
		return nil, errors.Join(fmt.Errorf("open trail: %w", err), l.release())
	}
	return l, nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return f, nil
}

// start opens the parts from the bottom up, makes them agree and starts the goroutines.
func (l *Log) start() error {
	k, err := key.Open(l.o.FS, l.dir, l.o.Installation, packName, logName)
	if err != nil {
		return err
	}
	l.public = k.Public
	if l.verifier, err = seal.Verifier(k.Public); err != nil {
		return err
	}
	if l.codec, err = pack.NewCodec(runtime.GOMAXPROCS(0)); err != nil {
		return err
	}
	packs := filepath.Join(l.dir, packName)
	if err := pack.MkdirAll(l.o.FS, packs); err != nil {
		return err
	}
	if l.set, err = pack.Open(l.o.FS, packs, k.Signer.Name(), l.o.PackSize, l.codec, nil); err != nil {
		return err
	}
	tail, err := l.set.Recover()
	if err != nil {
		return err
	}
	if tail.Cut > 0 {
		l.o.Log.Warn("cut torn frame", "bytes", tail.Cut, "entry", tail.First)
	}
	if err := l.openTree(k.Signer, tail); err != nil {
		return err
	}
	if err := l.resume(tail); err != nil {
		return err
	}
	l.done.Go(l.write)
	l.done.Go(l.publish)
	return nil
}

// openTree opens the log and gives it the records that a crash kept from it.
func (l *Log) openTree(signer note.Signer, tail pack.Tail) error {
	ctx := context.Background()
	chain, err := key.ReadChain(l.dir)
	if err != nil {
		return fmt.Errorf("%w: %w", pack.ErrDamaged, err)
	}
	l.tree, err = tree.Open(tree.Options{
		Dir: filepath.Join(l.dir, logName), Driver: l.o.Driver, Signer: signer, Verifier: l.verifier, Chain: chain,
		Sealed: tail.Segment, Fresh: tail.Segment == 0 && len(tail.Frames) == 0,
	})
	if err != nil {
		return err
	}
	size, err := l.tree.Size(ctx)
	if err != nil {
		return err
	}
	return l.set.Seals(max(size-1, 0), func(segment int64, record []byte) error {
		if segment >= size {
			return l.tree.Append(ctx, segment, record)
		}
		got, err := l.tree.Record(ctx, segment, size)
		if err == nil && string(got) != string(record) {
			err = fmt.Errorf("%w: segment %d is another in the log", pack.ErrDamaged, segment)
		}
		return err
	})
}

// Append takes entries, all or none, and returns the number of the first when
// they are on disk. ctx can stop it only before they are queued: after that the
// outcome is waited for, so that an error always means "not acknowledged". An
// entry whose Append failed may still be found in the trail after a crash.
func (l *Log) Append(ctx context.Context, entries ...Entry) (first int64, err error) {
	c, err := newCall(entries)
	if err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	size := int64(len(c.payload))
	if err := l.room.Acquire(ctx, size); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	defer l.room.Release(size)
	if err := l.enqueue(c); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	if err := <-c.done; err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	return c.first, nil
}

// Seal seals what has been appended and returns when a checkpoint covers it.
func (l *Log) Seal(ctx context.Context) error {
	if _, err := l.sealWith(ctx, nil); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

// sealWith seals what has been appended, and a retirement if there is one, and
// returns the segment when a checkpoint covers it; -1 when the trail is empty.
func (l *Log) sealWith(ctx context.Context, r *seal.Retirement) (int64, error) {
	s := sealing{r, make(chan outcome, 1)}
	select {
	case l.seals <- s:
	case <-l.stop:
		return -1, ErrClosed
	case <-ctx.Done():
		return -1, ctx.Err()
	}
	done := <-s.done
	if done.err != nil || done.segment < 0 {
		return done.segment, done.err
	}
	_, _, err := l.tree.Wait(ctx, done.segment+1)
	return done.segment, err
}

// Len is how many entries are on disk; the next has this number.
func (l *Log) Len() int64 { return l.durable.Load() }

// PublicKey is the verifier key that stands beside the trail. An auditor compares
// it with the one he was given on another way before he believes it.
func PublicKey(dir string) (string, error) { return key.Public(dir) }

// PublicKey is the verifier key: text for auditors.
func (l *Log) PublicKey() string { return l.public }

// Get returns one entry.
func (l *Log) Get(seq int64) (Sealed, error) { return get(l.set, seq, l.Len()) }

// Read yields the entries on disk, in order, from a number up to what was there
// when it began; sealed or not. An error ends it.
func (l *Log) Read(ctx context.Context, from int64) iter.Seq2[Sealed, error] {
	return func(yield func(Sealed, error) bool) { read(ctx, l.set, from, l.Len(), yield) }
}

// closeWithin is how long Close waits for the last checkpoint.
const closeWithin = 10 * time.Second

// Close writes and seals what is queued, waits for its checkpoint and stops. The
// second call does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	l.done.Wait()
	l.mu.Lock()
	fault := l.fault
	l.mu.Unlock()
	if err := errors.Join(fault, l.release()); err != nil {
		return fmt.Errorf("close trail: %w", err)
	}
	return nil
}

// release closes the parts that are open, from the top down.
func (l *Log) release() error {
	var errs []error
	if l.tree != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
		errs = append(errs, l.tree.Close(ctx))
		cancel()
	}
	if l.set != nil {
		errs = append(errs, l.set.Close())
	}
	if l.codec != nil {
		l.codec.Close()
	}
	return errors.Join(append(errs, l.lock.Close())...)
}
