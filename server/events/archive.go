package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kakusho/blob"
	"kakusho/blob/dir"
	"kakusho/blob/s3"
	"kakusho/trail"
)

// S3 says where packs are put away when they are not put into a folder.
type S3 struct {
	Endpoint string // host:port; "http://" before it for a store without TLS
	Region   string
	Bucket   string // empty: no S3
	KeyFile  string // file with the access key and the secret, a line each
}

// OpenStore opens the place for packs that are no longer searched: the bucket, or
// the folder, or nothing.
func OpenStore(ctx context.Context, cfg Config) (blob.Store, error) {
	switch {
	case cfg.S3.Bucket != "":
		b, err := os.ReadFile(cfg.S3.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the keys of the archive: %w", err)
		}
		lines := strings.Fields(string(b))
		if len(lines) != 2 {
			return nil, fmt.Errorf("keys of the archive in %s: want two lines, the access key and the secret", cfg.S3.KeyFile)
		}
		endpoint, plain := strings.CutPrefix(cfg.S3.Endpoint, "http://")
		o := s3.Options{Endpoint: strings.TrimPrefix(endpoint, "https://"), Region: cfg.S3.Region, Bucket: cfg.S3.Bucket, Plain: plain, Key: lines[0], Secret: lines[1]}
		store, err := s3.Open(ctx, o)
		if err != nil {
			return nil, err // not a nil *s3.Bucket within the interface
		}
		return store, nil
	case cfg.Archive == "none":
		return nil, nil
	case cfg.Archive == "":
		cfg.Archive = filepath.Join(cfg.Data, "archive")
	}
	store, err := dir.Open(cfg.Archive)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// archive is where packs of a stream are put away; nil: nowhere.
func (e *Events) archive(stream string) trail.Archive {
	if e.store == nil {
		return nil
	}
	return blob.Under(e.store, "events/"+stream) // the packs of different streams have the same names
}

func closeStore(s blob.Store) error {
	if c, ok := s.(io.Closer); ok {
		if err := c.Close(); err != nil {
			return errors.Join(errors.New("close the archive"), err)
		}
	}
	return nil
}
