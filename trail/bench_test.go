package trail_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kakusho/trail"
)

// event is an entry of about 400 bytes, as an agent sends them.
func event(n int) trail.Entry {
	return trail.Entry{
		At: time.Date(2026, 11, 1, 0, 0, 0, n, time.UTC), Kind: "fact.batch", Actor: "agent/" + fmt.Sprint(rand.N(300_000)),
		Object: fmt.Sprint("computer/PC-", rand.N(300_000)),
		Body: json.RawMessage(fmt.Sprintf(`{"group":"account","seq":%d,"digest":"%016x%016x","facts":[{"field":"accounts","status":"observed","source":"/etc/passwd","note":"捜査資料管理端末 第%d号"},{"field":"lock","status":"denied","reason":"permission: open /etc/shadow"}]}`,
			n, rand.Uint64(), rand.Uint64(), rand.N(1000))),
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, each := range []int{1, 50} {
		b.Run(fmt.Sprintf("64-writers-of-%d", each), func(b *testing.B) {
			dir := b.TempDir()
			l := open(b, dir, options())
			var events []trail.Entry
			for i := range 5000 {
				events = append(events, event(i))
			}
			var n atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range 64 {
				wg.Go(func() {
					for {
						i := int(n.Add(int64(each)))
						if i > b.N*each {
							return
						}
						if _, err := l.Append(b.Context(), events[i%(len(events)-each):][:each]...); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			entries := float64(l.Len())
			b.ReportMetric(entries/b.Elapsed().Seconds(), "entries/s")
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
			names, _ := filepath.Glob(filepath.Join(dir, "pack/*"))
			var bytes int64
			for _, name := range names {
				bytes += sizeOf(b, name)
			}
			b.ReportMetric(float64(bytes)/entries, "B/entry")
		})
	}
}

// BenchmarkVerify reads as many bytes of entries a second as it says; the limit is
// what SHA-256 alone takes on one processor for the same.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l := open(b, dir, options())
	var raw int64
	for i := range 400 {
		var es []trail.Entry
		for j := range 500 {
			es = append(es, event(i*500+j))
		}
		if _, err := l.Append(b.Context(), es...); err != nil {
			b.Fatal(err)
		}
	}
	for s, err := range l.Read(b.Context(), 0) {
		if err != nil {
			b.Fatal(err)
		}
		line, err := json.Marshal(s.Entry)
		if err != nil {
			b.Fatal(err)
		}
		raw += int64(len(line))
	}
	key := l.PublicKey()
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("trail", func(b *testing.B) {
		b.SetBytes(raw)
		for b.Loop() {
			if r, err := trail.Verify(b.Context(), dir, key, nil); err != nil || !r.OK() {
				b.Fatal(r, err)
			}
		}
		b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("sha256-of-entries-one-processor", func(b *testing.B) {
		line := make([]byte, raw/200_000)
		b.SetBytes(raw)
		for b.Loop() {
			for range 200_000 {
				sha256.Sum256(line)
			}
		}
	})
}

func BenchmarkProve(b *testing.B) {
	l := open(b, b.TempDir(), options())
	var es []trail.Entry
	for i := range 1000 {
		es = append(es, event(i))
	}
	if _, err := l.Append(b.Context(), es...); err != nil {
		b.Fatal(err)
	}
	if err := l.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
	p, err := l.Prove(b.Context(), 500)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("prove", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Prove(b.Context(), 500); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(p)), "B/proof")
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if _, err := trail.VerifyProof(p, l.PublicKey()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Get(500); err != nil {
				b.Fatal(err)
			}
		}
	})
}
