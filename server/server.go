// Package server joins everything into one running Kakusho: trail, rows, gate,
// work, pages, and the collecting of this very machine.
//
// It is the only place, with cmd, that names engines and faces and
// that reads the clock. New prepares everything and fails early with what to do;
// Run serves until its context ends.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"kakusho/actor"
	"kakusho/blob/dir"
	"kakusho/calendar"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/gate"
	"kakusho/identity"
	"kakusho/identity/notice"
	"kakusho/identity/passkey"
	"kakusho/intake"
	"kakusho/kind"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/register/desk"
	"kakusho/server/books"
	"kakusho/server/events"
	"kakusho/server/fold"
	"kakusho/server/health"
	tell "kakusho/server/notice"
	"kakusho/server/past"
	"kakusho/server/port"
	"kakusho/store"
	"kakusho/store/sqlite"
	"kakusho/trail"
	"kakusho/trail/witness"
	"kakusho/web/inbox/due"
)

// Config is everything that can be set. The zero value of a field is its default.
type Config struct {
	Data      string           // folder of this installation; made when missing; 0700. Default "data"
	Listen    string           // host:port. Default 127.0.0.1:8743. Off loopback it is served over TLS
	TLSCert   string           // PEM files; empty off loopback: a certificate is made in Data/tls
	TLSKey    string           //
	Directive string           // source of the directive to judge by. Default: the one adopted last, else the first
	Interval  time.Duration    // between collections of this machine. Default 1h; negative: never
	Root      string           // where this machine's files are. Default "/"
	Events    events.Config    // how events come in and are kept; Data, Now and Log are set here
	Proof     Proof            // who vouches for the trails
	Version   string           // of the program, for the pages and the trail
	Now       func() time.Time // the clock. Default time.Now
	Log       *slog.Logger     // Default: slog.Default()
}

func (c Config) withDefaults() Config {
	if c.Data == "" {
		c.Data = "data"
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8743"
	}
	if c.Interval == 0 {
		c.Interval = time.Hour
	}
	if c.Root == "" {
		c.Root = "/"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// Server is one installation, opened.
type Server struct {
	cfg     Config
	trail   *trail.Log
	witness *witness.Witness // of others' trails; nil: none
	rows    store.Store
	river   *river
	past    *past.Keeper
	desk    *desk.Desk

	Directive *directive.Directive // judged by, as it was opened; see present
	Kinds     kind.Set
	Controls  []control.Control
	Rooms     // of the present, as it was opened; see present
	Intake    *intake.Intake
	Identity  *identity.Identity
	Passkeys  *passkey.Keys
	Notices   *notice.Keeper
	Teller    *tell.Teller
	Events    *events.Events

	demo   bool
	books  *books.Books
	rules  *register.Rules
	files  *dir.Dir                     // what was attached to steps
	served atomic.Pointer[http.Handler] // the pages of the present
	turned atomic.Pointer[Rooms]        // those of the present since another directive was adopted; nil: none was
	stop   func() error
}

// earliest is before the directive took effect: a clock that says less is wrong,
// and every verdict and every entry would be.
var earliest = time.Date(2021, 10, 15, 0, 0, 0, 0, calendar.Tokyo())

// New opens the installation in cfg.Data, making it when it is new, and folds
// what is not folded yet. Close it when Run is not called.
func New(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if now := cfg.Now(); now.Before(earliest) {
		return nil, fmt.Errorf("the clock says %s, before the directive took effect (%s): set the clock and start again",
			now.Format(time.RFC3339), earliest.Format("2006-01-02"))
	}
	if err := prepareFolder(cfg.Data); err != nil {
		return nil, err
	}
	kinds := kind.Default()
	shelf, err := books.Open(kinds, cfg.Directive)
	if err != nil {
		return nil, err
	}
	rules, err := register.Compile(kinds, procedure.Default(kinds))
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, Kinds: kinds, books: shelf, rules: rules}
	if _, err := os.Stat(filepath.Join(cfg.Data, DemoMark)); err == nil {
		s.demo = true
	}
	if err = s.openTrail(); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) (err error) {
	if s.rows, err = openRows(ctx, s.cfg, s.trail.Len()); err != nil {
		return fmt.Errorf("open rows: %w", err)
	}
	s.river = &river{trail: s.trail, rows: s.rows, fold: fold.Fold{Each: fold.All(s.Kinds)}}
	if err := s.river.catchUp(ctx, s.trail.Len()); err != nil {
		return err
	}
	if s.files, err = dir.Open(filepath.Join(s.cfg.Data, "files")); err != nil {
		return err
	}
	if s.Rooms, err = s.over(s.rows, gate.New(s.river), calendar.Past{}); err != nil {
		return err
	}
	if s.desk, err = desk.Open(filepath.Join(s.cfg.Data, "desk")); err != nil {
		return err
	}
	if s.past, err = s.openPast(); err != nil {
		return err
	}
	if fault := s.Posture.Terms().Faults(); fault != nil {
		s.cfg.Log.Error("controls do not compile and judge error", "fault", fault)
	}
	s.Directive, s.Controls = s.Posture.Directive(), s.Posture.Controls()
	s.Intake = intake.New(s.rows, s.Gate, s.Kinds)
	if s.Identity, err = identity.New(s.cfg.Log, s.rows, s.Gate, filepath.Join(s.cfg.Data, "vault"), s.policy); err != nil {
		return err
	}
	s.Passkeys = passkey.New(s.rows, s.Gate, s.Identity)
	s.Notices = notice.New(s.rows, s.Gate, s.Identity)
	s.Teller = tell.New(tell.Config{Keeper: s.Notices, Identity: s.Identity, Sources: func() due.Sources { return s.present().sources() }, Gate: s.Gate, Now: s.cfg.Now, Log: s.cfg.Log})
	s.river.wake = s.Teller.Wake
	cfg := s.cfg.Events
	cfg.Data, cfg.Now, cfg.Log, cfg.Sample = s.cfg.Data, s.cfg.Now, s.cfg.Log, s.demo
	s.Events, err = events.Open(ctx, cfg, events.Parts{
		Key: s.trail.PublicKey(), Rows: s.rows, Kinds: s.Kinds, Gate: s.Gate, Register: s.Register, Values: s.values, Intake: s.Intake, Identity: s.Identity,
		Changed: s.river.changed.Load, Certificate: func() (tls.Certificate, error) { return s.port().CertificateOf(s.cfg.Listen) },
	})
	return err
}

// openRows opens the folded rows. Rows that cannot be used are put aside, never
// deleted, and folded again from the trail.
func openRows(ctx context.Context, cfg Config, entries int64) (store.Store, error) {
	path := filepath.Join(cfg.Data, "store.db")
	rows, err := sqlite.Open(path)
	if err == nil {
		var cursor int64
		if cursor, err = rows.Cursor(ctx); err == nil && cursor <= entries {
			return rows, nil
		}
		if err == nil {
			err = fmt.Errorf("rows were folded from %d entries and the trail has %d", cursor, entries)
		}
		err = errors.Join(err, rows.Close())
	}
	if errors.Is(err, store.ErrReadOnly) || errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrBusy) {
		return nil, err
	}
	aside := fmt.Sprintf("%s.%s.aside", path, cfg.Now().UTC().Format("20060102T150405"))
	cfg.Log.Warn("rows cannot be used and are folded again", "error", err, "kept_as", aside)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("put rows aside: %w", err)
		}
	}
	fresh, err := sqlite.Open(path)
	if err != nil {
		return nil, err // not a nil *sqlite.Store within the interface
	}
	return fresh, nil
}

// prepareFolder makes the data folder and shows that it can be written.
func prepareFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w: choose another with --data or correct its owner", err)
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("data folder %s cannot be written: %w: choose another with --data or correct its owner and mode", dir, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Close seals what is open and closes everything. It may be called twice.
func (s *Server) Close() error {
	return errors.Join(end(&s.Events), end(&s.desk), end(&s.past), end(&s.Identity), end(&s.rows), end(&s.files), end(&s.trail), end(&s.witness))
}

// end closes what is open, once.
func end[T interface {
	comparable
	io.Closer
}](at *T) error {
	var none T
	if *at == none {
		return nil
	}
	err := (*at).Close()
	*at = none
	return err
}

// values are the parameters of the directive in force, as they hold for a scope.
func (s *Server) values(ctx context.Context, scope directive.Scope, at time.Time) (directive.Values, error) {
	return s.present().Govern.Values(ctx, scope, at)
}

// policy reads what the parameters say about logging in.
func (s *Server) policy(ctx context.Context, at time.Time) (identity.Policy, error) {
	v, err := s.values(ctx, directive.Scope{}, at)
	if err != nil {
		return identity.Policy{}, err
	}
	number := func(key string) int { n, _ := v[key].Value.(int64); return int(n) }
	span := func(key string, otherwise time.Duration) time.Duration {
		if d, ok := v[key].Value.(time.Duration); ok {
			return d
		}
		return otherwise
	}
	return identity.Policy{
		MinLength: number("auth.pw.min_length"), Classes: number("auth.pw.classes"),
		Threshold: number("auth.lockout.threshold"),
		Window:    span("auth.lockout.window", 15*time.Minute), Duration: span("auth.lockout.duration", 10*time.Minute),
		Idle: 3 * span("auth.session.lock_min.admin", 5*time.Minute), Session: 12 * time.Hour,
	}, nil
}

// Run listens and serves until ctx ends. ready is called once with the address
// and, on a first run, the one-time path at which the first administrator is
// made; the token stands after "#" nowhere and in no log.
func (s *Server) Run(ctx context.Context, ready func(base, setup string)) error {
	defer s.Close()
	if err := s.Events.Listen(ctx); err != nil {
		return err
	}
	handler, err := s.pages()
	if err != nil {
		return err
	}
	handler = s.withWitness(handler)
	ln, scheme, err := s.port().Listen(s.cfg.Listen)
	if err != nil {
		return err
	}
	if err := s.bootstrap(ctx); err != nil {
		return errors.Join(err, ln.Close())
	}
	control, err := s.listenControl()
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	token, err := s.Identity.FirstRun(ctx)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	srv := &http.Server{
		Handler: health.Handler(s.parts(), s.Events.Handler(handler)), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second,
		WriteTimeout: 120 * time.Second, IdleTimeout: 120 * time.Second, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { s.collectLoop(ctx) })
	work.Go(func() { s.Teller.Run(ctx) })
	work.Go(func() { s.serveControl(ctx, control) })
	taking := make(chan error, 1)
	work.Go(func() {
		if err := s.Events.Run(ctx); err != nil {
			taking <- err
		}
	})
	if ready != nil {
		setup := ""
		if token != "" {
			setup = "/setup?token=" + token
		}
		ready(scheme+"://"+ln.Addr().String(), setup)
	}
	select {
	case err = <-served:
	case err = <-taking:
		err = errors.Join(err, srv.Close())
	case <-ctx.Done():
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		err = srv.Shutdown(grace)
		end()
	}
	cancel()
	work.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	_, stopErr := s.Gate.Ask(context.WithoutCancel(ctx), gate.Request{Actor: actor.Program, At: s.cfg.Now(), Action: gate.Stop, Object: "system"})
	return errors.Join(err, stopErr)
}

// port is how anything of this server is listened on.
func (s *Server) port() port.Port {
	return port.Port{Cert: s.cfg.TLSCert, Key: s.cfg.TLSKey, Own: filepath.Join(s.cfg.Data, "tls"), Now: s.cfg.Now, Log: s.cfg.Log}
}
