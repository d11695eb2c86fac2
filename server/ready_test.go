package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/server"
	"kakusho/server/events"
)

// knock asks without a login.
func knock(ctx context.Context, method, address string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return 0, "", err
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b), err
}

// becomes waits until /readyz answers so; the last answer is held for a second.
func becomes(ctx context.Context, base string, status int, text string) error {
	var got int
	var said string
	var err error
	for range 60 {
		if got, said, err = knock(ctx, http.MethodGet, base+"/readyz"); err != nil || got == status && said == text {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("/readyz says %d %q, want %d %q", got, said, status, text)
}

const wellAndReady = "ok\ntrail ok\nrows ok\ndisk ok\nindex off\n"

func TestWhoIsNotLoggedInLearnsThatTheServerIsWellAndNoMore(t *testing.T) {
	b := found(t)
	base := b.open()
	for _, c := range []struct {
		method, path, want string
		status             int
	}{
		{"GET", "/healthz", "ok\n", 200},
		{"GET", "/readyz", wellAndReady, 200},
		{"HEAD", "/readyz", "", 200},
		{"GET", "/readyz?as_of=2026-01-01", wellAndReady, 200},
		{"GET", "/readyz?as_of=no-time&known_at=none", wellAndReady, 200},
	} {
		status, text, err := knock(b.ctx, c.method, base+c.path)
		if err != nil || status != c.status || text != c.want {
			t.Errorf("%s %s: %d %q, %v, want %d %q", c.method, c.path, status, text, err, c.status, c.want)
		}
	}
	if status, _, err := knock(b.ctx, "GET", base+"/readyz/more"); err != nil || status == 200 {
		t.Errorf("below it: %d, %v, want a page's refusal", status, err)
	}
}

func TestAStoppedRiverIsNotReadyAndLives(t *testing.T) {
	t.Parallel()
	ctx, dir := t.Context(), t.TempDir()
	err := serving(ctx, server.Config{Data: dir}, func(base string, s *server.Server) error {
		if err := becomes(ctx, base, 200, wellAndReady); err != nil {
			return err
		}
		sqlExec(t, filepath.Join(dir, "store.db"), `CREATE TRIGGER refuse BEFORE INSERT ON subject BEGIN SELECT RAISE(ABORT, 'refused'); END`)
		if _, err := s.Register.Put(ctx, actor.Program, "unit", unitOf(0, 1), 0, time.Now()); err == nil {
			return errors.New("an entry that is not folded was acknowledged")
		}
		if err := becomes(ctx, base, 503, "not ok\ntrail stopped\nrows behind\ndisk ok\nindex off\n"); err != nil {
			return err
		}
		if status, text, err := knock(ctx, "GET", base+"/healthz"); err != nil || status != 200 || text != "ok\n" {
			return fmt.Errorf("/healthz: %d %q, %v, want 200 ok", status, text, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWithoutItsIndexTheServerIsReady(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	err := serving(ctx, server.Config{Data: t.TempDir(), Events: events.Config{SearchURL: "http://127.0.0.1:9"}}, func(base string, _ *server.Server) error {
		return becomes(ctx, base, 200, "ok\ntrail ok\nrows ok\ndisk ok\nindex down\n")
	})
	if err != nil {
		t.Error(err)
	}
}

// serving runs an installation as long as do runs.
func serving(ctx context.Context, cfg server.Config, do func(base string, s *server.Server) error) error {
	cfg.Listen, cfg.Interval, cfg.Log = "127.0.0.1:0", -1, slog.New(slog.DiscardHandler)
	s, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- s.Run(ctx, func(base, _ string) { ready <- base }) }()
	select {
	case base := <-ready:
		err = do(base, s)
		stop()
		<-done // a stop that cannot be sealed is an error here, and no news
		return err
	case err := <-done:
		return err
	}
}

func TestAFullDiskIsNotReady(t *testing.T) { playsOnItsOwnDisk(t, "unready") }

// unready fills a disk of 6 MiB beside a server: first its reserve is touched, then
// nothing is left and the trail stops.
func unready(ctx context.Context, dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		fmt.Println("no mount:", err)
		return nil
	}
	err := serving(ctx, server.Config{Data: filepath.Join(dir, "data"), Events: events.Config{Reserve: 1 << 20}}, func(base string, s *server.Server) error {
		if err := becomes(ctx, base, 200, wellAndReady); err != nil {
			return err
		}
		if err := fill(filepath.Join(dir, "others"), 512<<10); err != nil {
			return err
		}
		if err := becomes(ctx, base, 503, "not ok\ntrail ok\nrows ok\ndisk full\nindex off\n"); err != nil {
			return err
		}
		if err := fill(filepath.Join(dir, "more"), 0); err != nil {
			return err
		}
		for rev := int64(0); ; rev++ {
			v := unitOf(0, rev+1)
			v["note"] = strings.Repeat("x", 15_000)
			if _, err := s.Register.Put(ctx, actor.Program, "unit", v, rev, time.Now()); err != nil {
				break
			}
		}
		for range 60 {
			if status, text, err := knock(ctx, http.MethodGet, base+"/readyz"); err != nil || status == 503 && strings.Contains(text, "trail stopped") && strings.Contains(text, "disk full") {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
		return errors.New("a trail on a full disk is ready")
	})
	if err == nil {
		fmt.Println("fine")
	}
	return err
}

// fill makes a file that leaves so many bytes of its disk.
func fill(path string, leave int64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &st); err != nil {
		return err
	}
	err := os.WriteFile(path, make([]byte, max(0, int64(st.Bavail)*st.Bsize-leave)), 0o600)
	if leave == 0 && errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}
