// Package logging tells what a host records, where the records go, how long
// they stay and who could touch them.
//
// "Active" is what runs; in a root that is not running, a daemon that nothing
// would start is known to be inactive and the rest is unknown. Forwarding is
// read from the configuration of rsyslog, syslog-ng, systemd-journal-upload and
// audisp-remote and counts only if its daemon is not known to be stopped; of
// other shippers only the presence is seen, and then forwarding is unknown.
// Retention is what logrotate or journald is told to keep by time: what is
// bounded by size alone has no retention that could be told.
package logging

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/dropin"
	"kakusho/collect/linux/service"
	"kakusho/fact"
)

// Collector brings the group log.
func Collector() collect.Collector {
	return collect.Collector{Group: "log", Version: "1", Collect: func(ctx context.Context, h collect.Host) []fact.Fact {
		t := service.On(h)
		out := audit(h, t)
		out = append(out, journal(h, t), syslog(t))
		out = append(out, forwarding(h, t)...)
		out = append(out, retention(h), free(h), unsafe(ctx, h))
		return append(out, records(ctx, h)...)
	}}
}

var errNotRunning = errors.New("not running: this root shows no processes")

// active tells whether a daemon runs, or would.
func active(t *service.Table, names, units []string) (bool, error) {
	_, ok, err := t.Running(names...)
	if !errors.Is(err, service.ErrNoProcesses) {
		return ok, err
	}
	_, ok, err = t.Enabled(units...)
	if err == nil && ok {
		err = errNotRunning
	}
	return false, err
}

func activeFact(field string, t *service.Table, names, units []string) fact.Fact {
	ok, err := active(t, names, units)
	if err != nil {
		return collect.Failed(field, err)
	}
	return collect.Saw(field, ok, t.Source())
}

var (
	syslogNames = []string{"rsyslogd", "syslog-ng", "syslogd", "metalog", "socklog"}
	syslogUnits = []string{"rsyslog.service", "syslog-ng.service", "syslog.service", "inetutils-syslogd.service"}
)

func syslog(t *service.Table) fact.Fact {
	return activeFact("syslog_active", t, syslogNames, syslogUnits)
}

func journal(h collect.Host, t *service.Table) fact.Fact {
	const field = "journald_persistent"
	l := h.Look()
	installed := false
	for _, p := range []string{"/usr/lib/systemd/systemd-journald", "/lib/systemd/systemd-journald"} {
		ok, err := l.Exists(p)
		if err != nil {
			return collect.Failed(field, err)
		}
		installed = installed || ok
	}
	if !installed {
		return collect.None(field, "no journal: systemd-journald is not installed")
	}
	if _, ok, err := t.Running("systemd-journald"); err == nil && !ok {
		return collect.Saw(field, false, t.Source()) // whatever is configured, nothing is written
	}
	conf, err := dropin.Settings(l, "journald.conf", dropin.Folders...)
	if err != nil {
		return collect.Failed(field, err)
	}
	storage := "auto"
	if s, ok := dropin.Last(conf, "Journal", "Storage"); ok && s.Value != "" {
		storage = s.Value
	}
	switch storage {
	case "persistent":
		return collect.Saw(field, true, l.Sources()...)
	case "auto":
		ok, err := l.Exists("/var/log/journal")
		if err != nil {
			return collect.Failed(field, err)
		}
		return collect.Saw(field, ok, append(l.Sources(), fact.Source{Kind: "file", Ref: "/var/log/journal"})...)
	}
	return collect.Saw(field, false, l.Sources()...)
}

// Target is one place logs are sent to.
type Target struct {
	URL       string // "tcp://log.example.jp:514"
	Encrypted bool
	Local     bool // on the host itself
}

// shippers send logs by configuration that is not read here.
var shippers = []string{
	"fluent-bit", "fluentd", "td-agent", "filebeat", "journalbeat", "auditbeat", "elastic-agent", "vector", "promtail", "alloy",
	"nxlog", "splunkd", "wazuh-agentd", "ossec-agentd", "otelcol", "otelcol-contrib", "amazon-cloudwatch-agent", "google_cloud_ops_agent",
}

func forwarding(h collect.Host, t *service.Table) []fact.Fact {
	l := h.Look()
	targets, err := targets(l, t)
	if err != nil {
		return unknownForwarding(err, l.Sources())
	}
	list := []any{}
	away, encrypted := false, true
	for _, x := range targets {
		list = append(list, x.URL)
		if !x.Local {
			away, encrypted = true, encrypted && x.Encrypted
		}
	}
	if !away {
		p, ok, err := t.Running(shippers...)
		if err != nil && !errors.Is(err, service.ErrNoProcesses) {
			return unknownForwarding(err, l.Sources())
		}
		if ok {
			return unknownForwarding(fmt.Errorf("no reader: %s runs, and where it sends is not known", p.Name), l.Sources())
		}
	}
	src := l.Sources()
	out := []fact.Fact{collect.Saw("log_forwarded", away, src...), collect.Saw("log_forward_targets", list, src...)}
	if !away {
		return append(out, collect.None("log_forward_encrypted", "not forwarded", src...))
	}
	return append(out, collect.Saw("log_forward_encrypted", encrypted, src...))
}

func unknownForwarding(err error, src []fact.Source) []fact.Fact {
	return []fact.Fact{
		collect.Failed("log_forwarded", err, src...), collect.Failed("log_forward_targets", err, src...),
		collect.Failed("log_forward_encrypted", err, src...),
	}
}

// targets asks each forwarder that is not known to be stopped.
func targets(l *collect.Look, t *service.Table) ([]Target, error) {
	var out []Target
	for _, f := range []struct {
		names, units []string
		read         func(*collect.Look) ([]Target, error)
	}{
		{[]string{"rsyslogd"}, []string{"rsyslog.service"}, rsyslog},
		{[]string{"syslog-ng"}, []string{"syslog-ng.service"}, syslogNG},
		{[]string{"systemd-journal-upload"}, []string{"systemd-journal-upload.service"}, upload},
		{[]string{"audisp-remote", "auditd"}, []string{"auditd.service"}, audispRemote},
	} {
		ok, err := active(t, f.names, f.units)
		if err != nil && !errors.Is(err, errNotRunning) {
			return nil, err
		}
		if !ok && err == nil {
			continue
		}
		more, err := f.read(l)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	slices.SortFunc(out, func(a, b Target) int { return strings.Compare(a.URL, b.URL) })
	return slices.Compact(out), nil
}

func upload(l *collect.Look) ([]Target, error) {
	conf, err := dropin.Settings(l, "journal-upload.conf", dropin.Folders...)
	if err != nil {
		return nil, err
	}
	s, ok := dropin.Last(conf, "Upload", "URL")
	if !ok || s.Value == "" {
		return nil, nil
	}
	url := s.Value
	if !strings.Contains(url, "://") {
		url = "https://" + url // journal-upload's own default
	}
	return []Target{{URL: url, Encrypted: strings.HasPrefix(url, "https://"), Local: localHost(hostOf(url))}}, nil
}

// audispRemote sends audit records by its own protocol, in the clear unless
// Kerberos is on.
func audispRemote(l *collect.Look) ([]Target, error) {
	on := false
	for _, p := range []string{"/etc/audit/plugins.d/au-remote.conf", "/etc/audisp/plugins.d/au-remote.conf"} {
		conf, err := pairs(l, p)
		if err != nil {
			return nil, err
		}
		on = on || strings.EqualFold(conf["active"], "yes")
	}
	if !on {
		return nil, nil
	}
	for _, p := range []string{"/etc/audit/audisp-remote.conf", "/etc/audisp/audisp-remote.conf"} {
		conf, err := pairs(l, p)
		if err != nil {
			return nil, err
		}
		if host := conf["remote_server"]; host != "" {
			secure := strings.EqualFold(conf["transport"], "krb5") || strings.EqualFold(conf["enable_krb5"], "yes")
			return []Target{{URL: "audit://" + join(host, conf["port"], "60"), Encrypted: secure, Local: localHost(host)}}, nil
		}
	}
	return nil, nil
}

// pairs reads "key = value" lines, keys in lower case.
func pairs(l *collect.Look, file string) (map[string]string, error) {
	b, err := l.ReadFile(file)
	if collect.Missing(err) {
		return map[string]string{}, nil
	}
	out := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		k, v, ok := strings.Cut(line, "=")
		if k = strings.ToLower(strings.TrimSpace(k)); ok && !strings.HasPrefix(k, "#") {
			out[k] = strings.TrimSpace(v)
		}
	}
	return out, err
}
