package web_test

import (
	"testing"

	"kakusho/web"
)

func TestARedirectStaysOnThisSite(t *testing.T) {
	for to, want := range map[string]string{
		"/":                            "/",
		"/system/A?clause=x#y":         "/system/A?clause=x#y",
		"/検索?q=証跡":                     "/検索?q=証跡",
		"":                             "/",
		"system/A":                     "/",
		"//evil.example":               "/",
		"///evil.example":              "/",
		"/\\evil.example":              "/",
		"\\\\evil.example":             "/",
		"/\t/evil.example":             "/", // a browser leaves the tab out
		"/\n/evil.example":             "/",
		"\t//evil.example":             "/",
		" //evil.example":              "/",
		"https://evil.example":         "/",
		"https:/evil.example":          "/",
		"/#\x01":                       "/",
		"javascript:alert(1)":          "/",
		"data:text/html,x":             "/",
		"/x\r\nSet-Cookie: kakusho=me": "/",
		"/%0d%0aSet-Cookie:x":          "/%0d%0aSet-Cookie:x", // stays encoded
		"/.//evil.example":             "/.//evil.example",    // a path of this site
		"http://[::1":                  "/",
	} {
		if got := web.Local(to); got != want {
			t.Errorf("%q: got %q, want %q", to, got, want)
		}
	}
}

func FuzzLocal(f *testing.F) {
	for _, s := range []string{"/", "//x", "/\\x", "/a?b=c", "https://x", "/\t/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, to string) {
		got := web.Local(to)
		if got == "" || got[0] != '/' || len(got) > 1 && (got[1] == '/' || got[1] == '\\') {
			t.Errorf("%q leads to %q", to, got)
		}
		for i := range len(got) {
			if got[i] < ' ' || got[i] == '\\' {
				t.Errorf("%q leads to %q", to, got)
			}
		}
	})
}

func TestACellIsNeverReadAsAFormula(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "証跡": "証跡", "A-1": "A-1", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "'\t=1", "\r=1": "'\r=1", "'=1": "'=1", " =1": " =1",
	} {
		if got := web.Cell(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
