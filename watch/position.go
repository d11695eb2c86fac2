package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"kakusho/sigma"
)

// position is how far a stream was looked at, and where it was a while ago.
type position struct {
	Next  int64  `json:"next"`
	Marks []mark `json:"marks,omitempty"`
	warm  bool   // what came before Next is known to the correlations
}

// mark says that all before Next had come at an instant.
type mark struct {
	At   time.Time `json:"at"`
	Next int64     `json:"next"`
}

// mark notes where the stream is, once a minute; of marks older than the longest
// window one is enough.
func (p *position) mark(now time.Time, span time.Duration) {
	if n := len(p.Marks); n > 0 && now.Sub(p.Marks[n-1].At) < time.Minute {
		return
	}
	p.Marks = append(p.Marks, mark{now, p.Next})
	for len(p.Marks) > 1 && now.Sub(p.Marks[1].At) > span {
		p.Marks = p.Marks[1:]
	}
}

// warm looks again at what the windows of correlations must know, without finding
// anything: that was found the first time. Windows longer than what is read again
// begin anew.
func (w *Watch) warm(ctx context.Context, stream string, p *position) error {
	if p.warm {
		return nil
	}
	from := p.Next
	for _, m := range p.Marks {
		if m.Next >= p.Next-w.o.Replay {
			from = min(from, m.Next)
			break
		}
	}
	if from == p.Next || w.o.Rules.Span() == 0 {
		p.warm = true
		return nil
	}
	r, err := w.o.Open(stream)
	if err != nil {
		return err
	}
	for line, err := range r.Lines(ctx, from) {
		if err != nil {
			return fmt.Errorf("read again: %w", err)
		}
		if line.Seq >= p.Next {
			break
		}
		if e, ok := w.decode(line); ok {
			w.detector.Observe(&e, instant(&e, line.Arrived), sigma.Ref{Stream: stream, Seq: line.Seq}, func(sigma.Finding) {})
		}
	}
	p.warm = true
	return nil
}

// restore reads how far one had looked. A file that cannot be read is as none.
func (w *Watch) restore() error {
	if w.o.State == "" {
		return nil
	}
	b, err := os.ReadFile(w.o.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	streams := map[string]*position{}
	if err := json.Unmarshal(b, &streams); err != nil {
		return fmt.Errorf("%s: %w", w.o.State, err)
	}
	for name, p := range streams {
		if p == nil || p.Next < 0 {
			return fmt.Errorf("%s: stream %q is nowhere", w.o.State, name)
		}
	}
	w.streams, w.restored = streams, true
	return nil
}

// save replaces the file whole. It is not forced to the disk: what is lost is looked
// at again, and what was found then is known by its number.
func (w *Watch) save() error {
	if w.o.State == "" {
		return nil
	}
	b, err := json.Marshal(w.streams)
	if err != nil {
		return err
	}
	next := w.o.State + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return err
	}
	return os.Rename(next, w.o.State)
}
