package trail

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"kakusho/trail/key"
	"kakusho/trail/pack"
	"kakusho/trail/seal"
	"kakusho/trail/tree"
)

// RotateKey gives the trail in dir a new key, signed for by the old one; with lost,
// when the old one is gone, signed for by nobody but itself, and reported by Verify
// until an auditor accepts it. The trail must not be in use. Proofs made before go
// on holding with the old public key, and with the new one where the statement is
// at hand.
func RotateKey(ctx context.Context, dir string, o Options, lost bool) (s key.Statement, err error) {
	if !lost { // what is not sealed yet is sealed with the old key
		if err := reopen(dir, o); err != nil {
			return s, fmt.Errorf("rotate key: %w", err)
		}
	}
	if o, err = o.withDefaults(); err != nil {
		return s, err
	}
	if s, err = changeKey(ctx, dir, o, lost); err != nil {
		return s, fmt.Errorf("rotate key: %w", err)
	}
	// The new key signs the checkpoint.
	if err := reopen(dir, o); err != nil {
		return s, fmt.Errorf("rotate key: the statement is made, but: %w", err)
	}
	return s, nil
}

func reopen(dir string, o Options) error {
	l, err := Open(dir, o)
	if err != nil {
		return err
	}
	return l.Close()
}

func changeKey(ctx context.Context, dir string, o Options, lost bool) (s key.Statement, err error) {
	lock, err := lockDir(dir)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	public, err := PublicKey(dir)
	if err != nil {
		return s, err
	}
	v, err := seal.Verifier(public)
	if err != nil {
		return s, err
	}
	chain, err := key.ReadChain(dir)
	if err != nil {
		return s, err
	}
	c, err := tree.Published(ctx, tree.Options{Dir: filepath.Join(dir, logName), Driver: o.Driver, Verifier: v, Chain: chain})
	if err != nil {
		return s, err
	}
	return key.Change(pack.OS{}, dir, c, lost, o.Now())
}
