package trail_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"kakusho/trail"
	"kakusho/trail/pack"
)

// FuzzReadEntry reads packs with any line for an entry.
func FuzzReadEntry(f *testing.F) {
	f.Add([]byte(`{"id":"00112233445566778899aabbccddeeff","at":"2026-11-01T00:00:00Z","kind":"read","clauses":["npa-r3@2.3.1"],"body":{"a":[1]}}`))
	f.Add([]byte(`{"id":"","unknown":1}`))
	f.Add([]byte(`{} {}`))
	dir := ramDir(f)
	write(f, filepath.Join(dir, "trail.pub"), []byte(goldenKey+"\n"))
	if err := os.Mkdir(filepath.Join(dir, "pack"), 0o700); err != nil {
		f.Fatal(err)
	}
	codec, err := pack.NewCodec(1)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.Contains(line, []byte("\n")) {
			return
		}
		b, _, err := codec.Frame(pack.Header{Type: pack.Entries, Count: 1}, append(line, '\n'))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "pack", pack.Name(0)), append(pack.PackHeader("kakusho/test", 0, 0), b...))
		r, err := trail.NewReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if s, err := r.Get(0); err == nil && !utf8.ValidString(s.Kind+s.Actor+s.Object) {
			t.Errorf("got %+v", s)
		}
	})
}

// FuzzVerify puts any bytes in the place of a pack of the golden trail.
func FuzzVerify(f *testing.F) {
	dir := ramDir(f)
	if err := os.CopyFS(dir, os.DirFS(golden)); err != nil {
		f.Fatal(err)
	}
	name := filepath.Join(dir, "pack", pack.Name(0))
	whole, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-100])
	f.Add(append(whole[:500:500], whole...))
	f.Fuzz(func(t *testing.T, image []byte) {
		write(t, name, image)
		r, err := trail.Verify(t.Context(), dir, goldenKey, nil)
		if err != nil || r.OK() != bytes.Equal(image, whole) {
			t.Errorf("got %+v, %v, the same bytes: %v", r, err, bytes.Equal(image, whole))
		}
	})
}
