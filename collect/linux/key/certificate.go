package key

import (
	"bytes"
	"context"
	"crypto/dsa" //nolint:staticcheck // weak keys must be recognised
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"kakusho/collect"
	"kakusho/fact"
)

// certPlaces are where services keep their certificates, and where an
// administrator adds authorities. The distribution's own authorities are left
// out: they are links, or bundles by these names.
var (
	certPlaces = []string{
		"etc/ssl", "etc/pki", "etc/nginx", "etc/apache2", "etc/httpd", "etc/postfix", "etc/dovecot", "etc/exim4", "etc/mysql", "etc/my.cnf.d",
		"etc/postgresql", "var/lib/postgresql", "var/lib/pgsql", "var/lib/mysql", "etc/haproxy", "etc/docker/certs.d", "etc/kubernetes/pki", "etc/openvpn",
		"etc/ipsec.d", "etc/swanctl", "etc/cockpit/ws-certs.d", "etc/ldap", "etc/openldap", "etc/stunnel", "etc/cups/ssl", "usr/local/share/ca-certificates",
	}
	bundles = map[string]bool{
		"ca-certificates.crt": true, "ca-bundle.crt": true, "ca-bundle.trust.crt": true, "tls-ca-bundle.pem": true, "email-ca-bundle.pem": true,
		"objsign-ca-bundle.pem": true,
	}
	bundleFolders = map[string]bool{"etc/pki/ca-trust/extracted": true, "etc/pki/rpm-gpg": true, "etc/pki/java": true, "etc/ssl/certs/java": true}
)

const (
	mostCertFiles = 5_000
	mostCertSize  = 256 << 10
	mostCerts     = 5_000
)

var errCertBudget = fmt.Errorf("limit: more than %d files", mostCertFiles)

func certificates(ctx context.Context, h collect.Host) fact.Fact {
	const field = "certificates"
	l := h.Look()
	out := []any{}
	var faults error
	files := 0
	visit := func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && d == nil:
			return err
		case collect.Missing(err):
			return nil
		case err != nil:
			faults = errors.Join(faults, err)
			return fs.SkipDir
		case d.IsDir() && bundleFolders[name]:
			return fs.SkipDir
		case !d.Type().IsRegular(), bundles[d.Name()]:
			return nil
		}
		fi, err := d.Info()
		if err != nil || fi.Size() > mostCertSize {
			return nil
		}
		if files++; files > mostCertFiles || len(out) >= mostCerts || ctx.Err() != nil {
			return errCertBudget
		}
		more, err := certificate(l, "/"+name)
		faults = errors.Join(faults, err)
		out = append(out, more...)
		return nil
	}
	var src []fact.Source
	for _, p := range certPlaces {
		err := fs.WalkDir(h.FS, p, visit)
		if !collect.Missing(err) {
			faults = errors.Join(faults, err)
			src = append(src, fact.Source{Kind: "file", Ref: "/" + p})
		}
	}
	// Let's Encrypt's present ones are links into an archive of old ones.
	live, err := l.Glob("/etc/letsencrypt/live/*/cert.pem")
	faults = errors.Join(faults, err)
	for _, p := range live {
		more, err := certificate(l, p)
		faults = errors.Join(faults, err)
		out = append(out, more...)
	}
	if faults != nil {
		_, reason := collect.Status(faults)
		return fact.Fact{Field: field, Status: fact.Truncated, Reason: reason, Value: out, Source: src}
	}
	return collect.Saw(field, out, src...)
}

// certificate reads the certificates in one file. A file that others may not
// read is no certificate: those are public.
func certificate(l *collect.Look, p string) ([]any, error) {
	b, err := l.ReadSecret(p) // a key may stand beside it
	if collect.Missing(err) || errors.Is(err, fs.ErrPermission) && !certName(p) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []any
	for _, c := range ParseCertificates(b) {
		r := map[string]any{"path": p}
		if c != nil {
			describe(c, r)
		}
		out = append(out, r)
	}
	return out, nil
}

func certName(p string) bool {
	switch strings.ToLower(path.Ext(p)) {
	case ".crt", ".cer", ".cert", ".pem":
		return true
	}
	return false
}

// ParseCertificates reads the certificates of a PEM or DER file; nil stands for
// one that cannot be read.
func ParseCertificates(b []byte) []*x509.Certificate {
	var out []*x509.Certificate
	if !bytes.Contains(b, []byte("-----BEGIN ")) {
		if c, err := x509.ParseCertificate(b); err == nil {
			out = append(out, c)
		}
		return out
	}
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return out
		}
		if block.Type != "CERTIFICATE" && block.Type != "TRUSTED CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			c = nil
		}
		out = append(out, c)
	}
}

func describe(c *x509.Certificate, r map[string]any) {
	r["subject"], r["issuer"] = c.Subject.String(), c.Issuer.String()
	r["names"] = strings.Join(c.DNSNames, " ")
	r["not_after"], r["ca"], r["signature"] = c.NotAfter.UTC(), c.IsCA, c.SignatureAlgorithm.String()
	kind, bits := public(c)
	if kind != "" {
		r["key"] = kind
	}
	if bits > 0 {
		r["bits"] = int64(bits)
	}
	r["weak"] = Weak(c)
}

func public(c *x509.Certificate) (kind string, bits int) {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "RSA", k.N.BitLen()
	case *ecdsa.PublicKey:
		return "ECDSA", k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return "Ed25519", 256
	case *dsa.PublicKey:
		return "DSA", k.P.BitLen()
	}
	return "", 0
}

// Weak reports keys and signatures below what is safe for anybody: RSA under
// 2,048 bits, DSA, elliptic curves under 224 bits, MD2, MD5 and SHA-1.
func Weak(c *x509.Certificate) bool {
	kind, bits := public(c)
	switch {
	case kind == "RSA" && bits < 2048, kind == "ECDSA" && bits < 224, kind == "DSA":
		return true
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return true
	}
	return false
}
