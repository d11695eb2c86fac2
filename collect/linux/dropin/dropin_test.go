package dropin_test

import (
	"slices"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/dropin"
)

const host = `
-- etc/systemd/timesyncd.conf --
[Time]
#NTP=commented.example
NTP=a.example b.example
; also a comment
FallbackNTP=
 PollIntervalMinSec = 32
-- etc/systemd/timesyncd.conf.d/20-site.conf --
[Time]
NTP=
NTP=c.example \
  d.example
-- usr/lib/systemd/timesyncd.conf --
[Time]
NTP=far.example
-- usr/lib/systemd/timesyncd.conf.d/20-site.conf --
[Time]
NTP=hidden.example
-- usr/lib/systemd/timesyncd.conf.d/30-vendor.conf --
[Time]
NTP=e.example
-- usr/lib/systemd/timesyncd.conf.d/40-off.conf --
[Time]
NTP=masked.example
-- etc/systemd/timesyncd.conf.d/40-off.conf -> /dev/null --
`

func TestLayers(t *testing.T) {
	l := fixture.Host(t, host).Look()
	ss, err := dropin.Settings(l, "timesyncd.conf", dropin.Folders...)
	if err != nil {
		t.Fatal(err)
	}
	got, want := dropin.Words(ss, "Time", "NTP"), []string{"c.example", "d.example", "e.example"}
	if !slices.Equal(got, want) {
		t.Errorf("NTP: got %v, want %v", got, want)
	}
	s, ok := dropin.Last(ss, "Time", "PollIntervalMinSec")
	if !ok || s.Value != "32" || s.Place != "/etc/systemd/timesyncd.conf:6" {
		t.Errorf("last: got %+v %v", s, ok)
	}
	if _, ok := dropin.Last(ss, "Journal", "NTP"); ok {
		t.Error("a key of another section was found")
	}
}

func TestNoFileIsNoError(t *testing.T) {
	ss, err := dropin.Settings(fixture.Host(t, "-- etc/x --\n").Look(), "journald.conf", dropin.Folders...)
	if err != nil || len(ss) != 0 {
		t.Errorf("got %v %v", ss, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[Time]\nNTP=a \\\n b\n"))
	f.Add([]byte("=\n[\n]\n[]\n\\"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range dropin.Parse(b) {
			if s.Place == "" {
				t.Errorf("setting without a place: %+v", s)
			}
		}
	})
}
