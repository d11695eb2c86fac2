package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A vault keeps what must never enter the trail: password hashes and the secrets
// of one-time codes. One file per person, 0600; the secret within is sealed with
// the installation's key. The trail holds the SHA-256 of the file, so a file
// changed or put back behind the program's back no longer logs anybody in.
type vault struct {
	root *os.Root
	aead cipher.AEAD
}

// secret is what the vault keeps of one person.
type secret struct {
	Person   string `json:"person"`
	Password string `json:"password"` // encoded argon2id hash
	TOTP     []byte `json:"totp"`     // sealed
}

const keyFile = "seal.key"

// openVault opens or makes the folder dir. The key is made at the first opening
// and never replaced: with a key of another length it refuses.
func openVault(dir string) (*vault, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	v := &vault{root: root}
	key, err := root.ReadFile(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		rand.Read(key)
		err = v.write(keyFile, key)
	}
	if err != nil {
		return nil, fmt.Errorf("vault key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("vault key %s: %w", filepath.Join(dir, keyFile), err)
	}
	if v.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("vault key: %w", err)
	}
	return v, nil
}

func (v *vault) Close() error { return v.root.Close() }

// put stores a person's secret durably under a name of its own and returns its
// digest. The file before it stays until forget: the new one counts only when
// the trail has its digest.
func (v *vault) put(person, passwordHash, totp string) (digest string, err error) {
	nonce := make([]byte, v.aead.NonceSize())
	rand.Read(nonce)
	b, err := json.Marshal(secret{
		Person: person, Password: passwordHash,
		TOTP: v.aead.Seal(nonce, nonce, []byte(totp), []byte(person)),
	})
	if err != nil {
		return "", fmt.Errorf("encode secret: %w", err)
	}
	sum := sha256.Sum256(b)
	digest = hex.EncodeToString(sum[:])
	if err := v.write(digest+".json", b); err != nil {
		return "", fmt.Errorf("store secret: %w", err)
	}
	return digest, nil
}

var errVault = errors.New("the stored secret is missing or was changed")

// get returns the secret whose digest the trail holds. Any other content is an
// error: errVault.
func (v *vault) get(person, digest string) (passwordHash, totp string, err error) {
	b, err := v.root.ReadFile(digest + ".json")
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", errVault, err)
	}
	sum := sha256.Sum256(b)
	if hex.EncodeToString(sum[:]) != digest {
		return "", "", errVault
	}
	var s secret
	if err := json.Unmarshal(b, &s); err != nil || s.Person != person || len(s.TOTP) < v.aead.NonceSize() {
		return "", "", errVault
	}
	n := v.aead.NonceSize()
	plain, err := v.aead.Open(nil, s.TOTP[:n], s.TOTP[n:], []byte(person))
	if err != nil {
		return "", "", errVault
	}
	return s.Password, string(plain), nil
}

// forget removes the secret with this digest; it need not be there.
func (v *vault) forget(digest string) error {
	err := v.root.Remove(digest + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// write puts a file in place whole: written aside, synced, renamed, folder synced.
func (v *vault) write(name string, b []byte) error {
	tmp := name + ".new"
	f, err := v.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = v.root.Rename(tmp, name)
	}
	if err != nil {
		return err
	}
	d, err := v.root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// shared is before the names of secrets that are nobody's, so that no staff number can
// be one.
const shared = "\x00"

// Keep keeps a secret of the installation in the vault and returns the digest by which
// Kept gives it back.
func (id *Identity) Keep(name, text string) (digest string, err error) {
	return id.vault.put(shared+name, "", text)
}

// Kept is a secret that Keep kept.
func (id *Identity) Kept(name, digest string) (string, error) {
	_, text, err := id.vault.get(shared+name, digest)
	return text, err
}
