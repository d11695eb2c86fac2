package posture

import (
	"fmt"
	"slices"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
)

var systemDerivations = map[string]derivation{
	"system-internet":              systemInternet,
	"system-internet-contradicted": systemInternetContradicted,
	"system-police-contradicted":   systemPoliceContradicted,
	"system-status":                systemStatus,
	"system-computers":             systemComputers,
	"system-silent-computers":      silentComputers,
	"system-pending-security":      systemPendingSecurity,
	"system-admins":                systemAdmins,
	"system-unmonitored":           unmonitored,
	"system-unacknowledged":        unacknowledged,
	"system-document-types":        documentTypes,
	"system-outdated-documents":    outdatedDocuments,
	"system-last-change":           lastChange,
	"document-first-change":        firstChange,
	"system-disposal-open":         disposalOpen,
	"system-disposal-done":         disposalDone,
	"system-contracts":             liveOf("contract", func(l *lookup, it *item) bool { return l.liveContract(it) }),
	"system-services":              liveOf("external-service", func(_ *lookup, it *item) bool { return declaredText(it, "status") == "in-use" }),
	"system-domains":               liveOf("domain", func(_ *lookup, it *item) bool { return declaredText(it, "status") == "in-use" }),
	"system-developments":          liveOf("development", statusIsNot("cancelled", "ended")),
	"system-procurements":          liveOf("procurement", statusIsNot("cancelled")),
	"contract-accounts":            contractAccounts,
	"contract-unpledged":           contractUnpledged,
	"medium-last-seen":             mediumLastSeen,
	"medium-seen-on":               mediumSeenOn,
	"medium-duplicate-serials":     duplicateSerials,
}

func statusIsNot(ended ...string) func(*lookup, *item) bool {
	return func(_ *lookup, it *item) bool { return !slices.Contains(ended, declaredText(it, "status")) }
}

// systemOf is the subject's system: itself, or the one it belongs to.
func (r *reading) systemOf(it *item) (*item, bool) {
	if it.kind.ID == "system" {
		return it, true
	}
	return r.l.of("system", it.row.System)
}

// internetFacts says what lines and machines show, declarations of the system
// left out.
func (r *reading) internetFacts(sys *item) tri {
	seen := no
	for _, line := range r.l.inSystem(sys, "line") {
		if declaredText(line, "status") == "in-service" && declaredBool(line, "internet") {
			r.note(line, "internet", line.declared["internet"])
			seen = yes
		}
	}
	for _, c := range r.l.inSystem(sys, "computer") {
		if r.l.live(c) && (r.is(c, "internet_declared") == yes || r.publicAddress(c) == yes) {
			seen = yes
		}
	}
	return seen
}

func systemInternet(r *reading, it *item) result {
	sys, ok := r.systemOf(it)
	if !ok {
		return cannot("no-entry: the subject's system is not registered")
	}
	declared := unsure
	if s := r.text(sys, "internet"); s != "" {
		declared = truth(s != "none")
	}
	return anyOf(declared, r.internetFacts(sys)).result("blank: nobody declared whether the system is connected")
}

func systemInternetContradicted(r *reading, it *item) result {
	return found(r.text(it, "internet") == "none" && r.internetFacts(it) == yes)
}

func systemPoliceContradicted(r *reading, it *item) result {
	if r.is(it, "connected_to_police") != no {
		return found(false)
	}
	for _, line := range r.l.inSystem(it, "line") {
		r.note(line, "police", line.declared["police"])
		if declaredText(line, "status") == "in-service" && (declaredBool(line, "police") || declaredText(line, "type") == "police-wan") {
			return found(true)
		}
	}
	for _, m := range r.l.inSystem(it, "medium") {
		for _, c := range r.seenOn(m) {
			if sys, ok := r.l.of("system", c.row.System); ok && sys != it && r.is(sys, "connected_to_police") == yes {
				return found(true)
			}
		}
	}
	return found(false)
}

func systemStatus(r *reading, it *item) result {
	sys, ok := r.systemOf(it)
	if !ok {
		return cannot("no-entry: the subject's system is not registered")
	}
	if s := r.text(sys, "status"); s != "" {
		return found(s)
	}
	return none("blank: the system has no status")
}

// inService lists the system's computers in service.
func (r *reading) inService(it *item) []*item {
	return slices.DeleteFunc(r.l.inSystem(it, "computer"), func(c *item) bool {
		r.note(c, "status", c.declared["status"])
		return declaredText(c, "status") != "in-service"
	})
}

func systemComputers(r *reading, it *item) result { return found(int64(len(r.inService(it)))) }

func silentComputers(r *reading, it *item) result {
	limit, ok := r.l.defaults["fresh.config"].Value.(time.Duration)
	if !ok {
		return cannot("no-parameter: fresh.config")
	}
	var out []string
	for _, c := range r.inService(it) {
		var last time.Time
		for _, cell := range c.observed {
			if cell.ObservedAt.After(last) {
				last = cell.ObservedAt
			}
		}
		if edge := last.Add(limit); edge.After(r.l.at) && !last.IsZero() {
			r.l.next = earlier(r.l.next, edge)
			continue
		}
		out = append(out, c.row.ID)
	}
	return texts(out)
}

func systemPendingSecurity(r *reading, it *item) result {
	sum := int64(0)
	for _, c := range r.inService(it) {
		n, ok, why := read[int64](r, c, "pending_security_count")
		if !ok {
			return cannot(why)
		}
		sum += n
	}
	return found(sum)
}

func systemAdmins(r *reading, it *item) result {
	var out []string
	for _, a := range r.l.inSystem(it, "account") {
		r.note(a, "admin", a.declared["admin"])
		if r.l.liveAccount(a) && declaredBool(a, "admin") {
			if p := declaredText(a, "person"); p != "" {
				out = append(out, "person/"+p)
			} else {
				out = append(out, a.row.ID)
			}
		}
	}
	return found(int64(len(textList(out))))
}

func unmonitored(r *reading, it *item) result {
	silence, ok := r.l.defaults["net.monitor.silence"].Value.(time.Duration)
	if !ok {
		silence = time.Hour
	}
	var out []*item
	for _, id := range []string{"network-device", "line"} {
		for _, x := range r.l.inSystem(it, id) {
			r.note(x, "monitored", x.declared["monitored"])
			if declaredText(x, "status") != "in-service" {
				continue
			}
			feed, _, _ := read[time.Time](r, x, "monitor_feed_at")
			fresh := !feed.IsZero() && r.l.within(time.Time{}, feed.Add(silence))
			if r.is(x, "monitored") != yes || !fresh {
				out = append(out, x)
			}
		}
	}
	return texts(refs(out))
}

func unacknowledged(r *reading, it *item) result {
	var out []string
	for _, a := range r.l.inSystem(it, "account") {
		p, ok := r.l.of("person", declaredText(a, "person"))
		if !ok || !r.l.liveAccount(a) {
			continue
		}
		if r.is(p, "notice_acknowledged") != yes {
			out = append(out, p.row.ID)
		}
	}
	return texts(out)
}

func (r *reading) current(it *item) []*item {
	return slices.DeleteFunc(r.l.inSystem(it, "document"), func(d *item) bool {
		r.note(d, "status", d.declared["status"])
		return declaredText(d, "status") != "current"
	})
}

func documentTypes(r *reading, it *item) result {
	var out []string
	for _, d := range r.current(it) {
		out = append(out, declaredText(d, "type"))
	}
	return texts(out)
}

func outdatedDocuments(r *reading, it *item) result {
	var out []string
	for _, d := range r.current(it) {
		if declaredBool(d, "generated") {
			continue
		}
		if c, ok := r.l.cell(d, "first_change_after"); ok && c.Fact.Status == fact.Observed {
			r.note(d, "first_change_after", c)
			out = append(out, d.row.ID)
		}
	}
	return texts(out)
}

// structural are the fields whose change makes a document of the system old.
var structural = map[string][]string{
	"computer":       {"listeners", "admins", "packages", "os_version", "interfaces", "log_forward_targets"},
	"network-device": {"firmware_version", "config_changed_on"},
	"database":       {"engine", "version"},
}

// changes lists the instants at which something structural in a system became as
// it is. What has been so since it was first seen is no change, but a new member is.
func (r *reading) changes(sys *item) []time.Time {
	var out []time.Time
	add := func(it *item, name string, c judge.Cell) {
		r.note(it, name, c)
		out = append(out, c.Since)
	}
	for kindID, fields := range structural {
		for _, it := range r.l.inSystem(sys, kindID) {
			if c, ok := it.declared[it.kind.Key]; ok {
				add(it, it.kind.Key, c) // entered
			}
			for _, name := range fields {
				c, ok := it.observed[name]
				if !ok {
					c, ok = it.declared[name]
				}
				if ok && c.Fact.Status == fact.Observed && !c.First.Equal(c.Since) {
					add(it, name, c)
				}
			}
		}
	}
	for name, c := range sys.declared {
		if c.Fact.Status == fact.Observed {
			add(sys, name, c)
		}
	}
	return out
}

func lastChange(r *reading, it *item) result {
	sys, ok := r.systemOf(it)
	if !ok {
		return cannot("no-entry: the subject's system is not registered")
	}
	var last time.Time
	for _, t := range r.changes(sys) {
		if t.After(last) {
			last = t
		}
	}
	if last.IsZero() {
		return none("no-entry: no change is known")
	}
	return found(last)
}

func firstChange(r *reading, it *item) result {
	sys, ok := r.systemOf(it)
	if !ok {
		return cannot("no-entry: the document's system is not registered")
	}
	revised, confirmed := declaredTime(it, "revised_on"), declaredTime(it, "confirmed_on")
	r.note(it, "revised_on", it.declared["revised_on"])
	if revised.IsZero() && confirmed.IsZero() {
		return cannot("blank: the document has no date")
	}
	from := revised.AddDate(0, 0, 1)
	if confirmed.After(from) {
		from = confirmed.AddDate(0, 0, 1)
	}
	var first time.Time
	for _, t := range r.changes(sys) {
		if t.After(from) {
			first = earlier(first, t)
		}
	}
	if first.IsZero() {
		return none("none: nothing changed since")
	}
	return found(first)
}

func disposalOpen(r *reading, it *item) result {
	return texts(keys(r.disposals(it, "open")))
}

func (r *reading) disposals(it *item, status string) []*item {
	return slices.DeleteFunc(r.l.inSystem(it, "disposal"), func(d *item) bool {
		r.note(d, "status", d.declared["status"])
		return declaredText(d, "status") != status
	})
}

func disposalDone(r *reading, it *item) result {
	whole := slices.ContainsFunc(r.disposals(it, "closed"), func(d *item) bool {
		s := declaredText(d, "subject")
		return s == "" || s == "system/"+it.row.ID
	})
	return found(whole && len(r.disposals(it, "open")) == 0)
}

func (l *lookup) liveContract(it *item) bool {
	return declaredText(it, "status") == "active" && l.inForce(it)
}

func liveOf(kindID string, live func(*lookup, *item) bool) derivation {
	return func(r *reading, it *item) result {
		return texts(keys(slices.DeleteFunc(r.l.inSystem(it, kindID), func(x *item) bool {
			r.note(x, "status", x.declared["status"])
			return !live(r.l, x)
		})))
	}
}

func contractAccounts(r *reading, it *item) result {
	return texts(keys(r.l.matching("account", func(a *item) bool {
		if declaredText(a, "contract") != it.row.ID {
			return false
		}
		r.note(a, "contract", a.declared["contract"])
		return r.l.liveAccount(a)
	})))
}

func contractUnpledged(r *reading, it *item) result {
	return texts(keys(r.l.matching("person", func(p *item) bool {
		if declaredText(p, "contract") != it.row.ID {
			return false
		}
		r.note(p, "pledge_on", p.declared["pledge_on"])
		return declaredText(p, "status") == "active" && declaredTime(p, "pledge_on").IsZero()
	})))
}

// seenOn lists the computers on which a medium is plugged in now.
func (r *reading) seenOn(m *item) []*item {
	serial := r.text(m, "serial")
	if serial == "" {
		return nil
	}
	return r.l.matching("computer", func(c *item) bool {
		list, _, _ := r.records(c, "removable_media")
		return slices.ContainsFunc(list, func(e map[string]any) bool {
			s, _ := e["serial"].(string)
			return len(minus([]string{s}, []string{serial})) == 0
		})
	})
}

func mediumSeenOn(r *reading, it *item) result {
	if r.text(it, "serial") == "" {
		return cannot("blank: the medium has no serial number")
	}
	return texts(refs(r.seenOn(it)))
}

func mediumLastSeen(r *reading, it *item) result {
	var last time.Time
	for _, c := range r.seenOn(it) {
		if t := c.observed["removable_media"].ObservedAt; t.After(last) {
			last = t
		}
	}
	if last.IsZero() {
		return none("none: not plugged into any machine that reports")
	}
	return found(last)
}

func duplicateSerials(r *reading, it *item) result {
	serial := r.text(it, "serial")
	if serial == "" {
		return texts(nil)
	}
	return texts(keys(r.l.matching("medium", func(m *item) bool {
		return m != it && len(minus([]string{declaredText(m, "serial")}, []string{serial})) == 0
	})))
}

// doneItems lists the topics of a list parameter that an entry answers with yes:
// the derived field "items_done" of contracts, procurements and developments.
func doneItems(answers map[string]func(*item) bool) derivation {
	return func(r *reading, it *item) result {
		var out []string
		for code, done := range answers {
			if done(it) {
				out = append(out, code)
			}
		}
		for _, f := range it.kind.Layer(kind.Declared) {
			r.note(it, f.Name, it.declared[f.Name])
		}
		return texts(out)
	}
}

func says(field string, values ...string) func(*item) bool {
	return func(it *item) bool {
		c := it.declared[field].Fact
		if c.Status != fact.Observed {
			return false
		}
		if len(values) == 0 {
			b, isBool := c.Value.(bool)
			return !isBool || b
		}
		return slices.Contains(values, fmt.Sprint(c.Value))
	}
}
