package postgres_test

import (
	"slices"
	"strings"
	"testing"

	"kakusho/collect/postgres"
	"kakusho/fact"
)

func TestEvents(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings map[string]string
		want     string
	}{
		{"nothing", map[string]string{"log_statement": "none"}, ""},
		{"connections", map[string]string{"log_connections": "on"}, "login"},
		{"connections since version 18", map[string]string{"log_connections": "receipt,authentication"}, "login"},
		{"their arrival only", map[string]string{"log_connections": "receipt"}, ""},
		{"definitions", map[string]string{"log_statement": "ddl"}, "ddl grant audit-config"},
		{"all", map[string]string{"log_statement": "all", "log_connections": "on"}, "login ddl grant privileged read write bulk-export audit-config"},
		{"pgaudit, some classes", map[string]string{"shared_preload_libraries": "pg_stat_statements, pgaudit", "pgaudit.log": "write, role"}, "grant write"},
		{"pgaudit, all but one", map[string]string{"shared_preload_libraries": "pgaudit", "pgaudit.log": "all, -misc"}, "ddl grant read write bulk-export audit-config"},
		{"pgaudit, all", map[string]string{"shared_preload_libraries": "$libdir/pgaudit", "pgaudit.log": "ALL"}, "ddl grant privileged read write bulk-export audit-config"},
		{"pgaudit not loaded", map[string]string{"pgaudit.log": "all"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(postgres.Events(c.settings), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRemoteAdmin(t *testing.T) {
	rule := func(line string) postgres.Rule {
		w := strings.Fields(line)
		return postgres.Rule{Type: w[0], Users: strings.Split(w[1], ","), Address: w[2], Method: w[3]}
	}
	for _, c := range []struct {
		name, listen string
		rules        []string
		want         bool
	}{
		{"the server hears only its host", "localhost, 127.0.0.1,::1", []string{"host all 0.0.0.0/0 scram-sha-256"}, false},
		{"the server hears nobody", "", []string{"host all 0.0.0.0/0 scram-sha-256"}, false},
		{"anyone from anywhere", "*", []string{"host all 0.0.0.0/0 scram-sha-256"}, true},
		{"from the host itself", "*", []string{"host all 127.0.0.1/32 trust", "host all ::1/128 trust", "host all samehost trust"}, false},
		{"another role from elsewhere", "*", []string{"hostssl app 10.0.0.0/8 scram-sha-256"}, false},
		{"the administrator by name", "localhost,10.0.0.5", []string{"hostssl app,postgres 10.0.0.0/8 cert"}, true},
		{"a group he may be in", "*", []string{"hostssl +dba 10.0.0.0/8 cert"}, true},
		{"refused before", "*", []string{"host postgres all reject", "host all 0.0.0.0/0 scram-sha-256"}, false},
		{"refused by IPv4 only", "*", []string{"host postgres 0.0.0.0/0 reject", "host all all scram-sha-256"}, true},
		{"refused too late", "*", []string{"host all 10.0.0.0/8 scram-sha-256", "host postgres all reject"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rules []postgres.Rule
			for _, r := range c.rules {
				rules = append(rules, rule(r))
			}
			if got := postgres.RemoteAdmin(c.listen, rules, []string{"postgres"}); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestSettingsThatAreNotShown(t *testing.T) {
	for _, f := range postgres.Settings(map[string]string{"server_version": "99.1 (x)"}, fact.Source{Kind: "sql"}) {
		switch f.Field {
		case "listen_addresses", "log_to_syslog":
			if f.Status != fact.Denied {
				t.Errorf("%s: got %s, want denied", f.Field, f.Status)
			}
		case "support_end":
			if f.Status != fact.Error {
				t.Errorf("support of an unknown version: got %s %v", f.Status, f.Value)
			}
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("mod", "on", "pgaudit", "all, -misc")
	f.Fuzz(func(t *testing.T, statement, connections, preload, audit string) {
		es := postgres.Events(map[string]string{"log_statement": statement, "log_connections": connections, "shared_preload_libraries": preload, "pgaudit.log": audit})
		if slices.Contains(es, "") {
			t.Errorf("got %q", es)
		}
	})
}
