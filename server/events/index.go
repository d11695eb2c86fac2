package events

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"kakusho/audit"
	"kakusho/event"
	"kakusho/search"
	"kakusho/search/feed"
	"kakusho/search/victorialogs"
	"kakusho/trail"
)

// index is what finds events: an engine, and what fills it.
type index struct {
	engine search.Engine
	feeder *feed.Feeder
	child  *victorialogs.Child // nil: elsewhere
}

// openIndex starts the engine, or finds the one that runs elsewhere. Nil: none is
// wanted.
func (e *Events) openIndex() (*index, error) {
	state := filepath.Join(e.cfg.Data, "index", "fed.json")
	x := &index{}
	switch {
	case e.cfg.SearchURL == "none", e.cfg.SearchURL == "" && len(e.cfg.Index) == 0:
		return nil, nil
	case e.cfg.SearchURL != "":
		engine, err := victorialogs.Dial(e.cfg.SearchURL)
		if err != nil {
			return nil, fmt.Errorf("search at %s: %w", e.cfg.SearchURL, err)
		}
		x.engine, state = engine, ""
	default:
		child, err := victorialogs.Start(victorialogs.Options{
			Dir: filepath.Join(e.cfg.Data, "index"), Command: e.cfg.Index, Quota: e.cfg.IndexQuota, Memory: e.cfg.IndexMemory, Log: e.cfg.Log.With("part", "index"),
		})
		if err != nil {
			return nil, err
		}
		x.child, x.engine = child, child.Engine()
	}
	x.feeder = feed.New(x.engine, feed.Options{State: state, Log: e.cfg.Log.With("part", "feeder")})
	return x, nil
}

// feed gives the index what is in the trails, also of streams that begin later.
func (e *Events) feed(ctx context.Context) {
	if e.index == nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := e.index.feeder.Run(ctx); err != nil && ctx.Err() == nil {
			e.cfg.Log.Error("fill the index", "error", err)
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	known := map[string]bool{}
	for {
		for name, l := range e.Ingest.Trails() {
			if !known[name] {
				known[name] = true
				e.index.feeder.Add(name, feed.SourceOf(l.Len, l.Lines, func(x trail.Line) feed.Line {
					return feed.Line{Seq: x.Seq, Arrived: x.Arrived, Bytes: x.Bytes}
				}))
			}
		}
		select {
		case <-ctx.Done():
			<-ended
			return
		case <-tick.C:
		}
	}
}

// Index is how the index is: "off" when none is wanted, "down" when it does not answer.
func (e *Events) Index(ctx context.Context) string {
	switch {
	case e.index == nil:
		return "off"
	case e.index.engine.Health(ctx) != nil:
		return "down"
	}
	return ""
}

func (e *Events) closeIndex() error {
	if e.index == nil || e.index.child == nil {
		return nil
	}
	return e.index.child.Close()
}

// live is what audit tails: every batch as it is taken.
func (e *Events) live(ctx context.Context, fn func(stream string, first int64, events []event.Event, missed int64) bool) {
	s := e.Ingest.Subscribe(256)
	defer s.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case t, open := <-s.C:
			if !open || !fn(t.Stream, t.First, t.Events, s.Missed()) {
				return
			}
		}
	}
}

// newSearch joins trails and index for those who may look.
func (e *Events) newSearch() *audit.Events {
	var engine search.Engine = off{}
	if e.index != nil {
		engine = e.index.engine
	}
	return audit.NewEvents(e.cfg.Log, e.parts.Gate, engine, e.Ingest.Trails, e.live, e.within)
}

// within is what audit asks: the systems of a scope.
func (e *Events) within(_ context.Context, scope string) ([]string, error) {
	return e.sources.Within(scope), nil
}
