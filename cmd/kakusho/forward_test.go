package main

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kakusho/door/forward"
	"kakusho/door/lines"
	"kakusho/event"
	"kakusho/ingest"
	"kakusho/trail"
)

// otherEnd is where events are brought: the door and the trails of a Kakusho, behind
// TLS and a token.
type otherEnd struct {
	in  *ingest.Ingest
	log *trail.Log
	url string
	ca  string // file
	key string // file
}

func openOtherEnd(t *testing.T, token string) otherEnd {
	t.Helper()
	in, err := ingest.Open(t.Context(), t.TempDir(), ingest.Options{Now: time.Now, Resolve: func(event.Origin) ingest.Feed {
		return ingest.Feed{Keep: 300 * 24 * time.Hour}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	if _, err := in.Accept(t.Context(), event.Batch{Events: []event.Event{{At: time.Now(), Text: "first"}}}, false); err != nil {
		t.Fatal(err)
	}
	door := lines.Handler(lines.Options{Sink: in, Now: time.Now, Who: func(r *http.Request) (event.Origin, bool) {
		return event.Origin{Door: "api", Name: "host-a"}, r.Header.Get("Authorization") == "Bearer "+token
	}})
	s := httptest.NewTLSServer(door)
	t.Cleanup(s.Close)
	end := otherEnd{in: in, url: s.URL, ca: filepath.Join(t.TempDir(), "ca.pem"), key: filepath.Join(t.TempDir(), "keys")}
	for _, l := range in.Trails() {
		end.log = l
	}
	os.WriteFile(end.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o644)
	os.WriteFile(end.key, []byte("# receipts\n"+end.log.PublicKey()+"\n"), 0o644)
	return end
}

// texts are how often each text is in the trail.
func (o otherEnd) texts(t *testing.T, format string) map[string]int {
	t.Helper()
	m := map[string]int{}
	for line, err := range o.log.Lines(context.Background(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.Decode(line.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if e.Format == format {
			m[e.Text]++
		}
	}
	return m
}

// started is kakusho forward as a process.
func (o otherEnd) started(t *testing.T, data, token string, more ...string) *exec.Cmd {
	t.Helper()
	exe, err := exec.LookPath("kakusho")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "token")
	os.MkdirAll(data, 0o700)
	os.WriteFile(file, []byte(token+"\n"), 0o600)
	c := exec.Command(exe, append([]string{"forward", "--to", o.url, "--ca", o.ca, "--token-file", file, "--receipt-key", o.key, "--data", data}, more...)...)
	log, err := os.OpenFile(filepath.Join(data, "stderr"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Stderr = log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Lines are written and files rotated while the program is killed again and again:
// each line is in the trail once, and every receipt is honoured.
func TestForwardBringsEachLineOnceThoughKilled(t *testing.T) {
	const n, token = 1500, "of-host-a"
	end, dir, data := openOtherEnd(t, token), t.TempDir(), t.TempDir()
	written := make(chan bool)
	go func() {
		defer close(written)
		for i := range n {
			f, _ := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
			fmt.Fprintln(f, i)
			f.Close()
			if i%400 == 399 {
				os.Rename(filepath.Join(dir, "log"), filepath.Join(dir, "log."+strconv.Itoa(i)))
			}
			if i%10 == 0 {
				time.Sleep(5 * time.Millisecond)
			}
		}
	}()
	kills := 0
	for deadline := time.Now().Add(20 * time.Second); len(end.texts(t, "text")) < n && time.Now().Before(deadline); kills++ {
		c := end.started(t, data, token, "--file", filepath.Join(dir, "log*"))
		time.Sleep(time.Duration(150+rand.IntN(400)) * time.Millisecond)
		c.Process.Kill()
		c.Wait()
	}
	<-written
	c := end.started(t, data, token, "--file", filepath.Join(dir, "log*"))
	time.Sleep(time.Second)
	c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	said, _ := os.ReadFile(filepath.Join(data, "stderr"))
	got := end.texts(t, "text")
	for i := range n {
		if got[strconv.Itoa(i)] != 1 {
			t.Fatalf("line %d is there %d times, after %d kills\n%.3000s", i, got[strconv.Itoa(i)], kills, said)
		}
	}
	if strings.Contains(string(said), token) {
		t.Error("the token is in the log")
	}
	honoured(t, end, data)
	t.Logf("killed %d times", kills)
}

// honoured checks that the trail holds what its receipts say.
func honoured(t *testing.T, end otherEnd, data string) {
	t.Helper()
	f, err := os.Open(filepath.Join(data, "receipts"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	count := 0
	for in := bufio.NewScanner(f); in.Scan(); count++ {
		var r forward.Receipt
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		checked, err := trail.CheckReceipt([]byte(r.Note), end.log.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		if err := trail.Honoured(t.Context(), checked, end.log); err != nil {
			t.Errorf("batch %d: %v", r.Number, err)
		}
	}
	if count == 0 {
		t.Error("no receipts")
	}
	if files, _ := filepath.Glob(filepath.Join(data, "[dr]*ed", "*")); len(files) > 0 {
		t.Errorf("put aside: %v", files)
	}
}

// A real journald, in a mount namespace of its own, writes what real programs send it.
func TestForwardBringsTheJournal(t *testing.T) {
	j, ok := startJournald(t)
	if !ok {
		t.Skip(noJournald)
	}
	const n, token = 60, "of-host-a"
	end, data := openOtherEnd(t, token), t.TempDir()
	c := end.started(t, data, token, "--journal-dir", j.logs)
	for i := range n {
		if out, err := exec.Command("logger", "-u", j.socket, "-t", "app", "-p", "auth.warning", fmt.Sprintf("照会 %d", i)).CombinedOutput(); err != nil {
			t.Skipf("no logger here: %v %s", err, out)
		}
	}
	got := map[string]int{}
	for deadline := time.Now().Add(15 * time.Second); len(got) < n && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		got = end.texts(t, "journal")
		for text := range got {
			if !strings.HasPrefix(text, "照会") {
				delete(got, text)
			}
		}
	}
	c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	for i := range n {
		if k := got[fmt.Sprintf("照会 %d", i)]; k != 1 {
			said, _ := os.ReadFile(filepath.Join(data, "stderr"))
			t.Fatalf("entry %d is there %d times\n%s", i, k, said)
		}
	}
	honoured(t, end, data)
}

// The unit names flags that exist, and is closed as far as systemd can tell.
func TestTheUnitOfForwardIsRightAndHardened(t *testing.T) {
	const unit = "../../packaging/kakusho-forward.service"
	b, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), "\nExecStart=")
	line, _, _ = strings.Cut(line, "\n")
	flags := (&program{}).forward().Flags()
	for _, word := range strings.Fields(line) {
		if name, ok := strings.CutPrefix(word, "--"); ok && flags.Lookup(name) == nil {
			t.Errorf("there is no flag --%s", name)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", unit).CombinedOutput(); err != nil {
		t.Errorf("exposed more than 2.0: %s", out[max(0, len(out)-400):])
	}
}
