package events

import (
	"cmp"
	"slices"
	"time"

	"kakusho/event"
	"kakusho/ingest"
	pages "kakusho/web/events"
)

// Feeds implements what the page of sources asks: those of the register, whether
// they ever sent or not, and those who send without being registered.
func (e *Events) Feeds(at time.Time) ([]pages.Feed, error) {
	seen := e.Ingest.Coverage()
	var out []pages.Feed
	for _, s := range e.sources.Listed() {
		f := feedOf(seen[s.ID], at)
		f.ID, f.Name, f.System, f.Door, f.Expected = s.ID, s.Title, s.System, s.Door, s.Classes
		f.Silence = e.sources.SilenceMax(s)
		out = append(out, f)
	}
	var strangers []pages.Feed
	for who, c := range e.Ingest.Strangers() {
		f := feedOf(c, at)
		f.Door, f.Name, f.Sender = who.Door, cmp.Or(who.Name, who.Host), who.Address
		strangers = append(strangers, f)
	}
	slices.SortFunc(strangers, func(a, b pages.Feed) int { return b.Last.Compare(a.Last) })
	return append(out, strangers[:min(len(strangers), strangersShown)]...), nil
}

// strangersShown is how many senders that are not registered a page has.
const strangersShown = 500

func feedOf(c ingest.Coverage, at time.Time) pages.Feed {
	f := pages.Feed{Last: c.Last, Count: c.Count, Lost: c.Lost + c.Missing, Hours: make([]int64, 24), Seen: map[event.Class]time.Time{}}
	now := at.UTC().Truncate(time.Hour)
	for _, h := range c.Hours {
		if back := int(now.Sub(h.At) / time.Hour); back >= 0 && back < len(f.Hours) {
			f.Hours[len(f.Hours)-1-back] += h.Count
		}
	}
	for class, x := range c.Classes {
		f.Seen[class] = x.Last
	}
	return f
}
