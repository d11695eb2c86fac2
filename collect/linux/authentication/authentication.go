// Package authentication observes how a Linux host makes people prove who they
// are: password rules, lockout, further factors, and ways past them all.
//
// It reads the PAM stacks that login, remote login and desktops use and the
// files their modules read. Where the services differ, the weakest speaks for
// the host, and the fact's reason names it.
package authentication

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/collect/linux/pam"
	"kakusho/fact"
)

// Collector brings the facts of group authentication.
func Collector() collect.Collector {
	return collect.Collector{Group: "authentication", Version: "1", Collect: observe}
}

// services let a person in with a password.
var services = []string{
	"login", "remote", "sshd", "gdm-password", "lightdm", "sddm", "kde", "lxdm", "xdm", "cockpit", "xrdp-sesman",
}

// asks are modules that ask for a password.
var asks = []string{"pam_unix", "pam_unix2", "pam_sss", "pam_ldap", "pam_krb5", "pam_winbind", "pam_ecryptfs"}

// door is one service's way in.
type door struct {
	name          string
	auth, account []pam.Rule
}

func observe(_ context.Context, h collect.Host) []fact.Fact {
	l := h.Look()
	defs, defsErr := loginDefs(l)
	facts := []fact.Fact{maxAge(defs, defsErr), autologinFact(h.Look())}
	facts = append(facts, password(h.Look(), defs)...)
	facts = append(facts, umask(h.Look(), defs, defsErr))
	doors, src, err := readDoors(h.Look())
	if err != nil {
		for _, f := range []string{"lockout_threshold", "lockout_window", "lockout_duration", "pam_null_ok", "pam_mfa", "pam_permit_all"} {
			facts = append(facts, collect.Failed(f, err, src...))
		}
	} else {
		facts = append(facts, lockout(h.Look(), doors, src)...)
		facts = append(facts, nullOK(doors, src), mfa(doors, src), permitAll(doors, src))
	}
	return append(facts, lastLogin(h.Look()))
}

func loginDefs(l *collect.Look) (map[string]string, error) {
	b, err := l.ReadFile("/etc/login.defs")
	if collect.Missing(err) {
		b, err = l.ReadFile("/usr/etc/login.defs") // SUSE keeps the maker's there
	}
	if err != nil {
		return nil, err
	}
	return etc.Words(b), nil
}

func readDoors(l *collect.Look) ([]door, []fact.Source, error) {
	names, err := pam.Services(l, services...)
	if err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		names = []string{"other"}
	}
	var out []door
	for _, n := range names {
		d := door{name: n}
		if d.auth, err = pam.Stack(l, n, "auth"); err == nil {
			d.account, err = pam.Stack(l, n, "account")
		}
		if err != nil {
			return nil, l.Sources(), err
		}
		out = append(out, d)
	}
	return out, l.Sources(), nil
}

// withPassword are the doors that take one; a stack of cards or keys only has
// no password to lock.
func withPassword(doors []door) []door {
	return slices.DeleteFunc(slices.Clone(doors), func(d door) bool {
		return !slices.ContainsFunc(pam.Flat(d.auth), func(r pam.Rule) bool { return slices.Contains(asks, r.Module) })
	})
}

func maxAge(defs map[string]string, err error) fact.Fact {
	const field = "pw_max_age_days"
	src := fact.Source{Kind: "file", Ref: "/etc/login.defs"}
	if err != nil {
		return collect.Failed(field, err)
	}
	v, there := defs["PASS_MAX_DAYS"]
	n, err := strconv.ParseInt(v, 0, 64)
	switch {
	case !there || err == nil && n < 0:
		return collect.None(field, "none: PASS_MAX_DAYS sets no limit", src)
	case err != nil:
		return collect.Unclear(field, "malformed: /etc/login.defs: PASS_MAX_DAYS is no number", src)
	}
	return collect.Saw(field, n, src)
}

// umask is what sessions start with: pam_umask's own argument, else login.defs.
func umask(l *collect.Look, defs map[string]string, err error) fact.Fact {
	const field = "umask"
	rules, stackErr := pam.Stack(l, "login", "session")
	if stackErr != nil && !collect.Missing(stackErr) {
		return collect.Failed(field, stackErr, l.Sources()...)
	}
	v, there := defs["UMASK"]
	for _, r := range pam.Flat(rules) {
		if a, ok := r.Arg("umask"); ok && r.Module == "pam_umask" {
			v, there, err = a, true, nil
		}
	}
	src := append(l.Sources(), fact.Source{Kind: "file", Ref: "/etc/login.defs"})
	if err != nil {
		return collect.Failed(field, err, src...)
	}
	n, bad := strconv.ParseUint(v, 8, 12)
	switch {
	case !there:
		return collect.None(field, "none: neither pam_umask nor login.defs sets one", src...)
	case bad != nil:
		return collect.Unclear(field, fmt.Sprintf("malformed: umask %q", v), src...)
	}
	return collect.Saw(field, fmt.Sprintf("%03o", n), src...)
}

func nullOK(doors []door, src []fact.Source) fact.Fact {
	for _, d := range doors {
		for _, r := range pam.Flat(d.auth) {
			if strings.HasPrefix(r.Module, "pam_unix") && (r.Has("nullok") || r.Has("nullok_secure")) {
				f := collect.Saw("pam_null_ok", true, src...)
				f.Reason = "at: " + r.Place()
				return f
			}
		}
	}
	return collect.Saw("pam_null_ok", false, src...)
}

// factors are modules that ask for something beside a password, with the
// argument that lets those through who have it not.
var factors = map[string]string{
	"pam_google_authenticator": "nullok", "pam_u2f": "nouserok", "pam_oath": "", "pam_yubico": "nullok", "pam_duo": "", "pam_totp": "",
	"pam_pkcs11": "", "pam_privacyidea": "", "pam_rsa_securid": "", "pam_securid": "", "pam_otpw": "", "pam_multiotp": "",
}

// mfa is true when every way in demands a further factor of everybody.
func mfa(doors []door, src []fact.Source) fact.Fact {
	var without []string
	asked := withPassword(doors)
	if len(asked) == 0 {
		asked = doors
	}
	for _, d := range asked {
		if !slices.ContainsFunc(pam.Flat(d.auth), func(r pam.Rule) bool {
			escape, is := factors[r.Module]
			return is && r.Binds() && (escape == "" || !r.Has(escape))
		}) {
			without = append(without, d.name)
		}
	}
	f := collect.Saw("pam_mfa", len(without) == 0, src...)
	if len(without) > 0 {
		f.Reason = "services without: " + strings.Join(without, " ")
	}
	return f
}

// conditions are modules that answer a question about the user or the time and
// prove nothing.
var conditions = []string{"pam_succeed_if", "pam_usertype", "pam_localuser", "pam_listfile", "pam_access", "pam_time", "pam_wheel", "pam_rootok", "pam_shells"}

// gates are modules that succeed for whoever is not locked out or elsewhere, and
// so can turn a stack without a refusal at its end into a welcome. Others that
// prove nothing (pam_env, pam_nologin …) have themselves ignored.
var gates = []string{"pam_securetty", "pam_faillock", "pam_tally2", "pam_tally"}

var ignored = []string{
	"pam_env", "pam_faildelay", "pam_nologin", "pam_group", "pam_cap", "pam_keyinit", "pam_mount", "pam_warn", "pam_echo", "pam_issue", "pam_motd",
	"pam_selinux", "pam_sepermit", "pam_loginuid", "pam_limits", "pam_umask", "pam_systemd", "pam_lastlog", "pam_lastlog2", "pam_mail", "pam_gnome_keyring", "pam_kwallet", "pam_kwallet5",
}

// permitAll plays the stacks for somebody who can prove nothing: once as one for
// whom no condition holds, once as one for whom all hold but those that alone
// would suffice (a group allowed in without password is another question).
func permitAll(doors []door, src []fact.Source) fact.Fact {
	const field = "pam_permit_all"
	for _, d := range doors {
		for _, holds := range []bool{false, true} {
			if pam.Run(d.auth, func(r pam.Rule) string { return stranger(r, holds) }) {
				f := collect.Saw(field, true, src...)
				f.Reason = "service: " + d.name
				return f
			}
		}
	}
	return collect.Saw(field, false, src...)
}

func stranger(r pam.Rule, holds bool) string {
	condition := slices.Contains(conditions, r.Module) && holds && !strings.EqualFold(r.Control, "sufficient")
	switch {
	case r.Module == "pam_permit", slices.Contains(gates, r.Module) && !r.Has("authfail"), condition:
		return "success"
	case slices.Contains(ignored, r.Module):
		return "ignore"
	}
	return "auth_err"
}

// lastLogin is whether a console login tells the time of the one before.
func lastLogin(l *collect.Look) fact.Fact {
	const field = "pam_last_login_shown"
	rules, err := pam.Stack(l, "login", "session")
	if err != nil {
		return collect.Failed(field, err, l.Sources()...)
	}
	shown := slices.ContainsFunc(pam.Flat(rules), func(r pam.Rule) bool {
		return (r.Module == "pam_lastlog" || r.Module == "pam_lastlog2") && !r.Has("silent")
	})
	return collect.Saw(field, shown, l.Sources()...)
}
