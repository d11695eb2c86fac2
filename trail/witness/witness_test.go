package witness_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"kakusho/trail/seal"
	"kakusho/trail/witness"
)

var testedAt = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func now() time.Time { return testedAt }

// history is a log in memory; its proofs are made by another implementation.
type history struct {
	leaves []string
	skey   string
	vkey   string
}

func newHistory(t testing.TB, name string) *history {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	return &history{skey: skey, vkey: vkey}
}

func (h *history) grow(n int, text string) *history {
	for range n {
		h.leaves = append(h.leaves, fmt.Sprint(text, len(h.leaves)))
	}
	return h
}

// other is the same log until size, and then another.
func (h *history) other(size int) *history {
	return &history{leaves: append([]string(nil), h.leaves[:size]...), skey: h.skey, vkey: h.vkey}
}

func (h *history) stored() tlog.HashReaderFunc {
	var all []tlog.Hash
	for i, l := range h.leaves {
		hs, _ := tlog.StoredHashes(int64(i), []byte(l), tlog.HashReaderFunc(func(ix []int64) ([]tlog.Hash, error) { return at(all, ix), nil }))
		all = append(all, hs...)
	}
	return func(ix []int64) ([]tlog.Hash, error) { return at(all, ix), nil }
}

func at(all []tlog.Hash, ix []int64) (out []tlog.Hash) {
	for _, i := range ix {
		out = append(out, all[i])
	}
	return out
}

func (h *history) checkpoint(t testing.TB, size int) []byte {
	t.Helper()
	root, err := tlog.TreeHash(int64(size), h.stored())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(h.skey)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", signer.Name(), size, base64.StdEncoding.EncodeToString(root[:]))
	b, err := note.Sign(&note.Note{Text: text}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (h *history) path(t testing.TB, from, to int) (lines string) {
	t.Helper()
	if from == 0 || from == to {
		return ""
	}
	p, err := tlog.ProveTree(int64(to), int64(from), h.stored())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range p {
		lines += base64.StdEncoding.EncodeToString(x[:]) + "\n"
	}
	return lines
}

func (h *history) request(t testing.TB, from, to int) string {
	return fmt.Sprintf("old %d\n%s\n%s", from, h.path(t, from, to), h.checkpoint(t, to))
}

func newWitness(t testing.TB, dir string, logs ...*history) *witness.Witness {
	t.Helper()
	for _, h := range logs {
		if err := witness.Trust(dir, h.vkey); err != nil {
			t.Fatal(err)
		}
	}
	w, err := witness.Open(dir, witness.Options{Name: "witness.example/w1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func post(t testing.TB, url, body string) (int, string, string) {
	t.Helper()
	r, err := http.Post(url+"/add-checkpoint", "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b), r.Header.Get("Content-Type")
}

// TestAWitnessSignsContinuationsOnly sends what the specification names, in order;
// each answer depends on what was signed before.
func TestAWitnessSignsContinuationsOnly(t *testing.T) {
	log := newHistory(t, "log.example/a").grow(40, "x")
	fork := log.other(10).grow(30, "y")
	stranger := newHistory(t, "log.example/stranger").grow(3, "x")
	thief := newHistory(t, "log.example/a").grow(40, "x")
	dir := t.TempDir()
	w := newWitness(t, dir, log)
	server := httptest.NewServer(w)
	defer server.Close()
	v, err := fnote.NewVerifierForCosignatureV1(w.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	long := "old 0\n" + strings.Repeat(base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", 64) + "\n" + string(log.checkpoint(t, 3))
	for _, c := range []struct {
		name, body string
		status     int
		size       string // of a conflict
	}{
		{"of nothing yet, but from 3", log.request(t, 3, 5), 409, "0\n"},
		{"the first", log.request(t, 0, 5), 200, ""},
		{"the same again", log.request(t, 5, 5), 200, ""},
		{"the same again from 0", log.request(t, 0, 5), 409, "5\n"},
		{"a continuation", log.request(t, 5, 12), 200, ""},
		{"going back", log.request(t, 5, 5), 409, "12\n"},
		{"going back, with the size right", log.request(t, 12, 12)[:len("old 12\n\n")] + string(log.checkpoint(t, 5)), 400, ""},
		{"another history of that size", fork.request(t, 12, 12), 409, "12\n"},
		{"another history, longer", fork.request(t, 12, 20), 422, ""},
		{"another history, from where they part", fork.request(t, 10, 20), 409, "12\n"},
		{"a path too short", strings.Replace(log.request(t, 12, 20), log.path(t, 12, 20), log.path(t, 12, 20)[45:], 1), 422, ""},
		{"a path where there is none", "old 12\n" + log.path(t, 5, 12) + "\n" + string(log.checkpoint(t, 12)), 422, ""},
		{"more than 63 hashes", long, 400, ""},
		{"a log nobody knows", stranger.request(t, 0, 3), 404, ""},
		{"a key nobody knows", thief.request(t, 12, 20), 403, ""},
		{"no signature", "old 12\n\nlog.example/a\n20\n", 400, ""},
		{"a leading zero", strings.Replace(log.request(t, 12, 20), "old 12", "old 012", 1), 400, ""},
		{"a negative size", strings.Replace(log.request(t, 12, 20), "old 12", "old -12", 1), 400, ""},
		{"nothing", "", 400, ""},
		{"too long", strings.Repeat("x", 70<<10), 400, ""},
		{"with signatures of others", log.request(t, 12, 20) + "\u2014 somebody AAAAAAAA\n", 200, ""},
		{"at last all", log.request(t, 20, 40), 200, ""},
	} {
		status, body, kind := post(t, server.URL, c.body)
		if status != c.status {
			t.Errorf("%s: got %d %q, want %d", c.name, status, body, c.status)
			continue
		}
		if status == 409 && (body != c.size || kind != "text/x.tlog.size") {
			t.Errorf("%s: got %q (%s), want %q", c.name, body, kind, c.size)
		}
		if status == 200 {
			_, cp, _ := strings.Cut(c.body, "\n\n")
			n, err := note.Open([]byte(cp+body), note.VerifierList(v))
			if err != nil || len(n.Sigs) != 1 {
				t.Fatalf("%s: another implementation does not take the cosignature: %v", c.name, err)
			}
			if at, err := fnote.CoSigV1Timestamp(n.Sigs[0]); err != nil || !at.Equal(testedAt) {
				t.Errorf("%s: signed at %v, %v", c.name, at, err)
			}
		}
	}
	if r, err := http.Get(server.URL + "/add-checkpoint"); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v %v", r.StatusCode, err)
	}
	list, err := w.List()
	if err != nil || len(list) != 1 || list[0].Size != 40 || list[0].Evidence < 2 {
		t.Errorf("list: %+v, %v", list, err)
	}
}

// TestAWitnessRemembersAcrossLives opens it again after each checkpoint.
func TestAWitnessRemembersAcrossLives(t *testing.T) {
	dir := t.TempDir()
	log := newHistory(t, "log.example/a").grow(20, "x")
	fork := log.other(3).grow(20, "y")
	key := ""
	for n := 1; n <= 6; n++ {
		w := newWitness(t, dir, log)
		if key != "" && w.PublicKey() != key {
			t.Fatal("another key")
		}
		key = w.PublicKey()
		if _, err := w.AddCheckpoint(t.Context(), []byte(log.request(t, n-1, n))); err != nil {
			t.Fatalf("%d: %v", n, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// What a crash leaves in the middle of a write changes nothing.
	seen, err := filepath.Glob(filepath.Join(dir, "seen", "*"))
	if err != nil || len(seen) != 1 {
		t.Fatal(seen, err)
	}
	if err := os.WriteFile(seen[0]+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWitness(t, dir)
	for size := 6; size < 12; size++ {
		if _, err := w.AddCheckpoint(t.Context(), []byte(fork.request(t, 6, size))); err == nil {
			t.Errorf("signed another history of %d", size)
		}
	}
	if _, err := witness.Open(dir, witness.Options{Now: now}); err == nil {
		t.Error("two have one witness open")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	// What it has seen cannot be changed under it: any byte, and nothing is signed.
	good, err := os.ReadFile(seen[0])
	if err != nil {
		t.Fatal(err)
	}
	w = newWitness(t, dir)
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1
		if err := os.WriteFile(seen[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		if line, err := w.AddCheckpoint(t.Context(), []byte(log.request(t, 6, 7))); err == nil {
			// The log's own signature is not what binds us; ours is.
			own, _, _ := strings.Cut(string(good), "\u2014 witness.example/w1 ")
			if body, _, _ := strings.Cut(own, "\n\n"); i < len(body)+2 || i >= len(own) {
				t.Errorf("byte %d flipped: signed %q", i, line)
			}
		}
	}
	if err := os.Remove(filepath.Join(dir, "witness.key")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := witness.Open(dir, witness.Options{Now: now}); err == nil || !strings.Contains(err.Error(), "put it back") {
		t.Errorf("a new key for an old witness: %v", err)
	}
}

// TestAWitnessIsRacedByItsOwnLog asks for two histories at once: one is signed.
func TestAWitnessIsRacedByItsOwnLog(t *testing.T) {
	log := newHistory(t, "log.example/a").grow(20, "x")
	fork := log.other(5).grow(15, "y")
	w := newWitness(t, t.TempDir(), log)
	if _, err := w.AddCheckpoint(t.Context(), []byte(log.request(t, 0, 5))); err != nil {
		t.Fatal(err)
	}
	answers, start := make(chan int, 60), make(chan struct{})
	for i := range cap(answers) {
		body := []*history{log, fork}[i%2].request(t, 5, 10)
		go func() {
			<-start
			out := httptest.NewRecorder()
			w.ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(body)))
			answers <- out.Code
		}()
	}
	close(start)
	got := map[int]int{}
	for range cap(answers) {
		got[<-answers]++
	}
	// All but one come too late; none meets a write that is under way.
	if got[http.StatusOK] != 1 || got[http.StatusConflict] != cap(answers)-1 {
		t.Errorf("answers by status: %v, want one 200 and the rest 409", got)
	}
}

func policyText(names ...string) (text string, signers []*witness.Signer) {
	for _, n := range names {
		skey, err := witness.NewKey("witness.example/" + n)
		if err != nil {
			panic(err)
		}
		s, err := witness.NewSigner(skey)
		if err != nil {
			panic(err)
		}
		text += fmt.Sprintf("witness %s %s https://%s.example/\n", n, s.Public(), n)
		signers = append(signers, s)
	}
	return text, signers
}

func TestAPolicyCountsEachWitnessOnce(t *testing.T) {
	text, signers := policyText("a", "b", "c", "d")
	p, err := witness.ParsePolicy([]byte("# two of three, and d\n" + text + "group abc 2 a b c\n\ngroup all\tall abc d \nquorum all\n"))
	if err != nil {
		t.Fatal(err)
	}
	log := newHistory(t, "log.example/a").grow(3, "x")
	cp := log.checkpoint(t, 3)
	body, _, _ := strings.Cut(string(cp), "\n\n")
	for bits := range 1 << len(signers) {
		signed := string(cp)
		for i, s := range signers {
			if bits>>i&1 == 1 {
				signed += s.Cosign(body+"\n", testedAt)
			}
		}
		by, err := p.Check([]byte(signed))
		if err != nil {
			t.Fatal(err)
		}
		n := bits&1 + bits>>1&1 + bits>>2&1
		if want := n >= 2 && bits>>3&1 == 1; p.Satisfied(by) != want || len(by) != n+bits>>3&1 {
			t.Errorf("%04b: got %v by %d, want %v", bits, p.Satisfied(by), len(by), want)
		}
	}
	// One twice is still one, and one under another text is none.
	twice := string(cp) + signers[0].Cosign(body+"\n", testedAt) + signers[0].Cosign(body+"\n", testedAt.Add(time.Second))
	if by, err := p.Check([]byte(twice)); err != nil || len(by) != 1 {
		t.Errorf("one twice: %v %v", by, err)
	}
	if by, err := p.Check([]byte(string(cp) + signers[0].Cosign(body+"x\n", testedAt))); err == nil {
		t.Errorf("under another text: %v", by)
	}
}

func TestAPolicyIsReadStrictly(t *testing.T) {
	text, _ := policyText("a", "b")
	a, b, _ := strings.Cut(text, "\n")
	akey := strings.Fields(a)[2]
	logKey := newHistory(t, "log.example/a").vkey
	for name, bad := range map[string]string{
		"no quorum":                    text,
		"two quorums":                  text + "quorum a\nquorum b\n",
		"a quorum of nobody":           text + "quorum c\n",
		"a quorum before its witness":  "quorum a\n" + text,
		"a group of nobody":            text + "group g any c\nquorum g\n",
		"a group of none":              text + "group g any none\nquorum g\n",
		"a group without members":      text + "group g any\nquorum g\n",
		"three of two":                 text + "group g 3 a b\nquorum g\n",
		"none of two":                  text + "group g 0 a b\nquorum g\n",
		"a leading zero":               text + "group g 01 a b\nquorum g\n",
		"a member twice":               text + "group g all a a\nquorum g\n",
		"a member of two groups":       text + "group g any a\ngroup h any a b\nquorum h\n",
		"a name twice":                 text + "group a any b\nquorum a\n",
		"one key under two names":      text + "witness c " + akey + "\nquorum a\n",
		"a log's key as a witness's":   "witness a " + logKey + "\nquorum a\n",
		"a witness's key as a log's":   "log " + akey + "\nquorum none\n",
		"a log twice":                  "log " + logKey + "\nlog " + logKey + "\nquorum none\n",
		"an address that is none":      strings.Replace(text, "https://a", "ftp://a", 1) + "quorum a\n",
		"an address with a password":   strings.Replace(text, "https://a", "https://u:p@a", 1) + "quorum a\n",
		"a control character":          text + "quorum a\x00\n",
		"another keyword":              text + "quorum a\nextend b\n",
		"a key with a changed letter":  strings.Replace(text, "+", "+0", 1) + "quorum a\n",
		"loose base64":                 a[:len(a)-1] + "\n" + b + "quorum a\n" + "witness q " + akey + "=\n",
		"too long":                     strings.Repeat("#\n", 1<<20),
		"more names than one can hold": strings.Repeat("log x\n", 300),
	} {
		if p, err := witness.ParsePolicy([]byte(bad)); !errors.Is(err, witness.ErrPolicy) {
			t.Errorf("%s: got %+v, %v", name, p, err)
		}
	}
	for name, good := range map[string]string{
		"nothing":             "",
		"quorum none":         "quorum none\n",
		"no newline":          text + "quorum a",
		"no address":          "witness a " + akey + "\nquorum a\n",
		"spaces and comments": " \t# x\n\n  witness a " + akey + "   http://localhost:1  \n quorum   a \n",
	} {
		if _, err := witness.ParsePolicy([]byte(good)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	text, _ := policyText("a", "b")
	f.Add([]byte(text + "group g any a b\nquorum g\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := witness.ParsePolicy(b)
		if err == nil && p.Quorum != "none" && p.Satisfied(nil) {
			t.Errorf("%q is satisfied by nobody", b)
		}
	})
}

func FuzzAddCheckpoint(f *testing.F) {
	log := newHistory(f, "log.example/a").grow(9, "x")
	w := newWitness(f, f.TempDir(), log)
	if _, err := w.AddCheckpoint(f.Context(), []byte(log.request(f, 0, 4))); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(log.other(2).grow(7, "y").request(f, 4, 9)))
	f.Add([]byte("old 4\n\nlog.example/a\n4\n\n\u2014 log.example/a AAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if line, err := w.AddCheckpoint(t.Context(), b); err == nil && !bytes.HasSuffix(b, log.checkpoint(t, 4)) {
			t.Errorf("%q is signed: %q", b, line)
		}
	})
}

func FuzzCosigned(f *testing.F) {
	f.Add([]byte("a\n1\nx\n\n\u2014 a AAAA\n\u2014 b BBBB\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		own, others, err := seal.Cosigned(b)
		if err == nil && len(own)+len(strings.Join(others, "")) != len(b) {
			t.Errorf("%q loses bytes", b)
		}
	})
}

func FuzzParseContinuation(f *testing.F) {
	log := newHistory(f, "log.example/a").grow(9, "x")
	f.Add([]byte(log.request(f, 4, 9)))
	f.Add([]byte("old 0\n\n"))
	f.Add([]byte("old 01\nAAAA\n\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := witness.ParseContinuation(b); err == nil && !bytes.Equal(c.Text(), b) {
			t.Errorf("%q is written as %q", b, c.Text())
		}
	})
}

func FuzzVerifier(f *testing.F) {
	text, _ := policyText("a")
	f.Add(strings.Fields(text)[2])
	f.Add(newHistory(f, "log.example/a").vkey)
	f.Fuzz(func(t *testing.T, vkey string) {
		if v, err := witness.Verifier(vkey); err == nil && !strings.HasPrefix(vkey, v.Name()+"+") {
			t.Errorf("%q is a key of %q", vkey, v.Name())
		}
	})
}
