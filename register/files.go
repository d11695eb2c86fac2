package register

import (
	"context"
	"fmt"

	"kakusho/blob/file"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/store"
)

// Upload is a file that comes with a step.
type Upload = file.Upload

// keep makes the files durable; the step is sealed after that, never before.
func (t *taking) keep(uploads []Upload) error {
	for i, f := range t.files {
		if err := t.r.shelf.Put(t.ctx, f, uploads[i].Content); err != nil {
			return fmt.Errorf("keep %s: %w", f.Name, err)
		}
	}
	return nil
}

// File is the n-th file of the step that an entry of the trail holds, and its content,
// for those who may read the entry of the register. ErrNoEntry: there is none.
func (r *Register) File(ctx context.Context, permit gate.Permit, ref fact.Ref, step int64, n int) (f file.File, content []byte, err error) {
	if _, err = r.readable(permit, ref.Kind()); err != nil {
		return f, nil, err
	}
	var row store.Step
	var ok bool
	err = r.rows.View(ctx, func(rd store.Reader) error {
		row, ok, err = store.Get(ctx, rd, store.Step{Subject: string(ref), Entry: step})
		return err
	})
	if err != nil {
		return f, nil, err
	}
	files := file.OfRow(row.Files)
	if !ok || n < 0 || n >= len(files) {
		return f, nil, fmt.Errorf("%s: file %d of step %d: %w", ref, n, step, ErrNoEntry)
	}
	content, err = r.shelf.Get(ctx, files[n])
	return files[n], content, err
}
