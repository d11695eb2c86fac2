package event

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
)

// Names of fields that every door writes alike.
const (
	App      = "app"      // program that wrote the message
	PID      = "pid"      // its process
	Facility = "facility" // of syslog, by name
	MsgID    = "msgid"    // kind of message, in the source's own naming
	Peer     = "peer"     // address the message came from, when anybody could have sent it in another's name
)

// Classify fills in what is known of the source of e and not said: its class, and
// who, on what, from where and how it went. What stands in e already stays. An event
// of an unknown kind has no class; that is no fault.
func Classify(e *Event) {
	if e.Class != "" {
		return
	}
	if classifyWindows(e) || classifyAudit(e) || classifyPAM(e) {
		return
	}
	text := e.Text
	if len(text) > 4096 {
		text = text[:4096]
	}
	if text = strings.TrimLeft(text, " "); text == "" {
		return
	}
	name := program(e)
	if name == "kernel" {
		text = withoutUptime(text)
		if classifyFirewall(e, text) {
			return
		}
	}
	if !known.match(e, known.programs[name], text) && strings.Contains(text, "%") {
		known.match(e, known.programs["*"], text)
	}
}

// program is the name the rules have for who wrote e.
func program(e *Event) string {
	name := ""
	for _, field := range []string{App, "SYSLOG_IDENTIFIER", "_COMM", "service.name"} {
		if name = e.Fields[field]; name != "" {
			break
		}
	}
	if name == "" {
		name = e.Event
	}
	if _, of, found := strings.Cut(name, "/"); found && of != "" { // postfix/smtp
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	switch name {
	case "sshd-session", "sshd-auth":
		return "sshd"
	case "CRON", "crond":
		return "cron"
	case "postgresql":
		return "postgres"
	case "(squid-1)", "squid-1":
		return "squid"
	}
	return name
}

// withoutUptime is a kernel's message without the "[   12.345678] " before it.
func withoutUptime(text string) string {
	if rest, ok := strings.CutPrefix(text, "["); ok {
		if stamp, after, ok := strings.Cut(rest, "] "); ok && strings.Trim(stamp, " 0123456789.") == "" {
			return after
		}
	}
	return text
}

// classifyFirewall knows the lines of Linux's packet filter.
func classifyFirewall(e *Event, text string) bool {
	if !strings.Contains(text, "IN=") || !strings.Contains(text, " OUT=") || !strings.Contains(text, " SRC=") {
		return false
	}
	e.Class = Network
	before, _, _ := strings.Cut(text, "IN=")
	switch word := strings.ToUpper(before); {
	case strings.Contains(word, "DROP"), strings.Contains(word, "BLOCK"), strings.Contains(word, "REJECT"), strings.Contains(word, "DENY"):
		fill(&e.Result, Denied)
	case strings.Contains(word, "ACCEPT"), strings.Contains(word, "ALLOW"):
		fill(&e.Result, Success)
	}
	fill(&e.Source, pair(text, "SRC"))
	fill(&e.Object, pair(text, "DST"))
	return true
}

// classifyPAM knows the messages of PAM modules, "pam_unix(sshd:session): …".
func classifyPAM(e *Event) bool {
	if !strings.HasPrefix(e.Text, "pam_") {
		return false
	}
	head, text, ok := strings.Cut(e.Text, "): ")
	_, of, inside := strings.Cut(head, "(")
	service, what, both := strings.Cut(of, ":")
	if !ok || !inside || !both {
		return false
	}
	class, said := known.pam[service]
	if !said {
		class = known.pam["*"]
	}
	user := func(after string) string {
		_, rest, _ := strings.Cut(text, after)
		if i := strings.IndexAny(rest, " (,"); i >= 0 {
			rest = rest[:i]
		}
		return rest
	}
	switch {
	case what == "session" && strings.HasPrefix(text, "session opened for user "):
		e.Class = class
		fill(&e.Result, Success)
		fill(&e.Account, user("session opened for user "))
	case what == "session" && strings.HasPrefix(text, "session closed for user "):
		if class != "" {
			e.Class = Logout
		}
		fill(&e.Result, Success)
		fill(&e.Account, user("session closed for user "))
	case what == "auth" && strings.HasPrefix(text, "authentication failure"):
		if e.Class = class; class == Login {
			e.Class = LoginFailure
		}
		fill(&e.Result, Failure)
		fill(&e.Account, pair(text, "user"))
		fill(&e.Source, pair(text, "rhost"))
	default:
		return false // "password changed", by program
	}
	return true
}

// classifyAudit knows records of the Linux audit system, however they came.
func classifyAudit(e *Event) bool {
	text := e.Text
	kind := e.Fields["_AUDIT_TYPE_NAME"]
	if kind == "" {
		rest := text
		if after, ok := strings.CutPrefix(rest, "node="); ok {
			_, rest, _ = strings.Cut(after, " ")
		}
		after, ok := strings.CutPrefix(rest, "type=")
		if !ok {
			return false
		}
		kind, _, _ = strings.Cut(after, " ")
	}
	r, ok := known.audit[kind]
	if !ok {
		return false
	}
	if kind == "SYSCALL" {
		if byKey, ok := known.keys[pair(text, "key")]; ok {
			r = byKey
		}
	}
	result := auditResult(text)
	switch r.result {
	case "res":
		fill(&e.Result, result)
	case "failed": // the class is about failures only
		if fill(&e.Result, result); e.Result != Failure {
			r.class = ""
		}
	default:
		fill(&e.Result, Result(r.result))
	}
	if e.Class = r.class; e.Class == Login && e.Result == Failure {
		e.Class = LoginFailure
	}
	for _, key := range []string{"acct", "AUID", "auid"} {
		fill(&e.Account, auditValue(text, key))
	}
	fill(&e.Source, auditValue(text, "addr"))
	for _, key := range []string{"cmd", "exe", "id", "name"} {
		fill(&e.Object, auditValue(text, key))
	}
	return true
}

func auditResult(text string) Result {
	for _, key := range []string{"res", "success"} {
		switch pair(text, key) {
		case "success", "1", "yes":
			return Success
		case "failed", "0", "no":
			return Failure
		}
	}
	return ""
}

// auditValue is a value of a record; what has spaces or quotes comes in hexadecimal.
func auditValue(text, key string) string {
	v := pair(text, key)
	if v == "?" || v == "4294967295" || v == "unset" || v == "(null)" {
		return ""
	}
	if (key == "acct" || key == "cmd" || key == "name") && len(v) >= 2 && strings.Contains(text, key+"="+v) {
		if plain, err := hex.DecodeString(v); err == nil && strings.ToUpper(v) == v {
			return strings.ToValidUTF8(string(plain), "\uFFFD")
		}
	}
	return v
}

// pair is the value of key in "key=value key="value"…".
func pair(text, key string) string {
	for from := 0; ; {
		i := strings.Index(text[from:], key)
		if i < 0 {
			return ""
		}
		i += from
		from = i + len(key)
		if from == len(text) || text[from] != '=' || i > 0 && strings.IndexByte(" '\x1d(,;", text[i-1]) < 0 {
			continue
		}
		rest := text[from+1:]
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			value, _, _ := strings.Cut(quoted, `"`)
			return value
		}
		if end := strings.IndexAny(rest, " '\x1d,;)"); end >= 0 {
			rest = rest[:end]
		}
		return rest
	}
}

// classifyWindows knows events of the Windows event log, whoever forwarded them.
func classifyWindows(e *Event) bool {
	id, provider := "", ""
	for name, value := range e.Fields {
		switch name[strings.LastIndexByte(name, '.')+1:] {
		case "EventID", "event_id", "EventCode":
			id = value
		case "code":
			if strings.HasSuffix(name, "event.code") && id == "" {
				id = value
			}
		case "SourceName", "ProviderName", "provider_name", "Channel":
			if len(value) > len(provider) {
				provider = value
			}
		}
	}
	if id == "" {
		return false
	}
	for _, r := range known.windows[id] {
		if !strings.Contains(strings.ToLower(provider), strings.ToLower(r.provider)) {
			continue
		}
		e.Class = r.class
		fill(&e.Result, Result(r.result))
		fill(&e.Account, last(e, "TargetUserName", "SubjectUserName", "User", "AccountName"))
		fill(&e.Source, last(e, "IpAddress", "ClientAddress", "SourceAddress"))
		fill(&e.Object, last(e, "ObjectName", "NewProcessName", "ShareName", "ServiceName"))
		return true
	}
	return false
}

// last is the first value there is of fields whose names end so.
func last(e *Event, names ...string) string {
	for _, want := range names {
		for name, value := range e.Fields {
			if value != "" && value != "-" && (name == want || strings.HasSuffix(name, "."+want)) {
				return value
			}
		}
	}
	return ""
}

// fill puts value where nothing was said.
func fill[T ~string](to *T, value T) {
	if *to == "" {
		*to = value
	}
}

//go:embed classify.txt
var classifyText string

// known is classify.txt, read.
var known = readRules(classifyText)

type rules struct {
	programs map[string][]pattern
	audit    map[string]rule
	keys     map[string]rule
	windows  map[string][]rule
	pam      map[string]Class
}

type rule struct {
	class    Class
	result   string
	provider string
}

func readRules(text string) rules {
	r := rules{map[string][]pattern{}, map[string]rule{}, map[string]rule{}, map[string][]rule{}, map[string]Class{}}
	for n, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		class := Class(words[1])
		if class == "-" {
			class = ""
		}
		if class != "" && !class.Valid() {
			panic(fmt.Sprintf("classify.txt:%d: class %q", n+1, class))
		}
		where, name, _ := strings.Cut(words[0], ":")
		switch where {
		case "audit":
			r.audit[name] = rule{class: class, result: words[2]}
		case "key":
			r.keys[name] = rule{class: class, result: words[2]}
		case "pam":
			r.pam[name] = class
		case "windows":
			r.windows[name] = append(r.windows[name], rule{class, strings.Trim(words[2], "-"), strings.Join(words[3:], " ")})
		default:
			rest := line
			for _, w := range words[:3] {
				rest = strings.TrimLeft(rest[strings.Index(rest, w)+len(w):], " ")
			}
			p := newPattern(rest)
			p.class, p.result = class, Result(words[2])
			if !p.result.Valid() {
				panic(fmt.Sprintf("classify.txt:%d: result %q", n+1, p.result))
			}
			r.programs[words[0]] = append(r.programs[words[0]], p)
		}
	}
	return r
}

// match fills e from the first pattern that fits text.
func (rules) match(e *Event, patterns []pattern, text string) bool {
	for i := range patterns {
		p := &patterns[i]
		var got found
		if !p.match(text, &got) {
			continue
		}
		e.Class = p.class
		fill(&e.Result, p.result)
		if got.account != "-" {
			fill(&e.Account, got.account)
		}
		fill(&e.Source, got.source)
		fill(&e.Object, got.object)
		return true
	}
	return false
}
