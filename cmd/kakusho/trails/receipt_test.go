package trails

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/trail"
)

// run is what a command says, and how it ends.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := &cobra.Command{Use: "kakusho", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(Commands(Terminal{
		Stdout: &out, Stderr: &out, Lang: bilingual.EN, Log: slog.New(slog.DiscardHandler),
		Progress: func(_, _ string) func(done, total int64) { return nil },
	})...)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

// took is a trail of some lines, and the receipts for them, one a batch.
func took(t *testing.T, dir, installation string, batches ...string) (notes [][]byte) {
	t.Helper()
	l, err := trail.Open(dir, trail.Options{Now: time.Now, Installation: installation})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		lines := [][]byte{[]byte(b), []byte(b + "2")}
		first, err := l.AppendLines(t.Context(), lines)
		if err != nil {
			t.Fatal(err)
		}
		note, err := l.Receipt(first, lines, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		notes = append(notes, note)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return notes
}

func TestReceiptsAreHeldAgainstTheTrail(t *testing.T) {
	data := t.TempDir()
	notes := took(t, filepath.Join(data, "events/3y"), "test/events/3y", "a", "b", "c")
	others := took(t, filepath.Join(data, "events/1y"), "test/events/1y", "d")
	again := took(t, filepath.Join(data, "again"), "test/events/3y", "a", "x") // another history of that name
	key, err := trail.PublicKey(filepath.Join(data, "again"))
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, note := range append(notes, others...) {
		line, err := json.Marshal(map[string]string{"note": string(note)})
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	receipts, single := filepath.Join(data, "receipts"), filepath.Join(data, "one")
	for name, text := range map[string][]byte{receipts: lines.Bytes(), single: again[1]} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(t, "trail", "receipt", "--data", data, "--trail", "events/3y", receipts)
	if err != nil || !strings.Contains(out, "3 receipts are kept; 1 are of other trails") {
		t.Errorf("got %q, %v", out, err)
	}
	for what, args := range map[string][]string{
		"signed by another key":     {single},
		"of a history put aside":    {"--key", key, single},
		"one bad among good ones":   {receipts, single},
		"with a key of nobody here": {"--key", key, receipts},
	} {
		out, err := run(t, append([]string{"trail", "receipt", "--data", data, "--trail", "events/3y"}, args...)...)
		var status exit
		if !errors.As(err, &status) || status.status != statusIntegrity || !strings.Contains(out, "receipt does not hold") {
			t.Errorf("%s: got %q, %v", what, out, err)
		}
	}
	if _, err := run(t, "trail", "receipt", "--data", data, "--trail", "events/3y", filepath.Join(data, "events/3y/trail.pub")); err == nil {
		t.Error("a file that holds no receipt passes")
	}
}
