// Package differences serves where registers and what was observed do not agree, both
// ways: as a page with a way to mend or explain each, as a file, and to programs.
//
//	GET /differences?kind=&system=&unit=&side=&q=&sort=&from=
//	GET /api/v1/differences?kind=&system=&unit=&side=&q=&sort=&limit=&offset=
package differences

import (
	"cmp"
	"embed"
	"net/url"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/differ"
	"kakusho/register"
	"kakusho/verdict"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

type pages struct {
	posture  *posture.Posture
	register *register.Register
	gate     *gate.Gate
}

// Mount adds the pages to the site.
func Mount(site *web.Site, p *posture.Posture, reg *register.Register, g *gate.Gate) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	s := pages{p, reg, g}
	site.Page(tmpl, "/differences", s.list)
	site.Act(tmpl, "/differences/mend", s.mend)
	site.Page(nil, "/api/v1/differences", s.program)
	return nil
}

// asked is what an address asks for.
type asked struct {
	differ.Place
	differ.Filter
	Sort string
}

func read(r *web.Request) asked {
	q := r.URL.Query()
	return asked{
		differ.Place{System: q.Get("system"), Unit: q.Get("unit")},
		differ.Filter{Register: q.Get("kind"), Side: differ.Side(q.Get("side")), Words: strings.TrimSpace(q.Get("q"))},
		q.Get("sort"),
	}
}

// found are the differences of the place asked for, those the words are in, and of
// them those that are selected, in their order.
func (s pages) found(r *web.Request, a asked) (st *posture.Standing, all differ.Found, selected []differ.Difference, err error) {
	if st, err = s.posture.Now(r.Context(), r.Permit, r.At); err != nil {
		return nil, differ.Found{}, nil, err
	}
	all = differ.In(st, a.Place)
	words := differ.Filter{Words: a.Words}
	all.All = slices.DeleteFunc(all.All, func(d differ.Difference) bool { return !words.Holds(d) })
	for _, d := range all.All {
		if a.Holds(d) {
			selected = append(selected, d)
		}
	}
	sortBy(selected, a.Sort, r.Lang)
	return st, all, selected, nil
}

// orders are what a list can be sorted by.
var orders = map[string]func(a, b differ.Difference, l bilingual.Lang) int{
	"kind": func(a, b differ.Difference, _ bilingual.Lang) int {
		return cmp.Compare(slices.Index(differ.Registers, a.Register), slices.Index(differ.Registers, b.Register))
	},
	"subject": func(a, b differ.Difference, _ bilingual.Lang) int {
		return cmp.Or(cmp.Compare(a.System, b.System), cmp.Compare(a.Subject, b.Subject))
	},
	"what":  func(a, b differ.Difference, l bilingual.Lang) int { return cmp.Compare(a.What.In(l), b.What.In(l)) },
	"since": func(a, b differ.Difference, _ bilingual.Lang) int { return a.Since.Compare(b.Since) },
	"verdict": func(a, b differ.Difference, _ bilingual.Lang) int {
		return cmp.Compare(rank(a.Outcome), rank(b.Outcome))
	},
}

// rank puts what is not judged last.
func rank(o verdict.Outcome) int {
	if i := slices.Index(verdict.Outcomes, o); i >= 0 {
		return i
	}
	return len(verdict.Outcomes)
}

func sortBy(list []differ.Difference, by string, l bilingual.Lang) {
	name, down := strings.CutPrefix(by, "-")
	order, ok := orders[name]
	if !ok {
		return
	}
	slices.SortStableFunc(list, func(a, b differ.Difference) int {
		if down {
			a, b = b, a
		}
		return order(a, b, l)
	})
}

// labels are what pages call what is compared.
var labels = map[string]bilingual.Text{
	differ.Administrator: bilingual.Say("管理者権限", "Administrators"), differ.Listener: bilingual.Say("待受", "Listening services"),
	differ.Software: bilingual.Say("ソフトウェア", "Software"),
}

func (s pages) label(register string) bilingual.Text {
	if t, ok := labels[register]; ok {
		return t
	}
	if k, ok := s.posture.Kinds()[register]; ok {
		return k.Label
	}
	return bilingual.Say(register, register)
}

// control is a control's title.
func (s pages) control(id string) bilingual.Text {
	if c, ok := s.posture.Control(id); ok {
		return c.Title
	}
	return bilingual.Say(id, id)
}

// way is how somebody deals with a difference.
type way struct {
	Label bilingual.Text
	Link  string // else it is done at once
	Take  bool
}

// ways are those that the reader's duties allow: the scope of his duties is for the
// gate to say.
func (s pages) ways(r *web.Request, d differ.Difference) (out []way) {
	may := func(id string) bool { k, ok := s.posture.Kinds()[id]; return ok && k.MayEnter(r.Actor) }
	present := r.Past.AsOf.IsZero()
	switch m := d.Mend; {
	case m.New != "" && may(m.New):
		q := url.Values{}
		for name, v := range m.Fill {
			q.Set(name, v)
		}
		out = append(out, way{Label: bilingual.Say("登録する", "Register"), Link: "/register/" + m.New + "/new?" + q.Encode()})
	case m.Field != "" && present && may(d.Entry.Kind()):
		out = append(out, way{Label: mending(d), Take: m.Take})
	case d.Entry != "" && d.Side == differ.Declared && may(d.Entry.Kind()):
		out = append(out, way{Label: bilingual.Say("台帳から除く", "Remove"), Link: "/register/" + string(d.Entry) + "#retire"})
	case d.Entry != "" && d.Side != differ.Unconfirmed && may(d.Entry.Kind()):
		out = append(out, way{Label: bilingual.Say("台帳を改める", "Change the entry"), Link: "/register/" + string(d.Entry)})
	}
	if d.Side != differ.Unconfirmed && s.posture.Kinds()[d.Subject.Kind()].MayRead(r.Actor) {
		q := url.Values{"subject": {string(d.Subject)}}
		if d.Control != "" {
			q.Set("control", d.Control)
		}
		out = append(out, way{Label: bilingual.Say("説明する", "Explain"), Link: "/decide?" + q.Encode()})
	}
	return out
}

func mending(d differ.Difference) bilingual.Text {
	switch {
	case d.Mend.Take:
		return bilingual.Say("台帳から除く", "Remove")
	case d.Side == differ.Value:
		return bilingual.Say("実態に改める", "Set as observed")
	}
	return bilingual.Say("登録する", "Register")
}

// field finds the field that a difference would be mended in.
func (s pages) field(d differ.Difference) (kind.Field, bool) {
	return s.posture.Kinds()[d.Entry.Kind()].Field(d.Mend.Field)
}
