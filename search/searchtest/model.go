// Package searchtest holds an engine to the contract of package search: one suite,
// and a plain model in memory that says what the right answer is.
package searchtest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/search"
)

// Model is an engine in memory whose answers are right by being simple. It can be
// made to fail, for tests of what stands on an engine.
type Model struct {
	mu   sync.Mutex
	docs []search.Doc
	fail error
}

var _ search.Engine = (*Model)(nil)

// Fail makes every call return err from now on; nil: no more.
func (m *Model) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// Insert keeps rows.
func (m *Model) Insert(_ context.Context, rows []search.Row) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rows {
		if m.fail == nil {
			m.docs = append(m.docs, r.Doc())
		}
	}
	return m.fail
}

func (m *Model) matching(q search.Query) (out []search.Doc) {
	for _, d := range m.docs {
		if q.MatchDoc(d) {
			out = append(out, d)
		}
	}
	return out
}

// Query looks at every row.
func (m *Model) Query(_ context.Context, q search.Query, found func(search.Hit) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var hits []search.Hit
	for _, d := range m.matching(q) {
		hits = append(hits, d.Hit())
	}
	slices.SortStableFunc(hits, func(a, b search.Hit) int {
		switch {
		case search.Later(b, a):
			return -1
		case search.Later(a, b):
			return 1
		}
		return 0
	})
	limit := q.Limit
	if limit == 0 {
		limit = 100
	}
	for _, h := range hits[:min(limit, len(hits))] {
		if !found(h) {
			break
		}
	}
	return m.fail
}

// Stats counts every row.
func (m *Model) Stats(_ context.Context, q search.Query, s search.Stats) ([]search.Group, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	groups := map[string]*search.Group{}
	distinct := map[string]map[string]bool{}
	if s.Step == 0 && len(s.By) == 0 {
		groups[""] = &search.Group{}
		distinct[""] = map[string]bool{}
	}
	for _, d := range m.matching(q) {
		g := search.Group{}
		key := ""
		if s.Step > 0 {
			g.Time = step(d.Hit().Time, s.Step)
			key = g.Time.String()
		}
		for _, f := range s.By {
			g.Keys = append(g.Keys, d.Value(search.Column(f)))
		}
		key += "\x00" + strings.Join(g.Keys, "\x00")
		if s.Step == 0 && len(s.By) == 0 {
			key = ""
		}
		if groups[key] == nil {
			groups[key], distinct[key] = &g, map[string]bool{}
		}
		groups[key].Count++
		if v := d.Value(search.Column(s.Distinct)); s.Distinct != "" && v != "" {
			distinct[key][v] = true
		}
	}
	var out []search.Group
	for key, g := range groups {
		g.Distinct = int64(len(distinct[key]))
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b search.Group) int {
		if s.Step > 0 {
			return cmp.Or(a.Time.Compare(b.Time), slices.Compare(a.Keys, b.Keys))
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), slices.Compare(a.Keys, b.Keys))
	})
	limit := s.Limit
	if limit == 0 {
		limit = 1000
	}
	return out[:min(limit, len(out))], m.fail
}

func step(t time.Time, d time.Duration) time.Time {
	const japan = 9 * time.Hour
	ns := t.UnixNano() + int64(japan)
	return time.Unix(0, ns-ns%int64(d)-int64(japan)).UTC()
}

// CountByBucket counts.
func (m *Model) CountByBucket(_ context.Context, stream string, from int64) (map[int64]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[int64]int64{}
	for _, d := range m.docs {
		r := d.Hit()
		if r.Stream == stream && r.Bucket() >= from {
			out[r.Bucket()]++
		}
	}
	return out, m.fail
}

// Present lists.
func (m *Model) Present(_ context.Context, stream string, bucket int64) ([]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []int64
	for _, d := range m.docs {
		r := d.Hit()
		if r.Stream == stream && r.Bucket() == bucket {
			out = append(out, r.Seq)
		}
	}
	slices.Sort(out)
	return out, m.fail
}

// Forget removes.
func (m *Model) Forget(_ context.Context, stream string, bucket int64) error {
	return m.drop(func(r search.Hit) bool { return r.Stream == stream && r.Bucket() == bucket })
}

// DropBefore removes.
func (m *Model) DropBefore(_ context.Context, day time.Time) error {
	return m.drop(func(r search.Hit) bool { return r.Time.Before(day.UTC().Truncate(24 * time.Hour)) })
}

// Lose removes what a crash would.
func (m *Model) Lose(lost func(search.Hit) bool) { _ = m.drop(lost) }

func (m *Model) drop(gone func(search.Hit) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		m.docs = slices.DeleteFunc(m.docs, func(d search.Doc) bool { return gone(d.Hit()) })
	}
	return m.fail
}

// Health is what Fail was given.
func (m *Model) Health(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fail
}
