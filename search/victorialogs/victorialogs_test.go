package victorialogs_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
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

// served is a VictoriaLogs of somebody else: over TCP, with a name and a password.
func served(t *testing.T) (address string) {
	t.Helper()
	c := start(t, victorialogs.Options{})
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "index"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.Socket())
		}},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "kakusho" || password != "s3cret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return strings.Replace(srv.URL, "http://", "http://kakusho:s3cret@", 1)
}

func TestEngineElsewhere(t *testing.T) {
	suite := searchtest.Keep
	if os.Getenv("KAKUSHO_NIGHTLY") != "" {
		suite = searchtest.Run
	}
	suite(t, func(t *testing.T) search.Engine {
		e, err := victorialogs.Dial(served(t))
		if err != nil {
			t.Fatal(err)
		}
		return e
	})
}

func TestWhatDoesNotAnswerIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	wrong := strings.Replace(served(t), "s3cret", "guess", 1)
	for name, address := range map[string]string{"nobody listens": "http://" + l.Addr().String(), "it does not let us in": wrong} {
		e, err := victorialogs.Dial(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Health(t.Context()); !errors.Is(err, search.ErrDown) {
			t.Errorf("%s: health: %v", name, err)
		}
		if err := e.Insert(t.Context(), searchtest.Rows("3y", 0, 1)); !errors.Is(err, search.ErrDown) {
			t.Errorf("%s: insert: %v", name, err)
		}
		err = e.Query(t.Context(), search.Query{}, func(search.Hit) bool { return true })
		if err == nil || name == "nobody listens" && !errors.Is(err, search.ErrDown) {
			t.Errorf("%s: query: %v", name, err)
		}
		if strings.Contains(err.Error(), "guess") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
	for _, bad := range []string{"", "localhost:9428", "ftp://x", "http://", "http://a b"} {
		if _, err := victorialogs.Dial(bad); err == nil {
			t.Errorf("Dial(%q) took it", bad)
		}
	}
}

func TestAKilledEngineSaysDownAndComesBack(t *testing.T) {
	c := start(t, victorialogs.Options{})
	before := c.Engine().Restarts()
	c.Restart("test")
	down := false
	for range 400 {
		err := c.Engine().Health(t.Context())
		down = down || errors.Is(err, search.ErrDown)
		if err == nil && down && c.Engine().Restarts() > before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("down: %v, restarts %d then %d", down, before, c.Engine().Restarts())
}
