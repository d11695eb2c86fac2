package derive

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"kakusho/posture/world"
	"kakusho/rule/weigh"
)

var deviceDerivations = map[string]world.Derivation{
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
	"setting-differences":             settingDifferences,
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
func host(r *world.Reading, it *world.Item) *world.Item {
	for range 8 {
		up, ok := r.L.Of("computer", r.Text(it, "host_of"))
		if !ok {
			return it
		}
		it = up
	}
	return it
}

// guests lists a machine and the virtual ones that stand on it; on a virtual one
// stands nothing but itself.
func guests(r *world.Reading, it *world.Item) []*world.Item {
	machines := []*world.Item{it}
	for i := 0; i < len(machines); i++ {
		for _, c := range r.L.Where("computer", "host_of", machines[i].Row.ID) {
			if !slices.Contains(machines, c) && host(r, c) == it {
				machines = append(machines, c)
			}
		}
	}
	return machines
}

func zoneField(field string) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		at := it
		if it.Kind.ID == "computer" {
			at = host(r, it)
		}
		id := r.Text(at, "zone")
		if id == "" {
			return world.Cannot("blank: no area is registered")
		}
		z, ok := r.L.Of("zone", id)
		if !ok {
			return world.Cannot("no-entry: area " + id + " is not registered")
		}
		v, ok, why := r.Value(z, field)
		if !ok {
			return world.Cannot(why)
		}
		return world.Found(v)
	}
}

// highest is the highest class among everything that runs on a computer.
func highest(field string) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		machines := guests(r, it)
		var best int64
		seen := false
		take := func(x *world.Item, name string) string {
			n, ok, why := world.Read[int64](r, x, name)
			if !ok {
				return why
			}
			best, seen = max(best, n), true
			return ""
		}
		for _, c := range machines {
			sys, ok := r.L.Of("system", c.Row.System)
			if !ok {
				return world.Cannot("no-entry: system " + c.Row.System + " is not registered")
			}
			if why := take(sys, field); why != "" {
				return world.Cannot(why)
			}
			for _, db := range r.L.Where("database", "computer", c.Row.ID) {
				if world.DeclaredText(db, "status") == "disposed" {
					continue
				}
				if field == "confidentiality" {
					if why := take(db, "holds_confidentiality"); why != "" {
						return world.Cannot(why)
					}
				}
				if s, ok := r.L.Of("system", db.Row.System); ok {
					take(s, field)
				}
			}
		}
		if !seen {
			return world.Cannot("blank: no class is registered")
		}
		return world.Found(best)
	}
}

// publicAddress reports whether a computer has an address of the Internet and a
// way out; unsure when nobody looked.
func publicAddress(r *world.Reading, it *world.Item) world.Tri {
	list, ok, _ := r.Records(it, "interfaces")
	if !ok {
		return world.Unsure
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
	return world.No
}

// sharedSpace is RFC 6598: behind a carrier's translation, not of the Internet.
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func computerInternet(r *world.Reading, it *world.Item) world.Result {
	declared := r.Is(it, "internet_declared")
	line := world.No
	sys, ok := r.L.Of("system", it.Row.System)
	if ok && r.Text(sys, "internet") == "direct" {
		for _, x := range r.L.InSystem(sys, "line") {
			if world.DeclaredText(x, "status") == "in-service" && world.DeclaredBool(x, "internet") {
				r.NoteDeclared(x, "internet")
				line = world.Yes
			}
		}
	}
	if world.AnyOf(declared, line, publicAddress(r, it)) == world.Yes {
		return world.Found(true)
	}
	if declared == world.No && ok && r.Is(sys, "internet_connected") == world.No {
		return world.Found(false)
	}
	return world.Cannot("blank: nobody declared that it is not connected, or its system is")
}

func networkInternet(r *world.Reading, it *world.Item) world.Result {
	lines, ok, _ := r.Names(it, "lines")
	of := world.Unsure
	if ok {
		of = world.No
	}
	for _, id := range lines {
		if x, ok := r.L.Of("line", id); ok {
			of = world.AnyOf(of, r.Is(x, "internet"))
		}
	}
	return world.AnyOf(r.Is(it, "internet_facing"), of).Result("blank: neither the device nor its lines say")
}

func internetOf(field string) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		id := r.Text(it, field)
		if id == "" {
			return world.None("blank: no computer is named")
		}
		c, ok := r.L.Of("computer", id)
		if !ok {
			return world.Cannot("no-entry: computer " + id + " is not registered")
		}
		return r.Is(c, "internet_connected").Result("computer/" + id + " cannot be told")
	}
}

func unapprovedListeners(r *world.Reading, it *world.Item) world.Result {
	list, ok, why := r.Records(it, "listeners")
	if !ok {
		return world.Cannot(why)
	}
	approved, _, _ := r.Names(it, "approved_listeners")
	var out []string
	for _, e := range list {
		if loop, _ := e["loopback"].(bool); loop {
			continue
		}
		out = append(out, fmt.Sprintf("%v/%v", e["proto"], e["port"]))
	}
	return world.Texts(world.Minus(out, approved))
}

func unregisteredMedia(r *world.Reading, it *world.Item) world.Result {
	list, ok, why := r.Records(it, "removable_media")
	if !ok {
		return world.Cannot(why)
	}
	var known []string
	for _, m := range r.L.ByKind("medium") {
		if s := world.DeclaredText(m, "status"); s == "in-custody" || s == "loaned" {
			known = append(known, world.DeclaredText(m, "serial"))
			r.NoteDeclared(m, "serial")
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
	return world.Texts(world.Minus(serials, known))
}

func oldestPendingSecurity(r *world.Reading, it *world.Item) world.Result {
	return oldestPending(r, []*world.Item{it})
}

// oldestPending is since when the longest pending security update of some
// computers has been seen to be pending.
func oldestPending(r *world.Reading, computers []*world.Item) world.Result {
	var oldest time.Time
	for _, c := range computers {
		list, ok, why := r.Records(c, "pending_updates")
		if !ok {
			return world.Cannot(why)
		}
		for _, e := range list {
			if sec, _ := e["security"].(bool); !sec {
				continue
			}
			t, ok := e["first_seen"].(time.Time)
			if !ok {
				return world.Cannot("missing: since when an update is pending")
			}
			oldest = weigh.Earlier(oldest, t)
		}
	}
	if oldest.IsZero() {
		return world.None("none: no security update is pending")
	}
	return world.Found(oldest)
}

func hostOldestPending(r *world.Reading, it *world.Item) world.Result {
	c, res := hostOf(r, it)
	if c == nil {
		return res
	}
	return oldestPending(r, []*world.Item{c})
}

func clientsOldestPending(r *world.Reading, it *world.Item) world.Result {
	return oldestPending(r, clientsOf(r, it))
}

// liveKeys lists the key register's entries on a computer.
func liveKeys(r *world.Reading, it *world.Item) []*world.Item {
	var out []*world.Item
	for _, k := range r.L.Where("key", "computer", it.Row.ID) {
		if world.DeclaredText(k, "status") != "destroyed" {
			r.NoteDeclared(k, "computer")
			out = append(out, k)
		}
	}
	return out
}

func strayKeys(r *world.Reading, it *world.Item) world.Result {
	list, ok, why := r.Records(it, "key_files")
	if !ok {
		return world.Cannot(why)
	}
	var known, paths []string
	for _, k := range liveKeys(r, it) {
		known = append(known, world.DeclaredText(k, "storage"))
	}
	for _, e := range list {
		p, _ := e["purpose"].(string)
		if slices.Contains([]string{"pgp", "sign", "tls", "unknown"}, p) {
			paths = append(paths, fmt.Sprint(e["path"]))
		}
	}
	return world.Texts(world.Minus(paths, known))
}

func decryptionKeys(r *world.Reading, it *world.Item) world.Result {
	list, ok, why := r.Records(it, "key_files")
	if !ok {
		return world.Cannot(why)
	}
	scope, _ := r.L.Default("crypto.key.internet_scope").Value.([]any)
	var out []string
	for _, k := range liveKeys(r, it) {
		if slices.Contains(scope, any(world.DeclaredText(k, "purpose"))) {
			out = append(out, k.Row.ID)
		}
	}
	for _, e := range list {
		if p, _ := e["purpose"].(string); p == "pgp" || p == "sign" {
			out = append(out, fmt.Sprint(e["path"]))
		}
	}
	return world.Texts(out)
}

func subjectDisposalDone(r *world.Reading, it *world.Item) world.Result {
	ref := it.Row.Kind + "/" + it.Row.ID
	for _, d := range r.L.Where("disposal", "subject", ref) {
		r.NoteDeclared(d, "erased_on")
		if world.DeclaredText(d, "status") == "closed" && !world.DeclaredTime(d, "erased_on").IsZero() && world.DeclaredText(d, "erase_method") != "" {
			return world.Found(true)
		}
	}
	return world.Found(false)
}

func hostOf(r *world.Reading, it *world.Item) (*world.Item, world.Result) {
	id := r.Text(it, "computer")
	if id == "" {
		return nil, world.Cannot("blank: no computer is named")
	}
	c, ok := r.L.Of("computer", id)
	if !ok {
		return nil, world.Cannot("no-entry: computer " + id + " is not registered")
	}
	return c, world.Result{}
}

func hostField(field string) world.Derivation {
	return func(r *world.Reading, it *world.Item) world.Result {
		c, res := hostOf(r, it)
		if c == nil {
			return res
		}
		v, ok, why := r.Value(c, field)
		if !ok {
			return world.Cannot(why)
		}
		return world.Found(v)
	}
}

func hostDiskEncrypted(r *world.Reading, it *world.Item) world.Result {
	c, res := hostOf(r, it)
	if c == nil {
		return res
	}
	list, ok, why := r.Records(c, "volumes")
	if !ok {
		return world.Cannot(why)
	}
	flag := func(e map[string]any, k string) bool { b, _ := e[k].(bool); return b }
	for _, e := range list {
		if flag(e, "boot") || flag(e, "memory") || flag(e, "removable") {
			continue
		}
		enc, known := e["encrypted"].(bool)
		if !known {
			return world.Cannot(fmt.Sprintf("missing: whether %v is encrypted", e["device"]))
		}
		if !enc {
			return world.Found(false)
		}
	}
	return world.Found(true)
}

// clientsOf lists the computers that may reach a database: those of its system,
// but for its own host.
func clientsOf(r *world.Reading, it *world.Item) []*world.Item {
	var clients []*world.Item
	for _, c := range r.L.InSystem(it, "computer") {
		if world.DeclaredText(c, "status") == "in-service" && c.Row.ID != world.DeclaredText(it, "computer") {
			clients = append(clients, c)
		}
	}
	return clients
}

func clientsPendingSecurity(r *world.Reading, it *world.Item) world.Result {
	clients := clientsOf(r, it)
	if len(clients) == 0 {
		return world.Found(int64(0))
	}
	return world.Most(r, clients, "pending_security_count")
}
