// Package people derives what follows from the organisation: who holds a post and
// with which duties, which accounts are registered and approved, who acknowledged
// what.
package people

import (
	"slices"
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/posture/world"
	"kakusho/rule/weigh"
)

// Organisation are the derivations of units, posts, persons, areas and notices.
var Organisation = map[string]world.Derivation{
	"unit-prefecture":          unitPrefecture,
	"post-holders":             func(r *world.Reading, it *world.Item) world.Result { return world.Texts(holders(r, it.Row.ID)) },
	"post-held":                func(r *world.Reading, it *world.Item) world.Result { return world.Found(held(r, it.Row.ID)) },
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

func unitPrefecture(r *world.Reading, it *world.Item) world.Result {
	seen := map[string]bool{}
	for !seen[it.Row.ID] {
		seen[it.Row.ID] = true
		if p := r.Text(it, "prefecture"); p != "" {
			return world.Found(p)
		}
		up, ok := r.L.Of("unit", r.Text(it, "parent"))
		if !ok {
			break
		}
		it = up
	}
	return world.None("no-entry: no unit above names a prefecture")
}

// assignment is a duty that a post carries now, and who holds it.
type assignment struct{ person, duty, scope string }

// assigned lists the assignments in force whose field says value.
func assigned(l *world.Layer, field, value string) (out []assignment) {
	for _, it := range l.Where("assignment", field, value) {
		if l.InForce(it) {
			out = append(out, assignment{world.DeclaredText(it, "person"), world.DeclaredText(it, "duty"), world.DeclaredText(it, "scope")})
		}
	}
	return out
}

// holders lists the persons who hold a post now.
func holders(r *world.Reading, post string) []string {
	var out []string
	for _, a := range assigned(r.L, "post", post) {
		if a.person != "" {
			out = append(out, a.person)
		}
	}
	for _, it := range r.L.Where("assignment", "post", post) {
		r.NoteDeclared(it, "person")
	}
	return out
}

// held reports whether somebody active holds a post now.
func held(r *world.Reading, post string) bool {
	return slices.ContainsFunc(holders(r, post), func(id string) bool {
		p, ok := r.L.Of("person", id)
		return ok && r.Text(p, "status") == "active"
	})
}

func heldBy(field string) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		post := r.Text(it, field)
		if post == "" {
			return world.None("blank: no post is named")
		}
		return world.Found(held(r, post))
	}
}

// dutyHeld: the post is held, and carries its duty over this system.
func dutyHeld(field, duty string) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		post := r.Text(it, field)
		if post == "" {
			return world.None("blank: no post is named")
		}
		scopes := append(above(r, r.Text(it, "unit")), "*", "system/"+it.Row.ID)
		carries := slices.ContainsFunc(assigned(r.L, "post", post), func(a assignment) bool {
			return a.duty == duty && slices.Contains(scopes, a.scope)
		})
		return world.Found(held(r, post) && carries)
	}
}

// above lists a unit and those over it, as scopes.
func above(r *world.Reading, unit string) []string {
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

func postDuties(r *world.Reading, it *world.Item) world.Result {
	var out []string
	for _, a := range assigned(r.L, "post", it.Row.ID) {
		out = append(out, a.duty+" "+a.scope)
	}
	holders(r, it.Row.ID)
	return world.Texts(out)
}

// apart are the duties one person must not hold together over one place.
var apart = [][2]string{{"auditor", "system-officer"}, {"auditor", "maintainer"}, {"auditor", "operations-manager"}, {"operator", "auditor"}}

func postConflicts(r *world.Reading, it *world.Item) world.Result {
	var out []string
	for _, person := range holders(r, it.Row.ID) {
		mine := assigned(r.L, "person", person)
		for _, pair := range apart {
			if meet(r, mine, pair[0], pair[1]) {
				out = append(out, pair[0]+"+"+pair[1]+" "+person)
			}
		}
	}
	return world.Texts(out)
}

// meet reports whether two duties are held over places that overlap.
func meet(r *world.Reading, mine []assignment, a, b string) bool {
	for _, x := range mine {
		for _, y := range mine {
			if x.duty == a && y.duty == b && (x.scope == "*" || y.scope == "*" || x.scope == y.scope || inside(r, x.scope, y.scope) || inside(r, y.scope, x.scope)) {
				return true
			}
		}
	}
	return false
}

// inside reports whether a unit's scope lies under another's.
func inside(r *world.Reading, low, high string) bool {
	unit, ok := strings.CutPrefix(low, "unit/")
	return ok && slices.Contains(above(r, unit), high)
}

func personHasAccount(r *world.Reading, it *world.Item) world.Result {
	for _, a := range r.L.Where("account", "person", it.Row.ID) {
		r.NoteDeclared(a, "status")
		if LiveAccount(r.L, a) {
			return world.Found(true)
		}
	}
	return world.Found(false)
}

// LiveAccount: active, or ended only in the future.
func LiveAccount(l *world.Layer, it *world.Item) bool {
	ends := false
	for _, f := range []string{"disabled_on", "removed_on"} {
		t := world.DeclaredTime(it, f)
		if !t.IsZero() && !l.Within(time.Time{}, t) {
			return false
		}
		ends = ends || !t.IsZero()
	}
	return ends || world.DeclaredText(it, "status") == "active"
}

// notices lists those in force that are addressed to a person.
func notices(r *world.Reading, person *world.Item) []*world.Item {
	units := above(r, r.Text(person, "unit"))
	return r.L.Matching("notice", func(n *world.Item) bool {
		if !r.L.InForce(n) {
			return false
		}
		r.NoteDeclared(n, "from")
		if u := world.DeclaredText(n, "unit"); u != "" && !slices.Contains(units, "unit/"+u) {
			return false
		}
		sys := world.DeclaredText(n, "system")
		return sys == "" || slices.ContainsFunc(r.L.Where("account", "person", person.Row.ID), func(a *world.Item) bool {
			return a.Row.System == sys && LiveAccount(r.L, a)
		})
	})
}

// acknowledged is when a person last acknowledged a notice; zero: never.
// One that says what text it is of counts for that text alone.
func acknowledged(r *world.Reading, notice *world.Item, person string) (last time.Time) {
	text := fact.Digest([]any{world.DeclaredText(notice, "version"), world.DeclaredText(notice, "text"), world.DeclaredText(notice, "text_en")})
	for _, a := range r.L.Where("acknowledgement", "person", person) {
		if of := world.DeclaredText(a, "text_digest"); world.DeclaredText(a, "notice") != notice.Row.ID || of != "" && of != text {
			continue
		}
		r.NoteDeclared(a, "acknowledged_at")
		if t := world.DeclaredTime(a, "acknowledged_at"); t.After(last) && r.L.Within(t, time.Time{}) {
			last = t
		}
	}
	return last
}

func personAcknowledged(r *world.Reading, it *world.Item) world.Result {
	ns := notices(r, it)
	for _, n := range ns {
		if acknowledged(r, n, it.Row.ID).IsZero() {
			return world.Found(false)
		}
	}
	return world.Found(len(ns) > 0)
}

func personAcknowledgedAt(r *world.Reading, it *world.Item) world.Result {
	var oldest time.Time
	for _, n := range notices(r, it) {
		t := acknowledged(r, n, it.Row.ID)
		if t.IsZero() {
			return world.None("no-record: notice " + n.Row.ID + " is not acknowledged")
		}
		oldest = weigh.Earlier(oldest, t)
	}
	if oldest.IsZero() {
		return world.None("no-entry: no notice in force")
	}
	return world.Found(oldest)
}

func contractUntil(r *world.Reading, it *world.Item) world.Result {
	c, ok := r.L.Of("contract", r.Text(it, "contract"))
	if !ok {
		return world.None("blank: no contract is named")
	}
	t, ok, _ := world.Read[time.Time](r, c, "until")
	if !ok {
		return world.None("blank: the contract names no end")
	}
	return world.Found(t)
}

// Live: in service or stored, so that it is still held to the rules.
func Live(l *world.Layer, it *world.Item) bool {
	s := world.DeclaredText(it, "status")
	return s == "in-service" || s == "stored"
}

func zoneAvailability(r *world.Reading, it *world.Item) world.Result {
	var systems []*world.Item
	for _, id := range []string{"computer", "network-device"} {
		for _, c := range r.L.Where(id, "zone", it.Row.ID) {
			if !Live(r.L, c) {
				continue
			}
			r.NoteDeclared(c, "zone")
			if sys, ok := r.L.Of("system", c.Row.System); ok {
				systems = append(systems, sys)
			}
		}
	}
	return world.Most(r, systems, "availability")
}

func zoneServers(r *world.Reading, it *world.Item) world.Result {
	n := int64(0)
	for _, c := range r.L.Where("computer", "zone", it.Row.ID) {
		if world.DeclaredText(c, "role") == "server" && Live(r.L, c) {
			r.NoteDeclared(c, "zone")
			n++
		}
	}
	return world.Found(n)
}

// addressed lists the active persons a notice is for.
func addressed(r *world.Reading, notice *world.Item) []*world.Item {
	return r.L.Matching("person", func(p *world.Item) bool {
		if r.Text(p, "status") != "active" {
			return false
		}
		return slices.Contains(notices(r, p), notice)
	})
}

func noticeAddressed(r *world.Reading, it *world.Item) world.Result {
	return world.Found(int64(len(addressed(r, it))))
}

func noticeAcknowledged(r *world.Reading, it *world.Item) world.Result {
	n := int64(0)
	for _, p := range addressed(r, it) {
		if !acknowledged(r, it, p.Row.ID).IsZero() {
			n++
		}
	}
	return world.Found(n)
}
