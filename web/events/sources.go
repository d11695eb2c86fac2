package events

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/event"
	"kakusho/web"
)

// Feeds tells what has come by each way in: of what is registered, and of whom
// nobody registered.
type Feeds interface {
	Feeds(at time.Time) ([]Feed, error)
}

// Feed is one source as it stands.
type Feed struct {
	ID       string // entry of the register log-source; empty: not registered
	Name     string
	System   string
	Door     string
	Sender   string        // address or name, of one that is not registered
	Last     time.Time     // arrival; zero: nothing ever came
	Silence  time.Duration // longest that is allowed; zero: not known
	Count    int64
	Lost     int64
	Hours    []int64 // events of each of the last 24 hours, oldest first
	Expected []event.Class
	Seen     map[event.Class]time.Time // last arrival of each class
}

// Silent reports whether a source has been quiet for longer than it may.
func (f Feed) Silent(at time.Time) bool {
	return f.ID != "" && f.Silence > 0 && at.Sub(f.Last) > f.Silence
}

type sourcesData struct {
	Known     []feedRow
	Strangers []feedRow
	Silent    int
	Only      string
	Total     int
}

type feedRow struct {
	Feed
	Quiet   bool
	Classes []classSeen
	Spark   []sparkBar
	Search  string
	Add     string // address of the form that registers it
}

type classSeen struct {
	Label bilingual.Text
	Last  time.Time
	Want  bool
}

type sparkBar struct{ X, Y, H int }

func (p pages) sources(r *web.Request) (web.Answer, error) {
	l, err := p.look(r, "#sources")
	if err != nil {
		return web.Answer{}, err
	}
	feeds, err := p.feeds.Feeds(r.At)
	if err != nil {
		return web.Answer{}, err
	}
	feeds = Within(feeds, l.May)
	d := sourcesData{Only: r.URL.Query().Get("only")}
	for _, f := range feeds {
		x := feedRowOf(f, r.At)
		switch {
		case f.ID == "":
			d.Strangers = append(d.Strangers, x)
		default:
			d.Total++
			if x.Quiet {
				d.Silent++
			}
			if d.Only != "silent" || x.Quiet {
				d.Known = append(d.Known, x)
			}
		}
	}
	slices.SortStableFunc(d.Known, func(a, b feedRow) int { // silent ones first
		if a.Quiet != b.Quiet {
			if a.Quiet {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return web.Answer{Page: "sources", Title: bilingual.Say("証跡の取得状況", "Where events come from"), Data: d}, nil
}

// Within are the feeds of systems that may be seen. Whose a sender is that nobody
// registered is not known: they are for those who may see every system.
func Within(feeds []Feed, may func(system string) bool) []Feed {
	return slices.DeleteFunc(slices.Clone(feeds), func(f Feed) bool { return !may(f.System) })
}

func feedRowOf(f Feed, at time.Time) feedRow {
	x := feedRow{Feed: f, Quiet: f.Silent(at)}
	for _, c := range event.Classes() {
		last, seen := f.Seen[c]
		want := slices.Contains(f.Expected, c)
		if seen || want {
			x.Classes = append(x.Classes, classSeen{c.Label(), last, want})
		}
	}
	most := int64(1)
	for _, n := range f.Hours {
		most = max(most, n)
	}
	for i, n := range f.Hours {
		if n > 0 {
			h := max(int(20*n/most), 1)
			x.Spark = append(x.Spark, sparkBar{i * 5, 20 - h, h})
		}
	}
	if f.ID != "" {
		x.Search = "/events?" + url.Values{"q": {"feed:" + quoted(f.ID)}, "range": {"24h"}}.Encode()
	} else {
		x.Add = "/register/log-source/new?" + url.Values{"door": {f.Door}, "match_address": {f.Sender}, "status": {"in-service"}}.Encode()
	}
	return x
}
