package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/server"
	"kakusho/trail"
	"kakusho/trail/witness"
)

// TestTwoServersWitnessEachOther runs two whole installations, each at its own
// address with its own witness, as two prefectures would.
func TestTwoServersWitnessEachOther(t *testing.T) {
	var configs [2]server.Config
	var keys, lines [2]string
	for i := range configs {
		ln, err := net.Listen("tcp", "127.0.0.1:0") // a free port
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		c := server.Config{Data: t.TempDir(), Listen: ln.Addr().String(), Interval: -1, Version: "test", Log: slog.New(slog.DiscardHandler), Proof: server.Proof{Witness: true}}
		s, err := server.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = s.Audit.PublicKey()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		w, err := witness.Open(filepath.Join(c.Data, "witness"), witness.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = fmt.Sprintf("witness other %s http://%s/witness\nquorum other\n", w.PublicKey(), c.Listen)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		configs[i] = c
	}
	var running [2]*server.Server
	for i, c := range configs {
		c.Proof.Policy = filepath.Join(c.Data, "policy")
		if err := os.WriteFile(c.Proof.Policy, []byte(lines[1-i]), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := witness.Trust(filepath.Join(c.Data, "witness"), keys[1-i]); err != nil {
			t.Fatal(err)
		}
		s, err := server.New(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		running[i] = s
		ctx, stop := context.WithCancel(t.Context())
		ready, done := make(chan string, 1), make(chan error, 1)
		go func() { done <- s.Run(ctx, func(base, _ string) { ready <- base }) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		base := <-ready
		r, err := http.Post(base+"/witness/add-checkpoint", "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusBadRequest {
			t.Errorf("the witness answers %d %q, %v", r.StatusCode, b, err)
		}
		r.Body.Close()
	}
	for i, s := range running {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			seal, err := s.Audit.Seal(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if w := seal.Witnessed; w.Newest.Size > 0 && w.Newest.Size == w.Current && !w.Refused() {
				policy, err := witness.ParsePolicy([]byte(lines[1-i]))
				if err != nil {
					t.Fatal(err)
				}
				if _, by, err := (trail.Trust{Key: keys[i], Policy: policy}).Checkpoint([]byte(seal.Text)); err == nil && len(by) == 1 && strings.HasPrefix(string(seal.QR), "<svg ") {
					break
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("server %d is not witnessed: %+v", i, seal.Witnessed)
			}
		}
	}
}

func TestAPolicyThatIsNoneStopsTheServer(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "policy")
	if err := os.WriteFile(name, []byte("witness nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := server.New(t.Context(), server.Config{Data: filepath.Join(dir, "data"), Log: slog.New(slog.DiscardHandler), Proof: server.Proof{Policy: name}})
	if err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("got %v", err)
	}
}
