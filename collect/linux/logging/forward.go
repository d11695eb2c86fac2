package logging

import (
	"net"
	"net/netip"
	"path"
	"regexp"
	"strings"

	"kakusho/collect"
)

func localHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func join(host, port, def string) string {
	if port == "" {
		port = def
	}
	return net.JoinHostPort(host, port)
}

func hostOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	rest, _, _ = strings.Cut(rest, "/")
	if host, _, err := net.SplitHostPort(rest); err == nil {
		return host
	}
	return strings.Trim(rest, "[]")
}

// target writes the address of a forwarder. TLS over TCP has a name of its own.
func target(proto, host, port, def string, tls bool) Target {
	proto = strings.ToLower(proto)
	if tls && proto == "tcp" {
		proto = "tls"
	}
	return Target{URL: proto + "://" + join(host, port, def), Encrypted: tls, Local: localHost(host)}
}

// rsyslog reads rsyslog.conf and what it includes.
func rsyslog(l *collect.Look) ([]Target, error) {
	b, err := l.ReadFile("/etc/rsyslog.conf")
	if collect.Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r Rsyslog
	if err := r.follow(l, b, 0); err != nil {
		return nil, err
	}
	return r.Targets, nil
}

func (r *Rsyslog) follow(l *collect.Look, b []byte, depth int) error {
	for _, pattern := range r.Parse(b) {
		found, err := l.Glob(pattern)
		if err != nil {
			return err
		}
		for _, p := range found {
			b, err := l.ReadFile(p)
			if err != nil {
				return err
			}
			if depth < 8 {
				if err := r.follow(l, b, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Rsyslog gathers where rsyslog sends, file after file; what one file sets
// holds in the next.
type Rsyslog struct {
	Targets []Target
	driver  string // network stream driver: "gtls" and "ossl" can encrypt
	mode    string // "1": it does
}

var (
	rsyslogObject = regexp.MustCompile(`(?is)\b(action|global|include)\s*\(((?:[^()"]|"(?:[^"\\]|\\.)*")*)\)`)
	rsyslogParam  = regexp.MustCompile(`(?is)([\w.]+)\s*=\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^\s")]+)`)
	rsyslogLegacy = regexp.MustCompile(`(?:^|[\s-])(@@?)(\([^)]*\))?(\[[0-9A-Fa-f:.%]+\]|[\w.-]+)(?::(\d+))?(?:;\S+)?\s*$`)
	quoted        = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// Parse reads one file, old and new syntax, and returns the patterns of the
// files it includes.
func (r *Rsyslog) Parse(b []byte) (includes []string) {
	text := uncomment(string(b))
	for _, o := range rsyslogObject.FindAllStringSubmatch(text, -1) {
		p := map[string]string{}
		for _, kv := range rsyslogParam.FindAllStringSubmatch(o[2], -1) {
			p[strings.ToLower(kv[1])] = strings.Trim(kv[2], `"`)
		}
		switch strings.ToLower(o[1]) {
		case "global":
			if d := p["defaultnetstreamdriver"]; d != "" {
				r.driver = d
			}
		case "include":
			if p["file"] != "" {
				includes = append(includes, p["file"])
			}
		case "action":
			r.action(p)
		}
	}
	text = rsyslogObject.ReplaceAllString(text, "")
	for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		includes = append(includes, r.legacy(strings.TrimSpace(line))...)
	}
	return includes
}

func (r *Rsyslog) action(p map[string]string) {
	var hosts []string
	if list, ok := strings.CutPrefix(p["target"], "["); ok {
		for _, h := range quoted.FindAllString(list, -1) {
			hosts = append(hosts, strings.Trim(h, `"`))
		}
	} else if p["target"] != "" {
		hosts = []string{p["target"]}
	}
	for _, host := range hosts {
		switch p["type"] {
		case "omfwd":
			driver, mode := p["streamdriver"], p["streamdrivermode"]
			if driver == "" {
				driver = r.driver
			}
			proto := p["protocol"]
			if proto == "" {
				proto = "udp"
			}
			r.Targets = append(r.Targets, target(proto, host, p["port"], "514", proto == "tcp" && encrypts(driver, mode)))
		case "omrelp":
			r.Targets = append(r.Targets, target("relp", host, p["port"], "514", strings.EqualFold(p["tls"], "on")))
		}
	}
}

func encrypts(driver, mode string) bool { return mode == "1" && (driver == "gtls" || driver == "ossl") }

func (r *Rsyslog) legacy(line string) (includes []string) {
	if strings.HasPrefix(line, "$") {
		w := strings.Fields(line)
		if len(w) < 2 {
			return nil
		}
		switch strings.ToLower(w[0]) {
		case "$includeconfig":
			return []string{w[1]}
		case "$defaultnetstreamdriver", "$actionsendstreamdriver":
			r.driver = w[1]
		case "$actionsendstreamdrivermode":
			r.mode = w[1]
		}
		return nil
	}
	if m := rsyslogLegacy.FindStringSubmatch(line); m != nil {
		proto, host := "udp", strings.Trim(m[3], "[]")
		if m[1] == "@@" {
			proto = "tcp"
		}
		r.Targets = append(r.Targets, target(proto, host, m[4], "514", proto == "tcp" && encrypts(r.driver, r.mode)))
	}
	return nil
}

// uncomment drops "#…" at the start of a line or after a blank, outside of
// quotes that close on the same line, and "/*…*/".
func uncomment(s string) string {
	var b strings.Builder
	for _, line := range strings.SplitAfter(s, "\n") {
		in := false
		end := len(line)
		for i := 0; i < len(line); i++ {
			if line[i] == '"' && (i == 0 || line[i-1] != '\\') {
				in = !in
			}
			if line[i] == '#' && !in && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
				end = i
				break
			}
		}
		b.WriteString(line[:end])
		if end < len(line) {
			b.WriteByte('\n')
		}
	}
	s = b.String()
	for {
		before, rest, ok := strings.Cut(s, "/*")
		_, after, closed := strings.Cut(rest, "*/")
		// "/var/log/*" in an include is no comment: nothing closes it.
		if !ok || !closed {
			return s
		}
		s = before + " " + after
	}
}

func syslogNG(l *collect.Look) ([]Target, error) {
	b, err := l.ReadFile("/etc/syslog-ng/syslog-ng.conf")
	if collect.Missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	more, err := l.Glob("/etc/syslog-ng/conf.d/*.conf")
	if err != nil {
		return nil, err
	}
	for _, m := range ngInclude.FindAllStringSubmatch(string(b), -1) {
		p := m[1]
		if !path.IsAbs(p) {
			p = "/etc/syslog-ng/" + p
		}
		found, err := l.Glob(p)
		if err != nil {
			return nil, err
		}
		more = append(more, found...)
	}
	for _, p := range more {
		c, err := l.ReadFile(p)
		if err != nil {
			return nil, err
		}
		b = append(append(b, '\n'), c...)
	}
	return ParseSyslogNG(b), nil
}

var (
	ngInclude     = regexp.MustCompile(`(?m)^\s*@include\s+"([^"]+\.conf)"`)
	ngDestination = regexp.MustCompile(`\bdestination\s+([\w.-]+)\s*\{`)
	ngUse         = regexp.MustCompile(`\bdestination\s*\(\s*"?([\w.-]+)"?\s*\)`)
	ngDriver      = regexp.MustCompile(`\b(network|syslog|tcp6?|udp6?)\s*\(\s*"([^"]+)"`)
	ngPort        = regexp.MustCompile(`\bport\s*\(\s*"?(\d+)"?\s*\)`)
	ngTransport   = regexp.MustCompile(`\btransport\s*\(\s*"?([\w-]+)"?\s*\)`)
)

// ParseSyslogNG finds the network destinations that some log path uses.
func ParseSyslogNG(b []byte) []Target {
	text := uncomment(string(b))
	used := map[string]bool{}
	for _, m := range ngUse.FindAllStringSubmatch(text, -1) {
		used[m[1]] = true
	}
	var out []Target
	for _, at := range ngDestination.FindAllStringSubmatchIndex(text, -1) {
		if !used[text[at[2]:at[3]]] {
			continue
		}
		body := balanced(text[at[1]:], '{', '}')
		for _, d := range ngDriver.FindAllStringSubmatchIndex(body, -1) {
			args := balanced(body[d[4]:], '(', ')')
			out = append(out, ngTarget(body[d[2]:d[3]], body[d[4]:d[5]], args))
		}
	}
	return out
}

func ngTarget(driver, host, args string) Target {
	proto := "tcp"
	switch {
	case strings.HasPrefix(driver, "udp"):
		proto = "udp"
	case driver == "network" || driver == "syslog":
		if m := ngTransport.FindStringSubmatch(args); m != nil {
			proto = m[1]
		}
	}
	tls := strings.Contains(proto, "tls")
	if tls {
		proto = "tcp"
	}
	port := ""
	if m := ngPort.FindStringSubmatch(args); m != nil {
		port = m[1]
	}
	return target(proto, host, port, "514", tls)
}

// balanced is what stands before the bracket that closes one already open.
func balanced(s string, open, shut byte) string {
	depth := 1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return s[:i]
			}
		}
	}
	return s
}
