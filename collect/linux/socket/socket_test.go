package socket_test

import (
	"net"
	"net/netip"
	"testing"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/linux/socket"
)

const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 20563 1 0 100 0 0 10 0
   1: 00000000:0017 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 20564 1 0 100 0 0 10 0
   2: 0100007F:9C40 0100007F:1538 01 00000000:00000000 00:00000000 00000000   101        0 20565 1 0 100 0 0 10 0
`

const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0
   1: B80D01200000000000000000010000A0:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 78 1 0 100 0 0 10 0
`

func TestParse(t *testing.T) {
	ss, err := socket.Parse("tcp", []byte(tcp))
	if err != nil || len(ss) != 2 {
		t.Fatalf("got %v %v, want the two that listen", ss, err)
	}
	want := socket.Socket{Proto: "tcp", Addr: netip.MustParseAddr("127.0.0.1"), Port: 5432, UID: 101, Inode: 20563}
	if ss[0] != want || !ss[0].Loopback() || ss[1].Loopback() {
		t.Errorf("got %+v, want %+v", ss[0], want)
	}
	ss, err = socket.Parse("tcp6", []byte(tcp6))
	if err != nil || len(ss) != 2 || !ss[0].Loopback() || ss[1].Addr.String() != "2001:db8::a000:1" || ss[1].Port != 443 {
		t.Errorf("IPv6: got %v %v", ss, err)
	}
}

func TestListeningNeedsOneTable(t *testing.T) {
	if _, err := socket.Listening(fixture.Host(t, "-- etc/x --\n").Look()); !collect.Missing(err) {
		t.Errorf("got %v, want missing", err)
	}
	ss, err := socket.Listening(fixture.Host(t, "-- proc/net/tcp --\n"+tcp).Look())
	if err != nil || len(ss) != 2 {
		t.Errorf("a kernel without IPv6: got %v %v", ss, err)
	}
}

func TestOwnListenerIsSeen(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ss, err := socket.Listening(collect.Host{FS: collect.RootFS("/"), Live: true}.Look())
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	for _, s := range ss {
		if int(s.Port) == port && s.Proto == "tcp" && s.Loopback() {
			return
		}
	}
	t.Errorf("port %d is not among %v", port, ss)
}

func FuzzParse(f *testing.F) {
	f.Add("tcp", []byte(tcp))
	f.Add("tcp6", []byte(tcp6))
	f.Add("udp", []byte("h\n0: 00:0 0 07 0 0 0 0 0 0\n"))
	f.Fuzz(func(t *testing.T, proto string, b []byte) {
		ss, err := socket.Parse(proto, b)
		for _, s := range ss {
			if err == nil && !s.Addr.IsValid() {
				t.Errorf("socket without an address: %+v", s)
			}
		}
	})
}
