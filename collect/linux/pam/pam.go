// Package pam reads the stacks of PAM modules by which a Linux host lets people
// in, in the order in which PAM runs them, and plays them through.
package pam

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
)

// Rule is one line of a stack. A substack is one rule with the rules in Sub.
type Rule struct {
	Type    string // auth, account, password, session
	Quiet   bool   // "-" in front: nothing happens when the module is not installed
	Control string // required …, or the words between brackets
	Module  string // without folder and ".so": pam_unix
	Args    []string
	Sub     []Rule
	File    string
	Line    int
}

// Place is where the rule stands.
func (r Rule) Place() string { return fmt.Sprintf("%s:%d", r.File, r.Line) }

// Has reports an argument without value.
func (r Rule) Has(arg string) bool { return slices.Contains(r.Args, arg) }

// Arg is the value of the last "key=value" argument.
func (r Rule) Arg(key string) (string, bool) {
	for _, a := range slices.Backward(r.Args) {
		if v, ok := strings.CutPrefix(a, key+"="); ok {
			return v, true
		}
	}
	return "", false
}

// Line is a line of a file in /etc/pam.d: a rule, or an include.
type Line struct {
	Rule
	Include string // the file to put in here; Type "" then means rules of every type
	Sub     bool   // as a substack
}

// Parse reads one file of /etc/pam.d.
func Parse(file string, b []byte) ([]Line, []etc.Fault) {
	var out []Line
	var faults []etc.Fault
	for n, text := range joined(b) {
		words, err := split(text)
		if err == nil && len(words) > 0 {
			var l Line
			if l, err = line(words); err == nil {
				l.File, l.Line = file, n
				out = append(out, l)
			}
		}
		if err != nil {
			faults = append(faults, etc.Fault{File: file, Line: n, What: err.Error()})
		}
	}
	return out, faults
}

// joined yields logical lines with the number of their first line; a backslash
// at the end joins, a "#" starts a comment.
func joined(b []byte) func(func(int, string) bool) {
	return func(yield func(int, string) bool) {
		var text strings.Builder
		start := 0 // of the line being joined; 0: none
		for i, l := range etc.Lines(b) {
			if start == 0 {
				start = i + 1
			}
			l, _, _ = strings.Cut(l, "#")
			l, more := strings.CutSuffix(l, `\`)
			text.WriteString(l + " ")
			if more {
				continue
			}
			if !yield(start, text.String()) {
				return
			}
			text.Reset()
			start = 0
		}
		if start != 0 {
			yield(start, text.String())
		}
	}
}

// split separates words; what stands in brackets is one word, with "\]" for a
// bracket inside.
func split(s string) ([]string, error) {
	var out []string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimLeft(s, " \t") {
		if s[0] != '[' {
			i := strings.IndexAny(s, " \t")
			if i < 0 {
				i = len(s)
			}
			out, s = append(out, s[:i]), s[i:]
			continue
		}
		end := 1
		for ; end < len(s) && s[end] != ']'; end++ {
			if s[end] == '\\' {
				end++
			}
		}
		if end >= len(s) {
			return nil, fmt.Errorf("bracket not closed")
		}
		out, s = append(out, "["+strings.ReplaceAll(s[1:end], `\]`, "]")), s[end+1:]
	}
	return out, nil
}

func line(w []string) (Line, error) {
	if w[0] == "@include" {
		if len(w) != 2 {
			return Line{}, fmt.Errorf("@include wants one file")
		}
		return Line{Include: w[1]}, nil
	}
	var l Line
	l.Type, l.Quiet = strings.CutPrefix(strings.ToLower(w[0]), "-")
	if !slices.Contains([]string{"auth", "account", "password", "session"}, l.Type) {
		return Line{}, fmt.Errorf("unknown type %q", w[0])
	}
	if len(w) < 3 {
		return Line{}, fmt.Errorf("a rule wants type, control and module")
	}
	l.Control = w[1]
	switch {
	case l.Control == "include" || l.Control == "substack":
		if l.Include, l.Sub = w[2], l.Control == "substack"; path.Base(l.Include) == "." || strings.HasSuffix(l.Include, "/") {
			return Line{}, fmt.Errorf("%q is no file", w[2])
		}
		return l, nil
	case l.Control[0] != '[' && !slices.Contains([]string{"required", "requisite", "sufficient", "optional", "binding"}, strings.ToLower(l.Control)):
		return Line{}, fmt.Errorf("unknown control %q", l.Control)
	}
	if l.Module = strings.TrimSuffix(path.Base(w[2]), ".so"); l.Module == "" {
		return Line{}, fmt.Errorf("%q is no module", w[2])
	}
	for _, a := range w[3:] {
		l.Args = append(l.Args, strings.TrimPrefix(a, "["))
	}
	return l, nil
}

// dirs are where a service's file is looked for, as built into the libraries of
// the distributions.
var dirs = []string{"/etc/pam.d", "/usr/lib/pam.d", "/usr/etc/pam.d", "/usr/share/pam.d"}

// Services tells which of the named services have a file.
func Services(l *collect.Look, names ...string) ([]string, error) {
	var out []string
	for _, n := range names {
		for _, d := range dirs {
			there, err := l.Exists(path.Join(d, n))
			if err != nil {
				return nil, err
			}
			if there {
				out = append(out, n)
				break
			}
		}
	}
	return out, nil
}

// Stack reads the rules of one type for a service, includes put in their place.
// A service without a file has those of "other". A fault anywhere is an error:
// PAM refuses everybody then, or does what cannot be told from outside.
func Stack(l *collect.Look, service, typ string) ([]Rule, error) {
	rules, err := stack(l, service, typ, 0)
	if collect.Missing(err) {
		return stack(l, "other", typ, 0)
	}
	return rules, err
}

func stack(l *collect.Look, name, typ string, depth int) ([]Rule, error) {
	if depth > 32 { // as PAM
		return nil, etc.Fault{File: name, Line: 1, What: "includes nested too deeply"}
	}
	file, b, err := read(l, name)
	if err != nil {
		return nil, err
	}
	lines, faults := Parse(file, b)
	if len(faults) > 0 {
		return nil, faults[0]
	}
	var out []Rule
	for _, ln := range lines {
		if ln.Type != typ && ln.Type != "" {
			continue
		}
		if ln.Include == "" {
			out = append(out, ln.Rule)
			continue
		}
		in, err := stack(l, ln.Include, typ, depth+1)
		if collect.Missing(err) {
			return nil, etc.Fault{File: file, Line: ln.Line, What: "includes " + ln.Include + ", which is not there"}
		}
		if err != nil {
			return nil, err
		}
		if ln.Sub && len(in) > 0 {
			sub := ln.Rule
			sub.Sub = in
			out = append(out, sub)
			continue
		}
		out = append(out, in...)
	}
	return out, nil
}

func read(l *collect.Look, name string) (file string, b []byte, err error) {
	if path.IsAbs(name) {
		b, err = l.ReadFile(name)
		return name, b, err
	}
	var missing error // of the first folder, where one would look for it
	for _, d := range dirs {
		file = path.Join(d, name)
		if b, err = l.ReadFile(file); !collect.Missing(err) {
			return file, b, err
		}
		if missing == nil {
			missing = err
		}
	}
	return "", nil, missing
}

// Flat lists all rules, those of substacks in their place.
func Flat(rules []Rule) []Rule {
	var out []Rule
	for _, r := range rules {
		if r.Sub != nil {
			out = append(out, Flat(r.Sub)...)
			continue
		}
		out = append(out, r)
	}
	return out
}

// Binds reports that the failure of the rule's module makes the stack fail.
func (r Rule) Binds() bool {
	a := r.actions()["default"]
	return a == "bad" || a == "die"
}

// actions are what follows each result, "default" for the rest.
func (r Rule) actions() map[string]string {
	switch strings.ToLower(r.Control) {
	case "required":
		return map[string]string{"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "bad"}
	case "requisite":
		return map[string]string{"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "die"}
	case "sufficient":
		return map[string]string{"success": "done", "new_authtok_reqd": "done", "default": "ignore"}
	case "binding":
		return map[string]string{"success": "done", "new_authtok_reqd": "done", "default": "bad"}
	case "optional":
		return map[string]string{"success": "ok", "new_authtok_reqd": "ok", "default": "ignore"}
	}
	out := map[string]string{"default": "bad"} // PAM's word for what is not listed
	for _, w := range strings.Fields(strings.TrimPrefix(r.Control, "[")) {
		if k, v, ok := strings.Cut(w, "="); ok {
			out[k] = v
		}
	}
	return out
}

// Run plays a stack through: result gives each module's result ("success",
// "auth_err", "ignore" …). It reports whether the stack as a whole succeeds.
func Run(rules []Rule, result func(Rule) string) bool {
	const (
		undecided = iota
		positive
		negative
	)
	impression := undecided
	for i := 0; i < len(rules); i++ {
		r := rules[i]
		var action string
		if r.Sub != nil { // done and die end the substack only
			action = "bad"
			if Run(r.Sub, result) {
				action = "ok"
			}
		} else {
			res := result(r)
			var listed bool
			if action, listed = r.actions()[res]; !listed {
				action = r.actions()["default"]
			}
		}
		switch action {
		case "ignore":
		case "ok", "done":
			if impression == undecided {
				impression = positive
			}
			if action == "done" && impression == positive {
				return true
			}
		case "bad":
			impression = negative
		case "die":
			return false
		case "reset":
			impression = undecided
		default:
			n, err := strconv.Atoi(action)
			if err != nil || n <= 0 {
				impression = negative // a word PAM does not know
				continue
			}
			i += n
		}
	}
	return impression == positive
}
