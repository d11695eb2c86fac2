package events

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"kakusho/actor"
	"kakusho/event"
	"kakusho/fact"
	"kakusho/ingest"
	"kakusho/server/sources"
	"kakusho/trail"
)

// Facts about sources are brought at least this often, and at most so often; when a
// source may only be silent for less, a quarter of that.
const (
	coverLeast = time.Hour
	coverMost  = time.Minute
)

// classGone is how long a class may not come before it counts as not arriving.
const classGone = 30 * 24 * time.Hour

// told is what was last brought of a source.
type told struct {
	at     time.Time
	words  string // what else must not wait when it changes
	keepAt time.Time
}

// cover brings what the doors saw of each registered source as facts: when it is
// due, or at once when a class came or went, or more was lost.
func (e *Events) cover(ctx context.Context, at time.Time) error {
	seen := e.Ingest.Coverage()
	var errs []error
	for _, s := range e.sources.Listed() {
		c := seen[s.ID]
		if e.cfg.Sample && !c.Last.After(e.opened) {
			continue
		}
		words := fmt.Sprint(arriving(c, s, at), c.Lost+c.Missing)
		last := e.told[s.ID]
		due := coverLeast
		if max := e.sources.SilenceMax(s); max > 0 && max/4 < due {
			due = max / 4
		}
		var batches []fact.Batch
		if last.words != words || at.Sub(last.at) >= max(due, coverMost) || at.Before(last.at) {
			batches = append(batches, feedFacts(s, c, at))
			last.at, last.words = at, words
		}
		if at.Sub(last.keepAt) >= 24*time.Hour || at.Before(last.keepAt) {
			b, err := e.keepingFacts(ctx, s, c, at)
			if err != nil {
				errs = append(errs, err)
			} else {
				batches = append(batches, b)
				last.keepAt = at
			}
		}
		if len(batches) == 0 {
			continue
		}
		if err := e.parts.Intake.Accept(ctx, actor.Program, batches, e.cfg.Now()); err != nil {
			errs = append(errs, fmt.Errorf("bring facts of source %s: %w", s.ID, err))
			continue
		}
		e.told[s.ID] = last
	}
	return errors.Join(errs...)
}

// arriving are the classes that came within the longest silence of a class.
func arriving(c ingest.Coverage, s *sources.Source, at time.Time) (out []string) {
	gone := s.ClassSilence
	if gone <= 0 {
		gone = classGone
	}
	for _, class := range event.Classes() {
		if x, ok := c.Classes[class]; ok && at.Sub(x.Last) <= gone {
			out = append(out, string(class))
		}
	}
	return out
}

func batchOf(s *sources.Source, group string, at time.Time, facts ...fact.Fact) fact.Batch {
	var id [16]byte
	rand.Read(id[:])
	return fact.Batch{
		ID: hex.EncodeToString(id[:]), Subject: fact.NewRef("log-source", s.ID), Collector: group, Version: "1", Method: "native", Privilege: "program",
		ObservedAt: at, Facts: facts,
	}
}

func saw(field string, v any) fact.Fact {
	return fact.Fact{Field: field, Status: fact.Observed, Value: v, Source: []fact.Source{{Kind: "trail", Ref: "events"}}}
}

func none(field, why string) fact.Fact {
	return fact.Fact{Field: field, Status: fact.Absent, Reason: "absent: " + why}
}

func feedFacts(s *sources.Source, c ingest.Coverage, at time.Time) fact.Batch {
	last := none("last_arrival", "nothing has come by this source")
	switch {
	case !c.Last.IsZero():
		last = saw("last_arrival", c.Last.UTC())
	case c.Count > 0:
		last = none("last_arrival", "the clock here was ahead when something last came")
	}
	classes := []any{}
	for _, x := range arriving(c, s, at) {
		classes = append(classes, x)
	}
	clock := none("clock_error", "no event with a time of its source in the last hours")
	if off, known := c.Clock(); known {
		clock = saw("clock_error", clockError(off))
	}
	return batchOf(s, "feed", at, last, saw("classes_seen", classes), saw("events_lost", c.Lost+c.Missing), clock)
}

// onItsWay is how late an event may come without its clock being behind.
const onItsWay = 5 * time.Minute

// clockError is how far a clock is off, either way: arrival minus time of the event
// nearest to it says all that it is ahead, and what it is behind less the way.
func clockError(off time.Duration) time.Duration {
	if off < 0 {
		return -off
	}
	return max(off-onItsWay, 0)
}

// keepingFacts say from when on the events of a source can be had, and whether a
// pack that may hold some is nowhere.
func (e *Events) keepingFacts(ctx context.Context, s *sources.Source, c ingest.Coverage, at time.Time) (fact.Batch, error) {
	oldest, missing := time.Time{}, int64(0)
	if c.Count > 0 {
		for name, l := range e.Ingest.Trails() {
			if _, spoke := e.Ingest.Systems(name)[s.System]; !spoke {
				continue
			}
			packs, err := l.Packs()
			if err != nil {
				return fact.Batch{}, fmt.Errorf("look at the packs of %s: %w", name, err)
			}
			for _, p := range packs {
				if p.State == trail.PackHashes || p.To.Before(c.First) || !c.Last.IsZero() && p.From.After(c.Last) {
					continue
				}
				if !e.there(ctx, name, p) {
					missing++
					continue
				}
				if oldest.IsZero() || p.From.Before(oldest) {
					oldest = p.From
				}
			}
		}
	}
	if oldest.Before(c.First) {
		oldest = c.First
	}
	kept := none("oldest_kept", "nothing of this source is kept")
	if c.Count > 0 && !oldest.IsZero() {
		kept = saw("oldest_kept", oldest.UTC())
	}
	return batchOf(s, "keeping", at, kept, saw("packs_missing", missing)), nil
}

// there reports whether the file of a pack is where it should be, with its length.
func (e *Events) there(ctx context.Context, stream string, p trail.Pack) bool {
	if p.State == trail.PackArchived {
		a := e.archive(stream)
		if a == nil {
			return false
		}
		n, err := a.Size(ctx, p.Name)
		return err == nil && n == p.Bytes
	}
	info, err := os.Stat(filepath.Join(e.Ingest.Folder(stream), "pack", p.Name))
	return err == nil && (!p.Whole || info.Size() == p.Bytes)
}

// silent are the sources of a system that have been silent for longer than they may.
func (e *Events) silent(at time.Time) (out []string) {
	seen := e.Ingest.Coverage()
	for _, s := range e.sources.Listed() {
		if most := e.sources.SilenceMax(s); most > 0 && at.Sub(seen[s.ID].Last) > most {
			out = append(out, s.ID)
		}
	}
	slices.Sort(out)
	return out
}
