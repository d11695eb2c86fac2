package search

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"kakusho/bilingual"
	"kakusho/calendar"
)

// The limits of a query.
const (
	mostLetters = 2000
	mostTerms   = 100
	mostDepth   = 20
)

// Parse reads the language of the search line:
//
//	捜査資料 漏えい        both words; width, case and kind of kana do not matter
//	"login failed"       in this order; also 「…」
//	export*              a word that begins so
//	account:tanaka       a field; device:pc-* begins, object:*秘* contains, result:* has one
//	account:(a b c)      one of them
//	level:<=4 f.bytes:>1000 f.bytes:10..20
//	source:10.1.0.0/16   a network
//	a OR b, a または b     -c, NOT c, 除く c   ( … )
//	time:2026-11-01..2026-11-03T12:00   in Japan, the end not included; a day, a month or a year alone is all of it
//
// A mistake is a *Fault with its place.
func Parse(text string) (Query, error) {
	p := &parser{}
	if err := p.lex(text); err != nil {
		return Query{}, err
	}
	q := Query{Text: text}
	if len(p.tokens) == 0 {
		return q, nil
	}
	p.query = &q
	e, err := p.or(0)
	if err == nil && p.pos < len(p.tokens) {
		err = p.fault(p.tokens[p.pos].at, "「)」に対応する「(」がありません。", `")" without "("`)
	}
	if err != nil {
		return Query{}, err
	}
	q.Expr = e
	return q, nil
}

type kind byte

const (
	word kind = iota
	quoted
	open
	shut
	colon // ends a field's name
	minus
	orWord
	andWord
	notWord
)

type token struct {
	kind  kind
	text  string
	at    int
	glued bool // no space before it
}

type parser struct {
	tokens []token
	pos    int
	terms  int
	query  *Query
}

func (p *parser) fault(at int, ja, en string) error {
	return &Fault{At: at, Text: bilingual.Say(ja, en)}
}

// plainRune is a sign as the language knows it, whatever its width.
func plainRune(r rune) rune {
	switch r {
	case '「', '」', '『', '』', '“', '”':
		return r
	case '−', '‐', '－':
		return '-'
	case '〜', '～', '…':
		return r
	}
	if s := []rune(norm.NFKC.String(string(r))); len(s) == 1 {
		return s[0]
	}
	return r
}

var closing = map[rune]rune{'"': '"', '「': '」', '『': '』', '“': '”'}

var operators = map[string]kind{"OR": orWord, "または": orWord, "AND": andWord, "かつ": andWord, "NOT": notWord, "除く": notWord}

func (p *parser) lex(text string) error {
	rs := []rune(text)
	if len(rs) > mostLetters {
		return p.fault(mostLetters, "検索文が長すぎます（2,000文字まで）。", "query too long: at most 2,000 letters")
	}
	glued, list := false, false // list: between the brackets of field:(a b)
	for i := 0; i < len(rs); {
		r := plainRune(rs[i])
		start := i
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar:
			i++
			glued = false
			continue
		case closing[r] != 0:
			end := slices.IndexFunc(rs[i+1:], func(x rune) bool { return plainRune(x) == closing[r] })
			if end < 0 {
				return p.fault(i, "引用の終わりがありません。", "quotation without an end")
			}
			p.tokens = append(p.tokens, token{quoted, string(rs[i+1 : i+1+end]), start, glued})
			i += end + 2
		case r == '(':
			list = glued && len(p.tokens) > 0 && p.tokens[len(p.tokens)-1].kind == colon
			p.tokens = append(p.tokens, token{open, "", start, glued})
			i++
			glued = false
			continue
		case r == ')':
			list = false
			p.tokens = append(p.tokens, token{shut, "", start, glued})
			i++
		case r == '-' && !glued && !list:
			p.tokens = append(p.tokens, token{minus, "", start, glued})
			i++
		default:
			i = p.lexWord(rs, i, glued, list)
		}
		glued = true
	}
	return nil
}

// lexWord takes a word. A colon in the first one after a space ends a field's name;
// in a value it is part of it: addresses and times have some.
func (p *parser) lexWord(rs []rune, i int, glued, list bool) int {
	start := i
	value := list || glued && len(p.tokens) > 0 && p.tokens[len(p.tokens)-1].kind == colon
	var w strings.Builder
	for ; i < len(rs); i++ {
		r := plainRune(rs[i])
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == '(' || r == ')' || closing[r] != 0 {
			break
		}
		if r == ':' && !value && i > start {
			p.tokens = append(p.tokens, token{colon, w.String(), start, glued})
			return i + 1
		}
		w.WriteRune(rs[i])
	}
	k := word
	if op, ok := operators[w.String()]; ok && !value {
		k = op
	}
	p.tokens = append(p.tokens, token{k, w.String(), start, glued})
	return i
}

func (p *parser) peek() (token, bool) {
	if p.pos < len(p.tokens) {
		return p.tokens[p.pos], true
	}
	return token{}, false
}

func (p *parser) end() int {
	if len(p.tokens) == 0 {
		return 0
	}
	return p.tokens[len(p.tokens)-1].at
}

func (p *parser) or(depth int) (Expr, error) {
	var alternatives Or
	for {
		e, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, e)
		if t, ok := p.peek(); !ok || t.kind != orWord {
			break
		}
		p.pos++
	}
	if len(alternatives) == 1 {
		return alternatives[0], nil
	}
	if slices.Contains(alternatives, nil) {
		return nil, p.fault(p.end(), "time: は OR の中では使えません。", "time: cannot stand in an OR")
	}
	return alternatives, nil
}

func (p *parser) and(depth int) (Expr, error) {
	var all And
	some := false
	for {
		t, ok := p.peek()
		if !ok || t.kind == shut || t.kind == orWord {
			if !some && ok && t.kind == orWord {
				return nil, p.fault(t.at, "OR の前に語がありません。", "nothing before OR")
			}
			if !some {
				return nil, p.fault(p.end(), "語がありません。", "a word is missing")
			}
			break
		}
		if t.kind == andWord {
			if p.pos++; !some {
				return nil, p.fault(t.at, "AND の前に語がありません。", "nothing before AND")
			}
			if next, ok := p.peek(); !ok || next.kind == shut || next.kind == orWord {
				return nil, p.fault(t.at, "AND の後に語がありません。", "nothing after AND")
			}
			continue
		}
		e, err := p.unary(depth)
		if err != nil {
			return nil, err
		}
		if some = true; e != nil {
			all = append(all, e)
		}
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return all[0], nil
	}
	return all, nil
}

func (p *parser) unary(depth int) (Expr, error) {
	if depth > mostDepth {
		return nil, p.fault(p.end(), "括弧や否定の入れ子が深すぎます。", "nested too deep")
	}
	t, ok := p.peek()
	if !ok {
		return nil, p.fault(p.end(), "語がありません。", "a word is missing")
	}
	p.pos++
	switch t.kind {
	case minus, notWord:
		e, err := p.unary(depth + 1)
		if err == nil && e == nil {
			err = p.fault(t.at, "time: は否定できません。", "time: cannot be negated")
		}
		if err != nil {
			return nil, err
		}
		return Not{e}, nil
	case open:
		e, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if next, ok := p.peek(); !ok || next.kind != shut {
			return nil, p.fault(t.at, "「(」が閉じられていません。", `"(" is not closed`)
		}
		p.pos++
		return e, nil
	case colon:
		return p.field(t)
	case word, quoted:
		return p.phrase(t)
	}
	return nil, p.fault(t.at, "ここには語が必要です。", "a word is needed here")
}

func (p *parser) count(at int) error {
	if p.terms++; p.terms > mostTerms {
		return p.fault(at, "条件が多すぎます（100個まで）。", "too many conditions: at most 100")
	}
	return nil
}

func (p *parser) phrase(t token) (Expr, error) {
	if err := p.count(t.at); err != nil {
		return nil, err
	}
	text, star := t.text, false
	if t.kind == word {
		text, star = strings.CutSuffix(string(starred(text)), "*")
		if text == "" && star {
			return nil, p.fault(t.at, "「*」だけでは探せません。空欄にするとすべてを示します。", `"*" alone: leave the line empty to see everything`)
		}
	}
	tokens, prefix := phrase(text)
	if tokens == "" {
		return nil, p.fault(t.at, "文字も数字もない語です。", "a word without letters or digits")
	}
	return Phrase{tokens, prefix || star}, nil
}

// starred has its stars half width.
func starred(s string) []rune {
	rs := []rune(s)
	for i, r := range rs {
		if r == '＊' {
			rs[i] = '*'
		}
	}
	return rs
}

func (p *parser) field(name token) (Expr, error) {
	t, ok := p.peek()
	if !ok || !t.glued || t.kind != word && t.kind != quoted && t.kind != open {
		return nil, p.fault(name.at, "「:」の後に値がありません。", `no value after ":"`)
	}
	p.pos++
	if n := Plain(name.text); n == "time" || n == "日時" {
		return nil, p.period(t)
	}
	c := Column(name.text)
	if strings.HasSuffix(c, "*") { // an engine would take it for all fields that begin so
		return nil, p.fault(name.at, "項目の名前に「*」は使えません。", `a field's name cannot end in "*"`)
	}
	if t.kind != open {
		return p.compare(c, t)
	}
	var any Or
	for {
		t, ok := p.peek()
		if !ok {
			return nil, p.fault(name.at, "「(」が閉じられていません。", `"(" is not closed`)
		}
		p.pos++
		if t.kind == shut {
			break
		}
		if t.kind == orWord {
			continue
		}
		if t.kind != word && t.kind != quoted {
			return nil, p.fault(t.at, "ここには値が必要です。", "a value is needed here")
		}
		e, err := p.compare(c, t)
		if err != nil {
			return nil, err
		}
		any = append(any, e)
	}
	switch len(any) {
	case 0:
		return nil, p.fault(t.at, "括弧の中に値がありません。", "no value in the brackets")
	case 1:
		return any[0], nil
	}
	return any, nil
}

func (p *parser) compare(column string, t token) (Expr, error) {
	if err := p.count(t.at); err != nil {
		return nil, err
	}
	if t.kind == quoted {
		if t.text == "" {
			return Not{Field{column, Present, ""}}, nil
		}
		return Field{column, Equal, valueOf(column, t.text)}, nil
	}
	v := norm.NFKC.String(t.text)
	for _, op := range []struct {
		sign string
		op   Op
	}{{"<=", AtMost}, {">=", AtLeast}, {"<", Less}, {">", Greater}} {
		if rest, ok := strings.CutPrefix(v, op.sign); ok {
			return p.number(column, op.op, rest, t.at)
		}
	}
	if lo, hi, ok := strings.Cut(v, ".."); ok && numeric(lo) && numeric(hi) {
		return And{Field{column, AtLeast, lo}, Field{column, AtMost, hi}}, nil
	}
	if net, err := netip.ParsePrefix(v); err == nil {
		return Field{column, In, net.Masked().String()}, nil
	}
	if v == "*" {
		return Field{column, Present, ""}, nil
	}
	inner, star := strings.CutSuffix(v, "*")
	op := Equal
	if star {
		op = Begins
		if rest, ok := strings.CutPrefix(inner, "*"); ok {
			op, inner = Contains, rest
		}
	}
	if inner == "" {
		return nil, p.fault(t.at, "値がありません。", "no value")
	}
	return Field{column, op, valueOf(column, inner)}, nil
}

func (p *parser) number(column string, op Op, v string, at int) (Expr, error) {
	if v = valueOf(column, v); !numeric(v) {
		return nil, p.fault(at, "「<」「>」の後には数を書いてください。", `a number is needed after "<" or ">"`)
	}
	return Field{column, op, v}, nil
}

// numeric takes plain decimal numbers only: no exponents, no units.
func numeric(s string) bool {
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return false
	}
	return strings.Trim(s, "+-.0123456789") == "" && !strings.HasPrefix(s, "+")
}

func (p *parser) period(t token) error {
	if !p.query.From.IsZero() || !p.query.Until.IsZero() {
		return p.fault(t.at, "time: は1回だけ使えます。", "time: can stand only once")
	}
	if t.kind == open {
		return p.fault(t.at, "time: の値は 2026-11-01..2026-11-03 のように書いてください。", "write time: as 2026-11-01..2026-11-03")
	}
	v := norm.NFKC.String(t.text)
	for _, dots := range []string{"〜", "~", "..."} {
		v = strings.Replace(v, dots, "..", 1)
	}
	from, until, ranged := strings.Cut(v, "..")
	f, fEnd, ok := instant(from)
	u, _, uOK := instant(until)
	switch {
	case !ranged && ok && from != "":
		p.query.From, p.query.Until = f, fEnd
	case ranged && (ok || from == "") && (uOK || until == "") && v != "..":
		p.query.From, p.query.Until = f, u
		if from != "" && until != "" && !f.Before(u) {
			return p.fault(t.at, "終わりが始まりより後ではありません。", "the end is not after the beginning")
		}
	default:
		return p.fault(t.at, "日時は 2026-11-01、2026-11-01T09:00 のように書いてください。", "write an instant as 2026-11-01 or 2026-11-01T09:00")
	}
	return nil
}

// instant reads a time, and the end of the year, month, day, … it names.
func instant(s string) (start, end time.Time, ok bool) {
	for _, f := range []struct {
		layout  string
		y, m, d int
		rest    time.Duration
	}{
		{layout: "2006", y: 1}, {layout: "2006-01", m: 1}, {layout: "2006-01-02", d: 1}, {layout: "2006-01-02T15", rest: time.Hour},
		{layout: "2006-01-02T15:04", rest: time.Minute}, {layout: "2006-01-02T15:04:05", rest: time.Second}, {layout: time.RFC3339, rest: time.Second},
	} {
		if t, err := time.ParseInLocation(f.layout, strings.ReplaceAll(s, "/", "-"), calendar.Tokyo()); err == nil {
			return t, t.AddDate(f.y, f.m, f.d).Add(f.rest), true
		}
	}
	return time.Time{}, time.Time{}, false
}
