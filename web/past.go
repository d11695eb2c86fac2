package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
)

// The parameters of an address that ask for another time. Any page, list, export or
// answer to a program takes them.
const (
	asOf    = "as_of"    // the instant shown
	knownAt = "known_at" // what had been recorded until then
)

// carried are the parameters that stay in every link and form of a page once they are
// in its address.
var carried = [...]string{asOf, knownAt, rulebook}

// errPast makes a page of status 405: the past is not changed.
var errPast = errors.New("the past is read only")

// Opening is pages of another time: ready, or still being made.
type Opening struct {
	Handler       http.Handler // nil: not ready
	Close         func()       // call it when an answer has been given; nil without Handler
	Folded, Total int64        // entries, while they are being made
}

// Opener opens the pages of a past, and waits for them no longer than it may.
type Opener func(ctx context.Context, past calendar.Past, wait time.Duration) (Opening, error)

// How long a page or a program waits for a past that has to be folded first.
const (
	pageWaits    = 800 * time.Millisecond
	programWaits = 60 * time.Second
)

// Travel lets every address of the site open at another time.
func (s *Site) Travel(open Opener) { s.open = open }

// travel leads requests that ask for another time to its pages.
func (s *Site) travel(present http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if s.open == nil || !asksTime(q) || timeless(r.URL.Path) {
			present.ServeHTTP(w, r)
			return
		}
		req := s.request(w, r)
		past, err := calendar.ParsePast(q.Get(asOf), q.Get(knownAt), req.At)
		switch {
		case req.Actor.Nobody():
			present.ServeHTTP(w, r)
		case err != nil:
			s.fail(w, req, err)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			s.fail(w, req, errPast)
		case slices.Contains(onlyNow[:], r.URL.Path):
			s.fail(w, req, errOnlyNow)
		case past.AsOf.IsZero():
			http.Redirect(w, r, Local(presentAddress(r.URL)), http.StatusSeeOther)
		default:
			s.show(w, req, past)
		}
	})
}

// asksTime reports whether an address asks for another time.
func asksTime(q url.Values) bool { return q.Has(asOf) || q.Has(knownAt) }

// timeless reports whether a path is the same at any time: files of the pages, and
// coming in and going out.
func timeless(path string) bool {
	return strings.HasPrefix(path, "/assets/") || slices.Contains([]string{"/login", "/logout", "/setup"}, path)
}

// onlyNow are pages that tell what this installation does at this moment: they have no
// past.
var onlyNow = [...]string{"/about", "/me", "/sessions", "/events/live", "/events/stream", "/events/sources", "/events/retention"}

// errOnlyNow makes a page of status 404.
var errOnlyNow = errors.New("there is only the present of this page")

// show answers out of a past, or says how far its making has come.
func (s *Site) show(w http.ResponseWriter, req *Request, past calendar.Past) {
	wait := pageWaits
	program := !strings.Contains(req.Header.Get("Accept"), "text/html")
	if program {
		wait = programWaits
	}
	o, err := s.open(req.Context(), past, wait)
	switch {
	case err != nil:
		s.fail(w, req, err)
	case o.Handler != nil:
		defer o.Close()
		o.Handler.ServeHTTP(w, req.Request)
	case program:
		w.Header().Set("Retry-After", "5")
		s.fail(w, req, ErrBusy)
	default:
		w.Header().Set("Retry-After", "2")
		s.render(w, req, s.folding[req.Lang], Answer{Title: bilingual.Say("過去の時点を準備中", "Preparing the past"), Data: o, Status: http.StatusAccepted})
	}
}

// presentAddress is an address without what asks for another time.
func presentAddress(u *url.URL) string { return without(u, asOf, knownAt, "lang") }

// without is an address with some parameters left out.
func without(u *url.URL, names ...string) string {
	q := u.Query()
	for _, name := range names {
		q.Del(name)
	}
	if len(q) == 0 {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + q.Encode()
}

// when is what the frame says of the time shown, and how it asks for another.
type when struct {
	calendar.Past
	Asked   bool // the address asks for another time, whether it is shown or not
	Future  bool
	Present string      // address of this page now
	Then    string      // by what was recorded at that instant alone; empty: it is so already
	Rest    [][2]string // what else the address asks for
	Quick   []quick
}

// quick is an instant offered, and the address of this page at it.
type quick struct {
	Label bilingual.Text
	To    string
}

// Typed is an instant as the form has it: the day, when it is the day's end.
func (w when) Typed(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if t = t.In(calendar.Tokyo()); t.Format("15:04:05") == "23:59:59" {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02T15:04:05")
}

// Input is the type of the field for an instant.
func (w when) Input(t time.Time) string {
	if strings.Contains(w.Typed(t), "T") {
		return "datetime-local"
	}
	return "date"
}

// Shown reports whether another time than now is shown.
func (w when) Shown() bool { return !w.AsOf.IsZero() }

func (s *Site) when(req *Request) when {
	now := s.cfg.Now()
	w := when{Past: s.cfg.Past, Asked: asksTime(req.URL.Query()), Future: s.cfg.Past.Future(now), Present: presentAddress(req.URL), Quick: quickly(req.URL, now)}
	if w.Shown() && w.KnownAt.IsZero() && !w.Future {
		w.Then = withAddress(req.URL, url.Values{asOf: {w.Typed(w.AsOf)}, knownAt: {w.Typed(w.AsOf)}})
	}
	for name, values := range req.URL.Query() {
		if slices.Contains([]string{asOf, knownAt, "lang", "from"}, name) {
			continue
		}
		for _, v := range values {
			w.Rest = append(w.Rest, [2]string{name, v})
		}
	}
	slices.SortFunc(w.Rest, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return w
}

// quickly offers the days that are asked for most: reports are of the end of a month
// or of a fiscal year.
func quickly(u *url.URL, now time.Time) (out []quick) {
	day := now.In(calendar.Tokyo())
	month := calendar.Day(day.Year(), day.Month(), 1).AddDate(0, 0, -1)
	year := calendar.Day(day.Year(), time.March, 31)
	if !year.Before(calendar.Day(day.Year(), day.Month(), day.Day())) {
		year = calendar.Day(day.Year()-1, time.March, 31)
	}
	for _, x := range []struct {
		label bilingual.Text
		day   time.Time
	}{
		{bilingual.Say("昨日", "Yesterday"), day.AddDate(0, 0, -1)},
		{bilingual.Say("先月末", "End of last month"), month},
		{bilingual.Say("前年度末", "End of last fiscal year"), year},
		{bilingual.Say("30日後", "In 30 days"), day.AddDate(0, 0, 30)},
	} {
		out = append(out, quick{x.label, withAddress(u, url.Values{asOf: {x.day.Format(time.DateOnly)}})})
	}
	return out
}

// withAddress is the address of a page at another time.
func withAddress(u *url.URL, when url.Values) string {
	q := u.Query()
	for _, name := range []string{asOf, knownAt, "lang", "from"} {
		q.Del(name)
	}
	for name, v := range when {
		q[name] = v
	}
	return u.EscapedPath() + "?" + q.Encode()
}

// keep is what the address of a request asks its links to carry.
func keep(r *http.Request) (out [][2]string) {
	q := r.URL.Query()
	for _, name := range carried {
		if v := q.Get(name); v != "" {
			out = append(out, [2]string{name, v})
		}
	}
	return out
}

// carry is a link of this site with the parameters added that it does not name itself.
// A link to elsewhere, within the page or to what is timeless stays as it is.
func carry(link string, params [][2]string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "" || u.Host != "" || strings.HasPrefix(link, "#") || timeless(u.Path) {
		return link
	}
	q := u.Query()
	for _, p := range params {
		if q.Has(p[0]) {
			continue
		}
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += p[0] + "=" + url.QueryEscape(p[1])
	}
	return u.String()
}

// percent is how far a fold has come.
func (o Opening) percent() string {
	if o.Total == 0 {
		return "0"
	}
	return strconv.FormatInt(100*o.Folded/o.Total, 10)
}

// String says how far a past has been made.
func (o Opening) String() string {
	return fmt.Sprintf("%d / %d (%s%%)", o.Folded, o.Total, o.percent())
}
