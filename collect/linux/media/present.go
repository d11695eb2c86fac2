package media

import (
	"path"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/mount"
	"kakusho/fact"
)

// present lists removable media now in the host: disks that say so, disks
// behind USB and SD cards. An optical drive counts when a disc is mounted.
func present(h collect.Host) fact.Fact {
	const field = "removable_media"
	l := h.Look()
	es, err := l.ReadDir("/sys/block")
	if err != nil {
		return collect.Failed(field, err)
	}
	ms, err := mounts(l)
	if err != nil {
		return collect.Failed(field, err)
	}
	out := []any{}
	for _, e := range es {
		if r := medium(l, ms, e.Name()); r != nil {
			out = append(out, r)
		}
	}
	return collect.Saw(field, out, fact.Source{Kind: "sys", Ref: "/sys/block"})
}

func medium(l *collect.Look, ms []mount.Mount, name string) map[string]any {
	dir := "/sys/block/" + name
	line := func(p string) string {
		s, err := l.ReadLine(p)
		if err != nil {
			return ""
		}
		return s
	}
	link, err := l.ReadLink(dir)
	usb := err == nil && strings.Contains(link, "/usb")
	sd := line(dir+"/device/type") == "SD"
	if line(dir+"/removable") != "1" && !usb && !sd {
		return nil
	}
	points, readOnly := mounted(l, ms, name)
	if size := line(dir + "/size"); size == "0" || size == "" || strings.HasPrefix(name, "sr") && len(points) == 0 {
		return nil // an empty slot
	}
	r := map[string]any{"device": "/dev/" + strings.ReplaceAll(name, "!", "/"), "mount": strings.Join(points, " ")}
	r["writable"] = line(dir+"/ro") != "1" && !(readOnly && len(points) > 0)
	for key, p := range map[string]string{"vendor": "/device/vendor", "model": "/device/model", "serial": "/device/serial"} {
		if s := line(dir + p); s != "" {
			r[key] = s
		}
	}
	if usb {
		identify(l, link, r)
	}
	return r
}

// mounted lists where a disk or its partitions are mounted, and whether all of
// them read-only.
func mounted(l *collect.Look, ms []mount.Mount, name string) (points []string, readOnly bool) {
	readOnly = true
	for _, m := range mount.Visible(ms) {
		base, ok := strings.CutPrefix(m.Source, "/dev/")
		if !ok {
			continue
		}
		if base != name {
			if ok, err := l.Exists("/sys/block/" + name + "/" + path.Base(base)); err != nil || !ok {
				continue
			}
		}
		points = append(points, m.Point)
		_, ro := m.Option("ro")
		readOnly = readOnly && ro
	}
	return points, readOnly
}

// identify reads what the USB device says of itself, from the nearest folder
// above the disk that has an ID.
func identify(l *collect.Look, link string, r map[string]any) {
	dir := path.Join("/sys/block", link)
	for ; strings.Contains(dir, "/usb"); dir = path.Dir(dir) {
		if ok, err := l.Exists(dir + "/idVendor"); err == nil && ok {
			break
		}
	}
	for key, file := range map[string]string{"vendor": "manufacturer", "model": "product", "serial": "serial"} {
		if s, err := l.ReadLine(dir + "/" + file); err == nil && s != "" {
			r[key] = s
		}
	}
}
