// Package postgres observes a PostgreSQL instance: its roles, who may connect
// from where, what is audited, and its settings.
//
// It reads through an ordinary connection and in read-only transactions. What
// the connecting role may not read is Denied; a role that may read everything
// but change nothing is one with pg_monitor and pg_read_all_settings, plus
// EXECUTE on pg_hba_file_rules() and SELECT on pg_authid granted to it. Support
// ends as the PostgreSQL project announces it; distributions may go on longer.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/user"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kakusho/collect"
	"kakusho/fact"
	"kakusho/kind"
)

// Collectors observes the instance that dsn leads to, in the form of libpq:
// "host=db.example.jp user=kakusho dbname=postgres". An empty dsn stands for
// the host's own instance, reached over its Unix socket as the operating
// system's user "postgres", or as the user the agent runs as; no password is
// tried.
func Collectors(dsn string) []collect.Collector {
	return []collect.Collector{{Group: "database", Version: "1", Collect: func(ctx context.Context, h collect.Host) []fact.Fact {
		return look(ctx, h, dsn)
	}}}
}

// socketDirs are where PostgreSQL listens, as distributions build it.
var socketDirs = []string{"/run/postgresql", "/var/run/postgresql", "/tmp"}

// Local lists how to reach the instances whose sockets lie on the host.
func Local(h collect.Host) ([]string, error) {
	l := h.Look()
	var out []string
	seen := map[string]bool{}
	for _, dir := range socketDirs {
		found, err := l.Glob(dir + "/.s.PGSQL.*")
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			port := path.Base(p)[len(".s.PGSQL."):]
			if _, err := strconv.ParseUint(port, 10, 16); err != nil || seen[port] {
				continue // a lock file, or the same folder by another name
			}
			seen[port] = true
			out = append(out, fmt.Sprintf("host=%s port=%s dbname=postgres", dir, port))
		}
	}
	return out, nil
}

var errNotLive = errors.New("not live: no instance was asked")

func look(ctx context.Context, h collect.Host, dsn string) []fact.Fact {
	conn, err := connect(ctx, h, dsn)
	if errors.Is(err, errNone) {
		return every(func(f string) fact.Fact {
			return collect.None(f, "no PostgreSQL: no socket in "+strings.Join(socketDirs, ", "))
		})
	}
	if err != nil {
		return every(func(f string) fact.Fact { return failed(f, err) })
	}
	defer conn.Close(context.WithoutCancel(ctx))
	c := conn.Config()
	src := fact.Source{Kind: "sql", Ref: "postgresql " + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))}
	settings, err := settings(ctx, conn)
	if err != nil {
		return every(func(f string) fact.Fact { return failed(f, err, src) })
	}
	return append(Settings(settings, src), people(ctx, conn, settings, src)...)
}

func every(fn func(field string) fact.Fact) []fact.Fact {
	var out []fact.Fact
	for _, f := range collect.Fields(kind.Default()["database"], "database") {
		out = append(out, fn(f.Name))
	}
	return out
}

// failed tells a refusal by the server from other failures.
func failed(field string, err error, src ...fact.Source) fact.Fact {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case strings.HasPrefix(pg.Code, "28"), pg.Code == "42501": // authorisation, insufficient privilege
			return fact.Fact{Field: field, Status: fact.Denied, Reason: "permission: " + pg.Message, Source: src}
		case pg.Code == "57014": // cancelled by its time limit
			return fact.Fact{Field: field, Status: fact.Timeout, Reason: "timeout: " + pg.Message, Source: src}
		}
		return collect.Unclear(field, "sql: "+pg.Code+" "+pg.Message, src...)
	}
	return collect.Failed(field, err, src...)
}

var errNone = errors.New("no instance")

func connect(ctx context.Context, h collect.Host, dsn string) (*pgx.Conn, error) {
	if dsn != "" {
		return open(ctx, h, dsn)
	}
	if !h.Live {
		return nil, errNotLive
	}
	found, err := Local(h)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNone
	}
	users := []string{"postgres"}
	if u, err := user.Current(); err == nil && u.Username != "postgres" {
		users = append(users, u.Username)
	}
	var first error
	for _, name := range users {
		conn, err := open(ctx, h, found[0]+" user="+name)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func open(ctx context.Context, h collect.Host, dsn string) (*pgx.Conn, error) {
	conf, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("connection string: malformed") // its text may hold a password
	}
	if h.Dial != nil {
		conf.DialFunc = h.Dial
	}
	if conf.ConnectTimeout == 0 {
		conf.ConnectTimeout = 5 * time.Second
	}
	conf.RuntimeParams["application_name"] = "kakusho"
	conf.RuntimeParams["default_transaction_read_only"] = "on"
	conf.RuntimeParams["statement_timeout"] = "10000"
	return pgx.ConnectConfig(ctx, conf)
}

func settings(ctx context.Context, conn *pgx.Conn) (map[string]string, error) {
	rows, err := conn.Query(ctx, "SELECT name, setting FROM pg_catalog.pg_settings")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error { out[name] = value; return nil })
	return out, err
}

// supportEnds are the last days of the major versions, as announced at
// www.postgresql.org/support/versioning.
var supportEnds = map[int]time.Time{
	10: date(2022, 11, 10), 11: date(2023, 11, 9), 12: date(2024, 11, 21), 13: date(2025, 11, 13), 14: date(2026, 11, 12),
	15: date(2027, 11, 11), 16: date(2028, 11, 9), 17: date(2029, 11, 8), 18: date(2030, 11, 14),
}

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// Settings are the facts that follow from pg_settings alone. Settings that the
// connecting role may not see are not in s.
func Settings(s map[string]string, src fact.Source) []fact.Fact {
	is := func(key string) bool { return s[key] == "on" }
	version, _, _ := strings.Cut(s["server_version"], " ")
	out := []fact.Fact{
		collect.Saw("engine", "postgresql", src), collect.Saw("version", version, src),
		collect.Saw("tls", is("ssl"), src), collect.Saw("log_connections", logsConnections(s["log_connections"]), src),
		collect.Saw("log_disconnections", is("log_disconnections"), src),
		seen("log_to_syslog", s, "log_destination", func(v string) fact.Fact { return collect.Saw("log_to_syslog", has(v, "syslog"), src) }),
		collect.Saw("audit_names_user", namesUser(s), src),
		seen("listen_addresses", s, "listen_addresses", func(v string) fact.Fact { return collect.Saw("listen_addresses", v, src) }),
		collect.Saw("data_encrypted", encrypted(s), src),
	}
	if port, err := strconv.ParseInt(s["port"], 10, 64); err == nil {
		out = append(out, collect.Saw("port", port, src))
	} else {
		out = append(out, collect.Unclear("port", "sql: no port among the settings", src))
	}
	major, _ := strconv.Atoi(strings.SplitN(version, ".", 2)[0])
	if end, ok := supportEnds[major]; ok {
		out = append(out, collect.Saw("support_end", end, src))
	} else {
		out = append(out, collect.Unclear("support_end", "unknown version: its end of support is not known here: "+version, src))
	}
	events := Events(s)
	list := []any{}
	for _, e := range events {
		list = append(list, e)
	}
	return append(out,
		collect.Saw("audit_events", list, src),
		collect.Saw("audit_enabled", slices.ContainsFunc(events, func(e string) bool { return e != "login" }), src),
		collect.Saw("audit_log", audited(s), src))
}

func seen(field string, s map[string]string, key string, fn func(string) fact.Fact) fact.Fact {
	v, ok := s[key]
	if !ok {
		return fact.Fact{Field: field, Status: fact.Denied, Reason: "permission: setting " + key + " is not shown to this role"}
	}
	return fn(v)
}

func has(list, word string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(w string) bool { return strings.EqualFold(strings.TrimSpace(w), word) })
}

// logsConnections reads log_connections: on or off, and since version 18 a list
// of steps, of which "receipt" alone does not yet say who it is.
func logsConnections(v string) bool {
	return slices.ContainsFunc([]string{"on", "all", "authentication", "authorization"}, func(w string) bool { return has(v, w) })
}

// namesUser reports whether each line of the log says who: by its prefix, or by
// a format that always does.
func namesUser(s map[string]string) bool {
	return strings.Contains(s["log_line_prefix"], "%u") || has(s["log_destination"], "csvlog") || has(s["log_destination"], "jsonlog")
}

// encrypted reports encryption of the data files by the server itself, which
// only builds of others than the project have.
func encrypted(s map[string]string) bool {
	switch {
	case s["data_encryption_version"] != "" && s["data_encryption_version"] != "0":
		return true
	case s["pg_tde.wal_encrypt"] == "on" && s["default_table_access_method"] == "tde_heap":
		return true
	}
	return s["data_encryption"] == "on"
}

// pgaudit returns the classes pgaudit audits, nil when it is not loaded.
func pgaudit(s map[string]string) []string {
	if !has(s["shared_preload_libraries"], "pgaudit") && !strings.Contains(s["shared_preload_libraries"], "/pgaudit") {
		return nil
	}
	on := map[string]bool{}
	for _, c := range strings.Split(strings.ToLower(s["pgaudit.log"]), ",") {
		c = strings.TrimSpace(c)
		off := strings.HasPrefix(c, "-")
		for _, x := range expand(strings.TrimPrefix(c, "-")) {
			on[x] = !off
		}
	}
	var out []string
	for _, c := range pgauditClasses {
		if on[c] {
			out = append(out, c)
		}
	}
	return out
}

var pgauditClasses = []string{"read", "write", "function", "role", "ddl", "misc", "misc_set"}

func expand(class string) []string {
	if class == "all" {
		return pgauditClasses
	}
	return []string{class}
}

// Events lists the classes of events the settings audit, by the names of the
// parameter db.audit.events. Statements are audited by log_statement or by
// pgaudit; ALTER SYSTEM, which changes what is audited, is a definition.
func Events(s map[string]string) []string {
	on := map[string]bool{"login": logsConnections(s["log_connections"])}
	add := func(es ...string) {
		for _, e := range es {
			on[e] = true
		}
	}
	switch s["log_statement"] {
	case "all":
		add("ddl", "grant", "audit-config", "write", "read", "bulk-export", "privileged")
	case "mod":
		add("ddl", "grant", "audit-config", "write")
	case "ddl":
		add("ddl", "grant", "audit-config")
	}
	classes := pgaudit(s)
	for _, c := range classes {
		switch c {
		case "read":
			add("read", "bulk-export")
		case "write":
			add("write")
		case "role":
			add("grant")
		case "ddl":
			add("ddl", "audit-config")
		}
	}
	if len(classes) == len(pgauditClasses) {
		add("privileged") // whatever an administrator does is among it
	}
	var out []string
	for _, e := range []string{"login", "ddl", "grant", "privileged", "read", "write", "bulk-export", "audit-config"} {
		if on[e] {
			out = append(out, e)
		}
	}
	return out
}

func audited(s map[string]string) string {
	out := "log_statement=" + s["log_statement"]
	if classes := pgaudit(s); classes != nil {
		out += " pgaudit.log=" + strings.Join(classes, ",")
	}
	return out
}
