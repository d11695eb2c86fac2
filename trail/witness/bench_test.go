package witness_test

import (
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"kakusho/trail"
	"kakusho/trail/witness"
)

// BenchmarkWitnessed measures how long after its checkpoint a segment has the
// signatures of both witnesses it wants: four trails of one installation at once,
// fifty segments each, over real sockets and with everything on disk.
func BenchmarkWitnessed(b *testing.B) {
	const trails, segments = 4, 50
	policy, folders := "", []string{}
	for _, name := range []string{"a", "b"} {
		dir := b.TempDir()
		w, err := witness.Open(dir, witness.Options{Name: "witness.example/" + name, Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		server := httptest.NewServer(w)
		b.Cleanup(func() { server.Close(); w.Close() })
		policy += fmt.Sprintf("witness %s %s %s\n", name, w.PublicKey(), server.URL)
		folders = append(folders, dir)
	}
	p, err := witness.ParsePolicy([]byte(policy + "group both all a b\nquorum both\n"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var mu sync.Mutex
		var took []time.Duration
		var all sync.WaitGroup
		for i := range trails {
			l := watched(b, fmt.Sprintf("bench/%d", i), p, folders)
			all.Go(func() {
				for n := range int64(segments) {
					d, err := untilWitnessed(b, l, n+1)
					if err != nil {
						b.Error(err)
						return
					}
					mu.Lock()
					took = append(took, d)
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if b.Failed() {
			return
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1e3, "ms-p50")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1e3, "ms-p99")
	}
}

// watched is a trail that the witnesses in these folders trust.
func watched(b *testing.B, installation string, p witness.Policy, folders []string) *trail.Log {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "trail")
	o := trail.Options{Now: time.Now, Installation: installation}
	l, err := trail.Open(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	key := l.PublicKey()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for _, f := range folders {
		if err := witness.Trust(f, key); err != nil {
			b.Fatal(err)
		}
	}
	o.Witnesses = p
	if l, err = trail.Open(dir, o); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

// untilWitnessed seals a segment, and measures from its checkpoint on.
func untilWitnessed(b *testing.B, l *trail.Log, size int64) (time.Duration, error) {
	if _, err := l.Append(b.Context(), trail.Entry{At: time.Now(), Kind: "system.test"}); err != nil {
		return 0, err
	}
	if err := l.Seal(b.Context()); err != nil {
		return 0, err
	}
	published := time.Time{}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if published.IsZero() {
			if _, c, err := l.Checkpoint(b.Context()); err == nil && c.Size >= size {
				published = time.Now()
			}
		}
		if s := l.Witnessed(); s.Newest.Size >= size && !published.IsZero() {
			return time.Since(published), nil
		}
	}
	return 0, fmt.Errorf("segment %d is not witnessed: %+v", size, l.Witnessed())
}
