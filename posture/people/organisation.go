// Package people derives what follows from the organisation: who holds a post and
// with which duties, which accounts are registered and approved, who acknowledged
// what.
package people

import (
	"slices"
	"strings"
	"time"

	"kakusho/posture"
)

// Organisation are the derivations of units, posts, persons, areas and notices.
var Organisation = map[string]posture.Derivation{
	"unit-prefecture":          unitPrefecture,
	"post-holders":             func(r *posture.Reading, it *posture.Item) posture.Result { return posture.Texts(holders(r, it.Row.ID)) },
	"post-held":                func(r *posture.Reading, it *posture.Item) posture.Result { return posture.Found(held(r, it.Row.ID)) },
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

func unitPrefecture(r *posture.Reading, it *posture.Item) posture.Result {
	seen := map[string]bool{}
	for !seen[it.Row.ID] {
		seen[it.Row.ID] = true
		if p := r.Text(it, "prefecture"); p != "" {
			return posture.Found(p)
		}
		up, ok := r.L.Of("unit", r.Text(it, "parent"))
		if !ok {
			break
		}
		it = up
	}
	return posture.None("no-entry: no unit above names a prefecture")
}

// holders lists the persons who hold a post now.
func holders(r *posture.Reading, post string) []string {
	var out []string
	for _, a := range r.L.Holders[post] {
		if a.Person != "" {
			out = append(out, a.Person)
		}
	}
	for _, it := range r.L.ByKind["assignment"] {
		if posture.DeclaredText(it, "post") == post {
			r.Note(it, "person", it.Declared["person"])
		}
	}
	return out
}

// held reports whether somebody active holds a post now.
func held(r *posture.Reading, post string) bool {
	return slices.ContainsFunc(holders(r, post), func(id string) bool {
		p, ok := r.L.Of("person", id)
		return ok && r.Text(p, "status") == "active"
	})
}

func heldBy(field string) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		post := r.Text(it, field)
		if post == "" {
			return posture.None("blank: no post is named")
		}
		return posture.Found(held(r, post))
	}
}

// dutyHeld: the post is held, and carries its duty over this system.
func dutyHeld(field, duty string) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		post := r.Text(it, field)
		if post == "" {
			return posture.None("blank: no post is named")
		}
		scopes := append(above(r, r.Text(it, "unit")), "*", "system/"+it.Row.ID)
		carries := slices.ContainsFunc(r.L.Holders[post], func(a posture.Assignment) bool {
			return a.Duty == duty && slices.Contains(scopes, a.Scope)
		})
		return posture.Found(held(r, post) && carries)
	}
}

// above lists a unit and those over it, as scopes.
func above(r *posture.Reading, unit string) []string {
	var out []string
	for unit != "" && !slices.Contains(out, "unit/"+unit) {
		out = append(out, "unit/"+unit)
		it, ok := r.L.Of("unit", unit)
		if !ok {
			break
		}
		unit = r.Text(it, "parent")
	}
	return out
}

func postDuties(r *posture.Reading, it *posture.Item) posture.Result {
	var out []string
	for _, a := range r.L.Holders[it.Row.ID] {
		out = append(out, a.Duty+" "+a.Scope)
	}
	holders(r, it.Row.ID)
	return posture.Texts(out)
}

// apart are the duties one person must not hold together over one place.
var apart = [][2]string{{"auditor", "system-officer"}, {"auditor", "maintainer"}, {"auditor", "operations-manager"}, {"operator", "auditor"}}

func postConflicts(r *posture.Reading, it *posture.Item) posture.Result {
	var out []string
	for _, person := range holders(r, it.Row.ID) {
		var mine []posture.Assignment
		for _, as := range r.L.Holders {
			for _, a := range as {
				if a.Person == person {
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
	return posture.Texts(out)
}

// meet reports whether two duties are held over places that overlap.
func meet(r *posture.Reading, mine []posture.Assignment, a, b string) bool {
	for _, x := range mine {
		for _, y := range mine {
			if x.Duty == a && y.Duty == b && (x.Scope == "*" || y.Scope == "*" || x.Scope == y.Scope || inside(r, x.Scope, y.Scope) || inside(r, y.Scope, x.Scope)) {
				return true
			}
		}
	}
	return false
}

// inside reports whether a unit's scope lies under another's.
func inside(r *posture.Reading, low, high string) bool {
	unit, ok := strings.CutPrefix(low, "unit/")
	return ok && slices.Contains(above(r, unit), high)
}

func personHasAccount(r *posture.Reading, it *posture.Item) posture.Result {
	for _, a := range r.L.ByKind["account"] {
		if posture.DeclaredText(a, "person") == it.Row.ID {
			r.Note(a, "status", a.Declared["status"])
			if LiveAccount(r.L, a) {
				return posture.Found(true)
			}
		}
	}
	return posture.Found(false)
}

// LiveAccount: active, or ended only in the future.
func LiveAccount(l *posture.Lookup, it *posture.Item) bool {
	ends := false
	for _, f := range []string{"disabled_on", "removed_on"} {
		t := posture.DeclaredTime(it, f)
		if !t.IsZero() && !l.Within(time.Time{}, t) {
			return false
		}
		ends = ends || !t.IsZero()
	}
	return ends || posture.DeclaredText(it, "status") == "active"
}

// notices lists those in force that are addressed to a person.
func notices(r *posture.Reading, person *posture.Item) []*posture.Item {
	units := above(r, r.Text(person, "unit"))
	return r.L.Matching("notice", func(n *posture.Item) bool {
		if !r.L.InForce(n) {
			return false
		}
		r.Note(n, "from", n.Declared["from"])
		if u := posture.DeclaredText(n, "unit"); u != "" && !slices.Contains(units, "unit/"+u) {
			return false
		}
		sys := posture.DeclaredText(n, "system")
		return sys == "" || slices.ContainsFunc(r.L.ByKind["account"], func(a *posture.Item) bool {
			return a.Row.System == sys && posture.DeclaredText(a, "person") == person.Row.ID && LiveAccount(r.L, a)
		})
	})
}

// acknowledged is when a person last acknowledged a notice; zero: never.
func acknowledged(r *posture.Reading, notice, person string) (last time.Time) {
	for _, a := range r.L.ByKind["acknowledgement"] {
		if posture.DeclaredText(a, "notice") == notice && posture.DeclaredText(a, "person") == person {
			r.Note(a, "acknowledged_at", a.Declared["acknowledged_at"])
			if t := posture.DeclaredTime(a, "acknowledged_at"); t.After(last) && !t.After(r.L.At) {
				last = t
			}
		}
	}
	return last
}

func personAcknowledged(r *posture.Reading, it *posture.Item) posture.Result {
	ns := notices(r, it)
	for _, n := range ns {
		if acknowledged(r, n.Row.ID, it.Row.ID).IsZero() {
			return posture.Found(false)
		}
	}
	return posture.Found(len(ns) > 0)
}

func personAcknowledgedAt(r *posture.Reading, it *posture.Item) posture.Result {
	var oldest time.Time
	for _, n := range notices(r, it) {
		t := acknowledged(r, n.Row.ID, it.Row.ID)
		if t.IsZero() {
			return posture.None("no-record: notice " + n.Row.ID + " is not acknowledged")
		}
		oldest = posture.Earlier(oldest, t)
	}
	if oldest.IsZero() {
		return posture.None("no-entry: no notice in force")
	}
	return posture.Found(oldest)
}

func contractUntil(r *posture.Reading, it *posture.Item) posture.Result {
	c, ok := r.L.Of("contract", r.Text(it, "contract"))
	if !ok {
		return posture.None("blank: no contract is named")
	}
	t, ok, _ := posture.Read[time.Time](r, c, "until")
	if !ok {
		return posture.None("blank: the contract names no end")
	}
	return posture.Found(t)
}

// Live: in service or stored, so that it is still held to the rules.
func Live(l *posture.Lookup, it *posture.Item) bool {
	s := posture.DeclaredText(it, "status")
	return s == "in-service" || s == "stored"
}

func zoneAvailability(r *posture.Reading, it *posture.Item) posture.Result {
	var systems []*posture.Item
	for _, id := range []string{"computer", "network-device"} {
		for _, c := range r.L.ByKind[id] {
			if posture.DeclaredText(c, "zone") != it.Row.ID || !Live(r.L, c) {
				continue
			}
			r.Note(c, "zone", c.Declared["zone"])
			if sys, ok := r.L.Of("system", c.Row.System); ok {
				systems = append(systems, sys)
			}
		}
	}
	return posture.Most(r, systems, "availability")
}

func zoneServers(r *posture.Reading, it *posture.Item) posture.Result {
	n := int64(0)
	for _, c := range r.L.ByKind["computer"] {
		if posture.DeclaredText(c, "zone") == it.Row.ID && posture.DeclaredText(c, "role") == "server" && Live(r.L, c) {
			r.Note(c, "zone", c.Declared["zone"])
			n++
		}
	}
	return posture.Found(n)
}

// addressed lists the active persons a notice is for.
func addressed(r *posture.Reading, notice *posture.Item) []*posture.Item {
	return r.L.Matching("person", func(p *posture.Item) bool {
		if r.Text(p, "status") != "active" {
			return false
		}
		return slices.Contains(notices(r, p), notice)
	})
}

func noticeAddressed(r *posture.Reading, it *posture.Item) posture.Result {
	return posture.Found(int64(len(addressed(r, it))))
}

func noticeAcknowledged(r *posture.Reading, it *posture.Item) posture.Result {
	n := int64(0)
	for _, p := range addressed(r, it) {
		if !acknowledged(r, it.Row.ID, p.Row.ID).IsZero() {
			n++
		}
	}
	return posture.Found(n)
}
