// Package linux joins the collectors of a Linux host, one per group of observed
// fields of a computer. They read files, /proc and /sys, ask the kernel and the
// host's own daemons, run no programs and change nothing.
//
// A folder below is either a collector (named as its group, where Go allows:
// pkg brings "package", logging brings "log") or what several of them read:
// mount, socket, service, dropin and the like.
package linux

import (
	"context"

	"kakusho/collect"
	"kakusho/collect/linux/account"
	"kakusho/collect/linux/authentication"
	"kakusho/collect/linux/banner"
	"kakusho/collect/linux/clock"
	"kakusho/collect/linux/disk"
	"kakusho/collect/linux/identity"
	"kakusho/collect/linux/kernel"
	"kakusho/collect/linux/key"
	"kakusho/collect/linux/logging"
	"kakusho/collect/linux/malware"
	"kakusho/collect/linux/media"
	"kakusho/collect/linux/network"
	"kakusho/collect/linux/pkg"
	"kakusho/collect/linux/session"
	"kakusho/collect/linux/sshd"
	"kakusho/fact"
	"kakusho/kind"
)

// Collectors lists them, the quick ones first: a reader sees something at once,
// and the search for keys, which may use up its time, comes last.
func Collectors() []collect.Collector {
	cs := []collect.Collector{
		identity.Collector(), kernel.Collector(), account.Collector(), authentication.Collector(), sshd.Collector(),
		session.Collector(), banner.Collector(), disk.Collector(), clock.Collector(), media.Collector(), malware.Collector(),
		logging.Collector(), network.Collector(), pkg.Collector(), key.Collector(),
	}
	for i, c := range cs {
		cs[i].Collect = onHost(c)
	}
	return cs
}

// onHost refuses a root that is no host's. Without this a mistyped folder would
// look like a host with no services, no keys and no faults.
func onHost(c collect.Collector) func(context.Context, collect.Host) []fact.Fact {
	return func(ctx context.Context, h collect.Host) []fact.Fact {
		l := h.Look()
		fi, err := l.Stat("/etc")
		if err == nil && fi.IsDir() {
			return c.Collect(ctx, h)
		}
		var out []fact.Fact
		for _, f := range collect.Fields(kind.Default()["computer"], c.Group) {
			if err != nil && !collect.Missing(err) {
				out = append(out, collect.Failed(f.Name, err))
				continue
			}
			out = append(out, collect.Unclear(f.Name, "no host: there is no /etc in "+h.Root))
		}
		return out
	}
}
