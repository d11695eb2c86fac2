package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"kakusho/collect"
	"kakusho/collect/linux/account"
	"kakusho/fact"
)

// role is a row of pg_roles and what its password is kept as.
type role struct {
	name                                               string
	login, super, createRole, createDB, bypass, replic bool
	until                                              *time.Time
	builtin                                            bool
	scheme                                             string // scram-sha-256, md5, "" none
}

// people are the facts about who may do what.
func people(ctx context.Context, conn *pgx.Conn, s map[string]string, src fact.Source) []fact.Fact {
	var out []fact.Fact
	roles, err := roles(ctx, conn)
	if err != nil {
		out = append(out, failed("roles", err, src))
	}
	schemes, serr := schemes(ctx, conn)
	out = append(out, passwordHash(s, schemes, serr, src))
	var admins map[string]bool
	if err == nil {
		for i := range roles {
			roles[i].scheme = schemes[roles[i].name]
		}
		memberships, merr := memberships(ctx, conn)
		if merr != nil {
			out = append(out, failed("roles", merr, src))
		} else {
			admins = administrators(roles, memberships)
			out = append(out, collect.Saw("roles", roleRecords(roles, admins, serr == nil), src))
		}
		err = merr
	}
	rules, rerr := rules(ctx, conn, s["hba_file"])
	if rerr != nil {
		return append(out, failed("access_rules", rerr, src), failed("anonymous_login", rerr, src), failed("remote_admin", rerr, src))
	}
	out = append(out, collect.Saw("access_rules", ruleRecords(rules), src),
		collect.Saw("anonymous_login", slices.ContainsFunc(rules, func(r Rule) bool { return r.Method == "trust" }), src))
	listen, shown := s["listen_addresses"]
	switch {
	case err != nil:
		return append(out, failed("remote_admin", err, src))
	case !shown:
		return append(out, fact.Fact{Field: "remote_admin", Status: fact.Denied, Reason: "permission: setting listen_addresses is not shown to this role"})
	}
	var supers []string
	for _, r := range roles {
		if admins[r.name] && r.login {
			supers = append(supers, r.name)
		}
	}
	return append(out, collect.Saw("remote_admin", RemoteAdmin(listen, rules, supers), src))
}

func roles(ctx context.Context, conn *pgx.Conn) ([]role, error) {
	rows, err := conn.Query(ctx, `SELECT rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication,
		CASE WHEN isfinite(rolvaliduntil) THEN rolvaliduntil END, oid < 16384 FROM pg_catalog.pg_roles ORDER BY rolname`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r role, err error) {
		err = row.Scan(&r.name, &r.login, &r.super, &r.createRole, &r.createDB, &r.bypass, &r.replic, &r.until, &r.builtin)
		return r, err
	})
}

// schemes tells how each role's password is kept. The password itself is not
// asked for.
func schemes(ctx context.Context, conn *pgx.Conn) (map[string]string, error) {
	rows, err := conn.Query(ctx, `SELECT rolname, CASE WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN 'scram-sha-256'
		WHEN rolpassword LIKE 'md5%' THEN 'md5' ELSE 'plain' END FROM pg_catalog.pg_authid WHERE rolpassword IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var name, scheme string
	_, err = pgx.ForEachRow(rows, []any{&name, &scheme}, func() error { out[name] = scheme; return nil })
	return out, err
}

// passwordHash is the weakest scheme in use, or the one new passwords would be
// kept in.
func passwordHash(s, schemes map[string]string, err error, src fact.Source) fact.Fact {
	if err != nil {
		return failed("password_hash", err, src)
	}
	worst := s["password_encryption"]
	for _, scheme := range schemes {
		if scheme == "plain" || scheme == "md5" && worst != "plain" {
			worst = scheme
		}
	}
	if worst == "on" { // before version 10
		worst = "md5"
	}
	return collect.Saw("password_hash", worst, src)
}

// memberships maps each role to the roles it is a member of.
func memberships(ctx context.Context, conn *pgx.Conn) (map[string][]string, error) {
	rows, err := conn.Query(ctx, `SELECT m.rolname, g.rolname FROM pg_catalog.pg_auth_members a
		JOIN pg_catalog.pg_roles m ON m.oid = a.member JOIN pg_catalog.pg_roles g ON g.oid = a.roleid`)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	var member, group string
	_, err = pgx.ForEachRow(rows, []any{&member, &group}, func() error { out[member] = append(out[member], group); return nil })
	return out, err
}

// administrators are superusers, those who may become one, and those who may
// run programs on the server or write its files, which is as much.
func administrators(roles []role, memberships map[string][]string) map[string]bool {
	out := map[string]bool{"pg_execute_server_program": true, "pg_write_server_files": true}
	for _, r := range roles {
		if r.super {
			out[r.name] = true
		}
	}
	for changed := true; changed; {
		changed = false
		for member, groups := range memberships {
			if !out[member] && slices.ContainsFunc(groups, func(g string) bool { return out[g] }) {
				out[member], changed = true, true
			}
		}
	}
	return out
}

func roleRecords(roles []role, admins map[string]bool, passwords bool) []any {
	shared := account.SharedNames()
	out := []any{}
	for _, r := range roles {
		rec := map[string]any{
			"name": r.name, "login": r.login, "admin": admins[r.name], "create_role": r.createRole, "create_db": r.createDB,
			"bypass_rls": r.bypass, "replication": r.replic, "builtin": r.builtin, "shared_name": !r.builtin && shared.Looks(r.name),
		}
		if passwords {
			rec["password"] = "none"
			if r.scheme != "" {
				rec["password"] = "set"
			}
		}
		if r.until != nil {
			rec["expires_at"] = r.until.UTC()
		}
		out = append(out, rec)
	}
	return out
}

// Rule is one line of pg_hba.conf as the server reads it.
type Rule struct {
	Type, Address, Method, Place string
	Databases, Users             []string
}

func rules(ctx context.Context, conn *pgx.Conn, file string) ([]Rule, error) {
	name := "NULL::text" // versions before 16 have one file only
	var has bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute
		WHERE attrelid = 'pg_catalog.pg_hba_file_rules'::regclass AND attname = 'file_name')`).Scan(&has)
	if err != nil {
		return nil, err
	}
	if has {
		name = "file_name"
	}
	rows, err := conn.Query(ctx, `SELECT type, database, user_name, address, netmask, auth_method, error, line_number, `+name+`
		FROM pg_catalog.pg_hba_file_rules`)
	if err != nil {
		return nil, err
	}
	if file == "" {
		file = "pg_hba.conf"
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Rule, error) {
		var kind, address, mask, method, fault, from *string
		var line int
		var r Rule
		if err := row.Scan(&kind, &r.Databases, &r.Users, &address, &mask, &method, &fault, &line, &from); err != nil {
			return r, err
		}
		if from == nil {
			from = &file
		}
		r.Place = fmt.Sprintf("%s:%d", *from, line)
		if fault != nil {
			return r, errors.New("malformed: " + r.Place + ": " + *fault)
		}
		r.Type, r.Method, r.Address = *kind, *method, network(address, mask)
		return r, nil
	})
}

// network writes an address and its mask as "10.0.0.0/8".
func network(address, mask *string) string {
	if address == nil {
		return ""
	}
	if mask == nil {
		return *address // a host name, all, samehost, samenet
	}
	ones, bits := net.IPMask(parseIP(*mask)).Size()
	if bits == 0 {
		return *address + " " + *mask
	}
	return fmt.Sprintf("%s/%d", *address, ones)
}

func parseIP(s string) []byte {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return nil
	}
	return a.AsSlice()
}

func ruleRecords(rules []Rule) []any {
	out := []any{}
	for _, r := range rules {
		out = append(out, map[string]any{
			"type": r.Type, "database": strings.Join(r.Databases, ","), "user": strings.Join(r.Users, ","), "address": r.Address,
			"method": r.Method, "encrypted": r.Type == "hostssl" || r.Type == "hostgssenc", "place": r.Place,
		})
	}
	return out
}

// RemoteAdmin reports whether an administrator may log in from another machine:
// the server listens beyond the loopback, and some rule for him and a remote
// address lets him in before one refuses everybody from everywhere.
func RemoteAdmin(listen string, rules []Rule, admins []string) bool {
	remote := slices.ContainsFunc(strings.Split(listen, ","), func(a string) bool {
		a = strings.TrimSpace(a)
		return a != "" && !loopback(a)
	})
	if !remote {
		return false
	}
	return slices.ContainsFunc(admins, func(a string) bool { return letIn(rules, a) })
}

func letIn(rules []Rule, admin string) bool {
	var shut4, shut6 bool // refused from everywhere so far
	for _, r := range rules {
		if r.Type == "local" || loopback(r.Address) || r.Address == "samehost" || !matches(r.Users, admin) {
			continue
		}
		if r.Method == "reject" {
			shut4 = shut4 || r.Address == "all" || r.Address == "0.0.0.0/0"
			shut6 = shut6 || r.Address == "all" || r.Address == "::/0"
			continue
		}
		p, err := netip.ParsePrefix(r.Address)
		switch {
		case err != nil && shut4 && shut6: // a name, or all
		case err == nil && p.Addr().Is4() && shut4, err == nil && p.Addr().Is6() && shut6:
		default:
			return true
		}
	}
	return false
}

// matches reports whether a rule's users include a role. Groups ("+name") and
// patterns ("/…") are taken to include it.
func matches(users []string, role string) bool {
	return slices.ContainsFunc(users, func(u string) bool {
		return u == "all" || u == role || strings.HasPrefix(u, "+") || strings.HasPrefix(u, "/")
	})
}

func loopback(s string) bool {
	if s == "localhost" {
		return true
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Addr().IsLoopback()
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.IsLoopback()
}
