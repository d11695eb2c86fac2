package clock_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/linux/clock"
	"kakusho/fact"
)

const running = "-- proc/1/comm --\nsystemd\n-- etc/systemd/system/x.wants/ --\n"

const chronyConf = `
-- etc/chrony/chrony.conf --
confdir /etc/chrony/conf.d
# server commented.example
pool 2.debian.pool.ntp.org iburst
sourcedir /run/chrony-dhcp
sourcedir /etc/chrony/sources.d
refclock PHC /dev/ptp0 poll 2
-- etc/chrony/conf.d/site.conf --
server ntp1.example.jp
-- etc/chrony/sources.d/a.sources --
server ntp2.example.jp iburst
-- etc/chrony/sources.d/a.other --
server ignored.example.jp
`

const timesyncd = `
-- proc/9/comm --
systemd-timesyn
-- etc/systemd/timesyncd.conf --
[Time]
#NTP=
#FallbackNTP=0.debian.pool.ntp.org 1.debian.pool.ntp.org
-- run/systemd/timesync/synchronized --
`

func TestWhoIsInCharge(t *testing.T) {
	for _, c := range []struct {
		name, host string
		service    string // or the status
		synced     string
		sources    string
	}{
		{"nobody", running, "none", "false", ""},
		{"chronyd runs", running + chronyConf + "-- proc/8/comm --\nchronyd\n", "chrony", "error", "2.debian.pool.ntp.org refclock PHC /dev/ptp0 ntp1.example.jp ntp2.example.jp"},
		{"chronyd runs without its configuration", running + "-- proc/8/comm --\nchronyd\n", "chrony", "error", ""},
		{"chronyd is enabled but stopped", running + chronyConf + "-- etc/systemd/system/multi-user.target.wants/chrony.service -> /x --\n", "chrony", "false", "ntp2"},
		{"chronyd is enabled in an image", chronyConf + "-- etc/systemd/system/multi-user.target.wants/chrony.service -> /x --\n", "chrony", "error", "ntp2"},
		{"an image that enables nothing", "-- etc/systemd/system/x.wants/ --\n", "none", "false", ""},
		{"a folder that is no system", "-- etc/passwd --\n", "error", "error", ""},
		{"timesyncd runs and has synchronised", running + timesyncd, "timesyncd", "true", "0.debian.pool.ntp.org 1.debian.pool.ntp.org"},
		{"timesyncd runs and has not", running + timesyncd + "-- run/systemd/timesync/synchronized gone --\n", "timesyncd", "false", "0.debian"},
		{"timesyncd in an image", "-- etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service -> /x --\n", "timesyncd", "error", ""},
		{"the network names timesyncd's servers", running + timesyncd + "-- run/systemd/netif/state --\nNTP=10.0.0.1\n", "timesyncd", "true", "10.0.0.1"},
		{"timesyncd's servers set by hand win", running + timesyncd + "-- run/systemd/netif/state --\nNTP=10.0.0.1\n-- etc/systemd/timesyncd.conf.d/a.conf --\n[Time]\nNTP=ntp.example.jp\n", "timesyncd", "true", "ntp.example.jp"},
		{"ntpd runs", running + "-- proc/7/comm --\nntpd\n-- etc/ntp.conf --\ndriftfile /x\npool -4 a.example iburst\nserver b.example\nrestrict 127.0.0.1\n", "ntpd", "error", "a.example b.example"},
		{"chronyd wins over timesyncd", running + timesyncd + chronyConf + "-- proc/8/comm --\nchronyd\n", "chrony", "error", "ntp1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := fixture.Collect(t, fixture.Host(t, c.host), clock.Collector())
			for field, want := range map[string]string{"time_service": c.service, "time_synchronized": c.synced} {
				f := got[field]
				g := string(f.Status)
				if f.Status == fact.Observed {
					g = fmt.Sprint(f.Value)
				}
				if g != want {
					t.Errorf("%s: got %s (%s), want %s", field, g, f.Reason, want)
				}
			}
			if s := words(got["time_sources"]); !strings.Contains(s, c.sources) {
				t.Errorf("sources: got %q, want %q", s, c.sources)
			}
		})
	}
}

func words(f fact.Fact) string {
	l, _ := f.Value.([]any)
	var out []string
	for _, s := range l {
		out = append(out, s.(string))
	}
	return strings.Join(out, " ")
}

func TestTimesyncdTellsWhen(t *testing.T) {
	h := fixture.Host(t, running+timesyncd)
	at := fixture.Now.Add(-10 * time.Minute)
	if err := os.Chtimes(filepath.Join(h.Root, "run/systemd/timesync/synchronized"), at, at); err != nil {
		t.Fatal(err)
	}
	got := fixture.Collect(t, h, clock.Collector())
	if f := got["time_last_sync"]; f.Value != at {
		t.Errorf("last: got %v %v, want %v", f.Value, f.Reason, at)
	}
	if f := got["time_stratum"]; f.Status != fact.Error {
		t.Errorf("stratum: got %v, which timesyncd tells nobody", f.Value)
	}
}

// chronyd starts a real one that never touches the clock and returns its folder.
func chronyd(t *testing.T, name, conf string) {
	t.Helper()
	bin, err := exec.LookPath("chronyd")
	if err != nil {
		if bin, err = exec.LookPath("/usr/sbin/chronyd"); err != nil {
			t.Skip("no chronyd here: apt-get install chrony")
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(conf+"bindcmdaddress /\npidfile "+dir+"/pid\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	user := "root"
	if u := os.Getenv("USER"); os.Geteuid() != 0 && u != "" {
		user = u
	}
	cmd := exec.Command(bin, "-x", "-d", "-U", "-u", user, "-f", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
}

func freePort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

func TestARealChronyd(t *testing.T) {
	serve, cmd := freePort(t), freePort(t)
	chronyd(t, "server", fmt.Sprintf("local stratum 8\nallow 127.0.0.1\nport %d\ncmdport 0\n", serve))
	conf := fmt.Sprintf("server 127.0.0.1 port %d iburst minpoll -4 maxpoll -4\nport 0\ncmdport %d\n", serve, cmd)
	chronyd(t, "client", conf)
	h := fixture.Host(t, running+"-- proc/8/comm --\nchronyd\n-- etc/chrony.conf --\n"+conf)
	h.Dial = fixture.Live().Dial
	var got map[string]fact.Fact
	for range 100 {
		got = fixture.Collect(t, h, clock.Collector())
		if got["time_synchronized"].Value == true {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for field, f := range got {
		t.Log(field, f.Status, f.Value, f.Reason)
	}
	if got["time_synchronized"].Value != true || got["time_stratum"].Value != int64(9) {
		t.Errorf("got %v at stratum %v, want true at 9", got["time_synchronized"].Value, got["time_stratum"].Value)
	}
	if d, ok := got["time_offset"].Value.(time.Duration); !ok || d < 0 || d > time.Second {
		t.Errorf("offset: got %v", got["time_offset"])
	}
	if at, ok := got["time_last_sync"].Value.(time.Time); !ok || time.Since(at).Abs() > time.Minute {
		t.Errorf("last: got %v", got["time_last_sync"])
	}
}

func TestARealChronydThatFollowsItself(t *testing.T) {
	cmd := freePort(t)
	conf := fmt.Sprintf("local stratum 8\nport 0\ncmdport %d\n", cmd)
	chronyd(t, "alone", conf)
	h := fixture.Host(t, running+"-- proc/8/comm --\nchronyd\n-- etc/chrony.conf --\n"+conf)
	h.Dial = fixture.Live().Dial
	for range 50 {
		f := fixture.Collect(t, h, clock.Collector())["time_synchronized"]
		if f.Status == fact.Observed {
			if f.Value == true {
				t.Error("a clock that follows only itself is called synchronised")
			}
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("no answer")
}

// What ntpsec 1.2.2 answers before it has a source, and the same later.
const (
	early = "leap=3, stratum=16, precision=-23, rootdelay=0.000, rootdisp=0.090,\r\nrefid=INIT, reftime=0x00000000.00000000, tc=0, peer=0, offset=0.000000,\r\n" +
		"clock=0xeeb05a96.b3f49210, processor=\"x86_64\",\r\nsystem=\"Linux/6.1, a\", version=\"ntpd ntpsec-1.2.2\",\r\nmintc=0"
	later = "leap=0, stratum=3, refid=10.0.0.1, reftime=0xeeb05a96.b3f49210, offset=-1.5,\r\nversion=\"ntpd, or so\""
)

// ntpd answers mode 6 packets with text cut in pieces, the last one first.
func ntpd(t *testing.T, text string) collect.Host {
	t.Helper()
	srv, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	go func() {
		b := make([]byte, 100)
		_, from, err := srv.ReadFrom(b)
		if err != nil {
			return
		}
		for _, p := range packets(text) {
			srv.WriteTo(p, from)
		}
	}()
	h := fixture.Host(t, running+"-- proc/7/comm --\nntpd\n-- etc/ntp.conf --\nserver a\n")
	h.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if network != "udp" || addr != "127.0.0.1:123" {
			t.Errorf("dialled %s %s", network, addr)
		}
		return net.Dial("udp", srv.LocalAddr().String())
	}
	return h
}

func packets(text string) [][]byte {
	const cut = 40
	var out [][]byte
	for at := 0; at < len(text); at += cut {
		part := text[at:min(at+cut, len(text))]
		op := byte(0x82)
		if at+cut < len(text) {
			op |= 0x20
		}
		h := []byte{0x16, op, 0, 1, 0, 0, 0, 0, byte(at >> 8), byte(at), 0, byte(len(part))}
		out = append(out, append(h, part...))
	}
	slices.Reverse(out)
	return out
}

func TestNTPDAnswers(t *testing.T) {
	got := fixture.Collect(t, ntpd(t, early), clock.Collector())
	if got["time_synchronized"].Value != false || got["time_stratum"].Value != int64(16) || got["time_last_sync"].Status != fact.Absent {
		t.Errorf("early: got %v", got)
	}
	got = fixture.Collect(t, ntpd(t, later), clock.Collector())
	want := time.Date(2026, 11, 24, 18, 48, 54, 0, time.UTC)
	if got["time_synchronized"].Value != true || got["time_stratum"].Value != int64(3) ||
		got["time_offset"].Value != 1500*time.Microsecond || got["time_last_sync"].Value != want {
		t.Errorf("later: got %v", got)
	}
	got = fixture.Collect(t, ntpd(t, strings.Replace(later, "10.0.0.1", "LOCAL(0)", 1)), clock.Collector())
	if got["time_synchronized"].Value != false {
		t.Error("an ntpd that follows its own clock is called synchronised")
	}
}

func TestThisHost(t *testing.T) {
	for field, f := range fixture.Collect(t, fixture.Live(), clock.Collector()) {
		t.Log(field, f.Status, f.Value, f.Reason)
	}
}

func FuzzParseConf(f *testing.F) {
	f.Add([]byte("pool -4 a\ncmdport 99999\nrefclock\ninclude /a \"b\"\nserver -6\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := clock.ParseConf(b)
		if c.Port < -1 || c.Port > 65535 {
			t.Errorf("port %d", c.Port)
		}
	})
}

func FuzzParseControl(f *testing.F) {
	p := packets(early)
	f.Add(p[0], p[1])
	f.Add([]byte{0x16, 0xa2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{0x16, 0x82, 0, 1, 0, 0, 0, 0, 0, 9, 0, 0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, err := clock.ParseControl([][]byte{a, b})
		if err != nil && s != "" {
			t.Errorf("text with an error: %q", s)
		}
	})
}

func FuzzParseVariables(f *testing.F) {
	f.Add(early)
	f.Add(`a="b, c="`)
	f.Fuzz(func(t *testing.T, s string) {
		for k := range clock.ParseVariables(s) {
			if k == "" {
				t.Error("a variable without a name")
			}
		}
	})
}
