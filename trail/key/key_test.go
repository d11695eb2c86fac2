package key_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// chain is the file of a trail whose key was rotated, lost, and rotated again.
func chain(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	if _, err := key.Open(pack.OS{}, dir, "osaka"); err != nil {
		t.Fatal(err)
	}
	c := seal.Checkpoint{Origin: "kakusho/osaka", Size: 3, Root: seal.Leaf([]byte("x"))}
	for i, lost := range []bool{false, true, false} {
		c.Size += int64(i)
		if _, err := key.Change(pack.OS{}, dir, c, lost, time.Date(2026, 11, 24, 12, i, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, key.ChainFile))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAChainHoldsOnlyAsItWasWritten changes each byte of it, cuts it anywhere, and
// exchanges its statements.
func TestAChainHoldsOnlyAsItWasWritten(t *testing.T) {
	text := chain(t)
	c, err := key.ParseChain(text)
	if err != nil || len(c) != 3 || c[0].Lost || !c[1].Lost {
		t.Fatalf("got %+v, %v", c, err)
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if _, err := key.ParseChain(bad); !errors.Is(err, key.ErrChain) {
			t.Errorf("byte %d %q changed: got %v", i, text[i], err)
		}
	}
	whole := 0
	for n := range text {
		if _, err := key.ParseChain(text[:n]); err == nil {
			whole++ // at the end of a statement, and of nothing
		}
	}
	if whole != 3 {
		t.Errorf("%d beginnings hold, want 3", whole)
	}
	parts := strings.SplitAfter(string(text), "\n\n")
	one, two, three := parts[0]+parts[1], parts[2]+parts[3], parts[4]+parts[5]
	for name, bad := range map[string]string{"the first twice": one + one, "exchanged": two + one + three, "one left out": one + three, "the first left out": two + three} {
		if _, err := key.ParseChain([]byte(bad)); !errors.Is(err, key.ErrChain) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParseChain(f *testing.F) {
	text := chain(f)
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte("kakusho/trail/key/v1\norigin a\n\n\u2014 a AAAA\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := key.ParseChain(b)
		if err != nil {
			if !errors.Is(err, key.ErrChain) {
				t.Errorf("got %v", err)
			}
			return
		}
		rest := string(b) // what is taken is the statements' own texts, each before its signatures
		for i, s := range c {
			after, ok := strings.CutPrefix(rest, s.Text()+"\n\u2014 ")
			if !ok || s.Number != int64(i)+1 {
				t.Fatalf("statement %d is not what was read: %q", i+1, rest)
			}
			_, rest, _ = strings.Cut(after, "\n\n")
		}
		if rest != "" {
			t.Errorf("%q is left over", rest)
		}
	})
}
