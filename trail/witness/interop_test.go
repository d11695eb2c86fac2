package witness_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/mod/sumdb/note"
	_ "modernc.org/sqlite"

	"kakusho/trail"
	"kakusho/trail/seal"
	"kakusho/trail/witness"
)

// TestTesserasOwnWitnessClientIsAnswered lets a log that is not ours, in a policy
// file of its own reading, get the signatures of two witnesses of ours.
func TestTesserasOwnWitnessClientIsAnswered(t *testing.T) {
	log := newHistory(t, "log.example/tessera")
	policy := ""
	for _, name := range []string{"a", "b"} {
		dir := t.TempDir()
		if err := witness.Trust(dir, log.vkey); err != nil {
			t.Fatal(err)
		}
		w, err := witness.Open(dir, witness.Options{Name: "witness.example/" + name, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(w)
		t.Cleanup(func() { server.Close(); w.Close() })
		policy += fmt.Sprintf("witness %s %s %s\n", name, w.PublicKey(), server.URL)
	}
	policy += "group both all a b\nquorum both\n"
	group, err := tessera.NewWitnessGroupFromPolicy([]byte(policy))
	if err != nil {
		t.Fatalf("Tessera does not read the policy: %v", err)
	}
	ours, err := witness.ParsePolicy([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(log.skey)
	if err != nil {
		t.Fatal(err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithBatching(1, time.Second).
		WithCheckpointInterval(100*time.Millisecond).WithWitnesses(group, nil) // fails closed
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		t.Fatal(err)
	}
	await := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 20*time.Millisecond)
	verifier, err := seal.Verifier(log.vkey)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // the second and third with a proof of consistency
		index, text, err := await.Await(ctx, appender.Add(ctx, tessera.NewEntry(fmt.Append(nil, "entry ", n))))
		if err != nil {
			t.Fatal(err)
		}
		by, err := ours.Check(text)
		if err != nil || len(by) != 2 || !ours.Satisfied(by) {
			t.Errorf("entry %d: we read %v, %v in %s", n, by, err, text)
		}
		if !group.Satisfied(text) {
			t.Errorf("entry %d: Tessera finds its policy unmet in %s", n, text)
		}
		if c, _, _, err := client.FetchCheckpoint(ctx, reader.ReadCheckpoint, verifier, "log.example/tessera"); err != nil || c.Size <= index.Index {
			t.Errorf("entry %d: %+v %v", n, c, err)
		}
	}
	if err := shutdown(ctx); err != nil {
		t.Error(err)
	}
}

// litewitness starts a witness that others wrote (filippo.io/torchwood), with a key
// in an SSH agent and the log in its database.
func litewitness(t *testing.T, origin, vkey string) (url, public string) {
	t.Helper()
	program, err := exec.LookPath("litewitness")
	if err != nil {
		cache, _ := os.UserCacheDir()
		program = filepath.Join(cache, "kakusho-tools", "litewitness")
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("no other witness: .ci/tools builds litewitness, or put it into PATH")
	}
	dir, err := os.MkdirTemp("/tmp", "kakusho-lite-*") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "agent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, c)
		}
	}()
	fingerprint, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	file := filepath.Join(dir, "db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{ // as its witnessctl does; an empty log
		"CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL)",
		"CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin))",
		"INSERT INTO log VALUES ('" + origin + "', 0, '" + seal.Root(nil).String() + "')",
		"INSERT INTO key VALUES ('" + origin + "', '" + vkey + "')",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd := exec.Command(program, "-name", "witness.example/lite", "-db", file, "-ssh-agent", filepath.Join(dir, "agent"), "-key", ssh.FingerprintSHA256(fingerprint), "-listen", addr)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		b, _ := os.ReadFile(said.Name())
		m := regexp.MustCompile(`vkey="?([^"\s]+)`).FindStringSubmatch(string(b))
		if c, err := net.Dial("tcp", addr); err == nil && m != nil {
			c.Close()
			return "http://" + addr, m[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("litewitness does not answer: %s", b)
		}
	}
}

// TestAWitnessOfOthersSignsForOurTrail asks it through two lives of a trail, then
// with the trail rolled back.
func TestAWitnessOfOthersSignsForOurTrail(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "trail")
	o := trail.Options{Now: time.Now, Installation: "osaka"}
	l, err := trail.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	key := l.PublicKey()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	url, public := litewitness(t, "kakusho/osaka", key)
	if o.Witnesses, err = witness.ParsePolicy(fmt.Appendf(nil, "witness lite %s %s\nquorum lite\n", public, url)); err != nil {
		t.Fatal(err)
	}
	for life := range 2 {
		if l, err = trail.Open(dir, o); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			before := l.Witnessed().Newest.Size
			sealed(t, l)
			s := until(t, l, func(s witness.Status) bool {
				return s.Newest.Size > 0 && s.Newest.Size == s.Current && s.Newest.Size > before
			})
			if s.Refused() || s.Peers[0].State != witness.Cosigned {
				t.Errorf("life %d: %+v", life, s)
			}
		}
		text, _, err := l.Checkpoint(t.Context())
		if by, err2 := o.Witnesses.Check(text); err != nil || err2 != nil || len(by) != 1 {
			t.Errorf("life %d: %v %v %v", life, by, err, err2)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if l, err = trail.Open(old, o); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sealed(t, l)
	s := until(t, l, witness.Status.Refused)
	if s.Peers[0].State != witness.RolledBack || s.Newest.Size != 0 {
		t.Errorf("rolled back: %+v", s)
	}
}

func sealed(t *testing.T, l *trail.Log) {
	t.Helper()
	if _, err := l.Append(t.Context(), trail.Entry{At: time.Now(), Kind: "system.test"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, l *trail.Log, ok func(witness.Status) bool) witness.Status {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if s := l.Witnessed(); ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("does not come: %+v", l.Witnessed())
		}
	}
}
