package pkg

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	_ "modernc.org/sqlite" // reads rpm's database
	"modernc.org/sqlite/vfs"

	"kakusho/collect"
	"kakusho/fact"
)

var errNoRpmUpdates = errors.New("no reader: pending updates of rpm systems are not read")

// rpm reads rpm's database through SQLite, out of the host's file tree. The
// file is taken as it lies: a write-ahead log beside it would hold changes that
// are not seen, and is refused.
func rpm(ctx context.Context, h collect.Host, l *collect.Look, file string) ([]fact.Fact, error) {
	if fi, err := l.Stat(file + "-wal"); err == nil && fi.Size() > 0 {
		return nil, errors.New("rpm database: in use, changes are under way")
	}
	ps, err := readRpm(ctx, h.FS, collect.Name(file))
	if err != nil {
		return nil, fmt.Errorf("rpm database: %w", err)
	}
	src := fact.Source{Kind: "file", Ref: file}
	if fi, err := l.Stat(file); err == nil {
		src.ModTime = fi.ModTime().UTC()
	}
	return append(unknown(errNoRpmUpdates), installed(ps, src)), nil
}

func rpmOld(context.Context, collect.Host, *collect.Look, string) ([]fact.Fact, error) {
	return nil, errors.New("no reader: rpm's database is in the form used before SQLite")
}

func readRpm(ctx context.Context, fsys fs.FS, file string) (ps []Package, err error) {
	name, tree, err := vfs.New(fsys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	db, err := sql.Open("sqlite", "file:"+file+"?immutable=1&mode=ro&vfs="+name)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT blob FROM Packages")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var blob []byte
		if err := rows.Scan(&blob); err != nil {
			return nil, err
		}
		p, err := ParseRpmHeader(blob)
		if err != nil {
			return nil, err
		}
		if p.Name != "gpg-pubkey" { // a key, kept as a package
			ps = append(ps, p)
		}
	}
	return ps, rows.Err()
}

// Tags and types of rpm's header.
const (
	tagName, tagVersion, tagRelease, tagEpoch, tagArch, tagSource = 1000, 1001, 1002, 1003, 1022, 1044
	typeInt32, typeString, typeI18N                               = 4, 6, 9
	entrySize                                                     = 16
)

var errHeader = errors.New("rpm header: malformed")

// ParseRpmHeader reads a package's header as rpm's database keeps it: the
// number of entries and of bytes, the entries (tag, type, offset, count), the
// bytes; all numbers are big-endian.
func ParseRpmHeader(b []byte) (Package, error) {
	if len(b) < 8 {
		return Package{}, errHeader
	}
	n, size := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
	if 8+n*entrySize+size > int64(len(b)) {
		return Package{}, errHeader
	}
	data := b[8+n*entrySize:][:size]
	tags := map[uint32]string{}
	for e := b[8 : 8+n*entrySize]; len(e) > 0; e = e[entrySize:] {
		tag, kind, at := binary.BigEndian.Uint32(e), binary.BigEndian.Uint32(e[4:]), int64(binary.BigEndian.Uint32(e[8:]))
		switch tag {
		case tagName, tagVersion, tagRelease, tagEpoch, tagArch, tagSource:
		default:
			continue
		}
		if at >= size {
			return Package{}, errHeader
		}
		s, err := value(data[at:], kind)
		if err != nil {
			return Package{}, err
		}
		tags[tag] = s
	}
	if tags[tagName] == "" || tags[tagVersion] == "" {
		return Package{}, errHeader
	}
	p := Package{Name: tags[tagName], Version: tags[tagVersion] + "-" + tags[tagRelease], Source: tags[tagSource], Arch: tags[tagArch]}
	if e := tags[tagEpoch]; e != "" && e != "0" {
		p.Version = e + ":" + p.Version
	}
	p.Source = sourceName(p.Source)
	if p.Source == "" {
		p.Source = p.Name
	}
	return p, nil
}

func value(b []byte, kind uint32) (string, error) {
	switch kind {
	case typeInt32:
		if len(b) < 4 {
			return "", errHeader
		}
		return strconv.FormatUint(uint64(binary.BigEndian.Uint32(b)), 10), nil
	case typeString, typeI18N:
		for i, c := range b {
			if c == 0 {
				return string(b[:i]), nil
			}
		}
	}
	return "", errHeader
}

// sourceName is the name in "bash-5.1.8-6.el9.src.rpm".
func sourceName(s string) string {
	for range 2 {
		i := len(s) - 1
		for i >= 0 && s[i] != '-' {
			i--
		}
		if i < 0 {
			return ""
		}
		s = s[:i]
	}
	return s
}
