package victorialogs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/search"
	"kakusho/search/feed"
	"kakusho/search/searchtest"
	"kakusho/search/victorialogs"
)

// howMany events the benchmarks take: KAKUSHO_EVENTS=4000000 for the figures of the
// design, which need minutes.
func howMany() int {
	if n, err := strconv.Atoi(os.Getenv("KAKUSHO_EVENTS")); err == nil {
		return n
	}
	return 200_000
}

// busyDay are events of 300,000 devices and 20,000 people, about 400 bytes each.
func busyDay(first int64, n int) []search.Row {
	r := rand.New(rand.NewPCG(1, uint64(first))) //nolint:gosec // to be repeatable
	verbs := []string{"閲覧", "検索", "更新", "出力", "印刷", "ログオン", "ログオフ", "認証失敗"}
	things := []string{"捜査資料", "被害届", "車両照会", "運転免許台帳", "遺失物届", "checksum", "session", "policy"}
	out := make([]search.Row, n)
	for i := range out {
		at := searchtest.Start.Add(time.Duration(first+int64(i)) * 20 * time.Millisecond)
		verb, thing := verbs[r.IntN(len(verbs))], things[r.IntN(len(things))]
		e := event.Event{
			ID: event.NewID(), At: at, Clock: event.ClockSynced, Feed: fmt.Sprintf("feed-%d", r.IntN(40)), System: fmt.Sprintf("system-%d", r.IntN(40)),
			Class: event.File, Account: fmt.Sprintf("user%05d", r.IntN(20000)), Device: fmt.Sprintf("pc-%06d", r.IntN(300000)), Event: verb,
			Object: fmt.Sprintf("/業務/%s/%d/%d.xlsx", thing, r.IntN(50), r.IntN(10000)), Result: []event.Result{event.Success, event.Success, event.Failure}[r.IntN(3)],
			Source: fmt.Sprintf("10.%d.%d.%d", r.IntN(64), r.IntN(256), r.IntN(256)), Level: event.Level(5 + r.IntN(3)), Format: "otlp",
		}
		e.Text = fmt.Sprintf("%s が端末 %s から%sを%sした（応答 %d ms, request id %08x）", e.Account, e.Device, thing, verb, r.IntN(900), r.Uint32())
		out[i] = search.Row{Ref: search.Ref{Stream: "3y", Seq: first + int64(i)}, Arrived: at, Event: e}
	}
	return out
}

// plain is VictoriaLogs by itself: the same process and flags, spoken to over HTTP
// with the events as a log shipper would send them.
type plain struct {
	child  *victorialogs.Child
	client *http.Client
}

func plainOf(b *testing.B) plain {
	b.Helper()
	c := start(b, victorialogs.Options{})
	return plain{c, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", c.Socket())
	}}}}
}

func (p plain) post(b *testing.B, path string, body []byte) string {
	kind := "application/x-www-form-urlencoded"
	if strings.HasPrefix(path, "/insert") {
		kind = "application/stream+json"
	}
	res, err := p.client.Post("http://index"+path, kind, bytes.NewReader(body)) //nolint:noctx // a benchmark
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(err, res.Status, string(text))
	}
	return string(text)
}

func (p plain) ask(b *testing.B, query string) string {
	return p.post(b, "/select/logsql/query", []byte(url.Values{"query": {query}}.Encode()))
}

// shipped are events as lines for VictoriaLogs, in bodies of about 1 MiB.
func shipped(rows []search.Row) (bodies [][]byte) {
	var buf bytes.Buffer
	for _, r := range rows {
		e := r.Event
		line, err := json.Marshal(map[string]string{
			"_time": e.At.UTC().Format(time.RFC3339Nano), "_msg": e.Text, "id": e.ID, "clock": string(e.Clock), "feed": e.Feed, "system": e.System, "class": string(e.Class),
			"account": e.Account, "device": e.Device, "event": e.Event, "object": e.Object, "result": string(e.Result), "source": e.Source, "level": fmt.Sprint(e.Level), "format": e.Format,
		})
		if err != nil {
			panic(err)
		}
		buf.Write(append(line, '\n'))
		if buf.Len() > 1<<20 {
			bodies = append(bodies, bytes.Clone(buf.Bytes()))
			buf.Reset()
		}
	}
	return append(bodies, bytes.Clone(buf.Bytes()))
}

func (p plain) fill(b *testing.B, bodies [][]byte) {
	work := make(chan []byte)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for body := range work {
				p.post(b, "/insert/jsonline?_stream_fields=system", body)
			}
		})
	}
	for _, body := range bodies {
		work <- body
	}
	close(work)
	wg.Wait()
	p.post(b, "/internal/force_flush", nil)
}

// BenchmarkIndexing is how many events a second become searchable: ours with all
// that reads them from a trail and folds them, and VictoriaLogs with ready lines.
func BenchmarkIndexing(b *testing.B) {
	rows := busyDay(0, howMany())
	var size, raw int64
	for _, r := range rows {
		line, err := event.Encode(nil, r.Event)
		if err != nil {
			b.Fatal(err)
		}
		raw += int64(len(line))
	}
	var us syscall.Rusage
	mine := func() time.Duration {
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &us)
		return time.Duration(us.Utime.Nano() + us.Stime.Nano())
	}
	var spent, child time.Duration
	cost := func(b *testing.B, n int) {
		b.ReportMetric(float64(spent.Microseconds())/float64(n*b.N), "own-us/event")
		b.ReportMetric(float64(child.Microseconds())/float64(n*b.N), "child-us/event")
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
		spent, child = 0, 0
	}
	b.Run("ours", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			book := &searchtest.Book{}
			book.Write(rows...)
			dir := b.TempDir()
			c := start(b, victorialogs.Options{Dir: dir})
			f := feed.New(c.Engine(), feed.Options{})
			f.Add("3y", book)
			ctx, cancel := context.WithCancel(b.Context())
			spent -= mine()
			b.StartTimer()
			done := make(chan struct{})
			go func() { _ = f.Run(ctx); close(done) }()
			for {
				if s := f.Standing()[0]; s.Given == s.Len && s.Repair == 0 {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			n, err := c.Engine().CountByBucket(ctx, "3y", 0)
			total := int64(0)
			for _, k := range n {
				total += k
			}
			b.StopTimer()
			spent += mine()
			child += cpuOf(c.PID())
			cancel()
			<-done
			if err != nil || total != int64(len(rows)) {
				b.Fatal(total, err)
			}
			_ = c.Close()
			size = sizeOf(dir)
		}
		b.ReportMetric(float64(size)/float64(len(rows)), "index-B/event")
		b.ReportMetric(float64(size)/float64(raw), "of-raw")
		cost(b, len(rows))
	})
	bodies := shipped(rows)
	b.Run("victorialogs-alone", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			p := plainOf(b)
			spent -= mine()
			b.StartTimer()
			p.fill(b, bodies)
			b.StopTimer()
			spent += mine()
			child += cpuOf(p.child.PID())
			_ = p.child.Close()
			b.StartTimer()
		}
		cost(b, len(rows))
	})
}

func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if i, infoErr := d.Info(); err == nil && infoErr == nil && i.Mode().IsRegular() {
			n += i.Size()
		}
		return nil
	})
	return n
}

// cpuOf is the processor time of a process.
func cpuOf(pid int) time.Duration {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// BenchmarkSearch is how long people wait, ours and VictoriaLogs alone with the
// nearest it can be asked.
func BenchmarkSearch(b *testing.B) {
	rows := busyDay(0, howMany())
	c := start(b, victorialogs.Options{})
	p := plainOf(b)
	searchtest.Fill(b, rows, c.Engine())
	p.fill(b, shipped(rows))
	someone, device := rows[7].Event.Account, rows[7].Event.Device
	for _, s := range []struct {
		name, ours, alone string
		by                *search.Stats
	}{
		{"one-account", "account:" + someone, `account:="` + someone + `" | sort by (_time) desc | limit 100`, nil},
		{"one-device", "device:" + device, `device:="` + device + `" | sort by (_time) desc | limit 100`, nil},
		{"word-newest-100", "被害届", "*被害届* | sort by (_time) desc | limit 100", nil},
		{"word-by-system", "checksum result:failure", `*checksum* result:="failure" | stats by (system) count() c`, &search.Stats{By: []string{"system"}}},
		{"japanese-by-system", "被害届 result:failure", `*被害届* result:="failure" | stats by (system) count() c`, &search.Stats{By: []string{"system"}}},
		{"count-all", "", "* | stats count() c", &search.Stats{}},
		{"by-minute", "", "* | stats by (_time:1m) count() c", &search.Stats{Step: time.Minute, Limit: 100000}},
	} {
		q, err := search.Parse(s.ours)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(s.name+"/ours", func(b *testing.B) {
			timed(b, func() {
				if s.by != nil {
					_, err = c.Engine().Stats(b.Context(), q, *s.by)
				} else {
					err = c.Engine().Query(b.Context(), q, func(search.Hit) bool { return true })
				}
				if err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run(s.name+"/victorialogs-alone", func(b *testing.B) { timed(b, func() { p.ask(b, s.alone) }) })
	}
}

// timed reports p50 and p95.
func timed(b *testing.B, f func()) {
	var took []time.Duration
	for b.Loop() {
		at := time.Now()
		f()
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}

// BenchmarkSearchable is the time from a line on disk to its being found, while
// others come beside it.
func BenchmarkSearchable(b *testing.B) {
	c := start(b, victorialogs.Options{})
	book := &searchtest.Book{}
	f := feed.New(c.Engine(), feed.Options{})
	f.Add("3y", book)
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	var next int64
	var took []time.Duration
	for b.Loop() {
		book.Write(busyDay(next, 100)...)
		next += 100
		at := time.Now()
		q, _ := search.Parse("stream:3y")
		q.Limit = 1
		for found := false; !found; {
			err := c.Engine().Query(ctx, q, func(h search.Hit) bool { found = h.Seq == next-1; return false })
			if err != nil {
				b.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Milliseconds()), "p99-ms")
}
