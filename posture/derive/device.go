package derive

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"kakusho/fact"
	"kakusho/kind"
	"kakusho/posture"
	"kakusho/store"
)

var deviceDerivations = map[string]posture.Derivation{
	"zone-class":                      zoneField("class"),
	"zone-public-counter":             zoneField("public_counter"),
	"highest-confidentiality":         highest("confidentiality"),
	"highest-availability":            highest("availability"),
	"computer-internet":               computerInternet,
	"network-internet":                networkInternet,
	"key-internet":                    internetOf("computer"),
	"database-internet":               internetOf("computer"),
	"observed-differences":            observedDifferences,
	"declared-differences":            declaredDifferences,
	"unapproved-listeners":            unapprovedListeners,
	"unregistered-media":              unregisteredMedia,
	"oldest-pending-security":         oldestPendingSecurity,
	"stray-keys":                      strayKeys,
	"decryption-keys":                 decryptionKeys,
	"subject-disposal-done":           subjectDisposalDone,
	"host-pending-security":           hostField("pending_security_count"),
	"host-log-forwarded":              hostField("log_forwarded"),
	"host-disk-encrypted":             hostDiskEncrypted,
	"clients-pending-security":        clientsPendingSecurity,
	"host-oldest-pending-security":    hostOldestPending,
	"clients-oldest-pending-security": clientsOldestPending,
}

// host follows host_of from a virtual machine to the machine that stands somewhere.
func host(r *posture.Reading, it *posture.Item) *posture.Item {
	for range 8 {
		up, ok := r.L.Of("computer", r.Text(it, "host_of"))
		if !ok {
			return it
		}
		it = up
	}
	return it
}

func zoneField(field string) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		at := it
		if it.Kind.ID == "computer" {
			at = host(r, it)
		}
		id := r.Text(at, "zone")
		if id == "" {
			return posture.Cannot("blank: no area is registered")
		}
		z, ok := r.L.Of("zone", id)
		if !ok {
			return posture.Cannot("no-entry: area " + id + " is not registered")
		}
		v, ok, why := r.Value(z, field)
		if !ok {
			return posture.Cannot(why)
		}
		return posture.Found(v)
	}
}

// highest is the highest class among everything that runs on a computer.
func highest(field string) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		machines := []*posture.Item{it}
		for _, c := range r.L.ByKind["computer"] {
			if c != it && host(r, c) == it {
				machines = append(machines, c)
			}
		}
		var best int64
		seen := false
		take := func(x *posture.Item, name string) string {
			n, ok, why := posture.Read[int64](r, x, name)
			if !ok {
				return why
			}
			best, seen = max(best, n), true
			return ""
		}
		for _, c := range machines {
			sys, ok := r.L.Of("system", c.Row.System)
			if !ok {
				return posture.Cannot("no-entry: system " + c.Row.System + " is not registered")
			}
			if why := take(sys, field); why != "" {
				return posture.Cannot(why)
			}
			for _, db := range r.L.ByKind["database"] {
				if posture.DeclaredText(db, "computer") != c.Row.ID || posture.DeclaredText(db, "status") == "disposed" {
					continue
				}
				if field == "confidentiality" {
					if why := take(db, "holds_confidentiality"); why != "" {
						return posture.Cannot(why)
					}
				}
				if s, ok := r.L.Of("system", db.Row.System); ok {
					take(s, field)
				}
			}
		}
		if !seen {
			return posture.Cannot("blank: no class is registered")
		}
		return posture.Found(best)
	}
}

// publicAddress reports whether a computer has an address of the Internet and a
// way out; unsure when nobody looked.
func publicAddress(r *posture.Reading, it *posture.Item) posture.Tri {
	list, ok, _ := r.Records(it, "interfaces")
	if !ok {
		return posture.Unsure
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
				return r.Is(it, "default_route")
			}
		}
	}
	return posture.No
}

// sharedSpace is RFC 6598: behind a carrier's translation, not of the Internet.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func computerInternet(r *posture.Reading, it *posture.Item) posture.Result {
	declared := r.Is(it, "internet_declared")
	line := posture.No
	sys, ok := r.L.Of("system", it.Row.System)
	if ok && r.Text(sys, "internet") == "direct" {
		for _, x := range r.L.InSystem(sys, "line") {
			if posture.DeclaredText(x, "status") == "in-service" && posture.DeclaredBool(x, "internet") {
				r.Note(x, "internet", x.Declared["internet"])
				line = posture.Yes
			}
		}
	}
	if posture.AnyOf(declared, line, publicAddress(r, it)) == posture.Yes {
		return posture.Found(true)
	}
	if declared == posture.No && ok && r.Is(sys, "internet_connected") == posture.No {
		return posture.Found(false)
	}
	return posture.Cannot("blank: nobody declared that it is not connected, or its system is")
}

func networkInternet(r *posture.Reading, it *posture.Item) posture.Result {
	lines, ok, _ := r.Names(it, "lines")
	of := posture.Unsure
	if ok {
		of = posture.No
	}
	for _, id := range lines {
		if x, ok := r.L.Of("line", id); ok {
			of = posture.AnyOf(of, r.Is(x, "internet"))
		}
	}
	return posture.AnyOf(r.Is(it, "internet_facing"), of).Result("blank: neither the device nor its lines say")
}

func internetOf(field string) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		id := r.Text(it, field)
		if id == "" {
			return posture.None("blank: no computer is named")
		}
		c, ok := r.L.Of("computer", id)
		if !ok {
			return posture.Cannot("no-entry: computer " + id + " is not registered")
		}
		return r.Is(c, "internet_connected").Result("computer/" + id + " cannot be told")
	}
}

// declaredDifferences compares what is declared with what was seen.
func declaredDifferences(r *posture.Reading, it *posture.Item) posture.Result {
	var out []string
	for _, f := range it.Kind.Fields {
		if !f.In(kind.Declared) || !f.In(kind.Observed) {
			continue
		}
		d, o := it.Declared[f.Name], it.Observed[f.Name]
		if d.Fact.Status != fact.Observed {
			continue
		}
		r.Note(it, f.Name, o)
		if o.Fact.Status != fact.Observed {
			return posture.Cannot("missing: " + f.Name + " was not seen")
		}
		a, b := plain(f.Name, d.Fact.Value), plain(f.Name, o.Fact.Value)
		if a != b {
			out = append(out, fmt.Sprintf("%s: %v ≠ %v", f.Name, d.Fact.Value, o.Fact.Value))
		}
	}
	return posture.Texts(out)
}

// observedDifferences is likewise, for subjects of which only some fields are ever
// observed: what nobody saw is left out.
func observedDifferences(r *posture.Reading, it *posture.Item) posture.Result {
	var out []string
	for _, f := range it.Kind.Fields {
		d, o := it.Declared[f.Name], it.Observed[f.Name]
		if !f.In(kind.Declared) || !f.In(kind.Observed) || d.Fact.Status != fact.Observed || o.Fact.Status != fact.Observed {
			continue
		}
		r.Note(it, f.Name, o)
		if plain(f.Name, d.Fact.Value) != plain(f.Name, o.Fact.Value) {
			out = append(out, fmt.Sprintf("%s: %v ≠ %v", f.Name, d.Fact.Value, o.Fact.Value))
		}
	}
	return posture.Texts(out)
}

func plain(field string, v any) string {
	s := store.Plain(strings.TrimSpace(fmt.Sprint(v)))
	if field == "hostname" {
		s, _, _ = strings.Cut(s, ".")
	}
	return s
}

func unapprovedListeners(r *posture.Reading, it *posture.Item) posture.Result {
	list, ok, why := r.Records(it, "listeners")
	if !ok {
		return posture.Cannot(why)
	}
	approved, _, _ := r.Names(it, "approved_listeners")
	var out []string
	for _, e := range list {
		if loop, _ := e["loopback"].(bool); loop {
			continue
		}
		out = append(out, fmt.Sprintf("%v/%v", e["proto"], e["port"]))
	}
	return posture.Texts(posture.Minus(out, approved))
}

func unregisteredMedia(r *posture.Reading, it *posture.Item) posture.Result {
	list, ok, why := r.Records(it, "removable_media")
	if !ok {
		return posture.Cannot(why)
	}
	var known []string
	for _, m := range r.L.ByKind["medium"] {
		if s := posture.DeclaredText(m, "status"); s == "in-custody" || s == "loaned" {
			known = append(known, posture.DeclaredText(m, "serial"))
			r.Note(m, "serial", m.Declared["serial"])
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
	return posture.Texts(posture.Minus(serials, known))
}

func oldestPendingSecurity(r *posture.Reading, it *posture.Item) posture.Result {
	return oldestPending(r, []*posture.Item{it})
}

// oldestPending is since when the longest pending security update of some
// computers has been seen to be pending.
func oldestPending(r *posture.Reading, computers []*posture.Item) posture.Result {
	var oldest time.Time
	for _, c := range computers {
		list, ok, why := r.Records(c, "pending_updates")
		if !ok {
			return posture.Cannot(why)
		}
		for _, e := range list {
			if sec, _ := e["security"].(bool); !sec {
				continue
			}
			t, ok := e["first_seen"].(time.Time)
			if !ok {
				return posture.Cannot("missing: since when an update is pending")
			}
			oldest = posture.Earlier(oldest, t)
		}
	}
	if oldest.IsZero() {
		return posture.None("none: no security update is pending")
	}
	return posture.Found(oldest)
}

func hostOldestPending(r *posture.Reading, it *posture.Item) posture.Result {
	c, res := hostOf(r, it)
	if c == nil {
		return res
	}
	return oldestPending(r, []*posture.Item{c})
}

func clientsOldestPending(r *posture.Reading, it *posture.Item) posture.Result {
	return oldestPending(r, clientsOf(r, it))
}

// liveKeys lists the key register's entries on a computer.
func liveKeys(r *posture.Reading, it *posture.Item) []*posture.Item {
	return r.L.Matching("key", func(k *posture.Item) bool {
		if posture.DeclaredText(k, "computer") != it.Row.ID || posture.DeclaredText(k, "status") == "destroyed" {
			return false
		}
		r.Note(k, "computer", k.Declared["computer"])
		return true
	})
}

func strayKeys(r *posture.Reading, it *posture.Item) posture.Result {
	list, ok, why := r.Records(it, "key_files")
	if !ok {
		return posture.Cannot(why)
	}
	var known, paths []string
	for _, k := range liveKeys(r, it) {
		known = append(known, posture.DeclaredText(k, "storage"))
	}
	for _, e := range list {
		p, _ := e["purpose"].(string)
		if slices.Contains([]string{"pgp", "sign", "tls", "unknown"}, p) {
			paths = append(paths, fmt.Sprint(e["path"]))
		}
	}
	return posture.Texts(posture.Minus(paths, known))
}

func decryptionKeys(r *posture.Reading, it *posture.Item) posture.Result {
	list, ok, why := r.Records(it, "key_files")
	if !ok {
		return posture.Cannot(why)
	}
	scope, _ := r.L.Defaults["crypto.key.internet_scope"].Value.([]any)
	var out []string
	for _, k := range liveKeys(r, it) {
		if slices.Contains(scope, any(posture.DeclaredText(k, "purpose"))) {
			out = append(out, k.Row.ID)
		}
	}
	for _, e := range list {
		if p, _ := e["purpose"].(string); p == "pgp" || p == "sign" {
			out = append(out, fmt.Sprint(e["path"]))
		}
	}
	return posture.Texts(out)
}

func subjectDisposalDone(r *posture.Reading, it *posture.Item) posture.Result {
	ref := it.Row.Kind + "/" + it.Row.ID
	for _, d := range r.L.ByKind["disposal"] {
		if posture.DeclaredText(d, "subject") != ref {
			continue
		}
		r.Note(d, "erased_on", d.Declared["erased_on"])
		if posture.DeclaredText(d, "status") == "closed" && !posture.DeclaredTime(d, "erased_on").IsZero() && posture.DeclaredText(d, "erase_method") != "" {
			return posture.Found(true)
		}
	}
	return posture.Found(false)
}

func hostOf(r *posture.Reading, it *posture.Item) (*posture.Item, posture.Result) {
	id := r.Text(it, "computer")
	if id == "" {
		return nil, posture.Cannot("blank: no computer is named")
	}
	c, ok := r.L.Of("computer", id)
	if !ok {
		return nil, posture.Cannot("no-entry: computer " + id + " is not registered")
	}
	return c, posture.Result{}
}

func hostField(field string) posture.Derivation {
	return func(r *posture.Reading, it *posture.Item) posture.Result {
		c, res := hostOf(r, it)
		if c == nil {
			return res
		}
		v, ok, why := r.Value(c, field)
		if !ok {
			return posture.Cannot(why)
		}
		return posture.Found(v)
	}
}

func hostDiskEncrypted(r *posture.Reading, it *posture.Item) posture.Result {
	c, res := hostOf(r, it)
	if c == nil {
		return res
	}
	list, ok, why := r.Records(c, "volumes")
	if !ok {
		return posture.Cannot(why)
	}
	flag := func(e map[string]any, k string) bool { b, _ := e[k].(bool); return b }
	for _, e := range list {
		if flag(e, "boot") || flag(e, "memory") || flag(e, "removable") {
			continue
		}
		enc, known := e["encrypted"].(bool)
		if !known {
			return posture.Cannot(fmt.Sprintf("missing: whether %v is encrypted", e["device"]))
		}
		if !enc {
			return posture.Found(false)
		}
	}
	return posture.Found(true)
}

// clientsOf lists the computers that may reach a database: those of its system,
// but for its own host.
func clientsOf(r *posture.Reading, it *posture.Item) []*posture.Item {
	var clients []*posture.Item
	for _, c := range r.L.InSystem(it, "computer") {
		if posture.DeclaredText(c, "status") == "in-service" && c.Row.ID != posture.DeclaredText(it, "computer") {
			clients = append(clients, c)
		}
	}
	return clients
}

func clientsPendingSecurity(r *posture.Reading, it *posture.Item) posture.Result {
	clients := clientsOf(r, it)
	if len(clients) == 0 {
		return posture.Found(int64(0))
	}
	return posture.Most(r, clients, "pending_security_count")
}
