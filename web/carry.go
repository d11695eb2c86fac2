package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/net/html"
)

// carryAll makes a page keep parameters: its links and the forms that ask carry them,
// and the forms that would change something are shut when the page is of the past. What
// bears data-present is left alone.
//
// It is done on the page as it was rendered, so that no page has to think of it and
// none can forget.
func carryAll(page []byte, params [][2]string, shut bool) ([]byte, error) {
	var out bytes.Buffer
	shutting := false // within a form that is shut
	z := html.NewTokenizer(bytes.NewReader(page))
	for {
		kind := z.Next()
		raw := bytes.Clone(z.Raw())
		if kind == html.ErrorToken {
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("carry the instant: %w", err)
			}
			return out.Bytes(), nil
		}
		name, more := z.TagName()
		switch tag := string(name); {
		case kind == html.EndTagToken && tag == "form":
			shutting = false
		case kind != html.StartTagToken && kind != html.SelfClosingTagToken:
		case tag == "a" || tag == "form":
			t := element(kind, tag, z, more)
			if t.has("data-present") {
				break
			}
			raw = t.carry(params)
			shutting = shut && t.changes()
		case shutting && (tag == "button" || tag == "input" || tag == "select" || tag == "textarea"):
			t := element(kind, tag, z, more)
			if !t.has("disabled") {
				t.Attr = append(t.Attr, html.Attribute{Key: "disabled"})
			}
			raw = []byte(t.String())
		}
		out.Write(raw)
	}
}

// tag is a start tag of a page.
type tag struct{ html.Token }

// element reads the attributes of the tag that z is at.
func element(kind html.TokenType, name string, z *html.Tokenizer, more bool) *tag {
	t := &tag{html.Token{Type: kind, Data: name}}
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		t.Attr = append(t.Attr, html.Attribute{Key: string(key), Val: string(value)})
	}
	return t
}

func (t *tag) find(key string) *html.Attribute {
	for i := range t.Attr {
		if t.Attr[i].Key == key {
			return &t.Attr[i]
		}
	}
	return nil
}

func (t *tag) has(key string) bool { return t.find(key) != nil }

// changes reports whether a form asks for a change.
func (t *tag) changes() bool {
	m := t.find("method")
	return t.Data == "form" && m != nil && bytes.EqualFold([]byte(m.Val), []byte("post"))
}

// carry is the tag with the parameters in its address, or in a form that asks, as
// fields of it.
func (t *tag) carry(params [][2]string) []byte {
	key := "href"
	if t.Data == "form" {
		key = "action"
	}
	if t.Data == "a" || t.changes() {
		if a := t.find(key); a != nil {
			a.Val = carry(a.Val, params)
		}
		return []byte(t.String())
	}
	out := []byte(t.String())
	for _, p := range params {
		hidden := html.Token{Type: html.StartTagToken, Data: "input", Attr: []html.Attribute{
			{Key: "type", Val: "hidden"}, {Key: "name", Val: p[0]}, {Key: "value", Val: p[1]}}}
		out = append(out, hidden.String()...)
	}
	return out
}
