package service_test

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/collect/linux/service"
)

const host = `
-- proc/1/comm --
systemd
-- proc/412/comm --
systemd-timesyn
-- proc/uptime --
1 2
-- etc/systemd/system/multi-user.target.wants/chrony.service -> /lib/systemd/system/chrony.service --
-- etc/systemd/system/multi-user.target.wants/ntpsec.service -> /lib/systemd/system/ntpsec.service --
-- etc/systemd/system/ntpsec.service -> /dev/null --
-- etc/systemd/system/syslog.service -> /lib/systemd/system/rsyslog.service --
-- lib/systemd/system/sockets.target.wants/systemd-journald.socket -> ../systemd-journald.socket --
-- etc/rc2.d/S03auditd -> ../init.d/auditd --
-- etc/runlevels/default/crond -> /etc/init.d/crond --
-- etc/init.d/cron --
`

func TestEnabled(t *testing.T) {
	s := service.On(fixture.Host(t, host))
	for _, c := range []struct{ name, unit, want string }{
		{"wanted by a target", "chrony.service", "/etc/systemd/system/multi-user.target.wants/chrony.service"},
		{"masked although wanted", "ntpsec.service", ""},
		{"by an alias", "rsyslog.service", "/etc/systemd/system/syslog.service"},
		{"by the distribution itself", "systemd-journald.socket", "/lib/systemd/system/sockets.target.wants/systemd-journald.socket"},
		{"by System V", "auditd.service", "/etc/rc2.d/S03auditd"},
		{"by OpenRC", "crond.service", "/etc/runlevels/default/crond"},
		{"not at all", "telnet.socket", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok, err := s.Enabled(c.unit)
			if err != nil || got != c.want || ok != (c.want != "") {
				t.Errorf("got %q %v %v, want %q", got, ok, err, c.want)
			}
		})
	}
	if got, ok, err := s.Installed("missing.service", "cron.service"); got != "/etc/init.d/cron" || !ok || err != nil {
		t.Errorf("installed: got %q %v %v", got, ok, err)
	}
}

func TestRunning(t *testing.T) {
	s := service.On(fixture.Host(t, host))
	p, ok, err := s.Running("chronyd", "systemd-timesyncd")
	if err != nil || !ok || p.Place() != "/proc/412" {
		t.Errorf("a name longer than the kernel keeps: got %v %v %v", p, ok, err)
	}
	if _, ok, err := s.Running("ntpd"); ok || err != nil {
		t.Errorf("what does not run: got %v %v", ok, err)
	}
}

func TestNamesThatAreCutAlike(t *testing.T) {
	s := service.On(fixture.Host(t, "-- proc/9/comm --\nsystemd-journal\n-- proc/9/cmdline base64 --\n"+base64.StdEncoding.EncodeToString([]byte("/lib/systemd/systemd-journald\x00"))))
	if _, ok, err := s.Running("systemd-journal-upload"); ok || err != nil {
		t.Errorf("journald was taken for another: %v %v", ok, err)
	}
	if _, ok, err := s.Running("systemd-journald"); !ok || err != nil {
		t.Errorf("journald was not found: %v %v", ok, err)
	}
}

func TestRunningCannotBeTold(t *testing.T) {
	_, _, err := service.On(fixture.Host(t, "-- etc/passwd --\n")).Running("ntpd")
	if !errors.Is(err, service.ErrNoProcesses) {
		t.Errorf("a root without /proc: got %v, want %v", err, service.ErrNoProcesses)
	}
	h := fixture.Host(t, "-- proc/77/comm --\nbash\n")
	h.Live = true
	if _, _, err := service.On(h).Running("ntpd"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("hidepid: got %v, want permission", err)
	}
}

func TestUnreadableFolderIsNotANo(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads every folder")
	}
	h := fixture.Host(t, "-- etc/systemd/system/x.wants/a.service --\n-- etc/systemd/system/ mode=0000 --\n")
	if _, ok, err := service.On(h).Enabled("b.service"); ok || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v %v, want permission", ok, err)
	}
}

func TestThisProcessRunsOnThisHost(t *testing.T) {
	h := collect.Host{FS: collect.RootFS("/"), Live: true, Root: "/"}
	ps, err := service.On(h).Processes()
	if errors.Is(err, fs.ErrPermission) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile(filepath.Join("/proc/self/comm"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		if p.PID == os.Getpid() && p.Name+"\n" == string(comm) {
			return
		}
	}
	t.Error("this process is not in the list")
}
