package authentication

import (
	"slices"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/pam"
	"kakusho/fact"
)

// lock is how one service locks accounts out.
type lock struct {
	deny         int64 // 0: never
	window, open time.Duration
	counted      bool // within a window
}

// lockout tells the weakest lock of all services that take passwords.
func lockout(l *collect.Look, doors []door, src []fact.Source) []fact.Fact {
	fields := []string{"lockout_threshold", "lockout_window", "lockout_duration"}
	all := withPassword(doors)
	worst, where := lock{}, ""
	for i, d := range all {
		k, err := readLock(l, d)
		if err != nil {
			return failedAll(fields, err, src)
		}
		if i == 0 || k.weaker(worst) {
			worst, where = k, d.name
		}
	}
	src = append(slices.Clone(src), l.Sources()...)
	if len(all) == 0 {
		var out []fact.Fact
		for _, f := range fields {
			out = append(out, collect.NotHere(f, "no-password: no service takes a password", src...))
		}
		return out
	}
	deny := collect.Saw(fields[0], worst.deny, src...)
	if worst.deny == 0 {
		deny.Reason = "service: " + where
		return []fact.Fact{deny, collect.None(fields[1], "off: nothing locks", src...), collect.None(fields[2], "off: nothing locks", src...)}
	}
	window := collect.NotHere(fields[1], "no-window: failures count until a success", src...)
	if worst.counted {
		window = collect.Saw(fields[1], worst.window, src...)
	}
	return []fact.Fact{deny, window, collect.Saw(fields[2], worst.open, src...)}
}

func failedAll(fields []string, err error, src []fact.Source) []fact.Fact {
	out := make([]fact.Fact, len(fields))
	for i, f := range fields {
		out[i] = collect.Failed(f, err, src...)
	}
	return out
}

// weaker compares by threshold, then by how long the lock holds (0: for ever),
// then by how long a failure counts.
func (k lock) weaker(o lock) bool {
	forEver := func(n int64) int64 {
		if n == 0 {
			return 1 << 62
		}
		return n
	}
	if k.deny != o.deny {
		return forEver(k.deny) > forEver(o.deny)
	}
	if k.open != o.open {
		return forEver(int64(k.open)) < forEver(int64(o.open))
	}
	return k.counted && (!o.counted || k.window < o.window)
}

// readLock finds a service's lock. pam_faillock has one only when failures are
// counted (authfail) and the count is asked, before (preauth) or after.
func readLock(l *collect.Look, d door) (lock, error) {
	var found lock
	var counts, asked bool
	for _, r := range pam.Flat(d.account) {
		asked = asked || r.Module == "pam_faillock"
	}
	for _, r := range pam.Flat(d.auth) {
		switch r.Module {
		case "pam_faillock":
			if !r.Has("authfail") && !r.Has("authsucc") { // preauth, also when nothing is said
				asked = true
			}
			if !r.Has("authfail") {
				continue
			}
			k, err := faillock(l, r)
			if err != nil {
				return lock{}, err
			}
			found, counts = k, true
		case "pam_tally2", "pam_tally":
			k, err := tally(r)
			if err != nil {
				return lock{}, err
			}
			if r.Binds() {
				return k, nil
			}
		}
	}
	if !counts || !asked {
		return lock{}, nil
	}
	return found, nil
}

func faillock(l *collect.Look, r pam.Rule) (lock, error) {
	set, err := settings(l, r, "/etc/security/faillock.conf")
	if err != nil {
		return lock{}, err
	}
	if strings.EqualFold(set["unlock_time"], "never") {
		set["unlock_time"] = "0"
	}
	var ns [3]int64
	for i, k := range []struct {
		key       string
		otherwise int64
	}{{"deny", 3}, {"fail_interval", 900}, {"unlock_time", 600}} {
		if ns[i], err = positive(r, set, k.key, k.otherwise); err != nil {
			return lock{}, err
		}
	}
	return lock{deny: ns[0], window: seconds(ns[1]), open: seconds(ns[2]), counted: true}, nil
}

// tally reads pam_tally2, which counts without a window and without deny= only
// counts.
func tally(r pam.Rule) (lock, error) {
	deny, err := number(r, "deny", 0)
	if err != nil {
		return lock{}, err
	}
	open, err := number(r, "unlock_time", 0)
	return lock{deny: deny, open: seconds(open)}, err
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }
