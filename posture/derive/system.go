package derive

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/posture/people"
)

var systemDerivations = map[string]posture.Derivation{
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
	"system-contracts":             liveOf("contract", func(l *posture.Lookup, it *posture.Item) bool { return people.LiveContract(l, it) }),
	"system-services":              liveOf("external-service", func(_ *posture.Lookup, it *posture.Item) bool { return posture.DeclaredText(it, "status") == "in-use" }),
	"system-domains":               liveOf("domain", func(_ *posture.Lookup, it *posture.Item) bool { return posture.DeclaredText(it, "status") == "in-use" }),
	"system-developments":          liveOf("development", statusIsNot("cancelled", "ended")),
	"system-procurements":          liveOf("procurement", statusIsNot("cancelled")),
	"contract-accounts":            contractAccounts,
	"contract-unpledged":           contractUnpledged,
	"medium-last-seen":             mediumLastSeen,
	"medium-seen-on":               mediumSeenOn,
	"medium-duplicate-serials":     duplicateSerials,
}

func statusIsNot(ended ...string) func(*posture.Lookup, *posture.Item) bool {
	return func(_ *posture.Lookup, it *posture.Item) bool {
		return !slices.Contains(ended, posture.DeclaredText(it, "status"))
	}
}

// systemOf is the subject's system: itself, or the one it belongs to.
func systemOf(r *posture.Reading, it *posture.Item) (*posture.Item, bool) {
	if it.Kind.ID == "system" {
		return it, true
	}
	return r.L.Of("system", it.Row.System)
}

// internetFacts says what lines and machines show, declarations of the system
// left out. What it rests on is those that show a connection: a machine that has
// stopped reporting takes nothing away from the others.
func internetFacts(r *posture.Reading, sys *posture.Item) posture.Tri {
	seen := posture.No
	for _, line := range r.L.InSystem(sys, "line") {
		if posture.DeclaredText(line, "status") == "in-service" && posture.DeclaredBool(line, "internet") {
			r.Note(line, "internet", line.Declared["internet"])
			seen = posture.Yes
		}
	}
	connected := func(r *posture.Reading, c *posture.Item) bool {
		return r.Is(c, "internet_declared") == posture.Yes || publicAddress(r, c) == posture.Yes
	}
	for _, c := range r.L.InSystem(sys, "computer") {
		if people.Live(r.L, c) && connected(&posture.Reading{L: r.L}, c) && connected(r, c) {
			seen = posture.Yes
		}
	}
	return seen
}

func systemInternet(r *posture.Reading, it *posture.Item) posture.Result {
	sys, ok := systemOf(r, it)
	if !ok {
		return posture.Cannot("no-entry: the subject's system is not registered")
	}
	declared := posture.Unsure
	if s := r.Text(sys, "internet"); s != "" {
		declared = posture.Truth(s != "none")
	}
	if declared == posture.Yes {
		return posture.Found(true) // no evidence can be too old for it
	}
	return posture.AnyOf(declared, internetFacts(r, sys)).Result("blank: nobody declared whether the system is connected")
}

func systemInternetContradicted(r *posture.Reading, it *posture.Item) posture.Result {
	return posture.Found(r.Text(it, "internet") == "none" && internetFacts(r, it) == posture.Yes)
}

func systemPoliceContradicted(r *posture.Reading, it *posture.Item) posture.Result {
	if r.Is(it, "connected_to_police") != posture.No {
		return posture.Found(false)
	}
	for _, line := range r.L.InSystem(it, "line") {
		r.Note(line, "police", line.Declared["police"])
		if posture.DeclaredText(line, "status") == "in-service" && (posture.DeclaredBool(line, "police") || posture.DeclaredText(line, "type") == "police-wan") {
			return posture.Found(true)
		}
	}
	for _, m := range r.L.InSystem(it, "medium") {
		for _, c := range seenOn(r, m) {
			if sys, ok := r.L.Of("system", c.Row.System); ok && sys != it && r.Is(sys, "connected_to_police") == posture.Yes {
				return posture.Found(true)
			}
		}
	}
	return posture.Found(false)
}

func systemStatus(r *posture.Reading, it *posture.Item) posture.Result {
	sys, ok := systemOf(r, it)
	if !ok {
		return posture.Cannot("no-entry: the subject's system is not registered")
	}
	if s := r.Text(sys, "status"); s != "" {
		return posture.Found(s)
	}
	return posture.None("blank: the system has no status")
}

// inService lists the system's computers in service.
func inService(r *posture.Reading, it *posture.Item) []*posture.Item {
	return slices.DeleteFunc(r.L.InSystem(it, "computer"), func(c *posture.Item) bool {
		r.Note(c, "status", c.Declared["status"])
		return posture.DeclaredText(c, "status") != "in-service"
	})
}

func systemComputers(r *posture.Reading, it *posture.Item) posture.Result {
	return posture.Found(int64(len(inService(r, it))))
}

func silentComputers(r *posture.Reading, it *posture.Item) posture.Result {
	limit, ok := r.L.Defaults["fresh.config"].Value.(time.Duration)
	if !ok {
		return posture.Cannot("no-parameter: fresh.config")
	}
	var out []string
	for _, c := range inService(r, it) {
		var last time.Time
		for _, cell := range c.Observed {
			if cell.ObservedAt.After(last) {
				last = cell.ObservedAt
			}
		}
		if edge := last.Add(limit); edge.After(r.L.At) && !last.IsZero() {
			r.L.Next = posture.Earlier(r.L.Next, edge)
			continue
		}
		out = append(out, c.Row.ID)
	}
	return posture.Texts(out)
}

func systemPendingSecurity(r *posture.Reading, it *posture.Item) posture.Result {
	sum := int64(0)
	for _, c := range inService(r, it) {
		n, ok, why := posture.Read[int64](r, c, "pending_security_count")
		if !ok {
			return posture.Cannot(why)
		}
		sum += n
	}
	return posture.Found(sum)
}

func systemAdmins(r *posture.Reading, it *posture.Item) posture.Result {
	var out []string
	for _, a := range r.L.InSystem(it, "account") {
		r.Note(a, "admin", a.Declared["admin"])
		if people.LiveAccount(r.L, a) && posture.DeclaredBool(a, "admin") {
			if p := posture.DeclaredText(a, "person"); p != "" {
				out = append(out, "person/"+p)
			} else {
				out = append(out, a.Row.ID)
			}
		}
	}
	return posture.Found(int64(len(posture.TextList(out))))
}

func unmonitored(r *posture.Reading, it *posture.Item) posture.Result {
	silence, ok := r.L.Defaults["net.monitor.silence_alarm"].Value.(time.Duration)
	if !ok {
		return posture.Cannot("no-parameter: net.monitor.silence_alarm")
	}
	var out []*posture.Item
	for _, id := range []string{"network-device", "line"} {
		for _, x := range r.L.InSystem(it, id) {
			r.Note(x, "monitored", x.Declared["monitored"])
			if posture.DeclaredText(x, "status") != "in-service" {
				continue
			}
			feed, _, _ := posture.Read[time.Time](r, x, "monitor_feed_at")
			fresh := !feed.IsZero() && r.L.Within(time.Time{}, feed.Add(silence))
			if r.Is(x, "monitored") != posture.Yes || !fresh {
				out = append(out, x)
			}
		}
	}
	return posture.Texts(posture.Refs(out))
}

func unacknowledged(r *posture.Reading, it *posture.Item) posture.Result {
	var out []string
	users := 0
	for _, a := range r.L.InSystem(it, "account") {
		p, ok := r.L.Of("person", posture.DeclaredText(a, "person"))
		if !ok || !people.LiveAccount(r.L, a) {
			continue
		}
		users++
		if r.Is(p, "notice_acknowledged") != posture.Yes {
			out = append(out, p.Row.ID)
		}
	}
	if users == 0 { // a register nobody has filled in informs nobody
		return posture.Cannot("no live account of the system is registered with its holder")
	}
	return posture.Texts(out)
}

func current(r *posture.Reading, it *posture.Item) []*posture.Item {
	return slices.DeleteFunc(r.L.InSystem(it, "document"), func(d *posture.Item) bool {
		r.Note(d, "status", d.Declared["status"])
		return posture.DeclaredText(d, "status") != "current"
	})
}

func documentTypes(r *posture.Reading, it *posture.Item) posture.Result {
	var out []string
	for _, d := range current(r, it) {
		out = append(out, posture.DeclaredText(d, "type"))
	}
	return posture.Texts(out)
}

func outdatedDocuments(r *posture.Reading, it *posture.Item) posture.Result {
	var out []string
	for _, d := range current(r, it) {
		if posture.DeclaredBool(d, "generated") {
			continue
		}
		if c, ok := r.L.Cell(d, "first_change_after"); ok && c.Fact.Status == fact.Observed {
			r.Note(d, "first_change_after", c)
			out = append(out, d.Row.ID)
		}
	}
	return posture.Texts(out)
}

// structural are the fields whose change makes a document of the system old.
var structural = map[string][]string{
	"computer":       {"listeners", "admins", "packages", "os_version", "interfaces", "log_forward_targets"},
	"network-device": {"firmware_version", "config_changed_on"},
	"database":       {"engine", "version"},
	"system": {"purpose", "unit", "officer", "maintainer", "contact", "status", "information", "configuration", "confidentiality",
		"integrity", "availability", "internet", "connected_to_police", "remote_access", "remote_route", "byod_allowed",
		"mail_to_outside", "mail_received", "web_public", "external_service_used", "login_method"},
}

// changes lists the instants at which something structural in a system became as
// it is. What has been so since it was first seen is no change, but a new member is.
func changes(r *posture.Reading, sys *posture.Item) []time.Time {
	var out []time.Time
	add := func(it *posture.Item, name string, c judge.Cell) {
		r.Note(it, name, c)
		out = append(out, c.Since)
	}
	for _, kindID := range slices.Sorted(maps.Keys(structural)) { // in one order, so that the lineage is the same each time
		fields := structural[kindID]
		for _, it := range r.L.InSystem(sys, kindID) {
			if c, ok := it.Declared[it.Kind.Key]; ok {
				add(it, it.Kind.Key, c) // entered
			}
			for _, name := range fields {
				c, ok := it.Observed[name]
				if !ok {
					c, ok = it.Declared[name]
				}
				if ok && c.Fact.Status == fact.Observed && !c.First.Equal(c.Since) {
					add(it, name, c)
				}
			}
		}
	}
	return out
}

func lastChange(r *posture.Reading, it *posture.Item) posture.Result {
	sys, ok := systemOf(r, it)
	if !ok {
		return posture.Cannot("no-entry: the subject's system is not registered")
	}
	var last time.Time
	for _, t := range changes(r, sys) {
		if t.After(last) {
			last = t
		}
	}
	if last.IsZero() {
		return posture.None("no-entry: no change is known")
	}
	return posture.Found(last)
}

func firstChange(r *posture.Reading, it *posture.Item) posture.Result {
	sys, ok := systemOf(r, it)
	if !ok {
		return posture.Cannot("no-entry: the document's system is not registered")
	}
	revised, confirmed := posture.DeclaredTime(it, "revised_on"), posture.DeclaredTime(it, "confirmed_on")
	r.Note(it, "revised_on", it.Declared["revised_on"])
	if revised.IsZero() && confirmed.IsZero() {
		return posture.Cannot("blank: the document has no date")
	}
	from := revised.AddDate(0, 0, 1)
	if confirmed.After(revised) {
		from = confirmed.AddDate(0, 0, 1)
	}
	var first time.Time
	for _, t := range changes(r, sys) {
		if t.After(from) {
			first = posture.Earlier(first, t)
		}
	}
	if first.IsZero() {
		return posture.None("none: nothing changed since")
	}
	return posture.Found(first)
}

func disposalOpen(r *posture.Reading, it *posture.Item) posture.Result {
	return posture.Texts(posture.Keys(disposals(r, it, "open")))
}

func disposals(r *posture.Reading, it *posture.Item, status string) []*posture.Item {
	return slices.DeleteFunc(r.L.InSystem(it, "disposal"), func(d *posture.Item) bool {
		r.Note(d, "status", d.Declared["status"])
		return posture.DeclaredText(d, "status") != status
	})
}

func disposalDone(r *posture.Reading, it *posture.Item) posture.Result {
	whole := slices.ContainsFunc(disposals(r, it, "closed"), func(d *posture.Item) bool {
		s := posture.DeclaredText(d, "subject")
		return s == "" || s == "system/"+it.Row.ID
	})
	return posture.Found(whole && len(disposals(r, it, "open")) == 0)
}

func liveOf(kindID string, live func(*posture.Lookup, *posture.Item) bool) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		return posture.Texts(posture.Keys(slices.DeleteFunc(r.L.InSystem(it, kindID), func(x *posture.Item) bool {
			r.Note(x, "status", x.Declared["status"])
			return !live(r.L, x)
		})))
	}
}

func contractAccounts(r *posture.Reading, it *posture.Item) posture.Result {
	return posture.Texts(posture.Keys(r.L.Matching("account", func(a *posture.Item) bool {
		if posture.DeclaredText(a, "contract") != it.Row.ID {
			return false
		}
		r.Note(a, "contract", a.Declared["contract"])
		return people.LiveAccount(r.L, a)
	})))
}

func contractUnpledged(r *posture.Reading, it *posture.Item) posture.Result {
	return posture.Texts(posture.Keys(r.L.Matching("person", func(p *posture.Item) bool {
		if posture.DeclaredText(p, "contract") != it.Row.ID {
			return false
		}
		r.Note(p, "pledge_on", p.Declared["pledge_on"])
		return posture.DeclaredText(p, "status") == "active" && posture.DeclaredTime(p, "pledge_on").IsZero()
	})))
}

// seenOn lists the computers on which a medium is plugged in now.
func seenOn(r *posture.Reading, m *posture.Item) []*posture.Item {
	serial := r.Text(m, "serial")
	if serial == "" {
		return nil
	}
	var latest *posture.Item // who looked last: as old as that is what nobody saw
	found := r.L.Matching("computer", func(c *posture.Item) bool {
		if latest == nil || c.Observed["removable_media"].ObservedAt.After(latest.Observed["removable_media"].ObservedAt) {
			latest = c
		}
		list, _, _ := (&posture.Reading{L: r.L}).Records(c, "removable_media")
		return slices.ContainsFunc(list, func(e map[string]any) bool {
			s, _ := e["serial"].(string)
			return len(posture.Minus([]string{s}, []string{serial})) == 0
		})
	})
	if len(found) == 0 && latest != nil {
		r.Records(latest, "removable_media")
	}
	for _, c := range found {
		r.Records(c, "removable_media")
	}
	return found
}

func mediumSeenOn(r *posture.Reading, it *posture.Item) posture.Result {
	if r.Text(it, "serial") == "" {
		return posture.Cannot("blank: the medium has no serial number")
	}
	return posture.Texts(posture.Refs(seenOn(r, it)))
}

func mediumLastSeen(r *posture.Reading, it *posture.Item) posture.Result {
	var last time.Time
	for _, c := range seenOn(r, it) {
		if t := c.Observed["removable_media"].ObservedAt; t.After(last) {
			last = t
		}
	}
	if last.IsZero() {
		return posture.None("none: not plugged into any machine that reports")
	}
	return posture.Found(last)
}

func duplicateSerials(r *posture.Reading, it *posture.Item) posture.Result {
	serial := r.Text(it, "serial")
	if serial == "" {
		return posture.Texts(nil)
	}
	return posture.Texts(posture.Keys(r.L.Matching("medium", func(m *posture.Item) bool {
		return m != it && len(posture.Minus([]string{posture.DeclaredText(m, "serial")}, []string{serial})) == 0
	})))
}

// doneItems lists the topics of a list parameter that an entry answers with yes:
// the derived field "items_done" of contracts, procurements and developments.
func doneItems(answers map[string]func(*posture.Item) bool) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		var out []string
		for code, done := range answers {
			if done(it) {
				out = append(out, code)
			}
		}
		for _, f := range it.Kind.Layer(kind.Declared) {
			r.Note(it, f.Name, it.Declared[f.Name])
		}
		return posture.Texts(out)
	}
}

func says(field string, values ...string) func(*posture.Item) bool {
	return func(it *posture.Item) bool {
		c := it.Declared[field].Fact
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
