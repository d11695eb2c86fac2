// Package service tells which daemons a host runs and which it would start:
// processes from /proc, units enabled for systemd, System V and OpenRC.
//
// Running and enabled are different questions, and each may have no answer: a
// mounted image has no processes, and a user behind hidepid sees only his own.
// No answer is an error, never a no.
package service

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/fact"
)

// Why running processes cannot be told.
var (
	ErrNoProcesses = errors.New("no process list in this root")
	errHidden      = fmt.Errorf("processes of others are hidden: %w", fs.ErrPermission)
)

// Process is one running program.
type Process struct {
	PID  int
	Name string // as the kernel keeps it: at most 15 bytes
}

// Place names the process as a source: "/proc/812".
func (p Process) Place() string { return "/proc/" + strconv.Itoa(p.PID) }

// Table answers for one host. The process list is read once, by On.
type Table struct {
	fsys  fs.FS
	procs []Process
	err   error
}

// On reads the host's process list.
func On(h collect.Host) *Table {
	t := &Table{fsys: h.FS}
	t.procs, t.err = processes(h)
	return t
}

// Processes lists what runs.
func (t *Table) Processes() ([]Process, error) { return t.procs, t.err }

// Source is where Running looked.
func (t *Table) Source() fact.Source { return fact.Source{Kind: "proc", Ref: "/proc"} }

// Running finds the first process with one of the names, in the order of the
// names. A name longer than the kernel keeps is cut as the kernel cuts it, and
// then the program's own name for itself must agree, if it can be read.
func (t *Table) Running(names ...string) (Process, bool, error) {
	if t.err != nil {
		return Process{}, false, t.err
	}
	for _, name := range names {
		for _, p := range t.procs {
			if p.Name == name || len(name) > kept && p.Name == name[:kept] && t.agrees(p, name) {
				return p, true, nil
			}
		}
	}
	return Process{}, false, nil
}

// kept is how much of a name the kernel keeps.
const kept = 15

func (t *Table) agrees(p Process, name string) bool {
	b, err := fs.ReadFile(t.fsys, collect.Name(p.Place()+"/cmdline"))
	first, _, _ := strings.Cut(string(b), "\x00")
	return err != nil || first == "" || path.Base(first) == name
}

func processes(h collect.Host) ([]Process, error) {
	es, err := fs.ReadDir(h.FS, "proc")
	if collect.Missing(err) {
		return nil, ErrNoProcesses
	}
	if err != nil {
		return nil, err
	}
	var out []Process
	first := false
	for _, e := range es {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := fs.ReadFile(h.FS, "proc/"+e.Name()+"/comm")
		if err != nil {
			continue // ended meanwhile
		}
		first = first || pid == 1
		out = append(out, Process{PID: pid, Name: strings.TrimRight(string(b), "\n")})
	}
	switch {
	case len(out) == 0:
		return nil, ErrNoProcesses
	case h.Live && !first:
		// Every process namespace has a process 1; not seeing it means that
		// others' processes are hidden (hidepid).
		return nil, errHidden
	}
	return out, nil
}

// Where each manager keeps what it starts, with %s for the unit.
var (
	unitLinks = []string{
		"/etc/systemd/system/*.wants/", "/etc/systemd/system/*.requires/",
		"/usr/lib/systemd/system/*.wants/", "/usr/lib/systemd/system/*.requires/",
		"/lib/systemd/system/*.wants/", "/lib/systemd/system/*.requires/",
	}
	unitFolders = []string{"/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"}
)

// Enabled says where the first enabled of the units is enabled. A unit is named
// with its suffix ("chrony.service"); a service is also looked for without it
// among System V's and OpenRC's start links. A masked unit is not enabled.
func (t *Table) Enabled(units ...string) (place string, ok bool, err error) {
	l := collect.Host{FS: t.fsys}.Look()
	for _, u := range units {
		place, err := enabled(l, u)
		if err != nil || place != "" {
			return place, err == nil, err
		}
	}
	return "", false, nil
}

func enabled(l *collect.Look, unit string) (string, error) {
	if masked(l, unit) {
		return "", nil
	}
	var patterns []string
	for _, dir := range unitLinks {
		patterns = append(patterns, dir+unit)
	}
	if name, ok := strings.CutSuffix(unit, ".service"); ok {
		patterns = append(patterns, "/etc/rc[2-5].d/S[0-9][0-9]"+name, "/etc/runlevels/boot/"+name, "/etc/runlevels/default/"+name)
	}
	for _, p := range patterns {
		found, err := l.Glob(p)
		if err != nil {
			return "", fmt.Errorf("enabled %s: %w", unit, err)
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return alias(l, unit)
}

// alias finds a link in /etc/systemd/system to the unit under another name, as
// "systemctl enable" makes for Alias=.
func alias(l *collect.Look, unit string) (string, error) {
	es, err := l.ReadDir("/etc/systemd/system")
	if collect.Missing(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("enabled %s: %w", unit, err)
	}
	for _, e := range es {
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		p := "/etc/systemd/system/" + e.Name()
		if to, err := l.ReadLink(p); err == nil && path.Base(to) == unit {
			return p, nil
		}
	}
	return "", nil
}

func masked(l *collect.Look, unit string) bool {
	for _, dir := range unitFolders[:2] {
		if to, err := l.ReadLink(dir + unit); err == nil && to == "/dev/null" {
			return true
		}
	}
	return false
}

// Installed finds the unit's file, or its System V or OpenRC script.
func (t *Table) Installed(units ...string) (place string, ok bool, err error) {
	l := collect.Host{FS: t.fsys}.Look()
	for _, u := range units {
		var places []string
		for _, dir := range unitFolders {
			places = append(places, dir+u)
		}
		if name, ok := strings.CutSuffix(u, ".service"); ok {
			places = append(places, "/etc/init.d/"+name)
		}
		for _, p := range places {
			ok, err := l.Exists(p)
			if err != nil {
				return "", false, fmt.Errorf("installed %s: %w", u, err)
			}
			if ok {
				return p, true, nil
			}
		}
	}
	return "", false, nil
}
