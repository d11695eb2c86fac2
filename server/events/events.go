// Package events is the part of the server that has to do with events: it opens
// their trails, the doors they come in by and the index they are found in, brings
// what the doors saw as facts, and has retention run.
//
// It belongs to the whole: it names engines and reads the clock it is given.
package events

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the register names time zones; a machine may have none of its own

	"golang.org/x/sys/unix"

	"kakusho/actor"
	"kakusho/audit"
	"kakusho/blob"
	"kakusho/calendar"
	"kakusho/directive"
	"kakusho/event"
	"kakusho/gate"
	"kakusho/identity"
	"kakusho/ingest"
	"kakusho/intake"
	"kakusho/kind"
	"kakusho/register"
	"kakusho/retention"
	"kakusho/server/sources"
	"kakusho/store"
	"kakusho/trail"
	"kakusho/watch"
)

// Config is everything about events that can be set. The zero value is a server
// that takes events over HTTP alone.
type Config struct {
	Data    string // folder of the installation
	Now     func() time.Time
	Log     *slog.Logger
	Trail   trail.Options // how each trail is opened: its witnesses and the driver of its log
	Reserve int64         // bytes that stay free on the disk: below, nothing is taken. 0: 256 MiB

	Journal     bool     // read this machine's journal
	JournalDirs []string // where it is; empty: where journald keeps it

	SyslogUDP string // host:port of each door; empty: shut
	SyslogTCP string
	SyslogTLS string
	OTLPGRPC  string
	ClientCA  string // PEM: whose certificates prove a sender's name; empty: none do

	Archive string // folder for packs that are no longer searched; "none": they stay. Empty: Data/archive
	S3      S3     // a bucket instead

	SearchURL   string   // VictoriaLogs elsewhere; "none": nothing is searched. Empty: Index
	Index       []string // command of a process of our own that is it: kakusho index. Empty as well: nothing is searched
	IndexQuota  int64    // bytes of disk it may take; 0: no limit but the disk
	IndexMemory int64    // 0: 512 MiB

	Rules string // folder of detection rules in the Sigma format, beside those that ship; empty: none

	// Sample: the body is invented and shows one day. Nothing of this machine is mixed
	// in, nothing is thrown away or moved by itself, and of a source nothing more is
	// said until something comes by it: that a sample is old is no finding.
	Sample bool
}

// Parts are the packages of the server that events go through.
type Parts struct {
	Key         string // public key of the trail of the body: its name is part of the streams'
	Rows        store.Store
	Kinds       kind.Set
	Gate        *gate.Gate
	Register    *register.Register
	Values      func(context.Context, directive.Scope, time.Time) (directive.Values, error) // of the directive in force
	Intake      *intake.Intake
	Identity    *identity.Identity
	Certificate func() (tls.Certificate, error) // of the server, for doors behind TLS
	Changed     func() int64                    // another number when registers or parameters changed
}

// Events is open.
type Events struct {
	cfg     Config
	parts   Parts
	sources *sources.Sources

	Ingest    *ingest.Ingest
	Retention *retention.Retention

	Search *audit.Events // there after Listen
	Watch  *watch.Watch

	store  blob.Store
	index  *index
	doors  []door
	clock  *steadiness
	told   map[string]told // by source; of cover alone
	alarms time.Time       // the last about the disk; of watchDisk alone
	opened time.Time
}

// Open opens the trails of events in the data folder.
func Open(ctx context.Context, cfg Config, parts Parts) (*Events, error) {
	if cfg.Reserve <= 0 {
		cfg.Reserve = 256 << 20
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(parts.Key, "kakusho/"), "+")
	e := &Events{cfg: cfg, parts: parts, told: map[string]told{}, opened: cfg.Now()}
	e.sources = sources.New(sources.Options{
		Rows: parts.Rows, Kinds: parts.Kinds, Values: parts.Values, Changed: parts.Changed, Now: cfg.Now,
		Failed: func(err error) { cfg.Log.Error("look up a source of events", "error", err) },
	})
	var err error
	if e.store, err = OpenStore(ctx, cfg); err != nil {
		return nil, err
	}
	options := cfg.Trail
	options.Heartbeat, options.PackAge = time.Minute, 24*time.Hour // a quiet stream's packs go by day as well
	e.Ingest, err = ingest.Open(ctx, filepath.Join(cfg.Data, "events"), ingest.Options{
		Now: cfg.Now, Log: cfg.Log, Resolve: e.sources.Resolve, Room: e.Room, Installation: name,
		Trail: options, Archive: e.archive,
	})
	if err != nil {
		return nil, errors.Join(err, closeStore(e.store))
	}
	e.Retention = retention.New(parts.Gate, keeping{e})
	e.clock = readSteadiness(filepath.Join(cfg.Data, "events", "clock.json"), e.newest())
	if e.Watch, err = e.openWatch(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Close closes the trails. Run has ended, or never began.
func (e *Events) Close() error {
	return errors.Join(e.closeIndex(), e.Ingest.Close(), closeStore(e.store))
}

// Room says why nothing can be taken: the rest of the disk is for the trail of the
// body and for getting out of the difficulty.
func (e *Events) Room() error {
	free, _, err := disk(e.cfg.Data)
	if err != nil {
		return err
	}
	if free < e.cfg.Reserve {
		return fmt.Errorf("disk of %s has %d MiB free, %d are kept", e.cfg.Data, free>>20, e.cfg.Reserve>>20)
	}
	return nil
}

func disk(path string) (free, size int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, fmt.Errorf("look at the disk: %w", err)
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
}

// Run has events taken, brought as facts and kept as long as they must, until ctx
// ends. It returns early when a door cannot be opened.
func (e *Events) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	failed := make(chan error, 1)
	for _, d := range e.doors {
		wg.Go(func() {
			if err := d.serve(ctx); err != nil && ctx.Err() == nil {
				select {
				case failed <- fmt.Errorf("door %s: %w", d.name, err):
				default:
				}
			}
		})
	}
	wg.Go(func() { e.chores(ctx) })
	if !e.cfg.Sample {
		wg.Go(func() { e.keep(ctx) })
	}
	wg.Go(func() { e.feed(ctx) })
	wg.Go(func() { e.watch(ctx) })
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// chores are what is looked at every minute.
func (e *Events) chores(ctx context.Context) {
	tick := time.NewTicker(coverMost)
	defer tick.Stop()
	for {
		at := e.cfg.Now()
		if err := e.Tend(ctx, at); err != nil && ctx.Err() == nil {
			e.cfg.Log.Error("bring what was seen of sources", "error", err)
		}
		if !e.cfg.Sample {
			e.watchClock(at)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Events) watchClock(at time.Time) {
	leapt, err := e.clock.minute(at)
	if err != nil {
		e.cfg.Log.Error("nothing is thrown away by itself", "error", err)
	}
	if leapt != 0 {
		e.cfg.Log.Error("the clock leapt, or the machine was off: nothing is thrown away by itself for a week; look at the clock, then say kakusho retention run",
			"by", leapt.Round(time.Minute))
	}
}

// keep has retention run every night, or when it was missed. It takes as long as it
// takes: sources are looked at meanwhile.
func (e *Events) keep(ctx context.Context) {
	tick := time.NewTicker(coverMost)
	defer tick.Stop()
	for ran := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		at := e.cfg.Now()
		day := at.In(calendar.Tokyo())
		if day.Hour() < 3 || day.Format(time.DateOnly) == ran {
			continue
		}
		ran = day.Format(time.DateOnly)
		if fault := e.clock.doubt(at); fault != nil {
			e.cfg.Log.Error("keep events as long as they must be", "error", fault)
		} else if e.clock.believed() {
			e.retain(ctx, at)
		}
	}
}

// Keep has retention run now, as a person says. today is the day he says it is; a
// clock that is far ahead is not believed without.
func (e *Events) Keep(ctx context.Context, today string) (retention.Done, error) {
	at := e.cfg.Now()
	if _, err := e.clock.minute(at); err != nil {
		return retention.Done{}, err
	}
	if err := e.clock.confirm(today, at); err != nil {
		return retention.Done{}, err
	}
	return e.Retention.Run(ctx, actor.Program, at)
}

// Tend brings what the doors saw of each source as facts, where that is due, and
// looks at the disk. Run does it every minute; it is not for two at a time.
func (e *Events) Tend(ctx context.Context, at time.Time) error {
	if !e.cfg.Sample {
		e.watchDisk(ctx, at)
	}
	return e.cover(ctx, at)
}

func (e *Events) retain(ctx context.Context, at time.Time) {
	done, err := e.Retention.Run(ctx, actor.Program, at)
	if err != nil && ctx.Err() == nil {
		e.cfg.Log.Error("keep events as long as they must be", "error", err)
	}
	if n, m := len(done.Archived), len(done.Retired); n+m > 0 {
		e.cfg.Log.Info("kept events as long as they must be", "packs_archived", n, "packs_retired", m)
	}
	if e.index == nil {
		return
	}
	if err := e.index.engine.DropBefore(ctx, at.Add(-e.online())); err != nil && ctx.Err() == nil {
		e.cfg.Log.Warn("drop the days of the index that are over: it is tried again tomorrow", "error", err)
	}
}

// online is how long events must be searchable at once, by the system that needs it
// longest: the index has no days of single systems.
func (e *Events) online() time.Duration {
	longest := e.sources.Need("").Online
	for name := range e.Ingest.Trails() {
		for system := range e.Ingest.Systems(name) {
			longest = max(longest, e.sources.Need(system).Online)
		}
	}
	return longest
}

// watchDisk writes an event of class log-store when the disk is fuller than the
// parameter allows, once an hour.
func (e *Events) watchDisk(ctx context.Context, at time.Time) {
	free, size, err := disk(e.cfg.Data)
	if err != nil || size == 0 {
		return
	}
	v, err := e.parts.Values(ctx, directive.Scope{}, at)
	if err != nil {
		return // cover has said so
	}
	most, _ := v["log.full.alarm"].Value.(int64)
	used := 100 - free*100/size
	if most == 0 || used < most || at.Sub(e.alarms).Abs() < time.Hour {
		return
	}
	e.alarms = at
	e.cfg.Log.Warn("the disk of the trail fills up", "used_percent", used, "alarm_at", most)
	_, err = e.Ingest.Accept(ctx, event.Batch{Origin: event.Origin{Door: "journal"}, Events: []event.Event{{
		At: at, Clock: event.ClockSource, Class: event.LogStore, Event: "log-store-alarm", Object: e.cfg.Data, Level: 5, Format: "kakusho",
		Text: fmt.Sprintf("証跡領域の使用率 %d%%（警告 %d%%） / log store %d%% used, alarm at %d%%", used, most, used, most),
	}}}, false)
	if err != nil && !errors.Is(err, event.ErrFull) {
		e.cfg.Log.Error("write the alarm about the disk", "error", err)
	}
}

// Standing is how events stand in this moment, for the operator.
type Standing struct {
	Streams   []StreamStanding
	Index     []IndexStanding
	IndexDown string // why nothing is found just now
	Watch     watch.Stats
	Feeds     map[string]ingest.Coverage
	Strangers []StrangerStanding
	Silent    []string // sources that have been silent for longer than they may
}

// IndexStanding is how far one stream is in the index.
type IndexStanding struct {
	Stream     string
	Len, Given int64 // events in the trail; those before Given were given to the engine
	Newest     time.Time
	Repair     int    // parts that wait for repair
	Waits      string // why nothing is given just now
}

// StreamStanding is one trail of events.
type StreamStanding struct {
	Name           string
	Events, Sealed int64
	PublicKey      string
}

// StrangerStanding is one sender that no register entry names.
type StrangerStanding struct {
	ingest.Stranger
	ingest.Coverage
}

// Standing looks around.
func (e *Events) Standing(ctx context.Context) Standing {
	s := Standing{Watch: e.Watch.Stats(), Feeds: e.Ingest.Coverage(), Silent: e.silent(e.cfg.Now())}
	trails := e.Ingest.Trails()
	for _, name := range ingest.Streams() {
		if l := trails[name]; l != nil {
			s.Streams = append(s.Streams, StreamStanding{name, l.Len(), l.SealedLen(), l.PublicKey()})
		}
	}
	for who, c := range e.Ingest.Strangers() {
		s.Strangers = append(s.Strangers, StrangerStanding{who, c})
	}
	slices.SortFunc(s.Strangers, func(a, b StrangerStanding) int { return b.Last.Compare(a.Last) })
	if e.index != nil {
		for _, x := range e.index.feeder.Standing() {
			waits := ""
			if x.Err != nil {
				waits = x.Err.Error()
			}
			s.Index = append(s.Index, IndexStanding{x.Stream, x.Len, x.Given, x.Newest, x.Repair, waits})
		}
		if err := e.index.engine.Health(ctx); err != nil {
			s.IndexDown = err.Error()
		}
	}
	return s
}
