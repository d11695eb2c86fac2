package main

import (
	"slices"
	"strings"
	"testing"

	"kakusho/clause"
	"kakusho/collect/fixture"
	"kakusho/posture"
	"kakusho/verdict"
)

// sound is a Debian 12 server set up well, as far as a folder can show it.
const sound = `
-- etc/pam.d/common-auth --
auth	required			pam_faillock.so preauth
auth	[success=1 default=ignore]	pam_unix.so
auth	[default=die]			pam_faillock.so authfail
auth	required			pam_permit.so
-- etc/pam.d/common-account --
account	required	pam_faillock.so
account	required	pam_unix.so
-- etc/security/faillock.conf --
deny = 5
fail_interval = 900
unlock_time = 600
-- etc/pam.d/common-password --
password	requisite	pam_pwquality.so retry=3
password	required	pam_pwhistory.so remember=10 use_authtok
password	[success=1 default=ignore]	pam_unix.so obscure use_authtok yescrypt
password	requisite	pam_deny.so
password	required	pam_permit.so
-- etc/security/pwquality.conf --
minlen = 14
minclass = 3
dictcheck = 1
-- etc/ssh/sshd_config --
Include /etc/ssh/sshd_config.d/*.conf
PermitRootLogin no
MaxAuthTries 3
ClientAliveInterval 100
ClientAliveCountMax 3
ChannelTimeout session=5m
UnusedConnectionTimeout 5m
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com
X11Forwarding no
UsePAM yes
Banner /etc/issue.net
-- etc/issue --
この端末は許可された職員のみ使用できる。操作は証跡として記録し、分析することがある。
-- etc/issue.net --
この端末は許可された職員のみ使用できる。操作は証跡として記録し、分析することがある。
-- etc/profile.d/tmout.sh --
readonly TMOUT=300
export TMOUT
-- etc/fstab --
/dev/mapper/root / ext4 defaults 0 1
/dev/mapper/swap none swap sw 0 0
-- proc/self/mountinfo --
22 1 253:0 / / rw,relatime - ext4 /dev/mapper/root rw
-- proc/swaps --
Filename				Type		Size		Used		Priority
/dev/dm-1                               partition	1048572		0		-2
-- sys/dev/block/253:0 -> ../../block/dm-0 --
-- sys/dev/block/253:1 -> ../../block/dm-1 --
-- sys/block/dm-0/dev --
253:0
-- sys/block/dm-0/size --
2097152
-- sys/block/dm-0/removable --
0
-- sys/block/dm-0/dm/uuid --
CRYPT-LUKS2-0123456789abcdef0123456789abcdef-root
-- sys/block/dm-0/dm/name --
root
-- sys/block/dm-0/slaves/sda2 -> ../../sda/sda2 --
-- sys/block/dm-1/dev --
253:1
-- sys/block/dm-1/size --
2097152
-- sys/block/dm-1/removable --
0
-- sys/block/dm-1/dm/uuid --
CRYPT-PLAIN-swap
-- sys/block/dm-1/dm/name --
swap
-- sys/block/dm-1/slaves/sda3 -> ../../sda/sda3 --
-- sys/block/sda/dev --
8:0
-- sys/block/sda/removable --
0
-- sys/block/sda/size --
4194304
-- sys/block/sda/sda2/dev --
8:2
-- sys/block/sda/sda2/partition --
2
-- sys/block/sda/sda3/dev --
8:3
-- sys/block/sda/sda3/partition --
3
-- etc/modprobe.d/usb.conf --
install usb-storage /bin/false
blacklist usb-storage
install uas /bin/false
blacklist uas
-- etc/security/limits.d/core.conf --
* hard core 0
`

// planted are faults on an otherwise sound server: what is changed, and the
// control that must then report a violation, under its clause, with a value of
// the deciding fact.
var planted = []struct {
	name    string
	diff    string
	clause  clause.ID
	control string
	says    string // in the English reasons
}{
	{"an empty password hash", "-- etc/shadow mode=0640 --\nroot:!:20200:0:99999:7:::\ntanaka::20201:0:99999:7:::\n", "npa-r3@2.2.1", "auth/no-empty-password", "tanaka"},
	{"an account with a second uid 0", "-- etc/passwd --\nroot:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/bash\ntanaka:x:1000:1000::/home/tanaka:/bin/bash\n", "npa-r3@2.2.2", "auth/one-root", "toor"},
	{"two accounts with one uid", "-- etc/passwd --\nroot:x:0:0:root:/root:/bin/bash\ntanaka:x:1000:1000::/home/tanaka:/bin/bash\nsato:x:1000:1000::/home/tanaka:/bin/bash\n", "npa-r3@2.2.3", "auth/unique-uids", "sato"},
	{"a shared-looking account", "-- etc/passwd --\nroot:x:0:0:root:/root:/bin/bash\nkyoyo:x:1001:1001::/home/kyoyo:/bin/bash\n", "npa-r3@2.2.3", "auth/shared-looking-names", "no record"},
	{"NOPASSWD in an included sudoers file", "-- etc/sudoers mode=0440 --\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n-- etc/sudoers.d/90-maintenance mode=0440 --\ntanaka ALL=(ALL) NOPASSWD: ALL\n", "npa-r3@2.2.2", "auth/no-passwordless-sudo", "90-maintenance"},
	{"PermitRootLogin yes", "-- etc/ssh/sshd_config.d/00-root.conf --\nPermitRootLogin yes\n", "npa-r3@2.2.2", "auth/ssh-no-root", "yes"},
	{"PermitEmptyPasswords yes", "-- etc/ssh/sshd_config.d/00-empty.conf --\nPermitEmptyPasswords yes\n", "npa-r3@2.2.1", "auth/ssh-no-empty-password", "yes"},
	{"HostbasedAuthentication yes", "-- etc/ssh/sshd_config.d/00-host.conf --\nHostbasedAuthentication yes\n", "npa-r3@2.2.1", "auth/ssh-no-host-based", "yes"},
	{"many SSH tries", "-- etc/ssh/sshd_config.d/00-tries.conf --\nMaxAuthTries 20\n", "npa-r3@2.2.4", "auth/ssh-tries", "20"},
	{"SSH with HMAC-SHA1", "-- etc/ssh/sshd_config.d/00-macs.conf --\nMACs hmac-sha1\n", "npa-r3@2.3.3", "crypto/ssh-macs", "hmac-sha1"},
	{"SSH with a CBC cipher of 3DES", "-- etc/ssh/sshd_config.d/00-ciphers.conf --\nCiphers 3des-cbc\n", "npa-r3@2.3.3", "crypto/ssh-ciphers", "3des-cbc"},
	{"a short minimum length", "-- etc/security/pwquality.conf --\nminlen = 8\nminclass = 3\n", "npa-r3@2.2.4", "auth/password-length", "8"},
	{"few character classes", "-- etc/security/pwquality.conf --\nminlen = 14\nminclass = 1\n", "npa-r3@2.2.4", "auth/password-classes", "1"},
	{"no password history", "-- etc/pam.d/common-password --\npassword requisite pam_pwquality.so\npassword required pam_unix.so use_authtok yescrypt\n", "npa-r3@2.2.4", "auth/password-history", "0"},
	{"no lockout", "-- etc/pam.d/common-auth --\nauth required pam_unix.so\n", "npa-r3@2.2.4", "auth/lockout-threshold", "0"},
	{"a lockout of a minute", "-- etc/security/faillock.conf --\ndeny = 5\nfail_interval = 900\nunlock_time = 60\n", "npa-r3@2.2.4", "auth/lockout-duration", "1m"},
	{"an MD5 password hash", "-- etc/shadow mode=0640 --\nroot:!:20200:0:99999:7:::\ntanaka:$1$abcdefgh$1234567890123456789012:20201:0:99999:7:::\n", "npa-r3@2.2.4", "auth/stored-password-hash", "tanaka"},
	{"passwords hashed with MD5 from now on", "-- etc/pam.d/common-password --\npassword requisite pam_pwquality.so\npassword required pam_unix.so md5\n", "npa-r3@2.2.4", "auth/password-hash", "md5"},
	{"a world-readable shadow file", "-- etc/shadow mode=0644 --\nroot:!:20200:0:99999:7:::\n", "npa-r3@2.2.4", "auth/account-files-protected", "no"},
	{"a home anybody can write", "-- home/tanaka/ mode=0777 --\n", "npa-r3@2.2.4", "auth/homes-protected", "tanaka"},
	{"automatic login on the console", "-- etc/systemd/system/getty@tty1.service.d/auto.conf --\n[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin tanaka --noclear %I $TERM\n", "npa-r3@2.2.1", "auth/no-automatic-login", "getty"},
	{"no login banner", "-- etc/issue --\nDebian GNU/Linux 12 \\n \\l\n-- etc/issue.net --\nDebian GNU/Linux 12\n-- etc/ssh/sshd_config.d/00-banner.conf --\nBanner none\n", "npa-r3@2.2.4", "auth/login-banner", "no"},
	{"a shell timeout anybody can unset", "-- etc/profile.d/tmout.sh --\nTMOUT=300\nexport TMOUT\n", "npa-r3@2.2.4", "auth/shell-timeout", "no"},
	{"unencrypted swap", "-- sys/block/dm-1/dm/uuid --\nLVM-swap\n", "npa-r3@2.3.1", "crypto/disk-encryption", "dm-1"},
	{"an unencrypted root", "-- sys/block/dm-0/dm/uuid --\nLVM-root\n", "npa-r3@2.3.1", "crypto/disk-encryption", "/dev/mapper/root"},
	{"a world-readable private key", "-- etc/ssl/private/server.key mode=0644 --\n" + privateKey, "npa-r3@2.3.3", "crypto/key-files-protected", "server.key"},
	{"telnet enabled in inetd", "-- etc/inetd.conf --\ntelnet stream tcp nowait root /usr/sbin/tcpd /usr/sbin/telnetd\n", "npa-r3@2.4.3", "network/no-clear-text-services", "telnet"},
	{"telnet listening", "-- proc/net/tcp --\n  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 00000000:0017 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0\n", "npa-r3@2.4.3", "network/no-clear-text-services", "23"},
	{"forwarding between networks", "-- proc/sys/net/ipv4/ip_forward --\n1\n", "npa-r3@2.4.3", "network/no-forwarding-computer", "no record"},
	{"no time synchronisation", "-- etc/hostname --\nnoclock\n", "npa-r3@2.5.2", "server/clock-synchronised", "no"},
	{"auditing off", "-- etc/hostname --\nnoaudit\n", "npa-r3@2.10.1", "trail/recording", "no"},
	{"an operating system past its end", "-- usr/lib/os-release --\nID=debian\nVERSION_ID=\"9\"\nNAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 9 (stretch)\"\n", "npa-r3@2.5.3", "server/os-supported", "2022"},
	{"stale malware definitions", clam + "-- var/lib/clamav/daily.cvd --\nClamAV-VDB:01 Jan 2026 08-00 +0000:27000:2000000:90:X:X:builder:1767254400\n", "npa-r3@2.7", "malware/definitions-fresh", "2026-01-01"},
	{"USB storage open", "-- etc/modprobe.d/usb.conf --\n# nothing\n-- sys/bus/usb/devices/usb1/authorized_default --\n1\n", "npa-r3@2.9", "media/usb-restricted", "open"},
	{"address randomisation off", "-- proc/sys/kernel/randomize_va_space --\n0\n", "npa-r3@2.5.3", "server/address-randomisation", "0"},
	{"logs anybody can read", "-- var/log/auth.log mode=0666 --\nNov  1 10:00:00 h sshd[1]: Accepted publickey for tanaka\n", "npa-r3@2.10.4", "trail/files-protected", "auth.log"},
}

const clam = "-- usr/sbin/clamd mode=0755 --\nELF\n-- etc/clamav/clamd.conf --\nLocalSocket /run/clamav/clamd.ctl\n-- var/lib/dpkg/info/clamav-daemon.list --\n/usr/sbin/clamd\n"

// privateKey has the form of one and opens nothing.
const privateKey = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAGhRANCAARrF9Hy4SxCR/i85uVjpEDydwN9gS3r\nM6D0oTlF2JjClk/jQuL+Gn+bjufrSnwPnhYrzjNXazFezsu2QGg3v1H1\n-----END PRIVATE KEY-----\n"

// absent are faults that are there when nothing is: the sound host plants them,
// and something must be added to make them go.
var absent = map[string]string{
	"no time synchronisation":   "-- usr/sbin/chronyd mode=0755 --\nELF\n-- etc/systemd/system/multi-user.target.wants/chrony.service -> /usr/lib/systemd/system/chrony.service --\n-- usr/lib/systemd/system/chrony.service --\n[Service]\nExecStart=/usr/sbin/chronyd\n-- etc/chrony/chrony.conf --\nserver ntp.example.jp iburst\n",
	"auditing off":              "-- usr/sbin/auditd mode=0755 --\nELF\n-- etc/systemd/system/multi-user.target.wants/auditd.service -> /usr/lib/systemd/system/auditd.service --\n-- usr/lib/systemd/system/auditd.service --\n[Service]\nExecStart=/usr/sbin/auditd\n-- etc/audit/auditd.conf --\nlog_file = /var/log/audit/audit.log\n-- proc/300/comm --\nauditd\n-- proc/300/cmdline --\n/usr/sbin/auditd\n-- proc/300/exe -> /usr/sbin/auditd --\n",
	"stale malware definitions": "",
}

// judged are faults that a person may have a reason for: what is reported is that
// nobody has judged it.
var judged = map[string]bool{"a shared-looking account": true, "forwarding between networks": true}

func TestPlantedFaultsAreFoundAndGoWhenUndone(t *testing.T) {
	if len(planted) < 25 {
		t.Fatalf("%d faults are planted, want at least 25", len(planted))
	}
	p, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range planted {
		t.Run(f.name, func(t *testing.T) {
			v := at(t, p, f.control, fixture.Debian12, sound, f.diff)
			want := verdict.Violates
			if judged[f.name] {
				want = verdict.Undecided
			}
			if v.Outcome != want {
				t.Fatalf("planted: %s says %s (%s), want %s", f.control, v.Outcome, reasons(v), want)
			}
			if !slices.Contains(v.Clauses, f.clause) {
				t.Errorf("%s is under %v, want %s", f.control, v.Clauses, f.clause)
			}
			if !strings.Contains(reasons(v), f.says) {
				t.Errorf("the reasons do not name %q: %s", f.says, reasons(v))
			}
			if want == verdict.Violates && (len(v.Evidence) == 0 || v.Evidence[0].Source == "" || v.Evidence[0].Digest == "") {
				t.Errorf("no evidence: %+v", v.Evidence)
			}
			undo, isAbsent := absent[f.name]
			if isAbsent && undo == "" {
				undo = clam + "-- var/lib/clamav/daily.cvd --\nClamAV-VDB:01 Nov 2026 08-00 +0000:27000:2000000:90:X:X:builder:1793520000\n"
			}
			if v := at(t, p, f.control, fixture.Debian12, sound, undo); v.Outcome == want {
				t.Errorf("undone: %s still says %s (%s)", f.control, want, reasons(v))
			}
		})
	}
}

// at is what one control says of the computer in a folder.
func at(t *testing.T, p *posture.Posture, control string, archives ...string) verdict.Verdict {
	t.Helper()
	r, err := look(t.Context(), p, checkFlags{root: fixture.Root(t, archives...), role: "server"}, fixture.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Verdicts {
		if v.Control == control && v.Subject == "computer/this" {
			return v
		}
	}
	t.Fatalf("no verdict of %s", control)
	return verdict.Verdict{}
}

func reasons(v verdict.Verdict) string {
	var out []string
	for _, r := range v.Reasons {
		out = append(out, r.In("en"))
	}
	return strings.Join(out, "; ")
}
