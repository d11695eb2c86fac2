package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"kakusho/event"
	"kakusho/trail"
)

// state is what a copy of the counters holds. It is no evidence: without it, or
// with one that does not fit the trails, the trails are read from the beginning.
type state struct {
	Version   int                        `json:"version"`
	Upto      map[string]int64           `json:"upto"` // stream → entries it counts
	Feeds     map[string]Coverage        `json:"feeds"`
	Strangers []strangerState            `json:"strangers"`
	Systems   map[string]map[string]Seen `json:"systems"`
	Senders   map[string]sender          `json:"senders"`
}

type strangerState struct {
	Stranger
	Coverage Coverage `json:"coverage"`
}

const stateVersion = 1

func (in *Ingest) stateFile() string { return filepath.Join(in.dir, "state.json") }

// snapshot writes a copy of the state, if anything came since the last.
func (in *Ingest) snapshot() error {
	in.settled.Lock()
	s := in.copyState()
	in.settled.Unlock()
	if maps.Equal(s.Upto, in.copied) {
		return nil
	}
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := writeWhole(in.stateFile(), append(hex.AppendEncode(nil, sum[:]), append([]byte("\n"), body...)...)); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	in.copied = s.Upto
	return nil
}

// copyState is called while nothing is under way.
func (in *Ingest) copyState() state {
	t := &in.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	s := state{Version: stateVersion, Upto: maps.Clone(t.upto), Feeds: map[string]Coverage{}, Systems: map[string]map[string]Seen{}, Senders: in.senders.copied()}
	for id, c := range t.feeds {
		s.Feeds[id] = c.copied()
	}
	for who, c := range t.strangers {
		s.Strangers = append(s.Strangers, strangerState{who, c.copied()})
	}
	for stream, of := range t.systems {
		s.Systems[stream] = maps.Clone(of)
	}
	return s
}

// writeWhole puts a file in place whole: written aside, synced, renamed, folder synced.
func writeWhole(path string, b []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// restore takes up the last copy and counts what came after it.
func (in *Ingest) restore(ctx context.Context) error {
	in.tally.start()
	s, err := readState(in.stateFile())
	for stream, n := range s.Upto {
		if l := in.streams[stream]; err == nil && n > 0 && (l == nil || l.Len() < n) {
			err = fmt.Errorf("it counts %d events of stream %s, which has fewer", n, stream)
		}
	}
	switch {
	case err == nil:
		in.adopt(s)
	case !errors.Is(err, fs.ErrNotExist):
		in.o.Log.Warn("the state of ingest cannot be used: counting again from the trails", "error", err)
	}
	for name, l := range in.streams {
		if err := in.replay(ctx, name, l); err != nil {
			return fmt.Errorf("count stream %s: %w", name, err)
		}
	}
	return nil
}

func readState(path string) (s state, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	digest, body, _ := bytes.Cut(b, []byte("\n"))
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != string(digest) {
		return s, errors.New("its digest is another")
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return state{}, err
	}
	if s.Version != stateVersion {
		return state{}, fmt.Errorf("version %d", s.Version)
	}
	return s, nil
}

func (in *Ingest) adopt(s state) {
	t := &in.tally
	for id, c := range s.Feeds {
		t.feeds[id] = &c
	}
	for _, x := range s.Strangers {
		t.strangers[x.Stranger] = &x.Coverage
	}
	for stream, of := range s.Systems {
		t.systems[stream] = of
	}
	in.senders.of = s.Senders
	in.copied = s.Upto
	t.upto = maps.Clone(s.Upto)
	if t.upto == nil {
		t.upto = map[string]int64{}
	}
}

// replayStep is how many events are counted in one stroke.
const replayStep = 10_000

// replay counts the events of a stream that are not counted yet, by their arrival.
// Those whose bodies are gone are passed over.
func (in *Ingest) replay(ctx context.Context, name string, l *trail.Log) error {
	from, end := in.tally.upto[name], l.Len()
	var batch []event.Event
	var at trail.Line
	flush := func() {
		if len(batch) > 0 {
			in.count(name, batch, at.Arrived)
			batch = batch[:0]
		}
	}
	for line, err := range l.Lines(ctx, from) {
		if err != nil {
			return err
		}
		if len(batch) >= replayStep || !line.Arrived.Equal(at.Arrived) {
			flush()
		}
		at = line
		e, err := event.Decode(line.Bytes)
		if err != nil {
			return fmt.Errorf("event %d: %w", line.Seq, err)
		}
		batch = append(batch, e)
	}
	flush()
	in.tally.upto[name] = end // what is gone counts as counted
	return nil
}
