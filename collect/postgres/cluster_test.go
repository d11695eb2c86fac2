package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/postgres"
	"kakusho/fact"
	"kakusho/kind"
)

// cluster is a real PostgreSQL that lives as long as its test.
type cluster struct {
	dir, port string
	run       func(name string, args ...string)
}

// program finds one of PostgreSQL's programs, which Debian keeps out of PATH.
func program(t *testing.T, name string) string {
	t.Helper()
	if bin, err := exec.LookPath(name); err == nil {
		return bin
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		t.Skipf("no %s here: apt-get install postgresql", name)
	}
	return found[len(found)-1]
}

// start makes a cluster of its own; conf is added to postgresql.conf and hba
// takes the place of pg_hba.conf.
func start(t *testing.T, conf, hba string) cluster {
	t.Helper()
	initdb, ctl := program(t, "initdb"), program(t, "pg_ctl")
	dir, err := os.MkdirTemp("/tmp", "pg") // a short path: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 { // which PostgreSQL refuses to run as
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("no user postgres here")
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := cluster{dir: dir, port: strconv.Itoa(freePort(t))}
	c.run = func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.SysProcAttr, cmd.Env = dir, attr, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + dir}
		if out, err := cmd.CombinedOutput(); err != nil {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, log)
		}
	}
	write(t, filepath.Join(dir, "pw"), "admin-secret\n", 0o644)
	data := filepath.Join(dir, "data")
	c.run(initdb, "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile=pw", "-E", "UTF8", "--locale=C", "--no-sync")
	f, err := os.OpenFile(filepath.Join(data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("\nport = " + c.port + "\nunix_socket_directories = '" + dir + "'\nfsync = off\n" + conf)
	f.Close()
	write(t, filepath.Join(data, "pg_hba.conf"), hba, 0o644)
	c.run(ctl, "-D", data, "-l", filepath.Join(dir, "log"), "-w", "-t", "60", "start")
	t.Cleanup(func() { c.run(ctl, "-D", data, "-m", "immediate", "-w", "stop") })
	return c
}

func write(t *testing.T, p, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(p, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p, mode); err != nil {
		t.Fatal(err)
	}
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

func (c cluster) dsn(user, password string) string {
	return "host=" + c.dir + " port=" + c.port + " dbname=postgres user=" + user + " password=" + password
}

func (c cluster) exec(t *testing.T, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.dsn("postgres", "admin-secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func look(t *testing.T, h collect.Host, dsn string) map[string]fact.Fact {
	t.Helper()
	b := collect.Run(t.Context(), h, "database/TEST", postgres.Collectors(dsn), nil)[0]
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

const strict = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"

func TestAStrictCluster(t *testing.T) {
	c := start(t, "listen_addresses = 'localhost'\n", strict)
	c.exec(t, "CREATE ROLE sato LOGIN SUPERUSER PASSWORD 'x'", "CREATE ROLE app LOGIN PASSWORD 'x' VALID UNTIL '2027-01-01 00:00:00+00'",
		"CREATE ROLE batch LOGIN REPLICATION BYPASSRLS CREATEROLE CREATEDB", "GRANT postgres TO batch", "CREATE ROLE readers")
	got := look(t, fixture.Live(), c.dsn("postgres", "admin-secret"))
	for field, want := range map[string]any{
		"engine": "postgresql", "listen_addresses": "localhost", "password_hash": "scram-sha-256", "tls": false, "log_connections": false,
		"log_disconnections": false, "audit_enabled": false, "log_to_syslog": false, "data_encrypted": false, "anonymous_login": false,
		"remote_admin": false, "audit_log": "log_statement=none",
	} {
		if got[field].Value != want {
			t.Errorf("%s: got %v %s %s, want %v", field, got[field].Value, got[field].Status, got[field].Reason, want)
		}
	}
	if v, ok := got["version"].Value.(string); !ok || !strings.Contains(v, ".") || strings.Contains(v, " ") {
		t.Errorf("version: got %v", got["version"])
	}
	if p, ok := got["port"].Value.(int64); !ok || strconv.FormatInt(p, 10) != c.port {
		t.Errorf("port: got %v, want %s", got["port"].Value, c.port)
	}
	if end, ok := got["support_end"].Value.(time.Time); !ok || end.Year() < 2020 {
		t.Errorf("support_end: got %v %s", got["support_end"].Value, got["support_end"].Reason)
	}
	sato, app, batch, readers := find(got, "roles", "sato"), find(got, "roles", "app"), find(got, "roles", "batch"), find(got, "roles", "readers")
	if sato["admin"] != true || sato["password"] != "set" || sato["builtin"] != false || sato["shared_name"] != false {
		t.Errorf("a superuser: got %v", sato)
	}
	if app["admin"] != false || app["login"] != true || app["expires_at"] != time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) {
		t.Errorf("an application: got %v", app)
	}
	if batch["admin"] != true || batch["password"] != "none" || batch["replication"] != true || batch["bypass_rls"] != true || batch["create_role"] != true || batch["create_db"] != true {
		t.Errorf("a member of a superuser: got %v", batch)
	}
	if readers["login"] != false {
		t.Errorf("a group: got %v", readers)
	}
	if find(got, "roles", "postgres")["builtin"] != true || find(got, "roles", "pg_monitor")["builtin"] != true {
		t.Error("roles of the product are not marked")
	}
	rules := got["access_rules"].Value.([]any)
	last := rules[len(rules)-1].(map[string]any)
	if len(rules) != 2 || last["address"] != "127.0.0.1/32" || last["method"] != "scram-sha-256" || last["encrypted"] != false || !strings.HasSuffix(last["place"].(string), "pg_hba.conf:2") {
		t.Errorf("rules: got %v", rules)
	}
}

func find(facts map[string]fact.Fact, field, name string) map[string]any {
	l, _ := facts[field].Value.([]any)
	for _, e := range l {
		if r := e.(map[string]any); r["name"] == name {
			return r
		}
	}
	return nil
}

func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	p8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p8}))
}

func TestALooseAndAnAuditedCluster(t *testing.T) {
	cert, key := certificate(t)
	dir, err := os.MkdirTemp("/tmp", "pgtls")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/c.pem", cert, 0o644)
	write(t, dir+"/k.pem", key, 0o640)
	if u, err := user.Lookup("postgres"); err == nil && os.Geteuid() == 0 {
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir+"/k.pem", 0, gid); err != nil {
			t.Fatal(err)
		}
	}
	c := start(t, "listen_addresses = '127.0.0.1'\nssl = on\nssl_cert_file = '"+dir+"/c.pem'\nssl_key_file = '"+dir+"/k.pem'\n"+
		"log_connections = on\nlog_disconnections = on\nlog_statement = 'mod'\nlog_line_prefix = '%m [%p] %u@%d '\nlog_destination = 'syslog'\npassword_encryption = md5\n",
		"local all all trust\nhostssl all all 10.0.0.0 255.0.0.0 scram-sha-256\nhost all all 0.0.0.0/0 reject\n")
	c.exec(t, "CREATE ROLE old LOGIN PASSWORD 'x'", "ALTER SYSTEM SET listen_addresses = '*'")
	got := look(t, fixture.Live(), c.dsn("postgres", "any"))
	for field, want := range map[string]any{
		"tls": true, "log_connections": true, "log_disconnections": true, "audit_enabled": true, "audit_names_user": true, "log_to_syslog": true,
		"anonymous_login": true, "password_hash": "md5", "audit_log": "log_statement=mod",
		"listen_addresses": "127.0.0.1", "remote_admin": false, // until it is restarted
	} {
		if got[field].Value != want {
			t.Errorf("%s: got %v %s %s, want %v", field, got[field].Value, got[field].Status, got[field].Reason, want)
		}
	}
	var events []string
	for _, e := range got["audit_events"].Value.([]any) {
		events = append(events, e.(string))
	}
	if want := []string{"login", "ddl", "grant", "write", "audit-config"}; !slices.Equal(events, want) {
		t.Errorf("events: got %v, want %v", events, want)
	}
	rule := got["access_rules"].Value.([]any)[1].(map[string]any)
	if rule["encrypted"] != true || rule["address"] != "10.0.0.0/8" {
		t.Errorf("got %v", rule)
	}
}

func TestWhoMayNotLook(t *testing.T) {
	c := start(t, "", strict)
	c.exec(t, "CREATE ROLE plain LOGIN PASSWORD 'x'", "CREATE ROLE watcher LOGIN PASSWORD 'x'", "GRANT pg_read_all_settings, pg_monitor TO watcher",
		"GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO watcher", "GRANT SELECT ON pg_hba_file_rules, pg_authid TO watcher")
	got := look(t, fixture.Live(), c.dsn("postgres", "wrong"))
	for field, f := range got {
		if f.Status != fact.Denied || strings.Contains(f.Reason, "wrong") {
			t.Errorf("%s, with a wrong password: got %s %s", field, f.Status, f.Reason)
		}
	}
	got = look(t, fixture.Live(), c.dsn("plain", "x"))
	for _, field := range []string{"access_rules", "anonymous_login", "remote_admin", "password_hash"} {
		if got[field].Status != fact.Denied {
			t.Errorf("%s, as a plain role: got %s %v %s, want denied", field, got[field].Status, got[field].Value, got[field].Reason)
		}
	}
	if r := find(got, "roles", "plain"); got["roles"].Status != fact.Observed || r["password"] != nil {
		t.Errorf("roles, as a plain role: got %s %v, want them without passwords", got["roles"].Status, r)
	}
	for field, f := range look(t, fixture.Live(), c.dsn("watcher", "x")) {
		if f.Status != fact.Observed {
			t.Errorf("%s, as the role that the package comment asks for: got %s %s", field, f.Status, f.Reason)
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
	for field, f := range look(t, fixture.Live(), "host=127.0.0.1 port=1 user=x password=secret dbname=x") {
		if f.Status != fact.Error || strings.Contains(f.Reason, "secret") {
			t.Errorf("%s, of one that does not answer: got %s %s", field, f.Status, f.Reason)
		}
	}
	for field, f := range look(t, fixture.Live(), "postgres://x:secret@[") {
		if f.Status != fact.Error || strings.Contains(f.Reason, "secret") {
			t.Errorf("%s, of a malformed connection string: got %s %s", field, f.Status, f.Reason)
		}
	}
}

func TestLocal(t *testing.T) {
	h := fixture.Host(t, "-- run/postgresql/.s.PGSQL.5432 fifo --\n-- run/postgresql/.s.PGSQL.5432.lock --\n-- var/run -> /run --\n-- tmp/.s.PGSQL.5433 fifo --\n")
	got, err := postgres.Local(h)
	want := []string{"host=/run/postgresql port=5432 dbname=postgres", "host=/tmp port=5433 dbname=postgres"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
}
