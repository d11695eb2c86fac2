package disk

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"kakusho/collect"
	"kakusho/collect/linux/mount"
)

// Header is what a LUKS header says about the encryption.
type Header struct {
	Version int
	Cipher  string // "aes-xts-plain64"
	Bits    int    // of the volume key; 0: not told
}

const (
	luks1Size = 592
	luks2Size = 4096
	luks2Most = 4 << 20 // the largest header area the format allows
)

// ParseHeader reads a LUKS1 or LUKS2 header from the beginning of a device. Of
// LUKS2 the JSON area, which follows the first 4,096 bytes, must be included.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < 8 || !bytes.Equal(b[:6], []byte("LUKS\xba\xbe")) {
		return Header{}, errors.New("no LUKS header")
	}
	switch v := binary.BigEndian.Uint16(b[6:]); v {
	case 1:
		if len(b) < luks1Size {
			return Header{}, errors.New("LUKS1 header: cut")
		}
		bits := binary.BigEndian.Uint32(b[108:])
		if bits > 1024 {
			return Header{}, fmt.Errorf("LUKS1 header: key of %d bytes", bits)
		}
		return Header{1, text(b[8:40]) + "-" + text(b[40:72]), int(bits) * 8}, nil
	case 2:
		return parseLUKS2(b)
	default:
		return Header{}, fmt.Errorf("LUKS header: version %d", v)
	}
}

func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

func parseLUKS2(b []byte) (Header, error) {
	if len(b) <= luks2Size {
		return Header{}, errors.New("LUKS2 header: cut")
	}
	area, _, _ := bytes.Cut(b[luks2Size:], []byte{0})
	var meta struct {
		Segments map[string]struct{ Type, Encryption string }
		Keyslots map[string]struct {
			KeySize int `json:"key_size"`
		}
	}
	if err := json.Unmarshal(area, &meta); err != nil {
		return Header{}, fmt.Errorf("LUKS2 header: %w", err)
	}
	h := Header{Version: 2}
	for _, k := range sorted(meta.Segments) {
		if s := meta.Segments[k]; strings.HasSuffix(s.Type, "crypt") { // crypt, hw-opal-crypt
			h.Cipher = s.Encryption
			break
		}
	}
	if h.Cipher == "" {
		return Header{}, errors.New("LUKS2 header: no encrypted segment")
	}
	for _, k := range sorted(meta.Keyslots) {
		if n := meta.Keyslots[k].KeySize; n > 0 && n <= 1024 {
			h.Bits = 8 * n
			break
		}
	}
	return h, nil
}

func sorted[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// cipher reads the LUKS header on a device; "" when it may not be read or is
// kept elsewhere.
func (b blocks) cipher(name string) string {
	f, err := b.node(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, luks2Size)
	if n, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) || n < 16 {
		return ""
	}
	if bytes.HasPrefix(head, []byte("LUKS\xba\xbe\x00\x02")) {
		size := binary.BigEndian.Uint64(head[8:])
		if size <= luks2Size || size > luks2Most {
			return ""
		}
		area := make([]byte, size-luks2Size)
		n, err := f.ReadAt(area, luks2Size)
		if err != nil && !errors.Is(err, io.EOF) {
			return ""
		}
		head = append(head, area[:n]...)
	}
	h, err := ParseHeader(head)
	if err != nil {
		return ""
	}
	return h.Cipher
}

// The UUIDs that mark a bcachefs superblock: its own and, before 2023, bcache's.
const (
	bcachefsMagic = "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"
	bcacheMagic   = "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"
)

// ParseBcachefs reads from the start of a bcachefs superblock (byte 4,096 of
// the device) whether data and metadata are encrypted.
func ParseBcachefs(b []byte) (encrypted bool, err error) {
	const flags1 = 152
	if len(b) < flags1+8 || string(b[24:40]) != bcachefsMagic && string(b[24:40]) != bcacheMagic {
		return false, errors.New("no bcachefs superblock")
	}
	return binary.LittleEndian.Uint64(b[flags1:])>>10&0xf != 0, nil
}

func (b blocks) bcachefs(name string, s seal) seal {
	f, err := b.node(name)
	if err != nil {
		return seal{}
	}
	defer f.Close()
	super := make([]byte, 512)
	if _, err := f.ReadAt(super, 4096); err != nil {
		return seal{}
	}
	encrypted, err := ParseBcachefs(super)
	if err != nil {
		return seal{}
	}
	if s.encrypted = encrypted; encrypted {
		s.method, s.cipher = "bcachefs", "chacha20-poly1305"
	}
	return s
}

// policy asks the kernel whether the folder at a mount point is under fscrypt.
// Folders deeper down are not asked about: they do not make a volume safe.
func policy(l *collect.Look, m mount.Mount) bool {
	switch m.FS {
	case "ext4", "f2fs", "ubifs", "btrfs", "ceph":
	default:
		return false
	}
	f, err := l.Open(m.Point)
	if err != nil {
		return false
	}
	defer f.Close()
	fd, ok := f.(interface{ Fd() uintptr })
	if !ok {
		return false
	}
	// struct fscrypt_get_policy_ex_arg: u64 size, then the policy.
	arg := struct {
		size   uint64
		policy [64]byte
	}{size: 64}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd.Fd(), unix.FS_IOC_GET_ENCRYPTION_POLICY_EX, uintptr(unsafe.Pointer(&arg)))
	return errno == 0
}
