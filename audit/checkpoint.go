package audit

import (
	"context"
	"errors"
	"fmt"
	"os"

	"kakusho/trail/short"
	"kakusho/trail/witness"
)

// Seal is the trail's newest checkpoint in the form that is printed and kept,
// and what witnesses say of the trail.
type Seal struct {
	short.Form
	QR        []byte // SVG of the whole signed checkpoint
	Witnessed witness.Status
}

// Seal is how the trail stands now. It reveals no entry, and takes no permit.
func (a *Audit) Seal(ctx context.Context) (Seal, error) {
	text, c, err := a.trail.Checkpoint(ctx)
	if errors.Is(err, os.ErrNotExist) {
		return Seal{}, nil // of a trail just made there is none yet
	}
	if err != nil {
		return Seal{}, fmt.Errorf("checkpoint of the trail: %w", err)
	}
	s := Seal{Form: short.Of(c, text), Witnessed: a.trail.Witnessed()}
	if s.QR, err = s.SVG(fmt.Sprintf("%s %d %s", s.Origin, s.Size, s.Code)); err != nil {
		return Seal{}, err
	}
	return s, nil
}
