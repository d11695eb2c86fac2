package logging

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/collect"
	"kakusho/collect/linux/owner"
	"kakusho/fact"
)

// records looks into the logs themselves: how far back they go, and which
// classes of events they show.
func records(ctx context.Context, h collect.Host) []fact.Fact {
	l := h.Look()
	var first time.Time
	classes := map[string]bool{}
	seen := 0
	files, faults := evidence(l)
	for _, f := range files {
		if ctx.Err() != nil {
			faults = errors.Join(faults, ctx.Err())
			break
		}
		at, err := f.begins(l)
		if err == nil && f.current {
			err = f.classes(l, classes)
		}
		if collect.Missing(err) {
			continue
		}
		if err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		seen++
		first = oldest(first, at)
	}
	names := []any{}
	for _, c := range slices.Sorted(maps.Keys(classes)) {
		names = append(names, c)
	}
	src := fact.Source{Kind: "file", Ref: "/var/log"}
	switch {
	case faults != nil && seen == 0:
		return []fact.Fact{collect.Failed("log_oldest", faults, src), collect.Failed("log_event_classes", faults, src)}
	case faults != nil:
		_, reason := collect.Status(faults)
		part := func(field string, v any) fact.Fact {
			return fact.Fact{Field: field, Status: fact.Truncated, Reason: reason, Value: v, Source: []fact.Source{src}}
		}
		return []fact.Fact{oldestFact(first, src, part), part("log_event_classes", names)}
	case seen == 0:
		const none = "no logs: neither text files nor a journal under /var/log"
		return []fact.Fact{collect.None("log_oldest", none, src), collect.None("log_event_classes", none, src)}
	}
	whole := func(field string, v any) fact.Fact { return collect.Saw(field, v, src) }
	return []fact.Fact{oldestFact(first, src, whole), whole("log_event_classes", names)}
}

func oldestFact(first time.Time, src fact.Source, fn func(string, any) fact.Fact) fact.Fact {
	if first.IsZero() {
		return collect.None("log_oldest", "no record: the logs are empty", src)
	}
	return fn("log_oldest", first)
}

// logFile is one file with records.
type logFile struct {
	path    string
	current bool // being written, not rotated
	journal bool
}

// evidence lists the logs that matter, the rotated ones included.
func evidence(l *collect.Look) ([]logFile, error) {
	var out []logFile
	var faults error
	for _, base := range append(slices.Clone(audited), auditLog(l)) {
		found, err := l.Glob(base + "*")
		faults = errors.Join(faults, err)
		for _, p := range found {
			if rest := p[len(base):]; rest == "" || rest[0] == '.' || rest[0] == '-' {
				out = append(out, logFile{path: p, current: rest == ""})
			}
		}
	}
	found, err := l.Glob("/var/log/journal/*/*.journal")
	faults = errors.Join(faults, err)
	for _, p := range found {
		out = append(out, logFile{path: p, current: path.Base(p) == "system.journal", journal: true})
	}
	return out, faults
}

// begins is the time of the file's first record. A first line that tells none
// leaves the time the file was last written: then its records are no younger.
func (f logFile) begins(l *collect.Look) (time.Time, error) {
	fi, err := l.Stat(f.path)
	if err != nil || fi.Size() == 0 {
		return time.Time{}, err
	}
	file, err := l.Open(f.path)
	if err != nil {
		return time.Time{}, err
	}
	defer file.Close()
	if f.journal {
		head := make([]byte, journalHead)
		if _, err := io.ReadFull(file, head); err != nil {
			return time.Time{}, nil
		}
		return ParseJournalHead(head), nil
	}
	var r io.Reader = file
	switch path.Ext(f.path) {
	case ".gz":
		z, err := gzip.NewReader(file)
		if err != nil {
			return fi.ModTime().UTC(), nil
		}
		r = z
	case ".xz", ".zst", ".bz2":
		return fi.ModTime().UTC(), nil
	}
	line, _ := bufio.NewReaderSize(io.LimitReader(r, 64<<10), 4096).ReadString('\n')
	if at := ParseStamp(line, fi.ModTime()); !at.IsZero() {
		return at, nil
	}
	return fi.ModTime().UTC(), nil
}

const journalHead = 208

// ParseJournalHead reads the time of the first entry from the head of a journal
// file (systemd's JOURNAL_FILE_FORMAT); zero when it has none.
func ParseJournalHead(b []byte) time.Time {
	const headEntry = 184
	if len(b) < journalHead || !bytes.HasPrefix(b, []byte("LPKSHHRH")) {
		return time.Time{}
	}
	us := binary.LittleEndian.Uint64(b[headEntry:])
	if us == 0 || us > 1<<53 {
		return time.Time{}
	}
	return time.UnixMicro(int64(us)).UTC()
}

var auditStamp = regexp.MustCompile(`msg=audit\((\d{1,12})\.(\d{3})`)

// ParseStamp reads the time a line of a log begins with: RFC 3339, the old
// "Jan _2 15:04:05" (its year the latest that is not after written, its zone
// taken as that of the reader's UTC), or auditd's.
func ParseStamp(line string, written time.Time) time.Time {
	if m := auditStamp.FindStringSubmatch(line); m != nil {
		s, err := strconv.ParseInt(m[1], 10, 64)
		if err != nil {
			return time.Time{}
		}
		ms, _ := strconv.ParseInt(m[2], 10, 64)
		return time.Unix(s, ms*1e6).UTC()
	}
	word, _, _ := strings.Cut(line, " ")
	if at, err := time.Parse(time.RFC3339, word); err == nil {
		return at.UTC()
	}
	if len(line) < 15 {
		return time.Time{}
	}
	at, err := time.Parse("2006 Jan _2 15:04:05", fmt.Sprintf("%d %s", written.Year(), line[:15]))
	if err != nil {
		return time.Time{}
	}
	if at.After(written.Add(day)) {
		at = at.AddDate(-1, 0, 0)
	}
	return at.UTC()
}

// tail is how much of the end of a log is searched; a journal keeps its newest
// entries anywhere, so more of it is.
const (
	tail        = 1 << 20
	journalTail = 8 << 20
)

func (f logFile) classes(l *collect.Look, out map[string]bool) error {
	most := int64(tail)
	if f.journal {
		most = journalTail
	}
	file, err := l.Open(f.path)
	if err != nil {
		return err
	}
	defer file.Close()
	fi, err := file.Stat()
	if err != nil {
		return err
	}
	if s, ok := file.(io.Seeker); ok && fi.Size() > most {
		if _, err := s.Seek(-most, io.SeekEnd); err != nil {
			return err
		}
	}
	b, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return err
	}
	for _, c := range Classes(b) {
		out[c] = true
	}
	return nil
}

// marks are texts that show an event of a class; a journal keeps short messages
// as plain text, so they are found there too.
var marks = []struct {
	class string
	texts []string
}{
	{"login", []string{"Accepted publickey for", "Accepted password for", "Accepted keyboard-interactive", "session opened for user", "LOGIN ON "}},
	{"logout", []string{"session closed for user", "type=USER_LOGOUT", "type=USER_END", "Logged out. Waiting"}},
	{"login-failure", []string{"Failed password for", "authentication failure", "FAILED LOGIN", "Invalid user ", "Connection closed by authenticating user", "maximum authentication attempts"}},
	{"privilege", []string{" COMMAND=", "type=USER_CMD", "(to root)"}},
	{"account", []string{"new user: name=", "new group: name=", "delete user '", "password changed for", "password for '", "' to group '", "changed password expiry for", "type=ADD_USER", "type=DEL_USER", "type=ADD_GROUP", "type=USER_CHAUTHTOK", "type=USER_MGMT"}},
	{"audit", []string{"type=CONFIG_CHANGE", "type=DAEMON_START", "type=DAEMON_CONFIG", "auditd is starting", "rsyslogd: [origin", "[origin software=\"rsyslogd\"", "Journal started"}},
	{"time", []string{"System clock was stepped", "System clock wrong by", "Time has been changed", "Initial clock synchronization", "Initial synchronization to time server", "Contacted time server", "Selected source ", "time-change", "adjtimex"}},
	{"boot", []string{"Linux version ", "type=SYSTEM_BOOT", "type=SYSTEM_SHUTDOWN", "System is powering down", "System is rebooting", "Startup finished in"}},
}

var auditLogin = regexp.MustCompile(`type=(?:USER_LOGIN|USER_AUTH)\b[^\n]*\bres=(success|failed)`)

// Classes lists the classes of events that text of logs shows, by the names of
// the parameter log.events.
func Classes(b []byte) []string {
	found := map[string]bool{}
	for _, m := range marks {
		for _, t := range m.texts {
			if bytes.Contains(b, []byte(t)) {
				found[m.class] = true
				break
			}
		}
	}
	for _, m := range auditLogin.FindAllSubmatch(b, -1) {
		if string(m[1]) == "success" {
			found["login"] = true
		} else {
			found["login-failure"] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Logs that tell of people and their log ins, and must not be read by everyone.
var secret = regexp.MustCompile(`^/var/log/(auth\.log|secure|btmp|sudo\.log|syslog|messages|audit/)`)

// shared logs are written through a group by design.
var shared = map[string]bool{"wtmp": true, "btmp": true, "lastlog": true, "faillog": true, "wtmp.db": true, "lastlog2.db": true}

const mostFiles = 10_000

// unsafe lists logs that others may write, and confidential ones that everyone
// may read.
func unsafe(ctx context.Context, h collect.Host) fact.Fact {
	const field, root = "log_unsafe_files", "/var/log"
	names := owner.Load(h.FS)
	out := []any{}
	var faults error
	n := 0
	err := fs.WalkDir(h.FS, collect.Name(root), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == collect.Name(root) {
				return err
			}
			faults = errors.Join(faults, err)
			return fs.SkipDir
		}
		if n++; n > mostFiles || ctx.Err() != nil {
			faults = errors.Join(faults, fmt.Errorf("limit: more than %d files", mostFiles), ctx.Err())
			return fs.SkipAll
		}
		fi, err := d.Info()
		if err != nil {
			return nil // rotated away meanwhile
		}
		if loose("/"+name, fi) {
			out = append(out, map[string]any{"path": "/" + name, "mode": fmt.Sprintf("%04o", bits(fi.Mode())), "owner": names.Of(fi)})
		}
		return nil
	})
	src := fact.Source{Kind: "file", Ref: root}
	switch {
	case collect.Missing(err):
		return collect.None(field, "no logs: no /var/log", src)
	case err != nil:
		return collect.Failed(field, err, src)
	case faults != nil:
		_, reason := collect.Status(faults)
		return fact.Fact{Field: field, Status: fact.Truncated, Reason: reason, Value: out, Source: []fact.Source{src}}
	}
	return collect.Saw(field, out, src)
}

func loose(p string, fi fs.FileInfo) bool {
	m := fi.Mode()
	switch {
	case m.IsDir():
		return m&0o002 != 0 && m&fs.ModeSticky == 0
	case !m.IsRegular():
		return false
	case m&0o002 != 0, m&0o020 != 0 && !shared[path.Base(p)]:
		return true
	}
	return m&0o004 != 0 && secret.MatchString(p)
}

// bits are a mode as chmod takes it.
func bits(m fs.FileMode) uint32 {
	n := uint32(m.Perm())
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&flag != 0 {
			n |= bit
		}
	}
	return n
}
