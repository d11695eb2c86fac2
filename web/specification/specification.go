// Package specification writes the security part of a contract's specification: the
// items that its entry includes, as articles, and beside them what was left out, for
// which reason, and what nobody has answered yet.
package specification

import (
	"embed"
	"fmt"
	"strings"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/web"
)

//go:embed *.html
var files embed.FS

// of is the kind whose entries have a specification.
const of = "contract"

type pages struct {
	register *register.Register
	articles []Article
}

// Mount adds the page to the site.
func Mount(site *web.Site, reg *register.Register) error {
	tmpl, err := site.Templates(files)
	if err != nil {
		return err
	}
	articles, err := Parse(text, reg.Kinds()[of])
	if err != nil {
		return err
	}
	site.Page(tmpl, "/specification/{id...}", pages{reg, articles}.one)
	return nil
}

// Written is an article as it stands in one specification.
type Written struct {
	Number     int
	Heading    bilingual.Text
	Place      string     // in the specification as it was given out
	Paragraphs [][]string // each by its lines
}

// Item is an item that the text lacks.
type Item struct {
	Label  bilingual.Text
	Reason string // empty: it is not answered
}

// Write writes the articles of an entry, and tells which items the text lacks.
func Write(articles []Article, k kind.Kind, values map[string]any, l bilingual.Lang) (written []Written, lacking []Item) {
	for _, a := range articles {
		if a.Field != "" && values[a.Field] != "included" {
			f, _ := k.Field(a.Field)
			item := Item{Label: f.Label}
			if values[a.Field] == "not-needed" {
				item.Reason, _ = values[a.Field+"_reason"].(string)
			}
			lacking = append(lacking, item)
			continue
		}
		w := Written{Number: len(written) + 1, Heading: a.Heading}
		w.Place, _ = values[a.Field+"_page"].(string)
		for _, p := range a.Paragraphs {
			if p.If.Holds(values) {
				w.Paragraphs = append(w.Paragraphs, strings.Split(fill(p.In(l), k, values, l), "\n"))
			}
		}
		if len(w.Paragraphs) > 0 {
			written = append(written, w)
		}
	}
	return written, lacking
}

// Plain is the text to be copied.
func Plain(written []Written, l bilingual.Lang) string {
	var b strings.Builder
	for _, w := range written {
		fmt.Fprintf(&b, "%d　%s\n", w.Number, w.Heading.In(l))
		for i, p := range w.Paragraphs {
			fmt.Fprintf(&b, "(%d) %s\n", i+1, strings.Join(p, "\n"))
		}
		b.WriteString("\n")
	}
	return b.String()
}

type data struct {
	Entry    register.Entry
	Kind     kind.Kind
	Written  []Written
	LeftOut  []Item
	Open     []Item
	Approved string
	Plain    string
}

func (p pages) one(r *web.Request) (web.Answer, error) {
	k := p.register.Kinds()[of]
	e, err := p.register.Get(r.Context(), r.Permit, fact.NewRef(of, r.PathValue("id")))
	if err != nil {
		return web.Answer{}, err
	}
	d := data{Entry: e, Kind: k}
	var lacking []Item
	d.Written, lacking = Write(p.articles, k, e.Values, r.Lang)
	for _, i := range lacking {
		if i.Reason == "" {
			d.Open = append(d.Open, i)
		} else {
			d.LeftOut = append(d.LeftOut, i)
		}
	}
	approved, _ := k.Field("specification_approved_on")
	d.Approved = approved.Format(e.Values[approved.Name], r.Lang)
	d.Plain = Plain(d.Written, r.Lang)
	return web.Answer{Page: "one", Title: bilingual.Text{JA: "仕様書の情報セキュリティ条項 " + e.Name, EN: "Security articles of the specification: " + e.Name}, Data: d}, nil
}
