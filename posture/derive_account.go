package posture

import (
	"fmt"
	"slices"
	"time"

	"kakusho/fact"
)

var accountDerivations = map[string]derivation{
	"unregistered-accounts": unregisteredAccounts,
	"unseen-accounts":       unseenAccounts,
	"unregistered-admins":   unregisteredAdmins,
	"contractor-accounts":   contractorAccounts,
	"database-shared-roles": sharedRoles,
	"account-seen-on":       accountSeenOn,
	"account-last-login":    accountLastLogin,
	"account-person-status": ofPerson("status"),
	"account-person-left":   ofPerson("left_on"),
	"account-person-moved":  ofPerson("moved_on"),
	"account-acknowledged":  accountAcknowledged,
}

// registered lists the register's live accounts for a computer or database: bound
// to it, or to its system and nothing closer.
func (r *reading) registered(it *item) []*item {
	return r.l.matching("account", func(a *item) bool {
		bound := declaredText(a, it.kind.ID)
		free := declaredText(a, "computer") == "" && declaredText(a, "database") == "" && declaredText(a, "network_device") == "" && a.row.System == it.row.System
		if bound != it.row.ID && !free {
			return false
		}
		r.note(a, "name", a.declared["name"])
		return r.l.liveAccount(a)
	})
}

func accountNames(its []*item) []string {
	var out []string
	for _, a := range its {
		out = append(out, declaredText(a, "name"))
	}
	return out
}

func unregisteredAccounts(r *reading, it *item) result {
	list, ok, why := r.records(it, "accounts")
	if !ok {
		return cannot(why)
	}
	var seen []string
	for _, e := range list {
		system, _ := e["system"].(bool)
		interactive, _ := e["interactive"].(bool)
		admin, _ := e["admin"].(bool)
		if !system && (interactive || admin) {
			seen = append(seen, fmt.Sprint(e["name"]))
		}
	}
	return texts(minus(seen, accountNames(r.registered(it))))
}

func unseenAccounts(r *reading, it *item) result {
	list, ok, why := r.records(it, "accounts")
	if !ok {
		return cannot(why)
	}
	var seen []string
	for _, e := range list {
		seen = append(seen, fmt.Sprint(e["name"]))
	}
	bound := slices.DeleteFunc(r.registered(it), func(a *item) bool { return declaredText(a, "computer") != it.row.ID })
	return texts(minus(accountNames(bound), seen))
}

func unregisteredAdmins(r *reading, it *item) result {
	var seen []string
	switch it.kind.ID {
	case "computer":
		names, ok, why := r.names(it, "admins")
		if !ok {
			return cannot(why)
		}
		seen = names
	case "database":
		list, ok, why := r.records(it, "roles")
		if !ok {
			return cannot(why)
		}
		for _, e := range list {
			admin, _ := e["admin"].(bool)
			login, _ := e["login"].(bool)
			builtin, _ := e["builtin"].(bool)
			if admin && login && !builtin {
				seen = append(seen, fmt.Sprint(e["name"]))
			}
		}
	default:
		return none("not-collected: administrators of this kind are not observed")
	}
	approved := slices.DeleteFunc(r.registered(it), func(a *item) bool {
		return !declaredBool(a, "admin") || !declaredBool(a, "admin_approved") ||
			!r.l.within(declaredTime(a, "admin_from"), declaredTime(a, "admin_until"))
	})
	return texts(minus(seen, accountNames(approved)))
}

// observedNames are the accounts or roles seen on a subject.
func (r *reading) observedNames(it *item) ([]string, bool, string) {
	field := "accounts"
	if it.kind.ID == "database" {
		field = "roles"
	}
	list, ok, why := r.records(it, field)
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprint(e["name"]))
	}
	return out, ok, why
}

func contractorAccounts(r *reading, it *item) result {
	seen, ok, why := r.observedNames(it)
	if !ok {
		return cannot(why)
	}
	var out []string
	for _, a := range r.registered(it) {
		c, ok := r.l.of("contract", declaredText(a, "contract"))
		name := declaredText(a, "name")
		if declaredText(a, "contract") == "" || len(minus([]string{name}, seen)) > 0 {
			continue
		}
		if !ok || !r.l.liveContract(c) {
			out = append(out, name)
		}
	}
	return texts(out)
}

func sharedRoles(r *reading, it *item) result {
	list, ok, why := r.records(it, "roles")
	if !ok {
		return cannot(why)
	}
	persons := map[string][]string{}
	shared := map[string]bool{}
	for _, a := range r.registered(it) {
		name := declaredText(a, "name")
		shared[name] = shared[name] || declaredBool(a, "shared")
		if p := declaredText(a, "person"); p != "" && !slices.Contains(persons[name], p) {
			persons[name] = append(persons[name], p)
		}
	}
	var out []string
	for _, e := range list {
		name := fmt.Sprint(e["name"])
		if login, _ := e["login"].(bool); login && (shared[name] || len(persons[name]) > 1) {
			out = append(out, name)
		}
	}
	return texts(out)
}

// places lists where an account should be.
func (r *reading) places(it *item) []*item {
	for _, k := range []string{"computer", "database"} {
		if id := r.text(it, k); id != "" {
			if x, ok := r.l.of(k, id); ok {
				return []*item{x}
			}
			return nil
		}
	}
	return append(r.l.inSystem(it, "computer"), r.l.inSystem(it, "database")...)
}

func accountSeenOn(r *reading, it *item) result {
	name := r.text(it, "name")
	var out []*item
	for _, p := range r.places(it) {
		names, ok, why := r.observedNames(p)
		if !ok {
			return cannot(why)
		}
		if len(minus([]string{name}, names)) == 0 {
			out = append(out, p)
		}
	}
	return texts(refs(out))
}

func accountLastLogin(r *reading, it *item) result {
	name := r.text(it, "name")
	var last time.Time
	for _, p := range r.places(it) {
		if p.kind.ID != "computer" {
			continue
		}
		list, ok, why := r.records(p, "accounts")
		if !ok {
			return cannot(why)
		}
		for _, e := range list {
			if fmt.Sprint(e["name"]) != name {
				continue
			}
			if t, ok := e["last_login"].(time.Time); ok && t.After(last) {
				last = t
			}
		}
	}
	if last.IsZero() {
		return none("none: no login is known")
	}
	return found(last)
}

func ofPerson(field string) derivation {
	return func(r *reading, it *item) result {
		p, ok := r.l.of("person", r.text(it, "person"))
		if !ok {
			return none("blank: no person is named")
		}
		c, ok := r.l.cell(p, field)
		if !ok || c.Fact.Status == fact.Absent {
			return none("blank: the person's entry has no " + field)
		}
		v, ok, why := r.value(p, field)
		if !ok {
			return cannot(why)
		}
		return found(v)
	}
}

func accountAcknowledged(r *reading, it *item) result {
	p, ok := r.l.of("person", r.text(it, "person"))
	if !ok {
		return none("blank: no person is named")
	}
	return r.is(p, "notice_acknowledged").result("person/" + p.row.ID + " cannot be told")
}
