package search

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Words is the name of the column with the tokens of an event.
const Words = "_msg"

// fieldPrefix is before the names of event.Fields among columns.
const fieldPrefix = "f."

// mostWords is how many bytes of tokens of one event are searched by words.
const mostWords = 768 << 10

// names are the fields of the language: the columns of an event, and what they
// are called in Japanese.
var names = map[string]string{
	"feed": "feed", "system": "system", "class": "class", "account": "account", "device": "device", "event": "event",
	"object": "object", "result": "result", "source": "source", "level": "level", "clock": "clock", "format": "format",
	"stream": "stream",
	"送信元":    "feed", "システム": "system", "種別": "class", "主体": "account", "識別符号": "account", "機器": "device", "操作": "event",
	"対象": "object", "結果": "result", "接続元": "source", "重大度": "level", "時計": "clock", "形式": "format", "保存": "stream",
}

var results = map[string]string{"成功": "success", "失敗": "failure", "拒否": "denied"}

var levels = map[string]string{
	"emerg": "1", "emergency": "1", "alert": "2", "crit": "3", "critical": "3", "err": "4", "error": "4",
	"warning": "5", "warn": "5", "notice": "6", "info": "7", "debug": "8", "エラー": "4", "警告": "5", "情報": "7",
}

// Column is the column of a field as people write it.
func Column(field string) string {
	plain := Plain(field)
	if c, ok := names[plain]; ok {
		return c
	}
	return fieldPrefix + strings.TrimPrefix(plain, fieldPrefix)
}

func valueOf(column, value string) string {
	plain := Plain(value)
	switch column {
	case "result":
		if v, ok := results[plain]; ok {
			return v
		}
	case "level":
		if v, ok := levels[plain]; ok {
			return v
		}
	}
	return plain
}

// Columns yields the columns of a row, each once: what an engine keeps of an event
// beside its time, its place and its words. Values are Plain and never empty.
func (r Row) Columns(yield func(name, value string) bool) {
	e := &r.Event
	level := ""
	if e.Level > 0 {
		level = strconv.Itoa(int(e.Level))
	}
	for _, c := range [...]struct{ name, value string }{
		{"feed", e.Feed}, {"system", e.System}, {"class", string(e.Class)}, {"account", e.Account}, {"device", e.Device},
		{"event", e.Event}, {"object", e.Object}, {"result", string(e.Result)}, {"source", e.Source}, {"level", level},
		{"clock", string(e.Clock)}, {"format", e.Format},
	} {
		if c.value != "" && !yield(c.name, Plain(c.value)) {
			return
		}
	}
	// Names that differ only in case are one column; the first in order stands.
	seen := ""
	for _, n := range sortedNames(e.Fields) {
		name := Plain(n)
		if v := e.Fields[n]; v != "" && name != seen {
			seen = name
			if !yield(fieldPrefix+name, Plain(v)) {
				return
			}
		}
	}
}

func sortedNames(m map[string]string) []string {
	if len(m) == 0 {
		return nil
	}
	out := make([]string, 0, len(m))
	for n := range m {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b string) int {
		if c := strings.Compare(Plain(a), Plain(b)); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return out
}

// AppendWords appends what the row is found by in words: the tokens of each of its
// texts, parted so that no phrase spans two.
func (r Row) AppendWords(dst []byte) []byte {
	e := &r.Event
	start := len(dst)
	for _, text := range [...]string{e.Text, e.Event, e.Object, e.Account, e.Device, e.Source} {
		dst = words(dst, start, text)
	}
	for _, n := range sortedNames(e.Fields) {
		dst = words(dst, start, e.Fields[n])
	}
	if e.Text == "" && utf8.Valid(e.Raw) {
		dst = words(dst, start, string(e.Raw))
	}
	return dst
}

func words(dst []byte, start int, text string) []byte {
	if text == "" || len(dst)-start > mostWords {
		return dst
	}
	before := len(dst)
	if before > start {
		dst = append(dst, " | "...)
	}
	at := len(dst)
	if dst = Tokens(dst, text); len(dst) == at {
		return dst[:before]
	}
	if n := start + mostWords; len(dst) > n { // at the end of a token
		dst = dst[:n]
		for len(dst) > at && dst[len(dst)-1] != ' ' {
			dst = dst[:len(dst)-1]
		}
	}
	return dst
}

// Match says whether a row is found by q: the meaning of a query, for engines to
// be held to, and for the live tail. It is not fast; see Doc for many queries.
func (q Query) Match(r Row) bool { return q.MatchDoc(r.Doc()) }

// MatchDoc is Match.
func (q Query) MatchDoc(d Doc) bool {
	switch {
	case !q.From.IsZero() && d.hit.Time.Before(q.From), !q.Until.IsZero() && !d.hit.Time.Before(q.Until):
		return false
	case q.Systems != nil && !slices.ContainsFunc(q.Systems, func(s string) bool { return Plain(s) == d.columns["system"] }):
		return false
	case q.After.Stream != "" && !Later(d.hit, q.After):
		return false
	}
	return q.Expr == nil || q.Expr.match(d)
}

// Later reports whether h comes after mark in the order of Engine.Query.
func Later(h, mark Hit) bool {
	switch {
	case !h.Time.Equal(mark.Time):
		return h.Time.Before(mark.Time)
	case h.Seq != mark.Seq:
		return h.Seq < mark.Seq
	}
	return h.Stream > mark.Stream
}

// Doc is a row as queries see it.
type Doc struct {
	hit     Hit
	columns map[string]string
	words   string
}

// Doc makes the row ready for queries.
func (r Row) Doc() Doc {
	d := Doc{hit: Hit{r.Ref, r.Time()}, columns: map[string]string{"stream": r.Stream}, words: " " + string(r.AppendWords(nil)) + " "}
	for name, value := range r.Columns {
		d.columns[name] = value
	}
	return d
}

// Hit is where the row stands.
func (d Doc) Hit() Hit { return d.hit }

// Value is the value of a column (see Column), or "".
func (d Doc) Value(column string) string { return d.columns[column] }

func (a And) match(d Doc) bool {
	return !slices.ContainsFunc(a, func(e Expr) bool { return !e.match(d) })
}
func (o Or) match(d Doc) bool { return slices.ContainsFunc(o, func(e Expr) bool { return e.match(d) }) }
func (n Not) match(d Doc) bool {
	return !n.Expr.match(d)
}

func (p Phrase) match(d Doc) bool {
	want := " " + p.Tokens
	if !p.Prefix {
		want += " "
	}
	return strings.Contains(d.words, want)
}

func (f Field) match(d Doc) bool {
	v := d.columns[f.Column]
	if v == "" {
		return false
	}
	switch f.Op {
	case Equal:
		return v == f.Value
	case Begins:
		return strings.HasPrefix(v, f.Value)
	case Contains:
		return strings.Contains(v, f.Value)
	case Present:
		return true
	case In:
		net, err := netip.ParsePrefix(f.Value)
		a, bad := netip.ParseAddr(v)
		return err == nil && bad == nil && net.Contains(a)
	}
	n, err := strconv.ParseFloat(v, 64)
	m, bad := strconv.ParseFloat(f.Value, 64)
	if err != nil || bad != nil {
		return false
	}
	switch f.Op {
	case Less:
		return n < m
	case AtMost:
		return n <= m
	case Greater:
		return n > m
	default:
		return n >= m
	}
}
