package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/register"
	"kakusho/server"
	"kakusho/server/fold"
)

// roles are what this binary can be besides a test.
var roles = map[string]func(context.Context, string) error{"put": putForever, "full": fillDisk, "unready": unready, "import": tryAndApply}

func play(role, dir string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleVariable+"="+role+" "+dir)
	return c
}

// writers is how many change entries at the same time.
const writers = 4

// real opens the installation as the program does, with the real clock.
func real(ctx context.Context, dir string) (*server.Server, error) {
	return server.New(ctx, server.Config{Data: dir, Interval: -1, Log: slog.New(slog.DiscardHandler)})
}

// unitOf is the entry of one writer in one state: its name says which.
func unitOf(writer int, rev int64) values {
	return values{"unit_id": fmt.Sprintf("U-%d", writer), "title": fmt.Sprintf("rev %d", rev), "level": "division"}
}

// putForever changes entries until it is killed. A line on standard output is an
// acknowledgement: "U-1 7".
func putForever(ctx context.Context, dir string) error {
	s, err := real(ctx, dir)
	if err != nil {
		return err
	}
	defer s.Close()
	fmt.Println("ready")
	failed := make(chan error, writers)
	for w := range writers {
		go func() { failed <- putAs(ctx, s, w) }()
	}
	return <-failed
}

func putAs(ctx context.Context, s *server.Server, writer int) error {
	b := &body{Server: s, ctx: ctx}
	rev, err := b.revOf(writer)
	if err != nil {
		return err
	}
	for {
		if _, err := s.Register.Put(ctx, actor.Program, "unit", unitOf(writer, rev+1), rev, time.Now()); err != nil {
			return err
		}
		rev++
		fmt.Printf("U-%d %d\n", writer, rev)
	}
}

// revOf is the state of a writer's entry; an error when it is not whole.
func (b *body) revOf(writer int) (int64, error) {
	p, err := b.Gate.Ask(b.ctx, gate.Request{Actor: looker(), At: time.Now(), Action: gate.Read, Object: "page/test", Scope: []string{"*"}})
	if err != nil {
		return 0, err
	}
	e, err := b.Register.Get(b.ctx, p, fact.NewRef("unit", fmt.Sprintf("U-%d", writer)))
	if errors.Is(err, register.ErrNoEntry) {
		return 0, nil
	}
	if err == nil && e.Values["title"] != fmt.Sprintf("rev %d", e.Rev) {
		err = fmt.Errorf("entry of writer %d at rev %d is %q", writer, e.Rev, e.Values["title"])
	}
	return e.Rev, err
}

func TestWhatIsAcknowledgedOutlivesAKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	acked := map[string]int64{}
	rng := rand.New(rand.NewPCG(20261102, 1))
	for round := range 10 {
		killOnce(t, dir, acked, time.Duration(20+rng.IntN(250))*time.Millisecond)
		afterKill(t, dir, acked, round)
	}
	if len(acked) != writers || acked["U-0"] < 10 {
		t.Errorf("acknowledged in all: %v; the rounds are too short to tell anything", acked)
	}
}

// killOnce starts a writing process, kills it after a while and notes what it
// acknowledged.
func killOnce(t *testing.T, dir string, acked map[string]int64, after time.Duration) {
	t.Helper()
	c := play("put", dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the process says %q, %v", line, err)
	}
	kill := time.AfterFunc(after, func() { c.Process.Kill() })
	defer kill.Stop()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			if err != io.EOF {
				t.Fatal(err)
			}
			break // a half line acknowledges nothing
		}
		var id string
		var rev int64
		if _, err := fmt.Sscan(line, &id, &rev); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		acked[id] = rev
	}
	var died *exec.ExitError
	if err := c.Wait(); !errors.As(err, &died) || died.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process ended with %v before it was killed", err)
	}
}

// afterKill opens what is left: all that was acknowledged is there, at most one
// more of each writer, the rows are what the trail says, the trail is whole.
func afterKill(t *testing.T, dir string, acked map[string]int64, round int) {
	t.Helper()
	s, err := real(t.Context(), dir)
	if err != nil {
		t.Fatalf("round %d: open: %v", round, err)
	}
	b := &body{Server: s, ctx: t.Context(), t: t}
	for w := range writers {
		id := fmt.Sprintf("U-%d", w)
		rev, err := b.revOf(w)
		if err != nil {
			t.Fatal(err)
		}
		if rev < acked[id] || rev > acked[id]+1 {
			t.Errorf("round %d: %s is in state %d, acknowledged was %d", round, id, rev, acked[id])
		}
		acked[id] = rev
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	differences, err := fold.Refold(t.Context(), dir, "", true, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		t.Errorf("round %d: rows differ from the trail: %s", round, d)
	}
	intact(t, dir)
}

func TestAFullDiskRefusesAndLosesNothing(t *testing.T) { playsOnItsOwnDisk(t, "full") }

// playsOnItsOwnDisk plays a role that mounts a disk for itself, and says "fine".
func playsOnItsOwnDisk(t *testing.T, role string) {
	t.Helper()
	t.Parallel()
	c := play(role, t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.Output()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || strings.HasPrefix(string(out), "no mount") {
		t.Skipf("no mount namespaces here: %v %s", err, out)
	}
	if got := strings.TrimSpace(string(out)); err != nil || got != "fine" {
		t.Errorf("got %q, %v, want fine", got, err)
	}
}

// fillDisk changes an entry until a disk of 3 MiB is full, makes room and opens
// again.
func fillDisk(ctx context.Context, dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		fmt.Println("no mount:", err)
		return nil
	}
	spare := filepath.Join(dir, "spare")
	if err := os.WriteFile(spare, make([]byte, 1<<20), 0o600); err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	s, err := real(ctx, data)
	if err != nil {
		return err
	}
	rev := int64(0)
	var full error
	for full == nil && rev < 100_000 {
		v := unitOf(0, rev+1)
		v["note"] = strings.Repeat("x", 15_000)
		if _, full = s.Register.Put(ctx, actor.Program, "unit", v, rev, time.Now()); full == nil {
			rev++
		}
	}
	if full == nil || rev == 0 {
		return fmt.Errorf("%d changes did not fill the disk: %v", rev, full)
	}
	if text := full.Error(); !strings.Contains(text, "no space left") && !strings.Contains(text, "full") {
		return fmt.Errorf("a full disk says %q", text)
	}
	if _, err := s.Register.Put(ctx, actor.Program, "unit", unitOf(1, 1), 0, time.Now()); err == nil {
		return errors.New("a change was acknowledged on a full disk")
	}
	_ = s.Close()
	if err := os.Remove(spare); err != nil {
		return err
	}
	if s, err = real(ctx, data); err != nil {
		return fmt.Errorf("open with room again: %w", err)
	}
	b := &body{Server: s, ctx: ctx}
	got, err := b.revOf(0)
	if err != nil {
		return err
	}
	if got < rev || got > rev+1 {
		return fmt.Errorf("state %d after the full disk, acknowledged was %d", got, rev)
	}
	if _, err := s.Register.Put(ctx, actor.Program, "unit", unitOf(1, 1), 0, time.Now()); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if differences, err := fold.Refold(ctx, data, "", true, time.Now, nil); err != nil || len(differences) > 0 {
		return fmt.Errorf("rows differ from the trail: %v %w", differences, err)
	}
	fmt.Println("fine")
	return nil
}

func TestManyAtOnceAreAllFolded(t *testing.T) {
	b := found(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for rev := range int64(10) {
				if _, err := b.Register.Put(b.ctx, actor.Program, "unit", unitOf(w, rev+1), rev, b.Now()); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	wg.Wait()
	for w := range 8 {
		if rev := b.entry(fact.NewRef("unit", fmt.Sprintf("U-%d", w))).Rev; rev != 10 {
			t.Errorf("writer %d: rev %d, want 10", w, rev)
		}
	}
	b.sound()
}
