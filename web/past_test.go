package web

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var of2026 = [][2]string{{asOf, "2026-06-30"}, {knownAt, "2026-07-31T12:00:00"}}

func TestALinkKeepsTheInstantUnlessItLeadsElsewhere(t *testing.T) {
	const both = "as_of=2026-06-30&known_at=2026-07-31T12%3A00%3A00"
	for link, want := range map[string]string{
		"/verdicts":                      "/verdicts?" + both,
		"/verdicts?outcome=violates":     "/verdicts?outcome=violates&" + both,
		"?from=50":                       "?from=50&" + both,
		"":                               "?" + both,
		"/clause/npa-r3@2.1.1#v-x":       "/clause/npa-r3@2.1.1?" + both + "#v-x",
		"/x?as_of=2026-01-01":            "/x?as_of=2026-01-01&known_at=2026-07-31T12%3A00%3A00",
		"#f-name":                        "#f-name",
		"/assets/app.css?v=1":            "/assets/app.css?v=1",
		"/logout":                        "/logout",
		"https://evil.example/":          "https://evil.example/",
		"//evil.example/":                "//evil.example/",
		"mailto:a@example":               "mailto:a@example",
		"/subject/computer/PC%2F1?q=a&b": "/subject/computer/PC%2F1?q=a&b&" + both,
	} {
		if got := carry(link, of2026); got != want {
			t.Errorf("%s: got %s, want %s", link, got, want)
		}
	}
}

func TestAPageKeepsTheInstantAndChangesNothing(t *testing.T) {
	page := `<!doctype html><p title="a<b">x &amp; y</p><a href="/x?a=1&amp;b=2">to</a><a data-present href="/now">now</a><a id="here">no link</a>` +
		`<form method="get"><input name="q"></form><form method="post" action="/decide"><input name="reason"><button>go</button></form><button>out</button>` +
		`<form method="post" action="/logout" data-present><button>bye</button></form><script src="/assets/app.js"></script>`
	got, err := carryAll([]byte(page), of2026, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<!doctype html><p title="a<b">x &amp; y</p>`,
		`<a href="/x?a=1&amp;b=2&amp;as_of=2026-06-30&amp;known_at=2026-07-31T12%3A00%3A00">to</a><a data-present href="/now">now</a><a id="here">no link</a>`,
		`<form method="get"><input type="hidden" name="as_of" value="2026-06-30"><input type="hidden" name="known_at" value="2026-07-31T12:00:00"><input name="q"></form>`,
		`<form method="post" action="/decide?as_of=2026-06-30&amp;known_at=2026-07-31T12%3A00%3A00"><input name="reason" disabled=""><button disabled="">go</button></form><button>out</button>`,
		`<form method="post" action="/logout" data-present><button>bye</button></form><script src="/assets/app.js"></script>`,
	} {
		if !strings.Contains(string(got), want) {
			t.Errorf("want %s in\n%s", want, got)
		}
	}
}

// FuzzCarryAll: whatever a page is, its text and its other tags stay as they are.
func FuzzCarryAll(f *testing.F) {
	for _, s := range []string{"", "<a href=/x>", "<a href='?b'>x</a", "<form><form method=post><button>", "<svg><a href=/x/></svg>", "<a href=\"\x00\">", "<!--<a href=/>-->", "<textarea><a href=/></textarea>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, page string) {
		out, err := carryAll([]byte(page), of2026, true)
		if err != nil {
			return
		}
		if a, b := texts(page), texts(string(out)); a != b {
			t.Errorf("%q became %q", page, out)
		}
	})
}

// texts is a page without the tags that may have been changed.
func texts(page string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	for z.Next() != html.ErrorToken {
		t := z.Token()
		if t.Type == html.TextToken || t.Type == html.CommentToken || t.Type == html.EndTagToken {
			b.WriteString(t.String())
		}
	}
	return b.String()
}
