package peers

import (
	"time"

	"kakusho/directive"
)

// Params are the values of one scope that the controls read.
type Params struct {
	PwLength, PwClasses, PwHistory, LockoutThreshold, PwMaxAge int64
	HashAllowed, DiskCipher, SSHCiphers, TLSVersions           []string
	LockoutWindow, LockoutDuration                             time.Duration
	AdminRelease, FlowDeny, OSSupported                        bool
	LockServer, LockTerminal, LockAdmin, Inactive              time.Duration
	RSABits, ECCBits, FullAlarm                                int64
	AVOnline, AVClosed, ScanServer, ScanTerminal               time.Duration
	AVKinds, AVExempt, Events                                  []string
	MaxOffset, MaxUnsynced, PatchCritical, PatchClosed, Keep   time.Duration
	Media                                                      string
}

// NewParams takes the values over.
func NewParams(v directive.Values) *Params {
	n := func(key string) int64 { x, _ := v[key].Value.(int64); return x }
	d := func(key string) time.Duration { x, _ := v[key].Value.(time.Duration); return x }
	b := func(key string) bool { return is(v[key].Value) }
	l := func(key string) (words []string) {
		list, _ := v[key].Value.([]any)
		for _, e := range list {
			words = append(words, text(e))
		}
		return words
	}
	return &Params{
		PwLength: n("auth.pw.min_length"), PwClasses: n("auth.pw.classes"), PwHistory: n("auth.pw.history"),
		LockoutThreshold: n("auth.lockout.threshold"), PwMaxAge: n("auth.pw.max_age_days"), HashAllowed: l("auth.pw.hash_allowed"),
		DiskCipher: l("crypto.disk.cipher"), SSHCiphers: l("crypto.ssh.ciphers"), TLSVersions: l("crypto.tls.versions"),
		LockoutWindow: d("auth.lockout.window"), LockoutDuration: d("auth.lockout.duration"), AdminRelease: b("auth.lockout.admin_release"),
		FlowDeny: b("net.flow.default_deny"), OSSupported: b("srv.os_supported"),
		LockServer: d("auth.session.lock_min.server"), LockTerminal: d("auth.session.lock_min.terminal"), LockAdmin: d("auth.session.lock_min.admin"),
		Inactive: d("acct.disable.inactive_days"), RSABits: n("crypto.rsa.min_bits"), ECCBits: n("crypto.ecc.min_bits"), FullAlarm: n("log.full.alarm"),
		AVOnline: d("av.definition_max_age_days.online"), AVClosed: d("av.definition_max_age_days.closed"),
		ScanServer: d("av.fullscan_days.server"), ScanTerminal: d("av.fullscan_days.terminal"), AVKinds: l("av.required_kinds"),
		AVExempt: l("av.exempt.measures"), Events: l("log.events.computer"), MaxOffset: d("time.max_offset_ms.server"),
		MaxUnsynced: d("time.max_unsynced_h"), PatchCritical: d("vuln.deadline.critical"), PatchClosed: d("vuln.deadline.closed"),
		Keep: d("log.retention.min"), Media: text(v["media.default"].Value),
	}
}
