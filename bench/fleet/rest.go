package fleet

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"kakusho/kind"
)

// rest makes the fields that nothing made by name, by their types.
func (m *maker) rest() {
	group := ""
	for _, f := range m.kind.Fields {
		if f.In(kind.Observed) && m.s.Facts[f.Name].Fact.Field == "" {
			if f.Group != group {
				group = f.Group
				m.run(group)
			}
			m.put(f.Name, m.value(f))
		}
		if f.In(kind.Derived) && m.s.Facts[f.Name].Fact.Field == "" {
			m.derive(f.Name, m.value(f))
		}
		if f.In(kind.Declared) && m.s.Declared[f.Name].Fact.Field == "" {
			m.declare(f.Name, m.value(f))
		}
	}
}

// value is drawn by the field's type; what is usual differs from field to field.
func (m *maker) value(f kind.Field) any {
	switch f.Type {
	case kind.Bool:
		return m.chance(80)
	case kind.Int:
		least, most := int64(0), int64(12)
		if f.Least != nil {
			least = *f.Least
		}
		if f.Most != nil {
			most = min(*f.Most, least+1000)
		}
		return least + int64(m.zipf(int(most-least)+1))
	case kind.Number:
		return m.Float64()
	case kind.Enum:
		return f.Choices[m.zipf(len(f.Choices))].Value
	case kind.Time, kind.Date:
		return m.when(f)
	case kind.Duration:
		usual := []time.Duration{day, 15 * time.Minute, time.Hour, 7 * day, 30 * day, 365 * day}
		return usual[m.zipf(len(usual))]
	case kind.List:
		return m.list(f)
	}
	return m.word(f.Name)
}

func (m *maker) when(f kind.Field) time.Time {
	t := m.ago(900 * day)
	if strings.Contains(f.Name, "until") || strings.Contains(f.Name, "end") {
		t = m.body.At.AddDate(0, 0, m.IntN(1900)-75)
	}
	if f.Type == kind.Date {
		t = date(t)
	}
	return t
}

// word is one of few, of some or of very many, which depends on the field.
func (m *maker) word(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	switch h.Sum32() % 3 {
	case 0:
		return fmt.Sprintf("%s-%d", name, m.zipf(5))
	case 1:
		return fmt.Sprintf("%s-%d", name, m.zipf(800))
	}
	return fmt.Sprintf("%s-%08d", name, m.no)
}

func (m *maker) list(f kind.Field) []any {
	list := []any{}
	if len(f.Choices) > 0 {
		for _, c := range f.Choices {
			if m.chance(75) {
				list = append(list, c.Value)
			}
		}
		return list
	}
	for range m.zipf(5) {
		if len(f.Of) == 0 {
			list = append(list, m.word(f.Name))
			continue
		}
		record := map[string]any{}
		for _, sub := range f.Of {
			if m.chance(96) {
				record[sub.Name] = m.value(sub)
			}
		}
		list = append(list, record)
	}
	return list
}
