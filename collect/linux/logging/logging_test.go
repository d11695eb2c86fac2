package logging_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/logging"
	"kakusho/fact"
)

const running = "-- proc/1/comm --\nsystemd\n"

func run(t *testing.T, archives ...string) map[string]fact.Fact {
	t.Helper()
	return fixture.Collect(t, fixture.Host(t, archives...), logging.Collector())
}

// show is the value of an observed fact, else its status.
func show(f fact.Fact) string {
	if f.Status == fact.Observed {
		return fmt.Sprint(f.Value)
	}
	return string(f.Status)
}

type cases []struct {
	name, host string
	want       map[string]string
}

func (cs cases) run(t *testing.T) {
	t.Helper()
	for _, c := range cs {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, c.host)
			for field, want := range c.want {
				if g := show(got[field]); g != want {
					t.Errorf("%s: got %s (%s), want %s", field, g, got[field].Reason, want)
				}
			}
		})
	}
}

const auditd = "-- usr/sbin/auditd --\n-- etc/audit/rules.d/10.rules --\n-D\n-b 8192\n-w /etc/shadow -p wa -k identity\n-- etc/audit/rules.d/99.rules --\n# lock\n-e 2\n"

func TestAudit(t *testing.T) {
	cases{
		{"not installed", running, map[string]string{"auditd_installed": "false", "auditd_active": "false", "audit_rules": "absent", "audit_immutable": "absent"}},
		{"installed and running", running + auditd + "-- proc/5/comm --\nauditd\n", map[string]string{"auditd_installed": "true", "auditd_active": "true", "audit_rules": "[-w /etc/shadow -p wa -k identity]", "audit_immutable": "true"}},
		{"stopped", running + auditd, map[string]string{"auditd_active": "false"}},
		{"in an image that starts it", auditd + "-- etc/systemd/system/multi-user.target.wants/auditd.service -> /x --\n", map[string]string{"auditd_active": "error"}},
		{"in an image that does not", auditd, map[string]string{"auditd_active": "false"}},
		{"unlocked again by a later file", running + auditd + "-- etc/audit/rules.d/zz.rules --\n-e 1\n", map[string]string{"audit_immutable": "false"}},
		{"rules in one file", running + "-- sbin/auditd --\n-- etc/audit/audit.rules --\n-a always,exit -F arch=b64 -S adjtimex -k time-change\n", map[string]string{"audit_rules": "[-a always,exit -F arch=b64 -S adjtimex -k time-change]", "audit_immutable": "false"}},
	}.run(t)
}

func TestAuditRulesOnlyRootMayRead(t *testing.T) {
	fixture.AsNobody(t)
	h := fixture.Host(t, running, auditd)
	if err := os.Chmod(filepath.Join(h.Root, "etc/audit/rules.d"), 0); err != nil {
		t.Fatal(err)
	}
	if f := fixture.Collect(t, h, logging.Collector())["audit_rules"]; f.Status != fact.Denied {
		t.Errorf("got %s %v, want denied", f.Status, f.Value)
	}
}

func TestJournalAndSyslog(t *testing.T) {
	const installed = "-- usr/lib/systemd/systemd-journald --\n"
	const journald = running + installed + "-- proc/2/comm --\nsystemd-journal\n"
	cases{
		{"no journal at all", running, map[string]string{"journald_persistent": "absent", "syslog_active": "false"}},
		{"in memory by default", journald, map[string]string{"journald_persistent": "false"}},
		{"on disk because the folder is there", journald + "-- var/log/journal/ --\n", map[string]string{"journald_persistent": "true"}},
		{"in memory although the folder is there", journald + "-- var/log/journal/ --\n-- etc/systemd/journald.conf --\n[Journal]\nStorage=volatile\n", map[string]string{"journald_persistent": "false"}},
		{"on disk by a drop-in", journald + "-- etc/systemd/journald.conf --\n[Journal]\n#Storage=auto\n-- etc/systemd/journald.conf.d/a.conf --\n[Journal]\nStorage=persistent\n", map[string]string{"journald_persistent": "true"}},
		{"installed and not running", running + installed + "-- var/log/journal/ --\n", map[string]string{"journald_persistent": "false"}},
		{"in an image", installed + "-- var/log/journal/ --\n", map[string]string{"journald_persistent": "true"}},
		{"rsyslog runs", running + "-- proc/6/comm --\nrsyslogd\n", map[string]string{"syslog_active": "true"}},
		{"an image that starts rsyslog", "-- etc/systemd/system/multi-user.target.wants/rsyslog.service -> /x --\n", map[string]string{"syslog_active": "error"}},
	}.run(t)
}

func TestForwarding(t *testing.T) {
	rsyslog := func(conf string) string {
		return running + "-- proc/6/comm --\nrsyslogd\n-- etc/rsyslog.conf --\n" + conf
	}
	away := func(targets, encrypted string) map[string]string {
		return map[string]string{"log_forwarded": "true", "log_forward_targets": "[" + targets + "]", "log_forward_encrypted": encrypted}
	}
	none := map[string]string{"log_forwarded": "false", "log_forward_targets": "[]", "log_forward_encrypted": "absent"}
	cases{
		{"nobody to do it", running, none},
		{"rsyslog as installed", rsyslog("auth,authpriv.*\t\t/var/log/auth.log\n*.emerg\t:omusrmsg:*\n$IncludeConfig /etc/rsyslog.d/*.conf\n"), none},
		{"old syntax, UDP", rsyslog("*.* @log.example.jp\n"), away("udp://log.example.jp:514", "false")},
		{"old syntax, TCP with options", rsyslog("*.* @@(o)log.example.jp:6514;RSYSLOG_SyslogProtocol23Format\n"), away("tcp://log.example.jp:6514", "false")},
		{"old syntax, TLS", rsyslog("$DefaultNetstreamDriver gtls\n$ActionSendStreamDriverMode 1\n*.* @@[2001:db8::1]:6514\n"), away("tls://[2001:db8::1]:6514", "true")},
		{"old syntax, driver without its mode", rsyslog("$DefaultNetstreamDriver gtls\n*.* @@log.example.jp:6514\n"), away("tcp://log.example.jp:6514", "false")},
		{"switched off by a comment", rsyslog("#*.* @@log.example.jp\n  # *.* @log.example.jp\n"), none},
		{"new syntax over lines", rsyslog("*.* action(type=\"omfwd\"\n  target=\"log.example.jp\" # here\n  port=\"6514\" protocol=\"tcp\"\n  StreamDriver=\"gtls\" StreamDriverMode=\"1\")\n"), away("tls://log.example.jp:6514", "true")},
		{"new syntax, UDP by default", rsyslog("action(type=\"omfwd\" Target=\"10.0.0.5\")\n"), away("udp://10.0.0.5:514", "false")},
		{"RELP with TLS", rsyslog("action(type=\"omrelp\" target=\"10.0.0.5\" port=\"2514\" tls=\"on\")\n"), away("relp://10.0.0.5:2514", "true")},
		{"in an included file", rsyslog("include(file=\"/etc/rsyslog.d/*.conf\" mode=\"optional\")\n") + "-- etc/rsyslog.d/x.conf --\n:msg, contains, \"a @b\" @@log.example.jp\n", away("tcp://log.example.jp:514", "false")},
		{"one encrypted, one not", rsyslog("action(type=\"omrelp\" target=\"a\" tls=\"on\")\n*.* @b\n"), away("relp://a:514 udp://b:514", "false")},
		{"one not encrypted, one encrypted", rsyslog("*.* @@a\naction(type=\"omfwd\" target=\"b\" protocol=\"tcp\" StreamDriver=\"ossl\" StreamDriverMode=\"1\")\n"), away("tcp://a:514 tls://b:514", "false")},
		{"to the host itself only", rsyslog("*.* @127.0.0.1:5140\n"), map[string]string{"log_forwarded": "false", "log_forward_targets": "[udp://127.0.0.1:5140]", "log_forward_encrypted": "absent"}},
		{"rsyslog stopped", running + "-- etc/rsyslog.conf --\n*.* @log.example.jp\n", none},
		{"in an image that starts rsyslog", "-- etc/systemd/system/multi-user.target.wants/rsyslog.service -> /x --\n-- etc/rsyslog.conf --\n*.* @log.example.jp\n", away("udp://log.example.jp:514", "false")},
		{"syslog-ng, used destinations only", running + "-- proc/6/comm --\nsyslog-ng\n-- etc/syslog-ng/syslog-ng.conf --\ndestination d_tls { network(\"log.example.jp\" port(6514) transport(\"tls\") tls(ca-dir(\"/x\"))); };\ndestination d_off { udp(\"old.example.jp\"); };\ndestination d_file { file(\"/var/log/a\"); };\nlog { source(s); destination(d_tls); destination(d_file); };\n", away("tls://log.example.jp:6514", "true")},
		{"journal upload", running + "-- proc/6/comm --\nsystemd-journal\n-- etc/systemd/journal-upload.conf --\n[Upload]\nURL=log.example.jp\n", away("https://log.example.jp", "true")},
		{"audit records", running + "-- proc/6/comm --\nauditd\n-- etc/audit/plugins.d/au-remote.conf --\nactive = yes\n-- etc/audit/audisp-remote.conf --\nremote_server = log.example.jp\nport = 60\ntransport = tcp\n", away("audit://log.example.jp:60", "false")},
		{"by a shipper nobody can read here", running + "-- proc/6/comm --\nfluent-bit\n", map[string]string{"log_forwarded": "error", "log_forward_targets": "error", "log_forward_encrypted": "error"}},
	}.run(t)
}

func TestRetention(t *testing.T) {
	debian := "-- var/log/auth.log --\n-- etc/logrotate.conf --\nweekly\nrotate 4\ninclude /etc/logrotate.d\n-- etc/logrotate.d/rsyslog --\n/var/log/syslog\n/var/log/auth.log\n{\n\trotate 12\n\tmonthly\n\tpostrotate\n\t\trotate 1\n\tendscript\n}\n"
	cases{
		{"by count and period", debian, map[string]string{"log_retention": (12 * 28 * 24 * time.Hour).String()}},
		{"cut by age", debian + "-- etc/logrotate.d/rsyslog --\n/var/log/auth.log {\nrotate 52\nweekly\nmaxage 90\n}\n", map[string]string{"log_retention": (90 * 24 * time.Hour).String()}},
		{"the shortest of several counts", debian + "-- etc/logrotate.d/b --\n/var/log/messages {\n daily\n rotate 7\n}\n-- var/log/messages --\n", map[string]string{"log_retention": (7 * 24 * time.Hour).String()}},
		{"of logs that are there", debian + "-- etc/logrotate.d/b --\n/var/log/messages {\n daily\n rotate 7\n}\n", map[string]string{"log_retention": (12 * 28 * 24 * time.Hour).String()}},
		{"defaults of the main file", debian + "-- etc/logrotate.d/rsyslog --\n/var/log/*.log {\n compress\n}\n", map[string]string{"log_retention": (4 * 7 * 24 * time.Hour).String()}},
		{"by size", debian + "-- etc/logrotate.d/rsyslog --\n/var/log/auth.log {\n rotate 9\n size 10M\n}\n", map[string]string{"log_retention": "error"}},
		{"by the journal", "-- etc/systemd/journald.conf --\n[Journal]\nMaxRetentionSec=1year 2weeks\n", map[string]string{"log_retention": (379 * 24 * time.Hour).String()}},
		{"by the journal, without end", "-- etc/systemd/journald.conf --\n[Journal]\nMaxRetentionSec=0\n", map[string]string{"log_retention": "error"}},
		{"by nothing", "-- etc/x --\n", map[string]string{"log_retention": "error", "log_free_ratio": "error"}},
	}.run(t)
}

func TestOldest(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	fmt.Fprintln(w, "2025-03-01T09:00:00.123456+09:00 h sshd[1]: x")
	w.Close()
	journal := make([]byte, 300)
	copy(journal, "LPKSHHRH")
	binary.LittleEndian.PutUint64(journal[184:], uint64(time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC).UnixMicro()))
	for _, c := range []struct {
		name, host string
		want       any
	}{
		{"RFC 3339", "-- var/log/auth.log --\n2026-10-01T00:00:00+09:00 h x\n", time.Date(2026, 9, 30, 15, 0, 0, 0, time.UTC)},
		{"the old form, of last year", "-- var/log/syslog --\nDec 31 23:00:00 h x\n", time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC)},
		{"auditd", "-- var/log/audit/audit.log --\ntype=LOGIN msg=audit(1700000000.500:1): x\n", time.UnixMilli(1700000000500).UTC()},
		{"a compressed one", "-- var/log/auth.log --\n2026-10-01T00:00:00Z h x\n-- var/log/auth.log.2.gz base64 --\n" + base64.StdEncoding.EncodeToString(z.Bytes()), time.Date(2025, 3, 1, 0, 0, 0, 123456000, time.UTC)},
		{"a journal", "-- var/log/journal/m/system@1.journal base64 --\n" + base64.StdEncoding.EncodeToString(journal), time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)},
		{"no time in it", "-- var/log/messages-20260101 --\nrubbish\n", fixture.Now},
		{"not a rotated log", "-- var/log/syslogd.conf --\n2020-01-01T00:00:00Z\n", nil},
		{"none", "-- var/log/ --\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fixture.Host(t, c.host)
			filepath.WalkDir(filepath.Join(h.Root, "var/log"), func(p string, d os.DirEntry, err error) error {
				return os.Chtimes(p, fixture.Now, fixture.Now)
			})
			f := fixture.Collect(t, h, logging.Collector())["log_oldest"]
			if f.Value != c.want {
				t.Errorf("got %v (%s %s), want %v", f.Value, f.Status, f.Reason, c.want)
			}
		})
	}
}

func TestEventClasses(t *testing.T) {
	cases{
		{"a Debian auth.log", "-- var/log/auth.log --\n" +
			"2026-10-01T00:00:00+09:00 h sshd[1]: Accepted publickey for a from 10.0.0.1\n" +
			"2026-10-01T00:00:00+09:00 h sshd[1]: Failed password for a from 10.0.0.1\n" +
			"2026-10-01T00:00:00+09:00 h sudo:   a : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls\n" +
			"2026-10-01T00:00:00+09:00 h useradd[1]: new user: name=b, UID=1001\n" +
			"2026-10-01T00:00:00+09:00 h chronyd[1]: System clock was stepped by 0.1 seconds\n",
			map[string]string{"log_event_classes": "[account login login-failure privilege time]"}},
		{"auditd", "-- var/log/audit/audit.log --\ntype=USER_LOGIN msg=audit(1700000000.500:1): pid=1 acct=\"a\" res=failed'\ntype=SYSTEM_BOOT msg=audit(1700000000.500:1): x\ntype=CONFIG_CHANGE msg=audit(1700000000.500:1): x\n",
			map[string]string{"log_event_classes": "[audit boot login-failure]"}},
		{"only in a rotated log", "-- var/log/auth.log --\n2026-10-01T00:00:00Z quiet\n-- var/log/auth.log.1 --\nFailed password for a\n", map[string]string{"log_event_classes": "[]"}},
		{"further back than is searched", "-- var/log/auth.log --\nFailed password for a\n" + strings.Repeat("2026-10-01T00:00:00+09:00 h cron[1]: quiet\n", 30_000), map[string]string{"log_event_classes": "[]"}},
		{"no logs", "-- etc/x --\n", map[string]string{"log_event_classes": "absent", "log_unsafe_files": "absent"}},
	}.run(t)
}

func TestUnsafeFiles(t *testing.T) {
	f := run(t, `
-- etc/passwd --
root:x:0:0::/:/x
nobody:x:65534:65534::/:/x
-- var/log/auth.log mode=0644 --
-- var/log/syslog mode=0640 --
-- var/log/dpkg.log mode=0644 --
-- var/log/app/a.log mode=0666 --
-- var/log/b.log mode=0660 --
-- var/log/wtmp mode=0664 --
-- var/log/open/ mode=0777 --
-- var/log/sticky/ mode=1777 --
-- var/log/link -> /etc/passwd --
`)["log_unsafe_files"]
	var got []string
	l, _ := f.Value.([]any)
	for _, e := range l {
		r := e.(map[string]any)
		got = append(got, fmt.Sprint(r["path"], " ", r["mode"]))
		if r["owner"] == "" {
			t.Errorf("no owner: %v", r)
		}
	}
	if want := "/var/log/app/a.log 0666, /var/log/auth.log 0644, /var/log/b.log 0660, /var/log/open 0777"; strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}
}

func TestLogsThatMayNotBeRead(t *testing.T) {
	fixture.AsNobody(t)
	h := fixture.Host(t, "-- var/log/auth.log --\nFailed password for a\n-- var/log/syslog --\n2026-10-01T00:00:00Z Linux version 6\n-- var/log/audit/a --\n")
	for _, p := range []string{"var/log/auth.log", "var/log/audit"} {
		if err := os.Chmod(filepath.Join(h.Root, p), 0); err != nil {
			t.Fatal(err)
		}
	}
	got := fixture.Collect(t, h, logging.Collector())
	for _, field := range []string{"log_event_classes", "log_oldest", "log_unsafe_files"} {
		if got[field].Status != fact.Truncated || !strings.Contains(got[field].Reason, "permission") {
			t.Errorf("%s: got %s %s, want truncated for want of permission", field, got[field].Status, got[field].Reason)
		}
	}
	if err := os.Chmod(filepath.Join(h.Root, "var/log/syslog"), 0); err != nil {
		t.Fatal(err)
	}
	if f := fixture.Collect(t, h, logging.Collector())["log_event_classes"]; f.Status != fact.Denied {
		t.Errorf("nothing readable: got %s, want denied", f.Status)
	}
}

func TestThisHost(t *testing.T) {
	got := fixture.Collect(t, fixture.Live(), logging.Collector())
	for _, f := range got {
		t.Log(f.Field, f.Status, f.Value, f.Reason)
	}
	if r, ok := got["log_free_ratio"].Value.(float64); !ok || r < 0 || r > 1 {
		t.Errorf("free ratio: got %v %s", got["log_free_ratio"].Value, got["log_free_ratio"].Reason)
	}
}

func TestSpan(t *testing.T) {
	for in, want := range map[string]time.Duration{"90": 90 * time.Second, "90 day": 90 * 24 * time.Hour, "1h30min": 90 * time.Minute, "": 0, "soon": 0, "99999999999 years": 0} {
		if got := logging.Span(in); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}

func FuzzForwarding(f *testing.F) {
	f.Add([]byte("*.* action(type=\"omfwd\" target=[\"a\",\"b\"] port=\"1\")\n*.* @@(o)a:1;x\n$IncludeConfig /x\n"))
	f.Add([]byte("destination d { tcp(\"a\" port(1)); }; log { destination(d); };"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r logging.Rsyslog
		r.Parse(b)
		for _, x := range append(r.Targets, logging.ParseSyslogNG(b)...) {
			if !strings.Contains(x.URL, "://") {
				t.Errorf("target %+v", x)
			}
		}
	})
}

func FuzzParseRotate(f *testing.F) {
	f.Add([]byte("weekly\nrotate 4\n/var/log/a /b {\n maxage 3\n postrotate\n x\n endscript\n}\ninclude /x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var def logging.Rotation
		rs, _ := logging.ParseRotate(b, &def)
		for _, r := range rs {
			if r.Keeps() < 0 {
				t.Errorf("keeps %v: %+v", r.Keeps(), r)
			}
		}
	})
}

func FuzzTexts(f *testing.F) {
	f.Add([]byte("-w /etc/shadow -p wa\n-e 2\n"), "1year 2weeks", "Dec 31 23:00:00 h x")
	f.Fuzz(func(t *testing.T, b []byte, span, line string) {
		logging.ParseRules(b)
		logging.ParseStatus(b)
		logging.ParseJournalHead(b)
		logging.Classes(b)
		if d := logging.Span(span); d < 0 {
			t.Errorf("span %v", d)
		}
		if at := logging.ParseStamp(line, fixture.Now); at.After(fixture.Now.AddDate(9000, 0, 0)) {
			t.Errorf("stamp %v", at)
		}
	})
}
