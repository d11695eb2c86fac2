package file_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"kakusho/blob/dir"
	"kakusho/blob/file"
)

var png = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89")

// What a file is, is told by its content; its name must not say otherwise.
func TestWhatIsTaken(t *testing.T) {
	for _, c := range []struct {
		name    string
		content []byte
		want    string // media type; empty: refused
		as      string // name afterwards
	}{
		{"証明書.pdf", []byte("%PDF-1.7\n…"), "application/pdf", "証明書.pdf"},
		{"写真.PNG", png, "image/png", "写真.PNG"},
		{`C:\書類\記録.txt`, []byte("抹消した。"), "text/plain", "記録.txt"},
		{"../../etc/passwd.txt", []byte("root"), "text/plain", "passwd.txt"},
		{"結果.sarif", []byte(`{"version": "2.1.0", "runs": []}`), "application/json", "結果.sarif"},
		{"部品表.json", []byte(`{"bomFormat": "CycloneDX", "specVersion": "1.6"}`), "application/json", "部品表.json"},
		{"報\u202egnp.pdf", []byte("%PDF-1.7\n"), "application/pdf", "報gnp.pdf"},
		{"写真.pdf", png, "", ""},
		{"写真", png, "", ""},
		{"実行.pdf", []byte("MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff"), "", ""},
		{"実行.txt", []byte("\x7fELF\x02\x01\x01\x00"), "", ""},
		{"頁.txt", []byte("<!DOCTYPE html><html><script>alert(1)</script></html>"), "", ""},
		{"図.png", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`), "", ""},
		{"書庫.zip", []byte("PK\x03\x04\x14\x00\x00\x00\x00\x00"), "", ""},
		{"空.txt", nil, "", ""},
		{"大.txt", bytes.Repeat([]byte("a"), file.Most+1), "", ""},
	} {
		f, err := file.Check(c.name, c.content)
		var fault file.Fault
		switch {
		case c.want == "" && (!errors.As(err, &fault) || fault.JA == "" || fault.EN == ""):
			t.Errorf("%s: got %v, %v; want a fault", c.name, f, err)
		case c.want != "" && (err != nil || f.Type != c.want || f.Name != c.as):
			t.Errorf("%s: got %q %q, %v; want %q %q", c.name, f.Name, f.Type, err, c.as, c.want)
		}
	}
}

// What was put comes back, or an error that says that it does not.
func TestWhatIsKept(t *testing.T) {
	folder := t.TempDir()
	store, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	shelf := file.On(store)
	f, err := file.Check("写真.png", png)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shelf.Get(t.Context(), f); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before it is put: %v", err)
	}
	for range 2 {
		if err := shelf.Put(t.Context(), f, png); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := shelf.Get(t.Context(), f); err != nil || !bytes.Equal(got, png) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if err := os.WriteFile(filepath.Join(folder, f.Digest[:2], f.Digest), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := shelf.Get(t.Context(), f); !errors.Is(err, file.ErrAltered) {
		t.Errorf("altered: %v", err)
	}
	if err := shelf.Put(t.Context(), f, png); err != nil { // put again it is mended
		t.Fatal(err)
	}
	if _, err := shelf.Get(t.Context(), f); err != nil {
		t.Errorf("mended: %v", err)
	}
	for _, bad := range []string{"", "zz", "../x", strings.Repeat("0", 64)} {
		if _, err := shelf.Get(t.Context(), file.File{Digest: bad}); err == nil {
			t.Errorf("digest %q: no error", bad)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("a.png", png)
	f.Add("記録.txt", []byte("抹消した。"))
	f.Add("\x00\xff.pdf", []byte("%PDF-"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		got, err := file.Check(name, content)
		if err != nil {
			return
		}
		if !utf8.ValidString(got.Name) || strings.ContainsAny(got.Name, "/\\\x00\r\n\"") || got.Name == "" || len([]rune(got.Name)) > 200 {
			t.Errorf("name %q of %q", got.Name, name)
		}
		if again, err := file.Check(got.Name, content); err != nil || again != got {
			t.Errorf("checked again: %v, %v; at first %v", again, err, got)
		}
	})
}
