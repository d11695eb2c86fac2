// Package desk keeps ledgers between their trial and their import, and does the long
// work on them: what is tried or applied goes on when its reader turns away, and says
// how far it has come.
//
// A ledger that was brought lies in a folder of its own until it is applied, put aside
// or a day old. Only who brought it sees it. Nothing of it is in the registers before
// it is applied; a process that is killed loses the trial, which is made again, and
// never the ledger.
package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/kind/table"
	"kakusho/register/exchange"
)

// The limits of the desk.
const (
	Keep     = 24 * time.Hour // a ledger lies so long
	MostOne  = 5              // ledgers of one person; the oldest goes
	Most     = 50             // of everybody
	mostDone = 4              // trials kept in memory
	atOnce   = 2              // trials and imports at the same time
)

// Errors that a caller tells apart.
var (
	ErrGone = errors.New("no such ledger on the desk; bring it again")
	ErrFull = errors.New("too many ledgers lie on the desk; some are applied or put aside first")
)

// Upload is a ledger on the desk.
type Upload struct {
	ID      string         `json:"id"` // of the import that it will be
	Kind    string         `json:"kind"`
	Name    string         `json:"name"`
	Bytes   int64          `json:"bytes"`
	By      string         `json:"by"`
	At      time.Time      `json:"at"`
	Mapping *table.Mapping `json:"mapping,omitempty"` // chosen; nil: as remembered, else as guessed
}

// Desk holds the ledgers of one installation. It is safe for concurrent use.
type Desk struct {
	dir   string
	ctx   context.Context // of the long work
	stop  context.CancelFunc
	work  sync.WaitGroup
	seats chan struct{}

	mu   sync.Mutex
	jobs map[string]*job // by upload
	turn int64
}

// Open opens the desk in a folder, which it makes.
func Open(dir string) (*Desk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open desk: %w", err)
	}
	half, err := filepath.Glob(filepath.Join(dir, unfinished+"*"))
	for _, path := range half {
		err = errors.Join(err, os.RemoveAll(path))
	}
	d := &Desk{dir: dir, seats: make(chan struct{}, atOnce), jobs: map[string]*job{}}
	d.ctx, d.stop = context.WithCancel(context.Background())
	return d, err
}

// Close ends trials, and waits for what is being applied.
func (d *Desk) Close() error {
	d.stop()
	d.work.Wait()
	return nil
}

const (
	unfinished = ".new-"
	ledgerName = "ledger"
	cardName   = "upload.json"
)

// Lay puts a ledger on the desk.
func (d *Desk) Lay(by, kindID string, f exchange.File, at time.Time) (Upload, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lying, err := d.sweep(at)
	if err != nil {
		return Upload{}, err
	}
	own := slices.DeleteFunc(slices.Clone(lying), func(u Upload) bool { return u.By != by })
	if len(own) >= MostOne {
		if err := d.drop(own[0].ID); err != nil {
			return Upload{}, err
		}
	} else if len(lying) >= Most {
		return Upload{}, ErrFull
	}
	up := Upload{ID: exchange.NewID(at), Kind: kindID, Name: f.Name, Bytes: int64(len(f.Data)), By: by, At: at}
	dir, err := os.MkdirTemp(d.dir, unfinished+"*")
	if err == nil {
		err = errors.Join(write(filepath.Join(dir, ledgerName), f.Data), writeCard(dir, up))
	}
	if err == nil {
		err = os.Rename(dir, filepath.Join(d.dir, up.ID))
	}
	if err != nil {
		return Upload{}, errors.Join(fmt.Errorf("keep ledger: %w", err), os.RemoveAll(dir))
	}
	return up, nil
}

func writeCard(dir string, up Upload) error {
	b, err := json.Marshal(up)
	if err == nil {
		err = write(filepath.Join(dir, cardName), b)
	}
	return err
}

// write is whole or not at all.
func write(path string, data []byte) error {
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".part", path)
	}
	return err
}

// sweep removes what is too old, and lists the rest, the oldest first.
func (d *Desk) sweep(at time.Time) (lying []Upload, err error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, fmt.Errorf("look over desk: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinished) {
			continue
		}
		up, err := d.card(e.Name())
		if err != nil || !at.Before(up.At.Add(Keep)) {
			if err := d.drop(e.Name()); err != nil {
				return nil, err
			}
			continue
		}
		lying = append(lying, up)
	}
	slices.SortFunc(lying, func(a, b Upload) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
	return lying, nil
}

func (d *Desk) card(id string) (up Upload, err error) {
	b, err := os.ReadFile(filepath.Join(d.dir, id, cardName))
	if err == nil {
		err = json.Unmarshal(b, &up)
	}
	return up, err
}

var idForm = regexp.MustCompile(`^\d{8}-\d{6}-[0-9a-f]{16}$`)

// Upload finds the ledger a person brought.
func (d *Desk) Upload(by, id string, at time.Time) (Upload, error) {
	if !idForm.MatchString(id) {
		return Upload{}, ErrGone
	}
	up, err := d.card(id)
	if errors.Is(err, os.ErrNotExist) || err == nil && (up.By != by || !at.Before(up.At.Add(Keep))) {
		return Upload{}, ErrGone
	}
	return up, err
}

// File is the ledger itself.
func (d *Desk) File(up Upload) (exchange.File, error) {
	data, err := os.ReadFile(filepath.Join(d.dir, up.ID, ledgerName))
	if err != nil {
		return exchange.File{}, fmt.Errorf("read ledger: %w", err)
	}
	return exchange.File{Name: up.Name, Data: data}, nil
}

// Map says what the ledger's columns are. It is tried anew.
func (d *Desk) Map(up Upload, m table.Mapping) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if j := d.jobs[up.ID]; j != nil && j.sealing {
		return nil
	}
	up.Mapping = &m
	d.forget(up.ID)
	return writeCard(filepath.Join(d.dir, up.ID), up)
}

// Drop takes a ledger off the desk.
func (d *Desk) Drop(up Upload) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.drop(up.ID)
}

func (d *Desk) drop(id string) error {
	if j := d.jobs[id]; j != nil && j.sealing && !j.over() {
		return nil // it goes when it is applied
	}
	d.forget(id)
	if err := os.RemoveAll(filepath.Join(d.dir, id)); err != nil {
		return fmt.Errorf("take ledger off the desk: %w", err)
	}
	return nil
}
