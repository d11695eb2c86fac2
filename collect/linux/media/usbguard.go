package media

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/service"
)

// usbguard is in force while its daemon runs, or would be when it is enabled in
// a root that is not running.
func usbguard(l *collect.Look, t *service.Table) (rule, error) {
	_, on, err := t.Running("usbguard-daemon")
	if errors.Is(err, service.ErrNoProcesses) {
		_, on, err = t.Enabled("usbguard.service")
	}
	if err != nil || !on {
		return rule{}, err
	}
	conf := map[string]string{}
	b, err := l.ReadFile("/etc/usbguard/usbguard-daemon.conf")
	if err != nil && !collect.Missing(err) {
		return rule{}, err
	}
	for _, line := range strings.Split(string(b), "\n") {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(k, "#") {
			conf[k] = strings.TrimSpace(v)
		}
	}
	files := []string{conf["RuleFile"]}
	if files[0] == "" {
		files[0] = "/etc/usbguard/rules.conf"
	}
	if dir := conf["RuleFolder"]; dir != "" {
		more, err := l.Glob(dir + "/*.conf")
		if err != nil {
			return rule{}, err
		}
		files = append(files, more...)
	}
	var rules []Rule
	for _, p := range files {
		b, err := l.ReadFile(p)
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return rule{}, err
		}
		rules = append(rules, ParseRules(b)...)
	}
	return rule{storage(conf, rules), "usbguard: " + files[0]}, nil
}

// storage is what USBGuard does with a storage device it meets: the first rule
// that matches decides, else the implicit target.
func storage(conf map[string]string, rules []Rule) string {
	switch conf["InsertedDevicePolicy"] {
	case "block", "reject":
		return blocked
	}
	known := false
	for _, r := range rules {
		if !r.Storage {
			continue
		}
		switch {
		case r.Target == "allow" && r.Identity:
			known = true
		case r.Target == "allow" && !r.Condition:
			return open
		case r.Target == "allow":
			known = true // under a condition, such as a time of day
		case !r.Identity && !r.Condition:
			if known {
				return allowList
			}
			return blocked
		}
	}
	switch implicit := conf["ImplicitPolicyTarget"]; {
	case implicit == "allow":
		return open
	case known:
		return allowList
	}
	return blocked
}

// Rule is one rule of USBGuard as far as storage goes.
type Rule struct {
	Target    string // allow, block, reject
	Storage   bool   // can match a device with a mass storage interface
	Identity  bool   // for devices named by ID, serial number or hash only
	Condition bool   // with "if"
}

var (
	guardID     = regexp.MustCompile(`(?:^| )(?:id )?([0-9a-fA-F*]{1,4}:[0-9a-fA-F*]{1,4})(?: |$)`)
	guardFace   = regexp.MustCompile(`with-interface (?:(all-of|one-of|none-of|equals|equals-ordered|match-all)? ?\{([^}]*)\}|(\S+))`)
	guardQuoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// ParseRules reads rules.conf.
func ParseRules(b []byte) []Rule {
	var out []Rule
	for _, line := range strings.Split(string(b), "\n") {
		line = strings.Join(strings.Fields(guardQuoted.ReplaceAllString(line, `""`)), " ")
		target, rest, _ := strings.Cut(line, " ")
		if !slices.Contains([]string{"allow", "block", "reject"}, target) {
			continue
		}
		r := Rule{Target: target, Storage: true}
		if m := guardID.FindStringSubmatch(rest); m != nil && !strings.HasPrefix(m[1], "*") {
			r.Identity = true
		}
		for _, attr := range []string{"serial ", "hash ", "parent-hash "} {
			r.Identity = r.Identity || strings.Contains(" "+rest+" ", " "+attr)
		}
		r.Condition = strings.Contains(" "+rest+" ", " if ")
		if m := guardFace.FindStringSubmatch(rest); m != nil {
			r.Storage = face(target, m[1], strings.Fields(m[2]+" "+m[3]))
		}
		out = append(out, r)
	}
	return out
}

// face reports whether a rule about interfaces speaks of a device with nothing
// but mass storage (class 08).
func face(target, operator string, types []string) bool {
	is := func(t string) bool { return strings.HasPrefix(t, "08:") || strings.HasPrefix(t, "*:") }
	names := slices.ContainsFunc(types, is)
	others := slices.ContainsFunc(types, func(t string) bool { return !is(t) })
	switch {
	case operator == "none-of":
		return !names
	case target == "allow":
		return names
	}
	// "all-of" and "equals" with another class beside it leave out a plain stick.
	return names && (operator == "one-of" || !others)
}
