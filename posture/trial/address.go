package trial

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"kakusho/calendar"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
)

// most is how many lines of one sort an address may hold.
const most = 50

// Read reads a draft from an address. Lines that somebody left blank in a form say
// nothing.
func Read(q url.Values) (d Draft, faults Faults) {
	d.Directive = strings.TrimSpace(q.Get("directive"))
	for _, l := range lines(q, "key", "layer", "value") {
		if l[0] != "" && l[2] != "" {
			d.Settings = append(d.Settings, Setting{Key: l[0], Layer: cmp.Or(l[1], directive.LayerNational), Value: l[2]})
		}
	}
	for _, l := range lines(q, "control", "rule", "applies", "exceptions") {
		if x := text(l); x.Control != "" && (x.Rule != "" || x.Applies != "" || x.Excepted) {
			d.Texts = append(d.Texts, x)
		}
	}
	for _, t := range q["lapse"] {
		if t != "" && len(d.Lapse) < most {
			d.Lapse = append(d.Lapse, decision.Type(t))
		}
	}
	for _, id := range q["withdraw"] {
		if id = strings.TrimSpace(id); id != "" && len(d.Withdraw) < most {
			d.Withdraw = append(d.Withdraw, id)
		}
	}
	for _, l := range lines(q, "give", "to", "clause") {
		if l[0] != "" && l[1] != "" {
			d.Give = append(d.Give, Given{Type: decision.Type(l[0]), Subject: fact.Ref(l[1]), Clause: clause.ID(l[2])})
		}
	}
	d.readTime(q, &faults)
	return d, faults
}

func (d *Draft) readTime(q url.Values, faults *Faults) {
	var err error
	if text := strings.TrimSpace(q.Get("longest")); text != "" {
		if d.Longest, err = directive.ParseDuration(text); err != nil || d.Longest <= 0 {
			d.Longest = 0
			faults.add("longest", "6mo、90dのように単位を付けた長さとすること。", "Want a length with a unit, as in 6mo or 90d.")
		}
	}
	if text := strings.TrimSpace(q.Get("on")); text != "" {
		if d.On, err = calendar.ParseDate(text); err != nil {
			faults.add("on", "2027-04-01、R9.4.1のように日付とすること。", "Want a date, as in 2027-04-01.")
		}
	}
	d.Renewed = Renewal(q.Get("renewed"))
	if text := strings.TrimSpace(q.Get("minutes")); text != "" {
		if d.Minutes, err = strconv.Atoi(text); err != nil || d.Minutes < 1 || d.Minutes > 480 {
			d.Minutes = 0
			faults.add("minutes", "1から480までの整数とすること。", "Want a whole number from 1 to 480.")
		}
	}
}

// lines joins what stands in an address once for each line of a form.
func lines(q url.Values, names ...string) (out [][]string) {
	for i := range min(len(q[names[0]]), most) {
		l := make([]string, len(names))
		for j, name := range names {
			if i < len(q[name]) {
				l[j] = strings.TrimSpace(strings.ReplaceAll(q[name][i], "\r\n", "\n"))
			}
		}
		out = append(out, l)
	}
	return out
}

// none is how an address says that a control would have no exceptions any more.
const none = "none"

// text reads a control's text: exceptions stand one a line, "CLAUSE: condition".
func text(l []string) Text {
	x := Text{Control: l[0], Rule: l[1], Applies: l[2], Excepted: l[3] != ""}
	for _, line := range strings.Split(l[3], "\n") {
		id, when, ok := strings.Cut(line, ": ")
		if ok && l[3] != none {
			x.Exceptions = append(x.Exceptions, control.Exception{Clause: clause.ID(strings.TrimSpace(id)), When: strings.TrimSpace(when)})
		}
	}
	return x
}

// exceptions is how an address says a text's exceptions.
func (x Text) exceptions() string {
	if len(x.Exceptions) == 0 {
		if x.Excepted {
			return none
		}
		return ""
	}
	return Exceptions(x.Exceptions)
}

// Exceptions are exceptions as a form shows them, one a line.
func Exceptions(list []control.Exception) string {
	var out []string
	for _, e := range list {
		out = append(out, string(e.Clause)+": "+strings.Join(strings.Fields(e.When), " "))
	}
	return strings.Join(out, "\n")
}

// Address is the draft as Read reads it.
func (d Draft) Address() url.Values {
	q := url.Values{}
	add := func(name, value string) {
		if value != "" {
			q.Add(name, value)
		}
	}
	add("directive", d.Directive)
	for _, s := range d.Settings {
		q["key"], q["layer"], q["value"] = append(q["key"], s.Key), append(q["layer"], s.Layer), append(q["value"], s.Value)
	}
	for _, x := range d.Texts {
		q["control"], q["rule"], q["applies"] = append(q["control"], x.Control), append(q["rule"], x.Rule), append(q["applies"], x.Applies)
		q["exceptions"] = append(q["exceptions"], x.exceptions())
	}
	for _, t := range d.Lapse {
		add("lapse", string(t))
	}
	for _, id := range d.Withdraw {
		add("withdraw", id)
	}
	for _, g := range d.Give {
		q["give"], q["to"], q["clause"] = append(q["give"], string(g.Type)), append(q["to"], string(g.Subject)), append(q["clause"], string(g.Clause))
	}
	if d.Longest > 0 {
		add("longest", directive.FormatDuration(d.Longest))
	}
	if !d.On.IsZero() {
		add("on", d.On.In(calendar.Tokyo()).Format(time.DateOnly))
	}
	add("renewed", string(d.Renewed))
	if d.Minutes > 0 {
		add("minutes", strconv.Itoa(d.Minutes))
	}
	return q
}
