package past

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/gate"
)

// Snapshot is rows kept aside, folded from the first entries of the trail without
// leaving one out. The trail itself says under which digest they were kept: rows that
// somebody changed are not used, and are folded again.
type Snapshot struct {
	Entries int64     `json:"entries"` // it was folded from
	Latest  time.Time `json:"latest"`  // instant among them: it serves any past that is not before
	Version string    `json:"version"` // of the program that folded
	SHA256  string    `json:"sha256"`  // of the file

	Sealed int64 `json:"sealed,omitempty"` // entry of the trail that says all this; not part of that entry
}

const snapshots = "snapshots"

func (k *Keeper) snapshotFile(entries int64, suffix string) string {
	return filepath.Join(k.cfg.Dir, snapshots, fmt.Sprintf("%012d%s", entries, suffix))
}

// list reads what snapshots there are, the longest first. What cannot be read is none.
func (k *Keeper) list() (out []Snapshot) {
	files, _ := filepath.Glob(filepath.Join(k.cfg.Dir, snapshots, "*.json"))
	slices.Sort(files)
	slices.Reverse(files)
	for _, f := range files {
		var s Snapshot
		b, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(b, &s)
		}
		if err == nil && f == k.snapshotFile(s.Entries, ".json") {
			out = append(out, s)
		}
	}
	return out
}

// seed copies the longest snapshot that serves to a file, and says which. Without one
// the file is not there, and the Snapshot zero.
func (k *Keeper) seed(to string, upto int64, asOf time.Time) (Snapshot, error) {
	for _, s := range k.list() {
		if s.Entries > upto || s.Latest.After(asOf) || s.Version != k.cfg.Version {
			continue
		}
		why := k.sealed(s)
		if why == nil {
			why = copyAs(k.snapshotFile(s.Entries, ".db"), to, s.SHA256)
		}
		if why == nil {
			return s, nil
		}
		k.cfg.Log.Warn("rows kept aside are not what was sealed, and are folded again", "entries", s.Entries, "error", why)
		if err := k.drop(s.Entries); err != nil {
			return Snapshot{}, err
		}
	}
	return Snapshot{}, nil
}

// sealed says why the trail does not bear a snapshot out, or nil.
func (k *Keeper) sealed(s Snapshot) error {
	e, err := k.cfg.Trail.Get(s.Sealed)
	if err != nil {
		return err
	}
	want := s
	want.Sealed = 0
	var said Snapshot
	if gate.Action(e.Kind) != gate.KeepPast {
		return fmt.Errorf("entry %d is %s", s.Sealed, e.Kind)
	}
	if err := json.Unmarshal(e.Body, &said); err != nil {
		return err
	}
	if said != want {
		return fmt.Errorf("entry %d says otherwise", s.Sealed)
	}
	return nil
}

func (k *Keeper) drop(entries int64) error {
	var errs []error
	for _, suffix := range []string{".json", ".db"} {
		if err := os.Remove(k.snapshotFile(entries, suffix)); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("drop rows kept aside: %w", err)
	}
	return nil
}

// keep copies closed rows aside and has their digest sealed.
func (k *Keeper) keep(ctx context.Context, file string, s Snapshot) error {
	if k.cfg.Gate == nil {
		return nil
	}
	s.Version = k.cfg.Version
	aside := k.snapshotFile(s.Entries, ".db")
	var err error
	if s.SHA256, err = digestOf(file); err == nil {
		err = copyAs(file, aside, s.SHA256)
	}
	if err != nil {
		return fmt.Errorf("keep rows aside: %w", err)
	}
	p, err := k.cfg.Gate.Ask(ctx, gate.Request{Actor: actor.Program, At: k.cfg.Now(), Action: gate.KeepPast,
		Object: fmt.Sprintf("past/%d", s.Entries), Changes: []gate.Change{{Body: s}}})
	if err != nil {
		return err
	}
	s.Sealed = p.First()
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	name := k.snapshotFile(s.Entries, ".json")
	if err := os.WriteFile(name+".part", b, 0o600); err != nil {
		return fmt.Errorf("keep rows aside: %w", err)
	}
	if err := os.Rename(name+".part", name); err != nil {
		return fmt.Errorf("keep rows aside: %w", err)
	}
	return k.thin()
}

// mostSnapshots is how many are kept: two years of months.
const mostSnapshots = 24

// thin drops the shortest snapshots when there are too many.
func (k *Keeper) thin() error {
	all := k.list()
	for _, s := range all[min(mostSnapshots, len(all)):] {
		if err := k.drop(s.Entries); err != nil {
			return err
		}
	}
	return nil
}

func digestOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// errDigest means that a file is not what it was.
var errDigest = errors.New("the file has another digest")

// copyAs copies a file whose digest is known, and leaves nothing when it is another.
func copyAs(from, to, digest string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), in)
	if err == nil && hex.EncodeToString(h.Sum(nil)) != digest {
		err = errDigest
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}
