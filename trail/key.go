package trail

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/pack"
)

// The names in a trail's directory.
const (
	lockName   = "lock"
	packName   = "pack"
	logName    = "log"
	keyName    = "key"
	signerName = "key/trail.key"
	publicName = "trail.pub"
)

// PublicKey is the verifier key that stands beside the trail. An auditor compares
// it with the one he was given on another way before he believes it.
func PublicKey(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, publicName))
	if err != nil {
		return "", fmt.Errorf("read public key: %w", err)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

// keys are the signer and the text of its public half.
type keys struct {
	signer note.Signer
	public string
}

// openKeys reads the key of the trail in dir, or makes it when there is no trail yet.
func openKeys(fs pack.FS, dir, installation string) (keys, error) {
	name := filepath.Join(dir, signerName)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		for _, n := range []string{publicName, packName, logName} {
			if _, err := os.Lstat(filepath.Join(dir, n)); err == nil {
				return keys{}, fmt.Errorf("private key %s is missing, but there is %s: put it back, a new key would begin another trail", signerName, n)
			}
		}
		if text, err = newKey(installation); err == nil {
			err = errors.Join(pack.MkdirAll(fs, filepath.Join(dir, keyName)), writeFile(fs, name, text))
		}
	}
	if err != nil {
		return keys{}, fmt.Errorf("private key: %w", err)
	}
	k, err := parseKey(string(text))
	if err != nil {
		return keys{}, fmt.Errorf("private key %s: %w", signerName, err)
	}
	if installation != "" && k.signer.Name() != "kakusho/"+installation {
		return keys{}, fmt.Errorf("the trail is of %s, not of kakusho/%s", k.signer.Name(), installation)
	}
	public, err := PublicKey(dir)
	if errors.Is(err, os.ErrNotExist) {
		return k, writeFile(fs, filepath.Join(dir, publicName), []byte(k.public+"\n"))
	}
	if err == nil && public != k.public {
		err = fmt.Errorf("%s is not the public half of %s", publicName, signerName)
	}
	return k, err
}

func newKey(installation string) ([]byte, error) {
	if installation == "" {
		var id [8]byte
		rand.Read(id[:]) // never fails
		installation = hex.EncodeToString(id[:])
	}
	for _, r := range installation {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-._/", r) {
			return nil, fmt.Errorf("installation %q: a-z, 0-9 and -._/ only", installation)
		}
	}
	skey, _, err := note.GenerateKey(rand.Reader, "kakusho/"+installation)
	return []byte(skey + "\n"), err
}

// parseKey reads a note signer key and works out its public half.
func parseKey(text string) (keys, error) {
	text = strings.TrimSuffix(text, "\n")
	signer, err := note.NewSigner(text)
	if err != nil {
		return keys{}, err
	}
	// PRIVATE+KEY+name+hash+base64; the last may hold a + itself.
	parts := strings.SplitN(text, "+", 5)
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return keys{}, errors.New("not an Ed25519 key")
	}
	half := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	public, err := note.NewEd25519VerifierKey(signer.Name(), half)
	return keys{signer, public}, err
}

// writeFile makes a file so that it is whole or not there after a power cut.
func writeFile(fs pack.FS, name string, data []byte) error {
	tmp := name + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := fs.Create(tmp)
	if err != nil {
		return err
	}
	n, err := f.WriteAt(data, 0)
	if err == nil && n != len(data) {
		err = errors.New("short write")
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, name); err != nil {
		return err
	}
	return fs.SyncDir(filepath.Dir(name))
}
