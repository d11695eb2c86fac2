package disk

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/mount"
)

// seal is what is known about the storage below a volume.
type seal struct {
	known     bool // encrypted and memory can be told
	encrypted bool
	memory    bool
	method    string // luks2, luks1, plain, …; "" not encrypted or not told
	cipher    string
	disk      bool // removable can be told
	removable bool
	bytes     int64
}

// blocks walks the block devices of one host.
type blocks struct {
	look   *collect.Look
	mounts []mount.Mount
	live   bool
}

// deepest bounds every walk: devices stacked deeper are taken as unknown.
const deepest = 16

// under tells what is below a mount.
func (b blocks) under(m mount.Mount, depth int) seal {
	if depth > deepest {
		return seal{}
	}
	switch m.FS {
	case "ecryptfs":
		return ecryptfs(m)
	case "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs":
		return seal{known: true, encrypted: true, method: strings.TrimPrefix(m.FS, "fuse.")}
	case "zfs", "aufs", "9p", "virtiofs", "ubifs":
		return seal{} // nothing in the file tree tells
	case "overlay":
		return b.overlay(m, depth)
	case "btrfs":
		return b.btrfs(m, depth)
	}
	name := b.device(m.Device, m.Source)
	if name == "" {
		return seal{}
	}
	s := b.walk(name, depth+1)
	if s.known && !s.encrypted {
		b.within(m, name, &s)
	}
	return s
}

// within asks the file system itself when no device below encrypts.
func (b blocks) within(m mount.Mount, name string, s *seal) {
	if m.FS == "bcachefs" {
		*s = b.bcachefs(name, *s)
	}
	if b.live && policy(b.look, m) {
		s.encrypted, s.method = true, "fscrypt"
	}
}

// ecryptfs keeps each file encrypted in a folder of another file system.
func ecryptfs(m mount.Mount) seal {
	s := seal{known: true, encrypted: true, method: "ecryptfs"}
	s.cipher, _ = m.Option("ecryptfs_cipher")
	if n, ok := m.Option("ecryptfs_key_bytes"); ok {
		if bytes, err := strconv.Atoi(n); err == nil && s.cipher != "" {
			s.cipher += "-" + strconv.Itoa(8*bytes)
		}
	}
	return s
}

// overlay writes to its upper folder. A container sees that folder's name but
// not the folder, and then nothing can be said.
func (b blocks) overlay(m mount.Mount, depth int) seal {
	upper, ok := m.Option("upperdir")
	if !ok {
		return seal{}
	}
	if ok, err := b.look.Exists(upper); err != nil || !ok {
		return seal{}
	}
	up, ok := mount.Holding(b.mounts, upper)
	if !ok || up.Point == m.Point {
		return seal{}
	}
	return b.under(up, depth+1)
}

// btrfs can span devices, each of which must be encrypted.
func (b blocks) btrfs(m mount.Mount, depth int) seal {
	name := b.device("", m.Source)
	if name == "" {
		return seal{}
	}
	found, err := b.look.Glob("/sys/fs/btrfs/*/devices/" + name)
	if err != nil || len(found) == 0 {
		return b.walk(name, depth+1)
	}
	es, err := b.look.ReadDir(path.Dir(found[0]))
	if err != nil {
		return seal{}
	}
	var parts []seal
	for _, e := range es {
		parts = append(parts, b.walk(e.Name(), depth+1))
	}
	return join(parts)
}

// join is what can be said of data spread over several stores: encrypted only
// if all are, unknown if one is.
func join(parts []seal) seal {
	s := seal{known: len(parts) > 0, encrypted: true, memory: true, disk: len(parts) > 0}
	for i, p := range parts {
		s.known = s.known && p.known
		s.encrypted = s.encrypted && p.encrypted
		s.memory = s.memory && p.memory
		s.disk = s.disk && p.disk
		s.removable = s.removable || p.removable
		s.bytes += p.bytes
		if i == 0 || weaker(p.method, s.method) {
			s.method, s.cipher = p.method, p.cipher
		}
	}
	if !s.known || !s.encrypted {
		s.encrypted, s.method, s.cipher = false, "", ""
	}
	return s
}

// weaker orders methods so that of several the one to worry about is named.
func weaker(a, b string) bool { return a != b && (b == "luks2" || b == "luks1" && a != "luks2") }

// device finds the kernel's name ("dm-0", "sda2") of a device given by number
// or by its node's path; "" when it cannot be found.
func (b blocks) device(number, source string) string {
	if number != "" && !strings.HasPrefix(number, "0:") {
		if to, err := b.look.ReadLink("/sys/dev/block/" + number); err == nil {
			return path.Base(to)
		}
		for _, p := range b.glob("/sys/class/block/*/dev") {
			if n, err := b.look.ReadLine(p); err == nil && n == number {
				return path.Base(path.Dir(p))
			}
		}
	}
	if !strings.HasPrefix(source, "/dev/") {
		return ""
	}
	if mapped, ok := strings.CutPrefix(source, "/dev/mapper/"); ok {
		for _, p := range b.glob("/sys/class/block/*/dm/name") {
			if n, err := b.look.ReadLine(p); err == nil && n == mapped {
				return path.Base(path.Dir(path.Dir(p)))
			}
		}
	}
	if to, err := b.look.ReadLink(source); err == nil {
		source = to
	}
	name := path.Base(source)
	if b.dir(name) == "" {
		return ""
	}
	return name
}

func (b blocks) glob(pattern string) []string {
	ps, err := b.look.Glob(pattern)
	if err != nil {
		return nil // then the device stays unknown
	}
	return ps
}

// dir is the device's folder under /sys, "" when there is none.
func (b blocks) dir(name string) string {
	if name == "" || name == "." || name == "/" {
		return ""
	}
	for _, p := range []string{"/sys/class/block/" + name, "/sys/block/" + name} {
		if ok, err := b.look.Exists(p); err == nil && ok {
			return p
		}
	}
	if ps := b.glob("/sys/block/*/" + name); len(ps) > 0 {
		return ps[0]
	}
	return ""
}

// walk goes down from a device through the devices it is made of.
func (b blocks) walk(name string, depth int) seal {
	dir := b.dir(name)
	if dir == "" || depth > deepest {
		return seal{}
	}
	var s seal
	switch {
	case strings.HasPrefix(name, "zram"):
		s = b.zram(dir, depth)
	case strings.HasPrefix(name, "ram"):
		s = seal{known: true, memory: true, disk: true}
	case strings.HasPrefix(name, "loop"):
		s = b.loop(dir, depth)
	default:
		s = b.stacked(name, dir, depth)
	}
	if n, err := b.look.ReadLine(dir + "/size"); err == nil {
		if sectors, err := strconv.ParseInt(n, 10, 64); err == nil {
			s.bytes = sectors * 512
		}
	}
	return s
}

// stacked is a device-mapper, RAID or bcache device, or a disk at the bottom.
func (b blocks) stacked(name, dir string, depth int) seal {
	slaves, err := b.look.ReadDir(dir + "/slaves")
	if err != nil && !collect.Missing(err) {
		return seal{}
	}
	var parts []seal
	for _, e := range slaves {
		parts = append(parts, b.walk(e.Name(), depth+1))
	}
	s := join(parts)
	if len(parts) == 0 {
		s = b.bottom(name)
	}
	uuid, err := b.look.ReadLine(dir + "/dm/uuid")
	if err != nil && strings.HasPrefix(name, "dm-") {
		return seal{disk: s.disk, removable: s.removable} // which kind of mapping it is cannot be told
	}
	if method := crypt(uuid); method != "" {
		s.known, s.encrypted, s.memory, s.method, s.cipher = true, true, false, method, ""
		if len(slaves) == 1 {
			s.cipher = b.cipher(slaves[0].Name())
		}
	}
	return s
}

// crypt names the method of a dm-crypt mapping by the UUID its maker gave it,
// "" for other mappings: dm-verity and dm-integrity also begin with CRYPT- but
// hide nothing.
func crypt(uuid string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(uuid, "CRYPT-"), "-")
	switch {
	case !strings.HasPrefix(uuid, "CRYPT-"), kind == "VERITY", kind == "INTEGRITY", kind == "SUBDEV":
		return ""
	}
	return strings.ToLower(kind) // luks2, luks1, plain, bitlk, tcrypt, fvault2, loopaes
}

// zram lies in memory, unless pages are written back to a device.
func (b blocks) zram(dir string, depth int) seal {
	back, err := b.look.ReadLine(dir + "/backing_dev")
	if err == nil && back != "none" && back != "" {
		return b.walk(path.Base(back), depth+1)
	}
	return seal{known: true, memory: true, disk: true}
}

// loop is as safe as the file system that holds its file.
func (b blocks) loop(dir string, depth int) seal {
	file, err := b.look.ReadLine(dir + "/loop/backing_file")
	if err != nil {
		return seal{}
	}
	file = strings.TrimSuffix(file, " (deleted)")
	m, ok := mount.Holding(b.mounts, file)
	if !ok {
		return seal{}
	}
	if inMemory[m.FS] {
		return seal{known: true, memory: true, disk: true}
	}
	return b.under(m, depth+1)
}

// bottom is a disk or a part of one.
func (b blocks) bottom(name string) seal {
	whole := name
	if ps := b.glob("/sys/block/*/" + name); len(ps) > 0 {
		whole = path.Base(path.Dir(ps[0]))
	}
	s := seal{known: true}
	n, err := b.look.ReadLine("/sys/block/" + whole + "/removable")
	if err != nil {
		return s
	}
	s.disk, s.removable = true, n == "1"
	// A disk behind USB says it is not removable, though its plug is; a card
	// reader on the board likewise.
	if to, err := b.look.ReadLink("/sys/block/" + whole); err == nil && strings.Contains(to, "/usb") {
		s.removable = true
	}
	if kind, err := b.look.ReadLine("/sys/block/" + whole + "/device/type"); err == nil && kind == "SD" {
		s.removable = true
	}
	return s
}

// Open files of block devices can be read at a place.
type readerAt interface {
	fs.File
	ReadAt(p []byte, off int64) (int, error)
}

// node opens a device's node under /dev.
func (b blocks) node(name string) (readerAt, error) {
	f, err := b.look.Open("/dev/" + strings.ReplaceAll(name, "!", "/"))
	if err != nil {
		return nil, err
	}
	at, ok := f.(readerAt)
	if !ok {
		f.Close()
		return nil, fs.ErrInvalid
	}
	return at, nil
}
