package kind

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The limits of a text whose field states none.
const (
	maxString   = 500
	maxText     = 20_000
	maxElements = 1_000
)

// limit is the most runes, or elements, a value may have.
func (f Field) limit() int {
	switch {
	case f.Max > 0:
		return f.Max
	case f.Type == Text:
		return maxText
	case f.Type == List:
		return maxElements
	}
	return maxString
}

// text checks and normalises one string of a field. Typed text (lenient false)
// is refused when it holds a character that could hide or reorder what a reader
// sees; observed text is never refused for that, for a machine's hostile name is
// itself evidence: the characters are written out as \u escapes.
//
// The result is trimmed and in NFC, so that equal names are equal bytes. NFKC is
// not applied, and CJK compatibility ideographs are kept as they are, since
// people's names use them (﨑, 神).
func (f Field) text(s string, lines, lenient bool) (string, error) {
	if limit := f.limit(); len(s) > limit*utf8.UTFMax*2 {
		// Counted before anything walks it: a field of megabytes costs nothing.
		return "", f.tooLong(limit)
	}
	if lenient {
		s = visible(s, lines)
	} else if err := f.refuse(s, lines); err != nil {
		return "", err
	}
	s = nfc(trim(s, lines))
	limit := maxString
	if f.Type != List {
		limit = f.limit()
	}
	if utf8.RuneCountInString(s) > limit {
		return "", f.tooLong(limit)
	}
	return s, nil
}

func (f Field) tooLong(limit int) Fault {
	return f.fault("%d文字を超えている。短くする。", "longer than %d characters; shorten it", limit)
}

func (f Field) refuse(s string, lines bool) error {
	if !utf8.ValidString(s) {
		return f.fault("文字コードが正しくない（UTF-8でない）。", "not valid UTF-8")
	}
	for _, r := range s {
		if lines && (r == '\n' || r == '\r' || r == '\t') || !unsafe(r) {
			continue
		}
		if r == '\n' || r == '\r' {
			return f.fault("改行は入力できない。1行で入力する。", "a line break; write it on one line")
		}
		return f.fault("使用できない制御文字（U+%04X）を含む。削除する。", "holds the control character U+%04X; remove it", r)
	}
	return nil
}

// unsafe reports characters that print nothing, or that change how the text
// around them prints: controls, bidirectional marks, zero-width and tag
// characters, line separators and non-characters.
func unsafe(r rune) bool {
	switch {
	case unicode.IsControl(r):
	case r == 0x061C, r >= 0x200B && r <= 0x200F, r >= 0x2028 && r <= 0x202E, r >= 0x2060 && r <= 0x206F:
	case r == 0xFEFF, r >= 0xFDD0 && r <= 0xFDEF, r&0xFFFE == 0xFFFE, r >= 0xE0000 && r <= 0xE007F:
	default:
		return false
	}
	return true
}

// visible writes out what refuse would not take.
func visible(s string, lines bool) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, unsafe) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02X`, s[i])
		case lines && (r == '\n' || r == '\r' || r == '\t') || !unsafe(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	return b.String()
}

// trim cuts white space (the full-width space too) around a line; of several
// lines it keeps the first one's indentation.
func trim(s string, lines bool) string {
	if !lines {
		return strings.TrimSpace(s)
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.TrimLeft(strings.TrimRightFunc(s, unicode.IsSpace), "\n")
}

// nfc is Unicode normal form C, except that CJK compatibility ideographs stay.
func nfc(s string) string {
	if norm.NFC.IsNormalString(s) {
		return s
	}
	var b strings.Builder
	start := 0
	for i, r := range s {
		if r >= 0xF900 && r <= 0xFAFF || r >= 0x2F800 && r <= 0x2FA1F {
			b.WriteString(norm.NFC.String(s[start:i]))
			b.WriteRune(r)
			start = i + utf8.RuneLen(r)
		}
	}
	b.WriteString(norm.NFC.String(s[start:]))
	return b.String()
}
