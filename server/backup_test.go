package server_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kakusho/actor"
	"kakusho/audit"
	"kakusho/server/backup"
	"kakusho/server/fold"
)

// backup is what Write writes now.
func (b *body) backup() (bytes.Buffer, backup.Manifest) {
	b.t.Helper()
	var out bytes.Buffer
	m, err := backup.Write(b.ctx, b.dir, &out, "test", b.Now(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return out, m
}

// A backup is taken while entries and events are written, attached files come and
// logins are replaced. What was acknowledged before it began is in what is restored,
// and everything in it is sound.
func TestABackupUnderLoadIsRestoredWhole(t *testing.T) {
	b := found(t)
	b.set(time.Now())
	base := b.open()
	b.as("s-operator")
	var before, after atomic.Int64
	ctx, stop := context.WithCancel(b.ctx)
	var work sync.WaitGroup
	for w := range 3 {
		work.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("L%d-%d", w, i)
				v := values{"unit_id": id, "title": "負荷" + id, "level": "division", "parent": "HQ"}
				if _, err := b.Register.Put(ctx, actor.Program, "unit", v, 0, b.Now()); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
				before.Add(1)
			}
		})
	}
	token, err := b.Identity.AddSender(b.ctx, actor.Program, "loader.example", b.Now())
	if err != nil {
		t.Fatal(err)
	}
	work.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			b.set(time.Now()) // sockets go by it
			text := strings.Repeat(fmt.Sprintf(`{"at":"2026-11-02T00:00:00Z","text":"sshd[1]: Failed password for root from 192.0.2.9 port %d"}`+"\n", i), 50)
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/events", strings.NewReader(text))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				continue // the end
			}
			said, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK && ctx.Err() == nil {
				t.Errorf("events: %d %.300s", answer.StatusCode, said)
				return
			}
			after.Add(1)
		}
	})
	for !t.Failed() && (before.Load() < 60 || after.Load() < 5) {
		time.Sleep(5 * time.Millisecond)
	}
	b.put(actor.Program, "unit", values{"unit_id": "LAST", "title": "開始前の最後", "level": "division", "parent": "HQ"})
	var copies []bytes.Buffer
	for range 3 {
		out, _ := b.backup()
		copies = append(copies, out)
	}
	var slow bytes.Buffer // a disk so slow that many segments are sealed meanwhile
	if _, err := backup.Write(b.ctx, b.dir, lag{&slow}, "test", b.Now(), nil); err != nil {
		t.Fatal(err)
	}
	copies = append(copies[:2], slow)
	stop()
	work.Wait()
	for i := range copies {
		dir := filepath.Join(t.TempDir(), "restored")
		_, reports, err := backup.Restore(b.ctx, &copies[i], dir, b.Now)
		if err != nil {
			t.Fatal(err)
		}
		if len(reports) < 2 || reports["trail"].Entries == 0 {
			t.Errorf("copy %d: %d trails were verified: %+v", i, len(reports), reports)
		}
		for name, r := range reports {
			if !r.OK() {
				t.Errorf("copy %d: trail %s: %v", i, name, r.Problems)
			}
		}
		r := open(t, dir, b.Now())
		if e := r.entry("unit/LAST"); e.Values["title"] != "開始前の最後" {
			t.Errorf("copy %d: what was acknowledged before is %v", i, e.Values)
		}
		r.secrets = b.secrets
		r.tick(5 * time.Minute) // past the code of before
		if err := r.try("s-operator", password, r.code("s-operator")); err != nil {
			t.Errorf("copy %d: the operator cannot log in: %v %v", i, err, r.refusals())
		}
		r.sound()
		differences, err := fold.Refold(r.ctx, dir, "", true, r.Now, nil)
		if err != nil || len(differences) > 0 {
			t.Errorf("copy %d: refold --compare: %v, %v", i, differences, err)
		}
	}
}

// lag writes slowly.
type lag struct{ io.Writer }

func (l lag) Write(b []byte) (int, error) {
	time.Sleep(2 * time.Second)
	return l.Writer.Write(b)
}

// What was restored says so in its trail, once; and it goes on.
func TestARestoredInstallationSaysSoOnce(t *testing.T) {
	b := found(t)
	out, m := b.backup()
	dir := filepath.Join(t.TempDir(), "restored")
	if _, _, err := backup.Restore(b.ctx, &out, dir, b.Now); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := open(t, dir, b.Now().Add(time.Hour))
		_, stop := r.serveUntil()
		stop()
	}
	r := open(t, dir, b.Now().Add(2*time.Hour))
	q := audit.Query{Kind: "system.restore", Limit: 10}
	p, err := r.Audit.Permit(r.ctx, looker(), q, r.Now())
	if err != nil {
		t.Fatal(err)
	}
	hits, err := r.Audit.Search(r.ctx, p, q)
	if err != nil || len(hits.Entries) != 1 || bodyOf(t, hits.Entries[0], "program") != "test" || bodyOf(t, hits.Entries[0], "began") != m.Began.Format(time.RFC3339) {
		t.Errorf("got %+v, %v", hits.Entries, err)
	}
	r.put(actor.Program, "unit", values{"unit_id": "NEW", "title": "復元後", "level": "division", "parent": "HQ"})
	r.sound()
}

func TestADamagedBackupRestoresNothing(t *testing.T) {
	b := found(t)
	out, m := b.backup()
	whole := out.Bytes()
	plain := unzipped(t, whole)
	for name, c := range map[string][]byte{
		"nothing":             {},
		"cut short":           whole[:len(whole)/2],
		"without its end":     zipped(t, plain[:len(plain)-2048-600]),
		"a byte is another":   zipped(t, flipped(plain, bytes.Index(plain, []byte("KKPACK1\n"))+100)),
		"a file is missing":   zipped(t, without(t, plain, "trail/trail.pub")),
		"something follows":   zipped(t, append(slices.Clone(plain[:len(plain)-1024]), plain[:2048]...)),
		"of a later version":  zipped(t, bytes.Replace(plain, []byte(`"form":1`), []byte(`"form":9`), 1)),
		"leads out of it":     zipped(t, renamed(t, plain, "trail/trail.pub", "../trail.pub")),
		"an absolute path":    zipped(t, renamed(t, plain, "trail/trail.pub", "/tmp/trail.pub")),
		"of another format":   []byte("PK\x03\x04 this is a zip"),
		"the manifest is not": zipped(t, bytes.Replace(plain, []byte(`"form":1`), []byte(`"form":x`), 1)),
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "restored")
			_, _, err := backup.Restore(t.Context(), bytes.NewReader(c), dir, b.Now)
			if err == nil {
				t.Fatal("it was restored")
			}
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Errorf("%v is left (%v)", left, err)
			}
			if name != "of a later version" && name != "nothing" && name != "of another format" && name != "cut short" && !errors.Is(err, backup.ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
		})
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := backup.Restore(t.Context(), bytes.NewReader(whole), full, b.Now); err == nil {
		t.Error("a folder with something in it was taken")
	}
	for _, f := range m.Files {
		for _, not := range []string{"store.db", "index/", "past/", "control.sock"} {
			if strings.HasPrefix(f.Path, not) {
				t.Errorf("%s is in it", f.Path)
			}
		}
	}
}

func unzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func zipped(t *testing.T, plain []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err == nil {
		_, err = z.Write(plain)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func flipped(b []byte, at int) []byte {
	b = slices.Clone(b)
	b[at] ^= 1
	return b
}

// rewritten is a tar with files dropped, or called something else.
func rewritten(t *testing.T, plain []byte, call func(name string) string) []byte {
	t.Helper()
	var out bytes.Buffer
	r, w := tar.NewReader(bytes.NewReader(plain)), tar.NewWriter(&out)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name = call(h.Name); h.Name == "" {
			continue
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func without(t *testing.T, plain []byte, file string) []byte { return renamed(t, plain, file, "") }

func renamed(t *testing.T, plain []byte, file, to string) []byte {
	return rewritten(t, plain, func(name string) string {
		if name == file {
			return to
		}
		return name
	})
}
