// Package collect observes a host and brings facts.
//
// A Collector brings every observed field of one group of package kind, each
// exactly once, each with how the looking went: what may not be read is Denied,
// what is not there is Absent, what could not be told is Error, and only what
// was really seen is Observed. It runs no programs and changes nothing.
//
// A collector reads through Host.FS, so it can be pointed at a running host, at
// a mounted image or at a test's folder alike. Run runs a set of them, each
// under its own time limit; one that hangs, panics or forgets a field costs its
// own facts only, and those say why. Check is what a collector's test asks.
package collect

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"kakusho/fact"
	"kakusho/kind"
)

// Host is the machine to look at.
type Host struct {
	FS   fs.FS     // rooted at the host's "/", symbolic links resolved inside: see RootFS
	Live bool      // the running machine: what /proc, /sys and sockets say is true now
	Root string    // where FS is rooted, for messages
	Now  time.Time // the instant of the observation
	// Dial reaches a daemon's socket on the host. It is nil unless Live.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Collector brings the facts of one group. Collect must return when ctx ends;
// what it could not finish by then it reports as Timeout or Truncated.
type Collector struct {
	Group   string        // of package kind: account, sshd, clock …
	Version string        // of the collector, changed when its reading changes
	Timeout time.Duration // zero: 30 seconds
	Collect func(ctx context.Context, h Host) []fact.Fact
}

const (
	defaultTimeout = 30 * time.Second
	// grace is how long Run waits, after the time limit, for a collector that
	// heeds its context to hand over what it has.
	grace = 2 * time.Second
)

// kinds is read once: the schema that ships with the program does not change.
var kinds = sync.OnceValue(kind.Default)

// Run runs the collectors one after another and returns one batch for each, in
// their order. Every batch passes Check for the subject's kind, whatever its
// collector did. A collector stuck in the kernel past its time limit is left
// behind with its goroutine; its facts are Timeout. progress may be nil.
func Run(ctx context.Context, h Host, subject fact.Ref, cs []Collector, progress func(done, total int, group string)) []fact.Batch {
	k := kinds()[subject.Kind()]
	privilege := "user"
	if os.Geteuid() == 0 {
		privilege = "root"
	}
	out := make([]fact.Batch, 0, len(cs))
	for i, c := range cs {
		if progress != nil {
			progress(i, len(cs), c.Group)
		}
		out = append(out, fact.Batch{
			ID: newID(), Subject: subject, Collector: c.Group, Version: c.Version,
			Method: "native", Privilege: privilege, ObservedAt: h.Now,
			Facts: complete(k, c.Group, run(ctx, h, k, c)),
		})
	}
	if progress != nil {
		progress(len(cs), len(cs), "")
	}
	return out
}

func run(ctx context.Context, h Host, k kind.Kind, c Collector) []fact.Fact {
	limit := c.Timeout
	if limit <= 0 {
		limit = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	done := make(chan []fact.Fact, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- every(k, c.Group, fact.Error, fmt.Sprintf("panic: %v at %s", p, panicPlace()))
			}
		}()
		done <- c.Collect(ctx, h)
	}()
	select {
	case fs := <-done:
		return fs
	case <-ctx.Done():
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case fs := <-done:
		return fs
	case <-late.C:
		return every(k, c.Group, fact.Timeout, fmt.Sprintf("timeout: no answer within %v", limit))
	}
}

// Fields lists the observed fields of a group, in the order of the kind.
func Fields(k kind.Kind, group string) []kind.Field {
	return slices.DeleteFunc(k.Layer(kind.Observed), func(f kind.Field) bool { return f.Group != group })
}

// every answers all fields of a group alike.
func every(k kind.Kind, group string, s fact.Status, reason string) []fact.Fact {
	var out []fact.Fact
	for _, f := range Fields(k, group) {
		out = append(out, fact.Fact{Field: f.Name, Status: s, Reason: reason})
	}
	return out
}

// panicPlace is the innermost line of ours on a panicking stack.
func panicPlace() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "kakusho/") && !strings.Contains(f.Function, "collect.run.") && !strings.HasSuffix(f.Function, "collect.panicPlace") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return "unknown place"
		}
	}
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the program when the kernel has no randomness
	return hex.EncodeToString(b[:])
}
