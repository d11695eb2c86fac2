package backup

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"kakusho/server/fold"
	"kakusho/trail"
	"kakusho/trail/audit"
)

// Restore makes the data folder data, not there yet, of a decrypted backup, folds its
// rows and verifies its trails. The reports are of the trails by their folders; where
// one is not OK the folder stays, to be looked at.
func Restore(ctx context.Context, r io.Reader, data string, now func() time.Time) (Manifest, map[string]trail.Report, error) {
	m, err := Read(ctx, r, data)
	if err != nil {
		return m, nil, err
	}
	if _, err := fold.Refold(ctx, data, "", false, now, nil); err != nil {
		return m, nil, fmt.Errorf("%s was restored, and its rows cannot be folded: %w", data, err)
	}
	folders, err := filepath.Glob(filepath.Join(data, "events", "*", "trail.pub"))
	if err != nil {
		return m, nil, err
	}
	reports := map[string]trail.Report{}
	for _, key := range append([]string{filepath.Join(data, "trail", "trail.pub")}, folders...) {
		folder := filepath.Dir(key)
		name, err := filepath.Rel(data, folder)
		if err != nil {
			return m, nil, err
		}
		if reports[name], err = whole(ctx, folder, now); err != nil {
			return m, nil, fmt.Errorf("%s was restored, and its trail %s cannot be verified: %w", data, name, err)
		}
	}
	return m, reports, nil
}

// whole brings a trail to where its last segment ends, as a start after a power cut
// does, and verifies it.
func whole(ctx context.Context, folder string, now func() time.Time) (trail.Report, error) {
	t, err := trail.Open(folder, trail.Options{Now: now})
	if err != nil {
		return trail.Report{}, err
	}
	key := t.PublicKey()
	if err := t.Close(); err != nil {
		return trail.Report{}, err
	}
	return audit.VerifyWith(ctx, folder, key, audit.Options{Beside: true})
}
