// Package owner names the users of a host, to say whose a file or a socket is.
package owner

import (
	"io/fs"
	"strconv"
	"strings"

	"kakusho/collect/linux/etc"
)

// Names are the host's own users by number.
type Names map[uint32]string

// Load reads /etc/passwd. Of several names of one user the first counts, as for
// the system. A file that cannot be read leaves users to be shown by number.
func Load(fsys fs.FS) Names {
	b, err := fs.ReadFile(fsys, "etc/passwd")
	if err != nil {
		return Names{}
	}
	return Parse(b)
}

// Parse reads the text of passwd; what is no line of it is left out.
func Parse(b []byte) Names {
	out := Names{}
	for _, line := range strings.Split(string(b), "\n") {
		w := strings.Split(line, ":")
		if len(w) < 3 || w[0] == "" {
			continue
		}
		uid, err := strconv.ParseUint(w[2], 10, 32)
		if _, taken := out[uint32(uid)]; err == nil && !taken {
			out[uint32(uid)] = w[0]
		}
	}
	return out
}

// Name is a user's name, or the number where there is none.
func (n Names) Name(uid uint32) string {
	if name, ok := n[uid]; ok {
		return name
	}
	return strconv.FormatUint(uint64(uid), 10)
}

// Of names the owner of a file, "" where the file system does not know.
func (n Names) Of(fi fs.FileInfo) string {
	uid, _, ok := etc.Owner(fi)
	if !ok {
		return ""
	}
	return n.Name(uid)
}
