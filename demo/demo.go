// Package demo fills a new installation with an invented prefectural police body,
// 架空県警察: its offices and people, its systems and devices with what is seen of
// them, its contracts and papers, its decisions — and faults laid in it on purpose,
// listed with what must come of each.
//
// Nothing goes in but through the gate: registers are imported by their keepers,
// facts accepted, decisions given by who holds the duty and approved by another; events
// by the doors' own way, where the rules look at them. So the trails of a sample verify,
// and its rows fold again to the same.
//
// The body is data, in the folder data; the code knows only how to read them. The
// folder national holds another, a nation of such bodies (FillNation). All
// dates count from the day of filling, and what looks like chance depends on names
// alone: the same day gives the same body. The sample shows that day. Its facts
// grow stale like any other, and after a day the first verdicts turn unknown.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"kakusho/bilingual"
	"kakusho/kind"
	"kakusho/server"
)

// Result says what was made.
type Result struct {
	Systems, Devices int
	List             string // path of the list of planted faults; empty: none were
}

// Fault is why a folder is left alone. Nothing in it was touched.
type Fault bilingual.Text

// Error is the English half.
func (f Fault) Error() string { return f.EN }

// Text is both halves.
func (f Fault) Text() bilingual.Text { return bilingual.Text(f) }

// step is one change, at its time.
type step struct {
	at time.Time
	do func(context.Context) error
}

// Fill makes the sample in dir, which must be empty or new; else the error is a
// Fault. progress may be nil. After an error the folder holds a part of a sample,
// marked as one; remove it and fill again.
func Fill(ctx context.Context, dir string, now func() time.Time, progress func(done, total int64)) (Result, error) {
	r, s, err := build(ctx, prefectural, dir, now, progress)
	if err != nil {
		return Result{}, err
	}
	r.List, err = writeList(dir, s.Directive, s.Controls)
	return r, err
}

// FillNation makes, as Fill does, a smaller sample of each of forty-seven prefectural
// bodies, named い, ろ, は and so on as the fire brigades of old were, under one
// national agency: for what is looked at and tried over the whole country. Its
// prefectures stand at different levels, by lot; no fault is planted.
func FillNation(ctx context.Context, dir string, now func() time.Time, progress func(done, total int64)) (Result, error) {
	r, _, err := build(ctx, nation, dir, now, progress)
	return r, err
}

func build(ctx context.Context, from, dir string, now func() time.Time, progress func(done, total int64)) (Result, *server.Server, error) {
	at := now().Truncate(time.Second)
	if err := prepare(dir); err != nil {
		return Result{}, nil, err
	}
	var clock atomic.Int64 // the sample's own time, from its first entry to now
	clock.Store(at.AddDate(-1, 0, 0).UnixNano())
	s, err := server.New(ctx, server.Config{
		Data: dir, Version: "demo", Interval: -1, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(0, clock.Load()) },
	})
	if err != nil {
		return Result{}, nil, fmt.Errorf("open the sample: %w", err)
	}
	b, err := invent(from, kind.Default(), at)
	if err == nil {
		err = b.play(ctx, s, &clock, progress)
	}
	clock.Store(at.UnixNano())
	if err = errors.Join(err, s.Close()); err != nil {
		return Result{}, nil, fmt.Errorf("fill the sample: %w", err)
	}
	return Result{Systems: len(b.entries["system"]), Devices: b.devices()}, s, nil
}

// prepare makes the folder and marks it before anything else is in it.
func prepare(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look into %s: %w", dir, err)
	}
	if len(files) > 0 {
		return Fault(bilingual.Say(
			fmt.Sprintf("フォルダ %s は空でない。見本は新しいフォルダか空のフォルダにだけ作る。--data で別のフォルダを指定すること。", dir),
			fmt.Sprintf("the folder %s is not empty; a sample is made only in a new or an empty folder: name another with --data", dir)))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder of the sample: %w", err)
	}
	mark := "架空の警察本部の見本である。実在の組織・人物とは関係がない。\nAn invented body, made as a sample. It is no real organisation, and nobody in it is a real person.\n"
	f, err := os.OpenFile(filepath.Join(dir, server.DemoMark), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("mark the sample: %w", err)
	}
	_, err = f.WriteString(mark)
	return errors.Join(err, f.Sync(), f.Close())
}

// play takes every step in the order of its time.
func (b *body) play(ctx context.Context, s *server.Server, clock *atomic.Int64, progress func(done, total int64)) error {
	all, err := b.observe()
	if err != nil {
		return err
	}
	answering, err := b.answering(s, all)
	if err != nil {
		return err
	}
	deciding, err := b.deciding(s)
	if err != nil {
		return err
	}
	setting, err := b.setting(s)
	if err != nil {
		return err
	}
	happening, err := b.happening(s)
	if err != nil {
		return err
	}
	steps := slices.Concat(b.entering(s), answering, setting, deciding, b.reporting(s, all), happening)
	slices.SortStableFunc(steps, func(x, y step) int { return x.at.Compare(y.at) })
	for i, x := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if progress != nil {
			progress(int64(i), int64(len(steps)))
		}
		clock.Store(x.at.UnixNano())
		if err := x.do(ctx); err != nil {
			return err
		}
	}
	if progress != nil {
		progress(int64(len(steps)), int64(len(steps)))
	}
	return nil
}

func (b *body) devices() (n int) {
	for _, id := range b.kinds.IDs() {
		if b.kinds[id].Section == "device" && id != "medium" {
			n += len(b.entries[id])
		}
	}
	return n
}
