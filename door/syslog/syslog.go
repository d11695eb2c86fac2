// Package syslog is the door for syslog: RFC 5424 and what RFC 3164 describes, over
// UDP, TCP (octet counting and lines, RFC 6587) and TLS (RFC 5425).
//
// It waits instead of losing: while the store is full, a TCP sender is not read. What
// UDP loses is counted, in the kernel and here. Nobody is trusted in what he calls
// himself: the address a message came from stands in the field "peer".
package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"kakusho/door"
	"kakusho/event"
)

// Options of a door. Sink and Now are needed.
type Options struct {
	Sink event.Sink
	Now  func() time.Time
	Log  *slog.Logger

	MaxMessage     int           // bytes of a message that are kept; the rest of a longer one is cut off and that is said. 64 KiB
	MaxConnections int           // at a time. 4,096
	MaxPartial     int64         // bytes of messages that have begun, over all connections. 64 MiB
	MaxQueued      int64         // bytes of datagrams that wait for the store. 64 MiB
	Patience       time.Duration // for a message, or a handshake, that has begun. 30 seconds
}

func (o *Options) complete() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	set(&o.MaxMessage, 64<<10)
	set(&o.MaxConnections, 4096)
	set(&o.MaxPartial, 64<<20)
	set(&o.MaxQueued, 64<<20)
	set(&o.Patience, 30*time.Second)
}

func set[T int | int64 | time.Duration](to *T, value T) {
	if *to <= 0 {
		*to = value
	}
}

// ServeTCP takes messages from the connections of ln until ctx ends; ln may be one of
// crypto/tls. It closes ln, and returns when what was read is delivered.
func ServeTCP(ctx context.Context, ln net.Listener, o Options) error {
	return serve(ctx, ln, o, nil)
}

// ServeTLS is ServeTCP behind TLS. A certificate that c asks for and verifies gives
// the sender its name.
func ServeTLS(ctx context.Context, ln net.Listener, c *tls.Config, o Options) error {
	return serve(ctx, ln, o, c)
}

func serve(ctx context.Context, ln net.Listener, o Options, c *tls.Config) error {
	o.complete()
	late, cancel := door.Late(ctx)
	defer cancel()
	s := &server{o: o, late: late}
	ln = door.Limit(ln, o.MaxConnections, func(address string) {
		o.Log.Warn("syslog connection closed: too many", "address", address, "at most", o.MaxConnections)
	})
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	defer s.open.Wait()
	defer ln.Close()
	for wait := 5 * time.Millisecond; ; {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // out of file descriptors, most likely: it passes
			o.Log.Warn("accept syslog connection", "error", err)
			time.Sleep(wait)
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		if c != nil {
			conn = tls.Server(conn, c)
		}
		s.open.Go(func() { s.connection(ctx, conn) })
	}
}

type server struct {
	o       Options
	late    context.Context // of all connections: how long is still delivered
	open    sync.WaitGroup
	partial atomic.Int64
}

// past makes reads fail at once.
var past = time.Unix(1, 0)

func (s *server) connection(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(past) })()
	patience := time.AfterFunc(s.o.Patience, func() { conn.SetReadDeadline(past) })
	defer patience.Stop()
	origin := event.Origin{Door: "syslog-tcp", Address: door.Address(conn.RemoteAddr())}
	if secure, ok := conn.(*tls.Conn); ok {
		origin.Door = "syslog-tls"
		if err := secure.HandshakeContext(ctx); err != nil {
			s.o.Log.Warn("syslog over TLS", "address", origin.Address, "error", err)
			return
		}
		if chains := secure.ConnectionState().VerifiedChains; len(chains) > 0 {
			origin.Name = chains[0][0].Subject.CommonName
		}
	}
	patience.Stop()
	s.stream(conn, origin, patience)
}

const small = 4 << 10 // a connection's buffer, while it is enough

// stream reads messages until the connection ends. What is whole is delivered before
// more is read; what is not whole has a time and a share of memory.
func (s *server) stream(conn io.Reader, origin event.Origin, patience *time.Timer) {
	cutter := splitter{max: s.o.MaxMessage}
	buf, held, waiting := make([]byte, small), 0, false
	defer func() { s.partial.Add(int64(small - len(buf))) }()
	for {
		n, err := conn.Read(buf[held:])
		held += n
		used := s.deliver(&cutter, buf[:held], err != nil, origin)
		held = copy(buf, buf[used:held])
		if err != nil {
			s.ended(origin, err, held > 0 || cutter.skip != 0)
			return
		}
		switch began := held > 0 || cutter.skip != 0; {
		case began && !waiting:
			patience.Reset(s.o.Patience)
			waiting = true
		case waiting && (!began || used > 0):
			patience.Stop()
			if waiting = began; began {
				patience.Reset(s.o.Patience)
			}
		}
		size := len(buf)
		switch room := s.o.MaxMessage + 16; {
		case held == len(buf):
			size = min(2*len(buf), max(room, small))
		case n == len(buf) && len(buf) < 256<<10: // a busy sender
			size = 2 * len(buf)
		case held == 0 && n < small && len(buf) > small:
			size = small
		}
		if size != len(buf) && !s.resize(&buf, held, size) {
			s.o.Log.Warn("syslog connection closed: too much has begun and not ended", "address", origin.Address)
			s.o.Sink.Lost(origin, 1, "too many messages that had begun and not ended")
			return
		}
	}
}

// resize makes buf larger or smaller, if there is memory for it; more than a message
// needs is never insisted on.
func (s *server) resize(buf *[]byte, held, size int) bool {
	more := int64(size - len(*buf))
	if s.partial.Add(more) > s.o.MaxPartial && more > 0 {
		s.partial.Add(-more)
		return held < len(*buf)
	}
	larger := make([]byte, size)
	copy(larger, (*buf)[:held])
	*buf = larger
	return true
}

func (s *server) ended(origin event.Origin, err error, inside bool) {
	if errors.Is(err, io.EOF) {
		return
	}
	s.o.Log.Info("syslog connection ended", "door", origin.Door, "address", origin.Address, "inside a message", inside, "error", err)
}

const (
	maxBatch = 1000    // events brought to the store at once
	maxBytes = 1 << 20 // and their bytes
)

// deliver takes all whole messages of buf to the store and says how many bytes they had.
func (s *server) deliver(cutter *splitter, buf []byte, end bool, origin event.Origin) (used int) {
	var events []event.Event
	at, size := s.o.Now(), 0
	for {
		c, n, ok := cutter.next(buf[used:], end)
		used += n
		if ok && len(c.message) > 0 {
			events = append(events, received(c, at, origin))
			size += len(c.message)
		}
		if len(events) >= maxBatch || size >= maxBytes || !ok {
			door.Deliver(s.late, s.o.Sink, s.o.Log, event.Batch{Origin: origin, Events: events})
			events, size = nil, 0
		}
		if !ok {
			return used
		}
	}
}

// received is the event of a message, with what only the door knows.
func received(c cut, at time.Time, origin event.Origin) event.Event {
	e := Parse(c.message, at)
	if e.Device == "" {
		e.Device = origin.Address
	}
	if e.Fields == nil {
		e.Fields = make(map[string]string, 2)
	}
	if origin.Address != "" {
		e.Fields[event.Peer] = origin.Address
	}
	if c.of != 0 {
		e.Fields[event.Truncated] = "message"
		if c.of > 0 {
			e.Fields["length"] = strconv.Itoa(c.of)
		}
	}
	return event.Fit(e, at)
}
