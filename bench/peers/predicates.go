package peers

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"kakusho/verdict"
)

// Predicate is one control written by hand.
type Predicate struct {
	Control string
	Judge   func(h *Host, p *Params, at time.Time) verdict.Outcome
}

// Predicates are the controls that every engine judges here.
func Predicates() []Predicate { return slices.Concat(logins(), keeping(), operating()) }

// logins are about passwords, locks and accounts.
func logins() []Predicate {
	return []Predicate{
		{"auth/password-length", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, must(&h.PwMinLength, at, h.PwMinLength.v >= p.PwLength))
		}},
		{"auth/password-classes", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, must(&h.PwClasses, at, h.PwClasses.v >= p.PwClasses))
		}},
		{"auth/password-history", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, must(&h.PwHistory, at, h.PwHistory.v >= p.PwHistory))
		}},
		{"auth/password-hash", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, must(&h.PwHash, at, slices.Contains(p.HashAllowed, h.PwHash.v)))
		}},
		{"auth/password-dictionary", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return inUse(h, must(&h.PwDictionary, at, h.PwDictionary.v))
		}},
		{"auth/lockout-threshold", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, must(&h.LockoutThreshold, at, h.LockoutThreshold.v > 0 && h.LockoutThreshold.v <= p.LockoutThreshold))
		}},
		{"auth/lockout-window", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, must(&h.LockoutWindow, at, h.LockoutWindow.v >= p.LockoutWindow))
		}},
		{"auth/lockout-duration", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, must(&h.LockoutDuration, at, h.LockoutDuration.v == 0 || !p.AdminRelease && h.LockoutDuration.v >= p.LockoutDuration))
		}},
		{"auth/screen-lock", screenLock},
		{"auth/shell-timeout", shellTimeout},
		{"auth/ssh-no-root", sshNoRoot},
		{"auth/ssh-tries", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, or(may(&h.SSHD, at, !h.SSHD.v), may(&h.MaxTries, at, h.MaxTries.v <= p.LockoutThreshold)))
		}},
		{"auth/ssh-idle", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, or(must(&h.SSHD, at, !h.SSHD.v), must(&h.IdleTimeout, at, h.IdleTimeout.v > 0 && h.IdleTimeout.v <= p.LockAdmin)))
		}},
		{"auth/inactive-accounts", inactiveAccounts},
		{"auth/no-empty-password", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return inUse(h, all(&h.Accounts, at, func(a *account) bool { return !a.interactive || a.password != "empty" }))
		}},
		{"auth/stored-password-hash", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, all(&h.Accounts, at, func(a *account) bool { return a.password != "set" || slices.Contains(p.HashAllowed, a.hash) }))
		}},
		{"auth/password-age", passwordAge},
		{"auth/unique-uids", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return inUse(h, may(&h.Duplicate, at, len(h.Duplicate.v) == 0))
		}},
		{"auth/one-root", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return inUse(h, all(&h.UID0, at, func(name *string) bool { return *name == "root" }))
		}},
		{"auth/no-passwordless-sudo", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return inUse(h, every(&h.Sudo, at, func(r *sudo) bool { return !(r.nopasswd && r.all) }))
		}},
		{"auth/homes-protected", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return inUse(h, may(&h.Home, at, len(h.Home.v) == 0))
		}},
	}
}

// keeping are about disks, keys and ciphers.
func keeping() []Predicate {
	return []Predicate{
		{"crypto/disk-cipher", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, all(&h.Volumes, at, func(v *volume) bool { return !v.encrypted || slices.Contains(p.DiskCipher, v.cipher) }))
		}},
		{"crypto/certificate-key-length", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, every(&h.Certificates, at, func(c *certificate) bool {
				return (!strings.HasPrefix(c.key, "RSA") || c.bits >= p.RSABits) && (!strings.HasPrefix(c.key, "EC") || c.bits >= p.ECCBits)
			}))
		}},
		{"crypto/certificates-in-date", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return running(h, every(&h.TLS, at, func(l *listener) bool { return at.Before(l.notAfter) }))
		}},
		{"crypto/ssh-ciphers", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, or(may(&h.SSHD, at, !h.SSHD.v), all(&h.Ciphers, at, func(c *string) bool { return slices.Contains(p.SSHCiphers, *c) })))
		}},
		{"crypto/tls-versions", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return inUse(h, every(&h.TLS, at, func(l *listener) bool { return slices.Contains(p.TLSVersions, l.oldest) }))
		}},
	}
}

// operating are about what runs and what it writes down.
func operating() []Predicate {
	return []Predicate{
		{"malware/definitions-fresh", definitionsFresh},
		{"malware/full-scan", fullScan},
		{"malware/product-running", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return protected(h, p, or(must(&h.MalwareActive, at, h.MalwareActive.v), exempt(h, p, at)))
		}},
		{"network/host-firewall", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			if !p.FlowDeny {
				return verdict.NotApplicable
			}
			return inUse(h, and(may(&h.FirewallActive, at, h.FirewallActive.v), may(&h.DefaultDeny, at, h.DefaultDeny.v)))
		}},
		{"network/no-wireless-on-servers", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return server(h, all(&h.Interfaces, at, func(i *netInterface) bool { return !(i.wireless && i.up) }))
		}},
		{"server/clock-offset", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return runningServer(h, may(&h.ClockOffset, at, h.ClockOffset.v <= p.MaxOffset))
		}},
		{"server/clock-synchronised", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return runningServer(h, and(may(&h.Synchronised, at, h.Synchronised.v), may(&h.LastSync, at, at.Sub(h.LastSync.v) <= p.MaxUnsynced)))
		}},
		{"server/os-supported", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			if !p.OSSupported {
				return verdict.NotApplicable
			}
			return server(h, may(&h.SupportEnd, at, at.Before(h.SupportEnd.v)))
		}},
		{"server/security-updates", securityUpdates},
		{"trail/recording", func(h *Host, _ *Params, at time.Time) verdict.Outcome {
			return running(h, and(may(&h.Auditd, at, h.Auditd.v), or(may(&h.Syslog, at, h.Syslog.v), may(&h.Journald, at, h.Journald.v))))
		}},
		{"trail/free-space", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return running(h, may(&h.FreeRatio, at, h.FreeRatio.v*100 >= 100-float64(p.FullAlarm)))
		}},
		{"trail/retention-achieved", retention},
		{"trail/event-classes", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			return running(h, must(&h.EventClasses, at, !slices.ContainsFunc(p.Events, func(e string) bool { return !slices.Contains(h.EventClasses.v, e) })))
		}},
		{"media/usb-restricted", func(h *Host, p *Params, at time.Time) verdict.Outcome {
			if p.Media != "deny" {
				return verdict.NotApplicable
			}
			return inUse(h, may(&h.USBPolicy, at, h.USBPolicy.v == "blocked" || h.USBPolicy.v == "allow-list" || h.USBPolicy.v == "no-bus"))
		}},
	}
}

func screenLock(h *Host, p *Params, at time.Time) verdict.Outcome {
	limit := p.LockTerminal
	if h.Role == "server" {
		limit = p.LockServer
	}
	return inUse(h, or(must(&h.Graphical, at, !h.Graphical.v),
		and(must(&h.LockEnabled, at, h.LockEnabled.v), must(&h.LockIdle, at, h.LockIdle.v <= limit))))
}

func shellTimeout(h *Host, p *Params, at time.Time) verdict.Outcome {
	return server(h, and(must(&h.ShellTimeout, at, h.ShellTimeout.v > 0 && h.ShellTimeout.v <= p.LockServer),
		must(&h.ShellReadonly, at, h.ShellReadonly.v)))
}

var saysNo = regexp.MustCompile("(?i)^(no|false)$")

func sshNoRoot(h *Host, _ *Params, at time.Time) verdict.Outcome {
	return inUse(h, or(may(&h.SSHD, at, !h.SSHD.v), and(may(&h.RootLogin, at, h.RootLogin.v == "no"),
		every(&h.Match, at, func(m *match) bool { return m.keyword != "permitrootlogin" || saysNo.MatchString(m.value) }))))
}

func inactiveAccounts(h *Host, p *Params, at time.Time) verdict.Outcome {
	return inUse(h, all(&h.Accounts, at, func(a *account) bool {
		return !a.interactive || a.system || a.never && at.Sub(a.changedAt) <= p.Inactive || !a.never && at.Sub(a.lastLogin) <= p.Inactive
	}))
}

func passwordAge(h *Host, p *Params, at time.Time) verdict.Outcome {
	if p.PwMaxAge <= 0 {
		return verdict.NotApplicable
	}
	return inUse(h, all(&h.Accounts, at, func(a *account) bool {
		return !a.interactive || a.password != "set" || a.maxDays > 0 && a.maxDays <= p.PwMaxAge
	}))
}

func exempt(h *Host, p *Params, at time.Time) truth {
	return or(and(must(&h.MalwareMeasure, at, h.MalwareMeasure.v == "allow-list"), sure(slices.Contains(p.AVExempt, "allow-listing"))),
		and(must(&h.MalwareMeasure, at, h.MalwareMeasure.v == "isolation"), sure(slices.Contains(p.AVExempt, "isolation"))))
}

func definitionsFresh(h *Host, p *Params, at time.Time) verdict.Outcome {
	age := at.Sub(h.Definitions.v)
	return protected(h, p, or(or(must(&h.Definitions, at, age <= p.AVOnline),
		and(must(&h.SystemInternet, at, !h.SystemInternet.v), must(&h.Definitions, at, age <= p.AVClosed))), exempt(h, p, at)))
}

func fullScan(h *Host, p *Params, at time.Time) verdict.Outcome {
	limit := p.ScanTerminal
	if h.Role == "server" {
		limit = p.ScanServer
	}
	return protected(h, p, or(must(&h.LastScan, at, at.Sub(h.LastScan.v) <= limit), exempt(h, p, at)))
}

func securityUpdates(h *Host, p *Params, at time.Time) verdict.Outcome {
	age := at.Sub(h.OldestPending.v)
	return runningServer(h, or(or(may(&h.PendingSecurity, at, h.PendingSecurity.v == 0), may(&h.OldestPending, at, age <= p.PatchCritical)),
		and(may(&h.SystemInternet, at, !h.SystemInternet.v), may(&h.OldestPending, at, age <= p.PatchClosed))))
}

func retention(h *Host, p *Params, at time.Time) verdict.Outcome {
	return running(h, or(or(must(&h.LogOldest, at, at.Sub(h.LogOldest.v) >= p.Keep), must(&h.InService, at, at.Sub(h.InService.v) < p.Keep)),
		must(&h.Forwarded, at, h.Forwarded.v)))
}

// truth is three-valued.
type truth byte

const (
	no truth = iota
	yes
	unsure
)

func sure(b bool) truth {
	if b {
		return yes
	}
	return no
}

// may is b where the field is known.
func may[T any](f *field[T], at time.Time, b bool) truth {
	if f.state != known || !f.until.IsZero() && !at.Before(f.until) {
		return unsure
	}
	return sure(b)
}

// must is may, but what is absent is no.
func must[T any](f *field[T], at time.Time, b bool) truth {
	if f.state == unknown || !f.until.IsZero() && !at.Before(f.until) {
		return unsure
	}
	return sure(b && f.state == known)
}

// all is true when test is of every element; of nothing it is unsure.
func all[T any](f *field[[]T], at time.Time, test func(*T) bool) truth {
	if len(f.v) == 0 {
		return unsure
	}
	return every(f, at, test)
}

// every is all, but true of nothing.
func every[T any](f *field[[]T], at time.Time, test func(*T) bool) truth {
	for i := range f.v {
		if !test(&f.v[i]) {
			return may(f, at, false)
		}
	}
	return may(f, at, true)
}

func and(a, b truth) truth {
	switch {
	case a == no || b == no:
		return no
	case a == unsure || b == unsure:
		return unsure
	}
	return yes
}

func or(a, b truth) truth {
	switch {
	case a == yes || b == yes:
		return yes
	case a == unsure || b == unsure:
		return unsure
	}
	return no
}

func outcome(applies bool, t truth) verdict.Outcome {
	switch {
	case !applies:
		return verdict.NotApplicable
	case t == yes:
		return verdict.Conforms
	case t == no:
		return verdict.Violates
	}
	return verdict.Unknown
}

func inUse(h *Host, t truth) verdict.Outcome   { return outcome(h.Status != "disposed", t) }
func running(h *Host, t truth) verdict.Outcome { return outcome(h.Status == "in-service", t) }
func server(h *Host, t truth) verdict.Outcome {
	return outcome(h.Role == "server" && h.Status != "disposed", t)
}
func runningServer(h *Host, t truth) verdict.Outcome {
	return outcome(h.Role == "server" && h.Status == "in-service", t)
}
func protected(h *Host, p *Params, t truth) verdict.Outcome {
	return outcome(h.Status == "in-service" && slices.Contains(p.AVKinds, h.Role), t)
}
