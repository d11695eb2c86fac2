package kind

import (
	"fmt"
	"strings"

	"kakusho/bilingual"
)

// Fault says what is wrong with one value and what to write instead. It is the
// error that Check and Parse return.
type Fault struct {
	Field   string         // name; "subcontractors[2].approved_on" inside a record
	Label   bilingual.Text // the field's label
	Message bilingual.Text // what is wrong, and the remedy; does not repeat the label
}

// Error is the English half, with the field's name.
func (f Fault) Error() string { return f.Field + ": " + f.Message.EN }

// Text is the message with the label before it, as pages print it.
func (f Fault) Text() bilingual.Text {
	return bilingual.Text{JA: f.Label.JA + "：" + f.Message.JA, EN: f.Label.EN + ": " + f.Message.EN}
}

// fault words both halves with the same arguments.
func (f Field) fault(ja, en string, a ...any) Fault {
	return Fault{Field: f.Name, Label: f.Label, Message: bilingual.Text{JA: fmt.Sprintf(ja, a...), EN: fmt.Sprintf(en, a...)}}
}

// excerpt shows what was written, short and with nothing that could hide or move text.
func excerpt(s string) string {
	const most = 40
	s = visible(strings.TrimSpace(s), false)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
