package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdk "go.opentelemetry.io/otel/sdk/log"
	"google.golang.org/grpc/credentials/insecure"
)

// sender brings numbered events that have its word.
type sender struct {
	word   string
	source string // entry of the register by which they come
	lacks  string // what is not here; empty: it can send
	send   func()
}

func numberedText(word string, n int) string { return fmt.Sprintf("wholetest %s %d", word, n) }

func numberedLines(word string, from, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, numberedText(word, from+i))
	}
	return b.String()
}

// lacking says which of the programs are not here.
func lacking(programs ...string) string {
	for _, p := range programs {
		if toolPath(p) == "" {
			return p + " is not installed"
		}
	}
	return ""
}

func toolPath(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// senders are all of them. The forwarder comes last: it wants a key that the first
// event makes.
func (w *whole) senders() []sender {
	rsyslog := lacking("rsyslogd", "logger")
	if found, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_ossl.so"); rsyslog == "" && len(found) == 0 {
		rsyslog = "rsyslog-openssl is not installed"
	}
	journal := lacking("logger", "systemd-cat", "nsenter")
	if w.journal == nil {
		journal = noJournald
	}
	logger := func(word, door string, way ...string) func() {
		host, port, _ := net.SplitHostPort(w.addr[door])
		return func() {
			w.feed(word, 0, each, exec.Command("logger", append(way, "-n", host, "-P", port, "-t", "app", "-p", "auth.notice")...))
		}
	}
	socket := filepath.Join(w.dir, "log")
	if rsyslog == "" {
		w.rsyslogd(socket)
	}
	via := func(word string) func() {
		return func() { w.feed(word, 0, each, exec.Command("logger", "-u", socket, "-t", word, "-p", "daemon.notice")) }
	}
	return []sender{
		{"viaudp", "UDP", lacking("logger"), logger("viaudp", "udp", "-d", "--rfc3164")},
		{"vialogger", "TCP", lacking("logger"), logger("vialogger", "tcp", "-T", "--rfc5424", "--octet-count")},
		{"viatcp", "TCP", rsyslog, via("viatcp")},
		{"viatls", "TLS", rsyslog, via("viatls")},
		{"viahttp", "OTLP", "", func() { w.otlp("viahttp", false) }},
		{"viagrpc", "OTLP", "", func() { w.otlp("viagrpc", true) }},
		{"viacat", "KAKUSHO-1-JOURNAL", journal, func() { w.cat("viacat", 0, each) }},
		{"viajournal", "KAKUSHO-1-JOURNAL", journal, func() {
			w.feed("viajournal", 0, each, exec.Command("logger", "-u", w.journal.socket, "-t", "app", "-p", "auth.notice"))
		}},
		{"vialines", "BATCH", "", w.lines},
		{"viafile", "BRANCH", "", func() { w.takeKey(); w.forward(); w.file("viafile", 0, each) }},
	}
}

// sendAll has each of them send, and sees what became of it. It returns those that
// sent.
func (w *whole) sendAll() (sent []sender) {
	w.t.Helper()
	all := w.senders()
	for _, s := range all {
		if s.lacks == "" {
			s.send()
			sent = append(sent, s)
		}
	}
	for _, s := range all {
		w.part(s.word, func() {
			if s.lacks != "" {
				w.t.Skip(s.lacks)
			}
			refs := w.once(s.word, each)
			if n := each / 2; refs[n] != "" {
				w.proven(s.word, n, refs[n])
			}
		})
	}
	return sent
}

// login has a login be reported over TCP.
func (w *whole) login() {
	w.t.Helper()
	host, port, _ := net.SplitHostPort(w.addr["tcp"])
	if lacking("logger") != "" {
		return
	}
	const text = "Accepted publickey for yamada from 192.0.2.9 port 52222 ssh2: ED25519 SHA256:AbC"
	if out, err := exec.Command("logger", "-T", "-n", host, "-P", port, "-t", "sshd", "-p", "auth.info", text).CombinedOutput(); err != nil {
		w.t.Errorf("report a login: %v: %s", err, out)
	}
}

// feed gives numbered lines to a program.
func (w *whole) feed(word string, from, n int, c *exec.Cmd) {
	w.t.Helper()
	c.Stdin, c.Env = strings.NewReader(numberedLines(word, from, n)), append(os.Environ(), "TZ=UTC")
	if out, err := c.CombinedOutput(); err != nil {
		w.t.Errorf("%s: %v: %s", word, err, out)
	}
}

// cat has systemd-cat write to the journal.
func (w *whole) cat(word string, from, n int) {
	w.t.Helper()
	if w.journal != nil {
		w.feed(word, from, n, w.journal.beside("systemd-cat", "-t", "app"))
	}
}

// file appends to the file that is forwarded.
func (w *whole) file(word string, from, n int) {
	w.t.Helper()
	f, err := os.OpenFile(filepath.Join(w.dir, "app.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(numberedLines(word, from, n)); err != nil {
		w.t.Fatal(err)
	}
}

// started starts a program that runs until the test ends.
func (w *whole) started(c *exec.Cmd) {
	w.t.Helper()
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.all.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
		if w.all.Failed() {
			w.all.Logf("%s said:\n%.3000s", filepath.Base(c.Path), said.String())
		}
	})
}

// forward brings the file as another machine does.
func (w *whole) forward() {
	w.t.Helper()
	token := filepath.Join(w.dir, "token")
	if err := os.WriteFile(token, []byte(w.tokens["branch.example"]), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.forwarder = exec.Command(w.bin, "forward", "--to", "https://"+w.addr["main"], "--ca", w.dir+"/ca.pem", "--token-file", token, "--receipt-key", w.key,
		"--data", filepath.Join(w.dir, "forward"), "--file", filepath.Join(w.dir, "app.log"))
	w.started(w.forwarder)
}

// rsyslogd sends what programs of the name viatcp write over TCP, and viatls over TLS.
func (w *whole) rsyslogd(socket string) {
	w.t.Helper()
	forward := func(tag, door, more string) string {
		host, port, _ := net.SplitHostPort(w.addr[door])
		return fmt.Sprintf("if $programname == %q then action(type=\"omfwd\" target=%q port=%q protocol=\"tcp\" template=\"RSYSLOG_SyslogProtocol23Format\" %s)\n", tag, host, port, more)
	}
	conf := fmt.Sprintf("global(workDirectory=%[1]q defaultNetstreamDriverCAFile=%[2]q defaultNetstreamDriverCertFile=%[3]q defaultNetstreamDriverKeyFile=%[4]q)\n"+
		"module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=%[5]q)\n", w.dir, w.dir+"/ca.pem", w.dir+"/client.pem", w.dir+"/client.key", socket) +
		forward("viatcp", "tcp", `TCP_Framing="octet-counted"`) +
		forward("viatls", "tls", `StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"`)
	file := filepath.Join(w.dir, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.started(exec.Command(toolPath("rsyslogd"), "-n", "-f", file, "-i", filepath.Join(w.dir, "rsyslog.pid")))
	for range 500 {
		if _, err := os.Stat(socket); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("rsyslogd did not start")
}

// otlp sends with OpenTelemetry's own exporters, by the batch processor of its SDK.
func (w *whole) otlp(word string, grpc bool) {
	w.t.Helper()
	ctx := context.Background()
	token := map[string]string{"Authorization": "Bearer " + w.tokens["otel.example"]}
	var exporter sdk.Exporter
	var err error
	if grpc {
		exporter, err = otlploggrpc.New(ctx, otlploggrpc.WithEndpoint(w.addr["grpc"]), otlploggrpc.WithTLSCredentials(insecure.NewCredentials()), otlploggrpc.WithHeaders(token))
	} else {
		exporter, err = otlploghttp.New(ctx, otlploghttp.WithEndpoint(w.addr["main"]), otlploghttp.WithTLSClientConfig(w.trust), otlploghttp.WithHeaders(token))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	provider := sdk.NewLoggerProvider(sdk.WithProcessor(sdk.NewBatchProcessor(exporter)))
	for i := range each {
		var r log.Record
		r.SetTimestamp(time.Now())
		r.SetBody(log.StringValue(numberedText(word, i)))
		provider.Logger("whole").Emit(ctx, r)
	}
	if err := provider.Shutdown(ctx); err != nil {
		w.t.Errorf("%s: %v", word, err)
	}
}

// lines brings a batch as a program does, twice with the same number.
func (w *whole) lines() {
	w.t.Helper()
	var b bytes.Buffer
	for i := range each {
		fmt.Fprintf(&b, `{"at":%q,"device":"batch-1","text":%q}`+"\n", time.Now().Format(time.RFC3339Nano), numberedText("vialines", i))
	}
	for range 2 {
		r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "https://"+w.addr["main"]+"/api/v1/events", bytes.NewReader(b.Bytes()))
		if err != nil {
			w.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+w.tokens["batch.example"])
		r.Header.Set("Kakusho-Sender", "batch-1")
		r.Header.Set("Kakusho-Batch", strconv.Itoa(1))
		answer, err := w.http.Do(r)
		if err != nil {
			w.t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			w.t.Errorf("vialines: %s", answer.Status)
		}
	}
}

// certificates makes an authority, and of it a server's and a client's certificate,
// as files ca, server and client. It returns how a client trusts the server.
func certificates(t *testing.T, dir string) *tls.Config {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey := newKey()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	trust := &tls.Config{RootCAs: x509.NewCertPool()}
	for i, name := range []string{"ca", "localhost", "host-7.example"} {
		k, of := newKey(), &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: from, NotAfter: until, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		if i == 0 {
			k, of = caKey, ca
		}
		der, err := x509.CreateCertificate(rand.Reader, of, ca, k.Public(), caKey)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			trust.RootCAs.AddCert(c)
		}
		raw, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, []string{"ca", "server", "client"}[i])
		for suffix, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: raw}} {
			if err := os.WriteFile(file+suffix, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return trust
}
