package trail_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/transparency-dev/tessera/api"
	"golang.org/x/mod/sumdb/note"

	"kakusho/trail"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// frame is one of a pack, taken apart.
type frame struct {
	pack.Header
	raw []byte
}

// forger rewrites packs as somebody would who knows the format and makes every sum
// right, but has no key.
type forger struct {
	testing.TB
	dir   string
	codec *pack.Codec
}

func newForger(t testing.TB, dir string) *forger {
	c, err := pack.NewCodec(1)
	if err != nil {
		t.Fatal(err)
	}
	return &forger{t, dir, c}
}

func (f *forger) file(name string) string { return filepath.Join(f.dir, name) }

func (f *forger) read(name string) []byte {
	f.Helper()
	b, err := os.ReadFile(f.file(name))
	if err != nil {
		f.Fatal(err)
	}
	return b
}

func (f *forger) packs() []string {
	names, err := pack.List(f.file("pack"))
	if err != nil {
		f.Fatal(err)
	}
	for i, n := range names {
		names[i] = "pack/" + n
	}
	return names
}

// edit takes a pack apart, lets fn change its frames, and writes it again.
func (f *forger) edit(name string, fn func([]frame) []frame) {
	f.Helper()
	f.editAs(name, pack.Entries, fn)
}

func (f *forger) editAs(name string, t pack.Type, fn func([]frame) []frame) {
	f.Helper()
	image := f.read(name)
	var frames []frame
	for _, p := range pack.ScanAs(image, t) {
		raw, err := f.codec.Payload(p.Header, p.Stored)
		if err != nil {
			f.Fatal(err)
		}
		frames = append(frames, frame{p.Header, raw})
	}
	image = image[:pack.HeaderSize:pack.HeaderSize]
	for _, fr := range fn(frames) {
		b, _, err := f.codec.Frame(fr.Header, fr.raw)
		if err != nil {
			f.Fatal(err)
		}
		image = append(image, b...)
	}
	write(f, f.file(name), image)
}

// entries makes a frame anew out of lines.
func (fr frame) lines(edit func([][]byte) [][]byte) frame {
	ls := bytes.SplitAfter(bytes.TrimSuffix(fr.raw, nil), []byte("\n"))
	ls = edit(ls[:len(ls)-1])
	return frame{with(fr.Header, len(ls)), bytes.Join(ls, nil)}
}

func with(h pack.Header, count int) pack.Header { h.Count = count; return h }

func leaves(raw []byte) []seal.Hash {
	var hs []seal.Hash
	for line := range bytes.Lines(raw) {
		hs = append(hs, seal.Leaf(bytes.TrimSuffix(line, []byte("\n"))))
	}
	return hs
}

// reseal makes the record of the segment in frames[from:to] fit its frames again.
func reseal(frames []frame, from, to int) (before, after []byte) {
	s := frames[to]
	before, _, _ = s.Split(s.raw)
	r, _ := seal.ParseRecord(before)
	var rows []seal.Row
	var all []seal.Hash
	for _, fr := range frames[from:to] {
		ls := leaves(fr.raw)
		rows, all = append(rows, fr.Row(ls)), append(all, ls...)
	}
	table := seal.Table(rows)
	r.Root, r.Frames = seal.Root(all), sha256.Sum256(table)
	after = r.Text()
	frames[to].raw = append(slices.Clone(after), table...)
	return before, after
}

// findings are what Verify says: kind and entries, sorted, each once.
func findings(t testing.TB, dir, key string) []string {
	t.Helper()
	r, err := trail.Verify(t.Context(), dir, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range r.Problems {
		t.Log(p)
		if p.FirstSeq < 0 {
			got = append(got, string(p.What))
		} else {
			got = append(got, fmt.Sprintf("%s %d..%d", p.What, p.FirstSeq, p.LastSeq))
		}
	}
	slices.Sort(got)
	return slices.Compact(got)
}

func change(ls [][]byte) [][]byte {
	ls[0] = bytes.Replace(ls[0], []byte("register.put"), []byte("register.PUT"), 1)
	return ls
}

// The layout is that of small: the first pack is E(0,1) E(2,3) S0 E(4,5) E(6,7) S1.
var forgeries = []struct {
	name string
	do   func(*forger)
	want []string
}{
	{"nothing done", func(*forger) {}, nil},
	{"a character of an entry changed", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { fs[3] = fs[3].lines(change); return fs })
	}, []string{"altered 4..5"}},
	{"two entries exchanged", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame {
			fs[0] = fs[0].lines(func(ls [][]byte) [][]byte { return [][]byte{ls[1], ls[0]} })
			return fs
		})
	}, []string{"altered 0..1"}},
	{"an entry removed", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame {
			fs[1] = fs[1].lines(func(ls [][]byte) [][]byte { return ls[:1] })
			return fs
		})
	}, []string{"altered 2..3"}},
	{"an entry added", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame {
			fs[4] = fs[4].lines(func(ls [][]byte) [][]byte { return append(ls, ls[0]) })
			return fs
		})
	}, []string{"altered 6..7"}},
	{"the arrival of a frame moved", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { fs[1].Arrived++; return fs })
	}, []string{"altered 2..3"}},
	{"the wall clock of a frame moved", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { fs[4].Wall--; return fs })
	}, []string{"altered 6..7"}},
	{"the time of a seal moved", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { fs[2].Wall++; return fs })
	}, []string{"record"}},
	{"a frame cut out", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { return slices.Delete(fs, 3, 4) })
	}, []string{"missing 4..5"}},
	{"a seal cut out", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { return slices.Delete(fs, 2, 3) })
	}, []string{"record"}},
	{"a segment cut out", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { return fs[:3] })
	}, []string{"missing 4..7"}},
	{"two frames exchanged", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { fs[0], fs[1] = fs[1], fs[0]; return fs })
	}, []string{"order 2..3"}},
	{"two segments exchanged", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { return append(fs[3:6:6], fs[:3]...) })
	}, []string{"order 4..5", "order 6..7"}},
	{"a frame there twice", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { return slices.Insert(fs, 1, fs[0]) })
	}, []string{"extra"}},
	{"an empty segment written in", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { return slices.Insert(fs, 3, fs[2]) })
	}, []string{"extra"}},
	{"bytes put between two frames", func(f *forger) {
		b := f.read(f.packs()[0])
		off := pack.Scan(b)[1].Off
		write(f, f.file(f.packs()[0]), slices.Insert(b, int(off), []byte("KKF1 and nothing more")...))
	}, []string{"extra"}},
	{"bytes put behind the last seal", func(f *forger) {
		name := f.packs()[len(f.packs())-1]
		write(f, f.file(name), append(f.read(name), "x"...))
	}, []string{"torn"}},
	{"an entry changed and its segment sealed anew", func(f *forger) {
		f.edit(f.packs()[0], func(fs []frame) []frame { fs[3] = fs[3].lines(change); reseal(fs, 3, 5); return fs })
	}, []string{"altered 4..7", "record"}},
	{"an entry changed, everything made to fit but the signature", forgeAll, []string{"altered 4..7", "checkpoint", "log"}},
	{"the first pack deleted", func(f *forger) { os.Remove(f.file(f.packs()[0])) }, []string{"missing 0..3", "missing 4..7"}},
	{"the last pack deleted", func(f *forger) { os.Remove(f.file(f.packs()[len(f.packs())-1])) }, []string{"missing", "missing 12..12", "missing 8..11"}},
	{"all packs deleted", func(f *forger) {
		for _, p := range f.packs() {
			os.Remove(f.file(p))
		}
	}, []string{"missing", "missing 0..3", "missing 12..12", "missing 4..7", "missing 8..11"}},
	{"the head of a pack names another entry", func(f *forger) {
		b := f.read(f.packs()[1])
		write(f, f.file(f.packs()[1]), append(pack.PackHeader("kakusho/test", 2, 9), b[pack.HeaderSize:]...))
	}, []string{"header"}},
	{"two packs exchanged", func(f *forger) {
		a, b := f.packs()[0], f.packs()[1]
		x, y := f.read(a), f.read(b)
		write(f, f.file(a), y)
		write(f, f.file(b), x)
	}, []string{"extra", "header", "missing", "missing 0..3", "missing 12..12", "missing 4..7", "missing 8..11"}},
	{"a pack there twice under another number", func(f *forger) {
		write(f, f.file("pack/"+pack.Name(1)), f.read(f.packs()[0]))
	}, []string{"extra", "header"}},
	{"a pack with an absurd number", func(f *forger) {
		write(f, f.file("pack/"+pack.Name(1e15)), f.read(f.packs()[0]))
	}, []string{"extra"}},
	{"a pack cut at a frame", func(f *forger) {
		b := f.read(f.packs()[0])
		write(f, f.file(f.packs()[0]), b[:pack.Scan(b)[4].Off])
	}, []string{"missing 6..7", "record", "unproved 4..5"}},
	{"a pack cut inside a frame", func(f *forger) {
		b := f.read(f.packs()[0])
		write(f, f.file(f.packs()[0]), b[:pack.Scan(b)[4].Off+70])
	}, []string{"damaged 6..7", "record", "unproved 4..5"}},
	{"a pack emptied", func(f *forger) { write(f, f.file(f.packs()[0]), nil) }, []string{"header", "missing 0..3", "missing 4..7"}},
	{"the last pack emptied", func(f *forger) { write(f, f.file(f.packs()[1]), nil) },
		[]string{"missing", "missing 12..12", "missing 8..11", "torn"}},
	{"a pack begun and nothing in it", func(f *forger) { write(f, f.file("pack/"+pack.Name(5)), nil) }, []string{"torn"}},
	{"a pack of another trail", func(f *forger) {
		other := ramDir(f)
		o := options()
		o.Installation = "other"
		fill(f, other, o, 2, 2)
		b, err := os.ReadFile(filepath.Join(other, f.packs()[0]))
		if err != nil {
			f.Fatal(err)
		}
		write(f, f.file(f.packs()[0]), b)
	}, []string{"altered 0..3", "altered 4..7", "header", "record"}},
	{"a tile deleted", func(f *forger) { os.Remove(f.file("log/tile/0/000.p/5")) }, []string{"log"}},
	{"a bundle deleted", func(f *forger) { os.Remove(f.file("log/tile/entries/000.p/5")) }, []string{"log"}},
	{"all tiles and bundles deleted", func(f *forger) { os.RemoveAll(f.file("log/tile")) }, []string{"log"}},
	{"the checkpoint deleted", func(f *forger) { os.Remove(f.file("log/checkpoint")) }, []string{"unreadable"}},
	{"the whole log deleted", func(f *forger) { os.RemoveAll(f.file("log")) }, []string{"log", "unreadable"}},
	{"the packs and their folder deleted", func(f *forger) { os.RemoveAll(f.file("pack")) },
		[]string{"missing", "missing 0..3", "missing 12..12", "missing 4..7", "missing 8..11", "unreadable"}},
	{"the public key deleted", func(f *forger) { os.Remove(f.file("trail.pub")) }, []string{"unreadable"}},
	{"another public key", func(f *forger) {
		write(f, f.file("trail.pub"), []byte("kakusho/test+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\n"))
	}, []string{"key"}},
	{"a file among the packs", func(f *forger) { write(f, f.file("pack/notes.txt"), []byte("x")) }, []string{"extra"}},
	{"a file in the log", func(f *forger) { write(f, f.file("log/tile/0/000.p/5.bak"), []byte("x")) }, []string{"extra"}},
	{"a file beside the trail", func(f *forger) { write(f, f.file("trail.pub.bak"), []byte("x")) }, []string{"extra"}},
	{"something in the lock", func(f *forger) { write(f, f.file("lock"), []byte("x")) }, []string{"extra"}},
	{"a pipe for a bundle", func(f *forger) {
		name := f.file("log/tile/entries/000.p/5")
		if err := errors.Join(os.Remove(name), syscall.Mkfifo(name, 0o600)); err != nil {
			f.Fatal(err)
		}
	}, []string{"log", "unreadable"}},
	{"a link for a pack", func(f *forger) {
		name := f.file(f.packs()[0])
		if err := errors.Join(os.Rename(name, f.file("key/moved")), os.Symlink(f.file("key/moved"), name)); err != nil {
			f.Fatal(err)
		}
	}, []string{"missing 0..3", "missing 4..7", "unreadable"}},
	{"a tile too long", func(f *forger) {
		write(f, f.file("log/tile/0/000.p/6"), append(f.read("log/tile/0/000.p/5"), make([]byte, 32)...))
	}, []string{"log"}},
}

// forgeAll changes an entry of segment 1 and makes pack, bundles, tiles and state
// agree about it. The next record still names the old one, and the checkpoint
// signs the old root.
func forgeAll(f *forger) {
	var before, after []byte
	f.edit(f.packs()[0], func(fs []frame) []frame {
		fs[3] = fs[3].lines(change)
		before, after = reseal(fs, 3, 5)
		return fs
	})
	for name, data := range files(f, f.dir) {
		switch {
		case strings.HasPrefix(name, "log/tile/0/"):
			x, y := seal.Leaf(before), seal.Leaf(after)
			write(f, f.file(name), bytes.ReplaceAll(data, x[:], y[:]))
		case strings.HasPrefix(name, "log/tile/entries/"):
			var b api.EntryBundle
			if err := b.UnmarshalText(data); err != nil {
				f.Fatal(err)
			}
			var out []byte
			for _, e := range b.Entries {
				if bytes.Equal(e, before) {
					e = after
				}
				out = append(binary.BigEndian.AppendUint16(out, uint16(len(e))), e...)
			}
			write(f, f.file(name), out)
		}
	}
}

func TestAForgeryWithAllSumsRightIsFoundAndTheEntriesAreNamed(t *testing.T) {
	first := ramDir(t)
	small(t, first)
	key, err := trail.PublicKey(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range forgeries {
		t.Run(c.name, func(t *testing.T) {
			dir := ramDir(t)
			if err := os.CopyFS(dir, os.DirFS(first)); err != nil {
				t.Fatal(err)
			}
			c.do(newForger(t, dir))
			if got := findings(t, dir, key); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestOpenRefusesALastSegmentThatIsNotTheOneInTheLog(t *testing.T) {
	dir := ramDir(t)
	fill(t, dir, options(), 2, 2)
	f := newForger(t, dir)
	f.edit(f.packs()[0], func(fs []frame) []frame { fs[3] = fs[3].lines(change); reseal(fs, 3, 5); return fs })
	if l, err := trail.Open(dir, options()); !errors.Is(err, trail.ErrDamage) {
		t.Errorf("got %v, want ErrDamage", err)
		if err == nil {
			l.Close()
		}
	}
}

// TestARootThatDoesNotFitIsFoundThoughItIsSigned has a writer that signs what it
// did not hash: frames and table are right, the root of the entries is not.
func TestARootThatDoesNotFitIsFoundThoughItIsSigned(t *testing.T) {
	dir := ramDir(t)
	fill(t, dir, options(), 1, 1)
	f := newForger(t, dir)
	var text []byte
	f.edit(f.packs()[0], func(fs []frame) []frame {
		text, _, _ = fs[1].Split(fs[1].raw)
		r, _ := seal.ParseRecord(text)
		table := fs[1].raw[len(text):]
		r.Root[0] ^= 1
		text = r.Text()
		fs[1].raw = append(slices.Clone(text), table...)
		return fs
	})
	leaf := seal.Leaf(text)
	key := strings.TrimSpace(string(f.read("key/trail.key")))
	signer, err := note.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	cp, err := note.Sign(&note.Note{Text: fmt.Sprintf("kakusho/test\n1\n%s\n", leaf)}, signer)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.file("log/checkpoint"), cp)
	write(t, f.file("log/tile/0/000.p/1"), leaf[:])
	write(t, f.file("log/tile/entries/000.p/1"), append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...))
	write(t, f.file("log/.state/treeState"), fmt.Appendf(nil, `{"size":1,"root":"%s"}`, leaf))
	public, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := findings(t, dir, public), []string{"order"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAnOldCheckpointPutBackIsFound(t *testing.T) {
	dir := ramDir(t)
	fill(t, dir, options(), 2, 1)
	old := files(t, dir)
	fill(t, dir, options(), 1, 1)
	checkTrail(t, dir, 6)
	key, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "log/checkpoint"), old["log/checkpoint"])
	if got := findings(t, dir, key); !slices.Equal(got, []string{"behind 4..5"}) {
		t.Errorf("only the checkpoint put back: got %q, want behind", got)
	}
	if err := os.RemoveAll(filepath.Join(dir, "log/tile")); err != nil {
		t.Fatal(err)
	}
	for name, data := range old {
		if strings.HasPrefix(name, "log/") {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, name), data)
		}
	}
	if got := findings(t, dir, key); !slices.Equal(got, []string{"behind 4..5"}) {
		t.Errorf("the whole log put back: got %q, want behind", got)
	}
}

// Who has the key can sign any size; it is a finding, and costs nobody the memory.
func TestACheckpointOfMoreThanThereIsIsFound(t *testing.T) {
	dir := ramDir(t)
	fill(t, dir, options(), 2, 1)
	f := newForger(t, dir)
	signer, err := note.NewSigner(strings.TrimSpace(string(f.read("key/trail.key"))))
	if err != nil {
		t.Fatal(err)
	}
	public, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{1 << 33, 1 << 60, math.MaxInt64} {
		cp, err := note.Sign(&note.Note{Text: seal.Checkpoint{Origin: "kakusho/test", Size: size}.Text()}, signer)
		if err != nil {
			t.Fatal(err)
		}
		write(t, f.file("log/checkpoint"), cp)
		if got := findings(t, dir, public); !slices.Contains(got, "checkpoint") {
			t.Errorf("size %d: got %q, want the checkpoint", size, got)
		}
	}
}
