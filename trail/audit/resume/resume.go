// Package resume remembers what a check of a trail has been through, in a file of the
// auditor, so that one that was stopped goes on where it was. The file holds digests
// only; a pack is skipped when its bytes have the digest that they had.
package resume

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Run names what is checked: with another key or checkpoint it is another run.
type Run struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // of the checkpoint
	Root []byte `json:"root"`
}

// Done is one file of packs that was sound by itself.
type Done struct {
	File    string `json:"file"`
	Digest  []byte `json:"digest"` // SHA-256 of its bytes
	Segment int64  `json:"segment"`
	Next    int64  `json:"next"` // the segment after the last
	First   int64  `json:"first"`
	End     int64  `json:"end"`     // the entry after the last
	Records []byte `json:"records"` // SHA-256 of the leaf hashes of its records
}

// File is an open file of that kind; nil remembers nothing.
type File struct {
	name string
	same bool // it is of this very run
	f    *os.File
	done map[string]Done
}

// Open reads what was done before. With the same key but another checkpoint only
// Lookup is of use: the trail has grown.
func Open(name string, run Run) (*File, error) {
	r := &File{name: name, done: map[string]Done{}}
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("resume: %w", err)
	}
	r.load(old, run)
	if r.f, err = os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("resume: %w", err)
	}
	err = r.line(run)
	for _, d := range r.done {
		if err == nil {
			err = r.line(d)
		}
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return nil, fmt.Errorf("resume: %w", errors.Join(err, r.f.Close()))
	}
	return r, nil
}

// load takes what it can read; a line that is not whole ends it.
func (r *File) load(old []byte, run Run) {
	in := bufio.NewScanner(bytes.NewReader(old))
	var before Run
	if !in.Scan() || json.Unmarshal(in.Bytes(), &before) != nil || before.Key != run.Key {
		return
	}
	r.same = before.Size == run.Size && bytes.Equal(before.Root, run.Root)
	for in.Scan() {
		var d Done
		if json.Unmarshal(in.Bytes(), &d) != nil || d.Next <= d.Segment || d.Segment < 0 {
			return
		}
		r.done[d.File] = d
	}
}

func (r *File) line(v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = r.f.Write(append(b, '\n'))
	}
	return err
}

// Lookup is what was seen in a file when it had this digest.
func (r *File) Lookup(file string, digest [32]byte) (Done, bool) {
	if r == nil {
		return Done{}, false
	}
	d, ok := r.done[file]
	return d, ok && bytes.Equal(d.Digest, digest[:])
}

// Same is Lookup for a file that is far away: it need not be fetched again in one run.
func (r *File) Same(file string, digest [32]byte) (Done, bool) {
	if r == nil || !r.same {
		return Done{}, false
	}
	return r.Lookup(file, digest)
}

// Add notes a file.
func (r *File) Add(d Done) error {
	if r == nil {
		return nil
	}
	if err := r.line(d); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return nil
}

// Finish removes the file: the run is at its end, and the next one looks at all anew.
func (r *File) Finish() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.f.Close(), os.Remove(r.name))
}

// Close keeps the file for the next time.
func (r *File) Close() error {
	if r == nil {
		return nil
	}
	return r.f.Close()
}
