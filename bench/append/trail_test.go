package append

import (
	"errors"
	"os"
	"testing"
	"time"
)

// each is how many events a peer takes in one round: about two seconds' worth.
func each(name string) int {
	switch name {
	case "trail", "sha256":
		return 1_000_000
	case "rsyslog", "rsyslog-synced":
		return 300_000
	}
	return 100_000
}

// BenchmarkPeers runs all peers on the same events, one after the other, and says how
// the trail stands to each in this round.
func BenchmarkPeers(b *testing.B) {
	lines, err := Lines(200_000)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		did := map[string]Figures{}
		for _, p := range Peers() {
			dir := b.TempDir()
			f, err := p.Run(b.Context(), dir, lines, each(p.Name))
			if errors.Is(err, ErrNotHere) {
				b.Log(p.Name, err)
				continue
			}
			if err != nil {
				b.Fatal(p.Name, err)
			}
			b.Logf("%-15s %s", p.Name, f)
			did[p.Name] = f
			if p.Name == "trail" {
				rate, err := Verify(b.Context(), dir)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(rate/f.Rate(), "x-verify")
			}
			if err := os.RemoveAll(dir); err != nil {
				b.Fatal(err)
			}
		}
		report(b, did, lines)
		f, err := Paced(b.Context(), b.TempDir(), lines, 50_000, 4*time.Second)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%-15s %s", "50,000/s", f)
		b.ReportMetric(float64(f.P50.Microseconds())/1e3, "ms-p50-at-50k")
		b.ReportMetric(float64(f.P99.Microseconds())/1e3, "ms-p99-at-50k")
		b.ReportMetric(f.PerEvent(), "cpu-µs/event-at-50k")
	}
}

func report(b *testing.B, did map[string]Figures, lines [][]byte) {
	us, raw := did["trail"], 0
	for _, line := range lines {
		raw += len(line) + 1
	}
	b.ReportMetric(us.Rate(), "events/s")
	b.ReportMetric(us.PerEvent(), "cpu-µs/event")
	b.ReportMetric(us.Size(), "B/event")
	b.ReportMetric(float64(us.Log)/float64(us.Events), "log-B/event")
	b.ReportMetric(float64(us.P50.Microseconds())/1e3, "ms-p50")
	b.ReportMetric(float64(us.P99.Microseconds())/1e3, "ms-p99")
	b.ReportMetric(us.Size()*float64(len(lines))/float64(raw), "of-raw")
	for name, f := range did {
		if name != "trail" {
			b.ReportMetric(us.Rate()/f.Rate(), "x-"+name)
			b.ReportMetric(us.PerEvent()/f.PerEvent(), "cpu-x-"+name)
		}
	}
}

func TestPeersThatAreHereTakeEveryEvent(t *testing.T) {
	lines, err := Lines(2_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Peers() {
		t.Run(p.Name, func(t *testing.T) {
			if p.Name == "auditd" && os.Getenv("KAKUSHO_NIGHTLY") == "" {
				t.Skip("changes the state of the kernel: with KAKUSHO_NIGHTLY only")
			}
			f, err := p.Run(t.Context(), t.TempDir(), lines, 5_000)
			if errors.Is(err, ErrNotHere) {
				t.Skip(err)
			}
			if err != nil || f.Events < 5_000 || f.Took <= 0 || f.CPU <= 0 {
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
}

func TestBatchesThatComeAtARateAreTaken(t *testing.T) {
	lines, err := Lines(2_000)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Paced(t.Context(), t.TempDir(), lines, 2_000, time.Second)
	if err != nil || f.Events != 2_000 || f.P50 <= 0 || f.P99 < f.P50 {
		t.Errorf("got %+v, %v", f, err)
	}
}
