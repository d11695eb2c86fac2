package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/fact"
)

// difference is what programs get of one.
type difference struct {
	ID, Kind, Side, Subject, Key, Declared, Observed, Why, Control, Outcome, Entry, New, Field string
	Fill                                                                                       map[string]string
	Value                                                                                      any
	Since                                                                                      time.Time
	SeenAt                                                                                     time.Time `json:"seen_at"`
}

func (d difference) String() string {
	return fmt.Sprint(d.Kind, " ", d.Side, " ", d.Subject, " ", d.Key)
}

// differences asks for them as a program.
func (b *body) differences(base, person, query string) (list []difference, closed []string) {
	b.t.Helper()
	status, body := b.get(base, person, "/api/v1/differences?limit=1000&"+query)
	var out struct {
		Total       int
		Closed      []string
		Differences []difference
	}
	if err := json.Unmarshal(body, &out); err != nil || status != http.StatusOK || out.Total != len(out.Differences) {
		b.t.Fatalf("differences of %s: %d, %v, %d of %d\n%.300s", person, status, err, len(out.Differences), out.Total, body)
	}
	return out.Differences, out.Closed
}

func names(list []difference) (out []string) {
	for _, d := range list {
		out = append(out, d.String())
	}
	slices.Sort(out)
	return out
}

// apart registers and observes so that every register differs both ways: on computer
// CA-1 of system A. Of system B only the accounts were looked at.
func (b *body) apart() {
	b.t.Helper()
	ca := fact.NewRef("computer", "CA-1")
	put := func(kind string, v values) { b.put(actor.Program, kind, v) }
	a := func(v values) values { v["system"] = "A"; return v }
	put("computer", a(values{"asset_no": "CA-1", "role": "server", "hostname": "ca-1", "serial": "S-1", "status": "in-service", "approved_listeners": []any{"tcp/22", "tcp/443"}}))
	sys := b.entry("system/A").Values
	sys["approved_software"] = []any{"openssh-*", "vim"}
	put("system", sys)
	account := func(no, name string, more values) {
		v := a(values{"account_no": no, "name": name, "use": "individual", "shared": false, "admin": false, "status": "active", "computer": "CA-1"})
		for k, x := range more {
			v[k] = x
		}
		put("account", v)
	}
	account("AC-1", "kyoku", nil)
	account("AC-2", "gone", nil)
	account("AC-3", "adm", values{"admin": true, "admin_approved": true})
	account("AC-4", "everywhere", values{"computer": ""})
	account("AC-5", "nowhere", values{"computer": "", "system": "B"})
	put("database", a(values{"database_no": "DB-1", "title": "照会", "computer": "CA-1", "engine": "mariadb", "status": "in-service"}))
	put("database", a(values{"database_no": "DB-2", "title": "履歴", "engine": "postgresql", "status": "in-service"}))
	account("AC-6", "app", values{"computer": "", "database": "DB-2"})
	medium := func(no, serial string) {
		put("medium", a(values{"medium_no": no, "type": "usb-memory", "unit": "DIV", "custodian": "OFFICER-A", "serial": serial, "status": "in-custody"}))
	}
	medium("M-1", "Y1")
	medium("M-2", "Z1")
	put("key", a(values{"key_no": "K-1", "title": "鍵", "purpose": "tls", "computer": "CA-1", "storage": "/keys/secret-place", "custodian": "OFFICER-A", "status": "active"}))
	put("domain", a(values{"domain": "kuni.lg.jp", "sends_mail": false, "web": true, "spf": "fail", "caa": true, "status": "in-use"}))
	put("network-device", a(values{"device_no": "ND-1", "hostname": "nd-1", "type": "router", "firmware_version": "1.0", "time_synchronized": true, "status": "in-service"}))
	put("computer", a(values{"asset_no": "CA-9", "role": "server", "hostname": "ca-9", "status": "disposed"}))
	b.tick(time.Minute)

	now := b.Now()
	b.observe(ca, "identity", now, values{"hostname": "another", "serial": "S-1"})
	person := func(name string, admin bool) values {
		return values{"name": name, "system": false, "interactive": true, "admin": admin}
	}
	b.observe(ca, "account", now, values{"accounts": []any{person("kyoku", false), person("adm", false), person("everywhere", false), person("stranger", true)}, "admins": []any{"stranger"}})
	listener := func(port int, process string) values {
		return values{"proto": "tcp", "address": "0.0.0.0", "port": int64(port), "process": process, "loopback": false}
	}
	b.observe(ca, "network", now, values{"listeners": []any{listener(22, "sshd"), listener(8080, "python3"), listener(5432, "postgres")}})
	b.observe(ca, "package", now, values{"packages": []any{values{"name": "openssh-server", "version": "9"}, values{"name": "nginx", "version": "1.22"}}})
	b.observe(ca, "media", now, values{"removable_media": []any{values{"device": "/dev/sdb", "serial": "X1"}, values{"device": "/dev/sdc", "serial": "Z1"}}})
	b.observe(ca, "key", now, values{"key_files": []any{values{"path": "/keys/found", "purpose": "tls"}},
		"certificates": []any{values{"path": "/c.pem", "subject": "CN=www.found.lg.jp", "names": "ca-1.internal", "ca": false}}})
	b.observe("computer/CB-1", "account", now, values{"accounts": []any{person("root", false)}, "admins": []any{}})
	b.observe("database/DB-2", "database", now, values{"engine": "mariadb", "roles": []any{values{"name": "dba", "login": true, "admin": true, "builtin": false}}})
	b.observe("domain/kuni.lg.jp", "dns", now, values{"spf": "softfail", "caa": true})
	b.observe("network-device/ND-1", "probe", now, values{"firmware_version": "2.0", "time_synchronized": true})
	b.observe("computer/CA-9", "identity", now, values{"hostname": "ca-9"})
}

// TestRegistersAreComparedBothWays holds every difference of a system against what was
// entered and observed: none is missing, none is too many.
func TestRegistersAreComparedBothWays(t *testing.T) {
	b := found(t)
	b.apart()
	base := b.open()
	list, closed := b.differences(base, "s-all", "system=A")
	want := []string{
		"computer value computer/CA-1 hostname", "computer value computer/CA-9 status",
		"network-device value network-device/ND-1 firmware_version",
		"account observed computer/CA-1 stranger", "account declared computer/CA-1 gone",
		"account observed database/DB-2 dba", "account declared database/DB-2 app",
		"administrator observed computer/CA-1 stranger", "administrator declared computer/CA-1 adm", "administrator observed database/DB-2 dba",
		"database observed computer/CA-1 postgresql", "database declared database/DB-1 seen", "database value database/DB-2 engine",
		"account unconfirmed database/DB-1 *", "administrator unconfirmed database/DB-1 *", "database unconfirmed database/DB-1 *",
		"medium observed computer/CA-1 X1", "medium declared medium/M-1 M-1",
		"software observed system/A nginx", "software declared system/A vim",
		"domain observed computer/CA-1 www.found.lg.jp", "domain declared domain/kuni.lg.jp certificate", "domain value domain/kuni.lg.jp spf",
		"listener observed computer/CA-1 tcp/8080", "listener observed computer/CA-1 tcp/5432", "listener declared computer/CA-1 tcp/443",
		"key observed computer/CA-1 /keys/found", "key declared key/K-1 /keys/secret-place",
	}
	slices.Sort(want)
	if got := names(list); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if other, _ := b.differences(base, "s-all", "system=B&kind=account"); !slices.Equal(names(other), []string{"account declared account/AC-5 nowhere", "account observed computer/CB-1 root"}) {
		t.Errorf("of system B: %v", other)
	}
	if len(closed) > 0 {
		t.Errorf("registers are closed to a maintainer: %v", closed)
	}
	for _, d := range list {
		if d.Side != "unconfirmed" && (d.SeenAt.IsZero() || d.Declared == "" && d.Observed == "") {
			t.Errorf("%s does not say what or when: %+v", d, d)
		}
		if d.Control != "" {
			if v := b.verdict(b.Now(), fact.Ref(d.Subject), d.Control); string(v.Outcome) != d.Outcome {
				t.Errorf("%s is judged %s by %s, and shown as %s", d, v.Outcome, d.Control, d.Outcome)
			}
		}
		status, _ := b.get(base, "s-all", "/decide?"+url.Values{"subject": {d.Subject}, "control": {d.Control}}.Encode())
		if status != http.StatusOK {
			t.Errorf("%s cannot be explained: %d", d, status)
		}
	}
}

// TestWhatWasNotSeenIsNotConfirmed takes the evidence away, as silence, age and failure
// do: every register then says that it cannot tell, and none that nothing differs.
func TestWhatWasNotSeenIsNotConfirmed(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(b *body)
	}{
		{"never brought", func(*body) {}},
		{"too old", func(b *body) { b.apart(); b.tick(60 * 24 * time.Hour) }},
		{"could not be read", func(b *body) {
			b.apart()
			b.tick(time.Minute)
			b.failing("computer/CA-1", "identity", "account", "network", "package", "media", "key")
			b.failing("database/DB-2", "database")
			b.failing("domain/kuni.lg.jp", "dns")
			b.failing("network-device/ND-1", "probe")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := found(t)
			c.lose(b)
			base := b.open()
			list, _ := b.differences(base, "s-all", "system=A")
			unconfirmed := map[string]bool{}
			for _, d := range list {
				if d.Side != "unconfirmed" && d.String() != "computer value computer/CA-9 status" { // that it ran is past
					t.Errorf("%s is said of what nobody saw: %+v", d, d)
				}
				if d.Side == "unconfirmed" && d.Why == "" {
					t.Errorf("%s does not say why", d)
				}
				unconfirmed[d.Kind] = true
			}
			want := []string{"computer", "account", "administrator", "listener", "medium", "key"}
			if c.name != "never brought" { // where the registers have such entries
				want = append(want, "database", "software", "domain", "network-device")
			}
			for _, kind := range want {
				if !unconfirmed[kind] {
					t.Errorf("of %s nothing is said", kind)
				}
			}
		})
	}
}

// failing brings a collector's facts as those of one that was not allowed to look.
func (b *body) failing(ref fact.Ref, groups ...string) {
	b.t.Helper()
	for _, group := range groups {
		batch := b.batch(ref, group, b.Now(), nil)
		for i := range batch.Facts {
			batch.Facts[i].Status, batch.Facts[i].Reason = fact.Denied, "permission: open /x"
		}
		if err := b.Intake.Accept(b.ctx, actor.Program, []fact.Batch{batch}, b.Now()); err != nil {
			b.t.Fatal(err)
		}
	}
}
