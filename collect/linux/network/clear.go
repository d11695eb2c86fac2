package network

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/service"
	"kakusho/fact"
)

// port is where a service of old waits.
type port struct {
	number uint16
	udp    bool
}

// Services that send passwords or contents in the clear, or trust whoever asks.
var (
	clearPorts = map[port]string{
		{21, false}: "ftp", {23, false}: "telnet", {69, true}: "tftp", {79, false}: "finger",
		{512, false}: "rexec", {513, false}: "rlogin", {514, false}: "rsh",
	}
	// Names in inetd.conf and xinetd.d.
	clearNames = map[string]string{
		"ftp": "ftp", "telnet": "telnet", "tftp": "tftp", "finger": "finger",
		"exec": "rexec", "rexec": "rexec", "login": "rlogin", "rlogin": "rlogin", "shell": "rsh", "rsh": "rsh",
	}
	clearUnits = map[string]string{
		"telnet.socket": "telnet", "telnetd.service": "telnet", "rsh.socket": "rsh", "rlogin.socket": "rlogin", "rexec.socket": "rexec",
		"tftp.socket": "tftp", "tftpd-hpa.service": "tftp", "atftpd.service": "tftp", "finger.socket": "finger",
		"proftpd.service": "ftp", "pure-ftpd.service": "ftp", "ypserv.service": "nis", "ypbind.service": "nis", "nis.service": "nis",
	}
)

func clearText(h collect.Host, t *service.Table, ls []listener, notSeen error) fact.Fact {
	const field = "insecure_services"
	l := h.Look()
	found, err := settings(l, t)
	if notSeen != nil && (h.Live || !collect.Missing(notSeen)) {
		err = errors.Join(err, notSeen)
	}
	for _, s := range ls {
		name, ok := clearPorts[port{s.Port, s.UDP()}]
		switch {
		case !ok, s.Loopback(), s.process == "sshd":
		case s.process == "vsftpd" && ftpSafe(l):
		default:
			found = append(found, name+": "+s.String())
		}
	}
	slices.Sort(found)
	out := []any{}
	for _, s := range slices.Compact(found) {
		out = append(out, s)
	}
	if err != nil { // what was found stands, but there may be more
		_, reason := collect.Status(err)
		return fact.Fact{Field: field, Status: fact.Truncated, Reason: reason, Value: out, Source: l.Sources()}
	}
	return collect.Saw(field, out, append(l.Sources(), t.Source())...)
}

// settings are the services that configuration starts.
func settings(l *collect.Look, t *service.Table) ([]string, error) {
	var out []string
	var faults error
	for _, u := range sortedKeys(clearUnits) {
		place, ok, err := t.Enabled(u)
		faults = errors.Join(faults, err)
		if ok {
			out = append(out, clearUnits[u]+": "+place)
		}
	}
	place, ok, err := t.Enabled("vsftpd.service")
	faults = errors.Join(faults, err)
	if ok && !ftpSafe(l) {
		out = append(out, "ftp: "+place)
	}
	for _, read := range []func(*collect.Look) ([]string, error){inetd, xinetd, snmp} {
		more, err := read(l)
		faults = errors.Join(faults, err)
		out = append(out, more...)
	}
	return out, faults
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// ftpSafe reports whether vsftpd insists on TLS for log in and data.
func ftpSafe(l *collect.Look) bool {
	for _, file := range []string{"/etc/vsftpd.conf", "/etc/vsftpd/vsftpd.conf"} {
		if conf, err := shell(l, file); err == nil && len(conf) > 0 {
			is := func(key string, def bool) bool {
				v, ok := conf[key]
				return !ok && def || strings.EqualFold(v, "yes")
			}
			return is("ssl_enable", false) && is("force_local_logins_ssl", true) && is("force_local_data_ssl", true) && !is("anonymous_enable", false)
		}
	}
	return false
}

// Service is one service of inetd or xinetd that is switched on.
type Service struct {
	Name string
	Line int
}

// ParseInetd reads inetd.conf.
func ParseInetd(b []byte) []Service {
	var out []Service
	for i, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if len(w) < 6 || strings.HasPrefix(w[0], "#") {
			continue
		}
		name := w[0][strings.LastIndexByte(w[0], ':')+1:] // "address:name"
		out = append(out, Service{name, i + 1})
	}
	return out
}

// ParseXinetd reads xinetd.conf or a file of xinetd.d.
func ParseXinetd(b []byte) []Service {
	var out []Service
	var s Service
	off := false
	for i, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		switch {
		case len(w) == 0 || strings.HasPrefix(w[0], "#"):
		case w[0] == "service" && len(w) > 1:
			s, off = Service{w[1], i + 1}, false
		case w[0] == "disable" && w[len(w)-1] == "yes":
			off = true
		case w[0] == "}":
			if s.Name != "" && !off {
				out = append(out, s)
			}
			s = Service{}
		}
	}
	return out
}

func inetd(l *collect.Look) ([]string, error) {
	return superserver(l, ParseInetd, "/etc/inetd.conf", "/etc/inetd.d/*")
}

func xinetd(l *collect.Look) ([]string, error) {
	return superserver(l, ParseXinetd, "/etc/xinetd.conf", "/etc/xinetd.d/*")
}

func superserver(l *collect.Look, parse func([]byte) []Service, patterns ...string) ([]string, error) {
	var out []string
	for _, pattern := range patterns {
		found, err := l.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			b, err := l.ReadFile(p)
			if err != nil {
				return nil, err
			}
			for _, s := range parse(b) {
				if name, ok := clearNames[path.Base(s.Name)]; ok {
					out = append(out, fmt.Sprintf("%s: %s:%d", name, p, s.Line))
				}
			}
		}
	}
	return out, nil
}

// snmp finds the community strings of SNMP versions 1 and 2c, which travel in
// the clear.
func snmp(l *collect.Look) ([]string, error) {
	var out []string
	for _, pattern := range []string{"/etc/snmp/snmpd.conf", "/etc/snmp/snmpd.conf.d/*.conf", "/var/lib/snmp/snmpd.conf"} {
		found, err := l.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			b, err := l.ReadSecret(p)
			if err != nil {
				return nil, err
			}
			for _, line := range ParseSNMP(b) {
				out = append(out, fmt.Sprintf("snmp v1/v2c: %s:%d", p, line))
			}
		}
	}
	return out, nil
}

// ParseSNMP lists the lines of a snmpd.conf that let others in by community
// string. The strings themselves are passwords and are not returned. An agent
// that hears only its own host lets in no others.
func ParseSNMP(b []byte) []int {
	var out []int
	local := false
	for i, line := range strings.Split(string(b), "\n") {
		w := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '\r' })
		if len(w) < 2 {
			continue
		}
		switch strings.ToLower(w[0]) {
		case "rocommunity", "rwcommunity", "rocommunity6", "rwcommunity6", "com2sec", "com2sec6", "com2secunix", "authcommunity":
			out = append(out, i+1)
		case "agentaddress":
			local = !slices.ContainsFunc(w[1:], func(a string) bool { return !loopbackAddress(a) })
		}
	}
	if local {
		return nil
	}
	return out
}

// loopbackAddress reads "udp:127.0.0.1:161" and "[::1]".
func loopbackAddress(s string) bool {
	for _, proto := range []string{"udp6:", "udp:", "tcp6:", "tcp:"} {
		s = strings.TrimPrefix(s, proto)
	}
	if rest, ok := strings.CutPrefix(s, "["); ok {
		s, _, _ = strings.Cut(rest, "]")
	} else if strings.Count(s, ":") == 1 {
		s, _, _ = strings.Cut(s, ":")
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.IsLoopback() || s == "localhost"
}
