package victorialogs

import (
	"strconv"
	"unicode/utf8"

	"kakusho/search"
)

// mostRow is how large a row may be. VictoriaLogs drops a larger one than 2 MiB
// and says nothing.
const mostRow = 1900 << 10

// appendRow appends a row as a line of JSON.
func appendRow(dst []byte, r search.Row, scratch *[]byte) []byte {
	start := len(dst)
	dst = appendPlace(dst, r)
	for name, value := range r.Columns {
		if dst = append(dst, ','); len(name) > 128 {
			dst = dst[:len(dst)-1]
			continue
		}
		dst = appendText(dst, name)
		dst = append(dst, ':')
		dst = appendText(dst, value)
	}
	*scratch = r.AppendWords((*scratch)[:0])
	dst = append(dst, `,"`+search.Words+`":`...)
	if len(*scratch) == 0 {
		*scratch = append(*scratch, '|') // VictoriaLogs would make a sentence up
	}
	dst = appendText(dst, string(*scratch))
	if len(dst)-start > mostRow {
		dst = append(appendPlace(dst[:start], r), `,"truncated":"1","`+search.Words+`":"|"`...)
	}
	return append(dst, '}', '\n')
}

func appendPlace(dst []byte, r search.Row) []byte {
	dst = append(dst, `{"_time":"`...)
	dst = r.Time().UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
	dst = append(dst, `","`+streamColumn+`":`...)
	dst = appendText(dst, r.Stream)
	dst = append(dst, `,"`+seqColumn+`":"`...)
	dst = strconv.AppendInt(dst, r.Seq, 10)
	dst = append(dst, `","`+bucketColumn+`":"`...)
	dst = strconv.AppendInt(dst, r.Bucket(), 10)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

// appendText appends a JSON string.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), `\ufffd`...)
				from = i + 1
			}
			i += n
			continue
		}
		if b < ' ' || b == '"' || b == '\\' {
			dst = append(dst, s[from:i]...)
			if b < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&15])
			} else {
				dst = append(dst, '\\', b)
			}
			from = i + 1
		}
		i++
	}
	return append(append(dst, s[from:]...), '"')
}
