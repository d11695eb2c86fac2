package posture

import (
	"slices"
	"strings"
	"time"
)

var organisationDerivations = map[string]derivation{
	"unit-prefecture":          unitPrefecture,
	"post-holders":             func(r *reading, it *item) result { return texts(r.holders(it.row.ID)) },
	"post-held":                func(r *reading, it *item) result { return found(r.held(it.row.ID)) },
	"post-duties":              postDuties,
	"post-conflicts":           postConflicts,
	"person-has-account":       personHasAccount,
	"person-acknowledged":      personAcknowledged,
	"person-acknowledged-at":   personAcknowledgedAt,
	"contract-until":           contractUntil,
	"zone-manager-held":        heldBy("manager"),
	"contract-supervisor-held": heldBy("supervisor"),
	"zone-availability":        zoneAvailability,
	"zone-servers":             zoneServers,
	"system-officer-held":      dutyHeld("officer", "system-officer"),
	"system-maintainer-held":   dutyHeld("maintainer", "maintainer"),
	"notice-addressed":         noticeAddressed,
	"notice-acknowledged":      noticeAcknowledged,
}

func unitPrefecture(r *reading, it *item) result {
	seen := map[string]bool{}
	for !seen[it.row.ID] {
		seen[it.row.ID] = true
		if p := r.text(it, "prefecture"); p != "" {
			return found(p)
		}
		up, ok := r.l.of("unit", r.text(it, "parent"))
		if !ok {
			break
		}
		it = up
	}
	return none("no-entry: no unit above names a prefecture")
}

// holders lists the persons who hold a post now.
func (r *reading) holders(post string) []string {
	var out []string
	for _, a := range r.l.holders[post] {
		if a.person != "" {
			out = append(out, a.person)
		}
	}
	for _, it := range r.l.byKind["assignment"] {
		if declaredText(it, "post") == post {
			r.note(it, "person", it.declared["person"])
		}
	}
	return out
}

// held reports whether somebody active holds a post now.
func (r *reading) held(post string) bool {
	return slices.ContainsFunc(r.holders(post), func(id string) bool {
		p, ok := r.l.of("person", id)
		return ok && r.text(p, "status") == "active"
	})
}

func heldBy(field string) derivation {
	return func(r *reading, it *item) result {
		post := r.text(it, field)
		if post == "" {
			return none("blank: no post is named")
		}
		return found(r.held(post))
	}
}

// dutyHeld: the post is held, and carries its duty over this system.
func dutyHeld(field, duty string) derivation {
	return func(r *reading, it *item) result {
		post := r.text(it, field)
		if post == "" {
			return none("blank: no post is named")
		}
		scopes := append(r.above(r.text(it, "unit")), "*", "system/"+it.row.ID)
		carries := slices.ContainsFunc(r.l.holders[post], func(a assignment) bool {
			return a.duty == duty && slices.Contains(scopes, a.scope)
		})
		return found(r.held(post) && carries)
	}
}

// above lists a unit and those over it, as scopes.
func (r *reading) above(unit string) []string {
	var out []string
	for unit != "" && !slices.Contains(out, "unit/"+unit) {
		out = append(out, "unit/"+unit)
		it, ok := r.l.of("unit", unit)
		if !ok {
			break
		}
		unit = r.text(it, "parent")
	}
	return out
}

func postDuties(r *reading, it *item) result {
	var out []string
	for _, a := range r.l.holders[it.row.ID] {
		out = append(out, a.duty+" "+a.scope)
	}
	r.holders(it.row.ID)
	return texts(out)
}

// apart are the duties one person must not hold together over one place.
var apart = [][2]string{{"auditor", "system-officer"}, {"auditor", "maintainer"}, {"auditor", "operations-manager"}, {"operator", "auditor"}}

func postConflicts(r *reading, it *item) result {
	var out []string
	for _, person := range r.holders(it.row.ID) {
		var mine []assignment
		for _, as := range r.l.holders {
			for _, a := range as {
				if a.person == person {
					mine = append(mine, a)
				}
			}
		}
		for _, pair := range apart {
			if meet(r, mine, pair[0], pair[1]) {
				out = append(out, pair[0]+"+"+pair[1]+" "+person)
			}
		}
	}
	return texts(out)
}

// meet reports whether two duties are held over places that overlap.
func meet(r *reading, mine []assignment, a, b string) bool {
	for _, x := range mine {
		for _, y := range mine {
			if x.duty == a && y.duty == b && (x.scope == "*" || y.scope == "*" || x.scope == y.scope || r.inside(x.scope, y.scope) || r.inside(y.scope, x.scope)) {
				return true
			}
		}
	}
	return false
}

// inside reports whether a unit's scope lies under another's.
func (r *reading) inside(low, high string) bool {
	unit, ok := strings.CutPrefix(low, "unit/")
	return ok && slices.Contains(r.above(unit), high)
}

func personHasAccount(r *reading, it *item) result {
	for _, a := range r.l.byKind["account"] {
		if declaredText(a, "person") == it.row.ID {
			r.note(a, "status", a.declared["status"])
			if r.l.liveAccount(a) {
				return found(true)
			}
		}
	}
	return found(false)
}

// liveAccount: active, or ended only in the future.
func (l *lookup) liveAccount(it *item) bool {
	for _, f := range []string{"disabled_on", "removed_on"} {
		if t := declaredTime(it, f); !t.IsZero() && !l.within(time.Time{}, t) {
			return false
		} else if !t.IsZero() {
			return true
		}
	}
	return declaredText(it, "status") == "active"
}

// notices lists those in force that are addressed to a person.
func (r *reading) notices(person *item) []*item {
	units := r.above(r.text(person, "unit"))
	return r.l.matching("notice", func(n *item) bool {
		if !r.l.inForce(n) {
			return false
		}
		r.note(n, "from", n.declared["from"])
		if u := declaredText(n, "unit"); u != "" && !slices.Contains(units, "unit/"+u) {
			return false
		}
		sys := declaredText(n, "system")
		return sys == "" || slices.ContainsFunc(r.l.byKind["account"], func(a *item) bool {
			return a.row.System == sys && declaredText(a, "person") == person.row.ID && r.l.liveAccount(a)
		})
	})
}

// acknowledged is when a person last acknowledged a notice; zero: never.
func (r *reading) acknowledged(notice, person string) (last time.Time) {
	for _, a := range r.l.byKind["acknowledgement"] {
		if declaredText(a, "notice") == notice && declaredText(a, "person") == person {
			r.note(a, "acknowledged_at", a.declared["acknowledged_at"])
			if t := declaredTime(a, "acknowledged_at"); t.After(last) && !t.After(r.l.at) {
				last = t
			}
		}
	}
	return last
}

func personAcknowledged(r *reading, it *item) result {
	ns := r.notices(it)
	for _, n := range ns {
		if r.acknowledged(n.row.ID, it.row.ID).IsZero() {
			return found(false)
		}
	}
	return found(len(ns) > 0)
}

func personAcknowledgedAt(r *reading, it *item) result {
	var oldest time.Time
	for _, n := range r.notices(it) {
		t := r.acknowledged(n.row.ID, it.row.ID)
		if t.IsZero() {
			return none("no-record: notice " + n.row.ID + " is not acknowledged")
		}
		oldest = earlier(oldest, t)
	}
	if oldest.IsZero() {
		return none("no-entry: no notice in force")
	}
	return found(oldest)
}

func contractUntil(r *reading, it *item) result {
	c, ok := r.l.of("contract", r.text(it, "contract"))
	if !ok {
		return none("blank: no contract is named")
	}
	t, ok, _ := read[time.Time](r, c, "until")
	if !ok {
		return none("blank: the contract names no end")
	}
	return found(t)
}

func (l *lookup) live(it *item) bool {
	s := declaredText(it, "status")
	return s == "in-service" || s == "stored"
}

func zoneAvailability(r *reading, it *item) result {
	var systems []*item
	for _, id := range []string{"computer", "network-device"} {
		for _, c := range r.l.byKind[id] {
			if declaredText(c, "zone") != it.row.ID || !r.l.live(c) {
				continue
			}
			r.note(c, "zone", c.declared["zone"])
			if sys, ok := r.l.of("system", c.row.System); ok {
				systems = append(systems, sys)
			}
		}
	}
	return most(r, systems, "availability")
}

func zoneServers(r *reading, it *item) result {
	n := int64(0)
	for _, c := range r.l.byKind["computer"] {
		if declaredText(c, "zone") == it.row.ID && declaredText(c, "role") == "server" && r.l.live(c) {
			r.note(c, "zone", c.declared["zone"])
			n++
		}
	}
	return found(n)
}

// addressed lists the active persons a notice is for.
func (r *reading) addressed(notice *item) []*item {
	return r.l.matching("person", func(p *item) bool {
		if r.text(p, "status") != "active" {
			return false
		}
		return slices.Contains(r.notices(p), notice)
	})
}

func noticeAddressed(r *reading, it *item) result { return found(int64(len(r.addressed(it)))) }

func noticeAcknowledged(r *reading, it *item) result {
	n := int64(0)
	for _, p := range r.addressed(it) {
		if !r.acknowledged(it.row.ID, p.row.ID).IsZero() {
			n++
		}
	}
	return found(n)
}
