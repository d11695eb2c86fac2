package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sys/unix"

	"kakusho/trail/audit/resume"
	"kakusho/trail/audit/sound"
	"kakusho/trail/audit/tiles"
	"kakusho/trail/keep"
	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
	"kakusho/trail/witness"
)

// The longest files that are read: a pack, which the writer ends long before, and a
// file of the log, where a bundle is 256 records of at most 64 KiB.
const (
	maxPack    = 1 << 30
	maxLog     = 256 << 16
	publicFile = "trail.pub"
)

// audit is one run of VerifyWith.
type audit struct {
	dir      string
	verifier note.Verifier // of the key that signs today
	chainOf  key.Chain     // the statements that lead to it
	checker  sound.Checker
	log      tiles.Log
	notes    keep.Notes   // of packs in the archive
	resume   *resume.File // nil: nothing is remembered
	live     bool         // somebody writes meanwhile

	packs  []packFile
	packed []seal.Hash  // by segment: leaf hash of the record in the packs; zero: none that fits its frames
	want   []seal.Hash  // by segment: leaf hash of the record that the log has, as far as can be told
	end    int64        // entries in the packs that are sealed, signed for or not
	doubt  map[int]bool // packs to be looked at again, frame by frame

	signed  int64        // segments that a checkpoint covers; while somebody writes, it may be one that came meanwhile
	leaves  []seal.Hash  // of these, when it did
	bundle  [][]byte     // the records that record read last, of one bundle
	bundled int64        // which
	retired []retirement // what the log says, as far as it is signed

	mu     sync.Mutex
	report Report
}

// VerifyWith checks the trail in dir. An error: it could not be checked; what was found is in the report.
func VerifyWith(ctx context.Context, dir, key string, o Options) (Report, error) {
	if !anything(dir) {
		return Report{}, fmt.Errorf("verify trail: there is none in %s", dir)
	}
	if _, err := seal.Verifier(key); err != nil {
		if text, _ := (&audit{dir: dir}).read(publicFile, maxLog); string(text) == key+"\n" {
			// Whoever takes the key from beside the trail is told that it is damaged.
			p := Problem{What: Key, Segment: -1, FirstSeq: -1, LastSeq: -1, File: publicFile, Offset: -1, Detail: err.Error()}
			return Report{Problems: []Problem{p}}, nil
		}
		return Report{}, fmt.Errorf("verify trail: %w", err)
	}
	codec, err := pack.NewCodec(runtime.GOMAXPROCS(0))
	if err != nil {
		return Report{}, fmt.Errorf("verify trail: %w", err)
	}
	defer codec.Close()
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	a := &audit{dir: dir, live: inUse(dir), doubt: map[int]bool{}}
	a.report.InUse = a.live
	key = a.follow(key, o)
	if a.verifier, err = seal.Verifier(key); err != nil {
		return Report{}, fmt.Errorf("verify trail: %w", err)
	}
	a.checker = sound.Checker{Codec: codec, Origin: a.verifier.Name(), Room: make(chan struct{}, o.Parallel)}
	a.notes = keep.Notes{Dir: filepath.Join(dir, "pack"), Keys: a.keys(), Archive: o.Archive}
	a.log = tiles.Log{Dir: dir, Live: a.live, Read: func(name string) ([]byte, error) { return a.read(name, maxLog) }}
	if err := a.run(ctx, key, o); err != nil {
		return Report{}, fmt.Errorf("verify trail: %w", errors.Join(err, a.resume.Close()))
	}
	if err := a.resume.Finish(); err != nil {
		return Report{}, fmt.Errorf("verify trail: %w", err)
	}
	slices.SortStableFunc(a.report.Problems, order)
	return a.report, nil
}

// anything reports whether something of a trail is in dir.
func anything(dir string) bool {
	for _, name := range []string{publicFile, "pack", "log"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// order puts what touches entries first, by entry.
func order(a, b Problem) int {
	if (a.FirstSeq < 0) != (b.FirstSeq < 0) {
		if a.FirstSeq < 0 {
			return 1
		}
		return -1
	}
	return int(min(max(a.FirstSeq-b.FirstSeq, -1), 1))
}

// inUse reports whether a process has the trail open.
func inUse(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return false
	}
	defer f.Close() // lets go of the lock
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// run goes from what is signed down to the bytes, but reads the packs before the
// log: so a log that grows meanwhile is never shorter than what was read.
func (a *audit) run(ctx context.Context, key string, o Options) (err error) {
	a.top(key)
	a.checkpoint()
	if o.Resume != "" {
		c := a.report.Checkpoint
		if a.resume, err = resume.Open(o.Resume, resume.Run{Key: key, Size: c.Size, Root: c.Root[:]}); err != nil {
			return err
		}
	}
	a.list()
	a.plausible()
	if err := a.readPacks(ctx, o); err != nil {
		return err
	}
	if err := a.trust(ctx); err != nil {
		return err
	}
	if err := a.readLog(ctx); err != nil {
		return err
	}
	a.stated()
	a.witnessed(key, o.Policy)
	a.chain()
	a.suspects()
	a.gone()
	for i, p := range a.packs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if lo, hi := a.span(i); a.doubt[i] {
			a.examine(ctx, p, lo, hi, i == len(a.packs)-1)
		}
	}
	if len(a.packs) == 0 && len(a.want) > 0 {
		a.examine(ctx, packFile{FileName: pack.FileName{Name: pack.Name(0)}}, 0, int64(len(a.want)), true)
	}
	a.behind()
	return nil
}

// find adds to the report.
func (a *audit) find(p Problem) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Problems = append(a.report.Problems, p)
}

// file is a problem of a file that touches no entry.
func (a *audit) file(w What, name string, off int64, detail string) {
	a.find(Problem{What: w, Segment: -1, FirstSeq: -1, LastSeq: -1, File: name, Offset: off, Detail: detail})
}

// top checks the public key, and that there is nothing else beside it.
func (a *audit) top(public string) {
	text, err := a.read(publicFile, maxLog)
	switch {
	case err != nil:
		a.file(Unreadable, publicFile, -1, err.Error())
	case string(text) != public+"\n":
		a.file(Key, publicFile, -1, "")
	}
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		a.file(Unreadable, "", -1, err.Error())
	}
	for _, e := range entries {
		switch e.Name() {
		case publicFile, "pack", "log", key.ChainFile, path.Dir(witness.CosignedFile):
		case "key":
			a.report.Skipped = append(a.report.Skipped, "key/")
		case "lock":
			if st, err := e.Info(); err != nil || st.Size() != 0 || !st.Mode().IsRegular() {
				a.file(Extra, "lock", -1, "is always empty")
			}
		default:
			a.file(Extra, e.Name(), -1, "")
		}
	}
}

func (a *audit) checkpoint() {
	text, err := a.read(checkpointFile, maxLog)
	if err != nil {
		a.file(Unreadable, checkpointFile, -1, err.Error())
		return
	}
	if a.report.Checkpoint, err = seal.ParseCheckpoint(text, a.verifier); err != nil {
		a.file(Checkpoint, checkpointFile, -1, err.Error())
	}
	a.report.Segments = a.report.Checkpoint.Size
}

// read reads a file that must be a plain one and not absurdly long: what stands in
// the directory may be hostile.
func (a *audit) read(name string, most int64) ([]byte, error) {
	name = filepath.Join(a.dir, name)
	st, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("is not a plain file")
	}
	if st.Size() > most {
		return nil, fmt.Errorf("%d bytes, at most %d", st.Size(), most)
	}
	return os.ReadFile(name)
}

// plausible lets no checkpoint count that covers far more segments than the files can
// hold: who has the key can sign any size.
func (a *audit) plausible() {
	c, most := a.report.Checkpoint, int64(maxGap)
	for _, p := range a.packs {
		most += min(p.size, maxPack) / pack.HeaderSize // each has a seal, or its header
	}
	if c.Size > most {
		most += a.log.Bundles() * width
	}
	if c.Size > most {
		a.file(Checkpoint, checkpointFile, -1, fmt.Sprintf("covers %d segments, far more than are here", c.Size))
		a.report.Checkpoint, a.report.Segments = seal.Checkpoint{}, 0
	}
	a.signed = a.report.Checkpoint.Size
}

// behind names what is sealed but not under the checkpoint. While somebody writes
// that is as it should be, for a moment.
func (a *audit) behind() {
	size := a.report.Checkpoint.Size
	if a.live || int64(len(a.want)) <= size || a.report.Checkpoint.Origin == "" {
		return
	}
	first, last := a.report.Entries, a.end-1
	if first > last {
		first, last = -1, -1
	}
	a.find(Problem{
		What: Behind, Segment: size, FirstSeq: first, LastSeq: last, File: checkpointFile, Offset: -1,
		Detail: fmt.Sprintf("covers %d segments, there are %d: the trail was not closed, or an old checkpoint was put back", size, len(a.want)),
	})
}
