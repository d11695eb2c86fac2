package syslog_test

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
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/door/doortest"
	"kakusho/door/syslog"
	"kakusho/event"
)

// open is a door of each kind on loopback, before one sink.
type open struct {
	sink          *doortest.Sink
	udp, tcp, tls string // addresses
	stop          func()
}

func serve(t *testing.T, o syslog.Options, secure *tls.Config) open {
	t.Helper()
	sink := &doortest.Sink{T: t}
	o.Sink, o.Now = sink, time.Now
	u, err := syslog.ListenUDP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	go func() { done <- syslog.ServeUDP(ctx, u, o) }()
	go func() { done <- syslog.ServeTCP(ctx, l, o) }()
	out := open{sink: sink, udp: u.LocalAddr().String(), tcp: l.Addr().String()}
	n := 2
	if secure != nil {
		ls, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- syslog.ServeTLS(ctx, ls, secure, o) }()
		out.tls, n = ls.Addr().String(), 3
	}
	stopped := false
	out.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		for range n {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(out.stop)
	return out
}

func (o open) wait(t *testing.T, n int) []event.Event {
	t.Helper()
	for range 400 {
		if o.sink.Count() >= n {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	events := o.sink.Events()
	if len(events) != n {
		t.Fatalf("%d events, want %d; %d lost", len(events), n, o.sink.LostCount())
	}
	return events
}

func send(t *testing.T, address string, chunks ...string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, chunk := range chunks {
		if _, err := io.WriteString(c, chunk); err != nil {
			t.Fatal(err)
		}
		if len(chunks) < 50 {
			time.Sleep(2 * time.Millisecond)
		}
	}
}

func TestStreamsAreCutAsTheirSendersMeantThem(t *testing.T) {
	const m = "<13>1 - h a - - - "
	long := strings.Repeat("x", 3000)
	cases := []struct {
		name   string
		chunks []string
		want   []string // texts; a + at the end: said to be cut
	}{
		{"octet counts", []string{"20 " + m + "ab19 " + m + "c"}, []string{"ab", "c"}},
		{"octet counts with line feeds after them", []string{"20 " + m + "ab\n19 " + m + "c\n"}, []string{"ab", "c"}},
		{"a line feed inside a counted message", []string{"21 " + m + "a\nb"}, []string{"a\nb"}},
		{"lines", []string{m + "ab\n" + m + "c\r\n\n"}, []string{"ab", "c"}},
		{"both", []string{"20 " + m + "ab" + m + "c\n" + "19 " + m + "d"}, []string{"ab", "c", "d"}},
		{"byte by byte", strings.Split("20 "+m+"ab"+m+"c\n19 "+m+"d", ""), []string{"ab", "c", "d"}},
		{"a last line without an end", []string{m + "ab"}, []string{"ab"}},
		{"lines that begin with a number", []string{"2026 is a year\n12\n"}, []string{"2026 is a year", "12"}},
		{"a count that is too small", []string{"19 " + m + "ab\n" + m + "c\n"}, []string{"a", "b", "c"}},
		{"a count that is too large, and then the end", []string{"99 " + m + "ab"}, []string{"ab+"}},
		{"a count of many digits", []string{"99999999999999 " + m + "ab\n" + m + "c\n"}, []string{"99999999999999 " + m + "ab", "c"}},
		{"a count of a gigabyte", []string{"999999999 " + m + long}, []string{long[:2000-18] + "+"}},
		{"a count of 0", []string{"0 " + m + "\n" + m + "c\n"}, []string{"0 " + m, "c"}},
		{"a long line and one behind it", []string{m + long + "\n" + m + "c\n"}, []string{long[:2000-18] + "+", "c"}},
		{"a long counted message and one behind it", []string{fmt.Sprint(len(m+long)) + " " + m + long + "19 " + m + "c"}, []string{long[:2000-18] + "+", "c"}},
		{"a line of exactly the limit", []string{m + long[:2000-18] + "\n" + m + "c\n"}, []string{long[:2000-18], "c"}},
		{"a counted message of exactly the limit", []string{"2000 " + m + long[:2000-18] + "19 " + m + "c"}, []string{long[:2000-18], "c"}},
		{"nothing but line feeds and NULs", []string{"\n\n\x00\n"}, nil},
		{"many", slices.Repeat([]string{m + "x\n"}, 5000), slices.Repeat([]string{"x"}, 5000)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := serve(t, syslog.Options{MaxMessage: 2000}, nil)
			send(t, o.tcp, c.chunks...)
			var got []string
			for _, e := range o.wait(t, len(c.want)) {
				if e.Fields[event.Truncated] != "" {
					e.Text += "+"
				}
				if e.Fields[event.Peer] != "127.0.0.1" {
					t.Error("no peer")
				}
				got = append(got, e.Text)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%.300q\nwant %.300q", got, c.want)
			}
			o.stop()
		})
	}
}

func TestDatagramsOfOneSenderStayInOrder(t *testing.T) {
	o := serve(t, syslog.Options{}, nil)
	c, err := net.Dial("udp", o.udp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.sink.Full(5) // and wait for a store that is full
	for i := range 500 {
		fmt.Fprintf(c, "<13>1 - h a - - - %d", i)
	}
	fmt.Fprint(c, "") // empty: nothing
	for i, e := range o.wait(t, 500) {
		if e.Text != fmt.Sprint(i) || e.Fields[event.Peer] != "127.0.0.1" || e.Device != "h" {
			t.Fatalf("%d: %+v", i, e)
		}
	}
	if b := o.sink.Batches()[0]; b.Origin != (event.Origin{Door: "syslog-udp", Address: "127.0.0.1"}) {
		t.Errorf("%+v", b.Origin)
	}
}

// What the kernel had no room for is counted although nothing comes after it.
func TestDatagramsTheKernelDroppedAreCounted(t *testing.T) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("udp", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const sent = 200
	for i := range sent { // nobody reads yet
		fmt.Fprintf(c, "<13>1 - h a - - - %d", i)
	}
	sink := &doortest.Sink{T: t}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- syslog.ServeUDP(ctx, conn, syslog.Options{Sink: sink, Now: time.Now}) }()
	for range 200 {
		if sink.LostCount() > 0 && sink.Count()+int(sink.LostCount()) == sent {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n, lost := sink.Count(), sink.LostCount(); lost == 0 || n+int(lost) != sent {
		t.Errorf("%d taken and %d lost of %d", n, lost, sent)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestDatagramsThatFindNoRoomAreCountedByAddress(t *testing.T) {
	o := serve(t, syslog.Options{MaxQueued: 10_000}, nil)
	o.sink.Full(1 << 40)
	c, err := net.Dial("udp", o.udp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 200 {
		fmt.Fprintf(c, "<13>%s", strings.Repeat("x", 1000))
		time.Sleep(100 * time.Microsecond)
	}
	for range 100 {
		if o.sink.LostCount() >= 190 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	lost := o.sink.LostCount()
	o.sink.Full(0)
	for range 100 {
		if o.sink.Count()+int(o.sink.LostCount()) == 200 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if taken := o.sink.Count(); lost < 190 || taken == 0 || taken+int(o.sink.LostCount()) != 200 {
		t.Errorf("%d taken and %d lost of 200", taken, o.sink.LostCount())
	}
}

func TestWhatTheStoreRefusesIsAloneAndCounted(t *testing.T) {
	o := serve(t, syslog.Options{}, nil)
	o.sink.Refuse(func(e event.Event) error {
		if e.Text == "bad" {
			return errors.New("no")
		}
		return nil
	})
	var all strings.Builder
	for i := range 101 {
		text := "good"
		if i == 37 {
			text = "bad"
		}
		all.WriteString("<13>" + text + "\n")
	}
	send(t, o.tcp, all.String())
	o.wait(t, 100)
	if n := o.sink.LostCount(); n != 1 {
		t.Errorf("%d lost", n)
	}
}

func TestAFullStoreHoldsTheSenderBackAndLosesNothing(t *testing.T) {
	o := serve(t, syslog.Options{}, nil)
	o.sink.Full(6)
	send(t, o.tcp, strings.Repeat("<13>x\n", 3000))
	o.wait(t, 3000)
	if n := o.sink.LostCount(); n != 0 {
		t.Errorf("%d lost", n)
	}
}

// 10,000 connections of one address that each begin a message and never end it: memory
// stays bounded, and another address is served.
func TestTenThousandSlowConnectionsDoNotKeepOthersOut(t *testing.T) {
	o := serve(t, syslog.Options{MaxConnections: 500, Patience: time.Minute}, nil)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	var held []net.Conn
	for range 10_000 {
		c, err := d.Dial("tcp", o.tcp)
		if err != nil {
			break // the table of files is full: enough
		}
		io.WriteString(c, "9999 <13>")
		if held = append(held, c); len(held) > 1000 { // the oldest were refused long ago or stay
			held[len(held)-700].Close()
		}
	}
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	if len(held) < 9_000 {
		t.Skipf("only %d connections could be opened here", len(held))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 48<<20 {
		t.Errorf("heap grew by %d MiB", grown>>20)
	}
	send(t, o.tcp, "<13>1 - honest a - - - still heard\n")
	for range 200 {
		if slices.ContainsFunc(o.sink.Events(), func(e event.Event) bool { return e.Device == "honest" }) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("nobody else was served")
}

func TestAMessageThatDoesNotEndIsGivenUpAndKept(t *testing.T) {
	o := serve(t, syslog.Options{Patience: 100 * time.Millisecond}, nil)
	c, err := net.Dial("tcp", o.tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "<13>whole\n")
	o.wait(t, 1)
	time.Sleep(300 * time.Millisecond) // silence between messages is no fault
	io.WriteString(c, "<13>whole\n999 <13>half")
	if e := o.wait(t, 3)[2]; e.Text != "half" || e.Fields[event.Truncated] != "message" || e.Fields["length"] != "999" {
		t.Errorf("%+v", e)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("still open")
	}
}

func TestMemoryForMessagesThatHaveBegunIsBounded(t *testing.T) {
	o := serve(t, syslog.Options{MaxPartial: 100_000}, nil)
	var conns []net.Conn
	for range 20 {
		c, err := net.Dial("tcp", o.tcp)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
		io.WriteString(c, "60000 <13>"+strings.Repeat("x", 50_000))
	}
	for range 100 {
		if o.sink.LostCount() >= 15 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := o.sink.LostCount(); n < 15 || n == 20 {
		t.Errorf("%d of 20 were given up", n)
	}
}

// certificates makes an authority, and a server's and a client's certificate from it, as files.
func certificates(t *testing.T, dir string) (server *tls.Config, client tls.Certificate) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey := key()
	issue := func(name string, of *x509.Certificate) tls.Certificate {
		k := key()
		signed := caKey
		if of == ca {
			k = caKey
		}
		der, err := x509.CreateCertificate(rand.Reader, of, ca, k.Public(), signed)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := x509.MarshalPKCS8PrivateKey(k)
		certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
		os.WriteFile(filepath.Join(dir, name+".pem"), certPEM, 0o600)
		os.WriteFile(filepath.Join(dir, name+".key"), keyPEM, 0o600)
		c, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	root := issue("ca", ca)
	leaf := func(n int64, name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(n), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	}
	pool := x509.NewCertPool()
	parsed, _ := x509.ParseCertificate(root.Certificate[0])
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{issue("server", leaf(2, "localhost"))}, ClientCAs: pool, RootCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven},
		issue("client", leaf(3, "host-7.example.jp"))
}

func TestACertificateGivesTheSenderItsName(t *testing.T) {
	server, client := certificates(t, t.TempDir())
	o := serve(t, syslog.Options{Patience: time.Second}, server)
	for i, c := range []*tls.Config{{RootCAs: server.RootCAs, ServerName: "localhost"}, {RootCAs: server.RootCAs, ServerName: "localhost", Certificates: []tls.Certificate{client}}} {
		conn, err := tls.Dial("tcp", o.tls, c)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "20 <13>1 - h a - - - m%d", i)
		conn.Close()
		o.wait(t, i+1)
	}
	b := o.sink.Batches()
	if b[0].Origin != (event.Origin{Door: "syslog-tls", Address: "127.0.0.1"}) || b[1].Origin != (event.Origin{Door: "syslog-tls", Address: "127.0.0.1", Name: "host-7.example.jp"}) {
		t.Errorf("%+v %+v", b[0].Origin, b[1].Origin)
	}
	send(t, o.tls, "this is no handshake") // and does no harm
	silent, err := net.Dial("tcp", o.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("a handshake that never begins is waited for")
	}
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		for _, dir := range []string{"/usr/sbin", "/sbin"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return filepath.Join(dir, name)
			}
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

func TestLoggerOfUtilLinuxIsUnderstood(t *testing.T) {
	logger := tool(t, "logger")
	o := serve(t, syslog.Options{}, nil)
	_, udp, _ := net.SplitHostPort(o.udp)
	_, tcp, _ := net.SplitHostPort(o.tcp)
	const text = "認証に失敗: user=yamada"
	ways := [][]string{
		{"-d", "-P", udp, "--rfc5424"}, {"-d", "-P", udp, "--rfc3164"},
		{"-T", "-P", tcp, "--rfc5424"}, {"-T", "-P", tcp, "--rfc3164"}, {"-T", "-P", tcp, "--rfc5424", "--octet-count"},
		{"-T", "-P", tcp, "--rfc5424", "--sd-id", "ex@32473", "--sd-param", `k="v"`, "--msgid", "ID1"},
	}
	for i, way := range ways {
		out, err := exec.Command(logger, append(way, "-n", "127.0.0.1", "-p", "auth.warning", "-t", "prog", "-i", text)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		events := o.wait(t, i+1)
		e := events[i]
		if e.Text != text || e.Fields[event.App] != "prog" || e.Fields[event.PID] == "" || e.Fields[event.Facility] != "auth" || e.Level != 5 || e.Device == "" || e.Device == "127.0.0.1" || e.Raw != nil {
			t.Errorf("%v: %+v", way, e)
		}
		if off := time.Since(e.At); off < -2*time.Second || off > 10*time.Second {
			t.Errorf("%v: time %s off", way, off)
		}
	}
	if e := o.sink.Events()[5]; e.Fields["ex@32473.k"] != "v" || e.Event != "ID1" {
		t.Errorf("%+v", e)
	}
}

func TestRsyslogForwardsEverythingOverUDPAndTCPAndTLS(t *testing.T) {
	rsyslogd, logger := tool(t, "rsyslogd"), tool(t, "logger")
	if found, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_ossl.so"); len(found) == 0 {
		t.Skip("rsyslog-openssl is not installed")
	}
	dir, err := os.MkdirTemp("/tmp", "door-rsyslog") // short, for the socket's name
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	server, _ := certificates(t, dir)
	o := serve(t, syslog.Options{}, server)
	forward := func(address, more string) string {
		host, port, _ := net.SplitHostPort(address)
		return fmt.Sprintf("action(type=\"omfwd\" target=%q port=%q %s)\n", host, port, more)
	}
	conf := fmt.Sprintf(`global(workDirectory=%q defaultNetstreamDriverCAFile=%q defaultNetstreamDriverCertFile=%q defaultNetstreamDriverKeyFile=%q)
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket=%q)
`, dir, dir+"/ca.pem", dir+"/client.pem", dir+"/client.key", dir+"/log") +
		forward(o.udp, `protocol="udp" template="RSYSLOG_SyslogProtocol23Format"`) +
		forward(o.tcp, `protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"`) +
		forward(o.tcp, `protocol="tcp" template="RSYSLOG_TraditionalForwardFormat"`) +
		forward(o.tcp, `protocol="tcp" template="RSYSLOG_ForwardFormat"`) +
		forward(o.tls, `protocol="tcp" StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost" template="RSYSLOG_SyslogProtocol23Format"`)
	os.WriteFile(dir+"/conf", []byte(conf), 0o600)
	var said bytes.Buffer
	cmd := exec.Command(rsyslogd, "-n", "-f", dir+"/conf", "-i", dir+"/pid")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	for range 200 {
		if _, err := os.Stat(dir + "/log"); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	const n = 200
	in := exec.Command(logger, "-u", dir+"/log", "-t", "app", "-i", "-p", "daemon.notice")
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "第%d件の記録 <&\"]\\>\n", i)
	}
	in.Stdin = strings.NewReader(lines.String())
	if out, err := in.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, said.String())
	}
	for range 400 {
		if count(o.sink.Events()) >= 5*n {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	seen := map[string]int{}
	for _, b := range o.sink.Batches() {
		for _, e := range b.Events {
			if e.Fields[event.App] != "app" {
				continue // rsyslog's own
			}
			if e.Device == "" || e.Device == "127.0.0.1" || e.Fields[event.PID] == "" || e.Fields[event.Facility] != "daemon" || e.Level != 6 || e.Raw != nil {
				t.Fatalf("%+v", e)
			}
			seen[e.Text]++
			if b.Origin.Door == "syslog-tls" && b.Origin.Name != "host-7.example.jp" {
				t.Fatalf("%+v", b.Origin)
			}
		}
	}
	for i := range n {
		if text := fmt.Sprintf("第%d件の記録 <&\"]\\>", i); seen[text] != 5 {
			t.Fatalf("%q came %d times, want 5 (%d texts; %d lost)\n%s", text, seen[text], len(seen), o.sink.LostCount(), said.String())
		}
	}
}

func count(events []event.Event) (n int) {
	for _, e := range events {
		if e.Fields[event.App] == "app" {
			n++
		}
	}
	return n
}
