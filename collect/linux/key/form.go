package key

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/pkcs12"
)

// The forms that have a meaning beyond their name.
const (
	openSSH = "OpenSSH"
	openPGP = "OpenPGP"
	putty   = "PuTTY"
)

// Key is what a file's content says about the private key in it.
type Key struct {
	Type    string // "PEM PKCS#8", "OpenSSH", "PKCS#12", …
	Guarded *bool  // whether a passphrase guards it; nil: cannot be told
}

func guarded(b bool) *bool { return &b }

// ParseKey finds the first private key in a file. A certificate, a public key,
// or a text that only speaks of keys is none.
func ParseKey(b []byte) (Key, bool) {
	switch {
	case bytes.Contains(b, []byte("-----BEGIN ")):
		return parseArmour(b)
	case bytes.HasPrefix(b, []byte("PuTTY-User-Key-File-")):
		return parsePutty(b)
	case bytes.HasPrefix(b, []byte("\xfe\xed\xfe\xed")):
		return parseJava(b, "JKS")
	case bytes.HasPrefix(b, []byte("\xce\xce\xce\xce")):
		return parseJava(b, "JCEKS")
	case bytes.HasPrefix(b, []byte("Private-key-format: v1")):
		return Key{"DNSSEC", guarded(false)}, true
	case len(b) > 4 && b[0] == 0x30:
		return parseDER(b)
	}
	return parseGnuPG(b)
}

var pemTypes = map[string]string{
	"PRIVATE KEY": "PEM PKCS#8", "ENCRYPTED PRIVATE KEY": "PEM PKCS#8",
	"RSA PRIVATE KEY": "PEM PKCS#1", "EC PRIVATE KEY": "PEM EC", "DSA PRIVATE KEY": "PEM DSA",
	"OPENSSH PRIVATE KEY": openSSH, "PGP PRIVATE KEY BLOCK": openPGP,
}

func parseArmour(b []byte) (Key, bool) {
	for {
		at := bytes.Index(b, []byte("-----BEGIN "))
		if at < 0 {
			return Key{}, false
		}
		b = b[at:]
		name, _, _ := strings.Cut(string(b[11:min(len(b), 80)]), "-----")
		if name == "PGP PRIVATE KEY BLOCK" {
			return Key{openPGP, nil}, bytes.Contains(b, []byte("-----END PGP PRIVATE KEY BLOCK-----"))
		}
		kind, private := pemTypes[name]
		if !private {
			b = b[11:]
			continue
		}
		block, _ := pem.Decode(b)
		if block == nil || block.Type != name || len(block.Bytes) < 32 {
			b = b[11:] // a text about keys, or a cut one
			continue
		}
		switch {
		case kind == openSSH:
			return parseOpenSSH(block.Bytes)
		case name == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
			return Key{kind, guarded(true)}, true
		}
		return Key{kind, guarded(false)}, true
	}
}

// parseOpenSSH reads the name of the cipher: "none" guards nothing.
func parseOpenSSH(b []byte) (Key, bool) {
	rest, ok := bytes.CutPrefix(b, []byte("openssh-key-v1\x00"))
	if !ok || len(rest) < 4 {
		return Key{}, false
	}
	n := binary.BigEndian.Uint32(rest)
	if uint64(n) > uint64(len(rest)-4) {
		return Key{}, false
	}
	return Key{openSSH, guarded(string(rest[4:4+n]) != "none")}, true
}

func parsePutty(b []byte) (Key, bool) {
	for _, line := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "Encryption:"); ok {
			return Key{putty, guarded(strings.TrimSpace(v) != "none")}, true
		}
	}
	return Key{}, false
}

// parseJava looks for a private key among the entries of a Java key store; one
// with trusted certificates alone is none. Java always guards its keys.
func parseJava(b []byte, kind string) (Key, bool) {
	const header, keyEntry, certEntry, secretEntry = 12, 1, 2, 3
	if len(b) < header {
		return Key{}, false
	}
	version, count := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	r := reader{b[header:]}
	for range count {
		switch r.uint32() {
		case keyEntry, secretEntry:
			return Key{kind, guarded(true)}, true
		case certEntry:
			r.skip(uint64(r.uint16())) // alias
			r.skip(8)                  // date
			if version == 2 {
				r.skip(uint64(r.uint16())) // certificate type
			}
			r.skip(uint64(r.uint32()))
		default:
			return Key{}, false
		}
	}
	return Key{}, false
}

// reader takes numbers off the front; past the end they are 0.
type reader struct{ b []byte }

func (r *reader) skip(n uint64) { r.b = r.b[min(n, uint64(len(r.b))):] }

func (r *reader) uint16() (n uint16) {
	if len(r.b) >= 2 {
		n = binary.BigEndian.Uint16(r.b)
	}
	r.skip(2)
	return n
}

func (r *reader) uint32() (n uint32) {
	if len(r.b) >= 4 {
		n = binary.BigEndian.Uint32(r.b)
	}
	r.skip(4)
	return n
}

// pkcs7Data is the object identifier that begins what PKCS#12 carries.
var pkcs7Data = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}

func parseDER(b []byte) (Key, bool) {
	head := b[:min(len(b), 40)]
	if bytes.Contains(head, []byte{0x02, 0x01, 0x03}) && bytes.Contains(head, pkcs7Data) {
		return parsePKCS12(b)
	}
	if _, err := x509.ParsePKCS8PrivateKey(b); err == nil {
		return Key{"DER PKCS#8", guarded(false)}, true
	}
	if _, err := x509.ParsePKCS1PrivateKey(b); err == nil {
		return Key{"DER PKCS#1", guarded(false)}, true
	}
	if _, err := x509.ParseECPrivateKey(b); err == nil {
		return Key{"DER EC", guarded(false)}, true
	}
	return Key{}, false
}

// The kinds of bags a key can lie in, which stand outside of what is encrypted:
// in the clear, and shrouded by the password.
var (
	keyBag      = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x01}
	shroudedBag = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, 0x02}
)

// parsePKCS12 looks for a key bag, and tries the empty password, which guards
// nothing. Files with certificates only have no key bag.
func parsePKCS12(b []byte) (Key, bool) {
	const kind = "PKCS#12"
	switch {
	case bytes.Contains(b, keyBag):
		return Key{kind, guarded(false)}, true
	case !bytes.Contains(b, shroudedBag):
		return Key{}, false
	}
	_, err := pkcs12.ToPEM(b, "")
	switch {
	case err == nil:
		return Key{kind, guarded(false)}, true
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return Key{kind, guarded(true)}, true
	}
	return Key{kind, nil}, true // newer algorithms, not known here
}

// parseGnuPG reads gpg's private-keys-v1.d and the older secring. A shadowed
// key is on a card, not in the file.
func parseGnuPG(b []byte) (Key, bool) {
	head := b[:min(len(b), 4096)]
	_, field, _ := bytes.Cut(append([]byte("\n"), head...), []byte("\nKey: ")) // today's form; before, the bare expression
	for _, is := range []struct {
		mark string
		key  Key
		ok   bool
	}{
		{"shadowed-private-key", Key{}, false},
		{"protected-private-key", Key{openPGP, guarded(true)}, true},
		{"private-key", Key{openPGP, guarded(false)}, true},
	} {
		if bytes.HasPrefix(field, []byte("("+is.mark+" ")) || bytes.HasPrefix(head, fmt.Appendf(nil, "(%d:%s", len(is.mark), is.mark)) {
			return is.key, is.ok
		}
	}
	// An OpenPGP packet with tag 5, a secret key: old format 0x94-0x97, new 0xc5;
	// then a length, version 4 and a date.
	if len(head) > 8 && (head[0]&^3 == 0x94 && head[0] != 0x97 || head[0] == 0xc5) {
		at := 2 + int(head[0]&3)
		if head[0] == 0xc5 {
			at = 2
			if head[1] >= 192 {
				at = 3
			}
		} else if head[0]&3 == 2 {
			at = 5
		}
		if head[at] == 4 {
			return Key{openPGP, nil}, true
		}
	}
	return Key{}, false
}
