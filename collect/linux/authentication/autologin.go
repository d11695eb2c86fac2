package authentication

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
	"kakusho/fact"
)

// login is one account that gets in without asking.
type login struct{ service, user, place string }

func autologinFact(l *collect.Look) fact.Fact {
	const field = "autologins"
	var all []login
	for _, find := range []func(*collect.Look) ([]login, error){desktops, getties, inittab} {
		found, err := find(l)
		if err != nil {
			return collect.Failed(field, err, l.Sources()...)
		}
		all = append(all, found...)
	}
	rows := make([]any, len(all))
	for i, a := range all {
		rows[i] = map[string]any{"service": a.service, "user": a.user, "place": a.place}
	}
	return collect.Saw(field, rows, l.Sources()...)
}

// manager is a display manager's configuration: the files in the order in which
// they override each other, and what in them logs somebody in.
type manager struct {
	name  string
	globs []string
	find  func(set map[string]setting) []login
}

type setting struct{ value, place string }

// managers are read whether or not they are installed: a file left behind works
// again the day its program is.
func managers() []manager {
	return []manager{
		{"gdm", []string{"/etc/gdm3/custom.conf"}, gdm}, {"gdm", []string{"/etc/gdm3/daemon.conf"}, gdm}, {"gdm", []string{"/etc/gdm/custom.conf"}, gdm},
		{"lightdm", []string{"/usr/share/lightdm/lightdm.conf.d/*.conf", "/etc/xdg/lightdm/lightdm.conf.d/*.conf", "/etc/lightdm/lightdm.conf.d/*.conf", "/etc/lightdm/lightdm.conf"}, lightdm},
		{"sddm", []string{"/usr/lib/sddm/sddm.conf.d/*.conf", "/etc/sddm.conf.d/*.conf", "/etc/sddm.conf"}, named("sddm", "Autologin", "User")},
		{"lxdm", []string{"/etc/lxdm/lxdm.conf"}, named("lxdm", "base", "autologin")},
		{"kdm", []string{"/etc/kde*/kdm/kdmrc", "/etc/kdm/kdmrc", "/usr/share/config/kdm/kdmrc"}, kdm},
		{"greetd", []string{"/etc/greetd/config.toml"}, named("greetd", "initial_session", "user")},
	}
}

func desktops(l *collect.Look) ([]login, error) {
	var out []login
	for _, m := range managers() {
		set := map[string]setting{}
		for _, g := range m.globs {
			files, err := l.Glob(g)
			if err != nil {
				return nil, err
			}
			for _, p := range files {
				b, _, err := etc.Optional(l, p)
				if err != nil {
					return nil, err
				}
				merge(set, p, b)
			}
		}
		out = append(out, m.find(set)...)
	}
	return out, nil
}

func merge(set map[string]setting, file string, b []byte) {
	for _, e := range etc.INI(b) {
		set[strings.ToLower(e.Section+"/"+e.Key)] = setting{strings.Trim(e.Value, `"'`), fmt.Sprintf("%s:%d", file, e.Line)}
	}
}

func on(s string) bool {
	return slices.Contains([]string{"true", "1", "yes", "on"}, strings.ToLower(s))
}

func gdm(set map[string]setting) (out []login) {
	for _, kind := range []string{"automatic", "timed"} {
		user := set["daemon/"+kind+"login"]
		if on(set["daemon/"+kind+"loginenable"].value) && user.value != "" {
			out = append(out, login{"gdm", user.value, user.place})
		}
	}
	return out
}

func lightdm(set map[string]setting) (out []login) {
	for key, s := range set {
		section, k, _ := strings.Cut(key, "/")
		if !strings.HasPrefix(section, "seat") {
			continue
		}
		switch {
		case k == "autologin-user" && s.value != "":
			out = append(out, login{"lightdm", s.value, s.place})
		case k == "autologin-guest" && on(s.value):
			out = append(out, login{"lightdm", "(guest)", s.place})
		}
	}
	slices.SortFunc(out, func(a, b login) int { return strings.Compare(a.place, b.place) })
	return out
}

func kdm(set map[string]setting) (out []login) {
	for key, s := range set {
		section, k, _ := strings.Cut(key, "/")
		if k == "autologinuser" && s.value != "" && on(set[section+"/autologinenable"].value) {
			out = append(out, login{"kdm", s.value, s.place})
		}
	}
	slices.SortFunc(out, func(a, b login) int { return strings.Compare(a.place, b.place) })
	return out
}

func named(service, section, key string) func(map[string]setting) []login {
	return func(set map[string]setting) []login {
		if s := set[strings.ToLower(section+"/"+key)]; s.value != "" {
			return []login{{service, s.value, s.place}}
		}
		return nil
	}
}

// unitDirs are systemd's folders, the stronger first.
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

var ttyUnit = regexp.MustCompile(`^((?:serial-|container-)?getty@[^/]*|autovt@[^/]*|console-getty)\.service(\.d)?$`)

// getties finds terminals whose unit starts the session of an account.
func getties(l *collect.Look) ([]login, error) {
	units := map[string]bool{}
	for _, dir := range unitDirs {
		es, err := l.ReadDir(dir)
		if err != nil && !collect.Missing(err) {
			return nil, err
		}
		for _, e := range es {
			if m := ttyUnit.FindStringSubmatch(e.Name()); m != nil {
				units[m[1]+".service"] = true
			}
		}
	}
	names := make([]string, 0, len(units))
	for u := range units {
		names = append(names, u)
	}
	slices.Sort(names)
	var out []login
	seen := map[string]bool{}
	for _, u := range names {
		found, err := unitLogins(l, u)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			if !seen[a.place] { // an instance inherits its template's lines
				out = append(out, a)
			}
			seen[a.place] = true
		}
	}
	return out, nil
}

// unitLogins reads a unit and its drop-ins as systemd merges them: an empty
// ExecStart= forgets the ones before.
func unitLogins(l *collect.Look, unit string) ([]login, error) {
	template := unit
	if i := strings.IndexByte(unit, '@'); i >= 0 {
		template = unit[:i+1] + ".service"
	}
	files, err := fragments(l, unit, template)
	if err != nil {
		return nil, err
	}
	var out []login
	for _, p := range files {
		b, _, err := etc.Optional(l, p)
		if err != nil {
			return nil, err
		}
		for _, e := range etc.INI(b) {
			if e.Section != "Service" || e.Key != "ExecStart" {
				continue
			}
			if e.Value == "" {
				out = nil
			} else if user := Autologin(e.Value); user != "" {
				out = append(out, login{"getty", user, fmt.Sprintf("%s:%d", p, e.Line)})
			}
		}
	}
	return out, nil
}

func fragments(l *collect.Look, unit, template string) ([]string, error) {
	var out []string
	for _, name := range []string{unit, template} {
		for _, dir := range unitDirs {
			p := path.Join(dir, name)
			if link, err := l.ReadLink(p); err == nil && link == "/dev/null" {
				return nil, nil // masked
			}
			there, err := l.Exists(p)
			if err != nil {
				return nil, err
			}
			if there && len(out) == 0 {
				out = append(out, p)
			}
		}
	}
	var dirs []string
	for _, dir := range unitDirs {
		dirs = append(dirs, path.Join(dir, unit+".d"))
		if template != unit {
			dirs = append(dirs, path.Join(dir, template+".d"))
		}
	}
	dropins, err := etc.DropIns(l, ".conf", dirs...)
	return append(out, dropins...), err
}

// Autologin finds the account that a getty's command line logs in: its
// --autologin or -a, or the -f of a login program.
func Autologin(command string) string {
	words := strings.Fields(command)
	if len(words) == 0 {
		return ""
	}
	isLogin := strings.HasSuffix(strings.TrimLeft(words[0], "-@+!:"), "/login")
	for i, w := range words[1:] {
		next := ""
		if i+2 < len(words) {
			next = strings.Trim(words[i+2], `'"`)
		}
		quoted := strings.HasPrefix(w, `'`) || strings.HasPrefix(w, `"`)
		w = strings.Trim(w, `'"`)
		switch {
		case w == "--autologin", w == "-a":
			return next
		case strings.HasPrefix(w, "--autologin="):
			return strings.TrimPrefix(w, "--autologin=")
		case strings.HasPrefix(w, "-a") && !strings.HasPrefix(w, "--") && len(w) > 2:
			return w[2:]
		case strings.HasSuffix(w, "/login"):
			isLogin = true
		case w == "-f" && (isLogin || quoted): // quoted: agetty's options for login
			return next
		}
	}
	return ""
}

// inittab reads the terminals of System V's init.
func inittab(l *collect.Look) ([]login, error) {
	const file = "/etc/inittab"
	b, _, err := etc.Optional(l, file)
	if err != nil {
		return nil, err
	}
	var out []login
	for i, line := range etc.Lines(b) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 4)
		if len(f) != 4 || strings.HasPrefix(f[0], "#") || f[2] == "off" {
			continue
		}
		if user := Autologin(f[3]); user != "" {
			out = append(out, login{"getty", user, fmt.Sprintf("%s:%d", file, i+1)})
		}
	}
	return out, nil
}
