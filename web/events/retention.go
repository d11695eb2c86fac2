package events

import (
	"context"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/retention"
	"kakusho/web"
)

// Keeping tells what retention would do now.
type Keeping interface {
	Plan(ctx context.Context, at time.Time) ([]retention.Step, error)
}

type retentionData struct {
	Steps   []keepRow
	Pager   web.Pager
	Only    string
	Archive int
	Retire  int
	Held    int
	Waiting int
	Total   int
	Bytes   int64
}

type keepRow struct {
	retention.Step
	Deed  bilingual.Text
	State bilingual.Text
}

var deeds = map[retention.Deed]bilingual.Text{
	retention.Nothing: bilingual.Say("そのまま", "stays"),
	retention.Archive: bilingual.Say("保管先へ移す", "to the archive"),
	retention.Retire:  bilingual.Say("廃棄する", "to be disposed of"),
}

// states are where a pack can be.
var states = map[string]bilingual.Text{
	"local":    bilingual.Say("手元", "here"),
	"archived": bilingual.Say("保管先", "in the archive"),
	"hashes":   bilingual.Say("ハッシュのみ", "hashes only"),
}

// keepTests tell the lists that can be shown apart.
var keepTests = map[string]func(retention.Step) bool{
	"archive": func(s retention.Step) bool { return s.Do == retention.Archive },
	"retire":  func(s retention.Step) bool { return s.Do == retention.Retire },
	"held":    func(s retention.Step) bool { return len(s.Holds) > 0 },
	"waiting": func(s retention.Step) bool { return s.Waiting },
}

func (p pages) retention(r *web.Request) (web.Answer, error) {
	if _, err := p.look(r, "#retention"); err != nil {
		return web.Answer{}, err
	}
	steps, err := p.keeping.Plan(r.Context(), r.At)
	if err != nil {
		return web.Answer{}, err
	}
	d := retentionData{Only: r.URL.Query().Get("only"), Total: len(steps)}
	count := func(name string) (n int) {
		for _, s := range steps {
			if keepTests[name](s) {
				n++
			}
		}
		return n
	}
	d.Archive, d.Retire, d.Held, d.Waiting = count("archive"), count("retire"), count("held"), count("waiting")
	for _, s := range steps {
		d.Bytes += s.Pack.Bytes
	}
	if test := keepTests[d.Only]; test != nil {
		steps = slices.DeleteFunc(steps, func(s retention.Step) bool { return !test(s) })
	}
	slices.SortStableFunc(steps, func(a, b retention.Step) int { return a.Keep.Compare(b.Keep) })
	d.Pager = r.Pager(len(steps))
	for _, s := range web.Part(r, steps) {
		d.Steps = append(d.Steps, keepRow{s, deeds[s.Do], states[string(s.Pack.State)]})
	}
	return web.Answer{Page: "retention", Title: bilingual.Say("証跡の保存と廃棄", "Keeping and disposing of events"), Data: d}, nil
}
