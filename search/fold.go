package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Plain folds what differs only in form: full and half width, composed kana,
// case. Values of fields are compared and grouped in this form.
func Plain(s string) string {
	if simple(s) {
		return lower(s)
	}
	return strings.ToLower(norm.NFKC.String(s))
}

// simple reports whether a text has only letters that NFKC leaves alone: ASCII,
// and kana, kanji and signs of plain Japanese. It is what most texts are.
func simple(s string) bool {
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			i++
			continue
		}
		if b < 0xE3 || b > 0xE9 || i+2 >= len(s) || s[i+1]&0xC0 != 0x80 || s[i+2]&0xC0 != 0x80 {
			return false
		}
		r := rune(b&0x0F)<<12 | rune(s[i+1]&0x3F)<<6 | rune(s[i+2]&0x3F)
		switch {
		case 0x4E00 <= r && r <= 0x9FA5, 0x3041 <= r && r <= 0x3094, 0x30A1 <= r && r <= 0x30FE, 0x3001 <= r && r <= 0x3020:
		default:
			return false
		}
		i += 3
	}
	return true
}

// lower is strings.ToLower for a simple text.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// class of a letter: how a run of such letters becomes tokens.
type class byte

const (
	gap     class = iota // between tokens
	spaced               // scripts that put spaces between words: a run is a token
	unspace              // those that do not: tokens of two letters
)

func classOf(r rune) class {
	switch {
	case r < utf8.RuneSelf:
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return spaced
		}
		return gap
	case 0x4E00 <= r && r <= 0x9FA5, 0x3041 <= r && r <= 0x3094, 0x30A1 <= r && r <= 0x30FA, r == 'ー', r == '々':
		return unspace
	case 0x3001 <= r && r <= 0x3004:
		return gap
	case r == '〇': // a numeral, and not a letter to Unicode
		return unspace
	case !unicode.IsLetter(r) && !unicode.IsDigit(r):
		return gap
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
		return unspace
	}
	return spaced
}

// fold is one letter of words: katakana reads as hiragana.
func fold(r rune) rune {
	if 'ァ' <= r && r <= 'ヶ' || r == 'ヽ' || r == 'ヾ' {
		return r - 'ァ' + 'ぁ'
	}
	return r
}

// Tokens appends the tokens of a text, a space between them: a word is a token,
// 「捜査資料」 is 捜査 査資 資料 料. So each part of a run is a phrase of whole tokens,
// or the beginning of one.
func Tokens(dst []byte, text string) []byte {
	text = Plain(text)
	start := len(dst)
	for len(text) > 0 {
		if b := text[0]; b < utf8.RuneSelf {
			n := 0
			for n < len(text) && text[n] < utf8.RuneSelf && classOf(rune(text[n])) == spaced {
				n++
			}
			if n == 0 {
				text = text[1:]
				continue
			}
			if n == len(text) || text[n] < utf8.RuneSelf {
				dst = append(space(dst, start), text[:n]...)
				text = text[n:]
				continue
			}
		}
		dst, text = wideRun(dst, start, text)
	}
	return dst
}

// wideRun takes one run, of one class, or one gap off text.
func wideRun(dst []byte, start int, text string) ([]byte, string) {
	r, size := utf8.DecodeRuneInString(text)
	switch classOf(r) {
	case gap:
		return dst, text[size:]
	case spaced:
		dst = space(dst, start)
		for len(text) > 0 {
			if r, size = utf8.DecodeRuneInString(text); classOf(r) != spaced {
				break
			}
			dst, text = append(dst, text[:size]...), text[size:]
		}
		return dst, text
	}
	for {
		text = text[size:]
		next, nextSize := utf8.DecodeRuneInString(text)
		dst = utf8.AppendRune(space(dst, start), fold(r))
		if nextSize == 0 || classOf(next) != unspace {
			return dst, text
		}
		dst = utf8.AppendRune(dst, fold(next))
		r, size = next, nextSize
	}
}

func space(dst []byte, start int) []byte {
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	return dst
}

// phrase is a text as it stands among the tokens of what is searched: whole
// tokens, or, with prefix, the beginning of the last one.
func phrase(text string) (tokens string, prefix bool) {
	tokens = string(Tokens(nil, text))
	last, size := utf8.DecodeLastRuneInString(tokens)
	if size == 0 || classOf(last) != unspace {
		return tokens, false
	}
	head, tail := "", tokens
	if i := strings.LastIndexByte(tokens, ' '); i >= 0 {
		head, tail = tokens[:i], tokens[i+1:]
	}
	// The single letter at the end of a run is left out after a pair, for the run
	// may go on in the text; alone it begins a pair or ends a run.
	if prev, n := utf8.DecodeLastRuneInString(head); n > 0 && len(tail) == size && prev == last && pair(head) {
		return head, false
	}
	return tokens, true
}

// pair reports whether the last token of tokens has two letters of an unspaced
// script.
func pair(tokens string) bool {
	t := tokens[strings.LastIndexByte(tokens, ' ')+1:]
	r, n := utf8.DecodeRuneInString(t)
	return classOf(r) == unspace && len(t) > n
}
