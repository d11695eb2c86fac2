package journal_test

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"kakusho/door/journal"
	"kakusho/event"
)

// BenchmarkRead reads 20,000 entries of the real journald as events and as lines, and
// says how many times its processor time journalctl -o export takes.
func BenchmarkRead(b *testing.B) {
	j := startJournald(b, "")
	j.start(true)
	const n = 20_000
	load(j, 0, n)
	j.wait(j.logs(), "TEST=yes", n)
	j.stop()
	peer := exec.Command("journalctl", "-D", j.logs(), "-o", "export", "-q")
	if err := peer.Run(); err != nil {
		b.Fatal(err)
	}
	theirs := peer.ProcessState.UserTime() + peer.ProcessState.SystemTime()
	var line []byte
	began := cpu()
	for b.Loop() {
		d := journal.OpenFolder([]string{j.logs()}, nil, false)
		got := 0
		for more := true; more; {
			var entries []journal.Entry
			var err error
			if entries, _, more, err = d.Read(1000); err != nil {
				b.Fatal(err)
			}
			for _, e := range entries {
				if line, err = event.Encode(line[:0], e.Event()); err != nil {
					b.Fatal(err)
				}
			}
			got += len(entries)
		}
		d.Close()
		if got < n {
			b.Fatalf("%d entries", got)
		}
	}
	ours := (cpu() - began) / time.Duration(b.N)
	b.ReportMetric(float64(ours.Nanoseconds())/1000/n, "cpu-µs/entry")
	b.ReportMetric(float64(theirs)/float64(ours), "×journalctl-export")
}

// cpu is what this process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
