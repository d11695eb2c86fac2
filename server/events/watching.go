package events

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"kakusho/sigma"
	"kakusho/watch"
)

// openWatch readies the detection rules. Rules of one's own that are broken keep no
// event from being taken, and the shipped ones from nothing: they are reported.
func (e *Events) openWatch(ctx context.Context) (*watch.Watch, error) {
	rules := sigma.Default()
	if e.cfg.Rules != "" {
		var own fs.FS = os.DirFS(e.cfg.Rules)
		all, err := sigma.Load(sigma.Shipped(), own)
		if err != nil {
			e.cfg.Log.Error("rules of one's own are broken: only those that ship are in use", "folder", e.cfg.Rules, "error", err)
		} else {
			rules = all
		}
	}
	return watch.New(ctx, e.parts.Rows, e.parts.Register, watch.Options{
		Now: e.cfg.Now, Log: e.cfg.Log, Rules: rules, State: filepath.Join(e.cfg.Data, "watch.json"),
		Open: func(stream string) (watch.Reader, error) {
			if l := e.Ingest.Trails()[stream]; l != nil {
				return l, nil
			}
			return nil, fmt.Errorf("no stream %s", stream)
		},
		Deadline: func(system string, _ time.Time) time.Duration { return e.sources.Need(system).Alert },
	})
}

// watch looks at every event as it is taken.
func (e *Events) watch(ctx context.Context) {
	sub := e.Ingest.Subscribe(256)
	defer sub.Close()
	report := func(err error) {
		if err != nil && ctx.Err() == nil {
			e.cfg.Log.Error("watch events", "error", err)
		}
	}
	report(e.Watch.CatchUp(ctx))
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if err := e.Watch.Close(context.WithoutCancel(ctx)); err != nil {
				e.cfg.Log.Error("watch events", "error", err)
			}
			return
		case t, open := <-sub.C:
			if !open {
				return
			}
			report(e.Watch.Observe(ctx, t.Stream, t.First, t.Events))
		case <-tick.C:
			if sub.Missed() > 0 {
				report(e.Watch.CatchUp(ctx))
			}
			report(e.Watch.Flush(ctx))
		}
	}
}
