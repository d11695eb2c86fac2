package door

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
)

// Text reads bytes that ought to be UTF-8 and may be Shift_JIS, EUC-JP or
// ISO-2022-JP. exact is false when they were not UTF-8: the text is then our reading
// of them, and the bytes are to be kept.
func Text(raw []byte) (text string, exact bool) {
	if utf8.Valid(raw) {
		if !bytes.Contains(raw, []byte("\x1b$")) && !bytes.Contains(raw, []byte("\x1b(J")) {
			return string(raw), true
		}
		if text, odd := read(japanese.ISO2022JP, raw); odd >= 0 {
			return text, false
		}
		return string(raw), true
	}
	best, least := strings.ToValidUTF8(string(raw), "\uFFFD"), -1
	if damaged(raw) {
		return best, false
	}
	for _, of := range []encoding.Encoding{japanese.ShiftJIS, japanese.EUCJP} {
		if text, odd := read(of, raw); odd >= 0 && (least < 0 || odd < least) {
			best, least = text, odd
		}
	}
	return best, false
}

// damaged reports whether raw is UTF-8 all the same, of some length: cut within a letter, as many
// senders cut what is long, or with a bad byte among many good letters. Read as
// Shift_JIS such a text would be another one.
func damaged(raw []byte) bool {
	for i := 0; i < utf8.UTFMax-1 && len(raw) > 0 && !utf8.RuneStart(raw[0]); i++ {
		raw = raw[1:]
	}
	good, bad := 0, 0
	for len(raw) > 0 && (raw[0] < utf8.RuneSelf || utf8.FullRune(raw)) { // what is not full is the cut at the end
		r, size := utf8.DecodeRune(raw)
		switch {
		case r == utf8.RuneError && size == 1:
			bad++
		case size > 2: // two bytes could be of any encoding
			good++
		}
		raw = raw[size:]
	}
	return good > 1 && bad <= good/16
}

// read decodes raw and counts the letters that a text in this encoding seldom has;
// -1 when it is not in this encoding at all.
func read(of encoding.Encoding, raw []byte) (text string, odd int) {
	plain, err := of.NewDecoder().Bytes(raw)
	if err != nil {
		return "", -1
	}
	text = string(plain)
	for _, c := range text {
		switch {
		case c == utf8.RuneError, c >= 0x80 && c < 0xA0:
			return "", -1
		case c >= 0xFF61 && c <= 0xFF9F: // half-width kana: EUC-JP read as Shift_JIS is full of them
			odd += 2
		case c >= 0x3040 && c < 0x3100, c < 0x80: // kana
		case c >= 0x4E00 && c < 0xA000: // kanji; misread text has many rare ones, and no kana
			odd++
		default:
			odd++
		}
	}
	return text, odd
}
