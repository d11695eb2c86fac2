package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The unit names flags that exist, is closed as far as systemd can tell, and hides
// nothing of the machine that is looked at.
func TestTheUnitOfTheServerIsRightAndHardened(t *testing.T) {
	const unit = "../../packaging/kakusho.service"
	b, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), "\nExecStart=")
	line, _, _ = strings.Cut(line, "\n")
	flags := (&program{}).serve().Flags()
	for _, word := range strings.Fields(line) {
		if name, ok := strings.CutPrefix(word, "--"); ok && flags.Lookup(name) == nil {
			t.Errorf("there is no flag --%s", name)
		}
	}
	for _, hides := range []string{"\nProtectHome=yes", "\nProtectHome=tmpfs", "\nPrivateTmp=", "\nPrivateDevices=", "\nProtectProc=", "\nProcSubset=", "\nInaccessiblePaths=", "\nTemporaryFileSystem="} {
		if strings.Contains(string(b), hides) {
			t.Errorf("%s hides what is to be looked at", strings.TrimSpace(hides))
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=25", unit).CombinedOutput(); err != nil {
		t.Errorf("exposed more than 2.5: %s", out[max(0, len(out)-400):])
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(t.TempDir(), "kakusho.service") // with a program that is there
	if err := os.WriteFile(here, bytes.ReplaceAll(b, []byte("/usr/bin/kakusho"), []byte(self)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", here).CombinedOutput(); err != nil || bytes.Contains(out, []byte("kakusho.service")) {
		t.Errorf("verify: %v %s", err, out)
	}
}

func TestTheServiceManagerIsToldWhenPagesAreServed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	ctx, stop := context.WithCancel(t.Context())
	getenv := func(name string) string { return map[string]string{"NOTIFY_SOCKET": socket}[name] }
	done := make(chan int, 1)
	var out, log bytes.Buffer
	go func() {
		done <- run(ctx, getenv, []string{"serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0", "--interval", "-1s", "--journal=false", "--search-url", "none"}, nil, &out, &log)
	}()
	if err := manager.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, _, err := manager.ReadFrom(b)
	if err != nil || string(b[:n]) != "READY=1" {
		t.Errorf("told %q, %v, want READY=1", b[:n], err)
	}
	stop()
	if status := <-done; status != statusFine {
		t.Errorf("status %d: %s", status, log.String())
	}
}
