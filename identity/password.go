package identity

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"kakusho/bilingual"
)

// Cost of argon2id: 19 MiB, two passes, one lane (RFC 9106 §4 allows any; this
// is OWASP's first choice for servers). It is written into every hash, so it can
// be raised later without locking anybody out.
const (
	argonKiB    = 19 * 1024
	argonPasses = 2
	argonLanes  = 1
)

// maxPassword bounds what is hashed, in bytes.
const maxPassword = 1024

// hashPassword returns the encoded argon2id hash. The password is read as NFKC,
// so that it is the same however a keyboard composes it.
func hashPassword(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(norm.NFKC.String(password)), salt, argonPasses, argonKiB, argonLanes, 32)
	enc := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonKiB, argonPasses, argonLanes, enc(salt), enc(sum))
}

// checkPassword takes the same time whatever the password. A hash it cannot read
// never matches.
func checkPassword(encoded, password string) bool {
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || len(password) > maxPassword {
		return false
	}
	var version, kib, passes, lanes int
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &kib, &passes, &lanes); err != nil ||
		kib < 8 || kib > 1<<20 || passes < 1 || passes > 64 || lanes < 1 || lanes > 64 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) == 0 {
		return false
	}
	got := argon2.IDKey([]byte(norm.NFKC.String(password)), salt, uint32(passes), uint32(kib), uint8(lanes), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}

// Fault is what is wrong with something a person typed, in his language.
type Fault struct {
	Field string
	Text  bilingual.Text
}

func (f Fault) Error() string { return f.Text.EN }

func fault(field, ja, en string) Fault { return Fault{Field: field, Text: bilingual.Say(ja, en)} }

// weak says what a new password lacks: minimum length in characters, character
// classes, and that it is not the person's own name.
func weak(password, person string, p Policy) error {
	n := utf8.RuneCountInString(password)
	switch {
	case len(password) > maxPassword:
		return fault("password", "パスワードは1,024バイトまでとすること。", "A password may have at most 1,024 bytes.")
	case !utf8.ValidString(password):
		return fault("password", "パスワードに読み取れない文字がある。", "The password holds unreadable characters.")
	case n < p.MinLength:
		return fault("password", fmt.Sprintf("パスワードは%d文字以上とすること（現在%d文字）。", p.MinLength, n),
			fmt.Sprintf("A password needs at least %d characters (this one has %d).", p.MinLength, n))
	case classes(password) < p.Classes:
		return fault("password", fmt.Sprintf("英大文字・英小文字・数字・記号（その他の文字を含む。）のうち%d種類以上を用いること。", p.Classes),
			fmt.Sprintf("Use at least %d of: upper case, lower case, digits, symbols (or other characters).", p.Classes))
	case person != "" && strings.Contains(strings.ToLower(password), strings.ToLower(person)):
		return fault("password", "パスワードに識別コードを含めないこと。", "The password must not contain your user ID.")
	}
	return nil
}

func classes(s string) int {
	var upper, lower, digit, other int
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			other = 1
		}
	}
	return upper + lower + digit + other
}
