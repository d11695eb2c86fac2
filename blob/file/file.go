// Package file keeps what people attach to a record: by its digest, of the kinds that
// offices exchange, told by content and not by name.
//
// A file is durable before anybody writes down that it is there, and what is given back
// is what was put: one that was altered since is not given.
package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/gabriel-vasile/mimetype"

	"kakusho/bilingual"
	"kakusho/blob"
)

// Limits.
const (
	Most      = 10 << 20 // bytes of one file
	MostFiles = 10       // of one record
	mostName  = 200      // runes
)

// ErrAltered means that what is kept is not what was put.
var ErrAltered = errors.New("the file is not what was attached")

// File is what a record says of a file.
type File struct {
	Name   string `json:"name"`
	Type   string `json:"type"`   // media type, told from its content
	Size   int64  `json:"size"`   // bytes
	Digest string `json:"digest"` // SHA-256, hexadecimal
}

// Fault says why a file is not taken, and what to do.
type Fault bilingual.Text

func (f Fault) Error() string { return f.EN }

func fault(ja, en string, a ...any) error {
	return Fault{JA: fmt.Sprintf(ja, a...), EN: fmt.Sprintf(en, a...)}
}

// kinds are the media types that are taken, with the endings a name may have.
var kinds = map[string][]string{
	"application/pdf": {".pdf"},
	"image/png":       {".png"}, "image/jpeg": {".jpg", ".jpeg"}, "image/webp": {".webp"}, "image/heic": {".heic"}, "image/tiff": {".tif", ".tiff"},
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   {".docx"},
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         {".xlsx"},
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": {".pptx"},
	"application/vnd.oasis.opendocument.text":                                   {".odt"},
	"application/vnd.oasis.opendocument.spreadsheet":                            {".ods"},
	"text/plain":       {".txt", ".csv", ".tsv", ".log", ".json", ".sarif", ".yaml", ".yml", ".md", ".xml"},
	"text/csv":         {".csv", ".txt"},
	"application/json": {".json", ".sarif", ".txt"},
	"text/xml":         {".xml", ".txt"},
}

// Check tells what a file is. The error is a Fault.
func Check(name string, content []byte) (File, error) {
	name = clean(name)
	if len(content) == 0 {
		return File{}, fault("「%s」は空である。", "%q is empty", name)
	}
	if len(content) > Most {
		return File{}, fault("「%s」は%d MBを超える。分割し、又は圧縮率を上げる。", "%q is larger than %d MB; split or compress it", name, Most>>20)
	}
	is := mimetype.Detect(content)
	if up := is.Parent(); up != nil && up.Is("application/json") { // reports of many kinds
		is = up
	}
	media, _, _ := strings.Cut(is.String(), ";")
	endings, ok := kinds[media]
	if !ok {
		return File{}, fault("「%s」の内容（%s）は添付できない。PDF、画像、Office文書又はテキストとする。", "%q holds %s, which is not taken; attach PDF, images, office documents or text", name, media)
	}
	if !slices.Contains(endings, strings.ToLower(path.Ext(name))) {
		return File{}, fault("「%s」の内容は%sであり、名前と合わない。拡張子を%sとする。", "%q holds %s, unlike its name; let it end in %s", name, media, endings[0])
	}
	sum := sha256.Sum256(content)
	return File{Name: name, Type: media, Size: int64(len(content)), Digest: hex.EncodeToString(sum[:])}, nil
}

// clean is a name without folders, control characters and what turns text around.
func clean(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, "�"), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`"<>|*?:/`, r) {
			return -1
		}
		return r
	}, name)
	if r := []rune(name); len(r) > mostName { // its ending is what it is opened by
		end := []rune(path.Ext(name))
		name = string(r[:mostName-min(len(end), 10)]) + string(end[:min(len(end), 10)])
	}
	return strings.TrimSpace(name)
}

// Shelf keeps files in a store.
type Shelf struct{ store blob.Store }

// On keeps files in store.
func On(store blob.Store) Shelf { return Shelf{store} }

// Put keeps content, which Check said is f, and returns when it is durable. What is
// there already stays.
func (s Shelf) Put(ctx context.Context, f File, content []byte) error {
	if _, err := s.Get(ctx, f); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrAltered) {
		return err
	}
	return s.store.Put(ctx, address(f.Digest), bytes.NewReader(content), f.Size, sha256.Sum256(content))
}

// Get reads a file. ErrAltered, wrapped: what is kept is another by now.
// fs.ErrNotExist, wrapped: it is gone.
func (s Shelf) Get(ctx context.Context, f File) ([]byte, error) {
	if b, err := hex.DecodeString(f.Digest); err != nil || len(b) != sha256.Size {
		return nil, fmt.Errorf("read file %s: %w", f.Name, ErrAltered)
	}
	r, err := s.store.Get(ctx, address(f.Digest), 0, -1)
	if err != nil {
		return nil, fmt.Errorf("read file %s: %w", f.Name, err)
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, Most+1))
	if err != nil {
		return nil, fmt.Errorf("read file %s: %w", f.Name, err)
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != f.Digest {
		return nil, fmt.Errorf("read file %s: %w", f.Name, ErrAltered)
	}
	return content, nil
}

// address spreads files over folders.
func address(digest string) string { return digest[:2] + "/" + digest }
