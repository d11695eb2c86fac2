package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/event"
	"kakusho/server"
	"kakusho/trail"
)

// program copies this test binary to where it is the command kakusho, so that it
// can start itself again as the index.
func copyOfMe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kakusho")
	if err := os.Link(os.Args[0], path); err == nil {
		return path
	}
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// load is who sends to a server that is killed now and then.
type load struct {
	t     *testing.T
	bin   string
	data  string
	addr  string
	token string
	trust *tls.Config // of a server behind TLS; nil: it is not

	mu    sync.Mutex
	acked map[string]bool // texts of events
	sent  map[string]bool
	known int // batches that were answered as brought before
}

const (
	loadSenders = 6
	loadBatch   = 25
)

// text of an event says whose it is.
func text(sender int, batch int64, i int) string {
	return fmt.Sprintf("sender-%d-%d-%d", sender, batch, i)
}

// send brings batches one after another until stop is closed; what was not answered
// is brought again until it is.
func (l *load) send(sender int, next *int64, stop <-chan struct{}) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: l.trust}}
	defer client.CloseIdleConnections()
	for {
		select {
		case <-stop:
			return
		default:
		}
		var b bytes.Buffer
		for i := range loadBatch {
			fmt.Fprintf(&b, `{"at":%q,"device":"loader-%d","text":%q}`+"\n", time.Now().Format(time.RFC3339Nano), sender, text(sender, *next, i))
		}
		l.mu.Lock()
		for i := range loadBatch {
			l.sent[text(sender, *next, i)] = true
		}
		l.mu.Unlock()
		again, taken := l.post(client, sender, *next, b.Bytes())
		if !taken {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		l.mu.Lock()
		for i := range loadBatch {
			l.acked[text(sender, *next, i)] = true
		}
		if again {
			l.known++
		}
		l.mu.Unlock()
		*next++
	}
}

func (l *load) post(client *http.Client, sender int, batch int64, body []byte) (again, taken bool) {
	scheme := "http"
	if l.trust != nil {
		scheme = "https"
	}
	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, scheme+"://"+l.addr+"/api/v1/events", bytes.NewReader(body))
	if err != nil {
		l.t.Error(err)
		return false, false
	}
	r.Header.Set("Authorization", "Bearer "+l.token)
	r.Header.Set("Kakusho-Sender", "loader-"+strconv.Itoa(sender))
	r.Header.Set("Kakusho-Batch", strconv.FormatInt(batch, 10))
	answer, err := client.Do(r)
	if err != nil {
		return false, false // it is dead
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return false, false
	}
	if answer.StatusCode == http.StatusServiceUnavailable {
		return false, false
	}
	var said struct {
		Taken     int
		Duplicate bool
		Faults    []any
	}
	if err := json.Unmarshal(text, &said); err != nil || answer.StatusCode != http.StatusOK || said.Taken != loadBatch || len(said.Faults) > 0 {
		l.t.Errorf("batch %d of sender %d: %s %s", batch, sender, answer.Status, text)
		return false, false
	}
	return said.Duplicate, true
}

// start starts the server and returns when it serves.
func (l *load) start(more ...string) *exec.Cmd {
	l.t.Helper()
	c := exec.Command(l.bin, append([]string{"serve", "--data", l.data, "--listen", l.addr, "--interval=-1s", "--journal=false"}, more...)...)
	c.Env = append(os.Environ(), "KAKUSHO_LANG=en")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		l.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "serving on") {
			go io.Copy(io.Discard, out) //nolint:errcheck // it ends with the process
			return c
		}
	}
	l.t.Fatalf("the server does not serve: %v", c.Wait())
	return nil
}

// TestKilledUnderLoadNothingAcknowledgedIsMissingOrTwice kills the real program
// again and again while senders bring numbered batches over HTTP.
func TestKilledUnderLoadNothingAcknowledgedIsMissingOrTwice(t *testing.T) {
	t.Parallel()
	rounds := 4
	if os.Getenv("KAKUSHO_NIGHTLY") != "" {
		rounds = 100
	}
	l := &load{t: t, bin: copyOfMe(t), data: filepath.Join(t.TempDir(), "d"), acked: map[string]bool{}, sent: map[string]bool{}}
	s, err := server.New(t.Context(), server.Config{Data: l.data, Interval: -1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if l.token, err = s.Identity.AddSender(t.Context(), actor.Program, "loader", time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.addr = free.Addr().String()
	free.Close()

	stop := make(chan struct{})
	var senders sync.WaitGroup
	for i := range loadSenders {
		senders.Go(func() { next := int64(1); l.send(i, &next, stop) })
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	for range rounds {
		c := l.start("--search-url", "none")
		time.Sleep(time.Duration(100+rng.IntN(1500)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
	}
	c := l.start()
	time.Sleep(500 * time.Millisecond)
	close(stop)
	senders.Wait()
	l.found(t.Context())
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	l.check()
	t.Logf("%d rounds, %d events acknowledged, %d batches answered as brought before", rounds, len(l.acked), l.known)
}

// found asks the running server, over its own socket, until the index has all.
func (l *load) found(ctx context.Context) {
	l.t.Helper()
	var said []byte
	for range 60 {
		c := exec.CommandContext(ctx, l.bin, "events", "search", "loader", "--by", "feed", "--data", l.data)
		c.Env = append(os.Environ(), "KAKUSHO_LANG=en")
		said, _ = c.CombinedOutput()
		n, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\t")
		if n == strconv.Itoa(len(l.acked)) {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	l.t.Errorf("acknowledged are %d events; the index counts %s", len(l.acked), said)
}

// check reads the trail: every event acknowledged once, every other at most once.
func (l *load) check() {
	l.t.Helper()
	times := map[string]int{}
	dirs, err := filepath.Glob(filepath.Join(l.data, "events", "*y"))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, dir := range dirs {
		r, err := trail.NewReader(dir)
		if err != nil {
			l.t.Fatal(err)
		}
		for line, err := range r.Lines(l.t.Context(), 0) {
			if err != nil {
				l.t.Fatal(err)
			}
			e, err := event.Decode(line.Bytes)
			if err != nil {
				l.t.Fatal(err)
			}
			times[e.Text]++
		}
		r.Close()
		key, err := trail.PublicKey(dir)
		if err != nil {
			l.t.Fatal(err)
		}
		report, err := trail.Verify(l.t.Context(), dir, key, nil)
		if err != nil || !report.OK() {
			l.t.Errorf("verify %s: %v %v", dir, report.Problems, err)
		}
	}
	missing, twice, made := 0, 0, 0
	for text := range l.acked {
		if times[text] == 0 {
			missing++
		}
	}
	for text, n := range times {
		if n > 1 && l.sent[text] { // what the program says itself, as that a disk fills up, it may say again
			twice++
		}
		if !l.sent[text] && strings.HasPrefix(text, "sender-") {
			made++
		}
	}
	if missing+twice+made > 0 || len(l.acked) < 100 {
		l.t.Errorf("of %d acknowledged events %d are missing; %d are there twice, %d were never sent", len(l.acked), missing, twice, made)
	}
}
