package register

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kakusho/bilingual"
	"kakusho/blob/file"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/scan"
	"kakusho/store"
)

// Upload is a file that comes with a step.
type Upload = file.Upload

// attach tells what the files are, and puts what is read from them into values.
func (t *taking) attach(uploads []Upload, values map[string]any) {
	bad := func(message bilingual.Text) {
		t.faults = append(t.faults, kind.Fault{Field: "step_files", Label: bilingual.Say("添付", "Files"), Message: message})
	}
	var wrong []bilingual.Text
	t.files, wrong = file.CheckAll(uploads, t.step.Files)
	for _, message := range wrong {
		bad(message)
	}
	for _, reads := range t.step.Reads {
		var found map[string]any
		why := errors.New("-")
		for _, u := range uploads {
			if found, why = scan.Read(reads.Format, u.Content); why == nil {
				break
			}
		}
		if why != nil {
			bad(bilingual.Say(fmt.Sprintf("%sの報告ファイルを要する（%v）。", strings.ToUpper(reads.Format), why), fmt.Sprintf("attach a report in %s (%v)", strings.ToUpper(reads.Format), why)))
			continue
		}
		for field, word := range reads.Set {
			values[field] = found[strings.TrimPrefix(word, "$")]
		}
	}
}

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
