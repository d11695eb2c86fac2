package door_test

import (
	"strings"
	"testing"

	"kakusho/door"
)

// Syslog senders cut messages at 1,024 bytes or so, wherever that is.
func TestATextThatWasCutWithinALetterStaysUTF8(t *testing.T) {
	whole := strings.Repeat("捜査資料の持ち出しを検知しました。端末ＡＢＣ。", 20)
	for _, cut := range []int{1, 2, 4, 5, 7, 8, 500, 1001} {
		text, exact := door.Text([]byte(whole[:len(whole)-cut]))
		if exact && cut%3 != 0 || !strings.HasPrefix(text, "捜査資料の持ち出しを検知しました。") {
			t.Errorf("cut by %d: %.60q, exact %v", cut, text, exact)
		}
		text, exact = door.Text([]byte(whole[cut:]))
		if exact || !strings.Contains(text, "捜査資料の持ち出しを検知しました。") {
			t.Errorf("begun after %d: %.60q, exact %v", cut, text, exact)
		}
	}
	broken := []byte(whole)
	broken[100] = 0xFF
	if text, exact := door.Text(broken); exact || !strings.Contains(text, "捜査資料の持ち出しを検知しました。") {
		t.Errorf("one bad byte: %.60q", text)
	}
	short := "認証失敗"
	if text, _ := door.Text([]byte(short[:len(short)-1])); !strings.HasPrefix(text, "認証失") {
		t.Errorf("%q", text)
	}
}
