package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificate loads the operator's certificate, or the one this installation
// made for itself; it makes one for a year when there is none or it ends within
// a month. Its fingerprint is logged, so that a browser's warning can be checked.
func (s *Server) certificate(host string) (tls.Certificate, error) {
	if s.cfg.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			return cert, fmt.Errorf("load certificate %s: %w", s.cfg.TLSCert, err)
		}
		return cert, nil
	}
	dir := filepath.Join(s.cfg.Data, "tls")
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil || cert.Leaf.NotAfter.Before(s.cfg.Now().AddDate(0, 1, 0)) {
		if err := makeCertificate(dir, certFile, keyFile, host, s.cfg.Now()); err != nil {
			return cert, fmt.Errorf("make certificate: %w", err)
		}
		if cert, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
			return cert, fmt.Errorf("load certificate: %w", err)
		}
	}
	s.cfg.Log.Info("serving with own certificate", "sha256", fmt.Sprintf("%X", sha256.Sum256(cert.Leaf.Raw)), "not_after", cert.Leaf.NotAfter)
	return cert, nil
}

// ownCertificate is certificate for the host that the pages listen on.
func (s *Server) ownCertificate() (tls.Certificate, error) {
	host, _, err := net.SplitHostPort(s.cfg.Listen)
	if err != nil {
		return tls.Certificate{}, err
	}
	return s.certificate(host)
}

func makeCertificate(dir, certFile, keyFile, host string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	name, _ := os.Hostname()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Kakusho " + name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost", name},
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		t.IPAddresses = []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}
