package posture

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/kind"
	"kakusho/store"
)

var deviceDerivations = map[string]derivation{
	"zone-class":               zoneField("class"),
	"zone-public-counter":      zoneField("public_counter"),
	"highest-confidentiality":  highest("confidentiality"),
	"highest-availability":     highest("availability"),
	"computer-internet":        computerInternet,
	"network-internet":         networkInternet,
	"key-internet":             internetOf("computer"),
	"database-internet":        internetOf("computer"),
	"declared-differences":     declaredDifferences,
	"unapproved-listeners":     unapprovedListeners,
	"unregistered-media":       unregisteredMedia,
	"oldest-pending-security":  oldestPendingSecurity,
	"stray-keys":               strayKeys,
	"decryption-keys":          decryptionKeys,
	"subject-disposal-done":    subjectDisposalDone,
	"host-pending-security":    hostField("pending_security_count"),
	"host-log-forwarded":       hostField("log_forwarded"),
	"host-disk-encrypted":      hostDiskEncrypted,
	"clients-pending-security": clientsPendingSecurity,
}

// host follows host_of from a virtual machine to the machine that stands somewhere.
func (r *reading) host(it *item) *item {
	for range 8 {
		up, ok := r.l.of("computer", r.text(it, "host_of"))
		if !ok {
			return it
		}
		it = up
	}
	return it
}

func zoneField(field string) derivation {
	return func(r *reading, it *item) result {
		at := it
		if it.kind.ID == "computer" {
			at = r.host(it)
		}
		id := r.text(at, "zone")
		if id == "" {
			return cannot("blank: no area is registered")
		}
		z, ok := r.l.of("zone", id)
		if !ok {
			return cannot("no-entry: area " + id + " is not registered")
		}
		v, ok, why := r.value(z, field)
		if !ok {
			return cannot(why)
		}
		return found(v)
	}
}

// highest is the highest class among everything that runs on a computer.
func highest(field string) derivation {
	return func(r *reading, it *item) result {
		machines := []*item{it}
		for _, c := range r.l.byKind["computer"] {
			if c != it && r.host(c) == it {
				machines = append(machines, c)
			}
		}
		var best int64
		seen := false
		take := func(x *item, name string) string {
			n, ok, why := read[int64](r, x, name)
			if !ok {
				return why
			}
			best, seen = max(best, n), true
			return ""
		}
		for _, c := range machines {
			sys, ok := r.l.of("system", c.row.System)
			if !ok {
				return cannot("no-entry: system " + c.row.System + " is not registered")
			}
			if why := take(sys, field); why != "" {
				return cannot(why)
			}
			for _, db := range r.l.byKind["database"] {
				if declaredText(db, "computer") != c.row.ID || declaredText(db, "status") == "disposed" {
					continue
				}
				if field == "confidentiality" {
					if why := take(db, "holds_confidentiality"); why != "" {
						return cannot(why)
					}
				}
				if s, ok := r.l.of("system", db.row.System); ok {
					take(s, field)
				}
			}
		}
		if !seen {
			return cannot("blank: no class is registered")
		}
		return found(best)
	}
}

// publicAddress reports whether a computer has an address of the Internet and a
// way out; unsure when nobody looked.
func (r *reading) publicAddress(it *item) tri {
	list, ok, _ := r.records(it, "interfaces")
	if !ok {
		return unsure
	}
	for _, e := range list {
		text, _ := e["addresses"].(string)
		for _, a := range strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' }) {
			p, err := netip.ParsePrefix(a)
			addr := p.Addr()
			if err != nil {
				if addr, err = netip.ParseAddr(a); err != nil {
					continue
				}
			}
			if addr.IsGlobalUnicast() && !addr.IsPrivate() && !sharedSpace.Contains(addr) {
				return r.is(it, "default_route")
			}
		}
	}
	return no
}

// sharedSpace is RFC 6598: behind a carrier's translation, not of the Internet.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func computerInternet(r *reading, it *item) result {
	declared := r.is(it, "internet_declared")
	line := no
	sys, ok := r.l.of("system", it.row.System)
	if ok && r.text(sys, "internet") == "direct" {
		for _, x := range r.l.inSystem(sys, "line") {
			if declaredText(x, "status") == "in-service" && declaredBool(x, "internet") {
				r.note(x, "internet", x.declared["internet"])
				line = yes
			}
		}
	}
	if anyOf(declared, line, r.publicAddress(it)) == yes {
		return found(true)
	}
	if declared == no && ok && r.text(sys, "internet") == "none" {
		return found(false)
	}
	if declared == no && ok && r.is(sys, "internet_connected") == no {
		return found(false)
	}
	return cannot("blank: nobody declared that it is not connected, or its system is")
}

func networkInternet(r *reading, it *item) result {
	lines, ok, _ := r.names(it, "lines")
	of := unsure
	if ok {
		of = no
	}
	for _, id := range lines {
		if x, ok := r.l.of("line", id); ok {
			of = anyOf(of, r.is(x, "internet"))
		}
	}
	return anyOf(r.is(it, "internet_facing"), of).result("blank: neither the device nor its lines say")
}

func internetOf(field string) derivation {
	return func(r *reading, it *item) result {
		id := r.text(it, field)
		if id == "" {
			return none("blank: no computer is named")
		}
		c, ok := r.l.of("computer", id)
		if !ok {
			return cannot("no-entry: computer " + id + " is not registered")
		}
		return r.is(c, "internet_connected").result("computer/" + id + " cannot be told")
	}
}

// declaredDifferences compares what is declared with what was seen.
func declaredDifferences(r *reading, it *item) result {
	var out []string
	for _, f := range it.kind.Fields {
		if !f.In(kind.Declared) || !f.In(kind.Observed) {
			continue
		}
		d, o := it.declared[f.Name], it.observed[f.Name]
		if d.Fact.Status != fact.Observed {
			continue
		}
		r.note(it, f.Name, o)
		if o.Fact.Status != fact.Observed {
			return cannot("missing: " + f.Name + " was not seen")
		}
		a, b := plain(f.Name, d.Fact.Value), plain(f.Name, o.Fact.Value)
		if a != b {
			out = append(out, fmt.Sprintf("%s: %v ≠ %v", f.Name, d.Fact.Value, o.Fact.Value))
		}
	}
	return texts(out)
}

func plain(field string, v any) string {
	s := store.Plain(strings.TrimSpace(fmt.Sprint(v)))
	if field == "hostname" {
		s, _, _ = strings.Cut(s, ".")
	}
	return s
}

func unapprovedListeners(r *reading, it *item) result {
	list, ok, why := r.records(it, "listeners")
	if !ok {
		return cannot(why)
	}
	approved, _, _ := r.names(it, "approved_listeners")
	var out []string
	for _, e := range list {
		if loop, _ := e["loopback"].(bool); loop {
			continue
		}
		out = append(out, fmt.Sprintf("%v/%v", e["proto"], e["port"]))
	}
	return texts(minus(out, approved))
}

func unregisteredMedia(r *reading, it *item) result {
	list, ok, why := r.records(it, "removable_media")
	if !ok {
		return cannot(why)
	}
	var known []string
	for _, m := range r.l.byKind["medium"] {
		if s := declaredText(m, "status"); s == "in-custody" || s == "loaned" {
			known = append(known, declaredText(m, "serial"))
			r.note(m, "serial", m.declared["serial"])
		}
	}
	var serials []string
	for _, e := range list {
		if s, _ := e["serial"].(string); s != "" {
			serials = append(serials, s)
		} else {
			serials = append(serials, fmt.Sprintf("no serial: %v", e["device"]))
		}
	}
	return texts(minus(serials, known))
}

func oldestPendingSecurity(r *reading, it *item) result {
	list, ok, why := r.records(it, "pending_updates")
	if !ok {
		return cannot(why)
	}
	var oldest time.Time
	for _, e := range list {
		if sec, _ := e["security"].(bool); !sec {
			continue
		}
		t, ok := e["first_seen"].(time.Time)
		if !ok {
			return cannot("missing: since when an update is pending")
		}
		oldest = earlier(oldest, t)
	}
	if oldest.IsZero() {
		return none("none: no security update is pending")
	}
	return found(oldest)
}

// liveKeys lists the key register's entries on a computer.
func (r *reading) liveKeys(it *item) []*item {
	return r.l.matching("key", func(k *item) bool {
		if declaredText(k, "computer") != it.row.ID || declaredText(k, "status") == "destroyed" {
			return false
		}
		r.note(k, "computer", k.declared["computer"])
		return true
	})
}

func strayKeys(r *reading, it *item) result {
	list, ok, why := r.records(it, "key_files")
	if !ok {
		return cannot(why)
	}
	var known, paths []string
	for _, k := range r.liveKeys(it) {
		known = append(known, declaredText(k, "storage"))
	}
	for _, e := range list {
		p, _ := e["purpose"].(string)
		if slices.Contains([]string{"pgp", "sign", "tls", "unknown"}, p) {
			paths = append(paths, fmt.Sprint(e["path"]))
		}
	}
	return texts(minus(paths, known))
}

func decryptionKeys(r *reading, it *item) result {
	list, ok, why := r.records(it, "key_files")
	if !ok {
		return cannot(why)
	}
	scope, _ := r.l.defaults["crypto.key.internet_scope"].Value.([]any)
	var out []string
	for _, k := range r.liveKeys(it) {
		if slices.Contains(scope, any(declaredText(k, "purpose"))) {
			out = append(out, k.row.ID)
		}
	}
	for _, e := range list {
		if p, _ := e["purpose"].(string); p == "pgp" || p == "sign" {
			out = append(out, fmt.Sprint(e["path"]))
		}
	}
	return texts(out)
}

func subjectDisposalDone(r *reading, it *item) result {
	ref := it.row.Kind + "/" + it.row.ID
	for _, d := range r.l.byKind["disposal"] {
		if declaredText(d, "subject") != ref {
			continue
		}
		r.note(d, "erased_on", d.declared["erased_on"])
		if declaredText(d, "status") == "closed" && !declaredTime(d, "erased_on").IsZero() && declaredText(d, "erase_method") != "" {
			return found(true)
		}
	}
	return found(false)
}

func (r *reading) hostOf(it *item) (*item, result) {
	id := r.text(it, "computer")
	if id == "" {
		return nil, cannot("blank: no computer is named")
	}
	c, ok := r.l.of("computer", id)
	if !ok {
		return nil, cannot("no-entry: computer " + id + " is not registered")
	}
	return c, result{}
}

func hostField(field string) derivation {
	return func(r *reading, it *item) result {
		c, res := r.hostOf(it)
		if c == nil {
			return res
		}
		v, ok, why := r.value(c, field)
		if !ok {
			return cannot(why)
		}
		return found(v)
	}
}

func hostDiskEncrypted(r *reading, it *item) result {
	c, res := r.hostOf(it)
	if c == nil {
		return res
	}
	list, ok, why := r.records(c, "volumes")
	if !ok {
		return cannot(why)
	}
	flag := func(e map[string]any, k string) bool { b, _ := e[k].(bool); return b }
	for _, e := range list {
		if flag(e, "boot") || flag(e, "memory") || flag(e, "removable") {
			continue
		}
		enc, known := e["encrypted"].(bool)
		if !known {
			return cannot(fmt.Sprintf("missing: whether %v is encrypted", e["device"]))
		}
		if !enc {
			return found(false)
		}
	}
	return found(true)
}

func clientsPendingSecurity(r *reading, it *item) result {
	var clients []*item
	for _, c := range r.l.inSystem(it, "computer") {
		if r.l.live(c) && c.row.ID != declaredText(it, "computer") {
			clients = append(clients, c)
		}
	}
	if len(clients) == 0 {
		return found(int64(0))
	}
	return most(r, clients, "pending_security_count")
}
