// Package s3 keeps blobs in a bucket of a store that speaks S3. Each blob is one
// object, sent in one piece with its SHA-256, so that the store too refuses what is not
// whole. Locks and versions are the bucket's own business: with a lock, Delete fails
// until it ends.
package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"kakusho/blob"
)

// Options say where the bucket is.
type Options struct {
	Endpoint  string // host, or host:port
	Region    string // empty: found out, or none
	Bucket    string // must be there
	Plain     bool   // HTTP without TLS
	Key       string // access key
	Secret    string
	Transport http.RoundTripper // nil: the usual one; with another, other authorities can be trusted
}

// Bucket is a bucket of blobs.
type Bucket struct {
	core minio.Core
	name string
}

// maxObject is what one request may bring, by the specification.
const maxObject = 5 << 30

// Open sees that the bucket is there and can be used.
func Open(ctx context.Context, o Options) (*Bucket, error) {
	c, err := minio.NewCore(o.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(o.Key, o.Secret, ""), Secure: !o.Plain, Region: o.Region, Transport: o.Transport, BucketLookup: minio.BucketLookupAuto,
	})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", o.Bucket, err)
	}
	ok, err := c.BucketExists(ctx, o.Bucket)
	if err == nil && !ok {
		err = errors.New("there is none: make it first")
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", o.Bucket, err)
	}
	return &Bucket{*c, o.Bucket}, nil
}

// Put sends an object.
func (b *Bucket) Put(ctx context.Context, name string, r io.Reader, size int64, sum [32]byte) error {
	if err := errors.Join(blob.CheckName(name), ctx.Err()); err != nil {
		return fmt.Errorf("put blob: %w", err)
	}
	if size > maxObject {
		return fmt.Errorf("put blob %s: %d bytes, at most %d", name, size, int64(maxObject))
	}
	body := &heard{r: blob.Checked(r, size, sum)}
	if size == 0 {
		// Of an empty body nobody asks a byte.
		if _, err := body.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			return fmt.Errorf("put blob %s: %w", name, err)
		}
	}
	_, err := b.core.Client.PutObject(ctx, b.name, name, body, size, minio.PutObjectOptions{
		DisableMultipart: true,
		ContentType:      "application/octet-stream",
		UserMetadata:     map[string]string{"X-Amz-Checksum-Sha256": base64.StdEncoding.EncodeToString(sum[:])},
	})
	if err != nil && body.err != nil {
		err = body.err // why it was not sent, in place of what the client makes of it
	}
	if err != nil {
		return fmt.Errorf("put blob %s: %w", name, err)
	}
	return nil
}

// heard remembers what went wrong in reading.
type heard struct {
	r   io.Reader
	err error
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.r.Read(b)
	if err != nil && err != io.EOF {
		h.err = err
	}
	return n, err
}

// Get asks for an object, or a range of it.
func (b *Bucket) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := blob.CheckName(name); err != nil {
		return nil, fmt.Errorf("get blob: %w", err)
	}
	var o minio.GetObjectOptions
	var err error
	switch {
	case off < 0:
		err = fmt.Errorf("from %d", off)
	case n == 0:
		_, err = b.Size(ctx, name)
	case n > 0:
		err = o.SetRange(off, off+n-1)
	case off > 0:
		err = o.SetRange(off, 0) // to the end
	}
	if err != nil {
		return nil, fmt.Errorf("get blob %s: %w", name, err)
	}
	if n == 0 {
		return http.NoBody, nil
	}
	body, _, _, err := b.core.GetObject(ctx, b.name, name, o)
	if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return http.NoBody, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get blob %s: %w", name, known(err))
	}
	return body, nil
}

// Size asks for the object's head.
func (b *Bucket) Size(ctx context.Context, name string) (int64, error) {
	if err := blob.CheckName(name); err != nil {
		return 0, fmt.Errorf("size of blob: %w", err)
	}
	st, err := b.core.StatObject(ctx, b.name, name, minio.StatObjectOptions{})
	if err != nil {
		return 0, fmt.Errorf("size of blob %s: %w", name, known(err))
	}
	return st.Size, nil
}

// Delete removes the object.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	if err := blob.CheckName(name); err != nil {
		return fmt.Errorf("delete blob: %w", err)
	}
	if err := b.core.RemoveObject(ctx, b.name, name, minio.RemoveObjectOptions{}); err != nil && !errors.Is(known(err), fs.ErrNotExist) {
		return fmt.Errorf("delete blob %s: %w", name, err)
	}
	return nil
}

// known gives an answer of the store the name that callers know it by.
func known(err error) error {
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
