package events

import (
	"time"

	"kakusho/audit"
	"kakusho/calendar"
	"kakusho/web"
)

// chart is the histogram above the rows, drawn as an image of rectangles: each a
// link to its part of the time.
type chart struct {
	Bars  []bar
	Most  int64
	Total int64
	Step  time.Duration
	Width int
	From  time.Time
	Until time.Time
}

type bar struct {
	X, Y, W, H int
	Count      int64
	From       time.Time
	Until      time.Time
	Link       string
}

// How the chart is drawn, in units of its view box.
const (
	chartWidth  = 1000
	chartHeight = 120
	chartBars   = 60
)

// steps are the lengths a bar can stand for.
var steps = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour,
}

// stepFor is the shortest that needs no more bars than fit.
func stepFor(span time.Duration) time.Duration {
	for _, s := range steps {
		if span <= s*chartBars {
			return s
		}
	}
	return steps[len(steps)-1]
}

// histogram counts q over its time. Without a beginning there is none to draw.
func (p pages) histogram(r *web.Request, l audit.Look, q audit.EventQuery) (chart, error) {
	c := chart{From: q.From, Until: q.Until, Width: chartWidth}
	if c.Until.IsZero() {
		c.Until = r.At
	}
	if c.From.IsZero() || !c.From.Before(c.Until) {
		return chart{}, nil
	}
	c.Step = stepFor(c.Until.Sub(c.From))
	groups, err := p.events.Count(r.Context(), l, q, audit.Stats{Step: c.Step, Limit: 2 * chartBars})
	if err != nil || len(groups) == 0 {
		return chart{}, err
	}
	for _, g := range groups {
		c.Most = max(c.Most, g.Count)
		c.Total += g.Count
	}
	start := groups[0].Time
	for start.After(c.From) {
		start = start.Add(-c.Step)
	}
	width := chartWidth / (int(c.Until.Sub(start)/c.Step) + 1)
	for _, g := range groups {
		if g.Count == 0 {
			continue
		}
		h := max(int(int64(chartHeight)*g.Count/c.Most), 2)
		end := g.Time.Add(c.Step)
		c.Bars = append(c.Bars, bar{
			X: int(g.Time.Sub(start)/c.Step) * width, Y: chartHeight - h, W: max(width-1, 1), H: h, Count: g.Count, From: g.Time, Until: end,
			Link: "/events" + with(r, map[string]string{"range": "", "since": typed(g.Time), "until": typed(end)}),
		})
	}
	return c, nil
}

func typed(t time.Time) string { return t.In(calendar.Tokyo()).Format("2006-01-02T15:04:05") }
