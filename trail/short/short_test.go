package short_test

import (
	"bytes"
	"encoding/xml"
	"image"
	"image/draw"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"kakusho/trail/seal"
	"kakusho/trail/short"
)

func checkpoint() seal.Checkpoint {
	return seal.Checkpoint{Origin: "kakusho/osaka/events/3y", Size: 123456, Root: seal.Leaf([]byte("x"))}
}

// TestTheCodeStaysWhatItIs fixes it: papers with it lie in safes.
func TestTheCodeStaysWhatItIs(t *testing.T) {
	if got, want := short.Code(checkpoint()), "KNMN-STR4-5JS8-HXB5-7BYY-JHH8-GHXD-BRK0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEachPartChangesTheCode(t *testing.T) {
	base := short.Code(checkpoint())
	for name, change := range map[string]func(*seal.Checkpoint){
		"origin": func(c *seal.Checkpoint) { c.Origin += "x" },
		"size":   func(c *seal.Checkpoint) { c.Size++ },
		"root":   func(c *seal.Checkpoint) { c.Root[31] ^= 1 },
	} {
		c := checkpoint()
		change(&c)
		if short.Same(base, short.Code(c)) {
			t.Errorf("another %s has the same code", name)
		}
	}
}

func TestATypedCodeIsForgivenWhatIsEasilyMistaken(t *testing.T) {
	code := short.Code(checkpoint())
	for name, typed := range map[string]string{
		"as printed":    code,
		"small letters": strings.ToLower(code),
		"no hyphens":    strings.ReplaceAll(code, "-", ""),
		"blanks":        strings.ReplaceAll(code, "-", "　"),
		"O for 0":       strings.ReplaceAll(code, "0", "O"),
		"l for 1":       strings.ReplaceAll(code, "1", "l"),
	} {
		if !short.Same(code, typed) {
			t.Errorf("%s: %q is not taken", name, typed)
		}
	}
	for i, r := range code {
		if r == '-' {
			continue
		}
		other := "2"
		if r == '2' {
			other = "3"
		}
		if short.Same(code, code[:i]+other+code[i+1:]) {
			t.Errorf("character %d can be another", i)
		}
	}
	if short.Same("", "") || short.Same(code, code[:len(code)-1]) {
		t.Error("a code cut short is taken")
	}
}

// TestThePictureIsRead reads the QR code back with another program, where there is one.
func TestThePictureIsRead(t *testing.T) {
	f := short.Of(checkpoint(), []byte(checkpoint().Text()+"\n\u2014 kakusho/osaka/events/3y AAAA+/==\n"))
	svg, err := f.SVG(`検証点 <"&>`)
	if err != nil {
		t.Fatal(err)
	}
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		if e, ok := tok.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if strings.Contains(a.Value, "://") && a.Name.Local != "xmlns" {
					t.Errorf("asks for %s", a.Value)
				}
			}
		}
	}
	if len(svg) > 40<<10 {
		t.Errorf("%d bytes", len(svg))
	}
	zbar, err := exec.LookPath("zbarimg")
	if err != nil {
		t.Skip("zbarimg (zbar-tools) is not here: the picture is not read back")
	}
	name := filepath.Join(t.TempDir(), "qr.png")
	if err := os.WriteFile(name, paint(t, svg), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(zbar, "--quiet", "--raw", name).Output()
	if err != nil || strings.TrimRight(string(out), "\n") != strings.TrimRight(f.Text, "\n") {
		t.Errorf("read back: %v\n%q\nwant\n%q", err, out, f.Text)
	}
}

// paint makes pixels of the rectangles of the picture, six to a module.
func paint(t *testing.T, svg []byte) []byte {
	t.Helper()
	const scale = 6
	size := regexp.MustCompile(`viewBox="0 0 (\d+) `).FindSubmatch(svg)
	n, err := strconv.Atoi(string(size[1]))
	if err != nil {
		t.Fatal(err)
	}
	img := image.NewGray(image.Rect(0, 0, n*scale, n*scale))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	_, dark, _ := strings.Cut(string(svg), `fill="#000"`)
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(dark, -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		w, _ := strconv.Atoi(m[3])
		draw.Draw(img, image.Rect(x*scale, y*scale, (x+w)*scale, (y+1)*scale), image.Black, image.Point{}, draw.Src)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func FuzzSame(f *testing.F) {
	code := short.Code(checkpoint())
	f.Add(strings.ToLower(code))
	f.Add("\u3000O0-")
	f.Fuzz(func(t *testing.T, typed string) {
		kept := 0
		for _, r := range typed {
			if !strings.ContainsRune("- \t\n\u2010\u2013\u3000", r) {
				kept++
			}
		}
		if short.Same(code, typed) && kept != 32 || short.Same("", typed) {
			t.Errorf("%q is taken for %s", typed, code)
		}
	})
}
