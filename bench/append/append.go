// Package append sends the same events to the trail and to its peers, one after
// the other, and says for each how many it took a second, what one event cost the
// processors and the disk, and how long a sender waited for its acknowledgement.
//
// Quote ratios inside one run: other work on the machine slows all alike.
package append

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"kakusho/event"
)

// Lines makes n lines of events, about 400 bytes each, as computers of a large body
// send them: no two alike, from 300,000 hosts.
func Lines(n int) ([][]byte, error) {
	r := rand.New(rand.NewPCG(1, 2)) // the same each time
	start := time.Date(2026, 11, 2, 8, 30, 0, 0, time.FixedZone("JST", 9*3600))
	actions := []string{"ログオン", "ファイルを開いた", "印刷した", "外部媒体へ書き出した", "照会した", "権限を変更した"}
	classes := event.Classes()
	lines := make([][]byte, n)
	for i := range lines {
		host := r.IntN(300_000)
		e := event.Event{
			ID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()), At: start.Add(time.Duration(i) * 97 * time.Microsecond),
			Clock: event.ClockSynced, Feed: "terminals", System: fmt.Sprint("sys-", host%40), Class: classes[r.IntN(len(classes))],
			Account: fmt.Sprintf("k%06d", r.IntN(290_000)), Device: fmt.Sprintf("PC-%06d", host),
			Event: actions[r.IntN(len(actions))], Object: fmt.Sprintf("/共有/捜査資料/%d年/第%d号.pdf", 2018+r.IntN(8), r.IntN(90_000)),
			Result: []event.Result{event.Success, event.Success, event.Success, event.Denied}[r.IntN(4)],
			Source: fmt.Sprintf("10.%d.%d.%d", host>>16, host>>8&255, host&255), Level: 7,
			Text:   fmt.Sprintf("端末 PC-%06d で操作がありました (checksum %08x)", host, r.Uint32()),
			Format: "json",
		}
		line, err := event.Encode(nil, e)
		if err != nil {
			return nil, fmt.Errorf("make event %d: %w", i, err)
		}
		lines[i] = line
	}
	return lines, nil
}

// Figures are what one peer did.
type Figures struct {
	Events   int
	Took     time.Duration
	CPU      time.Duration // of all processes concerned
	Bytes    int64         // on disk
	Log      int64         // of the trail: beside the packs
	P50, P99 time.Duration // of the acknowledgements; zero: there are none
}

// Rate is events a second.
func (f Figures) Rate() float64 { return float64(f.Events) / f.Took.Seconds() }

// PerEvent is the processor time of one event in microseconds.
func (f Figures) PerEvent() float64 { return float64(f.CPU.Nanoseconds()) / 1e3 / float64(f.Events) }

// Size is bytes on disk for one event.
func (f Figures) Size() float64 { return float64(f.Bytes) / float64(f.Events) }

func (f Figures) String() string {
	return fmt.Sprintf("%8.0f/s %6.2f µs %6.1f B  p50 %v p99 %v", f.Rate(), f.PerEvent(), f.Size(), f.P50.Round(10*time.Microsecond), f.P99.Round(10*time.Microsecond))
}

// Closed has senders bring events, each the next batch when the last is
// acknowledged, until there were n.
func Closed(lines [][]byte, n, senders, each int, send func(sender int, batch [][]byte) error) (Figures, error) {
	var mu sync.Mutex
	var waits []time.Duration
	var first error
	given := 0
	before, start := used(syscall.RUSAGE_SELF), time.Now()
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			var mine []time.Duration
			for {
				mu.Lock()
				i := given
				given += each
				stop := first != nil || i >= n
				mu.Unlock()
				if stop {
					break
				}
				i %= len(lines) - each
				at := time.Now()
				err := send(s, lines[i:i+each])
				if mine = append(mine, time.Since(at)); err != nil {
					mu.Lock()
					first = err
					mu.Unlock()
				}
			}
			mu.Lock()
			waits = append(waits, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	f := Figures{Events: len(waits) * each, Took: time.Since(start), CPU: used(syscall.RUSAGE_SELF) - before}
	slices.Sort(waits)
	if len(waits) > 0 {
		f.P50, f.P99 = waits[len(waits)/2], waits[len(waits)*99/100]
	}
	return f, first
}

// Open has batches come at a rate, whether those before are acknowledged or not, for
// a time. A wait counts from when the batch was due.
func Open(lines [][]byte, rate, each int, during time.Duration, send func(batch [][]byte) error) (Figures, error) {
	n := int(float64(rate)*during.Seconds()) / each
	waits, errs := make([]time.Duration, n), make([]error, n)
	before, start := used(syscall.RUSAGE_SELF), time.Now()
	var wg sync.WaitGroup
	for i := range n {
		due := start.Add(time.Duration(i) * during / time.Duration(n))
		time.Sleep(time.Until(due))
		wg.Go(func() {
			from := i * each % (len(lines) - each)
			errs[i] = send(lines[from : from+each])
			waits[i] = time.Since(due)
		})
	}
	wg.Wait()
	f := Figures{Events: n * each, Took: time.Since(start), CPU: used(syscall.RUSAGE_SELF) - before}
	slices.Sort(waits)
	f.P50, f.P99 = waits[n/2], waits[n*99/100]
	return f, errors.Join(errs...)
}

// used is processor time, of this process or of its children that have ended.
func used(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
