package authentication_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/authentication"
	"kakusho/fact"
)

func TestAuthentication(t *testing.T) {
	fixture.Check(t, authentication.Collector(), []fixture.Case{
		{Name: "a Debian server as installed", Base: fixture.Debian12, Want: []string{
			"pw_min_length: 6", "pw_classes: 0", "pw_history: 0", "pw_max_age_days: 99999", "lockout_threshold: 0",
			"lockout_window: absent off", "lockout_duration: absent off", "pw_dictionary_check: false", "pam_null_ok: true",
			"pam_mfa: false", "pam_last_login_shown: true", "pam_permit_all: false", "pw_hash: yescrypt", "autologins: []", "umask: 022"}},
		{Name: "an Ubuntu terminal as installed", Base: fixture.Ubuntu2404, Want: []string{
			"pw_min_length: 8", "pw_dictionary_check: true", "lockout_threshold: 0", "pw_hash: yescrypt", "autologins: []"}},
		{Name: "a hardened RHEL server", Base: fixture.RHEL9, Want: []string{
			"pw_min_length: 12", "pw_classes: 3", "pw_history: 5", "lockout_threshold: 5", "lockout_window: 15m0s", "lockout_duration: 10m0s",
			"pw_dictionary_check: true", "pam_null_ok: true", "pam_last_login_shown: true", "pam_permit_all: false", "pw_hash: sha512", "umask: 022"}},
		{Name: "no PAM at all", Base: "-- etc/login.defs --\nPASS_MAX_DAYS 90\nUMASK 077\n", Want: []string{
			"pw_max_age_days: 90", "pw_min_length: error missing: open /etc/pam.d/other", "lockout_threshold: error missing: open /etc/pam.d/other", "pam_null_ok: error missing", "umask: 077", "autologins: []"}},
		{Name: "nothing at all", Want: []string{"pw_max_age_days: error missing", "umask: error missing"}},
	})
}

func debian(name, diff string, want ...string) fixture.Case {
	return fixture.Case{Name: name, Base: fixture.Debian12, Diff: diff, Want: want}
}

const commonPassword = "-- etc/pam.d/common-password --\n"

func TestPasswordRules(t *testing.T) {
	unix := "password required pam_unix.so use_authtok sha512\n"
	fixture.Check(t, authentication.Collector(), []fixture.Case{
		debian("a negative credit demands its class", commonPassword+"password requisite pam_pwquality.so minlen=14 dcredit=-1 ucredit=-1 ocredit=-2\n"+unix,
			"pw_min_length: 14", "pw_classes: 3", "pw_hash: sha512"),
		debian("a positive credit makes passwords shorter", commonPassword+"password requisite pam_pwquality.so minlen=12 dcredit=1 ucredit=2\n"+unix, "pw_min_length: 9", "pw_classes: 0"),
		debian("never below six", commonPassword+"password requisite pam_pwquality.so minlen=3\n"+unix, "pw_min_length: 6"),
		debian("an argument overrides the file", commonPassword+"password requisite pam_pwquality.so minlen=10\n"+unix+"-- etc/security/pwquality.conf --\nminlen=16\nminclass = 4 # all\n", "pw_min_length: 10", "pw_classes: 4"),
		debian("the main file overrides the folder", commonPassword+"password requisite pam_pwquality.so\n"+unix+"-- etc/security/pwquality.conf.d/50.conf --\nminlen=16\ndictcheck=0\n-- etc/security/pwquality.conf --\nminlen=12\n",
			"pw_min_length: 12", "pw_dictionary_check: false"),
		debian("a check that does not bind demands nothing", commonPassword+"password optional pam_pwquality.so minlen=14\n"+unix, "pw_min_length: 6", "pw_dictionary_check: false"),
		debian("a check that only warns demands nothing", commonPassword+"password requisite pam_pwquality.so minlen=14\n"+unix+"-- etc/security/pwquality.conf --\nenforcing=0\n", "pw_min_length: 6", "pw_dictionary_check: false"),
		debian("cracklib gives credit unless told", commonPassword+"password requisite pam_cracklib.so retry=3 minlen=12\n"+unix, "pw_min_length: 8", "pw_dictionary_check: true"),
		debian("cracklib without credit", commonPassword+"password requisite pam_cracklib.so minlen=12 dcredit=-1 ucredit=-1 lcredit=0 ocredit=0\n"+unix, "pw_min_length: 12", "pw_classes: 2"),
		debian("login.defs does not shorten or lengthen under PAM", "-- etc/login.defs --\nPASS_MIN_LEN 20\nPASS_MAX_DAYS 60\nUMASK 027\n", "pw_min_length: 6", "pw_max_age_days: 60", "umask: 027", "pw_hash: yescrypt"),
		debian("pam_unix's own length", commonPassword+"password required pam_unix.so minlen=10\n-- etc/login.defs --\nENCRYPT_METHOD SHA512\n", "pw_min_length: 10", "pw_hash: sha512", "pw_max_age_days: absent none", "umask: absent none"),
		debian("no method anywhere is the old one", commonPassword+"password required pam_unix.so\n-- etc/login.defs --\n", "pw_hash: des"),
		debian("a history by pam_unix", commonPassword+"password required pam_unix.so remember=12\n", "pw_history: 12"),
		debian("a history by pam_pwhistory, as built in", commonPassword+"password required pam_pwhistory.so\n"+unix, "pw_history: 10"),
		debian("a history by its argument over its file", commonPassword+"password required pam_pwhistory.so remember=24\n"+unix+"-- etc/security/pwhistory.conf --\nremember = 5\n", "pw_history: 24"),
		debian("a history that does not bind", commonPassword+"password optional pam_pwhistory.so remember=24\n"+unix, "pw_history: 0"),
		debian("an age that is no number", "-- etc/login.defs --\nPASS_MAX_DAYS ninety\n", "pw_max_age_days: error malformed"),
		debian("an age without limit", "-- etc/login.defs --\nPASS_MAX_DAYS -1\n", "pw_max_age_days: absent none"),
		debian("a module that is not understood", commonPassword+"password requisite pam_passwdqc.so min=disabled,24,11,8,7\n"+unix, "pw_min_length: error malformed: /etc/pam.d/common-password:1: the demands of pam_passwdqc"),
		debian("a length that is no number", commonPassword+"password requisite pam_pwquality.so minlen=long\n"+unix, "pw_min_length: error malformed: /etc/pam.d/common-password:1"),
		debian("a setting that is none", commonPassword+"password requisite pam_pwquality.so\n"+unix+"-- etc/security/pwquality.conf --\nmin len\n", "pw_min_length: error malformed: /etc/security/pwquality.conf:1"),
		debian("a stack that does not parse", commonPassword+"password pam_unix.so\n", "pw_hash: error malformed: /etc/pam.d/common-password:1", "pw_max_age_days: 99999"),
		debian("passwords kept elsewhere", commonPassword+"password required pam_sss.so\n", "pw_hash: absent none", "pw_min_length: 0"),
		debian("a umask by PAM", "-- etc/pam.d/common-session --\nsession optional pam_umask.so umask=0077\n", "umask: 077"),
		debian("a umask that is none", "-- etc/login.defs --\nUMASK 99\n", "umask: error malformed"),
	})
}

const commonAuth = "-- etc/pam.d/common-auth --\n"

func TestLockout(t *testing.T) {
	full := commonAuth + "auth required pam_faillock.so preauth\nauth sufficient pam_unix.so\nauth [default=die] pam_faillock.so authfail deny=4 unlock_time=never fail_interval=300\n"
	fixture.Check(t, authentication.Collector(), []fixture.Case{
		debian("counted and asked", full, "lockout_threshold: 4", "lockout_window: 5m0s", "lockout_duration: 0s"),
		debian("counted only, nobody asks", strings.Replace(full, "auth required pam_faillock.so preauth\n", "", 1), "lockout_threshold: 0"),
		debian("counted, and asked afterwards", strings.Replace(full, "auth required pam_faillock.so preauth\n", "", 1)+"-- etc/pam.d/common-account --\naccount required pam_faillock.so\naccount required pam_unix.so\n", "lockout_threshold: 4"),
		debian("asked only, nobody counts", commonAuth+"auth required pam_faillock.so preauth deny=3\nauth required pam_unix.so\n", "lockout_threshold: 0"),
		debian("as built in", commonAuth+"auth required pam_faillock.so preauth\nauth sufficient pam_unix.so\nauth [default=die] pam_faillock.so authfail\n",
			"lockout_threshold: 3", "lockout_window: 15m0s", "lockout_duration: 10m0s"),
		debian("switched off by its file", commonAuth+"auth required pam_faillock.so preauth\nauth sufficient pam_unix.so\nauth [default=die] pam_faillock.so authfail\n-- etc/security/faillock.conf --\ndeny = 0\n",
			"lockout_threshold: 0", "lockout_duration: absent off"),
		debian("one service without is the weakest", full+"-- etc/pam.d/login --\nauth required pam_unix.so\n", "lockout_threshold: 0"),
		debian("the weaker of two", full+"-- etc/pam.d/login --\nauth required pam_faillock.so preauth\nauth sufficient pam_unix.so\nauth [default=die] pam_faillock.so authfail deny=9 unlock_time=60\n", "lockout_threshold: 9", "lockout_duration: 1m0s"),
		debian("pam_tally2 has no window", commonAuth+"auth required pam_tally2.so deny=5 unlock_time=900\nauth required pam_unix.so\n", "lockout_threshold: 5", "lockout_window: not-applicable no-window", "lockout_duration: 15m0s"),
		debian("pam_tally2 that only counts", commonAuth+"auth required pam_tally2.so\nauth required pam_unix.so\n", "lockout_threshold: 0"),
		debian("no service takes a password", commonAuth+"auth required pam_pkcs11.so\n", "lockout_threshold: not-applicable no-password", "pam_mfa: true"),
		debian("a threshold that is no number", strings.Replace(full, "deny=4", "deny=four", 1), "lockout_threshold: error malformed: /etc/pam.d/common-auth:3"),
		debian("a stack that does not parse", commonAuth+"auth nonsense pam_unix.so\n", "lockout_threshold: error malformed", "pam_null_ok: error malformed", "pam_mfa: error malformed", "pam_permit_all: error malformed", "pw_min_length: 6"),
	})
}

func TestWaysIn(t *testing.T) {
	fixture.Check(t, authentication.Collector(), []fixture.Case{
		debian("empty passwords refused", commonAuth+"auth required pam_unix.so\n", "pam_null_ok: false"),
		debian("everybody let in first", commonAuth+"auth sufficient pam_permit.so\nauth required pam_unix.so\n", "pam_permit_all: true"),
		debian("everybody let in last", commonAuth+"auth sufficient pam_unix.so\nauth required pam_permit.so\n", "pam_permit_all: true"),
		debian("everybody let in at one service", "-- etc/pam.d/sshd --\nauth required pam_permit.so\n", "pam_permit_all: true"),
		debian("no refusal at the end, after a gate that is open", commonAuth+"auth required pam_faillock.so preauth\nauth sufficient pam_unix.so\n", "pam_permit_all: true"),
		debian("no refusal at the end, and nothing that succeeds", commonAuth+"auth required pam_env.so\nauth sufficient pam_unix.so\n", "pam_permit_all: false"),
		debian("permit after a jump that needs success", commonAuth+"auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n", "pam_permit_all: false"),
		debian("a jump too far, over the refusal", commonAuth+"auth [success=1 default=1] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n", "pam_permit_all: true"),
		debian("a group let in without password is no everybody", "-- etc/pam.d/lightdm --\nauth sufficient pam_succeed_if.so user ingroup nopasswdlogin\n@include common-auth\n", "pam_permit_all: false"),
		debian("a second factor everywhere", commonAuth+"auth required pam_unix.so\nauth required pam_google_authenticator.so\n", "pam_mfa: true"),
		debian("a second factor for who has one", commonAuth+"auth required pam_unix.so\nauth required pam_google_authenticator.so nullok\n", "pam_mfa: false"),
		debian("a second factor instead of the password", commonAuth+"auth sufficient pam_u2f.so\nauth required pam_unix.so\n", "pam_mfa: false"),
		debian("a second factor at one service", "-- etc/pam.d/sshd --\n@include common-auth\nauth required pam_oath.so\n", "pam_mfa: false"),
		debian("no word of the last login", "-- etc/pam.d/login --\n@include common-auth\nsession required pam_unix.so\n", "pam_last_login_shown: false"),
		debian("the last login kept but not told", "-- etc/pam.d/login --\nauth required pam_unix.so\nsession optional pam_lastlog.so silent\n", "pam_last_login_shown: false"),
		debian("the last login by the newer module", "-- etc/pam.d/login --\nauth required pam_unix.so\nsession optional pam_lastlog2.so\n", "pam_last_login_shown: true"),
	})
}

func TestAutologins(t *testing.T) {
	user := func(service, name, place string) string {
		return "autologins: [{place=" + place + " service=" + service + " user=" + name + "}]"
	}
	dropin := "-- etc/systemd/system/getty@tty1.service.d/autologin.conf --\n[Service]\nExecStart=\nExecStart=-/sbin/agetty -o '-p -- \\\\u' --noclear --autologin tanaka %I $TERM\n"
	fixture.Check(t, authentication.Collector(), []fixture.Case{
		debian("GDM of Debian", "-- etc/gdm3/daemon.conf --\n[daemon]\nAutomaticLoginEnable = true\nAutomaticLogin = user1\n", user("gdm", "user1", "/etc/gdm3/daemon.conf:3")),
		debian("GDM after a while", "-- etc/gdm/custom.conf --\n[daemon]\nTimedLoginEnable=True\nTimedLogin=user1\nTimedLoginDelay=5\n", user("gdm", "user1", "/etc/gdm/custom.conf:3")),
		debian("GDM named but not enabled", "-- etc/gdm3/custom.conf --\n[daemon]\nAutomaticLoginEnable=false\nAutomaticLogin=user1\n", "autologins: []"),
		debian("LightDM", "-- etc/lightdm/lightdm.conf.d/50.conf --\n[Seat:*]\nautologin-user=kiosk\n", user("lightdm", "kiosk", "/etc/lightdm/lightdm.conf.d/50.conf:2")),
		debian("LightDM, taken back by the main file", "-- etc/lightdm/lightdm.conf.d/50.conf --\n[Seat:*]\nautologin-user=kiosk\n-- etc/lightdm/lightdm.conf --\n[Seat:*]\nautologin-user=\n", "autologins: []"),
		debian("LightDM for guests", "-- etc/lightdm/lightdm.conf --\n[SeatDefaults]\nautologin-guest=true\n", user("lightdm", "(guest)", "/etc/lightdm/lightdm.conf:2")),
		debian("SDDM", "-- etc/sddm.conf.d/a.conf --\n[Autologin]\nUser=u\nSession=plasma\n", user("sddm", "u", "/etc/sddm.conf.d/a.conf:2")),
		debian("LXDM", "-- etc/lxdm/lxdm.conf --\n[base]\n# autologin=dgod\nautologin=u\n", user("lxdm", "u", "/etc/lxdm/lxdm.conf:3")),
		debian("KDM", "-- etc/kde4/kdm/kdmrc --\n[X-:0-Core]\nAutoLoginEnable=true\nAutoLoginUser=u\n", user("kdm", "u", "/etc/kde4/kdm/kdmrc:3")),
		debian("greetd", "-- etc/greetd/config.toml --\n[initial_session]\ncommand = \"sway\"\nuser = \"u\"\n", user("greetd", "u", "/etc/greetd/config.toml:3")),
		debian("a console by a drop-in", dropin, user("getty", "tanaka", "/etc/systemd/system/getty@tty1.service.d/autologin.conf:3")),
		debian("a console by a drop-in that a later one takes back", dropin+"-- etc/systemd/system/getty@tty1.service.d/z.conf --\n[Service]\nExecStart=\nExecStart=-/sbin/agetty --noclear %I\n", "autologins: []"),
		debian("a console that is masked", dropin+"-- etc/systemd/system/getty@tty1.service -> /dev/null --\n", "autologins: []"),
		debian("every console", "-- etc/systemd/system/getty@.service.d/a.conf --\n[Service]\nExecStart=\nExecStart=-/sbin/agetty -a root - $TERM\n", user("getty", "root", "/etc/systemd/system/getty@.service.d/a.conf:3")),
		debian("a serial line in its own unit", "-- etc/systemd/system/serial-getty@ttyS0.service --\n[Service]\nExecStart=-/sbin/agetty --autologin=root 115200 %I\n", user("getty", "root", "/etc/systemd/system/serial-getty@ttyS0.service:2")),
		debian("a login program told not to ask", "-- etc/systemd/system/getty@tty2.service --\n[Service]\nExecStart=-/bin/login -f root\n", user("getty", "root", "/etc/systemd/system/getty@tty2.service:2")),
		debian("System V's init", "-- etc/inittab --\n# c:x\n1:2345:respawn:/sbin/mingetty --autologin u tty1\n2:2345:off:/sbin/mingetty --autologin v tty2\n", user("getty", "u", "/etc/inittab:2")),
	})
}

func TestAutologinReadsACommandLine(t *testing.T) {
	for command, want := range map[string]string{
		"-/sbin/agetty -o '-p -- \\\\u' --noclear - $TERM": "", "/sbin/agetty -a u tty1": "u", "/sbin/agetty -au tty1": "u", "/sbin/agetty --autologin": "", "": "",
		"/sbin/agetty -f /etc/issue tty1": "", "/sbin/agetty --skip-login -o '-f root' tty1": "root", "/sbin/agetty -n -l /usr/bin/login -f u": "u", "/bin/rm -f x": "",
	} {
		if got := authentication.Autologin(command); got != want {
			t.Errorf("%q: %q, want %q", command, got, want)
		}
	}
}

func TestAuthenticationOfTheLiveHost(t *testing.T) {
	got := fixture.Collect(t, fixture.Live(), authentication.Collector())
	if _, err := os.Stat("/etc/pam.d/login"); err != nil {
		t.Skip(err)
	}
	for field, f := range got {
		if f.Status == fact.Error || f.Status == fact.Denied {
			t.Errorf("%s: %s", field, fixture.Show(f))
		}
	}
	// What PAM does with a short password is the oracle of the length, where the
	// tool is there to ask libpwquality.
	tool, err := exec.LookPath("pwscore")
	if err != nil {
		t.Log("no oracle: ", err)
		return
	}
	cmd := exec.Command(tool)
	cmd.Stdin = strings.NewReader("xK9\n")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("three characters passed: %s, and we say %v", out, got["pw_min_length"].Value)
	}
}

func TestAuthenticationWithoutRights(t *testing.T) {
	fixture.AsNobody(t)
	fixture.Collect(t, fixture.Live(), authentication.Collector())
	h := fixture.Host(t, fixture.RHEL9)
	for _, p := range []string{"/etc/pam.d", "/etc/login.defs"} {
		if err := os.Chmod(h.Root+p, 0); err != nil {
			t.Fatal(err)
		}
	}
	got := fixture.Collect(t, h, authentication.Collector())
	for _, field := range []string{"pw_min_length", "pw_history", "lockout_threshold", "pam_null_ok", "pam_mfa", "pam_permit_all", "pam_last_login_shown", "pw_max_age_days"} {
		if got[field].Status != fact.Denied {
			t.Errorf("%s: %s", field, fixture.Show(got[field]))
		}
	}
	h = fixture.Host(t, fixture.RHEL9)
	if err := os.Chmod(h.Root+"/etc/security/faillock.conf", 0); err != nil {
		t.Fatal(err)
	}
	if f := fixture.Collect(t, h, authentication.Collector())["lockout_threshold"]; f.Status != fact.Denied {
		t.Errorf("lockout_threshold: %s", fixture.Show(f))
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("minlen = 12 # x\nenforce_for_root\n")
	f.Add("-/sbin/agetty -a root '-f x'")
	f.Fuzz(func(t *testing.T, s string) {
		set, faults := authentication.ParseSettings("f", []byte(s))
		for k := range set {
			if k == "" || strings.ContainsAny(k, " #\n") {
				t.Errorf("key %q", k)
			}
		}
		for _, fault := range faults {
			if fault.Line < 1 {
				t.Errorf("fault %+v", fault)
			}
		}
		if u := authentication.Autologin(s); strings.ContainsAny(u, " \t\n") {
			t.Errorf("user %q", u)
		}
	})
}
