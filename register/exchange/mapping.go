package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/kind/table"
	"kakusho/register"
	"kakusho/store"
)

// MappingBody is what the trail keeps of a mapping: what it is for, and what it says.
type MappingBody struct {
	Kind     string        `json:"kind"`
	Headings string        `json:"headings"` // table.Headings
	Mapping  table.Mapping `json:"mapping"`
}

// guessed is the mapping of headings nobody has seen before, and which of it are guesses.
func guessed(heads []table.Head) (m table.Mapping, keys []string) {
	m.Columns = map[string]string{}
	for _, h := range heads {
		if h.Guess != "" {
			m.Columns[h.Key] = h.Guess
			keys = append(keys, h.Key)
		}
	}
	return m, keys
}

// remembered is the mapping chosen last for the same headings.
func remembered(ctx context.Context, rd store.Reader, k kind.Kind, heads []table.Head) (m table.Mapping, known bool, err error) {
	row, known, err := store.Get(ctx, rd, store.Mapping{Kind: k.ID, Headings: table.Headings(heads)})
	if err != nil || !known {
		return m, false, err
	}
	b, err := json.Marshal(row.Mapping)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, false, fmt.Errorf("read mapping of %s: %w", k.ID, err)
	}
	for key, name := range m.Columns { // a field that there was
		if _, ok := k.Field(name); !ok && name != table.Leave {
			delete(m.Columns, key)
		}
	}
	return m, true, nil
}

// Remember keeps a mapping for the next file with these headings. What it says of other
// headings, fields and choices than there are is left out.
func (x *Exchange) Remember(ctx context.Context, who actor.Actor, kindID string, heads []table.Head, m table.Mapping, at time.Time) error {
	k, ok := x.register.Kinds()[kindID]
	if !ok {
		return fmt.Errorf("%w: %s", register.ErrNoKind, kindID)
	}
	_, err := x.gate.Ask(ctx, gate.Request{
		Actor: who, At: at, Action: gate.MapRegister, Object: "register/" + k.ID, Need: register.Owners(k), Scope: who.Everywhere(), // it changes no entry
		Changes: []gate.Change{{Body: MappingBody{k.ID, table.Headings(heads), sensible(k, heads, m)}}},
	})
	return err
}

// sensible is what a mapping says of what there is.
func sensible(k kind.Kind, heads []table.Head, m table.Mapping) table.Mapping {
	out := table.Mapping{Columns: map[string]string{}, Values: map[string]map[string]string{}}
	for _, h := range heads {
		name := m.Columns[h.Key]
		if f, ok := k.Field(name); ok && f.In(kind.Declared) || name == table.Leave {
			out.Columns[h.Key] = name
		}
	}
	for name, words := range m.Values {
		f, ok := k.Field(name)
		if !ok || f.Type != kind.Enum {
			continue
		}
		for word, to := range words {
			if to != "" && !slices.ContainsFunc(f.Choices, func(c kind.Choice) bool { return c.Value == to }) {
				continue
			}
			if out.Values[name] == nil {
				out.Values[name] = map[string]string{}
			}
			if len(out.Values[name]) < table.MaxForeign*10 {
				out.Values[name][word] = to
			}
		}
	}
	return out
}
