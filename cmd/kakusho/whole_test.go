package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"kakusho/server/events"
	"kakusho/verdict"
)

// whole is an installation as it stands in a machine room: the program, with every
// door open, and whoever sends to it.
type whole struct {
	t       *testing.T // the part that runs
	all     *testing.T
	bin     string
	dir     string // of what is nobody's
	data    string
	log     string // of the server, a file
	addr    map[string]string
	trust   *tls.Config
	journal *journald // nil: it cannot run here
	cmd     *exec.Cmd
	setup   string // path of the one-time link, from the first start
	http    *http.Client
	tokens  map[string]string // of senders, by name
	stream  string            // where the events are
	key     string            // file of its key

	forwarder *exec.Cmd
}

// each is how many events every sender brings before the trouble begins.
const each = 120

func newWhole(t *testing.T) *whole {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "kakusho-whole") // short, for the names of sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &whole{t: t, all: t, bin: copyOfMe(t), dir: dir, data: filepath.Join(dir, "data"), log: filepath.Join(dir, "server.log"), addr: map[string]string{}, tokens: map[string]string{}}
	w.trust = certificates(t, dir)
	for _, door := range []string{"main", "udp", "tcp", "tls", "grpc"} {
		w.addr[door] = freePort(t, door == "udp")
	}
	if j, ok := startJournald(t); ok {
		w.journal = &j
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.http = &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: w.trust},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		if w.cmd != nil {
			w.cmd.Process.Kill()
			w.cmd.Wait()
		}
		if said, _ := os.ReadFile(w.log); t.Failed() {
			t.Logf("the server said:\n%s", said[max(0, len(said)-6000):])
		}
	})
	return w
}

func freePort(t *testing.T, udp bool) string {
	t.Helper()
	if udp {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().String()
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// start starts the server with every door, and returns when it serves.
func (w *whole) start() {
	w.t.Helper()
	args := []string{"serve", "--data", w.data, "--listen", w.addr["main"], "--interval=-1s", "--tls-cert", w.dir + "/server.pem", "--tls-key", w.dir + "/server.key", "--client-ca", w.dir + "/ca.pem",
		"--syslog-udp", w.addr["udp"], "--syslog-tcp", w.addr["tcp"], "--syslog-tls", w.addr["tls"], "--otlp-grpc", w.addr["grpc"]}
	w.cmd = exec.Command(w.bin, append(args, "--journal=false")...)
	if w.journal != nil {
		w.cmd = w.journal.beside(w.bin, args...)
	}
	log, err := os.OpenFile(w.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer log.Close()
	w.cmd.Env, w.cmd.Stderr = append(os.Environ(), "KAKUSHO_LANG=en", "TMPDIR="+w.dir), log
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, link, ok := strings.Cut(lines.Text(), w.addr["main"]+"/setup"); ok {
			w.setup = "/setup" + strings.TrimSpace(link)
		}
		if strings.HasPrefix(lines.Text(), "an invented body") {
			go io.Copy(io.Discard, out) //nolint:errcheck // it ends with the process
			return
		}
	}
	w.t.Fatalf("the server does not serve: %v", w.cmd.Wait())
}

func (w *whole) kill() {
	w.t.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	_ = w.cmd.Wait()
}

// command runs the program as the operator does, beside the running server.
func (w *whole) command(args ...string) (string, error) {
	c := exec.CommandContext(w.t.Context(), w.bin, args...)
	c.Env, c.Dir = append(os.Environ(), "KAKUSHO_LANG=en"), w.dir
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("kakusho %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return string(out), err
}

func (w *whole) must(args ...string) string {
	w.t.Helper()
	out, err := w.command(args...)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// ask asks the pages, as a person at a browser or a program with his session.
func (w *whole) ask(method, path, kind, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "https://"+w.addr["main"]+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	answer, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (w *whole) get(path string) string {
	w.t.Helper()
	status, text := w.ask("GET", path, "", "")
	if status != http.StatusOK {
		w.t.Fatalf("GET %s: %d %.300s", path, status, text)
	}
	return text
}

// administrator makes the first one through the one-time link, and logs him in.
func (w *whole) administrator() {
	w.t.Helper()
	secret := regexp.MustCompile(`(?:[A-Z2-7]{4} ){3,}[A-Z2-7]{1,4}`).FindString(w.get(w.setup))
	code, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), time.Now())
	if err != nil {
		w.t.Fatalf("the link shows no secret: %v", err)
	}
	const password, form = "Whole-Machine-Room-77", "application/x-www-form-urlencoded"
	v := url.Values{"token": {strings.TrimPrefix(w.setup, "/setup?token=")}, "person": {"A0001"}, "name": {"試験 太郎"}, "office": {"試験県警察"}, "password": {password}, "again": {password}, "code": {code}}
	if status, text := w.ask("POST", "/setup", form, v.Encode()); status != http.StatusSeeOther {
		w.t.Fatalf("set up: %d %.1000s", status, text)
	}
	if status, text := w.ask("POST", "/login", form, url.Values{"person": {"A0001"}, "password": {password}, "code": {code}}.Encode()); status != http.StatusSeeOther {
		w.t.Fatalf("log in: %d %.1000s", status, text)
	}
}

// source enters where events come from.
func (w *whole) source(id string, more map[string]any) {
	w.t.Helper()
	values := map[string]any{"title": id, "system": "KAKUSHO", "status": "in-service"}
	for k, v := range more {
		values[k] = v
	}
	body, err := json.Marshal(map[string]any{"rev": 0, "values": values})
	if err != nil {
		w.t.Fatal(err)
	}
	if status, text := w.ask("PUT", "/api/v1/register/log-source/"+id, "application/json", string(body)); status != http.StatusOK {
		w.t.Fatalf("enter source %s: %d %s", id, status, text)
	}
}

// says is what a control says of a subject now.
func (w *whole) says(control, subject string) verdict.Outcome {
	w.t.Helper()
	var said struct{ Verdicts []verdict.Verdict }
	if err := json.Unmarshal([]byte(w.get("/api/v1/verdicts?control="+url.QueryEscape(control))), &said); err != nil {
		w.t.Fatal(err)
	}
	for _, v := range said.Verdicts {
		if v.Subject == subject {
			return v.Outcome
		}
	}
	return ""
}

func (w *whole) expect(when, control, subject string, want verdict.Outcome) {
	w.t.Helper()
	if got := w.says(control, subject); got != want {
		w.t.Errorf("%s: %s says %q of %s, want %q", when, control, got, subject, want)
	}
}

// hit is one line of kakusho events search.
type hit struct {
	ref, standing, text string
}

// hits are the events that a word finds.
func (w *whole) hits(word string) ([]hit, error) {
	out, err := w.command("events", "search", word, "--limit", "1000", "--data", w.data)
	if err != nil {
		return nil, err
	}
	var found []hit
	for line := range strings.Lines(out) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != 7 {
			return nil, fmt.Errorf("events search printed %q", line)
		}
		found = append(found, hit{cells[1], cells[2], cells[6]})
	}
	return found, nil
}

// numbered is the number an event carries after the word of its sender.
func numbered(word, text string) (int, bool) {
	_, rest, ok := strings.Cut(text, word+" ")
	n, err := strconv.Atoi(strings.TrimSpace(rest))
	return n, ok && err == nil
}

// once waits until a word finds n events that are sealed, and sees that they are
// those sent: each number once. It returns where they are.
func (w *whole) once(word string, n int) []string {
	w.t.Helper()
	var found []hit
	var err error
	sealed := 0
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); time.Sleep(150 * time.Millisecond) {
		found, err = w.hits(word)
		sealed = 0
		for _, h := range found {
			if h.standing == "verified" {
				sealed++
			}
		}
		if len(found) >= n && sealed == len(found) {
			break
		}
	}
	times, refs := map[int]int{}, make([]string, n)
	for _, h := range found {
		k, ok := numbered(word, h.text)
		if !ok || k >= n {
			w.t.Errorf("%s: nobody sent %q", word, h.text)
			continue
		}
		times[k]++
		refs[k] = h.ref
	}
	missing, twice := 0, 0
	for k := range n {
		if times[k] == 0 {
			missing++
		}
		if times[k] > 1 {
			twice++
		}
	}
	if err != nil || missing+twice > 0 || sealed != n {
		w.t.Errorf("%s: %d were sent, %d are found and %d of them verified; %d are missing, %d are there twice; %v", word, n, len(found), sealed, missing, twice, err)
	}
	return refs
}

// proven takes the proof of an event from its page, and holds it against the key
// with nothing else at hand.
func (w *whole) proven(word string, n int, ref string) {
	w.t.Helper()
	proof := []byte(w.get("/event/" + ref + "/proof"))
	file := filepath.Join(w.dir, word+".tlog-proof")
	if err := os.WriteFile(file, proof, 0o600); err != nil {
		w.t.Fatal(err)
	}
	said, err := w.command("trail", "verify", "--data", filepath.Join(w.dir, "nowhere"), "--proof", file, "--key", w.key)
	if text := fmt.Sprintf("wholetest %s %d\"", word, n); err != nil || !strings.Contains(said, text) {
		w.t.Errorf("proof of %s %d: %v\n%s", word, n, err, said)
	}
	at := bytes.Index(proof, []byte(word)) // another event in its place
	if at < 0 {
		at = len(proof) / 2
	}
	proof[at] ^= 1
	if err := os.WriteFile(file, proof, 0o600); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.command("trail", "verify", "--data", filepath.Join(w.dir, "nowhere"), "--proof", file, "--key", w.key); err == nil {
		w.t.Errorf("a changed proof of %s %d holds", word, n)
	}
}

// listed sees that the file of the page of the search has every event of the
// senders once, and verified.
func (w *whole) listed(sent []sender) {
	w.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.get("/events/csv?range=1h&q=wholetest"), "\ufeff"))).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	times := map[string]int{}
	for _, row := range rows[1:] {
		if row[2] == "verified" {
			times[row[len(row)-1]]++
		}
	}
	for _, s := range sent {
		for k := range each {
			if text := fmt.Sprintf("wholetest %s %d", s.word, k); times[text] != 1 {
				w.t.Errorf("%q is %d times in the file of the search", text, times[text])
				break
			}
		}
	}
}

func (w *whole) standing() (s events.Standing) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.must("events", "status", "--data", w.data)), &s); err != nil {
		w.t.Fatal(err)
	}
	return s
}

// takeKey takes the key of the stream, as an auditor does: once, at the beginning.
func (w *whole) takeKey() {
	w.t.Helper()
	s := w.standing()
	if len(s.Streams) != 1 {
		w.t.Fatalf("streams: %+v", s.Streams)
	}
	w.stream, w.key = s.Streams[0].Name, filepath.Join(w.dir, "stream.pub")
	if err := os.WriteFile(w.key, []byte(w.get("/event/"+w.stream+"/key")), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// indexes are the processes that are the index: children of the server.
func (w *whole) indexes() (out []int) {
	server := strconv.Itoa(w.cmd.Process.Pid)
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range all {
		b, _ := os.ReadFile(name)
		i := bytes.LastIndexByte(b, ')')
		if i < 0 {
			continue
		}
		if cells := strings.Fields(string(b[i+1:])); len(cells) > 1 && cells[1] == server && cells[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			out = append(out, pid)
		}
	}
	return out
}

// TestEverythingSentByRealSendersIsFoundAndProven is the whole on one machine: a real
// rsyslog, logger, OpenTelemetry's exporters, systemd-journald and our forwarder
// send; what they sent is found once, proven, and counted for the clauses; and it
// stays so when the server and the index are killed.
func TestEverythingSentByRealSendersIsFoundAndProven(t *testing.T) {
	w := newWhole(t)
	w.start()
	w.administrator()
	for _, name := range []string{"otel.example", "branch.example", "batch.example"} {
		w.tokens[name] = strings.TrimSpace(w.must("sender", "add", name, "--data", w.data))
	}
	w.register()
	sent := w.sendAll()
	w.login()
	w.listed(sent)
	var load *load
	later := 0
	w.part("killed under load", func() { load, later = w.killedUnderLoad() })
	w.part("coverage", func() { w.covered(sent) })
	w.part("the index killed", func() { w.indexKilled(load, later) })
	if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "kakusho-index-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	load.check()
	if said, err := w.command("trail", "verify", "--data", w.data, "--trail", "events/"+w.stream, "--key", w.key); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if said, err := w.command("trail", "receipt", "--data", w.data, "--trail", "events/"+w.stream, "--key", w.key, filepath.Join(w.dir, "forward/receipts")); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// part runs a part of the test; what it starts goes on.
func (w *whole) part(name string, do func()) {
	w.all.Run(name, func(t *testing.T) {
		w.t = t
		defer func() { w.t = w.all }()
		do()
	})
}

// register enters the sources. Nobody has counted anything of them yet.
func (w *whole) register() {
	w.t.Helper()
	with := func(door string, more map[string]any) map[string]any {
		v := map[string]any{"door": door}
		for k, x := range more {
			v[k] = x
		}
		return v
	}
	w.source("TCP", with("syslog-tcp", map[string]any{"match_address": "127.0.0.1", "classes": []string{"login"}}))
	w.source("TLS", with("syslog-tls", map[string]any{"match_name": "host-7.example"}))
	w.source("UDP", with("syslog-udp", map[string]any{"match_address": "127.0.0.0/8", "zone_time": "UTC", "silence": "1s", "classes": []string{"login"}}))
	w.source("OTLP", with("otlp", map[string]any{"match_name": "otel.example"}))
	w.source("BRANCH", with("api", map[string]any{"match_name": "branch.example"}))
	w.source("BATCH", with("api", map[string]any{"match_name": "batch.example"}))
	w.source("NEVER", with("api", map[string]any{"match_name": "nobody.example"}))
	w.expect("before anything was counted", "trail/source-arrives", "log-source/TCP", verdict.Unknown)
	w.expect("before anything was counted", "trail/source-arrives", "log-source/NEVER", verdict.Unknown)
	time.Sleep(1200 * time.Millisecond) // the doors look at the register once a second
}

// killedUnderLoad kills the server while a program, the forwarder and the journal
// bring events, and sees that all is there once.
func (w *whole) killedUnderLoad() (l *load, written int) {
	l = &load{t: w.all, bin: w.bin, data: w.data, addr: w.addr["main"], token: w.tokens["batch.example"], trust: w.trust, acked: map[string]bool{}, sent: map[string]bool{}}
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for i := range 3 {
		senders.Go(func() { next := int64(1); l.send(i, &next, stop) })
	}
	more := func() {
		w.file("viafilelater", written, 20)
		w.cat("viacatlater", written, 20)
		written += 20
	}
	for range 2 {
		more()
		time.Sleep(500 * time.Millisecond)
		w.kill()
		more() // nobody is there
		w.forwarder.Process.Kill()
		w.forwarder.Wait()
		w.start()
		w.forward()
	}
	more()
	time.Sleep(300 * time.Millisecond)
	close(stop)
	senders.Wait()
	if w.journal != nil {
		w.once("viacatlater", written)
	}
	w.once("viafilelater", written)
	l.found(w.t.Context())
	w.t.Logf("%d events acknowledged over two kills, %d batches answered as brought before", len(l.acked), l.known)
	return l, written
}

// covered sees that the clauses are judged by what arrived, counted again after the
// kills.
func (w *whole) covered(sent []sender) {
	w.t.Helper()
	counts := map[string]int64{}
	for _, x := range sent {
		counts[x.source] += each
	}
	now := w.standing().Feeds
	for id, n := range counts {
		if got := now[id].Count; got < n {
			w.t.Errorf("%s counts %d events, at least %d came", id, got, n)
		}
		if id == "UDP" {
			continue
		}
		w.expect("after the events", "trail/source-arrives", "log-source/"+id, verdict.Conforms)
		w.expect("after the events", "trail/source-no-loss", "log-source/"+id, verdict.Conforms)
	}
	if counts["UDP"] > 0 {
		w.expect("after a second of silence", "trail/source-arrives", "log-source/UDP", verdict.Violates)
		w.expect("with a silent source", "trail/no-silent-sources", "system/KAKUSHO", verdict.Violates)
	}
	if counts["TCP"] > 0 {
		w.expect("with a login", "trail/source-classes", "log-source/TCP", verdict.Conforms)
		w.expect("without a login", "trail/source-classes", "log-source/UDP", verdict.Violates)
	}
	w.expect("never heard of", "trail/source-arrives", "log-source/NEVER", verdict.Violates)
	w.source("LATER", map[string]any{"door": "api", "match_name": "later.example"})
	w.expect("entered just now", "trail/source-arrives", "log-source/LATER", verdict.Unknown)
	if page := w.get("/events/sources"); !strings.Contains(page, "NEVER") {
		w.t.Errorf("the page of sources does not know one that never sent")
	}
}

// indexKilled kills the index again and again under load: those who send do not
// notice, and it is exact again soon.
func (w *whole) indexKilled(l *load, written int) {
	w.t.Helper()
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for i := range 2 {
		senders.Go(func() { next := int64(1); l.send(100+i, &next, stop) })
	}
	acked := func() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.acked) }
	alive, dead := 0, 0
	for range 3 {
		pids := w.indexes()
		for deadline := time.Now().Add(10 * time.Second); len(pids) == 0 && time.Now().Before(deadline); pids = w.indexes() {
			time.Sleep(20 * time.Millisecond)
		}
		if len(pids) != 1 {
			w.t.Errorf("processes of the index: %v", pids)
			break
		}
		began := acked()
		time.Sleep(300 * time.Millisecond)
		killed := acked()
		syscall.Kill(pids[0], syscall.SIGKILL)
		time.Sleep(300 * time.Millisecond)
		alive, dead = alive+killed-began, dead+acked()-killed
	}
	if dead == 0 || dead < alive/5 {
		w.t.Errorf("%d events were taken with the index, %d as soon as it was dead", alive, dead)
	}
	close(stop)
	senders.Wait()
	l.found(w.t.Context())
	w.once("viafilelater", written)
	w.exact()
}

// exact waits until the index counts as many events as the trail holds.
func (w *whole) exact() {
	w.t.Helper()
	var counted, held int64
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		counted, held = 0, 0
		for line := range strings.Lines(w.must("events", "search", "--by", "format", "--data", w.data)) {
			n, _, _ := strings.Cut(line, "\t")
			count, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				w.t.Fatalf("events search printed %q", line)
			}
			counted += count
		}
		for _, s := range w.standing().Streams {
			held += s.Events
		}
		if counted == held {
			return
		}
	}
	w.t.Errorf("the index counts %d events, the trail holds %d", counted, held)
}
