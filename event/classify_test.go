package event_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"kakusho/event"
)

// Lines as programs write them.
var lines = []struct {
	app, text                       string
	class                           event.Class
	account, source, object, result string
}{
	{"sshd", "Accepted publickey for yamada from 192.0.2.7 port 50022 ssh2: ED25519 SHA256:AbC", "login", "yamada", "192.0.2.7", "", "success"},
	{"sshd-session", "Accepted password for root from 2001:db8::1 port 50022 ssh2", "login", "root", "2001:db8::1", "", "success"},
	{"sshd", "Failed password for yamada from 192.0.2.7 port 50022 ssh2", "login-failure", "yamada", "192.0.2.7", "", "failure"},
	{"sshd", "Failed password for invalid user oracle from 192.0.2.7 port 50022 ssh2", "login-failure", "oracle", "192.0.2.7", "", "failure"},
	{"sshd", "Invalid user admin from 192.0.2.7 port 40000", "login-failure", "admin", "192.0.2.7", "", "failure"},
	{"sshd", "Disconnected from user yamada 192.0.2.7 port 50022", "logout", "yamada", "192.0.2.7", "", "success"},
	{"sshd", "User mallory from 192.0.2.9 not allowed because not listed in AllowUsers", "login-failure", "mallory", "192.0.2.9", "", "denied"},
	{"sshd", "pam_unix(sshd:session): session opened for user yamada(uid=1000) by (uid=0)", "", "yamada", "", "", "success"},
	{"sshd", "Connection closed by 192.0.2.7 port 50022 [preauth]", "", "", "", "", ""},
	{"login", "LOGIN ON tty1 BY suzuki", "login", "suzuki", "", "", "success"},
	{"login", "FAILED LOGIN (1) on '/dev/tty1' FOR 'root', Authentication failure", "login-failure", "root", "", "", "failure"},
	{"login", "pam_unix(login:session): session opened for user root(uid=0) by LOGIN(uid=0)", "login", "root", "", "", "success"},
	{"gdm-password]", "pam_unix(gdm-password:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=tanaka", "login-failure", "tanaka", "", "", "failure"},
	{"sudo", "  yamada : TTY=pts/0 ; PWD=/home/yamada ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow", "privilege", "yamada", "", "/usr/bin/cat /etc/shadow", "success"},
	{"sudo", "mallory : user NOT in sudoers ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "privilege", "mallory", "", "/bin/sh", "denied"},
	{"sudo", "yamada : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "privilege", "yamada", "", "/bin/sh", "failure"},
	{"sudo", "pam_unix(sudo:auth): authentication failure; logname=yamada uid=1000 euid=0 tty=/dev/pts/1 ruser=yamada rhost=  user=yamada", "privilege", "yamada", "", "", "failure"},
	{"su", "(to root) yamada on pts/0", "privilege", "yamada", "", "root", "success"},
	{"su", "FAILED SU (to root) yamada on pts/0", "privilege", "yamada", "", "root", "failure"},
	{"useradd", "new user: name=sato, UID=1005, GID=1005, home=/home/sato, shell=/bin/bash, from=/dev/pts/1", "account", "", "", "sato", "success"},
	{"usermod", "add 'sato' to group 'wheel'", "account", "", "", "sato", "success"},
	{"userdel", "delete user 'sato'", "account", "", "", "sato", "success"},
	{"gpasswd", "user sato added by root to group sudo", "account", "root", "", "sato", "success"},
	{"passwd", "pam_unix(passwd:chauthtok): password changed for sato", "account", "", "", "sato", "success"},
	{"CRON", "(root) CMD (cd / && run-parts --report /etc/cron.hourly)", "process", "root", "", "cd / && run-parts --report /etc/cron.hourly", "success"},
	{"systemd", "Startup finished in 2.1s (kernel) + 5.3s (userspace) = 7.4s.", "boot", "", "", "", "success"},
	{"systemd-logind", "System is rebooting.", "boot", "", "", "", "success"},
	{"kernel", "[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)", "boot", "", "", "", "success"},
	{"kernel", "[ 1234.5] [UFW BLOCK] IN=eth0 OUT= MAC=00:11 SRC=192.0.2.66 DST=198.51.100.5 LEN=40 PROTO=TCP SPT=1 DPT=22", "network", "", "192.0.2.66", "198.51.100.5", "denied"},
	{"chronyd", "System clock was stepped by 3600.000123 seconds", "time", "", "", "", "success"},
	{"systemd-timesyncd", "Initial clock synchronization to Tue 2026-11-24 09:00:00.1 JST.", "time", "", "", "", "success"},
	{"auditd", "Audit daemon is low on disk space for logging", "log-store", "", "", "", "failure"},
	{"systemd-journald", "Suppressed 1234 messages from sshd.service", "log-store", "", "", "sshd.service", "failure"},
	{"rsyslogd", "imjournal: 512 messages lost due to rate-limiting (20000 allowed within 600 seconds)", "log-store", "", "", "", "failure"},
	{"rsyslogd", `[origin software="rsyslogd" swVersion="8.2302.0" x-pid="1" x-info="https://www.rsyslog.com"] start`, "audit", "", "", "", "success"},
	{"clamd", "/home/sato/my file.zip: Eicar-Test-Signature(44d88612fea8a8f36de82e1278abb02f:68) FOUND", "malware", "", "", "/home/sato/my file.zip", "failure"},
	{"postfix/smtp", "4FzX1w1z2z: to=<x@example.jp>, relay=mx.example.jp[192.0.2.25]:25, delay=0.5, delays=0.1/0/0.2/0.2, dsn=2.0.0, status=sent (250 ok)", "mail", "", "", "x@example.jp", "success"},
	{"postfix/smtp", "4FzX1w1z2z: to=<x@example.jp>, relay=none, delay=0.5, dsn=4.4.1, status=deferred (timeout)", "mail", "", "", "x@example.jp", "failure"},
	{"postfix/smtpd", "warning: unknown[192.0.2.99]: SASL LOGIN authentication failed: UGFzc3dvcmQ6", "login-failure", "", "192.0.2.99", "", "failure"},
	{"(squid-1)", "1764000000.123    310 192.0.2.7 TCP_MISS/200 1234 GET http://example.jp/a yamada HIER_DIRECT/203.0.113.1 text/html", "web", "yamada", "192.0.2.7", "http://example.jp/a", "success"},
	{"squid", "1764000000.123      0 192.0.2.7 TCP_DENIED/403 3900 CONNECT bad.example:443 - HIER_NONE/- text/html", "web", "", "192.0.2.7", "bad.example:443", "denied"},
	{"cupsd", `[Job 17] Queued on "laser-3F" by "sato".`, "print", "sato", "", "laser-3F", "success"},
	{"pgbackrest", "P00   INFO: backup command end: completed successfully (1234ms)", "backup", "", "", "", "success"},
	{"postgres", `[5-1] user=app,db=cases LOG:  connection authorized: user=app database=cases application_name=psql`, "login", "app", "", "cases", "success"},
	{"postgres", `[5-1] FATAL:  password authentication failed for user "app"`, "login-failure", "app", "", "", "failure"},
	{"postgres", `FATAL:  no pg_hba.conf entry for host "192.0.2.8", user "app", database "cases", no encryption`, "login-failure", "app", "192.0.2.8", "cases", "denied"},
	{"postgres", `LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select * from cases,<none>`, "inquiry", "", "", "", "success"},
	{"postgres", `LOG:  disconnection: session time: 0:00:12.3 user=app database=cases host=192.0.2.8 port=5000`, "logout", "app", "192.0.2.8", "cases", "success"},
	{"mysql-server_auditing", " db1,app,192.0.2.8,12,0,FAILED_CONNECT,,,1045", "login-failure", "app", "192.0.2.8", "", "failure"},
	{"", "45: *Mar  1 18:48:50.483: %SYS-5-CONFIG_I: Configured from console by admin on vty0 (192.0.2.1)", "config", "admin", "192.0.2.1", "", "success"},
	{"", "%SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: root] [Source: 192.0.2.1] [localport: 22] [Reason: Login Authentication Failed]", "login-failure", "root", "192.0.2.1", "", "failure"},
	{"audisp-syslog", `type=USER_LOGIN msg=audit(1764000000.243:24287): pid=1234 uid=0 auid=1000 ses=3 msg='op=login acct="root" exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 terminal=ssh res=failed'`, "login-failure", "root", "192.0.2.7", "/usr/sbin/sshd", "failure"},
	{"", `node=host1 type=USER_LOGIN msg=audit(1.2:3): pid=1 uid=0 auid=1000 msg='op=login id=1000 exe="/usr/sbin/sshd" addr=192.0.2.7 res=success' UID="root" AUID="yamada"`, "login", "yamada", "192.0.2.7", "/usr/sbin/sshd", "success"},
	{"", `type=USER_CMD msg=audit(1.2:3): pid=1 uid=1000 auid=1000 msg='cwd="/" cmd=636174202F6574632F736861646F77 terminal=pts/0 res=success'`, "privilege", "1000", "", "cat /etc/shadow", "success"},
	{"", `type=CONFIG_CHANGE msg=audit(1.2:3): auid=4294967295 op=set audit_enabled=0 old=1 res=1`, "audit", "", "", "", "success"},
	{"", `type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=257 success=no exit=-13 auid=1000 uid=1000 comm="cat" exe="/usr/bin/cat" key="access"`, "file", "1000", "", "/usr/bin/cat", "denied"},
	{"", `type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=227 success=yes auid=0 exe="/usr/bin/date" key="time-change"`, "time", "0", "", "/usr/bin/date", "success"},
	{"", `type=USER_AUTH msg=audit(1.2:3): pid=1 uid=0 auid=1 msg='op=PAM:authentication acct="root" exe="/usr/bin/su" addr=? res=success'`, "", "root", "", "/usr/bin/su", "success"},
	{"myapp", "hello", "", "", "", "", ""},
	{"sshd", "", "", "", "", "", ""},
}

func TestLinesOfKnownProgramsAreUnderstood(t *testing.T) {
	for _, l := range lines {
		e := event.Event{Text: l.text, Fields: map[string]string{"app": l.app}}
		event.Classify(&e)
		if e.Class != l.class || e.Account != l.account || e.Source != l.source || e.Object != l.object || string(e.Result) != l.result {
			t.Errorf("%s: %s\n got %q %q %q %q %q\nwant %q %q %q %q %q", l.app, l.text, e.Class, e.Account, e.Source, e.Object, e.Result, l.class, l.account, l.source, l.object, l.result)
		}
	}
}

func TestWindowsEventsAreUnderstoodWhoeverForwardsThem(t *testing.T) {
	cases := []struct {
		name   string
		fields map[string]string
		class  event.Class
		who    string
	}{
		{"NXLog over syslog", map[string]string{"NXLOG@14506.EventID": "4625", "NXLOG@14506.SourceName": "Microsoft-Windows-Security-Auditing", "NXLOG@14506.TargetUserName": "sato", "NXLOG@14506.IpAddress": "192.0.2.4"}, event.LoginFailure, "sato"},
		{"winlogbeat", map[string]string{"winlog.event_id": "1102", "winlog.provider_name": "Microsoft-Windows-Eventlog"}, event.Audit, ""},
		{"an OpenTelemetry collector", map[string]string{"EventID": "4720", "Channel": "Security", "EventData.TargetUserName": "new", "EventData.SubjectUserName": "admin"}, event.Account, "new"},
		{"an ID of another provider", map[string]string{"EventID": "4624", "SourceName": "SomethingElse"}, "", ""},
	}
	for _, c := range cases {
		e := event.Event{Fields: c.fields}
		if event.Classify(&e); e.Class != c.class || e.Account != c.who {
			t.Errorf("%s: %q %q", c.name, e.Class, e.Account)
		}
	}
}

func TestWhatTheSourceSaysStays(t *testing.T) {
	e := event.Event{Class: event.Config, Text: "Accepted publickey for yamada from 192.0.2.7 port 1", Fields: map[string]string{"app": "sshd"}}
	if event.Classify(&e); e.Class != event.Config || e.Account != "" {
		t.Errorf("%+v", e)
	}
	e.Class, e.Account, e.Result = "", "said", event.Denied
	if event.Classify(&e); e.Class != event.Login || e.Account != "said" || e.Result != event.Denied || e.Source != "192.0.2.7" {
		t.Errorf("%+v", e)
	}
}

// A class nobody can tell from a line of a log would never be seen to arrive.
func TestEveryClassHasARule(t *testing.T) {
	text, err := os.ReadFile("classify.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range event.Classes() {
		if !strings.Contains(string(text), " "+string(c)+" ") {
			t.Errorf("no rule for %s", c)
		}
		if !c.Valid() {
			t.Errorf("%s is not valid", c)
		}
	}
}

func TestATextMadeToBeSlowIsNot(t *testing.T) {
	e := event.Event{Text: strings.Repeat("IKE_SA  established between ... ", 8000), Fields: map[string]string{"app": "charn"}}
	e.Fields["app"] = "charon"
	begun := time.Now()
	for range 1000 {
		event.Classify(&e)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("1,000 times took %s", took)
	}
}

func FuzzClassify(f *testing.F) {
	for _, l := range lines {
		f.Add(l.app, l.text, "EventID", "4624")
	}
	f.Fuzz(func(t *testing.T, app, text, name, value string) {
		e := event.Event{Text: text, Fields: map[string]string{"app": app, name: value}}
		event.Classify(&e)
		if e.Class != "" && !e.Class.Valid() || e.Result != "" && !e.Result.Valid() {
			t.Fatalf("%+v", e)
		}
	})
}

func BenchmarkClassify(b *testing.B) {
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l := lines[i%len(lines)]
		e := event.Event{Text: l.text, Event: l.app}
		event.Classify(&e)
	}
}
