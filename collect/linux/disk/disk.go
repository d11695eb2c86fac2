// Package disk tells where a host keeps data and whether it is encrypted there.
//
// A volume is a mounted file system or a swap area. It is encrypted when every
// path from it down to the disks passes through dm-crypt, or when the file
// system itself encrypts (eCryptfs, bcachefs, fscrypt at the mount point). What
// cannot be told, as for ZFS or the overlay a container lives in, is left out of
// the record, so that it reads as unknown.
//
// Known holes: disks that encrypt themselves (OPAL) look unencrypted, since they
// show nothing to the host; a disk that is attached but neither mounted nor
// used as swap is not listed; file systems kept on another machine (NFS, CIFS)
// are not this machine's storage and are left out.
package disk

import (
	"context"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/mount"
	"kakusho/fact"
)

// Collector brings the group disk.
func Collector() collect.Collector {
	return collect.Collector{Group: "disk", Version: "1", Collect: func(_ context.Context, h collect.Host) []fact.Fact {
		return []fact.Fact{volumes(h)}
	}}
}

func volumes(h collect.Host) fact.Fact {
	l := h.Look()
	ms, err := mount.Read(l)
	if collect.Missing(err) && !h.Live {
		return planned(l)
	}
	if err != nil {
		return collect.Failed("volumes", err)
	}
	ms = mount.Visible(ms)
	b := blocks{look: l, mounts: ms, live: h.Live}
	var records []any
	for _, m := range once(ms) {
		if r := b.volume(m); r != nil {
			records = append(records, r)
		}
	}
	swaps, err := b.swaps()
	if err != nil {
		_, reason := collect.Status(err)
		return fact.Fact{Field: "volumes", Status: fact.Truncated, Reason: reason, Value: records, Source: l.Sources()}
	}
	return collect.Saw("volumes", append(records, swaps...), sources(l)...)
}

// sources leaves out the many small files of /sys that were passed on the way
// and names the tree instead.
func sources(l *collect.Look) []fact.Source {
	var out []fact.Source
	sys := false
	for _, s := range l.Sources() {
		if s.Kind != "sys" {
			out = append(out, s)
			continue
		}
		if !sys {
			out = append(out, fact.Source{Kind: "sys", Ref: "/sys/class/block"})
		}
		sys = true
	}
	return out
}

// once leaves out further mounts of what is already listed: the same part of
// the same file system elsewhere, and parts of one that is mounted whole. Each
// btrfs subvolume stays, because people know them as volumes.
func once(ms []mount.Mount) []mount.Mount {
	whole := map[string]bool{}
	for _, m := range ms {
		whole[m.Device] = whole[m.Device] || m.Root == "/"
	}
	seen := map[string]bool{}
	var out []mount.Mount
	for _, m := range ms {
		key := m.Device
		if m.FS == "btrfs" {
			key += m.Root
		} else if whole[m.Device] && m.Root != "/" {
			continue
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, m)
	}
	return out
}

// File systems that keep data in memory, and those without a block device of
// their own that keep data on this machine, or on a disk somebody lends it.
var (
	inMemory = map[string]bool{"tmpfs": true, "ramfs": true}
	ownData  = map[string]bool{
		"btrfs": true, "zfs": true, "bcachefs": true, "overlay": true, "aufs": true, "9p": true, "virtiofs": true,
		"ecryptfs": true, "fuse.gocryptfs": true, "fuse.encfs": true, "fuse.cryfs": true, "ubifs": true,
	}
)

// volume describes a mount, or returns nil for one that keeps no data here.
func (b blocks) volume(m mount.Mount) map[string]any {
	switch {
	case inMemory[m.FS]:
		return map[string]any{"device": m.Source, "mount": m.Point, "fs": m.FS, "encrypted": false,
			"swap": false, "boot": false, "removable": false, "memory": true}
	case !ownData[m.FS] && !strings.HasPrefix(m.Source, "/dev/") && strings.HasPrefix(m.Device, "0:"):
		return nil
	case m.FS == "devtmpfs":
		return nil
	}
	s := b.under(m, 0)
	if m.FS == "overlay" && s.known {
		return nil // says nothing that its upper file system's own record does not
	}
	r := map[string]any{"device": m.Source, "mount": m.Point, "fs": m.FS, "swap": false, "boot": boot(m.Point)}
	s.fill(r)
	return r
}

// boot reports whether firmware or boot loader must read the place, which is
// why it may stay in clear text.
func boot(point string) bool {
	return mount.Under(point, "/boot") || mount.Under(point, "/efi")
}

// fill puts what is known into a record.
func (s seal) fill(r map[string]any) {
	if s.known {
		r["encrypted"] = s.encrypted
		r["memory"] = s.memory
	}
	if s.method != "" {
		r["method"] = s.method
	}
	if s.cipher != "" {
		r["cipher"] = s.cipher
	}
	if s.disk {
		r["removable"] = s.removable
	}
	if s.bytes > 0 {
		r["bytes"] = s.bytes
	}
}
