package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"kakusho/demo/scene"
	"kakusho/demo/spread"
	"kakusho/event"
	"kakusho/fact"
	"kakusho/gate"
	"kakusho/ingest"
	"kakusho/register"
	"kakusho/server"
)

// relay is who brings what comes by a door: the log server, and what collects from
// applications.
func relay(door string) string {
	if door == "otlp" {
		return "collector.kakuu.example"
	}
	return "relay.kakuu.example"
}

// happening are the steps by which events come: each batch at its time through the
// doors' own way, looked at by the rules as it comes. At last what came is brought as
// facts.
func (b *body) happening(s *server.Server) ([]step, error) {
	var script scene.Script
	if err := b.read("events.yaml", &script); err != nil {
		return nil, err
	}
	midnight := func(day int) time.Time { return b.hour(day, 0) }
	sources := b.sources()
	batches, err := script.Play(scene.Stage{Now: b.now, Midnight: midnight, Lot: spread.Lot, Sources: sources})
	if err != nil {
		return nil, err
	}
	sub := s.Events.Ingest.Subscribe(len(batches)) // closed with the server
	var out []step
	for _, x := range batches {
		out = append(out, step{at: x.At, do: func(ctx context.Context) error {
			return wrap(b.come(ctx, s, x, sub), "bring events of %s", x.At.Format(time.RFC3339))
		}})
	}
	for _, d := range script.Disposals {
		at, err := d.At.In(midnight)
		if err != nil {
			return nil, err
		}
		out = append(out, step{at: at, do: func(ctx context.Context) error { return b.dispose(ctx, s, d, at) }})
	}
	return append(out, step{at: b.now, do: func(ctx context.Context) error {
		if err := s.Events.Watch.Close(ctx); err != nil {
			return err
		}
		return s.Events.Tend(ctx, b.now)
	}}), nil
}

// come brings a batch, and what was lost on the way to it.
func (b *body) come(ctx context.Context, s *server.Server, x scene.Batch, sub *ingest.Subscription) error {
	o := event.Origin{Door: x.Door, Address: "10.22.1.3", Name: relay(x.Door)}
	if x.Lossy != "" {
		e := b.byRef[fact.NewRef("log-source", x.Lossy)]
		o.Door, o.Name, o.Host = e.text("door"), e.text("match_name"), e.text("match_host")
		s.Events.Ingest.Lost(o, x.Lost, x.Why)
		s.Events.Ingest.SealLosses()
	} else if _, err := s.Events.Ingest.Accept(ctx, event.Batch{Origin: o, Events: x.Events}, false); err != nil {
		return err
	}
	for {
		select {
		case t := <-sub.C:
			if err := s.Events.Watch.Observe(ctx, t.Stream, t.First, t.Events); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// dispose closes the open alerts of a system, as one who looked into them.
func (b *body) dispose(ctx context.Context, s *server.Server, d scene.Disposal, at time.Time) error {
	who := b.actor(d.By)
	p, err := s.Gate.Ask(ctx, gate.Request{Actor: who, At: at, Action: gate.Read, Object: "register/alert"})
	if err != nil {
		return err
	}
	page, err := s.Register.List(ctx, p, register.Query{Kind: "alert", Equal: map[string]string{"system": d.System, "state": "open"}, Limit: 100})
	if err != nil {
		return err
	}
	for _, e := range page.Entries {
		values := maps.Clone(e.Values)
		maps.Copy(values, map[string]any{"state": "closed", "disposition": d.Disposition, "measures": d.Measures, "disposed_by": d.By, "disposed_at": at})
		if _, err := s.Register.Put(ctx, who, "alert", values, e.Rev, at); err != nil {
			return fmt.Errorf("dispose of alert %s: %w", e.Ref, err)
		}
	}
	return nil
}

// sources are those of the register that send, and who works at their systems.
func (b *body) sources() (out []scene.Source) {
	users, admins := b.workers()
	for _, e := range b.entries["log-source"] {
		if e.text("status") == "planned" {
			continue
		}
		src := scene.Source{ID: e.id, Of: e.text("_of"), System: e.system(), Door: e.text("door"), Device: e.text("match_host")}
		if src.Users = users[src.System]; len(src.Users) == 0 {
			src.Users = users["OA"]
		}
		src.Admins = admins[src.System]
		out = append(out, src)
	}
	return out
}

// workers are the users and the administrators of each system, everyone at one desk.
func (b *body) workers() (users, admins map[string][]scene.Who) {
	users, admins = map[string][]scene.Who{}, map[string][]scene.Who{}
	desk := map[string]string{} // person → address of his first terminal
	for _, c := range b.entries["computer"] {
		if p := c.text("_user"); p != "" && desk[p] == "" && c.text("status") == "in-service" {
			desk[p] = c.text("_address")
		}
	}
	for _, a := range b.entries["account"] {
		w := scene.Who{Account: a.text("name"), Address: desk[a.text("person")]}
		if a.text("status") != "active" || w.Address == "" || a.text("use") != "individual" || a.text("database") != "" || a.text("network_device") != "" {
			continue
		}
		to := users
		if admin, _ := a.fields["admin"].(bool); admin {
			to = admins
		}
		if !slices.Contains(to[a.system()], w) {
			to[a.system()] = append(to[a.system()], w)
		}
	}
	return users, admins
}
