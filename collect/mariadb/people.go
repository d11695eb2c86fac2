package mariadb

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/account"
	"kakusho/fact"
)

// Account is one row of mysql.user.
type Account struct {
	Name, Host, Plugin  string
	Empty               bool // no password at all
	Locked, Role, TLS   bool
	Super, CreateUser   bool
	CreateDB, Replicate bool
}

func people(ctx context.Context, db *sql.DB, v map[string]string, src fact.Source) []fact.Fact {
	as, err := accounts(ctx, db)
	if err != nil {
		var out []fact.Fact
		for _, f := range []string{"roles", "access_rules", "anonymous_login", "remote_admin", "password_hash"} {
			out = append(out, failed(f, err, src))
		}
		return out
	}
	return Accounts(as, listens(v), src)
}

// accounts reads mysql.user, whose columns differ between products and
// versions, and where MariaDB keeps whether an account is locked.
func accounts(ctx context.Context, db *sql.DB) ([]Account, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM mysql.user")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var out []Account
	for rows.Next() {
		cells := make([]sql.NullString, len(names))
		at := make([]any, len(names))
		for i := range cells {
			at[i] = &cells[i]
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		row := map[string]string{}
		for i, n := range names {
			row[strings.ToLower(n)] = cells[i].String
		}
		out = append(out, ParseAccount(row))
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, lock(ctx, db, out)
}

// ParseAccount reads a row of mysql.user, its columns in lower case. What the
// password is kept as is looked at for being empty only.
func ParseAccount(row map[string]string) Account {
	yes := func(key string) bool { return row[key] == "Y" }
	a := Account{
		Name: row["user"], Host: row["host"], Plugin: row["plugin"],
		Locked: yes("account_locked"), Role: yes("is_role"), TLS: row["ssl_type"] != "",
		Super: yes("super_priv"), CreateUser: yes("create_user_priv"), CreateDB: yes("create_priv"), Replicate: yes("repl_slave_priv"),
	}
	kept := row["authentication_string"]
	if kept == "" {
		kept = row["password"]
	}
	switch a.Plugin {
	case "", "mysql_native_password", "mysql_old_password", "ed25519", "caching_sha2_password", "sha256_password", "parsec":
		a.Empty = kept == ""
	}
	if a.Plugin == "" {
		a.Plugin = "mysql_native_password"
	}
	return a
}

// lock adds what MariaDB keeps in mysql.global_priv: locked accounts, and the
// second ways to log in, of which the weakest counts.
func lock(ctx context.Context, db *sql.DB, as []Account) error {
	var n int
	err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'global_priv'`).Scan(&n)
	if err != nil || n == 0 {
		return err
	}
	rows, err := db.QueryContext(ctx, "SELECT User, Host, Priv FROM mysql.global_priv")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var user, host string
		var priv []byte
		if err := rows.Scan(&user, &host, &priv); err != nil {
			return err
		}
		for i := range as {
			if as[i].Name == user && as[i].Host == host {
				if err := as[i].Merge(priv); err != nil {
					return err
				}
			}
		}
	}
	return rows.Err()
}

// Merge reads the JSON of mysql.global_priv into the account.
func (a *Account) Merge(priv []byte) error {
	var p struct {
		Locked bool `json:"account_locked"`
		Or     []struct {
			Plugin string `json:"plugin"`
			Kept   string `json:"authentication_string"`
		} `json:"auth_or"`
	}
	if err := json.Unmarshal(priv, &p); err != nil {
		return err
	}
	a.Locked = a.Locked || p.Locked
	for _, o := range p.Or {
		if o.Plugin == "mysql_native_password" || o.Plugin == "ed25519" {
			a.Plugin, a.Empty = o.Plugin, o.Kept == ""
		}
	}
	return nil
}

// password is the state of an account's password.
func password(a Account) string {
	switch a.Plugin {
	case "unix_socket", "auth_socket", "gssapi", "pam", "mysql_no_login":
		return "none"
	}
	if a.Empty {
		return "empty"
	}
	return "set"
}

func (a Account) login() bool { return !a.Role && !a.Locked && a.Plugin != "mysql_no_login" }

// admin counts those who may do everything, or give it to themselves.
func (a Account) admin() bool { return a.Super || a.CreateUser }

func (a Account) builtin() bool {
	switch a.Name {
	case "root", "mariadb.sys", "mysql", "PUBLIC", "mysql.sys", "mysql.session", "mysql.infoschema", "debian-sys-maint", "healthcheck":
		return true
	}
	return false
}

// local reports whether an account's host is this machine.
func local(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Accounts are the facts about who may do what. listen is where the server
// hears, "" over its socket only.
func Accounts(as []Account, listen string, src fact.Source) []fact.Fact {
	shared := account.SharedNames()
	roles, rules := []any{}, []any{}
	anonymous, remote := false, false
	far := slices.ContainsFunc(strings.Split(listen, ","), func(a string) bool { a = strings.TrimSpace(a); return a != "" && !local(a) })
	for _, a := range as {
		roles = append(roles, map[string]any{
			"name": a.Name, "host": a.Host, "login": a.login(), "admin": a.admin(), "create_role": a.CreateUser, "create_db": a.CreateDB,
			"replication": a.Replicate, "password": password(a), "builtin": a.builtin(), "shared_name": !a.builtin() && shared.Looks(a.Name),
		})
		if !a.login() {
			continue
		}
		rules = append(rules, map[string]any{
			"type": "account", "database": "all", "user": a.Name, "address": a.Host, "method": a.Plugin, "encrypted": a.TLS, "place": "mysql.user",
		})
		anonymous = anonymous || a.Name == ""
		remote = remote || far && a.admin() && !local(a.Host)
	}
	return []fact.Fact{
		collect.Saw("roles", roles, src), collect.Saw("access_rules", rules, src), collect.Saw("anonymous_login", anonymous, src),
		collect.Saw("remote_admin", remote, src), passwordHash(as, src),
	}
}

// schemes name how passwords are kept, the weakest first.
var schemes = []struct{ plugin, name string }{
	{"mysql_old_password", "mysql_old_password"}, {"mysql_native_password", "mysql_native_password"}, {"ed25519", "ed25519"},
	{"sha256_password", "sha256"}, {"caching_sha2_password", "sha256"}, {"parsec", "parsec"},
}

// passwordHash is the weakest scheme among the accounts that log in by
// password.
func passwordHash(as []Account, src fact.Source) fact.Fact {
	for _, s := range schemes {
		if slices.ContainsFunc(as, func(a Account) bool { return a.login() && a.Plugin == s.plugin && !a.Empty }) {
			return collect.Saw("password_hash", s.name, src)
		}
	}
	return collect.None("password_hash", "no passwords: no account logs in by password", src)
}
