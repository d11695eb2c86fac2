package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
)

// decode finds out how a text file is encoded and gives it in UTF-8. What it
// cannot decode it replaces by U+FFFD and names by line; a binary file has no
// encoding at all.
func decode(data []byte) (text, encoding string, faults []Fault) {
	for _, bom := range []struct {
		mark string
		end  unicode.Endianness
	}{{"\xFF\xFE", unicode.LittleEndian}, {"\xFE\xFF", unicode.BigEndian}} {
		if bytes.HasPrefix(data, []byte(bom.mark)) {
			out, err := unicode.UTF16(bom.end, unicode.ExpectBOM).NewDecoder().Bytes(data)
			if err != nil {
				return "", "", []Fault{undecodable(0)}
			}
			return string(out), "utf-16", broken(string(out))
		}
	}
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if bytes.IndexByte(data, 0) >= 0 {
		return "", "", []Fault{{Message: say("表として読めない（文書や画像等の可能性）。CSV又はxlsxで保存したファイルを選ぶ。",
			"not a table; choose a file saved as CSV or xlsx")}}
	}
	if utf8.Valid(data) {
		return string(data), "utf-8", nil
	}
	if mostlyUTF8(data) {
		return string(bytes.ToValidUTF8(data, []byte("\uFFFD"))), "utf-8", broken(string(bytes.ToValidUTF8(data, []byte("\uFFFD"))))
	}
	out, err := japanese.ShiftJIS.NewDecoder().Bytes(data)
	if err != nil {
		return "", "", []Fault{undecodable(0)}
	}
	return string(out), "shift_jis", broken(string(out))
}

// mostlyUTF8 tells a UTF-8 file with a damaged spot from one in Shift_JIS, in
// which hardly any run of bytes is valid UTF-8.
func mostlyUTF8(data []byte) bool {
	good, bad := 0, 0
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size == 1 {
			bad++
		} else if size > 2 {
			good++
		}
		data = data[size:]
	}
	return good >= 10*bad
}

// broken names the first lines that could not be decoded.
func broken(text string) (faults []Fault) {
	if !strings.ContainsRune(text, utf8.RuneError) {
		return nil
	}
	line := 0
	for l := range strings.Lines(text) {
		line++
		if strings.ContainsRune(l, utf8.RuneError) && len(faults) < 10 {
			faults = append(faults, undecodable(line))
		}
	}
	return faults
}

func undecodable(line int) Fault {
	return Fault{Line: line, Message: say("文字コードを判別できない文字がある。UTF-8又はShift_JISで保存し直す。",
		"a character that is neither UTF-8 nor Shift_JIS; save the file again in one of them")}
}

// delimiter is the separator of the file: a tab when its name or its first line
// says so, else a comma or a semicolon.
func delimiter(text, name string) rune {
	if ext := strings.ToLower(path.Ext(name)); ext == ".tsv" || ext == ".tab" {
		return '\t'
	}
	line, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	best, most := ',', strings.Count(line, ",")
	for _, c := range "\t;" {
		if n := strings.Count(line, string(c)); n > most {
			best, most = c, n
		}
	}
	return best
}

// textRows reads comma- or tab-separated text (RFC 4180).
func textRows(text string, comma rune) source {
	return func(yield func(cells, *Fault) bool) {
		r := csv.NewReader(strings.NewReader(text))
		r.Comma = comma
		r.FieldsPerRecord = -1
		for {
			record, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(cells{}, quoteFault(err))
				return
			}
			line, _ := r.FieldPos(0)
			for i, s := range record {
				record[i] = unguard(s)
			}
			if !yield(cells{line, record}, nil) {
				return
			}
		}
	}
}

func quoteFault(err error) *Fault {
	f := Fault{Message: say("引用符（\"）の対応が取れていない。セルの中の引用符は二つ続け、セル全体を引用符で囲む。これより後の行は読んでいない。",
		"quotes do not match; double a quote inside a cell and quote the whole cell. Rows after this one were not read")}
	var p *csv.ParseError
	if errors.As(err, &p) {
		f.Line = p.StartLine
	}
	return &f
}

// risky are the characters at which a spreadsheet starts to compute when they
// begin a cell of a CSV file, their full-width forms, and our own guard.
const risky = "=+-@\t\r\n＝＋－＠'"

// guard puts a ' before such a cell; unguard takes it off again.
func guard(s string) string {
	if r, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune(risky, r) {
		return "'" + s
	}
	return s
}

func unguard(s string) string {
	rest, ok := strings.CutPrefix(s, "'")
	if r, _ := utf8.DecodeRuneInString(rest); ok && rest != "" && strings.ContainsRune(risky, r) {
		return rest
	}
	return s
}
