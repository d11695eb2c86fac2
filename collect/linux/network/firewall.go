package network

import (
	"context"
	"encoding/xml"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/service"
	"kakusho/fact"
)

// filter is what callers meet: whether anything filters, and whether what no
// rule lets in stays out, for each protocol.
type filter struct {
	active       bool
	deny4, deny6 bool
}

func (f filter) or(g filter) filter {
	return filter{f.active || g.active, f.deny4 || g.deny4, f.deny6 || g.deny6}
}

func firewall(_ context.Context, h collect.Host, t *service.Table) []fact.Fact {
	l := h.Look()
	look := func() (filter, []fact.Source, error) { return configured(l, t) }
	if h.Live {
		look = func() (filter, []fact.Source, error) { return loaded(l) }
	}
	f, src, err := look()
	if err != nil {
		return []fact.Fact{collect.Failed("firewall_active", err, src...), collect.Failed("firewall_default_deny", err, src...)}
	}
	deny := f.deny4 && (f.deny6 || !ipv6(l))
	return []fact.Fact{collect.Saw("firewall_active", f.active, src...), collect.Saw("firewall_default_deny", deny, src...)}
}

// ipv6 reports whether the host has an IPv6 address beyond its loopback. What
// cannot be read counts as yes.
func ipv6(l *collect.Look) bool {
	b, err := l.ReadFile("/proc/net/if_inet6")
	if collect.Missing(err) {
		ok, err := l.Exists("/proc/net")
		return err != nil || !ok
	}
	if err != nil {
		return true
	}
	for _, line := range strings.Split(string(b), "\n") {
		if w := strings.Fields(line); len(w) >= 6 && w[5] != "lo" {
			return true
		}
	}
	return false
}

// loaded is what the running kernel holds.
func loaded(l *collect.Look) (filter, []fact.Source, error) {
	src := []fact.Source{{Kind: "netlink", Ref: "NFT_MSG_GETCHAIN NFT_MSG_GETRULE"}}
	var f filter
	if tablesPossible(l) {
		chains, err := kernelChains()
		if err != nil {
			return filter{}, src, err
		}
		f = judge(chains)
	}
	for _, v := range []struct {
		names string
		six   bool
	}{{"/proc/net/ip_tables_names", false}, {"/proc/net/ip6_tables_names", true}} {
		b, err := l.ReadFile(v.names)
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return filter{}, src, err
		}
		if !slices.Contains(strings.Fields(string(b)), "filter") {
			continue
		}
		src = append(src, fact.Source{Kind: "socket", Ref: v.names + " getsockopt"})
		active, deny, err := oldTable(v.six)
		if err != nil {
			return filter{}, src, err
		}
		f = f.or(filter{active, deny && !v.six, deny && v.six})
	}
	return f, src, nil
}

// tablesPossible reports whether the kernel has nftables now. Asking a kernel
// that has not would load it, and looking must not change the host.
func tablesPossible(l *collect.Look) bool {
	if ok, err := l.Exists("/sys/module/nf_tables"); err != nil || ok {
		return true
	}
	b, err := l.ReadFile("/proc/modules")
	if err != nil || len(b) == 0 {
		return true // a kernel in one piece has it or never will
	}
	if strings.Contains(string(b), "\nnf_tables ") || strings.HasPrefix(string(b), "nf_tables ") {
		return true
	}
	built, err := l.Glob("/lib/modules/*/modules.builtin")
	if err != nil {
		return true
	}
	for _, p := range built {
		if b, err := l.ReadFile(p); err != nil || strings.Contains(string(b), "/nf_tables.ko") {
			return true
		}
	}
	return false
}

var errNoManager = errors.New("no service manager in this root: what would filter at its start cannot be told")

// configured is what a root that is not running would load at its start.
func configured(l *collect.Look, t *service.Table) (filter, []fact.Source, error) {
	var f filter
	for _, c := range []struct {
		units []string
		read  func(*collect.Look) (filter, error)
	}{
		{[]string{"ufw.service"}, ufw},
		{[]string{"firewalld.service"}, firewalld},
		{[]string{"nftables.service"}, nftablesConf},
		{[]string{"netfilter-persistent.service", "iptables.service", "ip6tables.service"}, savedRules},
	} {
		_, ok, err := t.Enabled(c.units...)
		if err != nil {
			return filter{}, l.Sources(), err
		}
		if !ok {
			continue
		}
		g, err := c.read(l)
		if err != nil {
			return filter{}, l.Sources(), err
		}
		f = f.or(g)
	}
	if !f.active {
		for _, p := range []string{"/etc/systemd", "/etc/rc2.d", "/etc/runlevels"} {
			if ok, err := l.Exists(p); err == nil && ok {
				return f, append(l.Sources(), fact.Source{Kind: "file", Ref: p}), nil
			}
		}
		return filter{}, l.Sources(), errNoManager
	}
	return f, l.Sources(), nil
}

// shell reads NAME=value lines.
func shell(l *collect.Look, file string) (map[string]string, error) {
	out := map[string]string{}
	b, err := l.ReadFile(file)
	if collect.Missing(err) {
		return out, nil
	}
	for _, line := range strings.Split(string(b), "\n") {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			out[k] = strings.Trim(v, `"'`)
		}
	}
	return out, err
}

func ufw(l *collect.Look) (filter, error) {
	conf, err := shell(l, "/etc/ufw/ufw.conf")
	if err != nil || !strings.EqualFold(conf["ENABLED"], "yes") {
		return filter{}, err
	}
	def, err := shell(l, "/etc/default/ufw")
	deny := strings.EqualFold(def["DEFAULT_INPUT_POLICY"], "DROP") || strings.EqualFold(def["DEFAULT_INPUT_POLICY"], "REJECT")
	return filter{true, deny, deny && !strings.EqualFold(def["IPV6"], "no")}, err
}

// firewalld rejects what its zone does not let in, unless the zone's target is
// ACCEPT.
func firewalld(l *collect.Look) (filter, error) {
	conf, err := shell(l, "/etc/firewalld/firewalld.conf")
	if err != nil {
		return filter{}, err
	}
	zone := conf["DefaultZone"]
	if zone == "" {
		zone = "public"
	}
	for _, dir := range []string{"/etc/firewalld/zones", "/usr/lib/firewalld/zones"} {
		b, err := l.ReadFile(path.Join(dir, path.Base(zone)+".xml"))
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return filter{}, err
		}
		var z struct {
			Target string `xml:"target,attr"`
		}
		if err := xml.Unmarshal(b, &z); err != nil {
			return filter{}, err
		}
		deny := z.Target != "ACCEPT"
		return filter{true, deny, deny}, nil
	}
	return filter{}, &fs.PathError{Op: "open", Path: "/etc/firewalld/zones/" + zone + ".xml", Err: fs.ErrNotExist}
}

func nftablesConf(l *collect.Look) (filter, error) {
	for _, file := range []string{"/etc/nftables.conf", "/etc/sysconfig/nftables.conf", "/etc/nftables.nft"} {
		b, err := l.ReadFile(file)
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return filter{}, err
		}
		chains, includes := ParseRuleset(b)
		for _, p := range includes {
			if !path.IsAbs(p) {
				p = path.Join("/etc", p)
			}
			found, err := l.Glob(p)
			if err != nil {
				return filter{}, err
			}
			for _, p := range found {
				b, err := l.ReadFile(p)
				if err != nil {
					return filter{}, err
				}
				more, _ := ParseRuleset(b)
				chains = append(chains, more...)
			}
		}
		return judge(chains), nil
	}
	return filter{}, nil
}

// savedRules are those of iptables-save.
func savedRules(l *collect.Look) (filter, error) {
	var f filter
	for _, v := range []struct {
		file string
		six  bool
	}{{"/etc/iptables/rules.v4", false}, {"/etc/sysconfig/iptables", false}, {"/etc/iptables/rules.v6", true}, {"/etc/sysconfig/ip6tables", true}} {
		b, err := l.ReadFile(v.file)
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return filter{}, err
		}
		active, deny := ParseSaved(b)
		f = f.or(filter{active, deny && !v.six, deny && v.six})
	}
	return f, nil
}

// ParseSaved reads the output of iptables-save: whether its INPUT chain filters
// and whether it keeps out what no rule lets in.
func ParseSaved(b []byte) (active, deny bool) {
	table := ""
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		switch {
		case len(w) == 0:
		case strings.HasPrefix(w[0], "*"):
			table = w[0][1:]
		case table != "filter":
		case w[0] == ":INPUT" && len(w) > 1 && w[1] == "DROP":
			active, deny = true, true
		case len(w) > 2 && w[0] == "-A" && w[1] == "INPUT":
			active = true
			if w[2] == "-j" && len(w) > 3 { // a rule for everything
				if slices.Contains([]string{"DROP", "REJECT"}, w[3]) {
					return true, true
				}
				if w[3] == "ACCEPT" {
					return true, false
				}
			}
		}
	}
	return active, deny
}
