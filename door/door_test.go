package door_test

import (
	"net"
	"testing"
	"time"
	"unicode/utf8"

	"kakusho/door"
)

func TestTheConnectionThatWasSilentLongestMakesRoom(t *testing.T) {
	under, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var refused []string
	ln := door.Limit(under, 2, func(address string) { refused = append(refused, address) })
	defer ln.Close()
	dial := func(last byte) (client, server net.Conn) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, last)}}
		client, err := d.Dial("tcp", under.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		server, err = ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return client, server
	}
	first, atFirst := dial(2)
	second, _ := dial(2)
	first.Write([]byte("x")) // the older one speaks
	if _, err := atFirst.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_, third := dial(3)
	defer third.Close()
	open := func(c net.Conn) bool {
		c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := c.Read(make([]byte, 1))
		e, ok := err.(net.Error)
		return ok && e.Timeout()
	}
	if !open(first) || open(second) || len(refused) != 1 || refused[0] != "127.0.0.2" {
		t.Errorf("first open %v, second open %v, refused %v", open(first), open(second), refused)
	}
	atFirst.Close()
	if _, fourth := dial(4); fourth.Close() != nil || len(refused) != 1 {
		t.Errorf("no room after a connection was closed: %v", refused)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"text", "\x8E\x91\x97\xBF", "\xBB\xF1\xCE\xC1", "\x1b$B;qNA\x1b(B", "\xff\x00", "\x1b$B"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, exact := door.Text(raw)
		if !utf8.ValidString(text) || exact && text != string(raw) {
			t.Fatalf("%q: %q %v", raw, text, exact)
		}
	})
}
