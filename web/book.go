package web

import (
	"errors"
	"net/http"
	"net/url"

	"kakusho/bilingual"
)

// rulebook is the parameter of an address that asks for another directive than the
// one in force. Any page, list, export or answer to a program takes it.
const rulebook = "rulebook"

// errBook makes a page of status 405: only the directive in force is worked by.
var errBook = errors.New("another directive is read only")

// Book is the directive that pages show.
type Book struct {
	Source string
	Title  bilingual.Text
	Draft  bool
}

// Shown reports whether it is another than the one in force.
func (b Book) Shown() bool { return b.Source != "" }

// Opens opens the pages under a directive, by its source.
type Opens func(source string) (http.Handler, error)

// Books lets every address of the site open under another directive. own is the
// source of the one in force.
func (s *Site) Books(own string, open Opens) { s.own, s.books = own, open }

// leaf leads requests that ask for another directive to its pages.
func (s *Site) leaf(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		source := r.URL.Query().Get(rulebook)
		if s.books == nil || source == "" || source == s.own || timeless(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		req := s.request(w, r)
		if req.Actor.Nobody() {
			next.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			s.fail(w, req, errBook)
			return
		}
		h, err := s.books(source)
		if err != nil {
			s.fail(w, req, err)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// inForceAddress is an address without what asks for another directive.
func inForceAddress(u *url.URL) string { return without(u, rulebook, "lang") }
