package authentication

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/collect/linux/pam"
	"kakusho/fact"
)

// rules are what a new password must satisfy.
type rules struct {
	length, classes, history int64
	dictionary               bool
	hash                     string
}

// password reads the stack that changes passwords.
func password(l *collect.Look, defs map[string]string) []fact.Fact {
	fields := []string{"pw_min_length", "pw_classes", "pw_history", "pw_dictionary_check", "pw_hash"}
	service := "passwd"
	if there, err := pam.Services(l, service); err == nil && len(there) == 0 {
		service = "login"
	}
	stack, err := pam.Stack(l, service, "password")
	var r rules
	if err == nil {
		r, err = demand(l, pam.Flat(stack), defs)
	}
	src := l.Sources()
	if err != nil {
		out := make([]fact.Fact, len(fields))
		for i, f := range fields {
			out[i] = collect.Failed(f, err, src...)
		}
		return out
	}
	hash := collect.Saw("pw_hash", r.hash, src...)
	if r.hash == "" {
		hash = collect.None("pw_hash", "none: passwords are not kept on this host", src...)
	}
	return []fact.Fact{
		collect.Saw("pw_min_length", r.length, src...), collect.Saw("pw_classes", r.classes, src...),
		collect.Saw("pw_history", r.history, src...), collect.Saw("pw_dictionary_check", r.dictionary, src...), hash,
	}
}

// demand adds up what the modules of a password stack demand. A module whose
// refusal does not bind demands nothing.
func demand(l *collect.Look, stack []pam.Rule, defs map[string]string) (rules, error) {
	var r rules
	for _, m := range stack {
		switch m.Module {
		case "pam_pwquality", "pam_cracklib":
			q, err := quality(l, m)
			if err != nil {
				return r, err
			}
			if m.Binds() && q.enforcing {
				r.length = max(r.length, q.length())
				r.classes = max(r.classes, q.classCount())
				r.dictionary = r.dictionary || q.set["dictcheck"] != 0
			}
		case "pam_passwdqc":
			return r, etc.Fault{File: m.File, Line: m.Line, What: "the demands of pam_passwdqc are not understood"}
		case "pam_pwhistory":
			n, err := remembered(l, m)
			if err != nil {
				return r, err
			}
			if m.Binds() {
				r.history = max(r.history, n)
			}
		case "pam_unix":
			// Its own check always holds, since no password is set without it.
			n, err := number(m, "minlen", 6)
			if err != nil {
				return r, err
			}
			r.length = max(r.length, n)
			if n, err = number(m, "remember", 0); err != nil {
				return r, err
			}
			r.history = max(r.history, n)
			r.hash = hash(m, defs)
		}
	}
	return r, nil
}

func number(m pam.Rule, key string, otherwise int64) (int64, error) {
	v, there := m.Arg(key)
	if !there {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, etc.Fault{File: m.File, Line: m.Line, What: key + " is no number"}
	}
	return n, nil
}

// hash is how pam_unix hashes: as its arguments say, else as login.defs, else as
// it always did.
func hash(m pam.Rule, defs map[string]string) string {
	for _, a := range slices.Backward(m.Args) {
		switch a {
		case "yescrypt", "sha512", "sha256", "md5", "bigcrypt":
			return a
		case "blowfish":
			return "bcrypt"
		case "gost_yescrypt":
			return "gost-yescrypt"
		}
	}
	switch v := strings.ToLower(defs["ENCRYPT_METHOD"]); v {
	case "":
		return "des"
	case "blowfish", "bcrypt":
		return "bcrypt"
	default:
		return v
	}
}

// Quality is the settings of pam_pwquality, or of pam_cracklib before it.
type Quality struct {
	set       map[string]int64
	enforcing bool
	least     int64 // shorter ones are refused whatever the settings
}

func quality(l *collect.Look, m pam.Rule) (Quality, error) {
	q := Quality{set: map[string]int64{"minlen": 8, "dictcheck": 1}, enforcing: true, least: 6}
	if m.Module == "pam_cracklib" {
		q = Quality{set: map[string]int64{"minlen": 9, "dcredit": 1, "ucredit": 1, "lcredit": 1, "ocredit": 1, "dictcheck": 1}, enforcing: true, least: 4}
	} else if err := q.read(l); err != nil {
		return q, err
	}
	for _, a := range m.Args {
		k, v, ok := strings.Cut(a, "=")
		if !ok || !slices.Contains(numbers, k) {
			continue
		}
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil {
			return q, etc.Fault{File: m.File, Line: m.Line, What: k + " is no number"}
		}
		q.put(k, n)
	}
	return q, nil
}

// numbers are the settings that matter here.
var numbers = []string{"minlen", "minclass", "dcredit", "ucredit", "lcredit", "ocredit", "dictcheck", "enforcing"}

func (q *Quality) put(k string, n int64) {
	if k == "enforcing" {
		q.enforcing = n != 0
		return
	}
	q.set[k] = n
}

// read reads the files of libpwquality: those in the folder first, so that the
// main file overrides them.
func (q *Quality) read(l *collect.Look) error {
	files, err := l.Glob("/etc/security/pwquality.conf.d/*.conf")
	if err != nil {
		return err
	}
	for _, p := range append(files, "/etc/security/pwquality.conf") {
		b, _, err := etc.Optional(l, p)
		if err != nil {
			return err
		}
		set, faults := ParseSettings(p, b)
		if len(faults) > 0 {
			return faults[0]
		}
		for _, k := range numbers {
			if v, ok := set[k]; ok {
				n, err := strconv.ParseInt(v, 10, 32)
				if err != nil {
					return etc.Fault{File: p, Line: 1, What: k + " is no number"}
				}
				q.put(k, n)
			}
		}
	}
	return nil
}

// length is what a password must have at least, with all the credit its
// characters may earn.
func (q Quality) length() int64 {
	n := q.set["minlen"]
	for _, k := range credits {
		n -= max(0, q.set[k])
	}
	return max(n, q.least)
}

var credits = []string{"dcredit", "ucredit", "lcredit", "ocredit"}

// classCount is how many kinds of characters a password must hold: a negative
// credit demands its own kind.
func (q Quality) classCount() int64 {
	var demanded int64
	for _, k := range credits {
		if q.set[k] < 0 {
			demanded++
		}
	}
	return max(demanded, q.set["minclass"])
}

// ParseSettings reads "key = value" lines and bare words, as the modules' files
// in /etc/security have them; the last of a key wins.
func ParseSettings(file string, b []byte) (map[string]string, []etc.Fault) {
	out := map[string]string{}
	var faults []etc.Fault
	for i, line := range etc.Lines(b) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		k, v, _ := strings.Cut(line, "=")
		if k = strings.TrimSpace(k); k == "" || strings.ContainsAny(k, " \t") {
			faults = append(faults, etc.Fault{File: file, Line: i + 1, What: "no setting"})
			continue
		}
		out[k] = strings.TrimSpace(v)
	}
	return out, faults
}

// settings reads a module's file, or the one its conf= names, and then its
// arguments over it. Only the module's own default file may be missing.
func settings(l *collect.Look, m pam.Rule, file string) (map[string]string, error) {
	named, given := m.Arg("conf")
	if given {
		file = named
	}
	b, err := l.ReadFile(file)
	if err != nil && !(collect.Missing(err) && !given) {
		return nil, err
	}
	set, faults := ParseSettings(file, b)
	if len(faults) > 0 {
		return nil, faults[0]
	}
	for _, a := range m.Args {
		k, v, _ := strings.Cut(a, "=")
		set[k] = v
	}
	return set, nil
}

func remembered(l *collect.Look, m pam.Rule) (int64, error) {
	set, err := settings(l, m, "/etc/security/pwhistory.conf")
	if err != nil {
		return 0, err
	}
	return positive(m, set, "remember", 10)
}

func positive(m pam.Rule, set map[string]string, key string, otherwise int64) (int64, error) {
	v, there := set[key]
	if !there {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 0 {
		return 0, etc.Fault{File: m.File, Line: m.Line, What: fmt.Sprintf("%s of %s is no number", key, m.Module)}
	}
	return n, nil
}
