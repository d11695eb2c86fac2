// Package blob keeps pieces of bytes under a name, somewhere: in a folder, or in a
// store that speaks S3. The trail puts packs there that are older than it keeps at hand.
//
// A Store promises that what Put returned for is durable, whole and what the digest
// says, and that a Put which fails leaves what was there before. It knows nothing of
// what is in the bytes: whoever reads them back checks them.
package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Store is one place for blobs. It is safe for concurrent use.
type Store interface {
	// Put stores size bytes of r, all or nothing, and returns when they are durable.
	// ErrDigest, wrapped: r does not have this size and SHA-256. A name that is there
	// is replaced.
	Put(ctx context.Context, name string, r io.Reader, size int64, sha256 [32]byte) error
	// Get reads n bytes from off on, as far as there are any; n < 0: to the end.
	// fs.ErrNotExist, wrapped: there is none of this name.
	Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)
	// Size is how many bytes there are. fs.ErrNotExist, wrapped: none of this name.
	Size(ctx context.Context, name string) (int64, error)
	// Delete removes it. That there is none is no error.
	Delete(ctx context.Context, name string) error
}

// What the stores return, wrapped.
var (
	ErrDigest = errors.New("bytes are not what was announced") // read them again from where they come
	ErrName   = errors.New("not a name for a blob")            // CheckName says which are
)

// CheckName sees that a name is one: parts of a-z, 0-9, '.', '_' and '-' with slashes
// between them, none empty, none beginning with a dot, at most 512 bytes.
func CheckName(name string) error {
	if len(name) > 512 {
		return fmt.Errorf("%w: %d bytes, at most 512", ErrName, len(name))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("%w: %q", ErrName, name)
		}
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-/", r) {
			return fmt.Errorf("%w: %q", ErrName, name)
		}
	}
	return nil
}

// Checked reads size bytes of r and keeps the last of them back until it has seen
// that all have the digest; else it returns ErrDigest. So nothing takes a wrong blob
// for a whole one.
func Checked(r io.Reader, size int64, sum [32]byte) io.Reader {
	return &checked{r: io.LimitReader(r, size+1), left: size, want: sum, sum: sha256.New()}
}

type checked struct {
	r    io.Reader
	left int64
	want [32]byte
	sum  hash.Hash
	last []byte // kept back
	err  error
}

func (c *checked) Read(b []byte) (int, error) {
	if c.err != nil || len(b) == 0 {
		return 0, c.err
	}
	if c.left > 1 {
		n, err := c.r.Read(b[:min(int64(len(b)), c.left-1)])
		c.sum.Write(b[:n])
		if c.left -= int64(n); err == io.EOF {
			err = fmt.Errorf("%w: %d bytes less", ErrDigest, c.left)
		}
		c.err = err
		return n, err
	}
	rest, err := io.ReadAll(c.r)
	c.sum.Write(rest)
	switch {
	case err != nil:
		c.err = err
	case int64(len(rest)) != c.left || [32]byte(c.sum.Sum(nil)) != c.want:
		c.err = fmt.Errorf("%w: another size or digest", ErrDigest)
	default:
		c.err = io.EOF
		return copy(b, rest), c.errIfNone(rest)
	}
	return 0, c.err
}

func (c *checked) errIfNone(rest []byte) error {
	if len(rest) == 0 {
		return io.EOF
	}
	return nil
}

// Under is the part of a store whose names begin with prefix and a slash.
func Under(s Store, prefix string) Store { return under{s, prefix + "/"} }

type under struct {
	s      Store
	prefix string
}

func (u under) Put(ctx context.Context, name string, r io.Reader, size int64, sum [32]byte) error {
	return u.s.Put(ctx, u.prefix+name, r, size, sum)
}

func (u under) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	return u.s.Get(ctx, u.prefix+name, off, n)
}

func (u under) Size(ctx context.Context, name string) (int64, error) {
	return u.s.Size(ctx, u.prefix+name)
}

func (u under) Delete(ctx context.Context, name string) error { return u.s.Delete(ctx, u.prefix+name) }
