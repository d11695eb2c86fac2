package key_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/crypto/ssh"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/linux/key"
	"kakusho/fact"
)

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func armour(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t testing.TB, k any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	return armour(t, "PRIVATE KEY", der, err)
}

func sshKey(t testing.TB, k crypto.PrivateKey, phrase string) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(k, "c")
	if phrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(k, "c", []byte(phrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// form writes what ParseKey makes of a file in one word or two.
func form(b []byte) string {
	k, ok := key.ParseKey(b)
	switch {
	case !ok:
		return "none"
	case k.Guarded == nil:
		return k.Type + " ?"
	case *k.Guarded:
		return k.Type + " guarded"
	}
	return k.Type + " open"
}

func TestForms(t *testing.T) {
	k := ecKey(t)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(k)
	ec := armour(t, "EC PRIVATE KEY", sec1, err)
	p8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	p1 := x509.MarshalPKCS1PrivateKey(r)
	spki, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	pub := armour(t, "PUBLIC KEY", spki, err)
	for _, c := range []struct{ name, file, want string }{
		{"PKCS#8", pkcs8(t, k), "PEM PKCS#8 open"},
		{"PKCS#1", armour(t, "RSA PRIVATE KEY", p1, nil), "PEM PKCS#1 open"},
		{"EC after its parameters", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + ec, "PEM EC open"},
		{"after a certificate and text", "Subject: x\n" + pub + pkcs8(t, k), "PEM PKCS#8 open"},
		{"the old encryption", "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n" + base64.StdEncoding.EncodeToString(p1[:60]) + "\n-----END RSA PRIVATE KEY-----\n", "PEM PKCS#1 guarded"},
		{"PKCS#8 encrypted", armour(t, "ENCRYPTED PRIVATE KEY", p8, nil), "PEM PKCS#8 guarded"},
		{"OpenSSH", sshKey(t, k, ""), "OpenSSH open"},
		{"OpenSSH with a passphrase", sshKey(t, k, "secret"), "OpenSSH guarded"},
		{"DER PKCS#8", string(p8), "DER PKCS#8 open"},
		{"DER PKCS#1", string(p1), "DER PKCS#1 open"},
		{"PuTTY", "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc\n", "PuTTY guarded"},
		{"PuTTY in the clear", "PuTTY-User-Key-File-2: ssh-rsa\r\nEncryption: none\r\n", "PuTTY open"},
		{"DNSSEC", "Private-key-format: v1.3\nAlgorithm: 13\n", "DNSSEC open"},
		{"OpenPGP", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxx\n-----END PGP PRIVATE KEY BLOCK-----\n", "OpenPGP ?"},
		{"a public key", pub, "none"},
		{"a text about keys", "it begins with -----BEGIN PRIVATE KEY----- and so on", "none"},
		{"a placeholder", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n", "none"},
		{"an empty file", "", "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := form([]byte(c.file)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// run runs a program that makes keys, or skips the test.
func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	bin, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s here", name)
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GNUPGHOME="+dir, "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func formOf(t *testing.T, p string) string {
	t.Helper()
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return form(b)
}

func TestFilesOfOpenSSL(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "k.pem", "-out", "c.pem", "-subj", "/CN=test", "-days", "10")
	run(t, dir, "openssl", "pkcs8", "-topk8", "-in", "k.pem", "-out", "e.pem", "-passout", "pass:x")
	run(t, dir, "openssl", "rsa", "-in", "k.pem", "-aes128", "-traditional", "-out", "old.pem", "-passout", "pass:x")
	run(t, dir, "openssl", "pkcs12", "-export", "-legacy", "-inkey", "k.pem", "-in", "c.pem", "-out", "p.p12", "-passout", "pass:x")
	run(t, dir, "openssl", "pkcs12", "-export", "-legacy", "-inkey", "k.pem", "-in", "c.pem", "-out", "open.p12", "-passout", "pass:")
	run(t, dir, "openssl", "pkcs12", "-export", "-legacy", "-nokeys", "-in", "c.pem", "-out", "certs.p12", "-passout", "pass:")
	run(t, dir, "openssl", "pkcs12", "-export", "-inkey", "k.pem", "-in", "c.pem", "-out", "new.p12", "-passout", "pass:x")
	for file, want := range map[string]string{
		"k.pem": "PEM PKCS#8 open", "e.pem": "PEM PKCS#8 guarded", "old.pem": "PEM PKCS#1 guarded", "c.pem": "none",
		"p.p12": "PKCS#12 guarded", "open.p12": "PKCS#12 open", "certs.p12": "none", "new.p12": "PKCS#12 ?",
	} {
		if got := formOf(t, filepath.Join(dir, file)); got != want {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
}

func TestFilesOfSSHKeygen(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "a")
	run(t, dir, "ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "secret", "-f", "b")
	for file, want := range map[string]string{"a": "OpenSSH open", "b": "OpenSSH guarded", "a.pub": "none"} {
		if got := formOf(t, filepath.Join(dir, file)); got != want {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
}

func TestFilesOfGnuPG(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "gpg") // a short path: gpg-agent's socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	run(t, dir, "gpg", "--batch", "--passphrase", "", "--quick-gen-key", "open", "ed25519", "sign", "never")
	t.Cleanup(func() { run(t, dir, "gpgconf", "--kill", "all") })
	run(t, dir, "gpg", "--batch", "--export-secret-keys", "-o", "secring.bin")
	found, err := filepath.Glob(dir + "/private-keys-v1.d/*.key")
	if err != nil || len(found) != 1 {
		t.Fatalf("got %v %v", found, err)
	}
	if got := formOf(t, found[0]); got != "OpenPGP open" {
		t.Errorf("without a passphrase: got %s", got)
	}
	if got := formOf(t, dir+"/secring.bin"); got != "OpenPGP ?" {
		t.Errorf("exported: got %s", got)
	}
	os.Remove(found[0])
	run(t, dir, "gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "secret", "--quick-gen-key", "guarded", "ed25519", "sign", "never")
	found, _ = filepath.Glob(dir + "/private-keys-v1.d/*.key")
	if len(found) != 1 || formOf(t, found[0]) != "OpenPGP guarded" {
		t.Errorf("with a passphrase: got %v", found)
	}
	if got := formOf(t, dir+"/pubring.kbx"); got != "none" {
		t.Errorf("public keys: got %s", got)
	}
}

func TestFilesOfKeytool(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "keytool", "-genkeypair", "-storetype", "JKS", "-keystore", "k.jks", "-storepass", "secret", "-keypass", "secret", "-alias", "a", "-keyalg", "EC", "-dname", "CN=x")
	run(t, dir, "keytool", "-exportcert", "-keystore", "k.jks", "-storepass", "secret", "-alias", "a", "-file", "a.der")
	run(t, dir, "keytool", "-importcert", "-noprompt", "-storetype", "JKS", "-keystore", "trust.jks", "-storepass", "secret", "-alias", "a", "-file", "a.der")
	for file, want := range map[string]string{"k.jks": "JKS guarded", "trust.jks": "none", "a.der": "none"} {
		if got := formOf(t, filepath.Join(dir, file)); got != want {
			t.Errorf("%s: got %s, want %s", file, got, want)
		}
	}
}

func TestSearch(t *testing.T) {
	k := ecKey(t)
	open, guarded, tls := sshKey(t, k, ""), sshKey(t, k, "x"), pkcs8(t, k)
	h := fixture.Host(t,
		"-- etc/ssh/ssh_host_ed25519_key mode=0600 --\n"+open+
			"-- home/a/.ssh/id_ed25519 mode=0600 --\n"+guarded+
			"-- home/a/.ssh/id_ed25519.pub --\nssh-ed25519 AAAA\n"+
			"-- root/ mode=0700 --\n-- root/backup.key mode=0644 --\n"+tls+
			"-- srv/app/config.txt mode=0644 --\n"+tls+
			"-- etc/ssl/private/server.key mode=0640 --\n"+tls+
			"-- etc/dkimkeys/mail.private mode=0600 --\n"+tls+
			"-- opt/app/node_modules/x/test.key --\n"+tls+
			"-- var/lib/docker/x.key --\n"+tls+
			"-- opt/app/main.js --\n"+tls+
			"-- usr/share/x.key --\n"+tls)
	f := fixture.Collect(t, h, key.Collector())["key_files"]
	var got []string
	for _, e := range f.Value.([]any) {
		r := e.(map[string]any)
		got = append(got, fmt.Sprintf("%s %s %s encrypted=%v world=%v group=%v %s", r["path"], r["type"], r["mode"], r["encrypted"], r["world_readable"], r["group_readable"], r["purpose"]))
	}
	want := []string{
		"/etc/dkimkeys/mail.private PEM PKCS#8 0600 encrypted=false world=false group=false sign",
		"/etc/ssh/ssh_host_ed25519_key OpenSSH 0600 encrypted=false world=false group=false ssh-host",
		"/etc/ssl/private/server.key PEM PKCS#8 0640 encrypted=false world=false group=true tls",
		"/home/a/.ssh/id_ed25519 OpenSSH 0600 encrypted=true world=false group=false ssh-user",
		"/root/backup.key PEM PKCS#8 0644 encrypted=false world=false group=true unknown",
		"/srv/app/config.txt PEM PKCS#8 0644 encrypted=false world=true group=true unknown",
	}
	if f.Status != fact.Observed || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s %s: got\n%s\nwant\n%s", f.Status, f.Reason, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheBudgetEndsTheSearch(t *testing.T) {
	tree := fstest.MapFS{"etc/ssh/ssh_host_ed25519_key": {Data: []byte(sshKey(t, ecKey(t), "")), Mode: 0o600}}
	for i := range 20_001 {
		tree[fmt.Sprintf("srv/%d", i)] = &fstest.MapFile{Data: []byte("x")}
	}
	h := collect.Host{FS: tree, Now: fixture.Now}
	f := fixture.Collect(t, h, key.Collector())["key_files"]
	if f.Status != fact.Truncated || !strings.Contains(f.Reason, "limit") || len(f.Value.([]any)) != 1 {
		t.Errorf("got %s %q with %v, want truncated with the key seen before", f.Status, f.Reason, f.Value)
	}
}

func TestFoldersThatMayNotBeRead(t *testing.T) {
	fixture.AsNobody(t)
	h := fixture.Host(t, "-- home/b/.ssh/id --\n-- srv/x.key --\n"+pkcs8(t, ecKey(t)))
	if err := os.Chmod(filepath.Join(h.Root, "home/b"), 0); err != nil {
		t.Fatal(err)
	}
	f := fixture.Collect(t, h, key.Collector())["key_files"]
	if f.Status != fact.Truncated || !strings.Contains(f.Reason, "permission") || len(f.Value.([]any)) != 1 {
		t.Errorf("got %s %q %v, want truncated for want of permission", f.Status, f.Reason, f.Value)
	}
}

func TestSecretsStayHere(t *testing.T) {
	text := sshKey(t, ecKey(t), "")
	h := fixture.Host(t, "-- etc/ssh/ssh_host_ed25519_key mode=0600 --\n"+text)
	for _, f := range fixture.Collect(t, h, key.Collector()) {
		if s := fmt.Sprint(f); strings.Contains(s, strings.Split(text, "\n")[2]) {
			t.Errorf("%s carries the key: %s", f.Field, s)
		}
		for _, src := range f.Source {
			if src.SHA256 != "" {
				t.Errorf("%s carries a digest of %s", f.Field, src.Ref)
			}
		}
	}
}

func FuzzParseKey(f *testing.F) {
	k := ecKey(f)
	f.Add([]byte(pkcs8(f, k)))
	f.Add([]byte(sshKey(f, k, "x")))
	f.Add([]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00\x02\x00\x01a"))
	f.Add([]byte("0\x82\x00\x10\x02\x01\x03\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"))
	f.Add([]byte("PuTTY-User-Key-File-2: x\nEncryption:"))
	f.Add([]byte{0x95, 1, 2, 4, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, ok := key.ParseKey(b); ok && k.Type == "" {
			t.Errorf("a key without a type in %q", b)
		}
	})
}

func FuzzParseCertificates(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(key.ParseCertificates(b)); n > bytes.Count(b, []byte("-----BEGIN"))+1 {
			t.Errorf("%d certificates", n)
		}
	})
}

func base64Of(t *testing.T, p string) string {
	t.Helper()
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}
