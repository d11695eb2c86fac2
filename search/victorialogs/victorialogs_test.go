package victorialogs_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"kakusho/search"
	"kakusho/search/searchtest"
	"kakusho/search/victorialogs"
	"kakusho/search/victorialogs/role"
)

// The test binary plays the role itself, as the kakusho command does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "index" {
		os.Exit(role.Main(os.Args[2:], os.Stdin))
	}
	os.Exit(m.Run())
}

func start(t testing.TB, o victorialogs.Options) *victorialogs.Child {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Command = []string{os.Args[0], "index"}
	if o.MinFree == 0 {
		o.MinFree = 1 << 20
	}
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	c, err := victorialogs.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ready(t, c)
	return c
}

func ready(t testing.TB, c *victorialogs.Child) {
	t.Helper()
	for range 400 {
		if c.Engine().Health(t.Context()) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the engine is not ready after 20 seconds")
}

func TestEngine(t *testing.T) {
	searchtest.Run(t, func(t *testing.T) search.Engine { return start(t, victorialogs.Options{}).Engine() })
}
