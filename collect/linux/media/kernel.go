package media

import (
	"fmt"
	"path"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/dropin"
	"kakusho/collect/linux/service"
)

// Folders of modprobe and of udev, nearest first.
var (
	modprobeDirs = []string{"/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"}
	udevDirs     = []string{"/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d"}
)

// modules blocks when the storage driver is not in the kernel and cannot get
// there: it does not exist, or modprobe is told not to load it.
func modules(l *collect.Look, _ *service.Table) (rule, error) {
	there, err := l.Exists("/sys/module/usb_storage")
	if err != nil || there {
		return rule{}, err
	}
	release, err := l.ReadLine("/proc/sys/kernel/osrelease")
	if err == nil && release != "" {
		dir := "/lib/modules/" + path.Base(release)
		dep, derr := l.ReadFile(dir + "/modules.dep")
		built, berr := l.ReadFile(dir + "/modules.builtin")
		switch {
		case derr != nil || berr != nil: // a kernel of unknown make
		case strings.Contains(string(built), "/usb-storage.ko"):
			return rule{}, nil // in the kernel for good: nothing to hold back
		case !strings.Contains(string(dep), "/usb-storage.ko"):
			return rule{blocked, "kernel: no usb-storage driver in " + dir}, nil
		}
	}
	files, err := dropin.Files(l, ".conf", modprobeDirs...)
	if err != nil {
		return rule{}, err
	}
	var m Modprobe
	for _, p := range files {
		b, err := l.ReadFile(p)
		if err != nil {
			return rule{}, err
		}
		m.Parse(p, b)
	}
	return rule{blocked, m.Blocks()}, nil
}

// Modprobe gathers what modprobe is told about USB storage, file after file.
type Modprobe struct {
	install   string
	blacklist map[string]string
}

// Parse reads one file.
func (m *Modprobe) Parse(file string, b []byte) {
	if m.blacklist == nil {
		m.blacklist = map[string]string{}
	}
	for i, line := range strings.Split(strings.ReplaceAll(string(b), "\\\n", " "), "\n") {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		place := fmt.Sprintf("modprobe: %s:%d", file, i+1)
		name := strings.ReplaceAll(w[1], "-", "_")
		switch {
		case w[0] == "blacklist" && m.blacklist[name] == "":
			m.blacklist[name] = place
		case w[0] == "install" && name == "usb_storage" && len(w) > 2 && m.install == "":
			if base := path.Base(w[2]); base == "true" || base == "false" {
				m.install = place
			}
		}
	}
}

// Blocks is the place that keeps storage out, "" when it gets in. A blacklist
// keeps the driver from loading for a device, but not from loading with uas,
// which needs it: both must be on it. An install line is never passed by.
func (m *Modprobe) Blocks() string {
	switch {
	case m.install != "":
		return m.install
	case m.blacklist["usb_storage"] != "" && m.blacklist["uas"] != "":
		return m.blacklist["usb_storage"]
	}
	return ""
}

func udev(l *collect.Look, _ *service.Table) (rule, error) {
	files, err := dropin.Files(l, ".rules", udevDirs...)
	if err != nil {
		return rule{}, err
	}
	deny, allow := "", false
	for _, p := range files {
		b, err := l.ReadFile(p)
		if err != nil {
			return rule{}, err
		}
		d, a := ParseUdev(b)
		if d > 0 && deny == "" {
			deny = fmt.Sprintf("udev: %s:%d", p, d)
		}
		allow = allow || a
	}
	if deny != "" && allow {
		return rule{allowList, deny}, nil
	}
	return rule{blocked, deny}, nil
}

// ParseUdev finds rules about authorisation in a rules file: the line of the
// first that takes it from USB storage whatever its make (0: none), and whether
// one gives it to devices of a given make or serial number.
func ParseUdev(b []byte) (deny int, allow bool) {
	text := strings.ReplaceAll(string(b), "\\\n", "  ")
	for i, line := range strings.Split(text, "\n") {
		line = strings.ReplaceAll(strings.TrimSpace(line), " ", "")
		if strings.HasPrefix(line, "#") {
			continue
		}
		named := strings.Contains(line, "{idVendor}==") || strings.Contains(line, "{idProduct}==") || strings.Contains(line, "{serial}==")
		switch {
		case strings.Contains(line, `{authorized}="1"`):
			allow = allow || named
		case !strings.Contains(line, `{authorized}="0"`) && !strings.Contains(line, `{authorized_default}="0"`), named, deny > 0:
		case !strings.Contains(line, `{bInterfaceClass}==`), strings.Contains(line, `{bInterfaceClass}=="08"`):
			deny = i + 1
		}
	}
	return deny, allow
}
