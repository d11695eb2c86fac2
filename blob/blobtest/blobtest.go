// Package blobtest is the suite that every blob.Store passes: what it does, not how.
package blobtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"kakusho/blob"
)

// Run runs the suite. make returns an empty store for each test.
func Run(t *testing.T, make func(t *testing.T) blob.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, blob.Store)
	}{
		{"what was put comes back", comesBack},
		{"a part of it can be read", parts},
		{"what is not there is said so", notThere},
		{"a wrong digest or size stores nothing", wrong},
		{"a wrong digest leaves what was there", wrongOver},
		{"a second put replaces the first", replaces},
		{"what was deleted is gone, twice too", deletes},
		{"names that are none are refused", names},
		{"a reader that fails stores nothing", failing},
		{"nobody waits for who gave up", cancelled},
		{"many at once do not mix", many},
		{"parts of a store are apart", underPrefix},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, make(t)) })
	}
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

func put(t *testing.T, s blob.Store, name string, b []byte) {
	t.Helper()
	if err := s.Put(t.Context(), name, bytes.NewReader(b), int64(len(b)), sha256.Sum256(b)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s blob.Store, name string, off, n int64) []byte {
	t.Helper()
	r, err := s.Get(t.Context(), name, off, n)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

// absent checks that there is no blob of this name.
func absent(t *testing.T, s blob.Store, name string) {
	t.Helper()
	if _, err := s.Size(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("size of %s: got %v, want fs.ErrNotExist", name, err)
	}
	r, err := s.Get(t.Context(), name, 0, -1)
	if err == nil { // some stores say so only when read
		_, err = io.ReadAll(r)
		r.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get %s: got %v, want fs.ErrNotExist", name, err)
	}
}

func comesBack(t *testing.T, s blob.Store) {
	for _, n := range []int{0, 1, 63, 64 << 10, 6 << 20} {
		b := random(n)
		name := fmt.Sprintf("events/3y/%016d.pack", n)
		put(t, s, name, b)
		if got := get(t, s, name, 0, -1); !bytes.Equal(got, b) {
			t.Errorf("%d bytes: %d others came back", n, len(got))
		}
		if size, err := s.Size(t.Context(), name); err != nil || size != int64(n) {
			t.Errorf("size: got %d, %v, want %d", size, err, n)
		}
	}
}

func parts(t *testing.T, s blob.Store) {
	b := random(10_000)
	put(t, s, "a.pack", b)
	for _, c := range []struct{ off, n, want int64 }{{0, 1, 1}, {5, 64, 64}, {9_999, 1, 1}, {9_990, 100, 10}, {100, -1, 9_900}, {0, 0, 0}, {10_000, 5, 0}, {10_000, -1, 0}} {
		if got := get(t, s, "a.pack", c.off, c.n); !bytes.Equal(got, b[c.off:c.off+c.want]) {
			t.Errorf("%d from %d: got %d bytes, want %d of the middle", c.n, c.off, len(got), c.want)
		}
	}
}

func notThere(t *testing.T, s blob.Store) {
	absent(t, s, "a.pack")
	put(t, s, "x/a.pack", []byte("a"))
	absent(t, s, "x")
	absent(t, s, "x/a")
}

func wrong(t *testing.T, s blob.Store) {
	b := random(100_000)
	sum := sha256.Sum256(b)
	other := sha256.Sum256(nil)
	for name, c := range map[string]struct {
		b    []byte
		size int64
		sum  [32]byte
	}{
		"digest":  {b, int64(len(b)), other},
		"shorter": {b[:99_999], int64(len(b)), sum},
		"longer":  {append(bytes.Clone(b), 0), int64(len(b)), sum},
		"nothing": {nil, int64(len(b)), sum},
		"empty":   {nil, 0, sum},
	} {
		if err := s.Put(t.Context(), name, bytes.NewReader(c.b), c.size, c.sum); !errors.Is(err, blob.ErrDigest) {
			t.Errorf("%s: got %v, want ErrDigest", name, err)
		}
		absent(t, s, name)
	}
}

func wrongOver(t *testing.T, s blob.Store) {
	b := random(1000)
	put(t, s, "a", b)
	if err := s.Put(t.Context(), "a", bytes.NewReader(random(1000)), 1000, sha256.Sum256(b)); !errors.Is(err, blob.ErrDigest) {
		t.Errorf("got %v, want ErrDigest", err)
	}
	if got := get(t, s, "a", 0, -1); !bytes.Equal(got, b) {
		t.Error("what was there is not there any more")
	}
}

func replaces(t *testing.T, s blob.Store) {
	put(t, s, "a", random(2000))
	b := random(1000)
	put(t, s, "a", b)
	if got := get(t, s, "a", 0, -1); !bytes.Equal(got, b) {
		t.Errorf("got %d other bytes", len(got))
	}
}

func deletes(t *testing.T, s blob.Store) {
	put(t, s, "x/a", random(10))
	put(t, s, "x/b", random(10))
	for range 2 {
		if err := s.Delete(t.Context(), "x/a"); err != nil {
			t.Fatal(err)
		}
		absent(t, s, "x/a")
	}
	if n, err := s.Size(t.Context(), "x/b"); err != nil || n != 10 {
		t.Errorf("the other one: got %d, %v", n, err)
	}
}

func names(t *testing.T, s blob.Store) {
	for _, name := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".hidden", "a/.b", "A", "a b", "a\x00", "日本", strings.Repeat("a", 513)} {
		_, err := s.Size(t.Context(), name)
		_, err2 := s.Get(t.Context(), name, 0, -1)
		err3 := s.Put(t.Context(), name, strings.NewReader(""), 0, sha256.Sum256(nil))
		for i, err := range []error{err, err2, err3, s.Delete(t.Context(), name)} {
			if !errors.Is(err, blob.ErrName) {
				t.Errorf("%q, call %d: got %v, want ErrName", name, i, err)
			}
		}
	}
}

var errBroken = errors.New("the disk broke")

func failing(t *testing.T, s blob.Store) {
	b := random(300_000)
	r := io.MultiReader(bytes.NewReader(b[:200_000]), brokenReader{})
	if err := s.Put(t.Context(), "a", r, int64(len(b)), sha256.Sum256(b)); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want what the reader said", err)
	}
	absent(t, s, "a")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

func cancelled(t *testing.T, s blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "a", strings.NewReader(""), 0, sha256.Sum256(nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	absent(t, s, "a")
}

func many(t *testing.T, s blob.Store) {
	var wg sync.WaitGroup
	blobs := make([][]byte, 16)
	for i := range blobs {
		blobs[i] = random(20_000 + i)
		wg.Go(func() {
			if err := s.Put(t.Context(), fmt.Sprint("x/", i), bytes.NewReader(blobs[i]), int64(len(blobs[i])), sha256.Sum256(blobs[i])); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, b := range blobs {
		if got := get(t, s, fmt.Sprint("x/", i), 0, -1); !bytes.Equal(got, b) {
			t.Errorf("blob %d: %d other bytes", i, len(got))
		}
	}
}

func underPrefix(t *testing.T, s blob.Store) {
	a, b := blob.Under(s, "events/3y"), blob.Under(s, "events/5y")
	put(t, a, "x", []byte("three"))
	put(t, b, "x", []byte("five"))
	if got := get(t, s, "events/3y/x", 0, -1); string(got) != "three" {
		t.Errorf("got %q", got)
	}
	if err := a.Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	absent(t, a, "x")
	if got := get(t, b, "x", 0, -1); string(got) != "five" {
		t.Errorf("got %q", got)
	}
}
