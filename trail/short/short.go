// Package short has the printable form of a checkpoint: a line of characters that
// a person reads out or compares, and the whole signed text as a QR code.
//
// Who keeps the paper can later see that the trail still begins with what was
// printed: the code is remade from the trail and compared.
package short

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"

	"kakusho/trail/seal"
)

// Form is a checkpoint as it is printed.
type Form struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	Root   string `json:"root"`
	Code   string `json:"code"`
	Text   string `json:"text"` // with all its signatures; what the QR code holds
}

// Of is the form of a checkpoint and its signed text.
func Of(c seal.Checkpoint, text []byte) Form {
	return Form{c.Origin, c.Size, c.Root.String(), Code(c), string(text)}
}

// alphabet is Crockford's base32: no I, L, O, U to be mistaken.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// bits is how long the code is: two histories with one code are as hard to make
// as 80 bits are to guess.
const bits = 160

// Code is 32 characters, in eights of four, that stand for origin, size and root.
func Code(c seal.Checkpoint) string {
	sum := sha256.Sum256([]byte("kakusho/trail/short/v1\n" + c.Text()))
	s := base32.NewEncoding(alphabet).WithPadding(base32.NoPadding).EncodeToString(sum[:bits/8])
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Same reports whether a code that somebody typed is this one, whatever its case
// and hyphens, and with the letters that are easily mistaken.
func Same(code, typed string) bool { return plain(code) != "" && plain(code) == plain(typed) }

func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', ' ', '\t', '\n', '\u2010', '\u2013', '\u3000':
			return -1
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, strings.ToUpper(s))
}

// quiet is the margin around a QR code, in modules.
const quiet = 4

// SVG is the QR code of the text, as an image that asks for nothing else. title is
// read out in its place.
func (f Form) SVG(title string) ([]byte, error) {
	code, err := qr.Encode(f.Text, qr.M, qr.Unicode)
	if err != nil {
		return nil, fmt.Errorf("draw checkpoint: %w", err)
	}
	n := code.Bounds().Dx()
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" shape-rendering="crispEdges"><title>`, n+2*quiet, n+2*quiet)
	if err := xml.EscapeText(&b, []byte(title)); err != nil {
		return nil, fmt.Errorf("draw checkpoint: %w", err)
	}
	fmt.Fprintf(&b, `</title><path fill="#fff" d="M0 0h%dv%[1]dH0z"/><path fill="#000" d="`, n+2*quiet)
	for y := range n {
		for x := 0; x < n; x++ {
			from := x
			for x < n && dark(code.At(x, y).RGBA()) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%[3]dz", from+quiet, y+quiet, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}

func dark(r, _, _, _ uint32) bool { return r < 0x8000 }
