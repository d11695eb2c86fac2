package seal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/seal"
)

func leaves(n int) []seal.Hash {
	hs := make([]seal.Hash, n)
	for i := range hs {
		hs[i] = seal.Leaf([]byte{byte(i), byte(i >> 8)})
	}
	return hs
}

func TestEachPathLeadsToTheRootAndNoOtherDoes(t *testing.T) {
	for n := 1; n < 70; n++ {
		hs := leaves(n)
		root := seal.Root(hs)
		for i := range n {
			path := seal.Path(hs, i)
			if got, ok := seal.Climb(hs[i], uint64(i), uint64(n), path); !ok || got != root {
				t.Fatalf("leaf %d of %d: path does not lead to the root", i, n)
			}
			var raw [][]byte
			for _, h := range path {
				raw = append(raw, h[:])
			}
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(n), hs[i][:], raw, root[:]); err != nil {
				t.Fatalf("leaf %d of %d: another verifier: %v", i, n, err)
			}
			if _, ok := seal.Climb(hs[i], uint64(i), uint64(n), append(path, root)); ok {
				t.Fatalf("leaf %d of %d: a path too long is taken", i, n)
			}
			if len(path) > 0 {
				if _, ok := seal.Climb(hs[i], uint64(i), uint64(n), path[1:]); ok {
					t.Fatalf("leaf %d of %d: a path too short is taken", i, n)
				}
			}
			if got, ok := seal.Climb(hs[i], uint64(i+1)%uint64(n), uint64(n), path); n > 1 && ok && got == root {
				t.Fatalf("leaf %d of %d also proves to be another", i, n)
			}
		}
		if _, ok := seal.Climb(hs[0], uint64(n), uint64(n), nil); ok {
			t.Fatalf("leaf %d of %d proves", n, n)
		}
	}
	empty := seal.Root(nil)
	if !bytes.Equal(empty[:], rfc6962.DefaultHasher.EmptyRoot()) {
		t.Error("root of no leaves is wrong")
	}
}

func record() seal.Record {
	at := time.Date(2026, 11, 1, 1, 2, 3, 40, time.UTC)
	return seal.Record{Origin: "kakusho/test", Segment: 3, First: 10, Count: 2, From: at, To: at.Add(time.Second), Root: seal.Root(leaves(2)), Frames: seal.Leaf(nil)}
}

func TestARecordHasOneText(t *testing.T) {
	want := record()
	text := want.Text()
	got, err := seal.ParseRecord(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	for name, bad := range map[string]string{
		"empty":            "",
		"another version":  strings.Replace(string(text), "/v1", "/v2", 1),
		"a leading zero":   strings.Replace(string(text), "first 10", "first 010", 1),
		"a plus":           strings.Replace(string(text), "first 10", "first +10", 1),
		"a negative count": strings.Replace(string(text), "count 2", "count -2", 1),
		"another zone":     strings.Replace(string(text), "01:02:03.00000004Z", "01:02:03.00000004+00:00", 1),
		"trailing zeros":   strings.Replace(string(text), "03.00000004Z", "03.000000040Z", 1),
		"a line more":      string(text) + "more\n",
		"a line less":      string(text[:len(text)-10]),
		"no newline":       string(text[:len(text)-1]),
		"too many entries": strings.Replace(string(text), "count 2", "count 9223372036854775807", 1),
		"loose base64":     strings.Replace(string(text), "root ", "root  ", 1),
	} {
		if r, err := seal.ParseRecord([]byte(bad)); !errors.Is(err, seal.ErrRecord) {
			t.Errorf("%s: got %+v, %v, want ErrRecord", name, r, err)
		}
	}
}

// signed is a checkpoint and its verifier.
func signed(t testing.TB, text string) ([]byte, note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "kakusho/test")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := seal.Verifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	b, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return b, v
}

func TestACheckpointMustBeSignedAndCanonical(t *testing.T) {
	root := seal.Root(leaves(5))
	good, v := signed(t, "kakusho/test\n5\n"+root.String()+"\n")
	c, err := seal.ParseCheckpoint(good, v)
	if err != nil || c.Size != 5 || c.Root != root || c.Origin != "kakusho/test" {
		t.Fatalf("got %+v, %v", c, err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if c, err := seal.ParseCheckpoint(bad, v); err == nil {
			t.Errorf("byte %d flipped: got %+v", i, c)
		}
	}
	if c, err := seal.ParseCheckpoint(append(good, "\u2014 other AAAAAAAA\n"...), v); err == nil {
		t.Errorf("with a signature nobody knows: got %+v", c)
	}
	for _, text := range []string{"kakusho/other\n5\n" + root.String() + "\n", "kakusho/test\n05\n" + root.String() + "\n", "kakusho/test\n-5\n" + root.String() + "\n", "kakusho/test\n5\nAAAA\n", "kakusho/test\n5\n", "kakusho/test\n5\n" + root.String() + "\nextension\n"} {
		b, v := signed(t, text)
		if c, err := seal.ParseCheckpoint(b, v); err == nil {
			t.Errorf("%q: got %+v", text, c)
		}
	}
}

func TestAKeyHasOneText(t *testing.T) {
	_, vkey, err := note.GenerateKey(rand.Reader, "kakusho/test")
	if err != nil {
		t.Fatal(err)
	}
	for i := range vkey {
		bad := []byte(vkey)
		bad[i] ^= 2
		if v, err := seal.Verifier(string(bad)); err == nil {
			t.Errorf("byte %d flipped: got %s", i, v.Name())
		}
	}
}

// proofOf is a proof of entry 1 of 3 in segment 1 of 3.
func proofOf(t testing.TB) (seal.Proof, note.Verifier) {
	t.Helper()
	es := []seal.Hash{seal.Leaf([]byte("a")), seal.Leaf([]byte("b")), seal.Leaf([]byte("c"))}
	r := record()
	r.Segment, r.Count, r.Root = 1, 3, seal.Root(es)
	log := []seal.Hash{seal.Leaf([]byte("x")), seal.Leaf(r.Text()), seal.Leaf([]byte("y"))}
	cp, v := signed(t, "kakusho/test\n3\n"+seal.Root(log).String()+"\n")
	return seal.Proof{Entry: []byte("b"), Index: 1, Path: seal.Path(es, 1), Record: r.Text(), Segment: 1, LogPath: seal.Path(log, 1), Checkpoint: cp}, v
}

func TestAProofComesBackAndHolds(t *testing.T) {
	want, v := proofOf(t)
	got, err := seal.ParseProof(want.Text())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	if r, c, err := got.Verify(v); err != nil || r.Segment != 1 || c.Size != 3 {
		t.Errorf("got %+v, %+v, %v", r, c, err)
	}
	for name, change := range map[string]func(*seal.Proof){
		"another entry":            func(p *seal.Proof) { p.Entry = []byte("c") },
		"another place":            func(p *seal.Proof) { p.Index = 0 },
		"another segment":          func(p *seal.Proof) { p.Segment = 0 },
		"no path":                  func(p *seal.Proof) { p.Path = nil },
		"no path in the log":       func(p *seal.Proof) { p.LogPath = nil },
		"a record that is no leaf": func(p *seal.Proof) { r := record(); p.Record = r.Text() },
		"no checkpoint":            func(p *seal.Proof) { p.Checkpoint = nil },
		// An inner node must not pass for an entry.
		"a node for an entry": func(p *seal.Proof) {
			n := seal.Node(seal.Leaf([]byte("a")), seal.Leaf([]byte("b")))
			p.Entry, p.Index, p.Path = n[:], 0, p.Path[1:]
		},
	} {
		p := want
		change(&p)
		if _, _, err := p.Verify(v); !errors.Is(err, seal.ErrProof) {
			t.Errorf("%s: got %v, want ErrProof", name, err)
		}
	}
	// The log may sign a record under a number that is not its own, or of another log.
	for _, r := range []seal.Record{{Origin: "kakusho/test", Segment: 1, Count: 1, Root: seal.Leaf([]byte("b"))}, {Origin: "kakusho/else", Count: 1, Root: seal.Leaf([]byte("b"))}} {
		cp, v := signed(t, "kakusho/test\n1\n"+seal.Leaf(r.Text()).String()+"\n")
		p := seal.Proof{Entry: []byte("b"), Record: r.Text(), Checkpoint: cp}
		if _, _, err := p.Verify(v); !errors.Is(err, seal.ErrProof) {
			t.Errorf("record of segment %d of %s as leaf 0: got %v, want ErrProof", r.Segment, r.Origin, err)
		}
	}
	text := string(want.Text())
	for name, bad := range map[string]string{
		"a leading zero":      strings.Replace(text, "index 1", "index 01", 1),
		"a plus":              strings.Replace(text, "index 1", "index +1", 1),
		"no newline in extra": inExtra(text, func(s string) string { return strings.TrimSuffix(s, "\n") }),
		"a zero within":       inExtra(text, func(s string) string { return strings.Replace(s, "index 1", "index 01", 1) }),
	} {
		if p, err := seal.ParseProof([]byte(bad)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, p)
		}
	}
	if _, err := seal.ParseProof(bytes.Repeat([]byte("x"), seal.MaxProof+1)); !errors.Is(err, seal.ErrProof) {
		t.Errorf("too long: got %v, want ErrProof", err)
	}
}

// inExtra changes the text inside the extra line.
func inExtra(proof string, change func(string) string) string {
	head, rest, _ := strings.Cut(proof, "extra ")
	line, rest, _ := strings.Cut(rest, "\n")
	b, _ := base64.StdEncoding.DecodeString(line)
	return head + "extra " + base64.StdEncoding.EncodeToString([]byte(change(string(b)))) + "\n" + rest
}

func TestATableComesBack(t *testing.T) {
	want := []seal.Row{{First: 1, Count: 2, Arrived: 3, Wall: -4, Leaves: seal.Leaf(nil)}, {First: 3, Count: 1 << 16}}
	b := seal.Table(want)
	if got := seal.ParseTable(b); !reflect.DeepEqual(got, want) || len(b) != 2*seal.RowSize {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestALongTextIsNoRecordAndTakesNoMemory(t *testing.T) {
	text := bytes.Repeat([]byte("\n"), 16<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := seal.ParseRecord(text); !errors.Is(err, seal.ErrRecord) {
		t.Errorf("got %v, want ErrRecord", err)
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<20 {
		t.Errorf("took %d MiB", (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(retiring().Text())
	r := record()
	f.Add(r.Text())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := seal.ParseRecord(b); err == nil && !bytes.Equal(r.Text(), b) {
			t.Errorf("%q is read, but written as %q", b, r.Text())
		}
	})
}

func FuzzParseProof(f *testing.F) {
	p, v := proofOf(f)
	f.Add(p.Text())
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := seal.ParseProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(q.Text(), b) {
			t.Errorf("%q is read, but written as %q", b, q.Text())
		}
		if _, _, err := q.Verify(v); err == nil && !bytes.Equal(q.Entry, p.Entry) {
			t.Errorf("%q proves %q", b, q.Entry)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	root := seal.Root(nil)
	good, v := signed(f, "kakusho/test\n0\n"+root.String()+"\n")
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := seal.ParseCheckpoint(b, v); err == nil && !bytes.Equal(b, good) {
			t.Errorf("took %q", b)
		}
	})
}

func retiring() seal.Record {
	r := record()
	r.Retirement = &seal.Retirement{Why: "保存期間満了 P1Y", Packs: []seal.Retired{
		{FirstSegment: 0, LastSegment: 0, First: 0, Count: 4, Digest: seal.Leaf([]byte("a"))}, {FirstSegment: 2, LastSegment: 2, First: 8, Count: 0, Digest: seal.Leaf([]byte("b"))},
	}}
	return r
}

func TestARecordThatRetiresHasOneText(t *testing.T) {
	want := retiring()
	text := want.Text()
	got, err := seal.ParseRecord(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, %v, want %+v", got, err, want)
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if r, err := seal.ParseRecord(bad); err == nil && bytes.Equal(r.Text(), text) {
			t.Errorf("byte %d flipped reads the same", i)
		}
	}
	for name, change := range map[string]func(*seal.Record){
		"no reason":             func(r *seal.Record) { r.Retirement.Why = "" },
		"a reason of two lines": func(r *seal.Record) { r.Retirement.Why = "a\nb" },
		"no packs":              func(r *seal.Record) { r.Retirement.Packs = nil },
		"packs out of order":    func(r *seal.Record) { p := r.Retirement.Packs; p[0], p[1] = p[1], p[0] },
		"packs that overlap":    func(r *seal.Record) { r.Retirement.Packs[0].LastSegment = 2 },
		"its own segment":       func(r *seal.Record) { r.Retirement.Packs[1].LastSegment = 3 },
		"a count below zero":    func(r *seal.Record) { r.Retirement.Packs[1].Count = -1 },
		"too many packs":        func(r *seal.Record) { r.Retirement.Packs = make([]seal.Retired, seal.MaxRetired+1) },
	} {
		r := retiring()
		change(&r)
		if got, err := seal.ParseRecord(r.Text()); !errors.Is(err, seal.ErrRecord) {
			t.Errorf("%s: got %+v, %v, want ErrRecord", name, got, err)
		}
	}
	most := retiring()
	most.Segment = 1 << 60
	most.Retirement = &seal.Retirement{Why: strings.Repeat("x", seal.MaxWhy)}
	for i := range int64(seal.MaxRetired) {
		most.Retirement.Packs = append(most.Retirement.Packs, seal.Retired{FirstSegment: 1<<59 + i, LastSegment: 1<<59 + i, First: 1 << 60, Count: 1 << 60})
	}
	if text := most.Text(); len(text) > 1<<16-1 {
		t.Errorf("the longest record has %d bytes, which is no leaf", len(text))
	} else if _, err := seal.ParseRecord(text); err != nil {
		t.Error(err)
	}
}

func awayOf(t testing.TB) ([]byte, note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "kakusho/test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 1, 1, 2, 3, 0, time.UTC)
	text, err := seal.Away{Segment: 5, Segments: 2, First: 10, Count: 4, From: at, To: at.Add(time.Hour), Bytes: 1000, Digest: seal.Leaf(nil)}.Sign([]byte("headers\n\nof frames"), s)
	if err != nil {
		t.Fatal(err)
	}
	return text, v
}

func TestANoteOfAnArchivedPackMustBeSignedAndCanonical(t *testing.T) {
	text, v := awayOf(t)
	a, headers, err := seal.ParseAway(text, v)
	if err != nil || a.Segment != 5 || a.Bytes != 1000 || string(headers) != "headers\n\nof frames" {
		t.Fatalf("got %+v, %q, %v", a, headers, err)
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1 << (i % 8)
		if _, _, err := seal.ParseAway(bad, v); !errors.Is(err, seal.ErrAway) {
			t.Errorf("byte %d flipped: got %v, want ErrAway", i, err)
		}
		if _, _, err := seal.ParseAway(text[:i], v); !errors.Is(err, seal.ErrAway) {
			t.Errorf("cut at %d: got %v, want ErrAway", i, err)
		}
	}
	_, other := awayOf(t)
	if _, _, err := seal.ParseAway(text, other); !errors.Is(err, seal.ErrAway) {
		t.Errorf("by another key: got %v, want ErrAway", err)
	}
}

func FuzzParseAway(f *testing.F) {
	text, v := awayOf(f)
	f.Add(text)
	f.Fuzz(func(t *testing.T, b []byte) {
		seal.ParseAway(b, v)
	})
}

func FuzzParseReceipt(f *testing.F) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "kakusho/test/events/3y")
	if err != nil {
		f.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		f.Fatal(err)
	}
	v, err := seal.Verifier(vkey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(int64(0), int64(1), []byte("leaf"), int64(1), "")
	f.Add(int64(1<<62), int64(1<<16), []byte{}, int64(-1), "\n— kakusho/test/events/3y AAAA\n")
	f.Fuzz(func(t *testing.T, first, count int64, leaf []byte, at int64, more string) {
		r := seal.Receipt{Origin: signer.Name(), First: first, Count: count, Leaves: seal.Leaf(leaf), At: time.Unix(0, at).UTC()}
		text, err := r.Sign(signer)
		if (err == nil) != (first >= 0 && count > 0) {
			t.Fatalf("sign %+v: %v", r, err)
		}
		if err != nil {
			return
		}
		if got, err := seal.ParseReceipt(text, v); err != nil || got != r {
			t.Fatalf("got %+v, %v, want %+v", got, err, r)
		}
		for _, bad := range []string{string(text) + more, more + string(text), more} {
			if got, err := seal.ParseReceipt([]byte(bad), v); bad != string(text) && err == nil {
				t.Fatalf("%q is read as %+v", bad, got)
			}
		}
		if _, err := seal.ParseCheckpoint(text, v); err == nil {
			t.Error("a receipt passes for a checkpoint")
		}
	})
}
