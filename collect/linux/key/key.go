// Package key finds private keys and certificates on a host, and what TLS its
// own listeners speak.
//
// The search for private keys goes through the places where people and services
// keep them, within a budget of files and time; a search that the budget ended
// is Truncated, never complete. No key leaves: of each file its place, form,
// mode, owner and whether a passphrase guards it are told. Left out are the
// stores of package managers and container engines (other people's test keys,
// other systems' files), and in full files over 64 KiB. A key is readable by
// the world when its mode and those of every folder above it allow that.
//
// TLS is tried by shaking hands with the listeners of the running host, so a
// listener that first speaks another protocol (STARTTLS) is not seen, nor is
// SSL 3.0, which this program cannot speak.
package key

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/owner"
	"kakusho/fact"
)

// Collector brings the group key.
func Collector() collect.Collector {
	return collect.Collector{Group: "key", Version: "1", Collect: func(ctx context.Context, h collect.Host) []fact.Fact {
		return []fact.Fact{keys(ctx, h), certificates(ctx, h), listeners(ctx, h)}
	}}
}

// The budget of the search.
const (
	mostFiles = 20_000
	mostTime  = 5 * time.Second
	mostSize  = 64 << 10
	mostKeys  = 5_000
)

// places are searched in this order: the likely first, so that a search the
// budget ends has seen them.
var places = []string{
	"etc/ssh", "etc/ssl", "etc/pki", "etc", "root/.ssh", "root/.gnupg",
	"home", "root", "srv", "opt", "var/lib",
}

// skipped are folders that hold other people's files.
var skipped = map[string]bool{
	"node_modules": true, "site-packages": true, "dist-packages": true, ".cache": true, ".git": true, ".cargo": true, ".rustup": true, ".npm": true,
	"go/pkg/mod": true, "var/lib/docker": true, "var/lib/containers": true, "var/lib/containerd": true, "var/lib/lxc": true, "var/lib/lxd": true,
	"var/lib/dpkg": true, "var/lib/apt": true, "var/lib/rpm": true, "var/lib/snapd": true, "var/lib/flatpak": true, "var/lib/machines": true,
}

// plain are kinds of files that never hold a private key of the host.
var plain = map[string]bool{
	"png": true, "jpg": true, "jpeg": true, "gif": true, "svg": true, "ico": true, "ttf": true, "woff": true, "woff2": true, "mp3": true, "mp4": true,
	"so": true, "o": true, "a": true, "pyc": true, "class": true, "jar": true, "wasm": true, "gz": true, "xz": true, "zst": true, "bz2": true, "zip": true,
	"html": true, "css": true, "js": true, "ts": true, "mo": true, "po": true, "map": true, "go": true, "py": true, "c": true, "h": true, "rs": true, "java": true,
	"pub": true, "md": true, "list": true, "md5sums": true, "deb": true, "rpm": true,
}

var errBudget = fmt.Errorf("limit: the search ended after %d files or %v", mostFiles, mostTime)

// search walks the places within the budget.
type search struct {
	fsys  fs.FS
	names owner.Names
	seen  map[string]bool
	files int
	found []any
	fault error
}

func keys(ctx context.Context, h collect.Host) fact.Fact {
	const field = "key_files"
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	s := &search{fsys: h.FS, names: owner.Load(h.FS), seen: map[string]bool{}, found: []any{}}
	var src []fact.Source
	for _, p := range places {
		err := fs.WalkDir(h.FS, p, func(name string, d fs.DirEntry, err error) error {
			if ctx.Err() != nil {
				return errBudget
			}
			return s.visit(name, d, err)
		})
		if collect.Missing(err) {
			continue
		}
		src = append(src, fact.Source{Kind: "file", Ref: "/" + p})
		if err != nil {
			s.fault = errors.Join(s.fault, err)
			break
		}
	}
	slices.SortFunc(s.found, func(a, b any) int {
		return strings.Compare(a.(map[string]any)["path"].(string), b.(map[string]any)["path"].(string))
	})
	if s.fault != nil {
		_, reason := collect.Status(s.fault)
		return fact.Fact{Field: field, Status: fact.Truncated, Reason: reason, Value: s.found, Source: src}
	}
	return collect.Saw(field, s.found, src...)
}

func (s *search) visit(name string, d fs.DirEntry, err error) error {
	switch {
	case err != nil && d == nil:
		return err // the place itself
	case collect.Missing(err):
		return nil // gone meanwhile
	case err != nil:
		s.fault = errors.Join(s.fault, err)
		return fs.SkipDir
	}
	if d.IsDir() {
		if s.seen[name] || skipped[d.Name()] || skipped[name] || strings.HasSuffix(name, "/go/pkg/mod") {
			return fs.SkipDir
		}
		s.seen[name] = true
		return nil
	}
	if !d.Type().IsRegular() || plain[extension(d.Name())] {
		return nil
	}
	fi, err := d.Info()
	if err != nil || fi.Size() == 0 || fi.Size() > mostSize {
		return nil
	}
	if s.files++; s.files > mostFiles || len(s.found) >= mostKeys {
		return errBudget
	}
	b, err := fs.ReadFile(s.fsys, name)
	if err != nil {
		if !collect.Missing(err) {
			s.fault = errors.Join(s.fault, err)
		}
		return nil
	}
	if k, ok := ParseKey(b); ok {
		s.found = append(s.found, s.record("/"+name, k, fi))
	}
	return nil
}

func extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return strings.ToLower(name[i+1:])
	}
	return ""
}

func (s *search) record(p string, k Key, fi fs.FileInfo) map[string]any {
	m := fi.Mode().Perm()
	r := map[string]any{
		"path": p, "type": k.Type, "mode": fmt.Sprintf("%04o", m), "purpose": purpose(p, k),
		"world_readable": m&0o004 != 0 && s.reachable(p), "group_readable": m&0o040 != 0,
	}
	if name := s.names.Of(fi); name != "" {
		r["owner"] = name
	}
	if k.Guarded != nil {
		r["encrypted"] = *k.Guarded
	}
	return r
}

// reachable reports whether anyone may pass through the folders above a file.
func (s *search) reachable(p string) bool {
	for dir := collect.Name(p); ; {
		i := strings.LastIndexByte(dir, '/')
		if i < 0 {
			return true
		}
		dir = dir[:i]
		if fi, err := fs.Stat(s.fsys, dir); err == nil && fi.Mode().Perm()&0o001 == 0 {
			return false
		}
	}
}

// Where keys of a purpose live.
var (
	tlsPlaces = []string{
		"/etc/ssl/", "/etc/pki/tls/", "/etc/letsencrypt/", "/etc/nginx/", "/etc/apache2/", "/etc/httpd/", "/etc/postfix/", "/etc/dovecot/", "/etc/exim4/",
		"/etc/mysql/", "/etc/my.cnf.d/", "/etc/postgresql/", "/var/lib/postgresql/", "/var/lib/pgsql/", "/var/lib/mysql/", "/etc/haproxy/", "/etc/docker/",
		"/etc/kubernetes/", "/etc/openvpn/", "/etc/ipsec.d/", "/etc/swanctl/", "/etc/cockpit/", "/etc/cups/ssl/", "/etc/ldap/", "/etc/openldap/", "/etc/stunnel/",
		"/etc/rsyslog.d/", "/etc/caddy/", "/var/lib/caddy/", "/etc/grafana/", "/etc/prometheus/",
	}
	signPlaces = []string{"/etc/opendkim/", "/etc/dkimkeys/", "/etc/mail/dkim", "/var/lib/rspamd/dkim", "/var/lib/shim-signed/mok/", "/etc/bind/", "/var/named/", "/etc/pki/CA/"}
	signNames  = []string{"codesign", "code-sign", "code_sign", "signing", "dkim", "cakey", "ca-key", "ca.key", "rootca", "mok.priv"}
)

// purpose is told by the place and the form, as far as they tell.
func purpose(p string, k Key) string {
	low := strings.ToLower(p)
	under := func(dirs []string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(low, strings.ToLower(d)) })
	}
	switch {
	case strings.HasPrefix(p, "/etc/ssh/ssh_host_"):
		return "ssh-host"
	case k.Type == openPGP, strings.Contains(p, "/.gnupg/"):
		return "pgp"
	case strings.Contains(p, "/.ssh/"), k.Type == openSSH, k.Type == putty:
		return "ssh-user"
	case under(signPlaces), slices.ContainsFunc(signNames, func(n string) bool { return strings.Contains(low, n) }):
		return "sign"
	case under(tlsPlaces):
		return "tls"
	}
	return "unknown"
}
