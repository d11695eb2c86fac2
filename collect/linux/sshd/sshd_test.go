package sshd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/sshd"
	"kakusho/fact"
)

func debian(name, config string, want ...string) fixture.Case {
	return fixture.Case{Name: name, Base: fixture.Debian12, Diff: "-- etc/ssh/sshd_config --\n" + config + "\n", Want: want}
}

func TestServer(t *testing.T) {
	fixture.Check(t, sshd.Collector(), []fixture.Case{
		{Name: "a Debian server as installed", Base: fixture.Debian12, Want: []string{
			"sshd_installed: true", "sshd_permit_root_login: prohibit-password", "sshd_password_authentication: true", "sshd_permit_empty_passwords: false",
			"sshd_hostbased_authentication: false", "sshd_pubkey_authentication: true", "sshd_max_auth_tries: 6", "sshd_x11_forwarding: true", "sshd_ignore_rhosts: true",
			"sshd_use_pam: true", "sshd_banner: none", "sshd_log_level: INFO", "sshd_authentication_methods: any", "sshd_source_restricted: false",
			"sshd_idle_timeout: absent none", "sshd_login_grace: 2m0s", "sshd_match: []",
			"sshd_ciphers: [chacha20-poly1305@openssh.com, aes128-ctr, aes192-ctr, aes256-ctr, aes128-gcm@openssh.com, aes256-gcm@openssh.com]",
			"sshd_macs: [umac-64-etm@openssh.com, umac-128-etm@openssh.com, hmac-sha2-256-etm@openssh.com, hmac-sha2-512-etm@openssh.com, hmac-sha1-etm@openssh.com, umac-64@openssh.com, umac-128@openssh.com, hmac-sha2-256, hmac-sha2-512, hmac-sha1]",
			"sshd_kex: [sntrup761x25519-sha512@openssh.com, curve25519-sha256, curve25519-sha256@libssh.org, ecdh-sha2-nistp256, ecdh-sha2-nistp384, ecdh-sha2-nistp521, diffie-hellman-group-exchange-sha256, diffie-hellman-group16-sha512, diffie-hellman-group18-sha512, diffie-hellman-group14-sha256]"}},
		{Name: "a RHEL server takes its algorithms from the system's policy", Base: fixture.RHEL9, Want: []string{
			"sshd_use_pam: true", "sshd_x11_forwarding: true", "sshd_password_authentication: true",
			"sshd_ciphers: [aes256-gcm@openssh.com, chacha20-poly1305@openssh.com, aes256-ctr, aes128-gcm@openssh.com, aes128-ctr]"}},
		{Name: "a host without a server has no settings of one", Base: fixture.Ubuntu2404, Want: []string{
			"sshd_installed: false", "sshd_permit_root_login: not-applicable not-installed", "sshd_match: not-applicable not-installed", "sshd_ciphers: not-applicable"}},
		{Name: "dropbear is a server that is not understood", Base: fixture.Ubuntu2404, Diff: "-- usr/sbin/dropbear --\n", Want: []string{
			"sshd_installed: true", "sshd_permit_root_login: error unknown: the settings of dropbear"}},
		{Name: "a server whose settings are gone", Base: fixture.Debian12, Diff: "-- etc/ssh/sshd_config gone --\n", Want: []string{
			"sshd_installed: true", "sshd_permit_root_login: error missing: open /etc/ssh/sshd_config"}},
		{Name: "a maker's file where the host has none of its own", Base: fixture.Debian12, Diff: "-- etc/ssh/sshd_config gone --\n-- usr/etc/ssh/sshd_config --\nPermitRootLogin yes\n", Want: []string{"sshd_permit_root_login: yes"}},
		{Name: "another file named by the start-up options", Base: fixture.Debian12, Diff: "-- etc/default/ssh --\nSSHD_OPTS=\"-f /etc/ssh/other -oMaxAuthTries=2 -o PermitRootLogin=no\"\n-- etc/ssh/other --\nMaxAuthTries 9\nX11Forwarding no\n", Want: []string{
			"sshd_max_auth_tries: 2", "sshd_permit_root_login: no", "sshd_x11_forwarding: false"}},
		{Name: "RHEL 8 passes its policy on the command line", Base: fixture.RHEL9, Diff: "-- etc/crypto-policies/back-ends/opensshserver.config --\nCRYPTO_POLICY='-oCiphers=aes256-ctr,aes128-ctr -oMACs=hmac-sha2-256'\n-- etc/ssh/sshd_config --\nCiphers 3des-cbc\n", Want: []string{
			"sshd_ciphers: [aes256-ctr, aes128-ctr]", "sshd_macs: [hmac-sha2-256]"}},
		{Name: "unless told not to", Base: fixture.RHEL9, Diff: "-- etc/crypto-policies/back-ends/opensshserver.config --\nCRYPTO_POLICY='-oCiphers=aes256-ctr'\n-- etc/sysconfig/sshd --\nCRYPTO_POLICY=\n-- etc/ssh/sshd_config --\nCiphers aes128-ctr\n", Want: []string{"sshd_ciphers: [aes128-ctr]"}},
		{Name: "a version that cannot be told has no known defaults", Base: fixture.Debian12, Diff: "-- var/lib/dpkg/status gone --\n-- etc/ssh/sshd_config --\nCiphers aes256-ctr\nMACs -hmac-sha1\n", Want: []string{
			"sshd_ciphers: [aes256-ctr]", "sshd_macs: error unknown", "sshd_kex: error unknown"}},
	})
}

func TestSettings(t *testing.T) {
	fixture.Check(t, sshd.Collector(), []fixture.Case{
		debian("the first of a keyword counts", "PermitRootLogin no\nPermitRootLogin yes", "sshd_permit_root_login: no"),
		debian("keywords in any case, with equals sign and quotes", "permitROOTlogin=\"no\"\nBanner \"/etc/my banner\" # x\nMaxAuthTries = 3", "sshd_permit_root_login: no", "sshd_banner: /etc/my banner", "sshd_max_auth_tries: 3"),
		debian("an older name of a value", "PermitRootLogin without-password", "sshd_permit_root_login: prohibit-password"),
		debian("no password, but PAM asks for it", "PasswordAuthentication no\nUsePAM yes", "sshd_password_authentication: true"),
		debian("no password, and PAM does not ask", "PasswordAuthentication no\nUsePAM yes\nChallengeResponseAuthentication no", "sshd_password_authentication: false"),
		debian("no password, and PAM asks only after a key", "PasswordAuthentication no\nUsePAM yes\nAuthenticationMethods publickey,keyboard-interactive:pam", "sshd_password_authentication: false", "sshd_authentication_methods: publickey,keyboard-interactive:pam"),
		debian("no password, but PAM alone is one of the ways", "PasswordAuthentication no\nUsePAM yes\nAuthenticationMethods publickey keyboard-interactive", "sshd_password_authentication: true"),
		debian("no password without PAM", "PasswordAuthentication no", "sshd_password_authentication: false", "sshd_use_pam: false"),
		debian("a path keeps its letters", "Banner /etc/Issue.SSH", "sshd_banner: /etc/Issue.SSH"),
		debian("half of rhosts", "IgnoreRhosts shosts-only", "sshd_ignore_rhosts: false"),
		debian("times in every unit", "LoginGraceTime 1m30s\nClientAliveInterval 5m\nClientAliveCountMax 2", "sshd_login_grace: 1m30s", "sshd_idle_timeout: 10m0s"),
		debian("a grace without end is none", "LoginGraceTime 0", "sshd_login_grace: absent none"),
		debian("questions that are never given up end nothing", "ClientAliveInterval 300\nClientAliveCountMax 0", "sshd_idle_timeout: absent none"),
		debian("an idle channel", "ChannelTimeout session:*=15m x11-connection=1m", "sshd_idle_timeout: 15m0s"),
		debian("an idle channel of another kind", "ChannelTimeout x11-connection=1m agent-connection=0", "sshd_idle_timeout: absent none"),
		debian("algorithms added, taken away and put in front", "Ciphers +3des-cbc\nMACs -*-etm@openssh.com,umac-*\nKexAlgorithms ^diffie-hellman-group18-sha512",
			"sshd_ciphers: [chacha20-poly1305@openssh.com, aes128-ctr, aes192-ctr, aes256-ctr, aes128-gcm@openssh.com, aes256-gcm@openssh.com, 3des-cbc]",
			"sshd_macs: [hmac-sha2-256, hmac-sha2-512, hmac-sha1]",
			"sshd_kex: [diffie-hellman-group18-sha512, sntrup761x25519-sha512@openssh.com, curve25519-sha256, curve25519-sha256@libssh.org, ecdh-sha2-nistp256, ecdh-sha2-nistp384, ecdh-sha2-nistp521, diffie-hellman-group-exchange-sha256, diffie-hellman-group16-sha512, diffie-hellman-group14-sha256]"),
		debian("a flag that is none", "UsePAM maybe", "sshd_use_pam: error malformed: /etc/ssh/sshd_config:1: usepam maybe", "sshd_password_authentication: error malformed", "sshd_max_auth_tries: 6"),
		debian("a number that is none", "MaxAuthTries six", "sshd_max_auth_tries: error malformed"),
		debian("a time that is none", "LoginGraceTime 2x\nClientAliveInterval soon", "sshd_login_grace: error malformed", "sshd_idle_timeout: error malformed"),
		debian("a keyword alone", "\nUsePAM", "sshd_use_pam: error malformed: /etc/ssh/sshd_config:2: an argument is missing", "sshd_match: error malformed"),
		debian("a quote left open", "Banner \"x", "sshd_banner: error malformed: /etc/ssh/sshd_config:1: quote not closed"),
	})
}

func TestIncludesAndMatches(t *testing.T) {
	const dropin = "-- etc/ssh/sshd_config.d/"
	fixture.Check(t, sshd.Collector(), []fixture.Case{
		debian("an include in front wins, in the order of names", "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\n"+dropin+"20.conf --\nPermitRootLogin forced-commands-only\nX11Forwarding yes\n"+dropin+"10.conf --\nPermitRootLogin no\n"+dropin+"30.txt --\nMaxAuthTries 1\n",
			"sshd_permit_root_login: no", "sshd_x11_forwarding: true", "sshd_max_auth_tries: 6"),
		debian("an include behind does not", "PermitRootLogin yes\nInclude sshd_config.d/10.conf\n"+dropin+"10.conf --\nPermitRootLogin no\n", "sshd_permit_root_login: yes"),
		debian("what stands under a match is told apart", "X11Forwarding no\nMatch User sftp Address 10.0.0.0/8\n  X11Forwarding yes\n  PermitRootLogin yes\nMatch Group \"wheel\"\n  PasswordAuthentication no",
			"sshd_x11_forwarding: false", "sshd_permit_root_login: prohibit-password", "sshd_password_authentication: true",
			"sshd_match: [{condition=User sftp Address 10.0.0.0/8 keyword=x11forwarding place=/etc/ssh/sshd_config:3 value=yes}, {condition=User sftp Address 10.0.0.0/8 keyword=permitrootlogin place=/etc/ssh/sshd_config:4 value=yes}, {condition=Group wheel keyword=passwordauthentication place=/etc/ssh/sshd_config:6 value=no}]"),
		debian("match all holds for all", "Match User a\nX11Forwarding yes\nMatch all\nMaxAuthTries 3", "sshd_max_auth_tries: 3", "sshd_match: [{condition=User a keyword=x11forwarding place=/etc/ssh/sshd_config:2 value=yes}]"),
		debian("a match in an included file ends with it", "Include sshd_config.d/*.conf\nMaxAuthTries 2\n"+dropin+"10.conf --\nMatch User a\nMaxAuthTries 9\n", "sshd_max_auth_tries: 2", "sshd_match: [{condition=User a keyword=maxauthtries place=/etc/ssh/sshd_config.d/10.conf:2 value=9}]"),
		debian("an include under a match holds under it", "Match User a\nInclude sshd_config.d/*.conf\n"+dropin+"10.conf --\nPermitRootLogin yes\nMatch all\nMaxAuthTries 9\n", "sshd_permit_root_login: prohibit-password", "sshd_max_auth_tries: 6",
			"sshd_match: [{condition=User a keyword=permitrootlogin place=/etc/ssh/sshd_config.d/10.conf:1 value=yes}, {condition=User a keyword=maxauthtries place=/etc/ssh/sshd_config.d/10.conf:3 value=9}]"),
		debian("an include of itself ends", "Include /etc/ssh/sshd_config", "sshd_use_pam: error malformed: /etc/ssh/sshd_config:1: includes nested too deeply"),
	})
}

func TestSources(t *testing.T) {
	wrapped := func(name, config string, want string) fixture.Case {
		c := debian(name, "UsePAM no\n"+config, want)
		c.Diff += "-- usr/sbin/sshd mode=0755 --\nlibwrap.so.0 OpenSSH_9.2p1\n"
		return c
	}
	const yes, no = "sshd_source_restricted: true", "sshd_source_restricted: false"
	fixture.Check(t, sshd.Collector(), []fixture.Case{
		debian("users tied to hosts", "AllowUsers a@10.0.0.* b@192.0.2.1", yes),
		debian("over several lines", "AllowUsers a@10.0.0.*\nAllowUsers b", no),
		debian("users tied to any host", "AllowUsers a@*", no),
		debian("users alone", "AllowUsers a b", no),
		debian("listening on the host itself", "ListenAddress 127.0.0.1\nListenAddress [::1]:2222", yes),
		debian("and on another address", "ListenAddress 127.0.0.1\nListenAddress 192.0.2.1", no),
		debian("others shut out by a match", "Match Address *,!10.0.0.0/8\n  DenyUsers *", yes),
		debian("others given nothing to run", "Match Address *,!10.0.0.0/8\n  ForceCommand /bin/false", yes),
		debian("others of one account only", "Match Address *,!10.0.0.0/8 User a\n  DenyUsers *", no),
		debian("every way shut but from some addresses", "PubkeyAuthentication no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMatch Address 10.0.0.0/8\n  PubkeyAuthentication yes", yes),
		debian("one way left open", "PubkeyAuthentication no\nPasswordAuthentication no\nMatch Address 10.0.0.0/8\n  PubkeyAuthentication yes", no),
		debian("every way shut to all", "PubkeyAuthentication no\nPasswordAuthentication no\nKbdInteractiveAuthentication no", no),
		debian("opened for an account too", "PubkeyAuthentication no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMatch Address 10.0.0.0/8\n  PubkeyAuthentication yes\nMatch User a\n  PasswordAuthentication yes", no),
		wrapped("hosts.deny where the program asks it", "-- etc/hosts.deny --\nsshd: ALL\n-- etc/hosts.allow --\nsshd: 10.0.0. [fe80::]/10\n", yes),
		wrapped("hosts.allow lets all in first", "-- etc/hosts.deny --\nALL: ALL\n-- etc/hosts.allow --\nALL: ALL\n", no),
		wrapped("the end of hosts.allow denies", "-- etc/hosts.allow --\nsshd: 10.0.0. : allow\nsshd: ALL : DENY\n", yes),
		wrapped("another service's rule", "-- etc/hosts.deny --\nvsftpd: ALL\n# sshd: ALL\n", no),
		debian("hosts.deny where the program does not ask", "-- etc/hosts.deny --\nsshd: ALL\n", no),
	})
}

func TestParseProgram(t *testing.T) {
	const kex = "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256"
	v, l := sshd.ParseProgram([]byte("\x00OpenSSH_9.9\x00" + kex + "\x00aes256-ctr,aes128-ctr,aes256-gcm@openssh.com\x00hmac-sha2-256,hmac-sha2-512,umac-128@openssh.com\x00OpenSSH_2.*,x"))
	if v != (sshd.Version{Major: 9, Minor: 9}) || strings.Join(l.Kex, ",") != kex || len(l.Ciphers) != 3 || len(l.MACs) != 3 {
		t.Errorf("got %v %v", v, l)
	}
	// Two forms of a list: which one serves cannot be told.
	if _, l := sshd.ParseProgram([]byte(kex + "\x00" + kex + ",sntrup761x25519-sha512")); l.Kex != nil {
		t.Errorf("kex %v", l.Kex)
	}
}

func TestDefaultsFollowTheReleases(t *testing.T) {
	for _, tt := range []struct {
		v                 sshd.Version
		n                 int
		first, last, lead string
	}{
		{sshd.Version{Major: 7, Minor: 4}, 10, "curve25519-sha256", "diffie-hellman-group14-sha1", "aes128-ctr"},
		{sshd.Version{Major: 8, Minor: 7}, 9, "curve25519-sha256", "diffie-hellman-group14-sha256", "aes128-ctr"},
		{sshd.Version{Major: 8, Minor: 9}, 10, "curve25519-sha256", "diffie-hellman-group14-sha256", "aes128-ctr"},
		{sshd.Version{Major: 9, Minor: 6}, 10, "sntrup761x25519-sha512@openssh.com", "diffie-hellman-group14-sha256", "aes128-ctr"},
		{sshd.Version{Major: 10, Minor: 0}, 8, "mlkem768x25519-sha256", "ecdh-sha2-nistp521", "aes128-gcm@openssh.com"},
	} {
		d := sshd.Defaults(tt.v)
		if len(d.Kex) != tt.n || d.Kex[0] != tt.first || d.Kex[tt.n-1] != tt.last || d.Ciphers[1] != tt.lead || len(d.MACs) != 10 {
			t.Errorf("%v: %v", tt.v, d)
		}
	}
	if d := sshd.Defaults(sshd.Version{}); d.Kex != nil || d.Ciphers != nil || d.MACs != nil {
		t.Errorf("an unknown version has %v", d)
	}
}

func TestParseTime(t *testing.T) {
	for s, want := range map[string]time.Duration{"0": 0, "120": 2 * time.Minute, "1h30m": 90 * time.Minute, "2W": 14 * 24 * time.Hour, "10s5": 15 * time.Second, "": -1, "x": -1, "1y": -1, "-1": -1, "99999999999": -1, "9999999w9999999w": -1} {
		got, err := sshd.ParseTime(s)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
	}
}

// sshd -T is the oracle: the same configurations are given to the real program.
func TestAgreesWithTheProgram(t *testing.T) {
	program, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("no oracle: ", err)
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	for i, text := range oracleTexts {
		h := fixture.Host(t, "-- etc/ssh/sshd_config --\n-- usr/sbin/ --\n")
		root := h.Root
		ours, theirs := filepath.Join(root, "etc/ssh/sshd_config"), filepath.Join(root, "theirs")
		for path, b := range map[string]string{
			ours: strings.ReplaceAll(text, "ROOT", ""), theirs: strings.ReplaceAll(text, "ROOT", root), filepath.Join(root, "usr/sbin/sshd"): string(binary),
			filepath.Join(root, "a.conf"): "PermitRootLogin no\nMatch User a\nMaxAuthTries 9\n", filepath.Join(root, "b.conf"): "PermitRootLogin yes\nCiphers aes256-ctr\n", filepath.Join(root, "c.inc"): "PermitRootLogin yes\n",
		} {
			if err := os.WriteFile(path, []byte(b), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		out, err := exec.Command(program, "-T", "-f", theirs).Output()
		got := fixture.Collect(t, h, sshd.Collector())
		if err != nil {
			if i == 0 {
				t.Skip("no oracle: ", err)
			}
			if got["sshd_use_pam"].Status == fact.Observed && got["sshd_max_auth_tries"].Status == fact.Observed && got["sshd_banner"].Status == fact.Observed {
				t.Errorf("%q: sshd refuses it, and we see no fault", text)
			}
			continue
		}
		compare(t, text, got, string(out))
	}
}

var oracleTexts = []string{
	"", "PermitRootLogin without-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no", "Include ROOT/*.conf\nPermitRootLogin yes", "PermitRootLogin yes\nInclude ROOT/a.conf",
	"Match User a\nX11Forwarding yes\nMatch all\nMaxAuthTries 3", "Ciphers +3des-cbc\nMACs -*-etm@openssh.com,umac-*\nKexAlgorithms ^diffie-hellman-group18-sha512",
	"Ciphers -aes128-*\nMACs ^hmac-sha2-512\nKexAlgorithms -diffie-hellman-*", "LoginGraceTime 1m30s\nClientAliveInterval 5m\nLogLevel verbose\nIgnoreRhosts no\nHostbasedAuthentication yes",
	"permitrootlogin=no\nBanner = \"/etc/issue.net\" # comment\nUsePAM yes", "AuthenticationMethods publickey,password publickey,keyboard-interactive\nMaxAuthTries 2", "IgnoreRhosts shosts-only\nPermitEmptyPasswords yes",
	"Match User a\nInclude ROOT/c.inc\nMatch all\nMaxAuthTries 4", "UsePAM", "MaxAuthTries six", "UsePAM maybe", "Banner \"open", "LoginGraceTime 0\nPubkeyAuthentication no", "ChallengeResponseAuthentication no\nKbdInteractiveAuthentication yes",
	"PermitRootLogin no # tail\nX11Forwarding 'yes'", "\tPermitRootLogin\tno\nBanner none",
}

func compare(t *testing.T, text string, got map[string]fact.Fact, out string) {
	t.Helper()
	they := map[string]string{}
	for line := range strings.Lines(out) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
		they[k] = v
	}
	yes := func(k string) string { return fmt.Sprint(they[k] == "yes") }
	list := func(k string) string { return "[" + strings.ReplaceAll(they[k], ",", ", ") + "]" }
	want := map[string]string{
		"sshd_permit_root_login":        strings.Replace(they["permitrootlogin"], "without-password", "prohibit-password", 1),
		"sshd_password_authentication":  fmt.Sprint(they["passwordauthentication"] == "yes" || they["usepam"] == "yes" && they["kbdinteractiveauthentication"] == "yes"),
		"sshd_permit_empty_passwords":   yes("permitemptypasswords"),
		"sshd_hostbased_authentication": yes("hostbasedauthentication"),
		"sshd_pubkey_authentication":    yes("pubkeyauthentication"),
		"sshd_max_auth_tries":           they["maxauthtries"],
		"sshd_x11_forwarding":           yes("x11forwarding"),
		"sshd_ignore_rhosts":            yes("ignorerhosts"),
		"sshd_use_pam":                  yes("usepam"),
		"sshd_banner":                   they["banner"],
		"sshd_log_level":                they["loglevel"],
		"sshd_authentication_methods":   they["authenticationmethods"],
		"sshd_ciphers":                  list("ciphers"),
		"sshd_macs":                     list("macs"),
		"sshd_kex":                      list("kexalgorithms"),
	}
	for field, w := range want {
		if g := fixture.Show(got[field]); g != w {
			t.Errorf("%q: %s:\n ours   %s\n theirs %s", text, field, g, w)
		}
	}
	if d, ok := got["sshd_login_grace"].Value.(time.Duration); they["logingracetime"] != "0" && (!ok || fmt.Sprint(int(d.Seconds())) != they["logingracetime"]) {
		t.Errorf("%q: grace %v, theirs %s", text, d, they["logingracetime"])
	}
}

func TestSSHDOfTheLiveHost(t *testing.T) {
	got := fixture.Collect(t, fixture.Live(), sshd.Collector())
	_, err := os.Stat("/usr/sbin/sshd")
	if got["sshd_installed"].Value != (err == nil) {
		t.Errorf("sshd_installed: %s", fixture.Show(got["sshd_installed"]))
	}
	out, err := exec.Command("/usr/sbin/sshd", "-T").Output()
	if err != nil {
		t.Skip("no oracle: ", err)
	}
	compare(t, "(live)", got, string(out))
}

func TestSSHDWithoutRights(t *testing.T) {
	fixture.AsNobody(t)
	fixture.Collect(t, fixture.Live(), sshd.Collector())
	// RHEL keeps its drop-ins from others; the settings are then unknown as a whole.
	h := fixture.Host(t, fixture.RHEL9)
	if err := os.Chmod(filepath.Join(h.Root, "etc/ssh/sshd_config.d/50-redhat.conf"), 0); err != nil {
		t.Fatal(err)
	}
	got := fixture.Collect(t, h, sshd.Collector())
	for field, f := range got {
		if want := fact.Denied; field != "sshd_installed" && (f.Status != want || f.Reason != "permission: open /etc/ssh/sshd_config.d/50-redhat.conf") {
			t.Errorf("%s: %s", field, fixture.Show(f))
		}
	}
	if got["sshd_installed"].Value != true {
		t.Errorf("sshd_installed: %s", fixture.Show(got["sshd_installed"]))
	}
}

func TestLoadKeepsTheSources(t *testing.T) {
	l := fixture.Host(t, fixture.Debian12, "-- etc/ssh/sshd_config.d/x.conf --\nUsePAM no\n").Look()
	if _, err := sshd.Load(l); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/x.conf"} {
		if !slices.ContainsFunc(l.Sources(), func(s fact.Source) bool { return s.Ref == want && s.SHA256 != "" }) {
			t.Errorf("%s is not among %v", want, l.Sources())
		}
	}
}

func FuzzParsers(f *testing.F) {
	for _, s := range oracleTexts {
		f.Add(s)
	}
	f.Add("sshd, ALL EXCEPT x: 10.0. [fe80::]/10 : DENY\n")
	f.Add("Package: openssh-server\nVersion: 1:9.2p1-2\n")
	f.Add("+a,b")
	f.Fuzz(func(t *testing.T, s string) {
		lines, faults := sshd.ParseConfig("f", []byte(s))
		for _, l := range lines {
			if l.Keyword == "" || len(l.Args) == 0 || l.Line < 1 {
				t.Errorf("line %+v", l)
			}
		}
		for _, fault := range faults {
			if fault.Line < 1 {
				t.Errorf("fault %+v", fault)
			}
		}
		if d, err := sshd.ParseTime(s); err == nil && d < 0 {
			t.Errorf("time %v", d)
		}
		sshd.ParseWrap([]byte(s), true)
		sshd.ParseDpkgVersion([]byte(s))
		sshd.ParseProgram([]byte(s))
		sshd.Assemble(s, []string{"aes256-ctr"})
	})
}
