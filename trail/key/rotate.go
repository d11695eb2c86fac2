package key

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"kakusho/trail/pack"
	"kakusho/trail/seal"
)

// Change puts a new key in the place of the one in dir, from this checkpoint on,
// and returns the statement of it. With lost the old key is not needed, and does
// not vouch for the new one. The caller holds the trail's lock and has checked the
// checkpoint with the old public key.
//
// The statement is what decides: whatever is interrupted after it was written is
// finished by the next Open, and whatever before is undone.
func Change(fs pack.FS, dir string, c seal.Checkpoint, lost bool, at time.Time) (Statement, error) {
	if err := settle(fs, dir); err != nil {
		return Statement{}, fmt.Errorf("change key: %w", err)
	}
	chain, text, err := chainOf(dir)
	if err != nil {
		return Statement{}, fmt.Errorf("change key: %w", err)
	}
	old, err := Public(dir)
	if err != nil {
		return Statement{}, fmt.Errorf("change key: %w", err)
	}
	fresh, err := generate(c.Origin)
	if err != nil {
		return Statement{}, fmt.Errorf("change key: %w", err)
	}
	next, err := parse(string(fresh))
	if err != nil {
		return Statement{}, fmt.Errorf("change key: %w", err)
	}
	s := Statement{Origin: c.Origin, Number: int64(len(chain)) + 1, Old: old, New: next.Public, Lost: lost, At: at, Size: c.Size, Root: c.Root}
	if n := len(chain); n > 0 {
		s.Prev = seal.Leaf([]byte(chain[n-1].Text()))
	}
	signers := []note.Signer{next.Signer}
	if !lost {
		k, err := signerIn(dir)
		if err != nil {
			return Statement{}, fmt.Errorf("change key: %w", err)
		}
		if k.Public != old {
			return Statement{}, fmt.Errorf("change key: %s is not the public half of %s", PublicFile, signerFile)
		}
		signers = append(signers, k.Signer)
	}
	signed, err := note.Sign(&note.Note{Text: s.Text()}, signers...)
	if err != nil {
		return Statement{}, fmt.Errorf("change key: %w", err)
	}
	text = append(bytes.Clone(text), append(signed, '\n')...)
	if _, err := ParseChain(text); err != nil {
		return Statement{}, fmt.Errorf("change key: %w", err)
	}
	err = errors.Join(pack.MkdirAll(fs, filepath.Join(dir, Folder)), pack.WriteWhole(fs, filepath.Join(dir, nextFile), fresh))
	if err == nil {
		err = pack.WriteWhole(fs, filepath.Join(dir, ChainFile), text)
	}
	if err == nil {
		err = settle(fs, dir)
	}
	if err != nil {
		return Statement{}, fmt.Errorf("change key: %w", err)
	}
	return s, nil
}

func chainOf(dir string) (Chain, []byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, ChainFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("read key statements: %w", err)
	}
	c, err := ParseChain(text)
	return c, text, err
}

func signerIn(dir string) (Pair, error) {
	text, err := os.ReadFile(filepath.Join(dir, signerFile))
	if err != nil {
		return Pair{}, fmt.Errorf("private key: %w", err)
	}
	return parse(string(text))
}

// settle finishes a change that was stated, and undoes one that was not.
func settle(fs pack.FS, dir string) error {
	name := filepath.Join(dir, nextFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, ChainFile) + pack.Unfinished); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	chain, _, err := chainOf(dir)
	if err != nil {
		return err
	}
	next, err := parse(string(text))
	if err != nil || len(chain) == 0 || chain[len(chain)-1].New != next.Public {
		return errors.Join(os.Remove(name), fs.SyncDir(filepath.Dir(name)))
	}
	if err := pack.WriteWhole(fs, filepath.Join(dir, PublicFile), []byte(next.Public+"\n")); err != nil {
		return err
	}
	if err := os.Rename(name, filepath.Join(dir, strings.TrimSuffix(nextFile, ".next"))); err != nil {
		return err
	}
	return fs.SyncDir(filepath.Dir(name))
}
