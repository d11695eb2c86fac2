// Package key has the keys of a trail: the signer of its checkpoints, the public
// half that auditors hold, and the statements by which one key follows another.
//
// A key is replaced by Rotate, which both keys sign; or, when the old one is
// lost, by the new one alone, which nobody has to believe. Follow leads from the
// key an auditor was given to the one that signs today, and says which it was.
package key

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
	Folder     = "key"
	PublicFile = "trail.pub"
	ChainFile  = "trail.keys"
	signerFile = "key/trail.key"
	nextFile   = "key/trail.key.next"
)

// Public is the verifier key that stands beside the trail in dir. An auditor
// compares it with the one he was given on another way before he believes it.
func Public(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, PublicFile))
	if err != nil {
		return "", fmt.Errorf("read public key: %w", err)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

// Pair is the signer and the text of its public half.
type Pair struct {
	Signer note.Signer
	Public string
}

// Open reads the key of the trail in dir, or makes it when there is no trail yet:
// when none of the names in others is there. A rotation that was cut short is
// finished, or undone when it was not stated yet.
func Open(fs pack.FS, dir, installation string, others ...string) (Pair, error) {
	if err := settle(fs, dir); err != nil {
		return Pair{}, fmt.Errorf("finish change of key: %w", err)
	}
	name := filepath.Join(dir, signerFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		for _, n := range append(others, PublicFile) {
			if _, err := os.Lstat(filepath.Join(dir, n)); err == nil {
				return Pair{}, fmt.Errorf("private key %s is missing, but there is %s: put it back, or see what is done about a lost key (trail rotate-key --lost); a new key would begin another trail", signerFile, n)
			}
		}
		if text, err = fresh(installation); err == nil {
			err = errors.Join(pack.MkdirAll(fs, filepath.Join(dir, Folder)), pack.WriteWhole(fs, name, text))
		}
	}
	if err != nil {
		return Pair{}, fmt.Errorf("private key: %w", err)
	}
	k, err := parse(string(text))
	if err != nil {
		return Pair{}, fmt.Errorf("private key %s: %w", signerFile, err)
	}
	if installation != "" && k.Signer.Name() != "kakusho/"+installation {
		return Pair{}, fmt.Errorf("the trail is of %s, not of kakusho/%s", k.Signer.Name(), installation)
	}
	public, err := Public(dir)
	if errors.Is(err, os.ErrNotExist) {
		return k, pack.WriteWhole(fs, filepath.Join(dir, PublicFile), []byte(k.Public+"\n"))
	}
	if err == nil && public != k.Public {
		err = fmt.Errorf("%s is not the public half of %s", PublicFile, signerFile)
	}
	return k, err
}

// fresh is a new key for a trail of this installation.
func fresh(installation string) ([]byte, error) {
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
	return generate("kakusho/" + installation)
}

func generate(name string) ([]byte, error) {
	skey, _, err := note.GenerateKey(rand.Reader, name)
	return []byte(skey + "\n"), err
}

// parse reads a note signer key and works out its public half.
func parse(text string) (Pair, error) {
	signer, seed, err := Seed(text)
	if err != nil {
		return Pair{}, err
	}
	half := seed.Public().(ed25519.PublicKey)
	public, err := note.NewEd25519VerifierKey(signer.Name(), half)
	return Pair{signer, public}, err
}

// Seed reads a note signer key and returns the key in it as well.
func Seed(text string) (note.Signer, ed25519.PrivateKey, error) {
	text = strings.TrimSuffix(text, "\n")
	signer, err := note.NewSigner(text)
	if err != nil {
		return nil, nil, err
	}
	// PRIVATE+KEY+name+hash+base64; the last may hold a + itself.
	parts := strings.SplitN(text, "+", 5)
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return nil, nil, errors.New("not an Ed25519 key")
	}
	return signer, ed25519.NewKeyFromSeed(seed[1:]), nil
}
