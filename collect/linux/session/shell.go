package session

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/fact"
)

// Timeout is what start-up files do to TMOUT.
type Timeout struct {
	Seconds  int64
	Set      bool
	ReadOnly bool
	Unclear  string // an assignment that is not a number: its place
}

// shell plays the start-up files of everybody's shell in the order in which a
// login shell reads them.
func shell(l *collect.Look) []fact.Fact {
	fields := []string{"shell_timeout", "shell_timeout_readonly"}
	files, err := l.Glob("/etc/profile.d/*.sh")
	if err != nil {
		return failed(fields, err, l.Sources())
	}
	var t Timeout
	for _, p := range slices.Concat([]string{"/etc/environment", "/etc/profile"}, files, []string{"/etc/bash.bashrc", "/etc/bashrc"}) {
		b, _, err := etc.Optional(l, p)
		if err != nil {
			return failed(fields, err, l.Sources())
		}
		t.Read(p, b)
	}
	src := l.Sources()
	if t.Unclear != "" {
		return failed(fields, collect.Why("unknown: "+t.Unclear+" sets TMOUT to what the shell works out"), src)
	}
	after := collect.None(fields[0], "none: TMOUT is not set", src...)
	if t.Set && t.Seconds > 0 {
		after = collect.Saw(fields[0], time.Duration(t.Seconds)*time.Second, src...)
	}
	return []fact.Fact{after, collect.Saw(fields[1], t.Set && t.Seconds > 0 && t.ReadOnly, src...)}
}

// Read applies one file. Conditions are taken to hold; an assignment after the
// variable was made read-only has no effect.
func (t *Timeout) Read(file string, b []byte) {
	for i, line := range etc.Lines(b) {
		if !strings.Contains(line, "TMOUT") {
			continue
		}
		for _, words := range commands(line) {
			t.apply(words, fmt.Sprintf("%s:%d", file, i+1))
		}
	}
}

// commands splits a line into its simple commands, without the words that only
// build conditions and loops.
func commands(line string) [][]string {
	var out [][]string
	var now []string
	flush := func() {
		if len(now) > 0 {
			out = append(out, now)
		}
		now = nil
	}
	for _, w := range strings.Fields(strings.NewReplacer(";", " ; ", "&&", " ; ", "||", " ; ", "|", " ; ", "{", " ; ", "}", " ; ", "(", " ; ", ")", " ; ").Replace(line)) {
		if strings.HasPrefix(w, "#") {
			break
		}
		switch w {
		case ";":
			flush()
		case "if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!":
			flush()
		default:
			now = append(now, w)
		}
	}
	flush()
	return out
}

func (t *Timeout) apply(words []string, place string) {
	declares, readonly := true, false
	switch words[0] {
	case "export":
		words = words[1:]
	case "readonly":
		readonly, words = true, words[1:]
	case "declare", "typeset", "local":
		for words = words[1:]; len(words) > 0 && strings.HasPrefix(words[0], "-"); words = words[1:] {
			readonly = readonly || strings.Contains(words[0], "r")
		}
	case "unset":
		if slices.Contains(words, "TMOUT") && !t.ReadOnly {
			*t = Timeout{}
		}
		return
	default:
		declares = false
	}
	// Assignments in front of a command are for that command only.
	if !declares && slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(w, "=") }) {
		return
	}
	for _, w := range words {
		name, value, assigns := strings.Cut(w, "=")
		if name != "TMOUT" {
			continue
		}
		if assigns && !t.ReadOnly {
			t.assign(strings.Trim(value, `"'`), place)
		}
		t.ReadOnly = t.ReadOnly || readonly
	}
}

func (t *Timeout) assign(value, place string) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil {
		t.Unclear = place
		return
	}
	t.Set, t.Seconds, t.Unclear = true, n, ""
}
