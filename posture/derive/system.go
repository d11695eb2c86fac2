package derive

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture/people"
	"kakusho/posture/world"
	"kakusho/rule/weigh"
)

var systemDerivations = map[string]world.Derivation{
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
	"system-contracts":             liveOf("contract", func(l *world.Layer, it *world.Item) bool { return people.LiveContract(l, it) }),
	"system-services":              liveOf("external-service", func(_ *world.Layer, it *world.Item) bool { return world.DeclaredText(it, "status") == "in-use" }),
	"system-domains":               liveOf("domain", func(_ *world.Layer, it *world.Item) bool { return world.DeclaredText(it, "status") == "in-use" }),
	"system-developments":          liveOf("development", statusIsNot("cancelled", "ended")),
	"system-procurements":          liveOf("procurement", statusIsNot("cancelled")),
	"contract-accounts":            contractAccounts,
	"contract-unpledged":           contractUnpledged,
	"medium-last-seen":             mediumLastSeen,
	"medium-seen-on":               mediumSeenOn,
	"medium-duplicate-serials":     duplicateSerials,
}

func statusIsNot(ended ...string) func(*world.Layer, *world.Item) bool {
	return func(_ *world.Layer, it *world.Item) bool {
		return !slices.Contains(ended, world.DeclaredText(it, "status"))
	}
}

// systemOf is the subject's system: itself, or the one it belongs to.
func systemOf(r *world.Reading, it *world.Item) (*world.Item, bool) {
	if it.Kind.ID == "system" {
		return it, true
	}
	return r.L.Of("system", it.Row.System)
}

// internetFacts says what lines and machines show, declarations of the system
// left out. What it rests on is those that show a connection: a machine that has
// stopped reporting takes nothing away from the others.
func internetFacts(r *world.Reading, sys *world.Item) world.Tri {
	seen := world.No
	for _, line := range r.L.InSystem(sys, "line") {
		if world.DeclaredText(line, "status") == "in-service" && world.DeclaredBool(line, "internet") {
			r.NoteDeclared(line, "internet")
			seen = world.Yes
		}
	}
	connected := func(r *world.Reading, c *world.Item) bool {
		return r.Is(c, "internet_declared") == world.Yes || publicAddress(r, c) == world.Yes
	}
	for _, c := range r.L.InSystem(sys, "computer") {
		if people.Live(r.L, c) && connected(&world.Reading{L: r.L}, c) && connected(r, c) {
			seen = world.Yes
		}
	}
	return seen
}

func systemInternet(r *world.Reading, it *world.Item) world.Result {
	sys, ok := systemOf(r, it)
	if !ok {
		return world.Cannot("no-entry: the subject's system is not registered")
	}
	declared := world.Unsure
	if s := r.Text(sys, "internet"); s != "" {
		declared = world.Truth(s != "none")
	}
	if declared == world.Yes {
		return world.Found(true) // no evidence can be too old for it
	}
	return world.AnyOf(declared, internetFacts(r, sys)).Result("blank: nobody declared whether the system is connected")
}

func systemInternetContradicted(r *world.Reading, it *world.Item) world.Result {
	return world.Found(r.Text(it, "internet") == "none" && internetFacts(r, it) == world.Yes)
}

func systemPoliceContradicted(r *world.Reading, it *world.Item) world.Result {
	if r.Is(it, "connected_to_police") != world.No {
		return world.Found(false)
	}
	for _, line := range r.L.InSystem(it, "line") {
		r.NoteDeclared(line, "police")
		if world.DeclaredText(line, "status") == "in-service" && (world.DeclaredBool(line, "police") || world.DeclaredText(line, "type") == "police-wan") {
			return world.Found(true)
		}
	}
	for _, m := range r.L.InSystem(it, "medium") {
		for _, c := range seenOn(r, m) {
			if sys, ok := r.L.Of("system", c.Row.System); ok && sys != it && r.Is(sys, "connected_to_police") == world.Yes {
				return world.Found(true)
			}
		}
	}
	return world.Found(false)
}

func systemStatus(r *world.Reading, it *world.Item) world.Result {
	sys, ok := systemOf(r, it)
	if !ok {
		return world.Cannot("no-entry: the subject's system is not registered")
	}
	if s := r.Text(sys, "status"); s != "" {
		return world.Found(s)
	}
	return world.None("blank: the system has no status")
}

// inService lists the system's computers in service.
func inService(r *world.Reading, it *world.Item) []*world.Item {
	return slices.DeleteFunc(r.L.InSystem(it, "computer"), func(c *world.Item) bool {
		r.NoteDeclared(c, "status")
		return world.DeclaredText(c, "status") != "in-service"
	})
}

func systemComputers(r *world.Reading, it *world.Item) world.Result {
	return world.Found(int64(len(inService(r, it))))
}

func silentComputers(r *world.Reading, it *world.Item) world.Result {
	limit, ok := r.L.Default("fresh.config").Value.(time.Duration)
	if !ok {
		return world.Cannot("no-parameter: fresh.config")
	}
	var out []string
	for _, c := range inService(r, it) {
		last := r.L.LastSeen(c)
		if edge := last.Add(limit); edge.After(r.L.At) && !last.IsZero() {
			r.L.Until(edge)
			continue
		}
		out = append(out, c.Row.ID)
	}
	return world.Texts(out)
}

func systemPendingSecurity(r *world.Reading, it *world.Item) world.Result {
	sum := int64(0)
	for _, c := range inService(r, it) {
		n, ok, why := world.Read[int64](r, c, "pending_security_count")
		if !ok {
			return world.Cannot(why)
		}
		sum += n
	}
	return world.Found(sum)
}

func systemAdmins(r *world.Reading, it *world.Item) world.Result {
	var out []string
	for _, a := range r.L.InSystem(it, "account") {
		r.NoteDeclared(a, "admin")
		if people.LiveAccount(r.L, a) && world.DeclaredBool(a, "admin") {
			if p := world.DeclaredText(a, "person"); p != "" {
				out = append(out, "person/"+p)
			} else {
				out = append(out, a.Row.ID)
			}
		}
	}
	return world.Found(int64(len(world.TextList(out))))
}

func unmonitored(r *world.Reading, it *world.Item) world.Result {
	silence, ok := r.L.Default("net.monitor.silence_alarm").Value.(time.Duration)
	if !ok {
		return world.Cannot("no-parameter: net.monitor.silence_alarm")
	}
	var out []*world.Item
	for _, id := range []string{"network-device", "line"} {
		for _, x := range r.L.InSystem(it, id) {
			r.NoteDeclared(x, "monitored")
			if world.DeclaredText(x, "status") != "in-service" {
				continue
			}
			feed, _, _ := world.Read[time.Time](r, x, "monitor_feed_at")
			fresh := !feed.IsZero() && r.L.Within(time.Time{}, feed.Add(silence))
			if r.Is(x, "monitored") != world.Yes || !fresh {
				out = append(out, x)
			}
		}
	}
	return world.Texts(world.Refs(out))
}

func unacknowledged(r *world.Reading, it *world.Item) world.Result {
	var out []string
	users := 0
	for _, a := range r.L.InSystem(it, "account") {
		p, ok := r.L.Of("person", world.DeclaredText(a, "person"))
		if !ok || !people.LiveAccount(r.L, a) {
			continue
		}
		users++
		if r.Is(p, "notice_acknowledged") != world.Yes {
			out = append(out, p.Row.ID)
		}
	}
	if users == 0 { // a register nobody has filled in informs nobody
		return world.Cannot("no live account of the system is registered with its holder")
	}
	return world.Texts(out)
}

func current(r *world.Reading, it *world.Item) []*world.Item {
	return slices.DeleteFunc(r.L.InSystem(it, "document"), func(d *world.Item) bool {
		r.NoteDeclared(d, "status")
		return world.DeclaredText(d, "status") != "current"
	})
}

func documentTypes(r *world.Reading, it *world.Item) world.Result {
	var out []string
	for _, d := range current(r, it) {
		out = append(out, world.DeclaredText(d, "type"))
	}
	return world.Texts(out)
}

func outdatedDocuments(r *world.Reading, it *world.Item) world.Result {
	var out []string
	for _, d := range current(r, it) {
		if world.DeclaredBool(d, "generated") {
			continue
		}
		if c, ok := r.L.Cell(d, "first_change_after"); ok && c.Fact.Status == fact.Observed {
			r.Note(d, "first_change_after")
			out = append(out, d.Row.ID)
		}
	}
	return world.Texts(out)
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
func changes(r *world.Reading, sys *world.Item) []time.Time {
	var out []time.Time
	for _, kindID := range slices.Sorted(maps.Keys(structural)) { // in one order, so that the lineage is the same each time
		fields := structural[kindID]
		for _, it := range r.L.InSystem(sys, kindID) {
			if c, ok := it.Declared(it.Kind.Key); ok { // entered
				r.NoteDeclared(it, it.Kind.Key)
				out = append(out, c.Since)
			}
			for _, name := range fields {
				c, ok := r.L.Seen(it, name)
				note := r.NoteSeen
				if !ok {
					c, ok = it.Declared(name)
					note = r.NoteDeclared
				}
				if ok && c.Fact.Status == fact.Observed && !c.First.Equal(c.Since) {
					note(it, name)
					out = append(out, c.Since)
				}
			}
		}
	}
	return out
}

func lastChange(r *world.Reading, it *world.Item) world.Result {
	sys, ok := systemOf(r, it)
	if !ok {
		return world.Cannot("no-entry: the subject's system is not registered")
	}
	var last time.Time
	for _, t := range changes(r, sys) {
		if t.After(last) {
			last = t
		}
	}
	if last.IsZero() {
		return world.None("no-entry: no change is known")
	}
	return world.Found(last)
}

func firstChange(r *world.Reading, it *world.Item) world.Result {
	sys, ok := systemOf(r, it)
	if !ok {
		return world.Cannot("no-entry: the document's system is not registered")
	}
	if r.Text(it, "content_digest") != "" { // made here: its content tells, and nothing else does
		switch c, _ := r.L.Cell(it, "content_changed_at"); c.Fact.Status {
		case fact.Observed:
			r.Note(it, "content_changed_at")
			return world.Found(c.Fact.Value)
		case fact.Absent:
			return world.None("none: the content is that of the version, or a report of its day")
		default:
			return world.Cannot(c.Fact.Reason)
		}
	}
	revised, confirmed := world.DeclaredTime(it, "revised_on"), world.DeclaredTime(it, "confirmed_on")
	r.NoteDeclared(it, "revised_on")
	if revised.IsZero() && confirmed.IsZero() {
		return world.Cannot("blank: the document has no date")
	}
	from := revised.AddDate(0, 0, 1)
	if confirmed.After(revised) {
		from = confirmed.AddDate(0, 0, 1)
	}
	var first time.Time
	for _, t := range changes(r, sys) {
		if t.After(from) {
			first = weigh.Earlier(first, t)
		}
	}
	if first.IsZero() {
		return world.None("none: nothing changed since")
	}
	return world.Found(first)
}

func disposalOpen(r *world.Reading, it *world.Item) world.Result {
	return world.Texts(world.Keys(disposals(r, it, "open")))
}

func disposals(r *world.Reading, it *world.Item, status string) []*world.Item {
	return slices.DeleteFunc(r.L.InSystem(it, "disposal"), func(d *world.Item) bool {
		r.NoteDeclared(d, "status")
		return world.DeclaredText(d, "status") != status
	})
}

func disposalDone(r *world.Reading, it *world.Item) world.Result {
	whole := slices.ContainsFunc(disposals(r, it, "closed"), func(d *world.Item) bool {
		s := world.DeclaredText(d, "subject")
		return s == "" || s == "system/"+it.Row.ID
	})
	return world.Found(whole && len(disposals(r, it, "open")) == 0)
}

func liveOf(kindID string, live func(*world.Layer, *world.Item) bool) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		return world.Texts(world.Keys(slices.DeleteFunc(r.L.InSystem(it, kindID), func(x *world.Item) bool {
			r.NoteDeclared(x, "status")
			return !live(r.L, x)
		})))
	}
}

func contractAccounts(r *world.Reading, it *world.Item) world.Result {
	var out []string
	for _, a := range r.L.Where("account", "contract", it.Row.ID) {
		r.NoteDeclared(a, "contract")
		if people.LiveAccount(r.L, a) {
			out = append(out, a.Row.ID)
		}
	}
	return world.Texts(out)
}

func contractUnpledged(r *world.Reading, it *world.Item) world.Result {
	var out []string
	for _, p := range r.L.Where("person", "contract", it.Row.ID) {
		r.NoteDeclared(p, "pledge_on")
		if world.DeclaredText(p, "status") == "active" && world.DeclaredTime(p, "pledge_on").IsZero() {
			out = append(out, p.Row.ID)
		}
	}
	return world.Texts(out)
}

// seenOn lists the computers on which a medium is plugged in now.
func seenOn(r *world.Reading, m *world.Item) []*world.Item {
	serial := r.Text(m, "serial")
	if serial == "" {
		return nil
	}
	found, latest := r.L.Holding("computer", "removable_media", "serial", serial)
	if len(found) == 0 && latest != nil {
		r.Records(latest, "removable_media") // as old as that is what nobody saw
	}
	for _, c := range found {
		r.Records(c, "removable_media")
	}
	return found
}

func mediumSeenOn(r *world.Reading, it *world.Item) world.Result {
	if r.Text(it, "serial") == "" {
		return world.Cannot("blank: the medium has no serial number")
	}
	return world.Texts(world.Refs(seenOn(r, it)))
}

func mediumLastSeen(r *world.Reading, it *world.Item) world.Result {
	var last time.Time
	for _, c := range seenOn(r, it) {
		if seen, _ := r.L.Seen(c, "removable_media"); seen.ObservedAt.After(last) {
			last = seen.ObservedAt
		}
	}
	if last.IsZero() {
		return world.None("none: not plugged into any machine that reports")
	}
	return world.Found(last)
}

func duplicateSerials(r *world.Reading, it *world.Item) world.Result {
	serial := r.Text(it, "serial")
	if serial == "" {
		return world.Texts(nil)
	}
	return world.Texts(world.Keys(r.L.Matching("medium", func(m *world.Item) bool {
		return m != it && len(world.Minus([]string{world.DeclaredText(m, "serial")}, []string{serial})) == 0
	})))
}

// doneItems lists the topics of a list parameter that an entry answers with yes:
// the derived field "items_done" of contracts, procurements and developments.
func doneItems(answers map[string]func(*world.Item) bool) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		var out []string
		for code, done := range answers {
			if done(it) {
				out = append(out, code)
			}
		}
		for _, f := range it.Kind.Layer(kind.Declared) {
			r.NoteDeclared(it, f.Name)
		}
		return world.Texts(out)
	}
}

func says(field string, values ...string) func(*world.Item) bool {
	return func(it *world.Item) bool {
		v := world.DeclaredValue(it, field)
		if v == nil {
			return false
		}
		if len(values) == 0 {
			b, isBool := v.(bool)
			return !isBool || b
		}
		return slices.Contains(values, fmt.Sprint(v))
	}
}
