package pkg

import (
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	version "github.com/knqyf263/go-deb-version"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"kakusho/collect"
	"kakusho/fact"
)

const listsDir = "/var/lib/apt/lists"

var errNoLists = errors.New("no package lists: none fetched, or cleaned away")

func aptConf(l *collect.Look) (map[string]string, error) {
	conf := map[string]string{}
	found, err := l.Glob("/etc/apt/apt.conf.d/*")
	if err != nil {
		return nil, err
	}
	for _, p := range append(found, "/etc/apt/apt.conf") {
		base := path.Base(p)
		if ext := path.Ext(base); ext != "" && ext != ".conf" {
			continue // as apt: left-overs of dpkg and editors
		}
		b, err := l.ReadFile(p)
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ParseAptConf(b, conf)
	}
	return conf, nil
}

// list is one Packages file and the archive it belongs to.
type list struct {
	path    string
	release Release
}

// offer is a version some archive has.
type offer struct {
	version  string
	priority int
	security bool
}

// updates compares the installed packages with the lists.
func updates(ctx context.Context, h collect.Host, ps []Package) []fact.Fact {
	l := h.Look()
	lists, err := lists(l)
	if err == nil && len(lists) == 0 {
		err = errNoLists
	}
	if err != nil {
		return unknown(err)
	}
	conf, err := aptConf(l)
	if err != nil {
		return unknown(err)
	}
	offers, err := read(ctx, l, lists, ps, conf["apt::default-release"])
	if err != nil {
		return unknown(err)
	}
	out := []any{}
	security := int64(0)
	for _, p := range ps {
		to, safe, ok := candidate(p.Version, offers[key(p, native(ps))])
		if !ok {
			continue
		}
		if safe {
			security++
		}
		out = append(out, map[string]any{"name": p.Name, "current": p.Version, "candidate": to, "security": safe})
	}
	slices.SortFunc(out, func(a, b any) int {
		return strings.Compare(a.(map[string]any)["name"].(string), b.(map[string]any)["name"].(string))
	})
	src := l.Sources()
	return []fact.Fact{
		collect.Saw("pending_updates", out, src...), collect.Saw("pending_security_count", security, src...), metadataAt(lists, src),
	}
}

// metadataAt is the date of the newest list of a security archive, or of the
// newest list when there is none.
func metadataAt(lists []list, src []fact.Source) fact.Fact {
	var all, security time.Time
	for _, x := range lists {
		if x.release.Date.After(all) {
			all = x.release.Date
		}
		if x.release.Security() && x.release.Date.After(security) {
			security = x.release.Date
		}
	}
	switch {
	case !security.IsZero():
		return collect.Saw("update_metadata_at", security, src...)
	case !all.IsZero():
		return collect.Saw("update_metadata_at", all, src...)
	}
	return collect.Unclear("update_metadata_at", "no date: neither the lists nor their files are dated", src...)
}

// lists finds every Packages file and its archive.
func lists(l *collect.Look) ([]list, error) {
	releases := map[string]Release{}
	for _, suffix := range []string{"_Release", "_InRelease"} {
		found, err := l.Glob(listsDir + "/*" + suffix)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			b, err := l.ReadFile(p)
			if err != nil {
				return nil, err
			}
			r, err := ParseRelease(b)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p, err)
			}
			if fi, err := l.Stat(p); err == nil && r.Date.IsZero() {
				r.Date = fi.ModTime().UTC()
			}
			releases[strings.TrimSuffix(p, suffix)] = r
		}
	}
	found, err := l.Glob(listsDir + "/*_Packages*")
	if err != nil {
		return nil, err
	}
	var out []list
	seen := map[string]bool{}
	for _, p := range found {
		name := strings.TrimSuffix(p, path.Ext(p))
		if strings.HasSuffix(p, "_Packages") {
			name = p
		}
		if seen[name] || !strings.HasSuffix(name, "_Packages") {
			continue
		}
		seen[name] = true
		out = append(out, list{p, archive(l, releases, p)})
	}
	return out, nil
}

// archive finds the release file whose name a list's name begins with.
func archive(l *collect.Look, releases map[string]Release, p string) Release {
	best, at := Release{}, ""
	for prefix, r := range releases {
		if strings.HasPrefix(p, prefix+"_") && len(prefix) > len(at) {
			best, at = r, prefix
		}
	}
	if fi, err := l.Stat(p); at == "" && err == nil {
		best.Date = fi.ModTime().UTC()
	}
	return best
}

// native is the host's own architecture, to which packages for all of them
// belong.
func native(ps []Package) string {
	for _, p := range ps {
		if p.Name == "dpkg" {
			return p.Arch
		}
	}
	return ""
}

func key(p Package, native string) string {
	if p.Arch == "all" {
		return p.Name + ":" + native
	}
	return p.Name + ":" + p.Arch
}

// read collects what the lists offer for the installed packages.
func read(ctx context.Context, l *collect.Look, lists []list, ps []Package, def string) (map[string][]offer, error) {
	own := native(ps)
	offers := map[string][]offer{}
	for _, p := range ps {
		offers[key(p, own)] = nil
	}
	for _, x := range lists {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, done, err := open(l, x.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.path, err)
		}
		priority, security := x.release.priority(def), x.release.Security()
		err = paragraphs(r, []string{"Package", "Version", "Architecture"}, func(p map[string]string) error {
			k := key(Package{Name: p["Package"], Arch: p["Architecture"]}, own)
			if have, ok := offers[k]; ok {
				offers[k] = append(have, offer{p["Version"], priority, security})
			}
			return nil
		})
		done()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.path, err)
		}
	}
	return offers, nil
}

// mostList bounds what a list unpacks to: a list of all of Debian is 60 MB.
const mostList = 1 << 30

func open(l *collect.Look, p string) (io.Reader, func(), error) {
	f, err := l.Open(p)
	if err != nil {
		return nil, nil, err
	}
	done := func() { f.Close() }
	var r io.Reader = f
	switch path.Ext(p) {
	case ".lz4":
		r = lz4.NewReader(f)
	case ".gz":
		r, err = gzip.NewReader(f)
	case ".xz":
		r, err = xz.NewReader(f)
	case ".bz2":
		r = bzip2.NewReader(f)
	case ".zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20)); err == nil {
			r, done = z, func() { z.Close(); f.Close() }
		}
	case "":
	default:
		err = fmt.Errorf("unknown compression %q", path.Ext(p))
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return io.LimitReader(r, mostList), done, nil
}

// candidate is the version apt would install instead of the present one, and
// whether anything newer than the present one is a security update. As apt
// goes: of the versions not older than the present one, the highest priority
// wins, then the newest; the present one itself has at least priority 100.
func candidate(current string, offers []offer) (to string, security, ok bool) {
	cur, err := version.NewVersion(current)
	if err != nil {
		return "", false, false
	}
	kept := 100
	best, bestAt := offer{}, cur
	for _, o := range offers {
		v, err := version.NewVersion(o.version)
		if err != nil {
			continue // apt, too, lists no version it cannot read
		}
		switch c := v.Compare(cur); {
		case c == 0:
			kept = max(kept, o.priority)
		case c > 0 && (o.priority > best.priority || o.priority == best.priority && v.Compare(bestAt) > 0):
			best, bestAt = o, v
		}
	}
	if best.version == "" || best.priority < kept {
		return "", false, false
	}
	for _, o := range offers {
		v, err := version.NewVersion(o.version)
		security = security || err == nil && o.security && v.Compare(cur) > 0 && v.Compare(bestAt) <= 0
	}
	return best.version, security, true
}
