//go:build cloud

package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"github.com/transparency-dev/tessera/storage/gcp"
)

// inGCP is Tessera's driver for Cloud Storage and Spanner. Its setting is
// gcp:BUCKET/PREFIX,projects/P/instances/I/databases/D; who may is said by the
// environment, as Google's own tools have it.
//
// Spanner has no lock to hold: a second machine is not kept out, but found out,
// when a segment is not the leaf it should be. It would need the packs and the key.
var inGCP = maker{
	takes: func(setting string) bool { return strings.HasPrefix(setting, "gcp:") },
	open: func(ctx context.Context, o Options) (store, error) {
		return openGCP(ctx, strings.TrimPrefix(o.Driver, "gcp:"))
	},
}

func openGCP(ctx context.Context, setting string) (store, error) {
	at, err := parsePlace(setting)
	if err != nil {
		return nil, err
	}
	client, err := storage.NewClient(ctx, storage.WithJSONReads())
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	driver, err := gcp.New(ctx, gcp.Config{GCSClient: client, Bucket: at.bucket, BucketPrefix: at.prefix, Spanner: at.database})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), client.Close())
	}
	return &cloud{
		tessel: driver, objects: inGCS{client, at.bucket}, prefix: at.prefix, interval: 1200 * time.Millisecond, // an object takes no more writes
		lock:  func(context.Context) error { return nil },
		older: func() {}, // the driver compares with the clock of the same machine; one that went back delays a checkpoint
	}, nil
}

type inGCS struct {
	client *storage.Client
	bucket string
}

func (b inGCS) get(ctx context.Context, name string) ([]byte, error) {
	r, err := b.client.Bucket(b.bucket).Object(name).NewReader(ctx)
	if errors.Is(err, storage.ErrObjectNotExist) {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

func (b inGCS) put(ctx context.Context, name string, data []byte) error {
	w := b.client.Bucket(b.bucket).Object(name).NewWriter(ctx)
	w.ContentType, w.CacheControl = "text/plain; charset=utf-8", "no-cache"
	_, err := w.Write(data)
	return errors.Join(err, w.Close())
}

func (b inGCS) close() error { return b.client.Close() }
