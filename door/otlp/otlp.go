// Package otlp is the door for logs of OpenTelemetry: OTLP over HTTP, as protobuf and
// as JSON, and over gRPC, on one listener.
//
// An answer comes when all records are on disk. While the store is full a sender is
// told to come again: 503 with Retry-After, or RESOURCE_EXHAUSTED with RetryInfo. A
// record that cannot be taken is counted in the partial success of the answer.
//
// gRPC is its framing only, on the HTTP/2 of the standard library: one method, one
// message each way. Messages so have the same limits in time and memory as others.
package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"kakusho/door"
	"kakusho/event"
)

// The addresses of the door.
const (
	Path     = "/v1/logs"
	GRPCPath = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
)

// Options of the door. Sink and Now are needed.
type Options struct {
	Sink event.Sink
	Now  func() time.Time
	Log  *slog.Logger

	// Who says who brings a request; false: nobody we know. Nil: anybody, by address
	// and, if he shows a certificate, by name.
	Who func(*http.Request) (event.Origin, bool)

	TLS            *tls.Config   // of Serve; nil: none
	MaxBody        int64         // bytes of a request, unpacked. 16 MiB
	MaxMemory      int64         // bytes of all requests under way. 256 MiB
	MaxConnections int           // of Serve, at a time. 1,024
	Patience       time.Duration // for a body. 30 seconds
}

func (o *Options) complete() {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Who == nil {
		o.Who = anybody
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 16 << 20
	}
	if o.MaxMemory <= 0 {
		o.MaxMemory = 256 << 20
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 1024
	}
	if o.Patience <= 0 {
		o.Patience = 30 * time.Second
	}
}

func anybody(r *http.Request) (event.Origin, bool) {
	o := event.Origin{Door: "otlp"}
	o.Address, _, _ = net.SplitHostPort(r.RemoteAddr)
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		o.Name = r.TLS.VerifiedChains[0][0].Subject.CommonName
	}
	return o, true
}

// Handler is the door for Path and, where HTTP/2 is spoken, GRPCPath.
func Handler(o Options) http.Handler {
	o.complete()
	h := &handler{o, door.NewBudget(o.MaxMemory)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, h.http)
	mux.HandleFunc("POST "+GRPCPath, h.grpc)
	return mux
}

// Serve takes requests from the connections of ln until ctx ends; it closes ln.
func Serve(ctx context.Context, ln net.Listener, o Options) error {
	o.complete()
	ln = door.Limit(ln, o.MaxConnections, func(address string) {
		o.Log.Warn("OTLP connection closed: too many", "address", address, "at most", o.MaxConnections)
	})
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(o.TLS == nil)
	s := &http.Server{Handler: Handler(o), Protocols: &protocols, TLSConfig: o.TLS, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute,
		MaxHeaderBytes: 16 << 10, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 32}, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelInfo)}
	var closing sync.WaitGroup
	defer closing.Wait()
	stopped := make(chan struct{})
	defer close(stopped)
	closing.Go(func() {
		select {
		case <-ctx.Done():
		case <-stopped:
		}
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if s.Shutdown(late) != nil {
			s.Close()
		}
	})
	var err error
	if o.TLS != nil {
		err = s.ServeTLS(ln, "", "")
	} else {
		err = s.Serve(ln)
	}
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

type handler struct {
	o      Options
	budget *door.Budget
}

var errBody = errors.New("the body could not be read to its end")

// take reads a body and brings its events to the store.
func (h *handler) take(w http.ResponseWriter, r *http.Request, of event.Origin, unpack func(io.Reader) (io.ReadCloser, error), parse func(*reader, []byte) error) (rejected int, err error) {
	defer func() {
		if err != nil {
			h.o.Log.Warn("OTLP records not taken", "address", of.Address, "name", of.Name, "error", err)
		}
	}()
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(h.o.Now().Add(h.o.Patience)) // stays when the body is not read to its end
	var held int64
	defer func() { h.budget.Give(held) }()
	packed, err := unpack(http.MaxBytesReader(nil, r.Body, h.o.MaxBody))
	if err != nil {
		return 0, err
	}
	defer packed.Close()
	body, err := h.all(packed, &held)
	if err != nil {
		return 0, err
	}
	rc.SetReadDeadline(time.Time{})
	in := &reader{arrived: h.o.Now(), peer: of.Address, budget: h.budget}
	defer func() { h.budget.Give(in.held + in.parsed) }()
	if err := parse(in, body); err != nil {
		return 0, err
	}
	if len(in.events) == 0 {
		return in.rejected, nil
	}
	_, err = h.o.Sink.Accept(r.Context(), event.Batch{Origin: of, Events: in.events}, false)
	return in.rejected, err
}

// all reads a body into memory that it takes from the budget as it comes.
func (h *handler) all(body io.Reader, held *int64) ([]byte, error) {
	buf := make([]byte, 0, 4<<10)
	for {
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			return buf, nil
		case tooLarge(err):
			return nil, door.ErrTooLarge
		case err != nil:
			return nil, errors.Join(errBody, err)
		}
		if len(buf) == cap(buf) {
			if err := h.budget.Take(int64(3 * cap(buf))); err != nil { // the old one and the new
				return nil, err
			}
			*held += int64(3 * cap(buf))
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
	}
}

func tooLarge(err error) bool {
	var large *http.MaxBytesError
	return errors.Is(err, door.ErrTooLarge) || errors.As(err, &large)
}
