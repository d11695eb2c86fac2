package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/server"
	"kakusho/verdict"
)

// control asks the installation in a data folder: the server that has it open, or,
// when none runs, the installation itself.
func (p *program) control(ctx context.Context, data, method, path string, form url.Values, out any) error {
	return p.controlWith(ctx, data, method, path, form, nil, out)
}

// controlWith is control with a file.
func (p *program) controlWith(ctx context.Context, data, method, path string, form url.Values, file io.Reader, out any) error {
	do, end, err := p.controller(ctx, data)
	if err != nil {
		return err
	}
	defer end()
	r, err := http.NewRequestWithContext(ctx, method, "http://control"+path+"?"+form.Encode(), file)
	if err != nil {
		return err
	}
	answer, err := do(r)
	if err != nil {
		return fmt.Errorf("ask the running server: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var text bilingual.Text
		if err := json.NewDecoder(answer.Body).Decode(&text); err != nil {
			return fmt.Errorf("ask the running server: it answers %s", answer.Status)
		}
		status := statusError
		if answer.StatusCode == http.StatusForbidden {
			status = statusRefused
		}
		return exit{status, text}
	}
	if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

// verdictAt is how a control stands on a subject of the installation in a data
// folder.
func (p *program) verdictAt(cmd *cobra.Command, data, subject, control string) (v verdict.Verdict, err error) {
	err = p.control(cmd.Context(), data, http.MethodGet, "/verdict", url.Values{"subject": {subject}, "control": {control}}, &v)
	return v, err
}

// controller finds who answers.
func (p *program) controller(ctx context.Context, data string) (do func(*http.Request) (*http.Response, error), end func(), err error) {
	socket := filepath.Join(data, server.ControlSocket)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	if c, err := dial(ctx, "", ""); err == nil {
		c.Close()
		client := &http.Client{Transport: &http.Transport{DialContext: dial}}
		return client.Do, client.CloseIdleConnections, nil
	}
	if _, err := os.Stat(filepath.Join(data, "trail")); err != nil {
		return nil, nil, fmt.Errorf("data folder %s holds no trail: %w", data, err)
	}
	s, err := server.New(ctx, server.Config{Data: data, Interval: -1, Log: slog.New(slog.DiscardHandler), Version: version})
	if err != nil {
		return nil, nil, err
	}
	h := s.Control()
	do = func(r *http.Request) (*http.Response, error) {
		w := &answered{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(w, r)
		return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Body: io.NopCloser(&w.body)}, nil
	}
	return do, func() {
		if err := s.Close(); err != nil {
			p.log.Error("close", "error", err)
		}
	}, nil
}

// answered keeps an answer that goes nowhere.
type answered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) WriteHeader(status int)      { a.status = status }
func (a *answered) Write(b []byte) (int, error) { return a.body.Write(b) }
