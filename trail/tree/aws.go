//go:build cloud

package tree

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/transparency-dev/tessera/storage/aws"
)

// inAWS is Tessera's driver for S3 and Aurora (MySQL). Its setting is
// aws:BUCKET/PREFIX,DSN; who may is said by the environment, as AWS's own tools have it.
var inAWS = maker{
	takes: func(setting string) bool { return strings.HasPrefix(setting, "aws:") },
	open: func(ctx context.Context, o Options) (store, error) {
		return openAWS(ctx, strings.TrimPrefix(o.Driver, "aws:"))
	},
}

func openAWS(ctx context.Context, setting string) (store, error) {
	at, err := parsePlace(setting)
	if err != nil {
		return nil, err
	}
	sdk, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	driver, err := aws.New(ctx, aws.Config{Bucket: at.bucket, BucketPrefix: at.prefix, DSN: at.database})
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	db, err := sql.Open("mysql", at.database)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	c := &cloud{tessel: driver, objects: inS3{s3.NewFromConfig(sdk), at.bucket}, prefix: at.prefix, interval: time.Second}
	c.lock = func(ctx context.Context) error {
		lock, err := hold(ctx, db)
		if lock != nil {
			c.closing = append([]func() error{lock.Close}, c.closing...)
		}
		return err
	}
	c.older = func() {
		db.Exec("UPDATE PubCoord SET publishedAt = 0 WHERE id = 0") // without it a checkpoint comes later, not wrong
	}
	c.closing = []func() error{db.Close}
	return c, nil
}

type inS3 struct {
	client *s3.Client
	bucket string
}

func (b inS3) get(ctx context.Context, name string) ([]byte, error) {
	r, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.bucket, Key: &name})
	if missing := (*types.NoSuchKey)(nil); errors.As(err, &missing) {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r.Body)
	return data, errors.Join(err, r.Body.Close())
}

func (b inS3) put(ctx context.Context, name string, data []byte) error {
	plain, fresh := "text/plain; charset=utf-8", "no-cache"
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &name, Body: bytes.NewReader(data), ContentType: &plain, CacheControl: &fresh})
	return err
}

func (b inS3) close() error { return nil }
