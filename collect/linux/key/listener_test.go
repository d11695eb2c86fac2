package key_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"maps"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/key"
	"kakusho/fact"
)

func certificate(t *testing.T, signer any, public any) tls.Certificate {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), DNSNames: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signer}
}

// serve answers on a free port until the test ends. handle nil speaks TLS.
func serve(t *testing.T, conf *tls.Config, handle func(net.Conn)) int64 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	if handle == nil {
		handle = func(c net.Conn) { tls.Server(c, conf).Handshake() }
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); handle(c) }()
		}
	}()
	return int64(ln.Addr().(*net.TCPAddr).Port)
}

func TestListeners(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaCert, ecCert := certificate(t, rsaKey, &rsaKey.PublicKey), certificate(t, ec, &ec.PublicKey)
	want := map[int64]string{
		serve(t, &tls.Config{Certificates: []tls.Certificate{ecCert}, MinVersion: tls.VersionTLS13}, nil):                                                                                                                                      "1.3–1.3 TLS_AES_128_GCM_SHA256 ECDSA 256 weak=false",
		serve(t, &tls.Config{Certificates: []tls.Certificate{ecCert}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12}, nil):                                                                                                        "1.2–1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 ECDSA 256 weak=false",
		serve(t, &tls.Config{Certificates: []tls.Certificate{rsaCert}, MinVersion: tls.VersionTLS10}, nil):                                                                                                                                     "1.0–1.3 TLS_AES_128_GCM_SHA256 RSA 2048 weak=false",
		serve(t, &tls.Config{Certificates: []tls.Certificate{rsaCert}, MinVersion: tls.VersionTLS11, CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, MaxVersion: tls.VersionTLS12}, nil): "1.1–1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 RSA 2048 weak=true",
		serve(t, &tls.Config{Certificates: []tls.Certificate{ecCert}, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAnyClientCert}, nil):                                                                                                "1.2–1.3 TLS_AES_128_GCM_SHA256 ECDSA 256 weak=false",
	}
	silent := serve(t, nil, func(c net.Conn) { time.Sleep(3 * time.Second) })
	chatty := serve(t, nil, func(c net.Conn) { fmt.Fprintf(c, "SSH-2.0-OpenSSH_9\r\n") })
	// Only these are called, not what else this machine may serve.
	table := "-- proc/net/tcp --\n  sl  local_address rem_address   st\n"
	for i, port := range append(slices.Collect(maps.Keys(want)), silent, chatty) {
		table += fmt.Sprintf("%4d: 0100007F:%04X 00000000:0000 0A 0:0 0:0 0 0 0 %d\n", i, port, i+1)
	}
	h := fixture.Host(t, table)
	h.Dial = fixture.Live().Dial
	f := fixture.Collect(t, h, key.Collector())["tls_listeners"]
	if f.Status != fact.Observed {
		t.Fatalf("got %s %s", f.Status, f.Reason)
	}
	got := map[int64]string{}
	for _, e := range f.Value.([]any) {
		r := e.(map[string]any)
		port := r["port"].(int64)
		got[port] = fmt.Sprintf("%s–%s %s %s %d weak=%v", r["oldest"], r["newest"], r["cipher"], r["key"], r["bits"], r["weak"])
		if _, own := want[port]; own && (r["address"] != "127.0.0.1" || r["not_after"] != time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)) {
			t.Errorf("got %v", r)
		}
	}
	for port, w := range want {
		if got[port] != w {
			t.Errorf("got %q, want %q", got[port], w)
		}
	}
	for _, port := range []int64{silent, chatty} {
		if s, ok := got[port]; ok {
			t.Errorf("a listener without TLS: got %q", s)
		}
	}
}

func TestListenersOfAnImageAreNotCalled(t *testing.T) {
	if f := fixture.Collect(t, fixture.Host(t, "-- proc/net/tcp --\nx\n"), key.Collector())["tls_listeners"]; f.Status != fact.Error || !strings.Contains(f.Reason, "not live") {
		t.Errorf("got %s %s", f.Status, f.Reason)
	}
}

func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "ok.pem", "-subj", "/CN=ok", "-days", "10", "-addext", "basicConstraints=critical,CA:FALSE")
	run(t, dir, "openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", "k1.pem", "-out", "short.pem", "-subj", "/CN=short", "-days", "10")
	run(t, dir, "openssl", "req", "-x509", "-key", "k.pem", "-sha1", "-out", "sha1.pem", "-subj", "/CN=sha1", "-days", "10")
	run(t, dir, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", "k2.pem", "-out", "ec.pem", "-outform", "DER", "-subj", "/CN=ec", "-days", "10")
	h := fixture.Host(t,
		"-- etc/ssl/certs/own.pem base64 --\n"+file64(t, dir+"/ok.pem")+
			"-- etc/ssl/certs/ca-certificates.crt base64 --\n"+file64(t, dir+"/ok.pem")+
			"-- usr/share/ca-certificates/a.crt base64 --\n"+file64(t, dir+"/ok.pem")+
			"-- etc/ssl/certs/a.pem -> /usr/share/ca-certificates/a.crt --\n"+
			"-- etc/nginx/short.crt base64 --\n"+file64(t, dir+"/short.pem")+
			"-- etc/nginx/broken.crt --\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"+
			"-- etc/postfix/sha1.pem base64 --\n"+file64(t, dir+"/sha1.pem")+
			"-- etc/openldap/ec.cer base64 --\n"+file64(t, dir+"/ec.pem")+
			"-- etc/letsencrypt/archive/x/cert2.pem base64 --\n"+file64(t, dir+"/ok.pem")+
			"-- etc/letsencrypt/archive/x/cert1.pem base64 --\n"+file64(t, dir+"/short.pem")+
			"-- etc/letsencrypt/live/x/cert.pem -> ../../archive/x/cert2.pem --\n")
	f := fixture.Collect(t, h, key.Collector())["certificates"]
	got := map[string]string{}
	for _, e := range f.Value.([]any) {
		r := e.(map[string]any)
		got[r["path"].(string)] = fmt.Sprint(r["subject"], " ", r["key"], " ", r["bits"], " ", r["signature"], " ca=", r["ca"], " weak=", r["weak"])
	}
	want := map[string]string{
		"/etc/ssl/certs/own.pem":           "CN=ok RSA 2048 SHA256-RSA ca=false weak=false",
		"/etc/nginx/short.crt":             "CN=short RSA 1024 SHA256-RSA ca=true weak=true",
		"/etc/nginx/broken.crt":            "<nil> <nil> <nil> <nil> ca=<nil> weak=<nil>",
		"/etc/postfix/sha1.pem":            "CN=sha1 RSA 2048 SHA1-RSA ca=true weak=true",
		"/etc/openldap/ec.cer":             "CN=ec ECDSA 384 ECDSA-SHA256 ca=true weak=false",
		"/etc/letsencrypt/live/x/cert.pem": "CN=ok RSA 2048 SHA256-RSA ca=false weak=false",
	}
	for p, w := range want {
		if got[p] != w {
			t.Errorf("%s: got %s, want %s", p, got[p], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %d", got, len(want))
	}
}

func file64(t *testing.T, p string) string {
	t.Helper()
	return base64Of(t, p) + "\n"
}
