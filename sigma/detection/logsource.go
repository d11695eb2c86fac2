package detection

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/event"
	"kakusho/sigma/document"
)

// categories are the public categories and the classes of event they mean. A class of
// log.events is a category of its own name.
var categories = map[string]Classes{
	"authentication":     ClassesOf(event.Login, event.Logout, event.LoginFailure),
	"process_creation":   ClassesOf(event.Process, event.Privilege),
	"antivirus":          ClassesOf(event.Malware),
	"firewall":           ClassesOf(event.Network),
	"network_connection": ClassesOf(event.Network),
	"dns":                ClassesOf(event.Network, event.Web),
	"dns_query":          ClassesOf(event.Network, event.Web),
	"proxy":              ClassesOf(event.Web),
	"webserver":          ClassesOf(event.Web),
	"file_event":         ClassesOf(event.File, event.Config),
	"file_access":        ClassesOf(event.File),
	"file_change":        ClassesOf(event.File, event.Config),
	"file_delete":        ClassesOf(event.File, event.Config),
	"file_rename":        ClassesOf(event.File, event.Config),
	"application":        0,
	"database":           0,
	"detection":          0,
	"edr":                0,
}

// programs are the public services that mean programs by other names.
var programs = map[string][]string{
	"auth":       {"sshd", "sshd-session", "sudo", "su", "login", "systemd-logind", "useradd", "userdel", "usermod", "groupadd", "passwd", "chpasswd", "polkitd", "gdm-password"},
	"sshd":       {"sshd", "sshd-session"},
	"cron":       {"cron", "crond", "anacron"},
	"auditd":     {"audit", "auditd", "audispd"},
	"syslog":     nil,
	"guacamole":  {"guacd"},
	"clamav":     {"clamd", "freshclam", "clamonacc"},
	"vsftpd":     {"vsftpd"},
	"postgresql": {"postgres", "postgresql"},
	"mariadb":    {"mariadbd", "mysqld"},
}

// logsource compiles what kind of source a rule is for: the classes, and a test of
// what more it asks, nil for none.
func (c *Compiler) logsource(d document.Document, n *yaml.Node, into *Classes) (Test, error) {
	var t Test
	found := false
	err := d.Pairs(n, func(k, v *yaml.Node) error {
		word := strings.ToLower(v.Value)
		switch k.Value {
		case "category":
			found = true
			set, ok := categories[word]
			if class := event.Class(strings.ReplaceAll(word, "_", "-")); class.Valid() {
				set, ok = ClassesOf(class), true
			}
			if !ok {
				return d.Fault(v, "logsource category %q: no class of event here means it", v.Value)
			}
			*into = set
		case "product":
			found = true
			p, err := c.product(d, v, word)
			if err != nil {
				return err
			}
			t = both(t, orTrue(p))
		case "service":
			found = true
			t = both(t, orTrue(c.service(word)))
		}
		return nil
	})
	if err == nil && !found {
		err = d.Fault(n, "a logsource names a category, a product or a service")
	}
	return t, err
}

func orTrue(t Test) Test {
	if t == nil {
		return func(*View) bool { return true }
	}
	return t
}

// windows sources say a channel, or a provider.
func (c *Compiler) windows() Test {
	channel, provider, id := c.Slot("Channel"), c.Slot("Provider_Name"), c.Slot("EventID")
	return func(v *View) bool {
		return v.Cell(channel).There || v.Cell(provider).There || v.Cell(id).There && v.e.Fields["EventID"] != ""
	}
}

func (c *Compiler) product(d document.Document, n *yaml.Node, word string) (Test, error) {
	switch word {
	case "kakusho", "":
		return nil, nil
	case "windows":
		return c.windows(), nil
	case "linux", "unix":
		return not(c.windows()), nil
	case "sql", "postgresql", "mysql", "mariadb", "apache", "nginx", "modsecurity", "bind", "squid", "openssh":
		return c.service(map[string]string{"apache": "apache2", "openssh": "sshd", "bind": "named"}[word], word), nil
	}
	return nil, d.Fault(n, "logsource product %q is not known here", n.Value)
}

// service asks for a program of one of these names; windows channels are asked by
// their last part.
func (c *Compiler) service(names ...string) Test {
	var want []string
	for _, name := range names {
		if p, ok := programs[name]; ok {
			if p == nil {
				return nil
			}
			want = append(want, p...)
		}
		if name != "" {
			want = append(want, name)
		}
	}
	program, channel, kind := c.Slot("program"), c.Slot("Channel"), c.Slot("type")
	audit := slices.Contains(want, "auditd")
	return func(v *View) bool {
		if s, ok := v.Folded(program); ok {
			s, _, _ = strings.Cut(s, "[")
			if slices.Contains(want, s[strings.LastIndexByte(s, '/')+1:]) {
				return true
			}
		}
		if s, ok := v.Folded(channel); ok {
			for _, w := range want {
				if s == w || strings.HasSuffix(s, "-"+w) || strings.HasSuffix(s, "/"+w) {
					return true
				}
			}
		}
		return audit && v.Cell(kind).There && strings.ToUpper(v.Cell(kind).Raw) == v.Cell(kind).Raw
	}
}
