//go:build cloud

package tree_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"kakusho/trail"
	"kakusho/trail/seal"
	"kakusho/trail/tree"
)

// bucket starts a real S3 server, makes a bucket, and tells AWS's own client of it.
func bucket(t *testing.T, name string) {
	t.Helper()
	server, err := exec.LookPath("versitygw")
	if err != nil {
		cache, _ := os.UserCacheDir()
		server = filepath.Join(cache, "kakusho-tools", "versitygw")
	}
	if _, err := os.Stat(server); err != nil {
		t.Skip("no S3 server: .ci/tools builds versitygw")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	dir := t.TempDir()
	cmd := exec.Command(server, "--port", addr, "--access", "prove", "--secret", "prove-secret", "posix", "--sidecar", t.TempDir(), dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	c, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4("prove", "prove-secret", "")})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err = c.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("S3 server does not answer: %v", err)
		}
	}
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL_S3": "http://" + addr, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "prove", "AWS_SECRET_ACCESS_KEY": "prove-secret",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
}

// TestATrailHasItsLogInS3AndMySQL is AWS's driver on servers of the same protocols,
// through two lives and a change of key, and copied out as files.
func TestATrailHasItsLogInS3AndMySQL(t *testing.T) {
	dsn := mariadb(t)
	bucket(t, "tree")
	dir := filepath.Join(t.TempDir(), "trail")
	o := trail.Options{Now: time.Now, Installation: "osaka", Driver: "aws:tree/osaka," + dsn}
	for life := range 2 {
		l, err := trail.Open(dir, o)
		if err != nil {
			t.Fatalf("life %d: %v", life, err)
		}
		for i := range 2 {
			if _, err := l.Append(t.Context(), trail.Entry{At: time.Now(), Kind: "system.test", Object: fmt.Sprint(life, i)}); err != nil {
				t.Fatal(err)
			}
			if err := l.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		p, err := l.Prove(t.Context(), int64(2*life))
		if err == nil {
			_, err = trail.VerifyProof(p, l.PublicKey())
		}
		if err := errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		if life == 0 {
			if _, err := trail.RotateKey(t.Context(), dir, o, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	public, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := seal.Verifier(public)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tree.Copy(context.Background(), tree.Options{Dir: filepath.Join(dir, "log"), Driver: o.Driver, Verifier: v})
	if err != nil || c.Size != 4 {
		t.Fatalf("copy: %+v %v", c, err)
	}
	if r, err := trail.Verify(t.Context(), dir, public, nil); err != nil || !r.OK() || r.Entries != 4 {
		t.Errorf("verify the copy: %v %+v", err, r)
	}
}
