package exchange

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/kind/table"
	"kakusho/register"
)

// Export writes the entries of q as a file. Personal fields are left out. With
// form it writes an empty form to fill in.
func (x *Exchange) Export(ctx context.Context, who actor.Actor, q register.Query, format table.Format, l bilingual.Lang, form bool, at time.Time) ([]byte, error) {
	k, ok := x.register.Kinds()[q.Kind]
	if !ok {
		return nil, fmt.Errorf("%w: %s", register.ErrNoKind, q.Kind)
	}
	p, err := x.gate.Ask(ctx, gate.Request{Actor: who, At: at, Action: gate.Export, Object: "register/" + k.ID, Scope: who.Everywhere(),
		Changes: []gate.Change{{Body: map[string]any{"format": format, "words": q.Words, "equal": q.Equal, "form": form}}}})
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	for q.Limit, q.Offset = 1000, 0; !form; q.Offset += q.Limit {
		page, err := x.register.List(ctx, p, q)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			rows = append(rows, e.Values)
		}
		if len(page.Entries) < q.Limit || len(rows) >= table.MaxRows {
			break
		}
	}
	var buf bytes.Buffer
	if err := table.Write(&buf, format, k, l, rows, table.Options{}); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
