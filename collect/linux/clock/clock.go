// Package clock tells what keeps a host's clock right, and how right it is.
//
// The service in charge is the one that runs; where processes cannot be seen,
// the one that is enabled. chronyd is asked over its command port and ntpd with
// mode 6 packets, both on the host itself; systemd-timesyncd leaves files that
// say when it last set the clock, and tells its stratum to D-Bus only, which is
// not spoken here. On the running host the kernel's own view has the last word:
// a clock it calls unsynchronised is not synchronised.
package clock

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"kakusho/collect"
	"kakusho/collect/linux/service"
	"kakusho/fact"
)

// Collector brings the group clock.
func Collector() collect.Collector {
	return collect.Collector{Group: "clock", Version: "1", Collect: look}
}

// daemon is one kind of time service. An earlier one wins over a later one.
type daemon struct {
	name      string
	processes []string
	units     []string
	sources   func(*collect.Look) ([]string, error)
	ask       func(context.Context, collect.Host, *collect.Look) (state, error)
}

func daemons() []daemon {
	return []daemon{
		{"chrony", []string{"chronyd"}, []string{"chrony.service", "chronyd.service"}, chronySources, askChrony},
		{"timesyncd", []string{"systemd-timesyncd"}, []string{"systemd-timesyncd.service"}, timesyncdSources, askTimesyncd},
		{"ntpd", []string{"ntpd"}, []string{"ntpsec.service", "ntp.service", "ntpd.service", "openntpd.service"}, ntpdSources, askNTPD},
	}
}

// state is what a service says about the clock. A zero time and a negative
// stratum were not told.
type state struct {
	synchronized bool
	offset       *time.Duration
	stratum      int
	last         time.Time
	source       fact.Source
}

func look(ctx context.Context, h collect.Host) []fact.Fact {
	l := h.Look()
	found, running, err := inCharge(service.On(h), l)
	if err != nil {
		return failed(err)
	}
	if found.name == "" {
		return nobody(h)
	}
	out := []fact.Fact{collect.Saw("time_service", found.name), sources(found, h)}
	if running != nil && !*running {
		return append(out, stopped(found)...)
	}
	st, err := found.ask(ctx, h, l)
	if err == nil {
		return append(out, tell(st, kernel(h))...)
	}
	return append(out, silent(h, err)...)
}

// inCharge finds the service; running is nil where processes cannot be seen.
func inCharge(t *service.Table, l *collect.Look) (found daemon, running *bool, err error) {
	yes, no := true, false
	for _, d := range daemons() {
		_, ok, err := t.Running(d.processes...)
		if err != nil && !errors.Is(err, service.ErrNoProcesses) {
			return daemon{}, nil, err
		}
		if ok {
			return d, &yes, nil
		}
	}
	_, noProcesses := t.Processes()
	for _, d := range daemons() {
		_, ok, err := t.Enabled(d.units...)
		if err != nil {
			return daemon{}, nil, err
		}
		if ok && noProcesses == nil {
			return d, &no, nil
		}
		if ok {
			return d, nil, nil
		}
	}
	if noProcesses == nil {
		return daemon{}, nil, nil
	}
	for _, p := range []string{"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/etc/rc2.d", "/etc/runlevels"} {
		if ok, err := l.Exists(p); err == nil && ok {
			return daemon{}, nil, nil // a whole system that starts none of them
		}
	}
	return daemon{}, nil, noProcesses
}

func failed(err error) []fact.Fact {
	var out []fact.Fact
	for _, f := range []string{"time_service", "time_synchronized", "time_offset", "time_stratum", "time_last_sync", "time_sources"} {
		out = append(out, collect.Failed(f, err))
	}
	return out
}

// nobody is in charge. If the kernel still counts its clock as synchronised,
// somebody unknown to this package is: a PTP daemon, a hypervisor's tool, or
// the host around a container.
func nobody(h collect.Host) []fact.Fact {
	const none = "no time service"
	out := []fact.Fact{collect.None("time_stratum", none), collect.None("time_last_sync", none), collect.None("time_sources", none)}
	k := kernel(h)
	if k != nil && k.synchronized {
		return append(out,
			collect.Unclear("time_service", "unknown service: the kernel's clock is kept by a program not known here", k.source),
			collect.Saw("time_synchronized", true, k.source), offset(state{}, k))
	}
	return append(out, collect.Saw("time_service", "none"), collect.Saw("time_synchronized", false), collect.None("time_offset", none))
}

func stopped(d daemon) []fact.Fact {
	reason := "stopped: " + d.name + " is enabled but does not run"
	return []fact.Fact{
		collect.Saw("time_synchronized", false), collect.Unclear("time_offset", reason),
		collect.Unclear("time_stratum", reason), collect.Unclear("time_last_sync", reason),
	}
}

// silent is a service that could not be asked; the kernel may still know.
func silent(h collect.Host, err error) []fact.Fact {
	out := []fact.Fact{collect.Failed("time_stratum", err), collect.Failed("time_last_sync", err)}
	k := kernel(h)
	if k == nil {
		return append(out, collect.Failed("time_synchronized", err), collect.Failed("time_offset", err))
	}
	return append(out, collect.Saw("time_synchronized", k.synchronized, k.source), offset(state{}, k))
}

func tell(st state, k *state) []fact.Fact {
	synchronized, src := st.synchronized, []fact.Source{st.source}
	if k != nil {
		synchronized, src = synchronized && k.synchronized, append(src, k.source)
	}
	out := []fact.Fact{collect.Saw("time_synchronized", synchronized, src...), offset(st, k)}
	if st.stratum >= 0 {
		out = append(out, collect.Saw("time_stratum", int64(st.stratum), st.source))
	} else {
		out = append(out, collect.Unclear("time_stratum", "not told: the service keeps its stratum to itself", st.source))
	}
	if st.last.IsZero() {
		return append(out, collect.None("time_last_sync", "never: no synchronisation since the service started", st.source))
	}
	return append(out, collect.Saw("time_last_sync", st.last.UTC(), st.source))
}

// offset prefers what the service measured to what the kernel has still to
// make up for.
func offset(st state, k *state) fact.Fact {
	switch {
	case st.offset != nil:
		return collect.Saw("time_offset", st.offset.Abs(), st.source)
	case k != nil && k.synchronized:
		return collect.Saw("time_offset", k.offset.Abs(), k.source)
	}
	return collect.Unclear("time_offset", "not told: nobody measured the clock against another")
}

func sources(d daemon, h collect.Host) fact.Fact {
	l := h.Look()
	ss, err := d.sources(l)
	if err != nil {
		return collect.Failed("time_sources", err, l.Sources()...)
	}
	out := []any{}
	seen := map[string]bool{}
	for _, s := range ss {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return collect.Saw("time_sources", out, l.Sources()...)
}

// kernel asks the kernel about its clock; nil when this is not its host.
func kernel(h collect.Host) *state {
	if !h.Live {
		return nil
	}
	var tx unix.Timex
	if _, err := unix.Adjtimex(&tx); err != nil {
		return nil
	}
	d := time.Duration(tx.Offset) * time.Microsecond
	if tx.Status&unix.STA_NANO != 0 {
		d = time.Duration(tx.Offset)
	}
	return &state{
		synchronized: tx.Status&unix.STA_UNSYNC == 0, offset: &d, stratum: -1,
		source: fact.Source{Kind: "proc", Ref: "adjtimex"},
	}
}
