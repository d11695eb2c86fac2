package people

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/posture/world"
)

// Accounts are the derivations of accounts and of what the register says of them.
var Accounts = map[string]world.Derivation{
	"unregistered-accounts": unregisteredAccounts,
	"unseen-accounts":       unseenAccounts,
	"unregistered-admins":   unregisteredAdmins,
	"unseen-admins":         unseenAdmins,
	"contractor-accounts":   contractorAccounts,
	"database-shared-roles": sharedRoles,
	"account-live":          accountLive,
	"account-seen-on":       accountSeenOn,
	"account-last-login":    accountLastLogin,
	"account-person-status": ofPerson("status"),
	"account-person-left":   ofPerson("left_on"),
	"account-person-moved":  ofPerson("moved_on"),
	"account-acknowledged":  accountAcknowledged,
}

// registered lists the register's live accounts for a computer or database: bound
// to it, or to its system and nothing closer.
func registered(r *world.Reading, it *world.Item) []*world.Item {
	bound := r.L.Where("account", it.Kind.ID, it.Row.ID)
	free := slices.DeleteFunc(r.L.InSystem(it, "account"), func(a *world.Item) bool {
		return world.DeclaredText(a, "computer") != "" || world.DeclaredText(a, "database") != "" || world.DeclaredText(a, "network_device") != ""
	})
	all := slices.Concat(bound, free)
	slices.SortFunc(all, func(a, b *world.Item) int { return strings.Compare(a.Row.ID, b.Row.ID) })
	return slices.DeleteFunc(slices.Compact(all), func(a *world.Item) bool {
		r.NoteDeclared(a, "name")
		return !LiveAccount(r.L, a)
	})
}

func accountNames(its []*world.Item) []string {
	var out []string
	for _, a := range its {
		out = append(out, world.DeclaredText(a, "name"))
	}
	return out
}

func unregisteredAccounts(r *world.Reading, it *world.Item) world.Result {
	field, mine := "accounts", func(is func(string) bool) bool { return !is("system") && (is("interactive") || is("admin")) }
	if it.Kind.ID == "database" {
		field, mine = "roles", func(is func(string) bool) bool { return is("login") && !is("builtin") }
	}
	list, ok, why := r.Records(it, field)
	if !ok {
		return world.Cannot(why)
	}
	var seen []string
	for _, e := range list {
		if mine(func(name string) bool { b, _ := e[name].(bool); return b }) {
			seen = append(seen, fmt.Sprint(e["name"]))
		}
	}
	return world.Texts(world.Minus(seen, accountNames(registered(r, it))))
}

func unseenAccounts(r *world.Reading, it *world.Item) world.Result {
	seen, ok, why := observedNames(r, it)
	if !ok {
		return world.Cannot(why)
	}
	return world.Texts(world.Minus(accountNames(bound(r, it)), seen))
}

// bound lists the registered accounts that are for this very computer or database.
func bound(r *world.Reading, it *world.Item) []*world.Item {
	return slices.DeleteFunc(registered(r, it), func(a *world.Item) bool { return world.DeclaredText(a, it.Kind.ID) != it.Row.ID })
}

// unseenAdmins are administrators by the register who have no such rights there.
func unseenAdmins(r *world.Reading, it *world.Item) world.Result {
	seen, ok, why := observedAdmins(r, it, true)
	if !ok {
		return world.Cannot(why)
	}
	admins := slices.DeleteFunc(bound(r, it), func(a *world.Item) bool { return !approvedAdmin(r, a) })
	return world.Texts(world.Minus(accountNames(admins), seen))
}

func approvedAdmin(r *world.Reading, a *world.Item) bool {
	return world.DeclaredBool(a, "admin") && world.DeclaredBool(a, "admin_approved") &&
		r.L.Within(world.DeclaredTime(a, "admin_from"), world.DeclaredTime(a, "admin_until"))
}

// observedAdmins are who has administrator rights on a computer or database, with
// those the product brings itself or without.
func observedAdmins(r *world.Reading, it *world.Item, builtin bool) (names []string, ok bool, why string) {
	if it.Kind.ID == "computer" {
		return r.Names(it, "admins")
	}
	list, ok, why := r.Records(it, "roles")
	for _, e := range list {
		admin, _ := e["admin"].(bool)
		login, _ := e["login"].(bool)
		own, _ := e["builtin"].(bool)
		if admin && login && (builtin || !own) {
			names = append(names, fmt.Sprint(e["name"]))
		}
	}
	return names, ok, why
}

func unregisteredAdmins(r *world.Reading, it *world.Item) world.Result {
	if it.Kind.ID != "computer" && it.Kind.ID != "database" {
		return world.None("not-collected: administrators of this kind are not observed")
	}
	seen, ok, why := observedAdmins(r, it, false)
	if !ok {
		return world.Cannot(why)
	}
	approved := slices.DeleteFunc(registered(r, it), func(a *world.Item) bool { return !approvedAdmin(r, a) })
	return world.Texts(world.Minus(seen, accountNames(approved)))
}

// observedNames are the accounts or roles seen on a subject.
func observedNames(r *world.Reading, it *world.Item) ([]string, bool, string) {
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

func contractorAccounts(r *world.Reading, it *world.Item) world.Result {
	seen, ok, why := observedNames(r, it)
	if !ok {
		return world.Cannot(why)
	}
	var out []string
	for _, a := range registered(r, it) {
		c, ok := r.L.Of("contract", world.DeclaredText(a, "contract"))
		name := world.DeclaredText(a, "name")
		if world.DeclaredText(a, "contract") == "" || len(world.Minus([]string{name}, seen)) > 0 {
			continue
		}
		if !ok || !LiveContract(r.L, c) {
			out = append(out, name)
		}
	}
	return world.Texts(out)
}

func sharedRoles(r *world.Reading, it *world.Item) world.Result {
	list, ok, why := r.Records(it, "roles")
	if !ok {
		return world.Cannot(why)
	}
	persons := map[string][]string{}
	shared := map[string]bool{}
	for _, a := range registered(r, it) {
		name := world.DeclaredText(a, "name")
		shared[name] = shared[name] || world.DeclaredBool(a, "shared")
		if p := world.DeclaredText(a, "person"); p != "" && !slices.Contains(persons[name], p) {
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
	return world.Texts(out)
}

// places lists where an account should be.
func places(r *world.Reading, it *world.Item) []*world.Item {
	for _, k := range []string{"computer", "database"} {
		if id := r.Text(it, k); id != "" {
			if x, ok := r.L.Of(k, id); ok {
				return []*world.Item{x}
			}
			return nil
		}
	}
	return slices.DeleteFunc(append(r.L.InSystem(it, "computer"), r.L.InSystem(it, "database")...), func(x *world.Item) bool {
		return world.DeclaredText(x, "status") == "disposed"
	})
}

func accountLive(r *world.Reading, it *world.Item) world.Result {
	r.NoteDeclared(it, "status")
	return world.Found(LiveAccount(r.L, it))
}

func accountSeenOn(r *world.Reading, it *world.Item) world.Result {
	name := r.Text(it, "name")
	var out []*world.Item
	for _, p := range places(r, it) {
		names, ok, why := observedNames(r, p)
		if !ok {
			return world.Cannot(why)
		}
		if len(world.Minus([]string{name}, names)) == 0 {
			out = append(out, p)
		}
	}
	return world.Texts(world.Refs(out))
}

func accountLastLogin(r *world.Reading, it *world.Item) world.Result {
	name := r.Text(it, "name")
	var last time.Time
	for _, p := range places(r, it) {
		if p.Kind.ID != "computer" {
			continue
		}
		list, ok, why := r.Records(p, "accounts")
		if !ok {
			return world.Cannot(why)
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
		return world.None("none: no login is known")
	}
	return world.Found(last)
}

func ofPerson(field string) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		p, ok := r.L.Of("person", r.Text(it, "person"))
		if !ok {
			return world.None("blank: no person is named")
		}
		c, ok := r.L.Cell(p, field)
		if !ok || c.Fact.Status == fact.Absent {
			return world.None("blank: the person's entry has no " + field)
		}
		v, ok, why := r.Value(p, field)
		if !ok {
			return world.Cannot(why)
		}
		return world.Found(v)
	}
}

func accountAcknowledged(r *world.Reading, it *world.Item) world.Result {
	p, ok := r.L.Of("person", r.Text(it, "person"))
	if !ok {
		return world.None("blank: no person is named")
	}
	return r.Is(p, "notice_acknowledged").Result("person/" + p.Row.ID + " cannot be told")
}

// LiveContract: active, within its period.
func LiveContract(l *world.Layer, it *world.Item) bool {
	return world.DeclaredText(it, "status") == "active" && l.InForce(it)
}
