package watch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"kakusho/sigma"
)

// Alert is what a rule found, of one group of its hits.
type Alert struct {
	Rule    string
	Title   string
	Level   sigma.Level
	System  string
	Feed    string
	Account string
	Device  string
	Source  string
	Group   string
	Count   int64
	First   sigma.Moment
	Last    sigma.Moment

	together bool // rests on several events, perhaps of several systems
}

// key tells one open alert from another.
type key struct{ rule, system, group string }

func (a Alert) key() key {
	if a.together {
		return key{a.Rule, "", a.Group}
	}
	return key{a.Rule, a.System, a.Group}
}

// alertOf makes an alert of a finding. Of several events only what they have in
// common is said.
func alertOf(f sigma.Finding) Alert {
	a := Alert{
		Rule: f.Rule.ID, Title: clean(f.Rule.Title.JA, 300), Level: f.Rule.Level, System: clean(f.Event.System, 64), Feed: clean(f.Event.Feed, 64),
		Group: clean(f.Group, 500), Count: int64(f.Count), First: f.First, Last: f.Last, together: f.Rule.Correlates(),
	}
	say := func(name string) bool { return !a.together || slices.Contains(f.Rule.GroupBy, name) }
	if say("account") {
		a.Account = clean(f.Event.Account, 200)
	}
	if say("device") {
		a.Device = clean(f.Event.Device, 200)
	}
	if say("source") {
		a.Source = clean(f.Event.Source, 200)
	}
	return a
}

// add counts a further finding in.
func (a *Alert) add(b Alert) {
	a.Count += b.Count
	if b.First.At.Before(a.First.At) {
		a.First = b.First
	}
	if !b.Last.At.Before(a.Last.At) {
		a.Last = b.Last
	}
}

// values are the fields of the register that are the program's.
func (a Alert) values() map[string]any {
	v := map[string]any{
		"title": a.Title, "rule": clean(a.Rule, 128), "level": string(a.Level), "count": a.Count, "first_at": a.First.At, "last_at": a.Last.At,
		"first_event": place(a.First.Ref), "last_event": place(a.Last.Ref),
	}
	for name, s := range map[string]string{"system": a.System, "log_source": a.Feed, "account": a.Account, "device": a.Device, "source": a.Source, "group": a.Group} {
		if s != "" {
			v[name] = s
		}
	}
	return v
}

func place(r sigma.Ref) string {
	if r.Stream == "" {
		return ""
	}
	return r.Stream + "/" + strconv.FormatInt(r.Seq, 10)
}

// placed reads what place wrote.
func placed(s string) (r sigma.Ref) {
	stream, seq, ok := strings.Cut(s, "/")
	n, err := strconv.ParseInt(seq, 10, 64)
	if !ok || err != nil {
		return r
	}
	return sigma.Ref{Stream: stream, Seq: n}
}

// clean makes a text of an event fit for a register: one line, nothing that hides or
// moves what stands around it, not too long. A hostile name is evidence, so what is
// not allowed is written out, and two names stay two.
func clean(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD")) {
		piece := string(r)
		if !unicode.IsGraphic(r) {
			piece = fmt.Sprintf(`\u%04X`, r)
		}
		if n += len([]rune(piece)); n >= most {
			b.WriteString("…")
			break
		}
		b.WriteString(piece)
	}
	return strings.TrimSpace(b.String())
}

// hour counts the alerts a rule opened.
type hour struct {
	began time.Time
	n     int
}
