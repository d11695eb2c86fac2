package store

import "kakusho/directive"

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
