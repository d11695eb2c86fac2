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
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sys/unix"

	"kakusho/trail/keep"
	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
	"kakusho/trail/segment"
	"kakusho/trail/tree"
	"kakusho/trail/witness"
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
	ErrBroken = segment.ErrBroken                                                         // mend the disk, open again
	ErrClosed = segment.ErrClosed                                                         // open it
	ErrDamage = errors.New("trail is damaged; see what trail verify says before opening") // call Verify
)

// The limits of one Append.
const (
	MaxAppend = segment.MaxAppend // bytes, encoded
	MaxBatch  = pack.MaxCount     // entries
)

// Options say how a trail runs. Now must be given; the rest has defaults.
type Options struct {
	Now func() time.Time // the caller owns the clock; entries arrive by it
	Log *slog.Logger     // nil: silent

	// Installation is the rest of the log's name, kakusho/INSTALLATION; it may have
	// parts, as tokyo/events/3y. It is fixed when the trail is first opened; empty:
	// random then, and any later.
	Installation string

	Window    time.Duration // longest wait for others to share a write; 0: 5 ms, below 0: none. Who comes alone never waits
	SealEvery time.Duration // age at which a segment with entries is sealed; 0: 1 s
	Heartbeat time.Duration // an empty segment is sealed after as long a silence; 0: never
	PackAge   time.Duration // a new pack file is begun when the first entry of the last is as old; 0: size alone decides
	PackSize  int64         // a new pack file is begun after as many bytes; 0: 32 MiB; at most 256 MiB

	Archive Archive // where whole packs can be put away; nil: nowhere

	// Driver is where the log of segments is kept: "" or posix for files beside the
	// packs, mysql:DSN for a database, others as the program was built. It is not
	// changed once there are segments.
	Driver string

	// Witnesses are asked to sign each checkpoint; the zero policy asks nobody. No
	// append waits for them.
	Witnesses     witness.Policy
	WitnessClient *http.Client // nil: a plain one

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
	signer   note.Signer
	verifier note.Verifier
	public   string
	codec    *pack.Codec
	set      *pack.Set
	tree     *tree.Tree
	chain    key.Chain
	follower *witness.Follower // nil: no witnesses
	writer   *segment.Writer
	keeper   *keep.Keeper
	ends     sealedEnds // of segments in the log
	close    sync.Once
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
	l := &Log{o: o, dir: dir}
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
	l.public, l.signer = k.Public, k.Signer
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
	notes, err := notesOf(l.dir, k.Public, l.o.Archive)
	if err != nil {
		return err
	}
	if l.set, err = pack.Open(l.o.FS, packs, k.Signer.Name(), l.o.PackSize, l.codec, notes); err != nil {
		return err
	}
	l.set.RotateAfter(l.o.PackAge)
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
	if err := l.openWriter(tail); err != nil {
		return err
	}
	l.keeper = keep.New(keep.Options{FS: l.o.FS, Set: l.set, Codec: l.codec, Notes: notes, Signer: k.Signer, Trail: keeping{l}, Log: l.o.Log})
	if err := l.keeper.Recover(context.Background()); err != nil {
		return errors.Join(err, l.writer.Close())
	}
	l.follow()
	return nil
}

// openWriter starts the writer where the packs end. What a crash left open is
// sealed then, and goes to the log.
func (l *Log) openWriter(tail pack.Tail) error {
	w, r, err := segment.New(l.set, l.codec, segment.Options{
		Now: l.o.Now, Log: l.o.Log, Origin: l.verifier.Name(),
		Window: l.o.Window, SealEvery: l.o.SealEvery, Heartbeat: l.o.Heartbeat, Publish: l.publish,
	}, tail)
	if err == nil && r != nil {
		err = l.publish(*r)
	}
	if err != nil {
		return err
	}
	l.writer = w
	w.Start()
	return nil
}

// publish adds the record of a segment to the log.
func (l *Log) publish(r segment.Record) error {
	if err := l.tree.Append(context.Background(), r.Segment, r.Text); err != nil {
		return err
	}
	l.ends.add(r.Segment, r.End)
	_, c, err := l.tree.Checkpoint(context.Background())
	l.ends.covered(c.Size)
	// Entries are safe when checkpoints do not follow, but not provable.
	if err != nil || r.Segment-c.Size >= 10 {
		l.o.Log.Warn("checkpoint is late", "segments", r.Segment+1, "covered", c.Size, "error", err)
	}
	return nil
}

// openTree opens the log and gives it the records that a crash kept from it.
func (l *Log) openTree(signer note.Signer, tail pack.Tail) error {
	ctx := context.Background()
	var err error
	if l.chain, err = key.ReadChain(l.dir); err != nil {
		return fmt.Errorf("%w: %w", pack.ErrDamaged, err)
	}
	l.tree, err = tree.Open(tree.Options{
		Dir: filepath.Join(l.dir, logName), Driver: l.o.Driver, Signer: signer, Verifier: l.verifier, Chain: l.chain,
		Sealed: tail.Segment, Fresh: tail.Segment == 0 && len(tail.Frames) == 0,
	})
	if err != nil {
		return err
	}
	size, err := l.tree.Size(ctx)
	if err != nil {
		return err
	}
	_, c, _ := l.tree.Checkpoint(ctx) // without one nothing is covered yet
	return l.set.Seals(max(min(c.Size, size)-1, 0), func(segment int64, record []byte) error {
		if r, err := seal.ParseRecord(record); err == nil { // one that is not is another in the log, or no leaf
			l.ends.add(segment, r.First+r.Count)
		}
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
	lines, err := encodeAll(entries)
	if err == nil {
		first, err = l.writer.Append(ctx, lines)
	}
	if err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	return first, nil
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
	n, err := l.writer.Seal(ctx, r)
	if err != nil || n < 0 {
		return n, err
	}
	_, _, err = l.tree.Wait(ctx, n+1)
	return n, err
}

// Len is how many entries are on disk; the next has this number.
func (l *Log) Len() int64 { return l.writer.Len() }

// Fault is why nothing is taken any more, ErrBroken wrapped; nil: entries are taken.
func (l *Log) Fault() error { return l.writer.Broken() }

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
	var err error
	l.close.Do(func() { err = errors.Join(l.writer.Close(), l.release()) })
	if err != nil {
		return fmt.Errorf("close trail: %w", err)
	}
	return nil
}

// release closes the parts that are open, from the top down.
func (l *Log) release() error {
	var errs []error
	if l.follower != nil {
		l.follower.Close()
	}
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
