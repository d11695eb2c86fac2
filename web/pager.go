package web

import (
	"net/url"
	"strconv"
	"strings"
)

// PageSize is how many rows a list shows at a time.
const PageSize = 50

// Pager is the links to the other parts of a list, in the list's own address.
type Pager struct {
	First, Last, Total int
	Previous, Next     string // addresses; empty at the ends
}

// Offset reads where a list begins from its address.
func (r *Request) Offset() int {
	n, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, 1<<30)
}

// Pager makes the links for a list of total rows.
func (r *Request) Pager(total int) Pager {
	offset := r.Offset()
	p := Pager{First: min(offset+1, total), Last: min(offset+PageSize, total), Total: total}
	if offset > 0 {
		p.Previous = r.With("from", strconv.Itoa(max(0, offset-PageSize)))
	}
	if offset+PageSize < total {
		p.Next = r.With("from", strconv.Itoa(offset+PageSize))
	}
	return p
}

// With is the address of this page with one thing changed; an empty value takes
// it out. Anything but "from" itself begins the list anew.
func (r *Request) With(key, value string) string {
	q := url.Values{}
	for k, v := range r.URL.Query() {
		q[k] = v
	}
	if key != "from" {
		q.Del("from")
	}
	if q.Set(key, value); value == "" {
		q.Del(key)
	}
	q.Del("lang")
	return "?" + q.Encode()
}

// Part cuts the part of a list that its address asks for.
func Part[T any](r *Request, all []T) []T {
	from := min(r.Offset(), len(all))
	return all[from:min(from+PageSize, len(all))]
}

// Cell makes text safe for a spreadsheet: what would be read as a formula is
// marked as text.
func Cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
