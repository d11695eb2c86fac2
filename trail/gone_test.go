package trail_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"kakusho/trail"
	"kakusho/trail/audit"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// mixed makes a trail with a pack for each segment of four entries in two frames: 0 and
// 1 are retired, 2 and 3 in the archive, 4 to 6 here, then the statement in 7.
func mixed(t testing.TB, dir string) folder {
	t.Helper()
	o := manyPacks(t, dir, 7)
	l := open(t, dir, o)
	names, _ := packNames(t, l)
	for _, n := range names[1:4] {
		if err := l.Archive(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Retire(t.Context(), names[:2], "log.retention.min P1Y"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return o.Archive.(folder)
}

func verify(t testing.TB, dir string, o audit.Options) audit.Report {
	t.Helper()
	key, err := trail.PublicKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := audit.VerifyWith(context.Background(), dir, key, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestATrailWithPacksThatAreGoneVerifies(t *testing.T) {
	dir := ramDir(t)
	archive := mixed(t, dir)
	for _, c := range []struct {
		name string
		o    audit.Options
	}{{"without the archive", audit.Options{}}, {"with it", audit.Options{Archive: archive}}, {"one at a time", audit.Options{Archive: archive, Parallel: 1}}, {"eight at a time", audit.Options{Archive: archive, Parallel: 8}}} {
		r := verify(t, dir, c.o)
		if !r.OK() || r.Entries != 28 || r.Segments != 8 || len(r.Gone) != 4 {
			t.Fatalf("%s: got %+v", c.name, r)
		}
		for i, g := range r.Gone {
			by, why, checked := int64(-1), "", c.o.Archive != nil
			if i < 2 {
				by, why, checked = 7, "log.retention.min P1Y", true
			}
			if g.FirstSegment != int64(i) || g.LastSegment != int64(i) || g.FirstSeq != int64(4*i) || g.LastSeq != int64(4*i+3) || g.By != by || g.Why != why || g.Checked != checked || g.Digest == [32]byte{} {
				t.Errorf("%s: pack %d: got %+v", c.name, i, g)
			}
		}
	}
}

// touchedGone is touched for the files of packs that are gone.
func touchedGone(name string, data []byte, off int64) (what audit.What, first, last int64, file string) {
	switch filepath.Ext(name) {
	case ".away":
		return audit.Header, -1, -1, name
	case ".hashes":
		if off < pack.HeaderSize {
			return audit.Header, -1, -1, name
		}
		for _, p := range pack.ScanAs(data, pack.Hashes) {
			if off >= p.Off && off < p.Off+p.Size {
				if p.Header.Type == pack.Seal {
					return audit.Record, -1, -1, name
				}
				return audit.Damaged, p.Header.First, p.Header.First + int64(p.Header.Count) - 1, name
			}
		}
	}
	what, first, last = touched(name, data, off)
	return what, first, last, name
}

func TestAFlippedBitIsFoundInWhatIsLeftOfPacksAndInTheArchive(t *testing.T) {
	first := ramDir(t)
	archive := mixed(t, first)
	type job struct {
		base, name string // the trail or the archive, and a file below it
		off        int
	}
	all := map[string]map[string][]byte{"trail": files(t, first), "archive": files(t, archive.dir)}
	jobs := make(chan job)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		dirs := map[string]string{"trail": ramDir(t), "archive": ramDir(t)}
		if err := errors.Join(os.CopyFS(dirs["trail"], os.DirFS(first)), os.CopyFS(dirs["archive"], os.DirFS(archive.dir))); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for j := range jobs {
				flipGone(t, dirs, j.base, j.name, all[j.base][j.name], j.off)
			}
		})
	}
	random := rand.New(rand.NewPCG(5, 6))
	n := 0
	for _, base := range []string{"trail", "archive"} {
		for _, name := range slices.Sorted(maps.Keys(all[base])) {
			for off := range all[base][name] {
				gone := base == "archive" || strings.HasSuffix(name, ".away") || strings.HasSuffix(name, ".hashes")
				if !gone && random.IntN(40) > 0 || rand.IntN(oneIn(12)) > 0 {
					continue // the others are for the test of flipped bits in a trail with nothing gone
				}
				jobs <- job{base, name, off}
				n++
			}
		}
	}
	close(jobs)
	wg.Wait()
	t.Logf("%d bytes flipped", n)
}

func flipGone(t *testing.T, dirs map[string]string, base, name string, data []byte, off int) {
	bad := bytes.Clone(data)
	bad[off] ^= 1 << (off % 8)
	file := filepath.Join(dirs[base], name)
	write(t, file, bad)
	defer write(t, file, data)
	key, err := trail.PublicKey(dirs["trail"])
	if err != nil {
		t.Error(err)
		return
	}
	if name == "trail.pub" {
		return // what is given as the key is the key
	}
	r, err := audit.VerifyWith(context.Background(), dirs["trail"], key, audit.Options{Archive: folder{dirs["archive"]}})
	if err != nil {
		t.Errorf("%s at %d: %v", name, off, err)
		return
	}
	what, first, last, where := touchedGone(name, data, int64(off))
	if base == "archive" {
		where = "archive/" + name
	}
	if strings.HasPrefix(name, "log/tile/entries/") {
		// The record that is damaged may be the one that retires packs: then nothing signed says why they are gone.
		r.Problems = slices.DeleteFunc(r.Problems, func(p audit.Problem) bool { return p.What == audit.Missing })
	}
	if len(r.Problems) != 1 {
		t.Errorf("%s at %d: got problems %v, want one: %s", name, off, r.Problems, what)
		return
	}
	if p := r.Problems[0]; p.What != what || p.FirstSeq != first || p.LastSeq != last || p.File != where {
		t.Errorf("%s at %d: got %v, want %s of entries %d..%d", name, off, p, what, first, last)
	}
}

// The trail is that of mixed; the files by segment.
var goneForgeries = []struct {
	name    string
	do      func(f *forger, archive folder)
	want    []string // with the archive
	without []string // without it, where that is different
}{
	{name: "nothing done", do: func(*forger, folder) {}},
	{name: "hashes deleted", do: func(f *forger, _ folder) { f.drop(0, pack.Bare) }, want: []string{"missing 0..3"}},
	{name: "hashes of two packs exchanged", do: func(f *forger, _ folder) { f.swap(f.bare(0), f.bare(1)) },
		want: []string{"extra", "header", "missing 0..3", "missing 4..7"}},
	{name: "hashes cut", do: func(f *forger, _ folder) {
		b := f.read(f.bare(1))
		write(f, f.file(f.bare(1)), b[:pack.ScanAs(b, pack.Hashes)[1].Off])
	},
		want: []string{"missing 6..7", "record", "unproved 4..5"}},
	{name: "a hash changed and its sums made right", do: func(f *forger, _ folder) {
		f.editAs(f.bare(1), pack.Hashes, func(fs []frame) []frame { fs[1].raw[3] ^= 1; return fs })
	}, want: []string{"altered 6..7"}},
	{name: "a frame of hashes twice", do: func(f *forger, _ folder) {
		f.editAs(f.bare(1), pack.Hashes, func(fs []frame) []frame { return slices.Insert(fs, 1, fs[0]) })
	}, want: []string{"extra"}},
	{name: "a pack that nobody retired brought down to its hashes", do: func(f *forger, _ folder) { f.strip(5) },
		want: []string{"missing 20..23"}},
	{name: "a pack that nobody retired brought down to its hashes, in the file before it", do: func(f *forger, a folder) {
		write(f, f.file("pack/"+pack.Name(2)), newForger(f, a.dir).read(pack.Name(2)))
		f.strip(2)
		write(f, f.file(f.bare(1)), append(f.read(f.bare(1)), f.read(f.bare(2))[pack.HeaderSize:]...))
		f.drop(2, pack.Bare)
		f.drop(2, pack.Away)
	}, want: []string{"missing 8..11"}},
	{name: "hashes in the place of a pack's entries", do: func(f *forger, _ folder) {
		f.edit("pack/"+pack.Name(5), func(fs []frame) []frame { fs[0] = bareFrame(fs[0]); return fs })
	}, want: []string{"damaged 20..21"}},
	{name: "the bodies of a retired pack put back beside its hashes", do: func(f *forger, _ folder) {
		write(f, f.file("pack/"+pack.Name(0)), f.read("pack/"+pack.Name(5)))
	}, want: []string{"torn"}},
	{name: "hashes named after another statement", do: func(f *forger, _ folder) {
		n := pack.FileName{Segment: 1, Form: pack.Bare, Statement: 6}
		if err := os.Rename(f.file(f.bare(1)), f.file("pack/"+n.String())); err != nil {
			f.Fatal(err)
		}
	}, want: []string{"header"}},
	{name: "hashes there twice", do: func(f *forger, _ folder) {
		n := pack.FileName{Segment: 1, Form: pack.Bare, Statement: 6}
		write(f, f.file("pack/"+n.String()), f.read(f.bare(1)))
	}, want: []string{"extra"}},
	{name: "hashes made ready and nothing more", do: func(f *forger, _ folder) {
		write(f, f.file("pack/"+pack.FileName{Segment: 5, Form: pack.Bare, Statement: 8}.String()+".new"), []byte("x"))
	}, want: []string{"torn"}},
	{name: "a pack in the archive deleted", do: func(f *forger, a folder) { os.Remove(filepath.Join(a.dir, pack.Name(2))) },
		want: []string{"missing 8..11"}, without: []string{}},
	{name: "two packs in the archive exchanged", do: func(f *forger, a folder) {
		x := newForger(f, a.dir)
		x.swap(pack.Name(2), pack.Name(3))
	}, want: []string{"extra", "header", "missing 12..15", "missing 8..11"}, without: []string{}},
	{name: "an entry in the archive changed with all sums right", do: func(f *forger, a folder) {
		newForger(f, a.dir).edit(pack.Name(2), func(fs []frame) []frame { fs[1] = fs[1].lines(change); return fs })
	}, want: []string{"altered 10..11"}, without: []string{}},
	{name: "bytes behind a pack in the archive", do: func(f *forger, a folder) {
		x := newForger(f, a.dir)
		write(f, x.file(pack.Name(2)), append(x.read(pack.Name(2)), 0))
	}, want: []string{"extra"}, without: []string{}},
	{name: "the note of an archived pack deleted", do: func(f *forger, _ folder) { f.drop(2, pack.Away) }, want: []string{"missing 8..11"}},
	{name: "the notes of two packs exchanged", do: func(f *forger, _ folder) { f.swap(f.away(2), f.away(3)) }, want: []string{"header"}},
	{name: "the note of a pack that is here", do: func(f *forger, _ folder) { write(f, f.file(f.away(5)), f.read(f.away(2))) },
		want: []string{"header", "missing 20..23", "torn"}, without: []string{"header", "torn"}},
	{name: "a note of another trail", do: func(f *forger, _ folder) {
		other := ramDir(f)
		o := manyPacks(f, other, 5)
		l := open(f, other, o)
		if err := errors.Join(l.Archive(f.Context(), pack.Name(2)), l.Close()); err != nil {
			f.Fatal(err)
		}
		write(f, f.file(f.away(2)), newForger(f, other).read(f.away(2)))
	}, want: []string{"header"}},
}

func (f *forger) away(segment int64) string {
	return "pack/" + pack.FileName{Segment: segment, Form: pack.Away}.String()
}

func (f *forger) bare(segment int64) string {
	return "pack/" + pack.FileName{Segment: segment, Form: pack.Bare, Statement: 7}.String()
}

func (f *forger) drop(segment int64, form pack.Form) {
	if err := os.Remove(f.file("pack/" + pack.FileName{Segment: segment, Form: form, Statement: 7}.String())); err != nil {
		f.Fatal(err)
	}
}

func (f *forger) swap(a, b string) {
	x, y := f.read(a), f.read(b)
	write(f, f.file(a), y)
	write(f, f.file(b), x)
}

func bareFrame(fr frame) frame {
	var raw []byte
	for _, l := range leaves(fr.raw) {
		raw = append(raw, l[:]...)
	}
	h := fr.Header
	h.Type = pack.Hashes
	return frame{h, raw}
}

// strip does to a pack what Retire does, with no statement.
func (f *forger) strip(segment int64) {
	b := pack.Bare.Head("kakusho/test", segment, 4*segment)
	for _, p := range pack.Scan(f.read("pack/" + pack.Name(segment))) {
		raw, err := f.codec.Payload(p.Header, p.Stored)
		if err != nil {
			f.Fatal(err)
		}
		fr := frame{p.Header, raw}
		if fr.Type == pack.Entries {
			fr = bareFrame(fr)
		}
		out, _, err := f.codec.Frame(fr.Header, fr.raw)
		if err != nil {
			f.Fatal(err)
		}
		b = append(b, out...)
	}
	write(f, f.file(f.bare(segment)), b)
	f.drop(segment, pack.Here)
}

func TestAForgeryOfWhatIsGoneIsFound(t *testing.T) {
	first := ramDir(t)
	archive := mixed(t, first)
	for _, c := range goneForgeries {
		t.Run(c.name, func(t *testing.T) {
			dir, away := ramDir(t), folder{ramDir(t)}
			if err := errors.Join(os.CopyFS(dir, os.DirFS(first)), os.CopyFS(away.dir, os.DirFS(archive.dir))); err != nil {
				t.Fatal(err)
			}
			c.do(newForger(t, dir), away)
			if got := summary(t, verify(t, dir, audit.Options{Archive: away})); !slices.Equal(got, c.want) {
				t.Errorf("with the archive: got %q, want %q", got, c.want)
			}
			want := c.want
			if c.without != nil {
				want = c.without
			}
			if got := summary(t, verify(t, dir, audit.Options{})); !slices.Equal(got, want) {
				t.Errorf("without it: got %q, want %q", got, want)
			}
		})
	}
}

// An old copy of the log, from before the statement, makes the hashes unlawful.
func TestAStatementThatIsRolledBackIsMissed(t *testing.T) {
	dir := ramDir(t)
	o := manyPacks(t, dir, 6)
	old := files(t, dir)
	l := open(t, dir, o)
	names, _ := packNames(t, l)
	if err := errors.Join(l.Retire(t.Context(), names[:2], "P10"), l.Close()); err != nil {
		t.Fatal(err)
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
	if err := os.Remove(filepath.Join(dir, "pack", pack.Name(6))); err != nil {
		t.Fatal(err)
	}
	if got, want := summary(t, verify(t, dir, audit.Options{})), []string{"missing 0..3", "missing 4..7"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// summary is what a report says: kind and entries, sorted, each once.
func summary(t testing.TB, r audit.Report) (got []string) {
	t.Helper()
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

// A record that no checkpoint covers is nobody's word, though it fits all others: it
// retires nothing, not even while the trail is in use, when what is behind the
// checkpoint is no finding by itself.
func TestAStatementThatNoCheckpointCoversRetiresNothing(t *testing.T) {
	dir := ramDir(t)
	manyPacks(t, dir, 6)
	f := newForger(t, dir)
	last := f.packs()[5]
	f.edit(last, func(fs []frame) []frame {
		s := fs[len(fs)-1]
		text, _, _ := s.Split(s.raw)
		r, err := seal.ParseRecord(text)
		if err != nil {
			t.Fatal(err)
		}
		r.Segment, r.First, r.Count, r.Prev = 6, r.First+r.Count, 0, seal.Leaf(text)
		r.From, r.Root, r.Frames = r.To, seal.Root(nil), sha256.Sum256(nil)
		r.Retirement = &seal.Retirement{Why: "P10", Packs: []seal.Retired{{FirstSegment: 0, LastSegment: 0, First: 0, Count: 4}}}
		s.Segment, s.First, s.Count, s.raw = 6, r.First, 0, r.Text()
		for _, name := range []string{"log/tile/entries/000.p/7", "log/tile/0/000.p/7"} {
			b := f.read(strings.TrimSuffix(name, "7") + "6")
			if leaf := seal.Leaf(s.raw); strings.Contains(name, "entries") {
				b = append(binary.BigEndian.AppendUint16(b, uint16(len(s.raw))), s.raw...)
			} else {
				b = append(b, leaf[:]...)
			}
			write(t, f.file(name), b)
		}
		return append(fs, s)
	})
	f.strip(0)
	from := pack.FileName{Segment: 0, Form: pack.Bare, Statement: 7}
	to := from
	to.Statement = 6
	if err := os.Rename(f.file("pack/"+from.String()), f.file("pack/"+to.String())); err != nil {
		t.Fatal(err)
	}
	if got := summary(t, verify(t, dir, audit.Options{})); !slices.Contains(got, "missing 0..3") {
		t.Errorf("got %q, want the entries missing", got)
	}
	lock, err := os.Open(f.file("lock"))
	if err == nil {
		defer lock.Close()
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := summary(t, verify(t, dir, audit.Options{})); !slices.Contains(got, "missing 0..3") {
		t.Errorf("in use: got %q, want the entries missing", got)
	}
}

// What is retired, archived and checkpointed while the trail is looked at is no finding.
func TestATrailInUseVerifiesWhilePacksMove(t *testing.T) {
	dir := ramDir(t)
	o := manyPacks(t, dir, 12)
	l := open(t, dir, o)
	names, _ := packNames(t, l)
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i+1 < len(names)-2 && err == nil; i += 2 {
			err = errors.Join(l.Archive(context.Background(), names[i]), l.Retire(context.Background(), names[i:i+2], "P10"))
		}
		done <- err
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if running = false; err != nil {
				t.Error(err)
			}
		default:
		}
		if r := verify(t, dir, audit.Options{Archive: o.Archive}); !r.OK() {
			t.Fatalf("got %v", r.Problems)
		}
	}
}

// A trail that is in use is not excused from what was witnessed of it.
func TestATrailInUseThatWasRolledBackIsNotWhatWasWitnessed(t *testing.T) {
	dir := ramDir(t)
	fill(t, dir, options(), 2, 1)
	old := files(t, dir)
	fill(t, dir, options(), 2, 1)
	cosigned, err := os.ReadFile(filepath.Join(dir, "log/checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	back := ramDir(t)
	for name, data := range old {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(back, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(back, name), data)
	}
	if err := os.Mkdir(filepath.Join(back, "witness"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(back, "witness/checkpoint"), cosigned)
	lock, err := os.Open(filepath.Join(back, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for _, how := range []int{syscall.LOCK_UN, syscall.LOCK_EX} {
		if err := syscall.Flock(int(lock.Fd()), how); err != nil {
			t.Fatal(err)
		}
		if got := summary(t, verify(t, back, audit.Options{})); !slices.Equal(got, []string{"witness"}) {
			t.Errorf("got %q, want it not to be what was witnessed", got)
		}
	}
}
