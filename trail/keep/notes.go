package keep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Notes knows the packs of a folder that are in an archive. It is what a pack.Set asks
// for them.
type Notes struct {
	Dir     string          // of the packs
	Keys    []note.Verifier // whose notes are believed: the log's, and those before it
	Archive Archive         // nil: what is there is known, but cannot be read
}

// fetchWithin bounds one read out of the archive: a reader of the trail has no other.
const fetchWithin = time.Minute

// maxNote is the longest note: a header for each entry of the longest pack.
const maxNote = 64 << 20

// Read reads the note of a pack.
func (n Notes) Read(segment int64) (seal.Away, []byte, error) {
	name := pack.FileName{Segment: segment, Form: pack.Away}.String()
	st, err := os.Lstat(filepath.Join(n.Dir, name))
	if err == nil && (!st.Mode().IsRegular() || st.Size() > maxNote) {
		err = fmt.Errorf("%w: %s is not a note", pack.ErrDamaged, name)
	}
	if err != nil {
		return seal.Away{}, nil, fmt.Errorf("read note of an archived pack: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(n.Dir, name))
	if err != nil {
		return seal.Away{}, nil, fmt.Errorf("read note of an archived pack: %w", err)
	}
	a, headers, err := n.parse(data)
	if err == nil && a.Segment != segment {
		err = fmt.Errorf("%w: it is of segment %d", seal.ErrAway, a.Segment)
	}
	if err != nil {
		err = fmt.Errorf("%w: %s: %w", pack.ErrDamaged, name, err)
	}
	return a, headers, err
}

// parse is seal.ParseAway by any of the keys.
func (n Notes) parse(data []byte) (a seal.Away, headers []byte, err error) {
	err = fmt.Errorf("%w: no key", seal.ErrAway)
	for _, v := range n.Keys {
		if a, headers, err = seal.ParseAway(data, v); err == nil {
			break
		}
	}
	if err == nil && len(headers)%pack.HeaderSize != 0 {
		err = fmt.Errorf("%w: %d bytes of headers", seal.ErrAway, len(headers))
	}
	return a, headers, err
}

// Index is what a note says of a pack.
func (n Notes) Index(name string) (pack.Index, error) {
	segment, ok := pack.ParseName(name)
	if !ok {
		return pack.Index{}, fmt.Errorf("%s is not the name of a pack", name)
	}
	a, headers, err := n.Read(segment)
	return pack.Index{First: a.First, Size: a.Bytes, Headers: headers}, err
}

// Open reads a pack out of the archive.
func (n Notes) Open(name string) (pack.File, error) {
	if n.Archive == nil {
		return nil, fmt.Errorf("%s: %w", name, pack.ErrElsewhere)
	}
	return object{n.Archive, name}, nil
}

// Fetch reads a pack of at most so many bytes out of the archive.
func (n Notes) Fetch(ctx context.Context, segment, most int64) ([]byte, error) {
	r, err := n.Archive.Get(ctx, pack.Name(segment), 0, -1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return b, errors.Join(err, r.Close())
}

// object is a pack in an archive, as a file that can only be read.
type object struct {
	archive Archive
	name    string
}

func (o object) ReadAt(b []byte, off int64) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchWithin)
	defer cancel()
	r, err := o.archive.Get(ctx, o.name, off, int64(len(b)))
	if err != nil {
		return 0, notThere(err)
	}
	n, err := io.ReadFull(r, b)
	return n, errors.Join(err, r.Close())
}

func (o object) Size() (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchWithin)
	defer cancel()
	n, err := o.archive.Size(ctx, o.name)
	return n, notThere(err)
}

// notThere tells a pack that is missing in the archive from a file that has moved,
// for which the reader would look again.
func notThere(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: missing in the archive: %w", pack.ErrDamaged, err)
	}
	return err
}

func (o object) Close() error { return nil }

func (o object) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }
func (o object) Truncate(int64) error               { return errors.ErrUnsupported }
func (o object) Sync() error                        { return errors.ErrUnsupported }
