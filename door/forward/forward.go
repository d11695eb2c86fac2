package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/door/carry"
)

// Options say where batches are brought.
type Options struct {
	URL   string                             // of the Kakusho; /api/v1/events is added
	HTTP  *http.Client                       // needed; with its TLS
	Token func() (string, error)             // read each time, so that it can be replaced; nil: none
	Dir   string                             // keeps receipts, and what was refused; needed
	Check func(note []byte, count int) error // of a receipt; nil: not checked
	Now   func() time.Time                   // needed
	Log   *slog.Logger                       // nil: none
	First time.Duration                      // first wait after a failure; zero: 500 ms
}

const (
	lastWait    = time.Minute
	patience    = 3 // refusals that are not believed yet: a body may have been cut on its way
	maxAnswer   = 1 << 20
	maxReceipts = 8 << 20 // bytes of receipts before a new file is begun; the one before is kept
)

// answer is what the other end says.
type answer struct {
	Taken     int     `json:"taken"`
	Duplicate bool    `json:"duplicate"`
	Faults    []fault `json:"faults"`
	Receipt   string  `json:"receipt"`
}

type fault struct {
	Line  int            `json:"line"`
	Field string         `json:"field"`
	Text  bilingual.Text `json:"text"`
}

// Forwarder brings the batches of a spool.
type Forwarder struct {
	opt   Options
	spool *Spool
}

// New is a forwarder of a spool.
func New(spool *Spool, opt Options) *Forwarder {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.First == 0 {
		opt.First = 500 * time.Millisecond
	}
	return &Forwarder{opt: opt, spool: spool}
}

// Run brings batch after batch until ctx ends or the spool cannot be read. What the
// other end cannot take now is brought again, ever more seldom up to once a minute.
func (f *Forwarder) Run(ctx context.Context) error {
	for {
		b, err := f.spool.Next(ctx)
		if err != nil {
			return err
		}
		if err := f.bring(ctx, b); err != nil {
			return err
		}
	}
}

// later is an answer that asks to come again.
type later struct {
	cause error
	after time.Duration // as the other end wishes; zero: it says nothing
}

func (l later) Error() string { return l.cause.Error() }

// refusal is an answer that will not change.
type refusal struct{ cause error }

func (r refusal) Error() string { return r.cause.Error() }

// bring brings one batch until it is there or refused for good.
func (f *Forwarder) bring(ctx context.Context, b Batch) error {
	first, refusals := b.New, 0
	for wait := f.opt.First; ; wait = min(2*wait, lastWait) {
		a, err := f.post(ctx, b)
		var refused refusal
		switch {
		case err == nil && a.Duplicate && first:
			f.opt.Log.Warn("the spool was set back; it takes another name", "number", b.Number)
			if err := f.spool.Rename(); err != nil {
				return err
			}
			if b, err = f.spool.Next(ctx); err != nil {
				return err
			}
			first = false
			continue
		case err == nil:
			if err := f.settle(b, a); err != nil {
				return err
			}
			return f.spool.Done(b.Number)
		case errors.As(err, &refused) && refusals == patience:
			f.opt.Log.Error("a batch was refused and put aside", "number", b.Number, "events", b.Count, "problem", err)
			if err := f.putAside(b, "refused"); err != nil {
				return err
			}
			return f.spool.Done(b.Number)
		}
		first = false
		if refused.cause != nil {
			refusals++
		}
		var l later
		if errors.As(err, &l) && l.after > wait {
			wait = min(l.after, lastWait)
		}
		batches, size := f.spool.Waiting()
		f.opt.Log.Warn("bring events", "problem", err, "again_in", wait.Round(time.Millisecond), "batches_waiting", batches, "bytes_waiting", size)
		if !pause(ctx, wait/2+rand.N(wait/2+1)) {
			return ctx.Err()
		}
	}
}

// post sends a batch once.
func (f *Forwarder) post(ctx context.Context, b Batch) (answer, error) {
	url := strings.TrimSuffix(f.opt.URL, "/") + "/api/v1/events"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b.Body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Content-Encoding", "zstd")
	req.Header.Set("Kakusho-Sender", b.Sender)
	req.Header.Set("Kakusho-Batch", strconv.FormatInt(b.Number, 10))
	if f.opt.Token != nil {
		token, err := f.opt.Token()
		if err != nil {
			return answer{}, fmt.Errorf("read token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := f.opt.HTTP.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("send batch: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return answer{}, judge(resp, text, f.opt.Now())
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	if !a.Duplicate && a.Taken+len(a.Faults) != b.Count {
		return answer{}, fmt.Errorf("the other end took %d events and refused %d of %d", a.Taken, len(a.Faults), b.Count)
	}
	return a, nil
}

// judge says what another status than 200 means.
func judge(resp *http.Response, text []byte, now time.Time) error {
	cause := fmt.Errorf("%s: %.200q", resp.Status, text)
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return refusal{cause}
	}
	l := later{cause: cause}
	after := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(after); err == nil && n >= 0 {
		l.after = time.Duration(min(n, 3600)) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		l.after = at.Sub(now)
	}
	return l
}

// settle keeps what was said about a batch.
func (f *Forwarder) settle(b Batch, a answer) error {
	for _, x := range a.Faults {
		f.opt.Log.Error("an event was refused", "number", b.Number, "line", x.Line, "field", x.Field, "problem", x.Text.EN)
	}
	if len(a.Faults) > 0 {
		if err := f.putAside(b, "refused"); err != nil {
			return err
		}
	}
	if a.Receipt == "" {
		if !a.Duplicate && f.opt.Check != nil {
			f.opt.Log.Error("no receipt came with an acknowledgement", "number", b.Number)
			return f.putAside(b, "doubted")
		}
		return nil
	}
	if err := f.keepReceipt(b, a); err != nil {
		return err
	}
	if f.opt.Check == nil {
		return nil
	}
	if err := f.opt.Check([]byte(a.Receipt), a.Taken); err != nil {
		f.opt.Log.Error("a receipt is not good; the batch is kept", "number", b.Number, "problem", err)
		return f.putAside(b, "doubted")
	}
	return nil
}

// Receipt is one line of the file of receipts.
type Receipt struct {
	At     time.Time `json:"at"`
	Sender string    `json:"sender"`
	Number int64     `json:"number"`
	Taken  int       `json:"taken"`
	Note   string    `json:"note"`
}

func (f *Forwarder) keepReceipt(b Batch, a answer) error {
	line, err := json.Marshal(Receipt{f.opt.Now().UTC(), b.Sender, b.Number, a.Taken, a.Receipt})
	if err != nil {
		return fmt.Errorf("keep receipt: %w", err)
	}
	name := filepath.Join(f.opt.Dir, "receipts")
	if info, err := os.Stat(name); err == nil && info.Size() > maxReceipts {
		if err := os.Rename(name, name+".before"); err != nil {
			return fmt.Errorf("keep receipt: %w", err)
		}
	}
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("keep receipt: %w", err)
	}
	_, err = w.Write(append(line, '\n'))
	if err := errors.Join(err, w.Sync(), w.Close()); err != nil {
		return fmt.Errorf("keep receipt: %w", err)
	}
	return nil
}

// putAside keeps a batch for a person to look at.
func (f *Forwarder) putAside(b Batch, why string) error {
	dir := filepath.Join(f.opt.Dir, why)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("put batch aside: %w", err)
	}
	name := filepath.Join(dir, fmt.Sprintf("%s-%016d.ndjson.zst", b.Sender, b.Number))
	if err := carry.Replace(name, b.Body); err != nil {
		return fmt.Errorf("put batch aside: %w", err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
