package inbox

import (
	"encoding/json"
	"sync"
	"time"

	"kakusho/web"
	"kakusho/web/inbox/due"
)

// counter keeps how much everybody's inbox holds, for the frame of every page: as long
// as nothing was decided or entered, the same posts are held and no date comes. New
// evidence alone may take a minute to show in the count; the inbox itself shows it.
type counter struct {
	changed func() int64

	mu   sync.Mutex
	kept map[string]kept // by person and posts
}

type kept struct {
	web.Waiting
	changed   int64
	at, until time.Time
}

const (
	keepFor  = time.Minute
	mostKept = 1000
)

func (c *counter) of(r *web.Request, s due.Sources) (web.Waiting, error) {
	key, changed := keyOf(r), c.changed()
	c.mu.Lock()
	k, ok := c.kept[key]
	c.mu.Unlock()
	if ok && k.changed == changed && !r.At.Before(k.at) && r.At.Sub(k.at) < keepFor && (k.until.IsZero() || r.At.Before(k.until)) {
		return k.Waiting, nil
	}
	box, err := s.Of(r.Context(), r.Permit, r.At)
	if err != nil {
		return web.Waiting{}, err
	}
	return c.keep(key, changed, box), nil
}

// keyOf tells whose inbox it is, and by which posts.
func keyOf(r *web.Request) string {
	posts, _ := json.Marshal(r.Actor.Assignments) // texts alone
	return r.Actor.Person + " " + string(posts)
}

// keep keeps what an inbox holds that was read when so much had changed.
func (c *counter) keep(key string, changed int64, box due.Inbox) web.Waiting {
	k := kept{changed: changed, at: box.At, until: box.Until}
	k.All, k.Late = box.Count()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= mostKept {
		clear(c.kept)
	}
	c.kept[key] = k
	return k.Waiting
}
