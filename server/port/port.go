// Package port opens what the server listens on: plain on loopback, behind TLS
// elsewhere, with the operator's certificate or one that the installation made.
package port

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"kakusho/server/certificate"
)

// Port is how the ports of one installation are opened.
type Port struct {
	Cert, Key string // PEM files of the operator; empty: a certificate of one's own
	Own       string // folder of the own certificate, made when one is needed
	Now       func() time.Time
	Log       *slog.Logger
}

// Listen opens host:port and says the scheme it is spoken to with.
func (p Port) Listen(addr string) (net.Listener, string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", fmt.Errorf("listen address %q: %w: want host:port, as in 127.0.0.1:8743", addr, err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s: %w: choose another address with --listen", addr, err)
	}
	if p.Plain(host) {
		return ln, "http", nil
	}
	cert, err := p.certificate(host)
	if err != nil {
		return nil, "", errors.Join(err, ln.Close())
	}
	return tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}), "https", nil
}

// Plain reports whether this host may be served without TLS.
func (p Port) Plain(host string) bool {
	ip := net.ParseIP(host)
	return p.Cert == "" && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// CertificateOf is the certificate shown at an address.
func (p Port) CertificateOf(addr string) (tls.Certificate, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return tls.Certificate{}, err
	}
	return p.certificate(host)
}

// certificate is the operator's, or the one this installation made for itself.
func (p Port) certificate(host string) (tls.Certificate, error) {
	if p.Cert == "" {
		return certificate.Own(p.Own, host, p.Now(), p.Log)
	}
	cert, err := tls.LoadX509KeyPair(p.Cert, p.Key)
	if err != nil {
		return cert, fmt.Errorf("load certificate %s: %w", p.Cert, err)
	}
	return cert, nil
}
