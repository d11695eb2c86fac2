package identity_test

import (
	"encoding/base32"
	"errors"
	"strings"
	"testing"
	"time"

	"kakusho/identity"
)

func TestAPasswordIsKnownAgainAndNoOtherIs(t *testing.T) {
	const password = "Kanji-to-kagi-7712"
	hash := identity.HashPassword(password)
	if strings.Contains(hash, password) || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %q", hash)
	}
	if other := identity.HashPassword(password); other == hash {
		t.Error("two hashes of one password are the same: no salt")
	}
	for typed, want := range map[string]bool{
		password: true, password + " ": false, "": false, "kanji-to-kagi-7712": false, password + "\x00": false,
		"Ｋanji-to-kagi-7712": true, // NFKC: a full-width letter is the letter
	} {
		if got := identity.CheckPassword(hash, typed); got != want {
			t.Errorf("%q: got %v, want %v", typed, got, want)
		}
	}
	composed, decomposed := identity.HashPassword("がんばる-Kagi-77"), "\u304b\u3099んば\u3099る-Kagi-77"
	decomposed = strings.Replace(decomposed, "ば\u3099", "は\u3099", 1)
	if !identity.CheckPassword(composed, decomposed) {
		t.Error("the same word typed on another keyboard is another password")
	}
}

func TestAHashThatCannotBeReadMatchesNothing(t *testing.T) {
	good := identity.HashPassword("x")
	for _, hash := range []string{
		"", "x", "$argon2id$", "$argon2i$v=19$m=19456,t=2,p=1$AAAA$AAAA", strings.Replace(good, "v=19", "v=18", 1),
		strings.Replace(good, "m=19456", "m=99999999", 1), strings.Replace(good, "t=2", "t=0", 1), strings.Replace(good, "p=1", "p=0", 1),
		good[:strings.LastIndexByte(good, '$')+1], good + "=", strings.Replace(good, "m=19456", "m=-1", 1),
	} {
		if identity.CheckPassword(hash, "x") {
			t.Errorf("%q matches", hash)
		}
	}
}

func FuzzCheckPassword(f *testing.F) {
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$", "")
	f.Add("$$$$$", "x")
	f.Fuzz(func(t *testing.T, hash, password string) {
		if len(hash) > 200 || strings.Contains(hash, "m=1") && len(hash) > 120 { // only bounds what a run costs
			t.Skip()
		}
		identity.CheckPassword(hash, password) // does not panic
	})
}

func TestACodeIsThatOfRFC6238NowOrOneStepAside(t *testing.T) {
	secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte("12345678901234567890"))
	// Appendix B, SHA-1, the last six digits.
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		for _, c := range []struct {
			name  string
			shift int64
			want  bool
		}{{"at its time", 0, true}, {"a step later", 30, true}, {"a step earlier", -30, true}, {"two steps later", 60, false}, {"two steps earlier", -60, false}} {
			if at+c.shift < 0 {
				continue // before 1970
			}
			step := identity.CodeStep(secret, code, time.Unix(at+c.shift, 0))
			if (step == at/30) != c.want || !c.want && step != 0 {
				t.Errorf("code of %d %s: got step %d, want it accepted %v as step %d", at, c.name, step, c.want, at/30)
			}
		}
	}
	for _, code := range []string{"", "287", "0287082", "28708２", "-87082", "287082 "} {
		if step := identity.CodeStep(secret, code, time.Unix(59, 0)); step != 0 {
			t.Errorf("%q: accepted as step %d", code, step)
		}
	}
	if identity.CodeStep("", "287082", time.Unix(59, 0)) != 0 || identity.CodeStep("not base32!", "287082", time.Unix(59, 0)) != 0 {
		t.Error("a code without a secret is accepted")
	}
}

func TestWhatAPasswordLacks(t *testing.T) {
	p := identity.Policy{MinLength: 12, Classes: 3}
	for _, c := range []struct {
		name, password string
		ok             bool
	}{
		{"twelve characters of three classes", "Abcdefgh1234", true},
		{"eleven characters", "Abcdefgh123", false},
		{"two classes", "abcdefgh1234", false},
		{"kanji count as characters and as a class", "合言葉は山と川Abcd12", true},
		{"twelve kanji are one class", "合言葉合言葉合言葉合言葉", false},
		{"the name in it", "My-P-0001-pass", false},
		{"the name in another case", "my-p-0001-PASS", false},
		{"exactly as long as can be", "Aa1" + strings.Repeat("x", 1021), true},
		{"one byte longer", "Aa1" + strings.Repeat("x", 1022), false},
		{"no text", "Abcdefgh1234\xff", false},
	} {
		err := identity.Weak(c.password, "P-0001", p)
		var f identity.Fault
		if (err == nil) != c.ok || err != nil && (!errors.As(err, &f) || !f.Text.Complete()) {
			t.Errorf("%s: got %v, want it taken %v", c.name, err, c.ok)
		}
	}
}
