// Package victorialogs is the search engine: VictoriaLogs over its HTTP interface,
// either the child process that Start runs from our own binary, or a server or
// cluster of it elsewhere (Dial).
//
// VictoriaLogs promises nothing about durability: a killed one forgets its last
// seconds, a full disk or a damaged file ends its process, a damaged value may
// change an answer. That is why it is not in the process that takes events in,
// why search/feed repairs what it has, and why hits are read from the trail.
package victorialogs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"kakusho/search"
)

// Engine asks one VictoriaLogs. It is safe for concurrent use.
type Engine struct {
	base   string // http://host:port, without a slash
	header http.Header
	client *http.Client
	child  *Child // nil: not ours

	buffers sync.Pool // of *buffers
}

type buffers struct{ body, scratch []byte }

var _ search.Engine = (*Engine)(nil)

// Dial returns an engine on a VictoriaLogs of somebody else: a server, or the
// vlinsert/vlselect of a cluster under one address. It must be run with
// -delete.enable, with -retentionPeriod and -futureRetention of many years, and
// with -insert.maxLineSizeBytes=2MiB. User and password may stand in the address.
func Dial(address string) (*Engine, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("search engine address %q: want http://host:port", address)
	}
	e := &Engine{header: http.Header{}, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8, ResponseHeaderTimeout: time.Minute}}}
	if u.User != nil {
		password, _ := u.User.Password()
		r := http.Request{Header: e.header}
		r.SetBasicAuth(u.User.Username(), password)
		u.User = nil
	}
	e.base = strings.TrimSuffix(u.String(), "/")
	return e, nil
}

// local is the engine of a child.
func local(c *Child) *Engine {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", c.socket)
	}
	return &Engine{base: "http://index", child: c, client: &http.Client{Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 8}}}
}

// errAnswer is an answer that is an error.
type errAnswer struct {
	status int
	text   string
}

func (e errAnswer) Error() string { return fmt.Sprintf("VictoriaLogs: %d: %s", e.status, e.text) }

// post sends a request. The error is ErrDown when nothing was sent.
func (e *Engine) post(ctx context.Context, path, contentType string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range e.header {
		r.Header[k] = v
	}
	r.Header.Set("Content-Type", contentType)
	r.GetBody = nil // never sent twice by itself
	res, err := e.client.Do(r)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, fmt.Errorf("%w: %w", search.ErrDown, err)
		}
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 2000))
		res.Body.Close()
		return nil, errAnswer{res.StatusCode, strings.TrimSpace(string(text))}
	}
	return res, nil
}

// Insert sends rows as lines of JSON.
func (e *Engine) Insert(ctx context.Context, rows []search.Row) error {
	if len(rows) == 0 {
		return nil
	}
	b, ok := e.buffers.Get().(*buffers)
	if !ok {
		b = &buffers{}
	}
	b.body = b.body[:0]
	for _, r := range rows {
		b.body = appendRow(b.body, r, &b.scratch)
	}
	res, err := e.post(ctx, "/insert/jsonline?_stream_fields="+streamColumn, "application/stream+json", b.body)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		e.buffers.Put(b) // after an error the body may still be on its way
		return nil
	}
	return fmt.Errorf("index %d events: %w", len(rows), e.insertError(err))
}

func (e *Engine) insertError(err error) error {
	var a errAnswer
	switch {
	case errors.Is(err, search.ErrDown):
		return err
	case errors.As(err, &a) && strings.Contains(a.text, "read-only mode"):
		return fmt.Errorf("%w: %w", search.ErrFull, err)
	case errors.As(err, &a) && (a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests || a.status == http.StatusUnauthorized):
		return fmt.Errorf("%w: %w", search.ErrDown, err)
	}
	// What is still in the child's hands could be taken after we looked.
	if e.child != nil {
		e.child.Restart("an answer was lost")
	}
	return fmt.Errorf("%w: %w", search.ErrUnsure, err)
}

// ask runs a query of LogsQL and gives its rows.
func (e *Engine) ask(ctx context.Context, query string, found func(row map[string]string) (more bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	form := url.Values{"query": {query}}
	res, err := e.post(ctx, "/select/logsql/query", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return queryError(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var row map[string]string
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return queryError(errAnswer{res.StatusCode, strings.TrimSpace(lines.Text())}) // an error after the first rows
		}
		if more, err := found(row); err != nil || !more {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return queryError(err)
	}
	return nil
}

func queryError(err error) error {
	var a errAnswer
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, search.ErrDown):
		return fmt.Errorf("search: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("search: %w: %w", search.ErrBusy, err)
	case errors.As(err, &a):
		for _, s := range []string{"timeout", "deadline", "exceed", "concurren", "memory"} {
			if strings.Contains(a.text, s) {
				return fmt.Errorf("search: %w: %w", search.ErrBusy, err)
			}
		}
		return fmt.Errorf("search: %w", err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("search: %w: %w", search.ErrDown, err)
	}
	return fmt.Errorf("search: %w", err)
}

const hitFields = "| fields _time, " + streamColumn + ", " + seqColumn

// spare is how many hits of one instant and number may be of earlier streams.
const spare = 16

// Query asks for the newest, then, because VictoriaLogs cuts anywhere among equal
// times, once more for all of the oldest instant of them.
func (e *Engine) Query(ctx context.Context, q search.Query, found func(search.Hit) bool) error {
	limit := most(q.Limit, 100)
	f := filter(q)
	hits, err := e.hits(ctx, fmt.Sprintf("%s %s | sort by (_time) desc | limit %d", f, hitFields, limit+spare))
	if err != nil {
		return err
	}
	if len(hits) == limit+spare {
		oldest := hits[len(hits)-1].Time
		hits = slices.DeleteFunc(hits, func(h search.Hit) bool { return !h.Time.After(oldest) })
		t := stamp(oldest.UnixNano())
		last, err := e.hits(ctx, fmt.Sprintf("_time:[%s,%s] %s %s | sort by (%s desc) | limit %d", t, t, f, hitFields, seqColumn, limit+spare))
		if err != nil {
			return err
		}
		hits = append(hits, last...)
	}
	order(hits)
	hits = slices.DeleteFunc(hits, func(h search.Hit) bool { return q.After.Stream != "" && !search.Later(h, q.After) })
	for _, h := range hits[:min(limit, len(hits))] {
		if !found(h) {
			break
		}
	}
	return nil
}

func order(hits []search.Hit) {
	slices.SortFunc(hits, func(a, b search.Hit) int {
		switch {
		case a == b:
			return 0
		case search.Later(b, a):
			return -1
		}
		return 1
	})
}

func (e *Engine) hits(ctx context.Context, query string) (out []search.Hit, err error) {
	err = e.ask(ctx, query, func(row map[string]string) (bool, error) {
		seq, err := strconv.ParseInt(row[seqColumn], 10, 64)
		if err != nil {
			return true, nil // not a row of ours
		}
		at, err := time.Parse(time.RFC3339Nano, row["_time"])
		if err != nil {
			return false, fmt.Errorf("search: time of a hit: %w", err)
		}
		out = append(out, search.Hit{Ref: search.Ref{Stream: row[streamColumn], Seq: seq}, Time: at})
		return true, nil
	})
	return out, err
}

// Stats counts.
func (e *Engine) Stats(ctx context.Context, q search.Query, s search.Stats) (out []search.Group, err error) {
	err = e.ask(ctx, filter(q)+" "+counting(s), func(row map[string]string) (bool, error) {
		g := search.Group{}
		var err error
		if g.Count, err = strconv.ParseInt(row["kcount"], 10, 64); err != nil {
			return false, fmt.Errorf("search: count: %w", err)
		}
		if s.Distinct != "" {
			g.Distinct, _ = strconv.ParseInt(row["kdistinct"], 10, 64)
		}
		if s.Step > 0 {
			if g.Time, err = time.Parse(time.RFC3339Nano, row["_time"]); err != nil {
				return false, fmt.Errorf("search: time of a group: %w", err)
			}
		}
		for _, f := range s.By {
			c := search.Column(f)
			if c == "stream" {
				c = streamColumn
			}
			g.Keys = append(g.Keys, row[c])
		}
		out = append(out, g)
		return true, nil
	})
	inOrder(out, s.Step > 0)
	return out, err
}

// flush makes what was inserted visible to queries.
func (e *Engine) flush(ctx context.Context) error {
	res, err := e.post(ctx, "/internal/force_flush", "text/plain", nil)
	if err != nil {
		return fmt.Errorf("flush index: %w", queryError(err))
	}
	return res.Body.Close()
}

func ofStream(stream string) string { return "{" + streamColumn + "=" + quote(stream) + "}" }

// CountByBucket counts.
func (e *Engine) CountByBucket(ctx context.Context, stream string, from int64) (map[int64]int64, error) {
	if err := e.flush(ctx); err != nil {
		return nil, err
	}
	out := map[int64]int64{}
	query := fmt.Sprintf("%s %s:>=%d | stats by (%s) count() kcount", ofStream(stream), bucketColumn, from, bucketColumn)
	err := e.ask(ctx, query, func(row map[string]string) (bool, error) {
		b, err1 := strconv.ParseInt(row[bucketColumn], 10, 64)
		n, err2 := strconv.ParseInt(row["kcount"], 10, 64)
		out[b] = n
		return true, errors.Join(err1, err2)
	})
	return out, err
}

// Present lists a bucket.
func (e *Engine) Present(ctx context.Context, stream string, bucket int64) (out []int64, err error) {
	if err := e.flush(ctx); err != nil {
		return nil, err
	}
	query := fmt.Sprintf("%s %s:=%d | fields %s", ofStream(stream), bucketColumn, bucket, seqColumn)
	err = e.ask(ctx, query, func(row map[string]string) (bool, error) {
		seq, err := strconv.ParseInt(row[seqColumn], 10, 64)
		out = append(out, seq)
		return true, err
	})
	slices.Sort(out)
	return out, err
}

// Forget deletes a bucket and waits for it. What has a time in the future of the
// engine's clock cannot be deleted, and is an error.
func (e *Engine) Forget(ctx context.Context, stream string, bucket int64) error {
	if err := e.remove(ctx, fmt.Sprintf("%s %s:=%d", ofStream(stream), bucketColumn, bucket)); err != nil {
		return fmt.Errorf("forget bucket %d of %s: %w", bucket, stream, err)
	}
	if left, err := e.Present(ctx, stream, bucket); err != nil || len(left) > 0 {
		return fmt.Errorf("forget bucket %d of %s: %d rows are left: %w", bucket, stream, len(left), errors.Join(err, search.ErrUnsure))
	}
	return nil
}

// remove runs a task of deletion to its end.
func (e *Engine) remove(ctx context.Context, filter string) error {
	if err := e.flush(ctx); err != nil {
		return err
	}
	form := url.Values{"filter": {filter}}
	res, err := e.post(ctx, "/delete/run_task", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return queryError(err)
	}
	var task struct {
		ID string `json:"task_id"`
	}
	err = json.NewDecoder(res.Body).Decode(&task)
	res.Body.Close()
	if err != nil {
		return err
	}
	for {
		res, err := e.post(ctx, "/delete/active_tasks", "text/plain", nil)
		if err != nil {
			return queryError(err)
		}
		active, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		res.Body.Close()
		if err != nil || !strings.Contains(string(active), quote(task.ID)) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// DropBefore drops whole days: of our own child by unlinking them, elsewhere by a
// task of deletion.
func (e *Engine) DropBefore(ctx context.Context, day time.Time) error {
	day = day.UTC().Truncate(24 * time.Hour)
	var err error
	if e.child != nil {
		err = e.child.dropBefore(ctx, e, day)
	} else {
		err = e.remove(ctx, "_time:<"+stamp(day.UnixNano()))
	}
	if err != nil {
		return fmt.Errorf("drop days before %s: %w", day.Format(time.DateOnly), err)
	}
	return nil
}

// Health asks the server, and for our own child looks at the room it has.
func (e *Engine) Health(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.base+"/health", nil)
	if err != nil {
		return err
	}
	for k, v := range e.header {
		r.Header[k] = v
	}
	res, err := e.client.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", search.ErrDown, err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", search.ErrDown, res.Status)
	}
	if e.child != nil {
		return e.child.room()
	}
	return nil
}
