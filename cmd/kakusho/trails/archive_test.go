package trails_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/blob"
	"kakusho/blob/dir"
	"kakusho/cmd/kakusho/trails"
	"kakusho/trail"
)

// moved makes the data of an installation whose trail events/3y has a retired pack, one
// in the archive, and others.
func moved(t *testing.T) (data string) {
	t.Helper()
	data = t.TempDir()
	store, err := dir.Open(filepath.Join(data, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	l, err := trail.Open(filepath.Join(data, "events", "3y"), trail.Options{Now: time.Now, Installation: "test/events/3y", PackSize: 1, Archive: blob.Under(store, "events/3y")})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := l.AppendLines(t.Context(), [][]byte{fmt.Append(nil, "line ", i)}); err != nil {
			t.Fatal(err)
		}
		if err := l.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	packs, err := l.Packs()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Archive(t.Context(), packs[1].Name), l.Retire(t.Context(), []string{packs[0].Name}, "log.retention.min P3Y"), l.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	commands := trails.Commands(trails.Terminal{
		Stdout: &out, Stderr: &out, Lang: bilingual.EN, Log: slog.New(slog.DiscardHandler),
		Progress: func(string, string) func(int64, int64) { return func(int64, int64) {} },
	})
	c := commands[0]
	c.SetArgs(args)
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestVerifySaysWhatIsInTheArchiveAndWhatWasRetired(t *testing.T) {
	data := moved(t)
	state := filepath.Join(t.TempDir(), "state")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "1 packs are in the archive; 1 of them were fetched and checked"},
		{[]string{"--archive", filepath.Join(data, "archive"), "--resume", state, "--parallel", "1"}, "1 of them were fetched and checked"},
		{[]string{"--archive", "none"}, "1 packs are in the archive; 0 of them were fetched and checked"},
	} {
		out, err := run(t, append([]string{"verify", "--data", data, "--trail", "events/3y"}, c.args...)...)
		if err != nil || !strings.Contains(out, c.want) || !strings.Contains(out, "retired: entries 0 to 0, by segment 5: log.retention.min P3Y") || !strings.Contains(out, "the trail is intact") {
			t.Errorf("%v: got %v, %s", c.args, err, out)
		}
	}
	if _, err := run(t, "verify", "--data", data, "--trail", "events/3y", "--archive", filepath.Join(data, "elsewhere")); err == nil {
		t.Error("verified with an archive that is not there")
	}
	if err := os.Remove(filepath.Join(data, "archive", "events", "3y", "0000000000000001.pack")); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "verify", "--data", data, "--trail", "events/3y"); err == nil || !strings.Contains(out, "missing segment 1 entries 1..1 archive/0000000000000001.pack") {
		t.Errorf("with a pack missing in the archive: got %v, %s", err, out)
	}
}
