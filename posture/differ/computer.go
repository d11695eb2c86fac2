package differ

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
)

// list is a derived field that compares a list of what was seen with a register.
type list struct {
	derived  string
	register string
	side     Side
	source   string // the field that was seen
}

var computerLists = []list{
	{"unregistered_accounts", Account, Observed, "accounts"}, {"unseen_accounts", Account, Declared, "accounts"},
	{"unregistered_admins", Administrator, Observed, "admins"}, {"unseen_admins", Administrator, Declared, "admins"},
	{"unapproved_listeners", Listener, Observed, "listeners"}, {"unregistered_media", Medium, Observed, "removable_media"},
	{"stray_keys", Key, Observed, "key_files"},
}

var databaseLists = []list{
	{"unregistered_accounts", Account, Observed, "roles"}, {"unseen_accounts", Account, Declared, "roles"},
	{"unregistered_admins", Administrator, Observed, "roles"}, {"unseen_admins", Administrator, Declared, "roles"},
}

func (s *survey) computer(c *posture.Subject) {
	if !inService(c) {
		s.ghost(c)
		return
	}
	if lastSeen(c).IsZero() {
		d := s.at(c.Ref, Computer, Unconfirmed, "*")
		d.What = bilingual.Say("全ての項目", "Everything")
		d.Why = why("missing", "")
		s.add(d)
	} else {
		s.fields(c)
	}
	s.lists(c, computerLists)
	s.silentListeners(c)
	s.strangeDatabases(c)
	s.strangeDomains(c)
}

// lastSeen is when anything of a subject was last observed; zero: never.
func lastSeen(sub *posture.Subject) (last time.Time) {
	for _, f := range sub.Kind.Layer(kind.Observed) {
		if c, ok := sub.Fact(f.Name); ok && c.ObservedAt.After(last) {
			last = c.ObservedAt
		}
	}
	return last
}

// ghost is a computer that was seen after it had been entered as disposed.
func (s *survey) ghost(c *posture.Subject) {
	status, _ := c.Fact("status")
	seen := lastSeen(c)
	if status.Fact.Value != "disposed" || !seen.After(status.Since) {
		return
	}
	f, _ := c.Kind.Field("status")
	d := s.at(c.Ref, Computer, Value, "status")
	d.What, d.Entry, d.SeenAt, d.Since = f.Label, c.Ref, seen, status.Since
	d.Declared, d.Observed = shown(f, "disposed"), bilingual.Say("稼働している", "running")
	s.add(d)
}

// lists are the differences that derived fields hold.
func (s *survey) lists(sub *posture.Subject, all []list) {
	doubted := map[string]bool{}
	for _, l := range all {
		cell, ok := sub.Fact(l.derived)
		if code, _ := sub.Doubt(l.derived); !ok || code != "" {
			if inService(sub) && !doubted[l.register] {
				s.doubt(sub, l.register, l.source, l.derived, "*")
			}
			doubted[l.register] = true
			continue
		}
		for _, key := range texts(cell) {
			d := s.at(sub.Ref, l.register, l.side, key)
			d.timed(cell)
			s.judged(&d, sub, l.derived)
			s.element(&d, sub, l)
			s.add(d)
		}
	}
}

// element says what one element of a list is, and what would mend it.
func (s *survey) element(d *Difference, sub *posture.Subject, l list) {
	switch l.register {
	case Account, Administrator:
		s.holder(d, sub, l)
	case Listener:
		d.Entry = sub.Ref
		d.Mend = Mend{Field: "approved_listeners", Value: d.Key}
		d.Observed = same(listening(sub, d.Key))
	case Medium:
		s.strangeMedium(d, sub)
	case Key:
		d.Observed = same(d.Key)
		d.Mend = Mend{New: Key, Fill: fill("system", sub.System, "computer", sub.Ref.ID(), "storage", d.Key)}
	}
}

// fill are the values a new entry begins with: names and values in turn, blank ones
// left out.
func fill(kv ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			m[kv[i]] = kv[i+1]
		}
	}
	return m
}

// holder is an account or an administrator.
func (s *survey) holder(d *Difference, sub *posture.Subject, l list) {
	entry := s.entryOf(sub, d.Key, l.side == Declared)
	if entry != nil {
		d.Entry = entry.Ref
		f, _ := entry.Kind.Field("status")
		d.Declared = shown(f, text(entry, "status"))
		if l.register == Administrator {
			a, _ := entry.Kind.Field("admin")
			d.Declared = bilingual.Say(a.Label.JA+"："+a.Format(is(entry, "admin"), bilingual.JA), a.Label.EN+": "+a.Format(is(entry, "admin"), bilingual.EN))
		}
	}
	if l.side == Declared {
		return
	}
	d.Observed = bilingual.Say("実在", "exists")
	admin := l.register == Administrator
	if admin {
		d.Observed = bilingual.Say("管理者権限あり", "has administrator rights")
	}
	if entry == nil {
		d.Mend = Mend{New: Account, Fill: fill("name", d.Key, "system", sub.System, sub.Kind.ID, sub.Ref.ID(), "admin", fmt.Sprint(admin), "status", "active")}
	}
}

// entryOf finds the register's entry of an account on a computer or database: one that
// is bound to it, else one of its system.
func (s *survey) entryOf(sub *posture.Subject, name string, bound bool) *posture.Subject {
	if s.accounts == nil {
		s.accounts = map[string][]*posture.Subject{}
		for _, a := range s.st.OfKind("account") {
			s.accounts[plain(text(a, "name"))] = append(s.accounts[plain(text(a, "name"))], a)
		}
	}
	var free *posture.Subject
	for _, a := range s.accounts[plain(name)] {
		switch {
		case text(a, sub.Kind.ID) == sub.Ref.ID():
			return a
		case a.System == sub.System && text(a, "computer")+text(a, "database")+text(a, "network_device") == "":
			free = a
		}
	}
	if bound {
		return nil
	}
	return free
}

// listening is who listens there.
func listening(c *posture.Subject, port string) string {
	var who []string
	list, _ := records(c, "listeners")
	for _, e := range list {
		if loop, _ := e["loopback"].(bool); !loop && plain(fmt.Sprintf("%v/%v", e["proto"], e["port"])) == plain(port) {
			address, _ := e["address"].(string)
			process, _ := e["process"].(string)
			who = append(who, strings.TrimSpace(address+" "+process))
		}
	}
	slices.Sort(who)
	return strings.Join(slices.Compact(who), "、")
}

// silentListeners are approved, and nothing listens there.
func (s *survey) silentListeners(c *posture.Subject) {
	approved, _ := c.Fact("approved_listeners")
	list, ok := records(c, "listeners")
	if !ok {
		return // unapproved listeners could not be told either, and that is said
	}
	var seen []string
	for _, e := range list {
		seen = append(seen, plain(fmt.Sprintf("%v/%v", e["proto"], e["port"])))
	}
	cell, _ := c.Fact("listeners")
	for _, port := range texts(approved) {
		if slices.Contains(seen, plain(port)) {
			continue
		}
		d := s.at(c.Ref, Listener, Declared, port)
		d.timed(cell)
		d.Declared, d.Entry = bilingual.Say("承認済み", "approved"), c.Ref
		d.Mend = Mend{Field: "approved_listeners", Value: port, Take: true}
		s.add(d)
	}
}

// strangeMedium is plugged in, and not in custody or on loan by the register.
func (s *survey) strangeMedium(d *Difference, c *posture.Subject) {
	list, _ := records(c, "removable_media")
	for _, e := range list {
		serial, _ := e["serial"].(string)
		if serial != d.Key && d.Key != fmt.Sprintf("no serial: %v", e["device"]) {
			continue
		}
		vendor, _ := e["vendor"].(string)
		model, _ := e["model"].(string)
		device, _ := e["device"].(string)
		d.Observed = same(strings.TrimSpace(strings.Join([]string{vendor, model, device}, " ")))
		d.Mend = Mend{New: Medium, Fill: fill("serial", serial, "vendor", vendor, "model", model, "system", c.System, "unit", d.Unit)}
	}
	if m := s.mediumOf(d.Key); m != nil {
		f, _ := m.Kind.Field("status")
		d.Declared, d.Entry, d.Mend = bilingual.Say(m.Ref.ID()+" "+f.Format(text(m, "status"), bilingual.JA), m.Ref.ID()+" "+f.Format(text(m, "status"), bilingual.EN)), m.Ref, Mend{}
	}
}

func (s *survey) mediumOf(serial string) *posture.Subject {
	if s.media == nil {
		s.media = map[string]*posture.Subject{}
		for _, m := range s.st.OfKind("medium") {
			if n := plain(text(m, "serial")); n != "" {
				s.media[n] = m
			}
		}
	}
	return s.media[plain(serial)]
}

// engine is how a database shows on the machine it runs on.
type engine struct {
	processes, packages []string // that listen; that hold it, by the beginning of their names
}

var engines = map[string]engine{
	"postgresql": {[]string{"postgres", "postmaster"}, []string{"postgresql-", "postgresql"}},
	"mariadb":    {[]string{"mariadbd", "mysqld"}, []string{"mariadb-server", "mysql-server", "mariadb-"}},
	"oracle":     {[]string{"tnslsnr", "oracle"}, nil},
	"sqlserver":  {[]string{"sqlservr"}, []string{"mssql-server"}},
}

// engineOf is a database's engine as it was seen, else as it is registered; empty: nobody
// knows.
func engineOf(x *posture.Subject) string {
	c, _ := x.Fact("engine")
	if code, _ := x.Doubt("engine"); code != "" {
		c = x.Declared()["engine"]
	}
	id, _ := c.Fact.Value.(string)
	return id
}

// strangeDatabases listen on a computer, and are not registered as running on it.
func (s *survey) strangeDatabases(c *posture.Subject) {
	list, ok := records(c, "listeners")
	if !ok {
		if text(c, "role") == "server" {
			s.doubt(c, Database, "listeners", "", "*")
		}
		return
	}
	known := map[string]bool{}
	for _, x := range s.st.Members(c.System) {
		if x.Kind.ID == "database" && !x.Closed && text(x, "computer") == c.Ref.ID() && text(x, "status") != "disposed" {
			known[engineOf(x)] = true
		}
	}
	cell, _ := c.Fact("listeners")
	told := map[string]bool{}
	for _, e := range list {
		process, _ := e["process"].(string)
		for id, en := range engines {
			if !slices.Contains(en.processes, process) || known[id] || known[""] || told[id] {
				continue
			}
			told[id] = true
			d := s.at(c.Ref, Database, Observed, id)
			d.timed(cell)
			d.Observed = same(fmt.Sprintf("%s %v/%v", process, e["proto"], e["port"]))
			d.Mend = Mend{New: Database, Fill: fill("system", c.System, "computer", c.Ref.ID(), "engine", id, "title", c.Name, "status", "in-service")}
			s.add(d)
		}
	}
}

// within reports whether a name is a domain name or under it.
func within(name, domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) }

// inside are the ends of names that nobody can register.
var inside = []string{"local", "localdomain", "localhost", "internal", "lan", "home", "corp", "intra", "arpa", "test", "example", "invalid"}

// certified are the names that a server's certificate is for; whole: none is missing.
func certified(e map[string]any) (names []string, whole bool) {
	if ca, _ := e["ca"].(bool); ca {
		return nil, true
	}
	more, whole := e["names"].(string)
	subject, _ := e["subject"].(string)
	for _, part := range strings.FieldsFunc(subject, func(c rune) bool { return c == ',' || c == '+' || c == '/' }) {
		if cn, ok := strings.CutPrefix(strings.TrimSpace(part), "CN="); ok {
			more += " " + cn
		}
	}
	for name := range strings.FieldsSeq(more) {
		name = strings.TrimPrefix(plain(name), "*.")
		last := name[strings.LastIndexByte(name, '.')+1:]
		if strings.Contains(name, ".") && !slices.Contains(inside, last) && strings.Trim(last, "abcdefghijklmnopqrstuvwxyz") == "" {
			names = append(names, name)
		}
	}
	return names, whole
}

// strangeDomains are names that a computer has certificates for, and nobody
// registered.
func (s *survey) strangeDomains(c *posture.Subject) {
	list, ok := records(c, "certificates")
	if !ok {
		if text(c, "role") == "server" {
			s.doubt(c, Domain, "certificates", "", "*")
		}
		return
	}
	if s.domains == nil {
		s.domains = []string{}
		for _, x := range s.st.OfKind("domain") {
			s.domains = append(s.domains, plain(x.Ref.ID()))
		}
	}
	cell, _ := c.Fact("certificates")
	told := map[string]bool{}
	for _, e := range list {
		names, _ := certified(e)
		for _, name := range names {
			if told[name] || slices.ContainsFunc(s.domains, func(d string) bool { return within(name, d) }) {
				continue
			}
			told[name] = true
			d := s.at(c.Ref, Domain, Observed, name)
			d.timed(cell)
			path, _ := e["path"].(string)
			d.Observed = bilingual.Say("証明書 "+path, "certificate "+path)
			d.Mend = Mend{New: Domain, Fill: fill("domain", name, "system", c.System, "web", "true", "status", "in-use")}
			s.add(d)
		}
	}
}

// unable is why a field of a computer cannot be gone by, or "".
func unable(c *posture.Subject, field string) bilingual.Text {
	code, reason := c.Doubt(field)
	if code == "" {
		return bilingual.Text{}
	}
	w := why(code, reason)
	l := label(c.Kind, field)
	return bilingual.Say(fmt.Sprintf("%s %s：%s", c.Ref.ID(), l.JA, w.JA), fmt.Sprintf("%s %s: %s", c.Ref.ID(), l.EN, w.EN))
}

// machineOf is the computer that an entry names.
func (s *survey) machineOf(sub *posture.Subject) (*posture.Subject, bool) {
	id := text(sub, "computer")
	if id == "" {
		return nil, false
	}
	return s.st.Subject(fact.NewRef("computer", id))
}
