package mariadb_test

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/mariadb"
	"kakusho/fact"
	"kakusho/kind"
)

// instance is a real MariaDB that lives as long as its test.
type instance struct {
	socket string
	port   int
}

func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, n := range names {
		for _, p := range []string{n, "/usr/sbin/" + n, "/usr/libexec/" + n} {
			if bin, err := exec.LookPath(p); err == nil {
				return bin
			}
		}
	}
	t.Skipf("no %s here: apt-get install mariadb-server", names[0])
	return ""
}

func start(t *testing.T, options ...string) instance {
	t.Helper()
	install, server := program(t, "mariadb-install-db", "mysql_install_db"), program(t, "mariadbd", "mysqld")
	dir, err := os.MkdirTemp("/tmp", "my") // a short path: the socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("mysql")
		if err != nil {
			t.Skip("no user mysql here")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	in := instance{socket: filepath.Join(dir, "s"), port: freePort(t)}
	data := filepath.Join(dir, "data")
	command := func(bin string, args ...string) *exec.Cmd {
		cmd := exec.Command(bin, args...)
		cmd.Dir, cmd.SysProcAttr, cmd.Env = dir, attr, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + dir}
		return cmd
	}
	if out, err := command(install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput(); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	args := append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + in.socket, "--port=" + strconv.Itoa(in.port), "--pid-file=" + dir + "/pid",
		"--log-error=" + dir + "/err", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--plugin-maturity=unknown"}, options...)
	cmd := command(server, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 300 {
		if c, err := net.Dial("unix", in.socket); err == nil {
			c.Close()
			return in
		}
		time.Sleep(100 * time.Millisecond)
	}
	log, _ := os.ReadFile(dir + "/err")
	t.Fatalf("no answer from mariadbd\n%s", log)
	return in
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func (in instance) dsn(userinfo string) string { return userinfo + "@unix(" + in.socket + ")/" }

func (in instance) exec(t *testing.T, statements ...string) {
	t.Helper()
	db, err := sql.Open("mysql", in.dsn("root"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func look(t *testing.T, h collect.Host, dsn string) map[string]fact.Fact {
	t.Helper()
	b := collect.Run(t.Context(), h, "database/TEST", mariadb.Collectors(dsn), nil)[0]
	if err := collect.Check(kind.Default()["database"], b); err != nil {
		t.Fatal(err)
	}
	out := map[string]fact.Fact{}
	for _, f := range b.Facts {
		if strings.HasPrefix(f.Reason, "collector:") || strings.HasPrefix(f.Reason, "panic:") {
			t.Errorf("%s: %s", f.Field, f.Reason)
		}
		out[f.Field] = f
	}
	return out
}

func want(t *testing.T, got map[string]fact.Fact, values map[string]any) {
	t.Helper()
	for field, w := range values {
		if got[field].Value != w {
			t.Errorf("%s: got %v %s %s, want %v", field, got[field].Value, got[field].Status, got[field].Reason, w)
		}
	}
}

func list(f fact.Fact) string {
	l, _ := f.Value.([]any)
	var out []string
	for _, e := range l {
		out = append(out, fmt.Sprint(e))
	}
	return strings.Join(out, " ")
}

func find(facts map[string]fact.Fact, field, name, host string) map[string]any {
	l, _ := facts[field].Value.([]any)
	for _, e := range l {
		if r := e.(map[string]any); r["name"] == name && r["host"] == host {
			return r
		}
	}
	return nil
}

func TestAsInstalled(t *testing.T) {
	in := start(t, "--bind-address=127.0.0.1")
	in.exec(t, "CREATE USER sato@localhost IDENTIFIED VIA unix_socket", "CREATE USER app@'10.0.0.%' IDENTIFIED BY 'x' REQUIRE SSL",
		"GRANT ALL ON *.* TO dba@'%' IDENTIFIED BY 'x' WITH GRANT OPTION", "CREATE USER gone@localhost IDENTIFIED BY 'x' ACCOUNT LOCK",
		"CREATE ROLE readers", "CREATE USER bare@localhost", "CREATE USER two@localhost IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('x')")
	got := look(t, fixture.Live(), in.dsn("root"))
	want(t, got, map[string]any{
		"engine": "mariadb", "listen_addresses": "127.0.0.1", "port": int64(in.port), "audit_enabled": false, "audit_log": "none", "log_connections": false,
		"log_disconnections": false, "log_to_syslog": false, "audit_names_user": false, "data_encrypted": false, "password_hash": "mysql_native_password",
		"remote_admin": false, "tls": false,
	})
	if v, ok := got["version"].Value.(string); !ok || strings.ContainsAny(v, "- ") {
		t.Errorf("version: got %v", got["version"])
	}
	for _, c := range []struct {
		name, host string
		want       map[string]any
	}{
		{"root", "localhost", map[string]any{"admin": true, "login": true, "password": "empty", "builtin": true}},
		{"sato", "localhost", map[string]any{"admin": false, "login": true, "password": "none", "builtin": false, "shared_name": false}},
		{"app", "10.0.0.%", map[string]any{"admin": false, "password": "set", "create_role": false}},
		{"dba", "%", map[string]any{"admin": true, "create_role": true, "create_db": true, "replication": true}},
		{"gone", "localhost", map[string]any{"login": false}},
		{"readers", "", map[string]any{"login": false}},
		{"bare", "localhost", map[string]any{"login": true, "password": "empty"}},
		{"two", "localhost", map[string]any{"password": "set"}},
	} {
		r := find(got, "roles", c.name, c.host)
		for k, w := range c.want {
			if r == nil || r[k] != w {
				t.Errorf("%s@%s: %s is %v, want %v", c.name, c.host, k, r[k], w)
			}
		}
	}
	rules := list(got["access_rules"])
	if !strings.Contains(rules, "map[address:10.0.0.% database:all encrypted:true method:mysql_native_password place:mysql.user type:account user:app]") || strings.Contains(rules, "user:gone") {
		t.Errorf("rules: got %s", rules)
	}
}

func TestAuditedEncryptedAndOpen(t *testing.T) {
	keys, err := os.CreateTemp("/tmp", "mykeys")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(keys.Name()) })
	fmt.Fprintf(keys, "1;%s\n", strings.Repeat("0123456789abcdef", 4))
	keys.Close()
	if err := os.Chmod(keys.Name(), 0o644); err != nil {
		t.Fatal(err)
	}
	in := start(t, "--bind-address=*", "--plugin-load-add=server_audit", "--server-audit-logging=ON", "--server-audit-events=CONNECT,QUERY_DDL,QUERY_DCL", "--server-audit-output-type=syslog",
		"--plugin-load-add=file_key_management", "--file-key-management-filename="+keys.Name(), "--innodb-encrypt-tables=FORCE", "--plugin-load-add=auth_ed25519")
	in.exec(t, "CREATE USER ''@localhost", "GRANT ALL ON *.* TO dba@'%' IDENTIFIED VIA ed25519 USING PASSWORD('x') WITH GRANT OPTION",
		"ALTER USER root@localhost IDENTIFIED VIA unix_socket OR ed25519 USING PASSWORD('x')", "CREATE DATABASE d", "CREATE TABLE d.t (a int)")
	got := look(t, fixture.Live(), in.dsn("root:x"))
	want(t, got, map[string]any{
		"audit_enabled": true, "audit_log": "server_audit: CONNECT,QUERY_DDL,QUERY_DCL", "log_connections": true, "log_disconnections": true, "log_to_syslog": true,
		"audit_names_user": true, "data_encrypted": true, "anonymous_login": true, "remote_admin": true, "listen_addresses": "*", "password_hash": "ed25519",
	})
	if g := list(got["audit_events"]); g != "login ddl grant" {
		t.Errorf("events: got %s", g)
	}
}

func TestWhoMayNotLook(t *testing.T) {
	in := start(t, "--skip-networking")
	in.exec(t, "CREATE USER plain@localhost IDENTIFIED BY 'x'", "CREATE USER watcher@localhost IDENTIFIED BY 'x'", "GRANT SELECT ON mysql.* TO watcher@localhost")
	for field, f := range look(t, fixture.Live(), in.dsn("plain:wrong")) {
		if f.Status != fact.Denied || strings.Contains(f.Reason, "wrong") {
			t.Errorf("%s, with a wrong password: got %s %s", field, f.Status, f.Reason)
		}
	}
	got := look(t, fixture.Live(), in.dsn("plain:x"))
	for _, field := range []string{"roles", "access_rules", "anonymous_login", "remote_admin", "password_hash"} {
		if got[field].Status != fact.Denied {
			t.Errorf("%s, as a plain account: got %s %v %s, want denied", field, got[field].Status, got[field].Value, got[field].Reason)
		}
	}
	if got["listen_addresses"].Value != "" {
		t.Errorf("without a network: got %v", got["listen_addresses"])
	}
	for field, f := range look(t, fixture.Live(), in.dsn("watcher:x")) {
		if f.Status != fact.Observed {
			t.Errorf("%s, as the account that the package comment asks for: got %s %s", field, f.Status, f.Reason)
		}
	}
}

func TestWithoutAnInstance(t *testing.T) {
	for field, f := range look(t, fixture.Host(t, "-- etc/x --\n"), "") {
		if f.Status != fact.Error || !strings.Contains(f.Reason, "not live") {
			t.Errorf("%s, of an image: got %s %s", field, f.Status, f.Reason)
		}
	}
	h := fixture.Host(t, "-- etc/x --\n")
	h.Live = true
	for field, f := range look(t, h, "") {
		if f.Status != fact.Absent {
			t.Errorf("%s, of a host without one: got %s %s", field, f.Status, f.Reason)
		}
	}
	for _, dsn := range []string{"x:secret@tcp(127.0.0.1:1)/", "x:secret@tcp(127.0.0.1:1"} {
		for field, f := range look(t, fixture.Live(), dsn) {
			if f.Status != fact.Error || strings.Contains(f.Reason, "secret") {
				t.Errorf("%s of %s: got %s %s", field, dsn, f.Status, f.Reason)
			}
		}
	}
}

func TestAuditing(t *testing.T) {
	active := map[string]string{"server_audit": "ACTIVE"}
	for _, c := range []struct {
		name       string
		v, plugins map[string]string
		want       string
	}{
		{"nothing", nil, nil, ""},
		{"the plugin, everything", map[string]string{"server_audit_logging": "ON"}, active, "login ddl grant privileged read write bulk-export audit-config"},
		{"the plugin, switched off", map[string]string{"server_audit_logging": "OFF"}, active, ""},
		{"the plugin, not loaded", map[string]string{"server_audit_logging": "ON"}, nil, ""},
		{"the plugin, changes", map[string]string{"server_audit_logging": "ON", "server_audit_events": "QUERY_DML_NO_SELECT, query_dcl"}, active, "grant write"},
		{"MySQL's, logins", map[string]string{"audit_log_policy": "LOGINS"}, map[string]string{"audit_log": "ACTIVE"}, "login"},
		{"MySQL's, off", map[string]string{"audit_log_policy": "NONE"}, map[string]string{"audit_log": "ACTIVE"}, ""},
		{"the general log", map[string]string{"general_log": "ON", "log_output": "FILE"}, nil, "login ddl grant privileged read write bulk-export audit-config"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(mariadb.Auditing(c.v, c.plugins).Events, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if mariadb.Auditing(map[string]string{"general_log": "ON", "log_output": "FILE"}, nil).Names {
		t.Error("the general log's file names nobody on most lines")
	}
}

func TestMySQL8(t *testing.T) {
	facts := map[string]fact.Fact{}
	for _, f := range mariadb.Settings(map[string]string{"version": "8.0.39", "version_comment": "MySQL Community Server - GPL", "port": "3306", "bind_address": "*", "ssl_cert": "server-cert.pem"}, nil, fact.Source{}) {
		facts[f.Field] = f
	}
	want(t, facts, map[string]any{"version": "8.0.39", "tls": true, "listen_addresses": "*", "support_end": time.Date(2026, 4, 30, 0, 0, 0, 0, time.UTC)})
	a := mariadb.ParseAccount(map[string]string{"user": "a", "host": "%", "plugin": "caching_sha2_password", "authentication_string": "$A$005$x", "account_locked": "Y", "super_priv": "Y"})
	if !a.Locked || a.Empty || !a.Super {
		t.Errorf("got %+v", a)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(`{"account_locked":true,"auth_or":[{"plugin":"ed25519","authentication_string":""},{}]}`), "CONNECT,QUERY")
	f.Fuzz(func(t *testing.T, b []byte, events string) {
		var a mariadb.Account
		if err := a.Merge(b); err != nil && a.Locked {
			t.Errorf("locked by %q", b)
		}
		for _, e := range mariadb.ServerAudit(events) {
			if e == "" {
				t.Error("an event without a name")
			}
		}
	})
}
