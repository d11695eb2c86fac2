package differ

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kakusho/bilingual"
	"kakusho/fact"
	"kakusho/posture"
)

// account looks for an account that is for no single computer or database: those that
// are, the computer or the database itself compares.
func (s *survey) account(a *posture.Subject) {
	if !is(a, "live") || text(a, "computer") != "" || text(a, "database") != "" {
		return
	}
	name := text(a, "name")
	if id := text(a, "network_device"); id != "" {
		s.wait(Account, fact.NewRef("network-device", id), bilingual.Say("この種別の識別コードは収集していない", "accounts of this kind of device are not collected"), a.Ref.ID()+" "+name)
		return
	}
	code, _ := a.Doubt("seen_on")
	seen, _ := a.Fact("seen_on")
	switch {
	case code == "" && len(texts(seen)) > 0, code != "" && s.namesIn(a.System)[plain(name)]:
	case code == "" && len(s.inSystem(a.System)) > 0:
		d := s.at(a.Ref, Account, Declared, name)
		d.timed(seen)
		d.Declared, d.Entry = bilingual.Say("システムの全ての機器で有効", "valid on every device of its system"), a.Ref
		s.judged(&d, a, "seen_on")
		s.add(d)
	default:
		w := bilingual.Say("システムに、照合する電子計算機がない", "its system has no computer to compare with")
		if c, all := s.looked(a.System, "accounts"); !all {
			w = dark(c, "accounts")
		} else if len(s.inSystem(a.System)) > 0 {
			code, reason := a.Doubt("seen_on")
			w = why(code, reason)
		}
		s.wait(Account, fact.NewRef("system", a.System), w, a.Ref.ID()+" "+name)
	}
}

// namesIn are the accounts that were seen anywhere in a system.
func (s *survey) namesIn(system string) map[string]bool {
	names, ok := s.names[system]
	if ok {
		return names
	}
	names = map[string]bool{}
	for _, x := range s.st.Members(system) {
		field := map[string]string{"computer": "accounts", "database": "roles"}[x.Kind.ID]
		if field == "" || x.Closed {
			continue
		}
		list, _ := records(x, field)
		for _, e := range list {
			name, _ := e["name"].(string)
			names[plain(name)] = true
		}
	}
	s.names[system] = names
	return names
}

// database compares a database with what was seen of it, or else of the machine it
// runs on.
func (s *survey) database(x *posture.Subject) {
	if !inService(x) {
		return
	}
	s.fields(x)
	s.lists(x, databaseLists)
	if code, _ := x.Doubt("engine"); code == "" {
		return // it was asked itself
	}
	d := s.at(x.Ref, Database, Unconfirmed, "seen")
	d.What, d.Entry = bilingual.Say("稼働", "Running"), x.Ref
	f, _ := x.Kind.Field("engine")
	if c, ok := x.Declared()["engine"]; ok {
		d.Declared = shown(f, c.Fact.Value)
	}
	host, ok := s.machineOf(x)
	en, known := engines[engineOf(x)]
	switch {
	case !ok:
		d.Why = bilingual.Say("稼働する電子計算機の登録がない", "no computer is registered for it")
	case !known:
		d.Why = bilingual.Say("種別から稼働の有無を確かめることができない", "of this engine the machine does not show whether it runs")
	case unable(host, "listeners").JA != "":
		d.Why = unable(host, "listeners")
	default:
		if s.runs(&d, host, en) {
			return
		}
	}
	s.add(d)
}

// runs reports whether a machine shows an engine; when it surely does not, the
// difference becomes one.
func (s *survey) runs(d *Difference, host *posture.Subject, en engine) bool {
	list, _ := records(host, "listeners")
	for _, e := range list {
		if process, _ := e["process"].(string); slices.Contains(en.processes, process) {
			return true
		}
	}
	cell, _ := host.Fact("listeners")
	d.timed(cell)
	packages, ok := records(host, "packages")
	switch {
	case en.packages == nil:
		d.Why = bilingual.Say("待受はないが、導入の有無を確かめることができない", "it does not listen; whether it is installed cannot be told")
	case !ok:
		d.Why = unable(host, "packages")
	case slices.ContainsFunc(packages, func(e map[string]any) bool {
		name, _ := e["name"].(string)
		return slices.ContainsFunc(en.packages, func(p string) bool { return strings.HasPrefix(name, p) })
	}):
		d.Why = bilingual.Say("導入されているが、待受がない", "it is installed, and does not listen")
	default:
		d.Side = Declared
		d.Observed = bilingual.Say(host.Ref.ID()+" に待受も導入もない", "neither listening nor installed on "+host.Ref.ID())
	}
	return false
}

// domain compares a domain name's settings, and looks for a certificate when it is the
// name of a web site of the body's own.
func (s *survey) domain(x *posture.Subject) {
	if !inService(x) {
		return
	}
	s.fields(x)
	if text(x, "status") != "in-use" || !is(x, "web") || is(x, "outsourced") || text(x, "external_service") != "" || len(s.inSystem(x.System)) == 0 {
		return
	}
	d := s.at(x.Ref, Domain, Unconfirmed, "certificate")
	d.What, d.Entry, d.Declared = bilingual.Say("ウェブサイトの証明書", "Certificate of the web site"), x.Ref, bilingual.Say("ウェブサイトに用いる", "used for a web site")
	every := true
	for _, c := range s.inSystem(x.System) {
		list, _ := records(c, "certificates")
		for _, e := range list {
			names, whole := certified(e)
			if slices.ContainsFunc(names, func(n string) bool { return within(n, plain(x.Ref.ID())) || within(plain(x.Ref.ID()), n) }) {
				return
			}
			every = every && whole
		}
		cell, _ := c.Fact("certificates")
		if d.SeenAt.IsZero() || cell.ObservedAt.Before(d.SeenAt) {
			d.timed(cell)
		}
	}
	if c, all := s.looked(x.System, "certificates"); !all {
		d.Why = dark(c, "certificates")
	} else if !every {
		d.Why = bilingual.Say("証明書のサーバ名が収集されていない", "server names of certificates were not collected")
	} else {
		d.Side = Declared
		d.Observed = bilingual.Say("システムのどの電子計算機にもない", "on no computer of its system")
	}
	s.add(d)
}

// key looks for a registered key where it is said to be.
func (s *survey) key(k *posture.Subject) {
	path := text(k, "storage")
	if text(k, "status") != "active" || is(k, "hsm") || !strings.HasPrefix(path, "/") {
		return
	}
	c, ok := s.machineOf(k)
	if !ok || !inService(c) {
		return
	}
	d := s.at(k.Ref, Key, Unconfirmed, path)
	d.Entry, d.Declared = k.Ref, same(c.Ref.ID()+" "+path)
	list, ok := records(c, "key_files")
	if !ok {
		d.Why = unable(c, "key_files")
		s.add(d)
		return
	}
	if slices.ContainsFunc(list, func(e map[string]any) bool { p, _ := e["path"].(string); return plain(p) == plain(path) }) {
		return
	}
	cell, _ := c.Fact("key_files")
	d.timed(cell)
	d.Side = Declared
	s.add(d)
}

// medium looks for a medium on the computers of its system. That it lies in its place
// is for those to say who count.
func (s *survey) medium(m *posture.Subject) {
	if !slices.Contains([]string{"in-custody", "loaned"}, text(m, "status")) {
		return
	}
	serial := plain(text(m, "serial"))
	home := fact.NewRef("system", m.System)
	if m.System == "" {
		home = fact.NewRef("unit", m.Unit)
	}
	switch {
	case serial == "":
		s.wait(Medium, home, bilingual.Say("製造番号の登録がない", "no serial number is registered"), m.Ref.ID())
		return
	case s.pluggedIn()[serial]:
		return
	case m.System == "":
		s.wait(Medium, home, bilingual.Say("システムの登録がない", "no system is registered"), m.Ref.ID())
		return
	}
	if c, all := s.looked(m.System, "removable_media"); !all {
		s.wait(Medium, home, dark(c, "removable_media"), m.Ref.ID())
		return
	}
	if len(s.inSystem(m.System)) == 0 {
		return
	}
	f, _ := m.Kind.Field("status")
	n, _ := m.Kind.Field("last_counted_on")
	counted, _ := m.Fact("last_counted_on")
	d := s.at(m.Ref, Medium, Declared, m.Ref.ID())
	d.Entry, d.Declared = m.Ref, bilingual.Say(f.Format(text(m, "status"), bilingual.JA), f.Format(text(m, "status"), bilingual.EN))
	if counted.Fact.Value != nil {
		d.Declared = bilingual.Say(d.Declared.JA+"、"+n.Label.JA+" "+n.Format(counted.Fact.Value, bilingual.JA), d.Declared.EN+", "+n.Label.EN+" "+n.Format(counted.Fact.Value, bilingual.EN))
	}
	d.Observed = bilingual.Say("システムのどの電子計算機にも接続されていない", "plugged into no computer of its system")
	for _, c := range s.inSystem(m.System) {
		if cell, ok := c.Fact("removable_media"); ok && (d.SeenAt.IsZero() || cell.ObservedAt.Before(d.SeenAt)) {
			d.timed(cell)
		}
	}
	s.add(d)
}

// pluggedIn are the serial numbers of media that are plugged into any computer.
func (s *survey) pluggedIn() map[string]bool {
	if s.plugged == nil {
		s.plugged = map[string]bool{}
		for _, c := range s.st.OfKind("computer") {
			list, _ := records(c, "removable_media")
			for _, e := range list {
				serial, _ := e["serial"].(string)
				s.plugged[plain(serial)] = true
			}
		}
	}
	return s.plugged
}

// installed is a package as the computers of a system have it.
type installed struct {
	versions map[string]bool
	on       []string
	first    posture.Cell // the oldest look
}

// software compares what is installed on a system's computers with what was approved
// for it.
func (s *survey) software(sys *posture.Subject) {
	machines := s.inSystem(sys.Ref.ID())
	if len(machines) == 0 || !inService(sys) {
		return
	}
	found := map[string]*installed{}
	for _, c := range machines {
		list, ok := records(c, "packages")
		if !ok {
			s.doubt(c, Software, "packages", "", "*")
			continue
		}
		cell, _ := c.Fact("packages")
		for _, e := range list {
			name, _ := e["name"].(string)
			version, _ := e["version"].(string)
			p := found[name]
			if p == nil {
				p = &installed{versions: map[string]bool{}, first: cell}
				found[name] = p
			}
			p.versions[version] = true
			p.on = append(p.on, c.Ref.ID())
			if cell.ObservedAt.Before(p.first.ObservedAt) {
				p.first = cell
			}
		}
	}
	approved, _ := sys.Fact("approved_software")
	patterns := texts(approved)
	if len(patterns) == 0 {
		if len(found) > 0 {
			d := s.at(sys.Ref, Software, Unconfirmed, "approved_software")
			d.What, d.Entry, d.Why = label(sys.Kind, "approved_software"), sys.Ref, bilingual.Say("承認済みのソフトウェアの登録がない", "no software was approved")
			d.Observed = bilingual.Say(fmt.Sprintf("%d種", len(found)), fmt.Sprintf("%d packages", len(found)))
			s.add(d)
		}
		return
	}
	s.unapprovedSoftware(sys, patterns, found)
	s.unusedSoftware(sys, patterns, found)
}

// covers reports whether an approved name is a package's.
func covers(pattern, name string) bool {
	if head, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, head)
	}
	return pattern == name
}

func (s *survey) unapprovedSoftware(sys *posture.Subject, patterns []string, found map[string]*installed) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if slices.ContainsFunc(patterns, func(p string) bool { return covers(p, name) }) {
			continue
		}
		p := found[name]
		slices.Sort(p.on)
		p.on = slices.Compact(p.on)
		d := s.at(sys.Ref, Software, Observed, name)
		d.timed(p.first)
		d.Entry = sys.Ref
		d.Mend = Mend{Field: "approved_software", Value: name}
		few := strings.Join(p.on[:min(3, len(p.on))], "、")
		d.Observed = bilingual.Say(fmt.Sprintf("%s（%d台：%s%s）", strings.Join(slices.Sorted(maps.Keys(p.versions)), "、"), len(p.on), few, map[bool]string{true: " ほか"}[len(p.on) > 3]),
			fmt.Sprintf("%s (on %d: %s%s)", strings.Join(slices.Sorted(maps.Keys(p.versions)), ", "), len(p.on), few, map[bool]string{true: " …"}[len(p.on) > 3]))
		s.add(d)
	}
}

func (s *survey) unusedSoftware(sys *posture.Subject, patterns []string, found map[string]*installed) {
	missing, all := s.looked(sys.Ref.ID(), "packages")
	for _, pattern := range patterns {
		used := false
		for name := range found {
			used = used || covers(pattern, name)
		}
		if used {
			continue
		}
		d := s.at(sys.Ref, Software, Declared, pattern)
		d.Entry, d.Declared = sys.Ref, bilingual.Say("承認済み", "approved")
		if !all {
			d.Side, d.Why = Unconfirmed, dark(missing, "packages")
			s.add(d)
			continue
		}
		d.Observed = bilingual.Say("システムのどの電子計算機にもない", "on no computer of the system")
		d.Mend = Mend{Field: "approved_software", Value: pattern, Take: true}
		for _, c := range s.inSystem(sys.Ref.ID()) {
			if cell, ok := c.Fact("packages"); ok && (d.SeenAt.IsZero() || cell.ObservedAt.Before(d.SeenAt)) {
				d.timed(cell)
			}
		}
		s.add(d)
	}
}
