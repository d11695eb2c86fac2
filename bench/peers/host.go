package peers

import (
	"time"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
)

// Host is a computer as a program written by hand for these controls would hold
// it: plain values, each with how the looking went.
type Host struct {
	Role, Status string

	PwMinLength, PwClasses, PwHistory, LockoutThreshold field[int64]
	PwHash                                              field[string]
	PwDictionary                                        field[bool]
	LockoutWindow, LockoutDuration                      field[time.Duration]

	Graphical, LockEnabled, ShellReadonly field[bool]
	LockIdle, ShellTimeout                field[time.Duration]

	SSHD        field[bool]
	RootLogin   field[string]
	MaxTries    field[int64]
	IdleTimeout field[time.Duration]
	Ciphers     field[[]string]
	Match       field[[]match]

	Accounts              field[[]account]
	UID0, Duplicate, Home field[[]string]
	Sudo                  field[[]sudo]

	Volumes      field[[]volume]
	Certificates field[[]certificate]
	TLS          field[[]listener]

	Definitions, LastScan field[time.Time]
	MalwareActive         field[bool]
	MalwareMeasure        field[string]
	SystemInternet        field[bool]

	FirewallActive, DefaultDeny field[bool]
	Interfaces                  field[[]netInterface]
	ClockOffset                 field[time.Duration]
	Synchronised                field[bool]
	LastSync                    field[time.Time]
	SupportEnd                  field[time.Time]
	PendingSecurity             field[int64]
	OldestPending               field[time.Time]

	Auditd, Syslog, Journald, Forwarded field[bool]
	FreeRatio                           field[float64]
	LogOldest                           field[time.Time]
	InService                           field[time.Time]
	EventClasses                        field[[]string]
	USBPolicy                           field[string]
}

type (
	account struct {
		interactive, system, never bool
		password, hash             string
		changedAt, lastLogin       time.Time
		maxDays                    int64
	}
	match  struct{ keyword, value string }
	sudo   struct{ nopasswd, all bool }
	volume struct {
		encrypted bool
		cipher    string
	}
	certificate struct {
		key  string
		bits int64
	}
	listener struct {
		oldest   string
		notAfter time.Time
	}
	netInterface struct{ wireless, up bool }
)

// state is how the looking went.
type state byte

const (
	known state = iota
	absent
	unknown
)

// field is a value, how the looking went and until when it may be believed.
type field[T any] struct {
	v     T
	state state
	until time.Time // zero: for ever
}

// NewHost takes a computer over from its cells; limits are the values that say how
// long facts hold.
func NewHost(s fleet.Subject, limits directive.Values) *Host {
	c := cells{s, limits}
	h := &Host{}
	h.Role, _ = s.Declared["role"].Fact.Value.(string)
	h.Status, _ = s.Declared["status"].Fact.Value.(string)
	h.authentication(c)
	h.accounts(c)
	h.rest(c)
	return h
}

func (h *Host) authentication(c cells) {
	h.PwMinLength, h.PwClasses, h.PwHistory = read[int64](c, "pw_min_length"), read[int64](c, "pw_classes"), read[int64](c, "pw_history")
	h.LockoutThreshold, h.PwHash = read[int64](c, "lockout_threshold"), read[string](c, "pw_hash")
	h.PwDictionary = read[bool](c, "pw_dictionary_check")
	h.LockoutWindow, h.LockoutDuration = read[time.Duration](c, "lockout_window"), read[time.Duration](c, "lockout_duration")
	h.Graphical, h.LockEnabled, h.ShellReadonly = read[bool](c, "graphical"), read[bool](c, "screen_lock_enabled"), read[bool](c, "shell_timeout_readonly")
	h.LockIdle, h.ShellTimeout = read[time.Duration](c, "screen_lock_idle"), read[time.Duration](c, "shell_timeout")
	h.SSHD, h.RootLogin, h.MaxTries = read[bool](c, "sshd_installed"), read[string](c, "sshd_permit_root_login"), read[int64](c, "sshd_max_auth_tries")
	h.IdleTimeout, h.Ciphers = read[time.Duration](c, "sshd_idle_timeout"), words(c, "sshd_ciphers")
	h.Match = records(c, "sshd_match", func(r map[string]any) match { return match{text(r["keyword"]), text(r["value"])} })
}

func (h *Host) accounts(c cells) {
	h.Accounts = records(c, "accounts", func(r map[string]any) account {
		a := account{interactive: is(r["interactive"]), system: is(r["system"]), never: is(r["never_logged_in"]), password: text(r["password"]), hash: text(r["hash"])}
		a.changedAt, _ = r["changed_at"].(time.Time)
		a.lastLogin, _ = r["last_login"].(time.Time)
		a.maxDays, _ = r["max_days"].(int64)
		return a
	})
	h.UID0, h.Duplicate, h.Home = words(c, "uid0_accounts"), words(c, "duplicate_uids"), words(c, "unsafe_homes")
	h.Sudo = records(c, "sudo_rules", func(r map[string]any) sudo { return sudo{is(r["nopasswd"]), is(r["all"])} })
}

func (h *Host) rest(c cells) {
	h.Volumes = records(c, "volumes", func(r map[string]any) volume { return volume{is(r["encrypted"]), text(r["cipher"])} })
	h.Certificates = records(c, "certificates", func(r map[string]any) certificate {
		bits, _ := r["bits"].(int64)
		return certificate{text(r["key"]), bits}
	})
	h.TLS = records(c, "tls_listeners", func(r map[string]any) listener {
		t, _ := r["not_after"].(time.Time)
		return listener{text(r["oldest"]), t}
	})
	h.Interfaces = records(c, "interfaces", func(r map[string]any) netInterface { return netInterface{is(r["wireless"]), is(r["up"])} })
	h.Definitions, h.LastScan = read[time.Time](c, "malware_definitions_at"), read[time.Time](c, "malware_last_scan")
	h.MalwareActive, h.SystemInternet = read[bool](c, "malware_active"), read[bool](c, "system_internet")
	h.MalwareMeasure, h.InService = declared[string](c, "malware_measure"), declared[time.Time](c, "in_service_on")
	h.FirewallActive, h.DefaultDeny = read[bool](c, "firewall_active"), read[bool](c, "firewall_default_deny")
	h.ClockOffset, h.Synchronised, h.LastSync = read[time.Duration](c, "time_offset"), read[bool](c, "time_synchronized"), read[time.Time](c, "time_last_sync")
	h.SupportEnd, h.PendingSecurity = read[time.Time](c, "os_support_end"), read[int64](c, "pending_security_count")
	h.OldestPending = read[time.Time](c, "oldest_pending_security_at")
	h.Auditd, h.Syslog, h.Journald = read[bool](c, "auditd_active"), read[bool](c, "syslog_active"), read[bool](c, "journald_persistent")
	h.Forwarded, h.FreeRatio, h.LogOldest = read[bool](c, "log_forwarded"), read[float64](c, "log_free_ratio"), read[time.Time](c, "log_oldest")
	h.EventClasses, h.USBPolicy = words(c, "log_event_classes"), read[string](c, "usb_storage_policy")
}

// cells are what a host is read from.
type cells struct {
	s      fleet.Subject
	limits directive.Values
}

func read[T any](c cells, name string) field[T]     { return from[T](c, c.s.Facts[name]) }
func declared[T any](c cells, name string) field[T] { return from[T](c, c.s.Declared[name]) }

func from[T any](c cells, cell judge.Cell) (f field[T]) {
	switch cell.Fact.Status {
	case fact.Observed:
		f.v, _ = cell.Fact.Value.(T)
	case fact.Absent:
		f.state = absent
	default:
		f.state = unknown
	}
	if limit, ok := c.limits[cell.Fresh].Value.(time.Duration); ok && cell.Fresh != "" {
		f.until = cell.ObservedAt.Add(limit)
	}
	return f
}

func records[T any](c cells, name string, one func(map[string]any) T) (f field[[]T]) {
	list := read[[]any](c, name)
	f.state, f.until = list.state, list.until
	for _, e := range list.v {
		f.v = append(f.v, one(e.(map[string]any)))
	}
	return f
}

func words(c cells, name string) (f field[[]string]) {
	list := read[[]any](c, name)
	f.state, f.until = list.state, list.until
	for _, e := range list.v {
		f.v = append(f.v, text(e))
	}
	return f
}

func text(v any) string { s, _ := v.(string); return s }
func is(v any) bool     { b, _ := v.(bool); return b }
