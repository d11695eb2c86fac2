package store

import (
	"cmp"
	"slices"

	"kakusho/decision"
	"kakusho/directive"
)

// Approved keeps the values that count once their time has come: approved, and
// until they were withdrawn.
func Approved(rows []Setting) (out []directive.Setting) {
	for _, s := range rows {
		if s.Approver == "" {
			continue
		}
		until := s.Until
		if !s.WithdrawnAt.IsZero() && (until.IsZero() || s.WithdrawnAt.Before(until)) {
			until = s.WithdrawnAt
		}
		out = append(out, directive.Setting{
			ID: s.ID, Key: s.Key, Layer: s.Layer, Value: s.Value, Source: s.Source, By: s.By, Approver: s.Approver,
			From: s.From, Until: until, Entry: s.Entry,
		})
	}
	return out
}

// Provided are the values that special provisions set for their systems, while they
// count. They alone may be looser than the layer above.
func Provided(all []decision.Decision) (out []directive.Setting) {
	for _, d := range all {
		if !d.Provides() || d.ApprovedAt.IsZero() {
			continue
		}
		s := directive.Setting{
			ID: d.ID, Key: d.Field, Layer: "system/" + d.Subject.ID(), Value: d.Value, Source: d.Consulted, By: d.By, Approver: d.ApprovedBy,
			From: d.From, Until: d.Until, Provision: d.ID,
		}
		if s.From.Before(d.ApprovedAt) {
			s.From = d.ApprovedAt
		}
		if !d.WithdrawnAt.IsZero() && d.WithdrawnAt.Before(s.Until) {
			s.Until = d.WithdrawnAt
		}
		if s.From.Before(s.Until) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b directive.Setting) int { return cmp.Compare(a.ID, b.ID) })
	return out
}
