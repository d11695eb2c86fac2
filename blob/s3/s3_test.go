package s3_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"kakusho/blob"
	"kakusho/blob/blobtest"
	"kakusho/blob/s3"
)

// gateway starts a real S3 server on this machine and returns how to reach it and the
// folder in which its buckets are.
func gateway(t *testing.T) (o s3.Options, buckets string) {
	t.Helper()
	program := find()
	if program == "" {
		t.Skip("no S3 server: .ci/tools builds versitygw, or put it into PATH")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	buckets = t.TempDir()
	cmd := exec.Command(program, "--port", address, "--access", "tester", "--secret", "secret-of-tester", "--quiet", "posix", "--sidecar", t.TempDir(), buckets)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 500 {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return s3.Options{Endpoint: address, Region: "us-east-1", Plain: true, Key: "tester", Secret: "secret-of-tester"}, buckets
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the S3 server does not listen")
	return o, ""
}

// find looks for versitygw in PATH and where .ci/tools puts it.
func find() string {
	if p, err := exec.LookPath("versitygw"); err == nil {
		return p
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	p := filepath.Join(cache, "kakusho-tools", "versitygw")
	if _, err := os.Stat(p); err != nil {
		return ""
	}
	return p
}

func TestABucketIsAStore(t *testing.T) {
	o, buckets := gateway(t)
	var n atomic.Int32
	blobtest.Run(t, func(t *testing.T) blob.Store {
		o := o
		o.Bucket = fmt.Sprint("bucket-", n.Add(1))
		if err := os.Mkdir(filepath.Join(buckets, o.Bucket), 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := s3.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	})
}

func TestABucketThatIsNotThereOrNotOursIsNotOpened(t *testing.T) {
	o, buckets := gateway(t)
	o.Bucket = "none"
	if _, err := s3.Open(t.Context(), o); err == nil {
		t.Error("opened a bucket that is not there")
	}
	if err := os.Mkdir(filepath.Join(buckets, "ours"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.Bucket, o.Secret = "ours", "not the secret"
	if _, err := s3.Open(t.Context(), o); err == nil {
		t.Error("opened a bucket with another secret")
	}
}

func TestAStoreThatDoesNotAnswerIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes calls and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s3.Open(ctx, s3.Options{Endpoint: l.Addr().String(), Bucket: "ours", Plain: true, Key: "k", Secret: "s"}); err == nil {
		t.Error("opened a bucket of a store that does not answer")
	}
}
