package events

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"kakusho/door/journal"
	"kakusho/door/otlp"
	"kakusho/door/syslog"
)

// door is one way in beside the main address.
type door struct {
	name  string
	addr  string // where it listens; empty: nowhere
	serve func(ctx context.Context) error
	close func() error // undoes the opening, when it is not served
}

// Listen opens the doors that Config names and the index, so that what cannot be
// opened is said at the start. Run serves them.
func (e *Events) Listen(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			for _, d := range e.doors {
				if d.close != nil {
					err = errors.Join(err, d.close())
				}
			}
			e.doors = nil
		}
	}()
	for _, open := range []func(context.Context) error{e.openJournal, e.openUDP, e.openTCP, e.openTLS, e.openGRPC} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	if e.index, err = e.openIndex(); err != nil {
		return err
	}
	e.Search = e.newSearch()
	return nil
}

// Addresses are where the doors listen, by name.
func (e *Events) Addresses() map[string]string {
	out := map[string]string{}
	for _, d := range e.doors {
		if d.addr != "" {
			out[d.name] = d.addr
		}
	}
	return out
}

func (e *Events) openJournal(context.Context) error {
	if !e.cfg.Journal || e.cfg.Sample {
		return nil
	}
	e.doors = append(e.doors, door{name: "journal", serve: func(ctx context.Context) error {
		err := journal.Follow(ctx, journal.Options{
			Dirs: e.cfg.JournalDirs, Cursor: filepath.Join(e.cfg.Data, "events", "journal.cursor"),
			Sink: e.Ingest, Now: e.cfg.Now, Log: e.cfg.Log,
		})
		if err != nil && ctx.Err() == nil { // the other doors are not to suffer for it
			e.cfg.Log.Error("read the journal of this machine: it is not read any more", "error", err)
		}
		return nil
	}})
	return nil
}

func (e *Events) syslog() syslog.Options {
	return syslog.Options{Sink: e.Ingest, Now: e.cfg.Now, Log: e.cfg.Log}
}

func (e *Events) openUDP(context.Context) error {
	if e.cfg.SyslogUDP == "" {
		return nil
	}
	conn, err := syslog.ListenUDP(e.cfg.SyslogUDP)
	if err != nil {
		return fmt.Errorf("syslog over UDP on %q: %w: want host:port that is free", e.cfg.SyslogUDP, err)
	}
	e.doors = append(e.doors, door{"syslog-udp", conn.LocalAddr().String(), func(ctx context.Context) error { return syslog.ServeUDP(ctx, conn, e.syslog()) }, conn.Close})
	return nil
}

// listen opens a TCP door; empty: nil.
func listen(ctx context.Context, what, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s on %s: %w", what, addr, err)
	}
	return ln, nil
}

func (e *Events) openTCP(ctx context.Context) error {
	ln, err := listen(ctx, "syslog over TCP", e.cfg.SyslogTCP)
	if err != nil || ln == nil {
		return err
	}
	e.doors = append(e.doors, door{"syslog-tcp", ln.Addr().String(), func(ctx context.Context) error { return syslog.ServeTCP(ctx, ln, e.syslog()) }, ln.Close})
	return nil
}

func (e *Events) openTLS(ctx context.Context) error {
	if e.cfg.SyslogTLS == "" {
		return nil
	}
	c, err := e.tls()
	if err != nil {
		return fmt.Errorf("syslog over TLS: %w", err)
	}
	ln, err := listen(ctx, "syslog over TLS", e.cfg.SyslogTLS)
	if err != nil {
		return err
	}
	e.doors = append(e.doors, door{"syslog-tls", ln.Addr().String(), func(ctx context.Context) error { return syslog.ServeTLS(ctx, ln, c, e.syslog()) }, ln.Close})
	return nil
}

// openGRPC opens a door of its own for OTLP, with both of its forms: plain on
// loopback, behind TLS elsewhere.
func (e *Events) openGRPC(ctx context.Context) error {
	ln, err := listen(ctx, "OTLP/gRPC", e.cfg.OTLPGRPC)
	if err != nil || ln == nil {
		return err
	}
	var c *tls.Config
	if a, ok := ln.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		if c, err = e.tls(); err != nil {
			return errors.Join(fmt.Errorf("OTLP/gRPC: %w", err), ln.Close())
		}
	}
	e.doors = append(e.doors, door{"otlp-grpc", ln.Addr().String(), func(ctx context.Context) error { return otlp.Serve(ctx, ln, e.otlp(c)) }, ln.Close})
	return nil
}

// tls is how the doors behind TLS speak it: with the certificate of the pages, and
// asking for one of the sender's when there is an authority to check it.
func (e *Events) tls() (*tls.Config, error) {
	cert, err := e.parts.Certificate()
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if e.cfg.ClientCA == "" {
		return c, nil
	}
	b, err := os.ReadFile(e.cfg.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("read the authority of senders: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("the authority of senders in %s: no certificate in PEM", e.cfg.ClientCA)
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	return c, nil
}
