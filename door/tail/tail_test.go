package tail_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/text/encoding/japanese"

	"kakusho/door/tail"
	"kakusho/event"
)

// shelf is a sink in memory that keeps to the contract of event.Sink.
type shelf struct {
	mu     sync.Mutex
	events []event.Event
	last   map[string]int64
	fail   int // of 10
}

func (s *shelf) Accept(_ context.Context, b event.Batch, _ bool) (event.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rand.IntN(10) < s.fail {
		return event.Receipt{}, event.ErrFull
	}
	duplicate := b.Number <= s.last[b.Sender]
	if !duplicate {
		s.events = append(s.events, b.Events...)
		s.last[b.Sender] = b.Number
	}
	if rand.IntN(10) < s.fail {
		return event.Receipt{}, errors.New("the answer is lost")
	}
	return event.Receipt{Duplicate: duplicate}, nil
}

func (s *shelf) Lost(event.Origin, int64, string) {}

func (s *shelf) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, e := range s.events {
		out = append(out, e.Text)
	}
	return out
}

// clock is the time of a test, that can be put forward.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off += d
}

// place is a folder with a follower that can be stopped and started.
type place struct {
	t      *testing.T
	dir    string
	shelf  *shelf
	clock  clock
	opt    tail.Options
	cancel func()
	done   chan error
}

func newPlace(t *testing.T, patterns ...string) *place {
	p := &place{t: t, dir: t.TempDir(), shelf: &shelf{last: map[string]int64{}}}
	for _, pattern := range patterns {
		p.opt.Paths = append(p.opt.Paths, filepath.Join(p.dir, pattern))
	}
	p.opt.Cursor, p.opt.Sink, p.opt.Now, p.opt.Every = filepath.Join(t.TempDir(), "cursor"), p.shelf, p.clock.now, 2*time.Millisecond
	p.opt.Device = "this-host"
	t.Cleanup(p.stop)
	return p
}

func (p *place) start() {
	ctx, cancel := context.WithCancel(p.t.Context())
	p.cancel, p.done = cancel, make(chan error, 1)
	go func() { p.done <- tail.Follow(ctx, p.opt) }()
}

func (p *place) stop() {
	if p.cancel == nil {
		return
	}
	p.cancel()
	if err := <-p.done; !errors.Is(err, context.Canceled) {
		p.t.Error(err)
	}
	p.cancel = nil
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string) {
	p.t.Helper()
	f, err := os.OpenFile(p.path(name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	f.WriteString(text)
	f.Close()
}

// want waits for exactly these texts, in order.
func (p *place) want(texts ...string) {
	p.t.Helper()
	for range 1000 {
		if len(p.shelf.texts()) >= len(texts) {
			break
		}
		time.Sleep(3 * time.Millisecond)
	}
	time.Sleep(15 * time.Millisecond) // for what should not come
	if got := p.shelf.texts(); strings.Join(got, "|") != strings.Join(texts, "|") {
		p.t.Fatalf("came %q, want %q", got, texts)
	}
}

func TestLinesComeThroughWhateverHappensToTheFile(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(p *place)
		want []string
	}{
		{"written in pieces", func(p *place) { p.write("log", "tw"); time.Sleep(20 * time.Millisecond); p.write("log", "o\nthree\n") }, []string{"two", "three"}},
		{"renamed and begun anew", func(p *place) {
			p.write("log", "two\n")
			os.Rename(p.path("log"), p.path("log.1"))
			p.write("log", "three\n")
		}, []string{"two", "three"}},
		{"renamed, and still written to under the old name", func(p *place) {
			f, _ := os.OpenFile(p.path("log"), os.O_WRONLY|os.O_APPEND, 0)
			defer f.Close()
			os.Rename(p.path("log"), p.path("log.1"))
			time.Sleep(20 * time.Millisecond)
			f.WriteString("two\n")
			p.want("one", "two")
			p.write("log", "three\n")
		}, []string{"two", "three"}},
		{"copied and truncated", func(p *place) {
			p.write("log", "two\n")
			p.want("one", "two")
			os.Truncate(p.path("log"), 0)
			p.write("log", "three\n")
		}, []string{"two", "three"}},
		{"overwritten by something longer", func(p *place) { os.WriteFile(p.path("log"), []byte("two is longer\nthree\n"), 0o644) }, []string{"two is longer", "three"}},
		{"overwritten by something equally long", func(p *place) {
			os.WriteFile(p.path("log"), []byte("two\n"), 0o644)
		}, []string{"two"}},
		{"removed and written again", func(p *place) {
			p.write("log", "two\n")
			p.want("one", "two")
			os.Remove(p.path("log"))
			p.write("log", "three\n")
		}, []string{"two", "three"}},
		{"DOS ends and empty lines", func(p *place) { p.write("log", "two\r\n\r\n   \nthree\r\n") }, []string{"two", "three"}},
	} {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, running %v", c.name, running), func(t *testing.T) {
				p := newPlace(t, "log")
				p.write("log", "one\n")
				p.start()
				p.want("one")
				if !running {
					if strings.Contains(c.name, "still") || strings.Contains(c.name, "truncated") || strings.Contains(c.name, "removed") {
						t.Skip("needs a reader")
					}
					p.stop()
				}
				c.do(p)
				if !running {
					p.start()
				}
				p.want(append([]string{"one"}, c.want...)...)
				p.stop()
				p.start()
				p.want(append([]string{"one"}, c.want...)...)
			})
		}
	}
}

func TestALineWithoutAnEndComesAfterAWhile(t *testing.T) {
	p := newPlace(t, "log")
	p.write("log", "one\nlast words")
	p.start()
	p.want("one")
	p.clock.forward(time.Minute)
	p.want("one", "last words")
	p.write("log", " and more\n")
	p.want("one", "last words", " and more")
}

func TestPatternsFindNewFiles(t *testing.T) {
	p := newPlace(t, "*/app-*.log")
	p.start()
	os.Mkdir(p.path("a"), 0o755)
	p.write("a/app-1.log", "one\n")
	p.want("one")
	p.write("a/app-2.log", "two\n")
	p.write("a/other.log", "no\n")
	p.want("one", "two")
	if e := p.shelf.events[1]; e.Fields["file"] != p.path("a/app-2.log") || e.Device != "this-host" || e.Clock != event.ClockArrival || e.Format != "text" {
		t.Errorf("the event is %+v", e)
	}
}

func TestOnlyWhatIsNewWhenAskedForThat(t *testing.T) {
	p := newPlace(t, "log")
	p.opt.New = true
	p.write("log", "old\n")
	p.start()
	for range 2000 { // until it has begun
		if _, err := os.Stat(p.opt.Cursor); err == nil {
			break
		}
		time.Sleep(3 * time.Millisecond)
	}
	p.want()
	p.write("log", "new\n")
	p.want("new")
	p.stop()
	p.write("log", "newer\n")
	p.start()
	p.want("new", "newer")
}

func TestLongLinesComeInParts(t *testing.T) {
	p := newPlace(t, "log")
	long := strings.Repeat("長い行", 2*tail.MaxLine/9-10)
	p.write("log", long+"\nshort\n")
	p.start()
	for range 1000 {
		if n := len(p.shelf.texts()); n > 0 && p.shelf.texts()[n-1] == "short" {
			break
		}
		time.Sleep(3 * time.Millisecond)
	}
	texts := p.shelf.texts()
	if n := len(texts); n != 3 || strings.Join(texts[:n-1], "") != long || texts[n-1] != "short" {
		t.Fatalf("%d events came", n)
	}
	for i, e := range p.shelf.events[:2] {
		if e.Fields["part"] != strconv.Itoa(i+1) || e.Raw != nil {
			t.Errorf("part %d says it is %q", i+1, e.Fields["part"])
		}
	}
	if e := p.shelf.events[2]; e.Fields["part"] != "" {
		t.Errorf("a short line says it is part %q", e.Fields["part"])
	}
}

func TestJapaneseEncodingsAreReadAndTheBytesKept(t *testing.T) {
	p := newPlace(t, "log")
	text := "利用者が個人情報を照会しました"
	sjis, _ := japanese.ShiftJIS.NewEncoder().String(text)
	euc, _ := japanese.EUCJP.NewEncoder().String(text)
	p.write("log", text+"\n"+sjis+"\n"+euc+"\n\xff\xfe\x00bad\n")
	p.start()
	p.want(text, text, text, "\uFFFD\x00bad")
	for i, raw := range []string{"", sjis, euc, "\xff\xfe\x00bad"} {
		if got := string(p.shelf.events[i].Raw); got != raw {
			t.Errorf("line %d: raw is %q, want %q", i, got, raw)
		}
	}
}

func TestLinesOfKnownFormsAreTakenApart(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line string
		want func(e event.Event) bool
	}{
		{"Nov 24 11:59:01 db1 sshd[812]: Failed password for root from 192.0.2.9 port 22 ssh2", func(e event.Event) bool {
			return e.Device == "db1" && e.Fields["app"] == "sshd" && e.Fields["pid"] == "812" && e.Clock == event.ClockAssumed && e.Level == 0 && e.At.Minute() == 59
		}},
		{"2026-11-24T20:59:01.123456+09:00 db1 sudo: sato : TTY=pts/0 ; COMMAND=/bin/ls", func(e event.Event) bool {
			return e.Device == "db1" && e.Fields["app"] == "sudo" && e.At.Equal(time.Date(2026, 11, 24, 11, 59, 1, 123456000, time.UTC)) && e.Raw == nil
		}},
		{`type=USER_LOGIN msg=audit(1795521541.250:77): pid=1 uid=0 auid=1000 ses=1 msg='op=login acct="sato" exe="/usr/sbin/sshd" hostname=? addr=192.0.2.9 terminal=ssh res=failed'`, func(e event.Event) bool {
			event.Classify(&e)
			return e.Event == "USER_LOGIN" && e.At.Equal(time.UnixMilli(1795521541250)) && e.Class == event.LoginFailure && e.Account == "sato" && e.Source == "192.0.2.9"
		}},
		{"type=shirt msg=audit(x): y", func(e event.Event) bool { return e.Clock == event.ClockArrival && e.At.Equal(now) && e.Event == "" }},
		{"2026-11-24T20:59:01Z ERROR something: else", func(e event.Event) bool { return e.Text != "" }},
		{"Nov 24 is no time", func(e event.Event) bool { return e.Text == "Nov 24 is no time" && e.Device == "" }},
	} {
		if e := tail.Line([]byte(c.line), now); !c.want(e) || e.Fields == nil {
			t.Errorf("%s\n is read as %+v", c.line, e)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte("Nov 24 11:59:01 db1 sshd[812]: Failed password"))
	f.Add([]byte("node=a type=USER_LOGIN msg=audit(1795521541.250:77): x"))
	f.Fuzz(func(t *testing.T, line []byte) {
		e := tail.Line(line, time.Unix(1_700_000_000, 0))
		if _, err := event.Encode(nil, event.Fit(e, e.At)); err != nil || e.Fields == nil {
			t.Fatalf("%q: %v", line, err)
		}
	})
}

// A program writes while the file is rotated in both ways of logrotate that lose
// nothing, and the follower is stopped at any time.
func TestEveryLineComesOnceThroughRotationAndStops(t *testing.T) {
	p := newPlace(t, "log*") // the names of rotated files too: it may be stopped through two rotations
	p.shelf.fail = 2
	const n = 4000
	written := make(chan bool)
	go func() {
		defer close(written)
		for i := range n {
			p.write("log", strconv.Itoa(i)+"\n")
			if i%500 == 250 {
				os.Rename(p.path("log"), p.path("log."+strconv.Itoa(i)))
			}
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); len(p.shelf.texts()) < n && time.Now().Before(deadline); {
		p.start()
		time.Sleep(rand.N(40 * time.Millisecond))
		p.stop()
	}
	<-written
	seen := map[string]int{}
	for _, text := range p.shelf.texts() {
		seen[text]++
	}
	for i := range n {
		if seen[strconv.Itoa(i)] != 1 {
			t.Fatalf("line %d came %d times", i, seen[strconv.Itoa(i)])
		}
	}
}

func TestTheRealLogrotateLosesNothing(t *testing.T) {
	logrotate, err := exec.LookPath("logrotate")
	if err != nil {
		t.Skip("no logrotate here")
	}
	p := newPlace(t, "log")
	conf := filepath.Join(t.TempDir(), "conf")
	os.WriteFile(conf, []byte(fmt.Sprintf("%q {\n rotate 3\n missingok\n compress\n delaycompress\n}\n", p.path("log"))), 0o644)
	p.start()
	var want []string
	for round := range 3 {
		for i := range 100 {
			want = append(want, fmt.Sprintf("%d-%d", round, i))
			p.write("log", want[len(want)-1]+"\n")
		}
		if out, err := exec.Command(logrotate, "-f", "-s", conf+".state", conf).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		p.want(want...) // two rotations between two looks would hide the file in the middle
	}
}
