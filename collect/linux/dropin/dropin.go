// Package dropin reads configuration kept in layers, as systemd and many
// daemons do: a main file, then drop-ins of several folders in the order of
// their names, where a drop-in of a nearer folder takes the place of one with
// the same name farther away.
package dropin

import (
	"fmt"
	"slices"
	"strings"

	"kakusho/collect"
	"kakusho/collect/linux/etc"
)

// Folders are where systemd looks, nearest first.
var Folders = []string{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd"}

// File is one file that counts.
type File struct {
	Path string
	Text []byte
}

// Read returns the files that count for name ("journald.conf"), in the order
// in which later ones override earlier ones. None is no error.
func Read(l *collect.Look, name string, folders ...string) ([]File, error) {
	var out []File
	for _, dir := range folders { // the nearest main file only
		f, ok, err := read(l, dir+"/"+name)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, f)
			break
		}
	}
	var dirs []string
	for _, dir := range folders {
		dirs = append(dirs, dir+"/"+name+".d")
	}
	found, err := Files(l, ".conf", dirs...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	for _, p := range found {
		f, ok, err := read(l, p)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, f)
		}
	}
	return out, nil
}

// Files lists the drop-ins that count, in the order of their names: of those
// with one name the nearest, and none where that is a link to /dev/null.
func Files(l *collect.Look, suffix string, dirs ...string) ([]string, error) {
	found, err := etc.DropIns(l, suffix, dirs...)
	return slices.DeleteFunc(found, func(p string) bool {
		to, err := l.ReadLink(p)
		return err == nil && to == "/dev/null"
	}), err
}

func read(l *collect.Look, p string) (File, bool, error) {
	b, ok, err := etc.Optional(l, p)
	return File{Path: p, Text: b}, ok, err
}

// Setting is a value and where it stands.
type Setting struct {
	Section, Key, Value string
	Place               string // "/etc/systemd/journald.conf:12"
}

// Parse reads the sections, keys and values of one file of systemd's syntax:
// comments with # or ;, a backslash at the end of a line continues it. Lines
// that are none of these are skipped, as systemd does.
func Parse(b []byte) []Setting {
	var out []Setting
	section, held := "", ""
	for i, line := range strings.Split(string(b), "\n") {
		trim := strings.TrimSpace(line)
		if strings.HasPrefix(trim, "#") || strings.HasPrefix(trim, ";") {
			continue
		}
		if rest, ok := strings.CutSuffix(trim, `\`); ok {
			held += rest + " "
			continue
		}
		trim, held = strings.TrimSpace(held+trim), ""
		if strings.HasPrefix(trim, "[") && strings.HasSuffix(trim, "]") {
			section = trim[1 : len(trim)-1]
			continue
		}
		if k, v, ok := strings.Cut(trim, "="); ok {
			out = append(out, Setting{section, strings.TrimSpace(k), strings.TrimSpace(v), fmt.Sprintf(":%d", i+1)})
		}
	}
	return out
}

// Settings reads all settings of all files that count, in order.
func Settings(l *collect.Look, name string, folders ...string) ([]Setting, error) {
	files, err := Read(l, name, folders...)
	if err != nil {
		return nil, err
	}
	var out []Setting
	for _, f := range files {
		for _, s := range Parse(f.Text) {
			s.Place = f.Path + s.Place
			out = append(out, s)
		}
	}
	return out, nil
}

// Last is the setting in force for a key that takes one value.
func Last(ss []Setting, section, key string) (Setting, bool) {
	for _, s := range slices.Backward(ss) {
		if s.Section == section && s.Key == key {
			return s, true
		}
	}
	return Setting{}, false
}

// Words are the values in force for a key that takes a list: each setting adds
// its words, an empty one takes back what stood before.
func Words(ss []Setting, section, key string) []string {
	var out []string
	for _, s := range ss {
		if s.Section != section || s.Key != key {
			continue
		}
		if s.Value == "" {
			out = nil
			continue
		}
		out = append(out, strings.Fields(s.Value)...)
	}
	return out
}
