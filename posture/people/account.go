package people

import (
	"fmt"
	"slices"
	"time"

	"kakusho/fact"
	"kakusho/posture"
)

// Accounts are the derivations of accounts and of what the register says of them.
var Accounts = map[string]posture.Derivation{
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
func registered(r *posture.Reading, it *posture.Item) []*posture.Item {
	return r.L.Matching("account", func(a *posture.Item) bool {
		bound := posture.DeclaredText(a, it.Kind.ID)
		free := posture.DeclaredText(a, "computer") == "" && posture.DeclaredText(a, "database") == "" && posture.DeclaredText(a, "network_device") == "" && it.Row.System != "" && a.Row.System == it.Row.System
		if bound != it.Row.ID && !free {
			return false
		}
		r.Note(a, "name", a.Declared["name"])
		return LiveAccount(r.L, a)
	})
}

func accountNames(its []*posture.Item) []string {
	var out []string
	for _, a := range its {
		out = append(out, posture.DeclaredText(a, "name"))
	}
	return out
}

func unregisteredAccounts(r *posture.Reading, it *posture.Item) posture.Result {
	list, ok, why := r.Records(it, "accounts")
	if !ok {
		return posture.Cannot(why)
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
	return posture.Texts(posture.Minus(seen, accountNames(registered(r, it))))
}

func unseenAccounts(r *posture.Reading, it *posture.Item) posture.Result {
	list, ok, why := r.Records(it, "accounts")
	if !ok {
		return posture.Cannot(why)
	}
	var seen []string
	for _, e := range list {
		seen = append(seen, fmt.Sprint(e["name"]))
	}
	bound := slices.DeleteFunc(registered(r, it), func(a *posture.Item) bool { return posture.DeclaredText(a, "computer") != it.Row.ID })
	return posture.Texts(posture.Minus(accountNames(bound), seen))
}

func unregisteredAdmins(r *posture.Reading, it *posture.Item) posture.Result {
	var seen []string
	switch it.Kind.ID {
	case "computer":
		names, ok, why := r.Names(it, "admins")
		if !ok {
			return posture.Cannot(why)
		}
		seen = names
	case "database":
		list, ok, why := r.Records(it, "roles")
		if !ok {
			return posture.Cannot(why)
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
		return posture.None("not-collected: administrators of this kind are not observed")
	}
	approved := slices.DeleteFunc(registered(r, it), func(a *posture.Item) bool {
		return !posture.DeclaredBool(a, "admin") || !posture.DeclaredBool(a, "admin_approved") ||
			!r.L.Within(posture.DeclaredTime(a, "admin_from"), posture.DeclaredTime(a, "admin_until"))
	})
	return posture.Texts(posture.Minus(seen, accountNames(approved)))
}

// observedNames are the accounts or roles seen on a subject.
func observedNames(r *posture.Reading, it *posture.Item) ([]string, bool, string) {
	field := "accounts"
	if it.Kind.ID == "database" {
		field = "roles"
	}
	list, ok, why := r.Records(it, field)
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprint(e["name"]))
	}
	return out, ok, why
}

func contractorAccounts(r *posture.Reading, it *posture.Item) posture.Result {
	seen, ok, why := observedNames(r, it)
	if !ok {
		return posture.Cannot(why)
	}
	var out []string
	for _, a := range registered(r, it) {
		c, ok := r.L.Of("contract", posture.DeclaredText(a, "contract"))
		name := posture.DeclaredText(a, "name")
		if posture.DeclaredText(a, "contract") == "" || len(posture.Minus([]string{name}, seen)) > 0 {
			continue
		}
		if !ok || !LiveContract(r.L, c) {
			out = append(out, name)
		}
	}
	return posture.Texts(out)
}

func sharedRoles(r *posture.Reading, it *posture.Item) posture.Result {
	list, ok, why := r.Records(it, "roles")
	if !ok {
		return posture.Cannot(why)
	}
	persons := map[string][]string{}
	shared := map[string]bool{}
	for _, a := range registered(r, it) {
		name := posture.DeclaredText(a, "name")
		shared[name] = shared[name] || posture.DeclaredBool(a, "shared")
		if p := posture.DeclaredText(a, "person"); p != "" && !slices.Contains(persons[name], p) {
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
	return posture.Texts(out)
}

// places lists where an account should be.
func places(r *posture.Reading, it *posture.Item) []*posture.Item {
	for _, k := range []string{"computer", "database"} {
		if id := r.Text(it, k); id != "" {
			if x, ok := r.L.Of(k, id); ok {
				return []*posture.Item{x}
			}
			return nil
		}
	}
	return append(r.L.InSystem(it, "computer"), r.L.InSystem(it, "database")...)
}

func accountSeenOn(r *posture.Reading, it *posture.Item) posture.Result {
	name := r.Text(it, "name")
	var out []*posture.Item
	for _, p := range places(r, it) {
		names, ok, why := observedNames(r, p)
		if !ok {
			return posture.Cannot(why)
		}
		if len(posture.Minus([]string{name}, names)) == 0 {
			out = append(out, p)
		}
	}
	return posture.Texts(posture.Refs(out))
}

func accountLastLogin(r *posture.Reading, it *posture.Item) posture.Result {
	name := r.Text(it, "name")
	var last time.Time
	for _, p := range places(r, it) {
		if p.Kind.ID != "computer" {
			continue
		}
		list, ok, why := r.Records(p, "accounts")
		if !ok {
			return posture.Cannot(why)
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
		return posture.None("none: no login is known")
	}
	return posture.Found(last)
}

func ofPerson(field string) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		p, ok := r.L.Of("person", r.Text(it, "person"))
		if !ok {
			return posture.None("blank: no person is named")
		}
		c, ok := r.L.Cell(p, field)
		if !ok || c.Fact.Status == fact.Absent {
			return posture.None("blank: the person's entry has no " + field)
		}
		v, ok, why := r.Value(p, field)
		if !ok {
			return posture.Cannot(why)
		}
		return posture.Found(v)
	}
}

func accountAcknowledged(r *posture.Reading, it *posture.Item) posture.Result {
	p, ok := r.L.Of("person", r.Text(it, "person"))
	if !ok {
		return posture.None("blank: no person is named")
	}
	return r.Is(p, "notice_acknowledged").Result("person/" + p.Row.ID + " cannot be told")
}

// LiveContract: active, within its period.
func LiveContract(l *posture.Lookup, it *posture.Item) bool {
	return posture.DeclaredText(it, "status") == "active" && l.InForce(it)
}
