// Package dconf reads what a Linux host's administrator sets for GNOME and its
// kin: the databases a profile names, what in them users may not change, and the
// defaults the schemas are given. A user's own choices are not read.
package dconf

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
)

// Settings are the layers of a profile, the strongest first, over the defaults.
type Settings struct {
	layers   []layer
	defaults map[string]string
}

type layer struct {
	values map[string]string
	locks  map[string]bool
}

// Load reads a profile ("user", "gdm"). A host without one has no databases
// beside the users' own.
func Load(l *collect.Look, profile string) (*Settings, error) {
	s := &Settings{}
	var err error
	if s.defaults, err = overrides(l); err != nil {
		return nil, err
	}
	for _, dir := range []string{"/etc/dconf/profile", "/usr/local/share/dconf/profile", "/usr/share/dconf/profile"} {
		b, there, err := etc.Optional(l, path.Join(dir, profile))
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		for _, db := range ParseProfile(b) {
			y, err := load(l, path.Join("/etc/dconf/db", db))
			if err != nil {
				return nil, err
			}
			s.layers = append(s.layers, y)
		}
		break
	}
	return s, nil
}

// ParseProfile lists the system databases of a profile in order.
func ParseProfile(b []byte) []string {
	var out []string
	for _, line := range etc.Lines(b) {
		line, _, _ = strings.Cut(line, "#")
		if db, ok := strings.CutPrefix(strings.TrimSpace(line), "system-db:"); ok && db != "" && !strings.Contains(db, "/") {
			out = append(out, db)
		}
	}
	return out
}

// load reads a database's sources. Programs read the compiled file: without it
// the sources do nothing, and if they are newer it cannot be told what it holds.
func load(l *collect.Look, db string) (layer, error) {
	y := layer{map[string]string{}, map[string]bool{}}
	compiled, err := l.Stat(db)
	if collect.Missing(err) {
		return y, nil
	}
	if err != nil {
		return y, err
	}
	for _, dir := range []string{db + ".d", db + ".d/locks"} {
		es, err := l.ReadDir(dir)
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return y, err
		}
		for _, e := range es {
			p := path.Join(dir, e.Name())
			if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			fi, err := l.Stat(p)
			if err != nil {
				return y, err
			}
			if fi.ModTime().After(compiled.ModTime().Add(time.Second)) {
				return y, collect.Why("stale: " + p + " is newer than " + db + ", which dconf update makes")
			}
			b, err := l.ReadFile(p)
			if err != nil {
				return y, err
			}
			if strings.HasSuffix(dir, "/locks") {
				for _, k := range ParseLocks(b) {
					y.locks[k] = true
				}
				continue
			}
			for k, v := range ParseKeyfile(b) {
				y.values[k] = v
			}
		}
	}
	return y, nil
}

// ParseKeyfile reads "[org/gnome/desktop/session]" and "idle-delay=uint32 300"
// into "/org/gnome/desktop/session/idle-delay".
func ParseKeyfile(b []byte) map[string]string {
	out := map[string]string{}
	for _, e := range etc.INI(b) {
		section := strings.Trim(e.Section, "/")
		if section == "" {
			out["/"+e.Key] = e.Value
			continue
		}
		out["/"+section+"/"+e.Key] = e.Value
	}
	return out
}

// ParseLocks reads one key a line.
func ParseLocks(b []byte) []string {
	var out []string
	for _, line := range etc.Lines(b) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "/") {
			out = append(out, line)
		}
	}
	return out
}

// overrides reads the schema defaults that makers and administrators change; a
// later file overrides. Those for one desktop are taken for all.
func overrides(l *collect.Look) (map[string]string, error) {
	out := map[string]string{}
	files, err := l.Glob("/usr/share/glib-2.0/schemas/*.gschema.override")
	if err != nil {
		return nil, err
	}
	for _, p := range files {
		b, err := l.ReadFile(p)
		if err != nil {
			return nil, err
		}
		for _, e := range etc.INI(b) {
			schema, _, _ := strings.Cut(e.Section, ":")
			out["/"+strings.ReplaceAll(schema, ".", "/")+"/"+e.Key] = e.Value
		}
	}
	return out, nil
}

// Get is what applies to a user without choices of their own.
func (s *Settings) Get(key string) (string, bool) {
	from := 0
	for i, y := range s.layers { // what lies above a lock is not heard
		if y.locks[key] {
			from = i
		}
	}
	for _, y := range s.layers[min(from, len(s.layers)):] {
		if v, ok := y.values[key]; ok {
			return v, true
		}
	}
	v, ok := s.defaults[key]
	return v, ok
}

// Locked reports that users cannot change a key.
func (s *Settings) Locked(key string) bool {
	for _, y := range s.layers {
		if y.locks[key] {
			return true
		}
	}
	return false
}

// Bool and Number read a value in the notation of GVariant.
func (s *Settings) Bool(key string, otherwise bool) (bool, error) {
	v, ok := s.Get(key)
	if !ok {
		return otherwise, nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		return false, collect.Why(fmt.Sprintf("malformed: %s is %q", key, v))
	}
	return b, nil
}

// Number: see Bool.
func (s *Settings) Number(key string, otherwise int64) (int64, error) {
	v, ok := s.Get(key)
	if !ok {
		return otherwise, nil
	}
	w := strings.Fields(v)
	if len(w) == 2 && (w[0] == "uint32" || w[0] == "int32" || w[0] == "uint64" || w[0] == "int64") {
		w = w[1:]
	}
	if len(w) == 1 {
		if n, err := strconv.ParseInt(w[0], 0, 32); err == nil {
			return n, nil
		}
	}
	return 0, collect.Why(fmt.Sprintf("malformed: %s is %q", key, v))
}

// Text reads a quoted string.
func (s *Settings) Text(key string) string {
	v, _ := s.Get(key)
	if len(v) > 1 && (v[0] == '\'' || v[0] == '"') && v[len(v)-1] == v[0] {
		return strings.NewReplacer(`\n`, "\n", `\'`, "'", `\"`, `"`, `\\`, `\`).Replace(v[1 : len(v)-1])
	}
	return v
}
