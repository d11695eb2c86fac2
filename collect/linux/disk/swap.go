package disk

import (
	"path"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/mount"
	"kakusho/fact"
)

// Swap is one swap area in use.
type Swap struct {
	Path  string // of the device's node or of the file
	File  bool
	Bytes int64
}

// ParseSwaps reads /proc/swaps.
func ParseSwaps(b []byte) []Swap {
	var out []Swap
	for i, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if i == 0 || len(w) < 3 {
			continue
		}
		kb, err := strconv.ParseInt(w[2], 10, 64)
		if err != nil || kb < 0 || kb > 1<<50 {
			kb = 0
		}
		out = append(out, Swap{
			Path: strings.ReplaceAll(strings.TrimSuffix(w[0], `\040(deleted)`), `\040`, " "), File: w[1] == "file", Bytes: kb << 10,
		})
	}
	return out
}

// point is how lsblk, too, shows where a swap area is mounted.
const point = "[SWAP]"

func (b blocks) swaps() ([]any, error) {
	text, err := b.look.ReadFile("/proc/swaps")
	if err != nil {
		return nil, err
	}
	var out []any
	for _, sw := range ParseSwaps(text) {
		r := map[string]any{"device": sw.Path, "mount": point, "fs": "swap", "swap": true, "boot": false}
		b.swap(sw).fill(r)
		if sw.Bytes > 0 {
			r["bytes"] = sw.Bytes
		}
		out = append(out, r)
	}
	return out, nil
}

func (b blocks) swap(sw Swap) seal {
	if !sw.File {
		return b.walk(b.device("", sw.Path), 0)
	}
	m, ok := mount.Holding(b.mounts, sw.Path)
	if !ok {
		return seal{}
	}
	s := b.under(m, 0)
	if s.method == "fscrypt" || s.method == "ecryptfs" || s.method == "bcachefs" {
		// The kernel refuses swap files on these, or writes past the
		// encryption; none of them can vouch for one.
		return seal{disk: s.disk, removable: s.removable}
	}
	s.bytes = 0
	return s
}

// planned describes the volumes of a root that is not running and shows no
// /proc: what fstab would mount and crypttab would open. Only what is opened
// by crypttab is known to be encrypted; a file system named by its UUID may
// lie inside or outside an encrypted device.
func planned(l *collect.Look) fact.Fact {
	text, err := l.ReadFile("/etc/fstab")
	if err != nil {
		return collect.Failed("volumes", err)
	}
	crypts := map[string]string{}
	table, err := l.ReadFile("/etc/crypttab")
	if err != nil && !collect.Missing(err) {
		return collect.Failed("volumes", err)
	}
	for _, c := range ParseCrypttab(table) {
		crypts[c.Name] = c.Method
	}
	out := []any{}
	for _, m := range mount.ParseTable(text) {
		r := map[string]any{"device": m.Source, "mount": m.Point, "fs": m.FS, "swap": m.FS == "swap", "boot": boot(m.Point)}
		switch {
		case m.FS == "swap":
			r["mount"] = point
		case inMemory[m.FS]:
			r["memory"], r["encrypted"], r["removable"] = true, false, false
		case !strings.HasPrefix(m.Point, "/"), !strings.HasPrefix(m.Source, "/dev/") && !strings.Contains(m.Source, "="):
			continue // proc, NFS and the like
		}
		if method, ok := crypts[path.Base(m.Source)]; ok && strings.HasPrefix(m.Source, "/dev/mapper/") {
			r["encrypted"], r["memory"] = true, false
			if method != "" {
				r["method"] = method
			}
		}
		out = append(out, r)
	}
	return collect.Saw("volumes", out, l.Sources()...)
}

// Crypt is one line of crypttab.
type Crypt struct {
	Name, Device string
	Method       string // "": LUKS, of which version only its header tells
}

// ParseCrypttab reads /etc/crypttab.
func ParseCrypttab(b []byte) []Crypt {
	var out []Crypt
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Fields(line)
		if len(w) < 2 || strings.HasPrefix(w[0], "#") {
			continue
		}
		c := Crypt{Name: w[0], Device: w[1]}
		if len(w) > 2 && (w[2] == "/dev/urandom" || w[2] == "/dev/random") {
			c.Method = "plain" // a key that changes at every start cannot open a header
		}
		if len(w) > 3 {
			c.Method = option(strings.Split(w[3], ","), c.Method)
		}
		out = append(out, c)
	}
	return out
}

func option(options []string, method string) string {
	for _, o := range options {
		switch o {
		case "plain", "bitlk", "fvault2", "tcrypt":
			method = o
		case "tcrypt-veracrypt":
			method = "tcrypt"
		case "luks":
			method = ""
		}
	}
	return method
}
