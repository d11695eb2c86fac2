// Package web is the frame of the pages: who asks, in which language, with which
// permit; how an answer is rendered; what every page has around it.
//
// The pages themselves are in the folders beside this file, one file and one
// template each, named as the address. They are rendered on the server and work
// without JavaScript. A page gets a Request that the gate has let through and
// returns an Answer; errors become a status and a page in one place.
package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/gate"
	"kakusho/identity"
	"kakusho/kind"
	"kakusho/register"
)

//go:embed frame.html error.html folding.html assets
var files embed.FS

// Config is what the frame needs. All fields are required but Past, Demo and Secure.
type Config struct {
	Log      *slog.Logger
	Gate     *gate.Gate
	Identity *identity.Identity
	Now      func() time.Time // the whole's clock
	Past     calendar.Past    // the instant these pages show; zero: now
	Book     Book             // the directive these pages show; zero: the one in force
	Version  string
	Source   bilingual.Text // title of the directive
	Secure   bool           // served over TLS: cookies are for TLS only
	Demo     bool           // an invented body: every page says so

	Held func(context.Context, actor.Actor, time.Time) (bool, error) // whether somebody is to acknowledge notices before anything else
}

// Site collects the pages and serves them.
type Site struct {
	cfg    Config
	mux    *http.ServeMux
	assets map[string]asset
	frames map[bilingual.Lang]*template.Template
	open   Opener // of other times; nil: there is only now
	books  Opens  // of other directives; nil: there is only the one in force
	own    string // source of the directive of these pages
	waits  func(*Request) (Waiting, error)

	folding map[bilingual.Lang]*template.Template // while another time is being made
}

type asset struct {
	body   []byte
	mime   string
	digest string
}

// New returns a site without pages.
func New(cfg Config) (*Site, error) {
	s := &Site{cfg: cfg, mux: http.NewServeMux(), assets: map[string]asset{}, frames: map[bilingual.Lang]*template.Template{}, folding: map[bilingual.Lang]*template.Template{}}
	if err := s.loadAssets(); err != nil {
		return nil, err
	}
	for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
		t, err := template.New("frame").Funcs(s.funcs(l)).ParseFS(files, "frame.html", "error.html")
		if err != nil {
			return nil, fmt.Errorf("parse frame: %w", err)
		}
		s.frames[l] = t
		if s.folding[l], err = t.Clone(); err == nil {
			_, err = s.folding[l].ParseFS(files, "folding.html")
		}
		if err != nil {
			return nil, fmt.Errorf("parse frame: %w", err)
		}
	}
	s.mux.HandleFunc("GET /assets/{name}", s.serveAsset)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, s.request(w, r), ErrNotFound) })
	return s, nil
}

// Handler serves the site: security headers, cross-origin protection, limits.
func (s *Site) Handler() http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, s.request(w, r), errCrossOrigin)
	}))
	return s.headers(guard.Handler(s.travel(s.leaf(s.mux))))
}

func (s *Site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if s.cfg.Secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !strings.HasPrefix(r.URL.Path, "/assets/") {
			h.Set("Cache-Control", "no-store")
		}
		r.Body = http.MaxBytesReader(w, r.Body, 12<<20)
		if !utf8.ValidString(r.URL.Path) { // names nothing, and the trail could not say what was asked for
			http.Error(w, "400", http.StatusBadRequest)
			return
		}
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil { // what of it can be read alone may ask for another time, or none
			s.fail(w, s.request(w, r), fmt.Errorf("%w: %w", errAddress, err))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Templates parses the templates of a folder of pages, for both languages, each
// over the frame. The file name without ".html" is the page's; a file part-*.html is
// no page, and its templates are for all of the folder.
func (s *Site) Templates(fsys fs.FS) (Pages, error) {
	names, err := fs.Glob(fsys, "*.html")
	if err != nil {
		return nil, err
	}
	parts, err := fs.Glob(fsys, "part-*.html")
	if err != nil {
		return nil, err
	}
	pages := Pages{}
	for _, l := range []bilingual.Lang{bilingual.JA, bilingual.EN} {
		for _, name := range names {
			t, err := s.frames[l].Clone()
			if err != nil {
				return nil, err
			}
			if t, err = t.ParseFS(fsys, append(slices.Clone(parts), name)...); err != nil {
				return nil, fmt.Errorf("parse page: %w", err)
			}
			pages[string(l)+"/"+strings.TrimSuffix(name, ".html")] = t
		}
	}
	return pages, nil
}

// Pages are parsed templates by "language/name".
type Pages map[string]*template.Template

// Request is a request that the frame has understood.
type Request struct {
	*http.Request
	Actor  actor.Actor
	Permit gate.Permit // to read; of GET pages only
	Lang   bilingual.Lang
	At     time.Time     // the instant shown: now, or that of Past
	Past   calendar.Past // zero: the present is shown
	site   *Site
	reads  bool // Permit was given
}

// Waiting is how much the reader's posts have open, and how much of it is overdue.
type Waiting struct{ All, Late int }

// Waits has the frame of every page say how much waits for its reader.
func (s *Site) Waits(count func(*Request) (Waiting, error)) { s.waits = count }

// waiting is what waits for the reader; nobody's page says so when it cannot be told.
func (s *Site) waiting(r *Request) (w Waiting) {
	if s.waits == nil || !r.reads {
		return w
	}
	w, err := s.waits(r)
	if err != nil && !errors.Is(err, context.Canceled) {
		s.cfg.Log.Error("count what waits", "path", r.URL.Path, "error", err)
	}
	return w
}

// Read asks for a permit to read, for an answer to a POST that shows a page.
func (r *Request) Read() (gate.Permit, error) {
	var err error
	r.Permit, err = r.site.cfg.Gate.Ask(r.Context(), gate.Request{Actor: r.Actor, At: r.At, Action: gate.Read, Object: "page" + r.URL.Path, Scope: r.Actor.Everywhere()})
	r.reads = err == nil
	return r.Permit, err
}

// Base is the address of this installation, as the request came to it.
func (r *Request) Base() string {
	if r.site.cfg.Secure {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Answer is what a page returns: one of a view, a way on, or a download.
type Answer struct {
	Page     string // template
	Title    bilingual.Text
	Data     any
	Status   int    // zero: 200; 422 when a form came back with faults
	Redirect string // a path of this site, after a change
	Download *Download
	JSON     any                              // for programs
	Stream   func(context.Context, io.Writer) // server-sent events, until the reader goes away; each write is sent at once
	Cookie   *http.Cookie
}

// Download is a file to save.
type Download struct {
	Name string
	Type string
	Body []byte
}

// Page serves "GET pattern" to those the gate lets read.
func (s *Site) Page(pages Pages, pattern string, h func(*Request) (Answer, error)) {
	s.mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
		req := s.request(w, r)
		if req.Actor.Nobody() {
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return
		}
		if s.held(w, req) {
			return
		}
		if _, err := req.Read(); err != nil {
			s.fail(w, req, err)
			return
		}
		s.answer(w, req, pages, h)
	})
}

// Act serves "POST pattern" to those who are logged in; the work package it calls
// asks the gate.
func (s *Site) Act(pages Pages, pattern string, h func(*Request) (Answer, error)) {
	s.mux.HandleFunc("POST "+pattern, func(w http.ResponseWriter, r *http.Request) {
		req := s.request(w, r)
		if req.Actor.Nobody() {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		if s.held(w, req) {
			return
		}
		if err := r.ParseForm(); err != nil {
			s.fail(w, req, fmt.Errorf("%w: %w", ErrBadRequest, err))
			return
		}
		s.answer(w, req, pages, h)
	})
}

// Put serves "PUT pattern" to programs that are logged in.
func (s *Site) Put(pattern string, h func(*Request) (Answer, error)) {
	s.mux.HandleFunc("PUT "+pattern, func(w http.ResponseWriter, r *http.Request) {
		req := s.request(w, r)
		if req.Actor.Nobody() {
			http.Error(w, "401", http.StatusUnauthorized)
			return
		}
		if s.held(w, req) {
			return
		}
		s.answer(w, req, nil, h)
	})
}

// Acknowledging is where notices are acknowledged.
const Acknowledging = "/notices/acknowledge"

var errHeld = errors.New("notices are to be acknowledged first")

// held sends somebody who is to acknowledge notices to where that is done.
func (s *Site) held(w http.ResponseWriter, req *Request) bool {
	held, err := s.cfg.Held(req.Context(), req.Actor, s.cfg.Now())
	switch {
	case err != nil:
		s.fail(w, req, err)
	case !held:
		return false
	case strings.HasPrefix(req.URL.Path, "/api/"):
		s.fail(w, req, errHeld)
	case req.Method == http.MethodGet:
		http.Redirect(w, req.Request, Acknowledging+"?next="+url.QueryEscape(req.URL.RequestURI()), http.StatusSeeOther)
	default:
		http.Redirect(w, req.Request, Acknowledging, http.StatusSeeOther)
	}
	return true
}

// Open serves a pattern ("GET /login") to anybody.
func (s *Site) Open(pages Pages, pattern string, h func(*Request) (Answer, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, s.request(w, r), pages, h)
	})
}

// cookieName has the prefix that binds a cookie to this host where TLS allows it.
func (s *Site) cookieName() string {
	if s.cfg.Secure {
		return "__Host-kakusho"
	}
	return "kakusho"
}

// SessionCookie carries a session token; an empty token ends it.
func (s *Site) SessionCookie(token string) *http.Cookie {
	c := &http.Cookie{Name: s.cookieName(), Value: token, Path: "/", HttpOnly: true, Secure: s.cfg.Secure, SameSite: http.SameSiteStrictMode}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

func (s *Site) request(w http.ResponseWriter, r *http.Request) *Request {
	now := s.cfg.Now()
	req := &Request{Request: r, At: now, Lang: language(w, r), site: s}
	if req.Past = s.cfg.Past; !req.Past.AsOf.IsZero() {
		req.At = req.Past.AsOf
	}
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return req
	}
	a, err := s.cfg.Identity.Actor(r.Context(), c.Value, Addr(r), now)
	if err != nil {
		s.cfg.Log.Error("look for session", "error", err)
		return req // nobody: deny by default
	}
	req.Actor = a
	return req
}

// Addr is where a request came from, without the port.
func Addr(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// language is the one asked for in the address, else the one chosen before, else
// Japanese unless the browser reads English and no Japanese.
func language(w http.ResponseWriter, r *http.Request) bilingual.Lang {
	if l, ok := bilingual.ParseLang(r.URL.Query().Get("lang")); ok {
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: string(l), Path: "/", MaxAge: 365 * 86400, SameSite: http.SameSiteLaxMode, HttpOnly: true})
		return l
	}
	if c, err := r.Cookie("lang"); err == nil {
		if l, ok := bilingual.ParseLang(c.Value); ok {
			return l
		}
	}
	accept := strings.ToLower(r.Header.Get("Accept-Language"))
	if strings.Contains(accept, "en") && !strings.Contains(accept, "ja") {
		return bilingual.EN
	}
	return bilingual.JA
}

func (s *Site) answer(w http.ResponseWriter, req *Request, pages Pages, h func(*Request) (Answer, error)) {
	a, err := h(req)
	if err != nil {
		s.fail(w, req, err)
		return
	}
	if a.Cookie != nil {
		http.SetCookie(w, a.Cookie)
	}
	switch {
	case a.Redirect != "":
		http.Redirect(w, req.Request, carry(Local(a.Redirect), keep(req.Request)), http.StatusSeeOther)
	case a.Download != nil:
		w.Header().Set("Content-Type", a.Download.Type)
		w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(a.Download.Name))
		w.Write(a.Download.Body) //nolint:errcheck // the reader went away
	case a.JSON != nil:
		sendJSON(w, a.Status, a.JSON)
	case a.Stream != nil:
		stream(w, req.Request, a.Stream)
	default:
		s.render(w, req, pages[string(req.Lang)+"/"+a.Page], a)
	}
}

// Local keeps a redirect on this site: anything that is not a path of it goes to
// the first page.
func Local(to string) string {
	u, err := url.Parse(to)
	steers := func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' } // browsers leave some out, and read others as a slash
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsFunc(to, steers) {
		return "/"
	}
	return to
}

// frame is what frame.html is given.
type frame struct {
	Title   bilingual.Text
	Data    any
	Lang    bilingual.Lang
	Other   string // the same address in the other language
	Actor   actor.Actor
	Path    string
	At      time.Time
	Version string
	Source  bilingual.Text
	Demo    bool
	When    when
	Book    Book
	Back    string // this page under the directive in force; empty: the address asks for no other
	Here    string // this very address
	Waits   Waiting
}

func (s *Site) render(w http.ResponseWriter, req *Request, t *template.Template, a Answer) {
	if t == nil {
		s.fail(w, req, fmt.Errorf("no template for page %q", a.Page))
		return
	}
	other := req.URL.Query()
	other.Set("lang", map[bilingual.Lang]string{bilingual.JA: "en", bilingual.EN: "ja"}[req.Lang])
	f := frame{
		Title: a.Title, Data: a.Data, Lang: req.Lang, Other: "?" + other.Encode(), Actor: req.Actor, Path: req.URL.Path,
		At: req.At, Version: s.cfg.Version, Source: s.cfg.Source, Demo: s.cfg.Demo,
		When: s.when(req), Book: s.cfg.Book, Here: req.URL.RequestURI(), Waits: s.waiting(req),
	}
	if req.URL.Query().Has(rulebook) {
		f.Back = inForceAddress(req.URL)
	}
	var buf bytes.Buffer
	if err := t.ExecuteTemplate(&buf, "frame", f); err != nil {
		s.cfg.Log.Error("render page", "path", req.URL.Path, "error", err)
		http.Error(w, "500 — "+bilingual.Say("表示できなかった。運用者は記録を確認すること。", "This page could not be shown. The operator finds why in the log.").In(req.Lang), http.StatusInternalServerError)
		return
	}
	page := buf.Bytes()
	if params := keep(req.Request); len(params) > 0 {
		var err error
		if page, err = carryAll(page, params, f.When.Shown() || f.Book.Shown()); err != nil { // of a page of ours it cannot be
			s.cfg.Log.Error("render page", "path", req.URL.Path, "error", err)
			page = buf.Bytes()
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	w.Write(page) //nolint:errcheck // the reader went away
}

var (
	errCrossOrigin = errors.New("request from another site")
	errAddress     = errors.New("unreadable address")
	// ErrNotFound makes a page of status 404.
	ErrNotFound = errors.New("not found")
	// ErrBadRequest makes a page of status 400.
	ErrBadRequest = errors.New("bad request")
	// ErrBusy makes a page of status 503: too many do the same just now.
	ErrBusy = errors.New("too many at once")
	// ErrState makes a page of status 409: the thing is past that step.
	ErrState = errors.New("not in the state for this")
)

// fail turns an error into a status and a page: the one place that does.
// Outsiders see a number and what to do, never a cause.
func (s *Site) fail(w http.ResponseWriter, req *Request, err error) {
	status, text := http.StatusInternalServerError, bilingual.Say(
		"処理できなかった。運用者は時刻と番号を手掛かりに記録を確認すること。", "Something failed. The operator can find it in the log by time and number.")
	var tooLarge *http.MaxBytesError
	var typed kind.Fault // in an address: forms show their faults themselves
	var noTime calendar.Fault
	switch {
	case errors.Is(err, errAddress):
		status, text = http.StatusBadRequest, bilingual.Say("アドレスの「?」より後を読み取れない。「;」と「%」は %3B、%25 と書くこと。", "What follows the “?” of this address cannot be read. Write “;” and “%” as %3B and %25.")
	case errors.As(err, &noTime):
		status, text = http.StatusBadRequest, bilingual.Text(noTime)
	case errors.Is(err, errOnlyNow):
		status, text = http.StatusNotFound, bilingual.Say("この画面は現在だけを示し、他の時点はない。", "This page shows the present only; it has no other time.")
	case errors.Is(err, errBook):
		status, text = http.StatusMethodNotAllowed, bilingual.Say("適用中でない規程の表示は閲覧のみで、変更できない。適用中の規程の表示に戻って行うこと。", "Under a directive that is not in force pages are only read. Go back to the one in force to make changes.")
	case errors.Is(err, errPast):
		status, text = http.StatusMethodNotAllowed, bilingual.Say("現在でない時点は閲覧のみで、変更できない。現在の表示に戻って行うこと。", "Another time than now is only read. Go back to the present to make changes.")
	case errors.Is(err, gate.ErrRefused):
		status, text = http.StatusForbidden, bilingual.Say("この操作を行う権限がない。要求は記録された。", "Your posts do not allow this. The request was recorded.")
	case errors.Is(err, errHeld):
		status, text = http.StatusForbidden, bilingual.Say("先に周知文を確認すること（/notices/acknowledge）。", "Acknowledge the notices first (/notices/acknowledge).")
	case errors.Is(err, errCrossOrigin):
		status, text = http.StatusForbidden, bilingual.Say("他のサイトからの要求は受け付けない。", "Requests from other sites are not accepted.")
	case errors.Is(err, ErrNotFound), errors.Is(err, register.ErrNoEntry), errors.Is(err, register.ErrNoKind), errors.Is(err, fs.ErrNotExist):
		status, text = http.StatusNotFound, bilingual.Say("このページ又は登録はない。", "There is no such page or entry.")
	case errors.Is(err, ErrBusy):
		status, text = http.StatusServiceUnavailable, bilingual.Say("同じ操作を行っている者が多い。しばらくして改めて行うこと。", "Too many are doing this just now. Try again in a while.")
	case errors.Is(err, ErrState):
		status, text = http.StatusConflict, bilingual.Say("既に承認、取下げ又は期限切れとなっており、この操作はできない。", "It is approved, withdrawn or ended already; this cannot be done.")
	case errors.Is(err, register.ErrConflict), errors.Is(err, register.ErrNoStep):
		status, text = http.StatusConflict, bilingual.Say("他の者が先に変更した。開き直して入力すること。", "Somebody changed it meanwhile. Open it again and enter your change.")
	case errors.As(err, &tooLarge):
		status, text = http.StatusRequestEntityTooLarge, bilingual.Say("送信された内容が大き過ぎる（上限12MiB）。", "The request is too large (at most 12 MiB).")
	case errors.Is(err, ErrBadRequest), errors.As(err, &typed):
		status, text = http.StatusBadRequest, bilingual.Say("要求の内容を読み取れない。", "The request cannot be read.")
	case errors.Is(err, context.Canceled):
		return
	}
	if status >= 500 && !errors.Is(err, ErrBusy) {
		s.cfg.Log.Error("serve page", "path", req.URL.Path, "error", err)
	}
	if strings.HasPrefix(req.URL.Path, "/api/") {
		sendJSON(w, status, map[string]any{"status": status, "message": text.In(req.Lang)})
		return
	}
	s.render(w, req, s.frames[req.Lang], Answer{Title: text, Status: status, Data: status})
}

func sendJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if status != 0 {
		w.WriteHeader(status)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.Encode(v) //nolint:errcheck,errchkjson // the reader went away
}

func (s *Site) loadAssets() error {
	return fs.WalkDir(files, "assets", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		mime := map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
		s.assets[d.Name()] = asset{b, mime[path[strings.LastIndexByte(path, '.')+1:]], hex.EncodeToString(sum[:8])}
		return nil
	})
}

func (s *Site) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := s.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.mime)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(a.body) //nolint:errcheck // the reader went away
}
