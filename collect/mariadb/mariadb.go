// Package mariadb observes a MariaDB or MySQL instance: its accounts, who may
// connect from where, what is audited, and its settings.
//
// It reads through an ordinary connection and changes nothing. What the
// connecting account may not read is Denied; one that may read it all has
// SELECT on the schema mysql. Support ends as the makers announce it;
// distributions may go on longer.
package mariadb

import (
	"context"
	"database/sql"
	"errors"
	"os/user"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"kakusho/collect"
	"kakusho/fact"
	"kakusho/kind"
)

// Collectors observes the instance that dsn leads to, in the form of
// go-sql-driver: "kakusho:password@tcp(db.example.jp:3306)/?tls=true". An empty
// dsn stands for the host's own instance, reached over its Unix socket as the
// user the agent runs as; no password is tried.
func Collectors(dsn string) []collect.Collector {
	return []collect.Collector{{Group: "database", Version: "1", Collect: func(ctx context.Context, h collect.Host) []fact.Fact {
		return look(ctx, h, dsn)
	}}}
}

// sockets are where MariaDB listens, as distributions build it.
var sockets = []string{"/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"}

// Local is how to reach the instance whose socket lies on the host, "" when
// there is none.
func Local(h collect.Host) (string, error) {
	l := h.Look()
	name := "root"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	for _, p := range sockets {
		ok, err := l.Exists(p)
		if err != nil {
			return "", err
		}
		if ok {
			return name + "@unix(" + p + ")/", nil
		}
	}
	return "", nil
}

var (
	errNotLive = errors.New("not live: no instance was asked")
	errNone    = errors.New("no instance")
)

func look(ctx context.Context, h collect.Host, dsn string) []fact.Fact {
	db, addr, err := open(h, dsn)
	if errors.Is(err, errNone) {
		return every(func(f string) fact.Fact {
			return collect.None(f, "no MariaDB: no socket at "+strings.Join(sockets, ", "))
		})
	}
	if err != nil {
		return every(func(f string) fact.Fact { return failed(f, err) })
	}
	defer db.Close()
	src := fact.Source{Kind: "sql", Ref: "mariadb " + addr}
	vars, err := variables(ctx, db)
	if err != nil {
		return every(func(f string) fact.Fact { return failed(f, err, src) })
	}
	plugins, err := plugins(ctx, db)
	if err != nil {
		return every(func(f string) fact.Fact { return failed(f, err, src) })
	}
	out := Settings(vars, plugins, src)
	out = append(out, dataEncrypted(ctx, db, vars, plugins, src))
	return append(out, people(ctx, db, vars, src)...)
}

func every(fn func(field string) fact.Fact) []fact.Fact {
	var out []fact.Fact
	for _, f := range collect.Fields(kind.Default()["database"], "database") {
		out = append(out, fn(f.Name))
	}
	return out
}

// refusals are the server's error numbers for "you may not": access denied to
// the database, to log in (with and without socket), to a command, a table, a
// column, and lacking a privilege.
var refusals = []uint16{1044, 1045, 1698, 1142, 1143, 1227, 1130}

func failed(field string, err error, src ...fact.Source) fact.Fact {
	if my, ok := errors.AsType[*mysql.MySQLError](err); ok {
		if slices.Contains(refusals, my.Number) {
			return fact.Fact{Field: field, Status: fact.Denied, Reason: "permission: " + my.Message, Source: src}
		}
		return collect.Unclear(field, "sql: "+strconv.Itoa(int(my.Number))+" "+my.Message, src...)
	}
	return collect.Failed(field, err, src...)
}

func open(h collect.Host, dsn string) (*sql.DB, string, error) {
	if dsn == "" {
		if !h.Live {
			return nil, "", errNotLive
		}
		found, err := Local(h)
		if err != nil {
			return nil, "", err
		}
		if dsn = found; dsn == "" {
			return nil, "", errNone
		}
	}
	conf, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, "", errors.New("connection string: malformed") // its text may hold a password
	}
	if h.Dial != nil {
		conf.DialFunc = h.Dial
	}
	if conf.Timeout == 0 {
		conf.Timeout = 5 * time.Second
	}
	if conf.ReadTimeout == 0 {
		conf.ReadTimeout = 10 * time.Second
	}
	conf.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(conf)
	if err != nil {
		return nil, "", err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db, conf.Addr, nil
}

// pairs reads a query of two columns.
func pairs(ctx context.Context, db *sql.DB, query string) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var k, v sql.NullString
		if err := rows.Scan(&k, &v); err != nil {
			return nil, err
		}
		out[strings.ToLower(k.String)] = v.String
	}
	return out, rows.Err()
}

func variables(ctx context.Context, db *sql.DB) (map[string]string, error) {
	return pairs(ctx, db, "SHOW GLOBAL VARIABLES")
}

// plugins maps the plugins that are loaded to their status.
func plugins(ctx context.Context, db *sql.DB) (map[string]string, error) {
	return pairs(ctx, db, "SELECT PLUGIN_NAME, PLUGIN_STATUS FROM information_schema.PLUGINS")
}

// supportEnds are the last days of the release series, MariaDB's long-term ones
// and MySQL's.
var supportEnds = map[string]time.Time{
	"mariadb 10.4": date(2024, 6, 18), "mariadb 10.5": date(2025, 6, 24), "mariadb 10.6": date(2026, 7, 6), "mariadb 10.11": date(2028, 2, 16),
	"mariadb 11.4": date(2029, 5, 29), "mariadb 11.8": date(2028, 6, 4),
	"mysql 5.7": date(2023, 10, 31), "mysql 8.0": date(2026, 4, 30), "mysql 8.4": date(2032, 4, 30),
}

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

var series = regexp.MustCompile(`^(\d+\.\d+)`)

// Settings are the facts that follow from the variables and plugins alone.
func Settings(v, plugins map[string]string, src fact.Source) []fact.Fact {
	maria := strings.Contains(strings.ToLower(v["version"]), "mariadb") || strings.Contains(strings.ToLower(v["version_comment"]), "mariadb")
	number, _, _ := strings.Cut(v["version"], "-")
	out := []fact.Fact{
		collect.Saw("engine", "mariadb", src), collect.Saw("version", number, src), collect.Saw("listen_addresses", listens(v), src),
		collect.Saw("tls", tls(v), src),
	}
	if port, err := strconv.ParseInt(v["port"], 10, 64); err == nil {
		out = append(out, collect.Saw("port", port, src))
	} else {
		out = append(out, collect.Unclear("port", "sql: no port among the variables", src))
	}
	name := "mysql "
	if maria {
		name = "mariadb "
	}
	if end, ok := supportEnds[name+series.FindString(number)]; ok {
		out = append(out, collect.Saw("support_end", end, src))
	} else {
		out = append(out, collect.Unclear("support_end", "unknown version: its end of support is not known here: "+name+number, src))
	}
	return append(out, audit(v, plugins, src)...)
}

func on(v string) bool {
	switch strings.ToUpper(v) {
	case "ON", "1", "YES", "FORCE", "TRUE":
		return true
	}
	return false
}

// listens writes where the server hears: "*" everywhere, "" over its socket
// only.
func listens(v map[string]string) string {
	switch {
	case on(v["skip_networking"]):
		return ""
	case v["bind_address"] == "":
		return "*"
	}
	return v["bind_address"]
}

func tls(v map[string]string) bool {
	if have, ok := v["have_ssl"]; ok {
		return on(have)
	}
	return v["ssl_cert"] != "" || on(v["auto_generate_certs"]) // MySQL since 8.0.26, by default
}

// Audit is what writes down what people do.
type Audit struct {
	Log    string // what is audited, in the product's words
	Events []string
	Login  bool
	Names  bool // each record says who
	Syslog bool
}

var allEvents = []string{"login", "ddl", "grant", "privileged", "read", "write", "bulk-export", "audit-config"}

// audit is about MariaDB's audit plugin, MySQL's, and the general log.
func audit(v, plugins map[string]string, src fact.Source) []fact.Fact {
	a := Auditing(v, plugins)
	list := []any{}
	for _, e := range a.Events {
		list = append(list, e)
	}
	return []fact.Fact{
		collect.Saw("audit_log", a.Log, src), collect.Saw("audit_events", list, src),
		collect.Saw("audit_enabled", len(list) > 0, src), collect.Saw("audit_names_user", a.Names, src),
		collect.Saw("log_connections", a.Login, src), collect.Saw("log_disconnections", a.Login, src),
		collect.Saw("log_to_syslog", a.Syslog, src),
	}
}

// Auditing tells what is audited, by the names of the parameter
// db.audit.events.
func Auditing(v, plugins map[string]string) Audit {
	switch {
	case plugins["server_audit"] == "ACTIVE" && on(v["server_audit_logging"]):
		events := ServerAudit(v["server_audit_events"])
		return Audit{
			Log: "server_audit: " + orAll(v["server_audit_events"]), Events: events, Login: slices.Contains(events, "login"),
			Names: true, Syslog: strings.EqualFold(v["server_audit_output_type"], "syslog"),
		}
	case plugins["audit_log"] == "ACTIVE" && !strings.EqualFold(v["audit_log_policy"], "none"):
		events := map[string][]string{"LOGINS": {"login"}, "QUERIES": allEvents[1:]}[strings.ToUpper(v["audit_log_policy"])]
		if events == nil {
			events = allEvents
		}
		return Audit{
			Log: "audit_log: " + orAll(v["audit_log_policy"]), Events: events, Login: slices.Contains(events, "login"),
			Names: true, Syslog: strings.EqualFold(v["audit_log_handler"], "syslog"),
		}
	case on(v["general_log"]):
		// In the file only the line of the connection says who; in the table
		// each record does.
		return Audit{Log: "general_log: " + v["log_output"], Events: allEvents, Login: true, Names: strings.Contains(strings.ToUpper(v["log_output"]), "TABLE")}
	}
	return Audit{Log: "none"}
}

func orAll(s string) string {
	if s == "" {
		return "ALL"
	}
	return s
}

// ServerAudit reads server_audit_events; empty means all.
func ServerAudit(s string) []string {
	found := map[string]bool{}
	for _, e := range strings.Split(strings.ToUpper(s), ",") {
		var add []string
		switch strings.TrimSpace(e) {
		case "":
			if strings.TrimSpace(s) == "" {
				return allEvents
			}
		case "CONNECT":
			add = []string{"login"}
		case "QUERY":
			add = allEvents[1:]
		case "QUERY_DDL":
			add = []string{"ddl"}
		case "QUERY_DML":
			add = []string{"read", "write", "bulk-export"}
		case "QUERY_DML_NO_SELECT":
			add = []string{"write"}
		case "QUERY_DCL":
			add = []string{"grant"}
		case "TABLE":
			add = []string{"read", "write"}
		}
		for _, a := range add {
			found[a] = true
		}
	}
	var out []string
	for _, e := range allEvents {
		if found[e] {
			out = append(out, e)
		}
	}
	return out
}

// keyPlugins hold the keys without which the server encrypts nothing.
var keyPlugins = []string{"file_key_management", "aws_key_management", "hashicorp_key_management", "keyring_file", "keyring_encrypted_file", "keyring_okv", "keyring_hashicorp"}

// dataEncrypted needs new tables to be encrypted, keys, and no table of people's
// data that is not.
func dataEncrypted(ctx context.Context, db *sql.DB, v, plugins map[string]string, src fact.Source) fact.Fact {
	const field = "data_encrypted"
	ready := slices.ContainsFunc(keyPlugins, func(p string) bool { return plugins[p] == "ACTIVE" })
	if !ready || !on(v["innodb_encrypt_tables"]) && !on(v["default_table_encryption"]) {
		return collect.Saw(field, false, src)
	}
	query := `SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES WHERE ENCRYPTION <> 'Y' AND NAME LIKE '%/%' AND NAME NOT LIKE 'mysql/%'`
	if _, ok := v["innodb_encrypt_tables"]; ok {
		query = `SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE ENCRYPTION_SCHEME = 0 AND NAME LIKE '%/%' AND NAME NOT LIKE 'mysql/%'`
	}
	var open int
	if err := db.QueryRowContext(ctx, query).Scan(&open); err != nil {
		return failed(field, err, src)
	}
	return collect.Saw(field, open == 0, src)
}
