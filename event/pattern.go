package event

import "strings"

// pattern is a text with holes: literal, hole, literal, hole … The first literal may
// be empty.
type pattern struct {
	literals []string
	holes    []hole // holes[i] stands before literals[i+1]
	class    Class
	result   Result
}

type hole struct {
	name string // account, source, object or nothing
	wide bool   // takes spaces too, or nothing at all
}

// found is what the holes hold.
type found struct{ account, source, object string }

func newPattern(s string) pattern {
	var p pattern
	for {
		before, rest, ok := strings.Cut(s, "{")
		p.literals = append(p.literals, before)
		if !ok {
			return p
		}
		name, after, closed := strings.Cut(rest, "}")
		name, wide := strings.CutSuffix(name, "...")
		if !closed || name != "" && name != "account" && name != "source" && name != "object" {
			panic("classify.txt: hole {" + name + "}")
		}
		p.holes = append(p.holes, hole{name, wide})
		s = after
	}
}

// match fits p at the beginning of text.
func (p *pattern) match(text string, got *found) bool {
	if !strings.HasPrefix(text, p.literals[0]) {
		return false
	}
	tries := 200 // a text made to be slow is not worth more
	return p.from(0, text[len(p.literals[0]):], got, &tries)
}

// from fits what stands after literal i.
func (p *pattern) from(i int, text string, got *found, tries *int) bool {
	if i == len(p.holes) {
		return true
	}
	h, next := p.holes[i], p.literals[i+1]
	if i == len(p.holes)-1 && next == "" {
		if !h.wide {
			if end := strings.IndexByte(text, ' '); end >= 0 {
				text = text[:end]
			}
		}
		return h.put(text, got)
	}
	for at := 0; *tries > 0; at++ {
		*tries--
		k := strings.Index(text[at:], next)
		if k < 0 {
			return false
		}
		at += k
		if value := text[:at]; !h.wide && strings.IndexByte(value, ' ') >= 0 {
			return false
		} else if h.put(value, got) && p.from(i+1, text[at+len(next):], got, tries) {
			return true
		}
		if at == len(text) {
			return false
		}
	}
	return false
}

func (h hole) put(value string, got *found) bool {
	if value == "" && !h.wide {
		return false
	}
	switch h.name {
	case "account":
		got.account = value
	case "source":
		got.source = value
	case "object":
		got.object = value
	}
	return true
}
