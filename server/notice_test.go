package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"kakusho/actor"
	tell "kakusho/server/notice"
)

// relay is a real SMTP server with STARTTLS and a password, which can be shut.
type relay struct {
	t    *testing.T
	addr string
	safe *tls.Config
	pem  string

	mu     sync.Mutex
	server *smtp.Server
	got    []*mail.Message
	bodies []string
	no     string // recipient that it does not know
}

const relayPassword, hookKey = "himitsu-no-relay-4711", "himitsu-no-kagi-0815-0815"

func newRelay(t *testing.T) *relay {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, safe: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
	r.open()
	t.Cleanup(r.shut)
	return r
}

func (r *relay) open() {
	r.t.Helper()
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{relay: r}, nil }))
	s.Domain, s.TLSConfig, s.ErrorLog = "localhost", r.safe, slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if r.addr == "" {
		r.addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	r.mu.Lock()
	r.server = s
	r.mu.Unlock()
	go s.Serve(ln) //nolint:errcheck // until it is shut
}

func (r *relay) shut() { r.server.Close() }

func (r *relay) messages() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.got) }

type session struct {
	relay *relay
	known bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "kakusho" || password != relayPassword {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}
func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	return nil
}
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if to == s.relay.no {
		return &smtp.SMTPError{Code: 550, Message: "no such user"}
	}
	return nil
}
func (s *session) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
	if err != nil {
		return err
	}
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.got, s.relay.bodies = append(s.relay.got, m), append(s.relay.bodies, string(text))
	return nil
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// eventually waits for what the teller does in its own time.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("%s: not within a minute", what)
}

func notices(r *relay, hook string) url.Values {
	return url.Values{"on": {"1"}, "base": {"https://kakusho.example.jp"}, "minutes": {"60"}, "relay": {r.addr}, "security": {"starttls"}, "from": {"kakusho@example.jp"}, "user": {"kakusho"},
		"password": {relayPassword}, "webhook": {hook}, "key": {hookKey}, "ca": {r.pem}}
}

// Somebody is told what is new since he was told last: after the relay was down, after
// the program was started again, and never twice.
func TestWhatIsNewIsToldOnceThroughOutagesAndRestarts(t *testing.T) {
	b := found(t)
	r := newRelay(t)
	type hooked struct {
		ID, Person string
		Items      []struct{ Subject string }
	}
	var mu sync.Mutex
	var hooks []hooked
	down := true
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		text, _ := io.ReadAll(q.Body)
		at, _ := strconv.ParseInt(q.Header.Get("X-Kakusho-Timestamp"), 10, 64)
		var h hooked
		if err := json.Unmarshal(text, &h); err != nil || q.Header.Get("X-Kakusho-Signature") != tell.Sign(hookKey, at, text) || q.Header.Get("Idempotency-Key") != h.ID {
			t.Errorf("a body that is not signed, or under another number: %v %s", q.Header, text)
		}
		mu.Lock()
		defer mu.Unlock()
		if down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		hooks = append(hooks, h)
	}))
	defer receiver.Close()
	hooksOf := func(subject string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, h := range hooks {
			for _, i := range h.Items {
				if h.Person == "s-officer-a" && i.Subject == subject {
					n++
				}
			}
		}
		return n
	}
	mails := func(words string) (n int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, text := range r.bodies {
			n += strings.Count(text, words)
		}
		return n
	}
	b.put(actor.Program, "person", values{"staff_no": "s-officer-a", "name": "試験 s-officer-a", "unit": "HQ", "employment": "staff", "status": "active", "email": "officer-a@example.jp"})
	b.put(actor.Program, "person", values{"staff_no": "s-officer-b", "name": "試験 s-officer-b", "unit": "HQ", "employment": "staff", "status": "active", "email": "gone@example.jp"})
	r.no = "gone@example.jp"
	alert := func(no string) {
		b.put(actor.Program, "alert", values{"alert_no": no, "title": "不審なログイン", "rule": "r", "level": "high", "system": "A", "count": int64(1), "first_at": b.Now(), "last_at": b.Now(),
			"raised_at": b.Now(), "deadline": b.Now().Add(30 * day), "state": "open"})
	}
	alert("AL-1")
	r.shut() // the relay is down when it begins
	base, stop := b.serveUntil()
	if status, text := b.ask(base, "s-operator", http.MethodPost, "/notices", notices(r, receiver.URL)); status != http.StatusSeeOther {
		t.Fatalf("set up: %d %.500s", status, text)
	}
	eventually(t, "the relay is down and the page says so", func() bool {
		_, page := b.get(base, "s-operator", "/notices")
		return bytes.Contains(page, []byte("connection refused")) && bytes.Contains(page, []byte("the receiver answered 502"))
	})
	if _, page := b.get(base, "s-operator", "/notices"); bytes.Contains(page, []byte(relayPassword)) || bytes.Contains(page, []byte(hookKey)) {
		t.Error("the page shows a secret")
	}
	stop() // the machine is started again while both are down
	b.nowhere("the relay's password", relayPassword)
	b.nowhere("the signing key", hookKey)
	b.start()
	r.open()
	mu.Lock()
	down = false
	mu.Unlock()
	_, stop = b.serveUntil()
	eventually(t, "the mail that could not be sent", func() bool { return mails("/alert/AL-1") == 1 })
	eventually(t, "the webhook that could not be called", func() bool { return hooksOf("alert/AL-1") == 1 })
	stop()
	b.start()
	_, stop = b.serveUntil()
	alert("AL-2") // within the hour: it waits for the next digest
	b.Teller.Wake()
	time.Sleep(3 * time.Second)
	if mails("/alert/AL-1") != 1 || hooksOf("alert/AL-1") != 1 || mails("/alert/AL-2") != 0 {
		t.Errorf("after a restart: AL-1 told %d times by mail and %d by webhook, AL-2 %d within the hour", mails("/alert/AL-1"), hooksOf("alert/AL-1"), mails("/alert/AL-2"))
	}
	b.tick(61 * time.Minute)
	b.Teller.Wake()
	eventually(t, "the next digest", func() bool { return mails("/alert/AL-2") == 1 && hooksOf("alert/AL-2") == 1 })
	if mails("/alert/AL-1") != 1 || hooksOf("alert/AL-1") != 1 {
		t.Error("AL-1 was told again")
	}
	b.tick(30 * day) // by time alone it is overdue, and that is new
	b.Teller.Wake()
	eventually(t, "what became overdue", func() bool { return mails("/alert/AL-1") == 2 && mails("/alert/AL-2") == 2 })
	stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.got[0]
	subject, err := new(mime.WordDecoder).DecodeHeader(first.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "【確証】受信箱に新たな事項") || first.Header.Get("To") != "<officer-a@example.jp>" || first.Header.Get("Message-Id") == "" {
		t.Errorf("the mail: %q %v, %v", subject, err, first.Header)
	}
	for _, m := range r.got {
		if strings.Contains(m.Header.Get("To"), "gone@") {
			t.Error("a mail to whom the relay does not know")
		}
	}
}

func TestTheSettingsOfNotices(t *testing.T) {
	b := found(t)
	base := b.open()
	r := newRelay(t)
	for person, want := range map[string]int{"s-operator": http.StatusOK, "s-admin": http.StatusOK, "s-officer-a": http.StatusForbidden, "s-auditor": http.StatusForbidden} {
		if status, _ := b.get(base, person, "/notices"); status != want {
			t.Errorf("the settings for %s: %d, want %d", person, status, want)
		}
	}
	if status, _ := b.ask(base, "s-officer-a", http.MethodPost, "/notices", notices(r, "")); status != http.StatusForbidden {
		t.Errorf("set by an officer: %d", status)
	}
	for _, c := range []struct{ field, value, at string }{
		{"base", "kakusho", "base"}, {"minutes", "0", "minutes"}, {"minutes", "x", "minutes"}, {"relay", "mail.example.jp", "relay"}, {"security", "none", "security"}, {"security", "plain", "security"},
		{"from", "x", "from"}, {"from", "a@b.jp\r\nBcc: c@d.jp", "from"}, {"webhook", "ftp://x/", "webhook"}, {"webhook", "https://u:p@x/", "webhook"}, {"key", "short", "key"}, {"ca", "x", "ca"},
	} {
		v := notices(r, "https://hook.example.jp/")
		v.Set(c.field, c.value)
		status, page := b.ask(base, "s-operator", http.MethodPost, "/notices", v)
		if status != http.StatusUnprocessableEntity || !bytes.Contains(page, []byte(`id="e-`+c.at+`"`)) && c.at != "security" {
			t.Errorf("%s=%q: %d", c.field, c.value, status)
		}
	}
	v := notices(r, "")
	v.Del("on")
	if status, _ := b.ask(base, "s-operator", http.MethodPost, "/notices", v); status != http.StatusSeeOther {
		t.Errorf("sound settings: %d", status)
	}
	v.Set("password", "")
	b.ask(base, "s-operator", http.MethodPost, "/notices", v)
	s, err := b.Notices.Settings(b.ctx)
	if err != nil || s.Relay != r.addr || s.On {
		t.Errorf("settings: %+v, %v", s, err)
	}
	if x, err := b.Notices.Secrets(s); err != nil || x.Password != relayPassword {
		t.Errorf("the password after a form without it: %v", err)
	}
}

// The operator sends himself a test. Each line is what is wrong with the settings, and
// what the page says to do about it, in both languages.
func TestATestOfNoticesSaysWhatIsWrong(t *testing.T) {
	b := found(t)
	base := b.open()
	r := newRelay(t)
	shut, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := shut.Addr().String()
	shut.Close()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer receiver.Close()
	person := func(email, language string) {
		v := values{"staff_no": "s-operator", "name": "試験 s-operator", "unit": "HQ", "employment": "staff", "status": "active"}
		if email != "" {
			v["email"] = email
		}
		if language != "" {
			v["language"] = language
		}
		b.put(actor.Program, "person", v)
	}
	set := func(fields map[string]string) {
		t.Helper()
		v := notices(r, "")
		v.Del("on")
		for name, text := range fields {
			v.Set(name, text)
		}
		if status, text := b.ask(base, "s-operator", http.MethodPost, "/notices", v); status != http.StatusSeeOther {
			t.Fatalf("set %v: %d %s", fields, status, mainOf(string(text)))
		}
	}
	person("operator@example.jp", "")
	for _, c := range []struct {
		fields map[string]string
		ja, en string
	}{
		{map[string]string{"relay": "no-such-host.invalid:587"}, "サーバの名前を解決できない。", "host&#39;s name is not known"},
		{map[string]string{"relay": refused}, "接続を拒否された。", "The connection was refused."},
		{map[string]string{"security": "tls"}, "TLSによる応答がない。", "It does not speak TLS there."},
		{map[string]string{"ca": ""}, "証明書の発行者を信頼できない。", "an authority that is not trusted"},
		{map[string]string{"relay": strings.Replace(r.addr, "127.0.0.1", "localhost", 1)}, "証明書の名前がホスト名と一致しない。", "for another name"},
		{map[string]string{"password": "wrong"}, "認証に失敗した。", "did not accept user and password"},
		{map[string]string{"relay": "", "webhook": receiver.URL}, "受信側が受け付けなかった。", "The receiver did not accept it."},
		{map[string]string{"relay": ""}, "送信の方法が登録されていない。", "No channel is set up."},
		{nil, "送信した。届いたことを確かめる。", "handed over. See whether it arrived."},
	} {
		set(c.fields)
		for lang, want := range map[string]string{"ja": c.ja, "en": c.en} {
			status, page := b.ask(base, "s-operator", http.MethodPost, "/notices/try?lang="+lang, url.Values{})
			if status != http.StatusOK || !strings.Contains(string(page), want) {
				t.Errorf("%v in %s: %d, does not say %q: %s", c.fields, lang, status, want, mainOf(string(page)))
			}
			if bytes.Contains(page, []byte(relayPassword)) {
				t.Errorf("%v: the page shows the password", c.fields)
			}
		}
	}
	r.no = "operator@example.jp"
	b.tries(base, "宛先が受け付けられない。")
	r.no = ""
	person("", "")
	b.tries(base, "電子メールのアドレスが登録されていない。")
	person("operator@example.jp", "en")
	b.tries(base, "送信した。")
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.got); n != 3 || !strings.Contains(r.bodies[0], "通知の試験") || !strings.Contains(r.bodies[2], "Test of notices") || strings.Contains(r.bodies[2], "本システム") {
		t.Errorf("%d mails came: %q", n, r.bodies)
	}
	for _, who := range []string{"s-officer-a", "s-auditor", "s-staff"} {
		if status, _ := b.ask(base, who, http.MethodPost, "/notices/try", url.Values{}); status != http.StatusForbidden {
			t.Errorf("a test by %s: %d", who, status)
		}
	}
}

// tries sends the operator a test, of which the page says something.
func (b *body) tries(base, want string) {
	b.t.Helper()
	if status, page := b.ask(base, "s-operator", http.MethodPost, "/notices/try", url.Values{}); status != http.StatusOK || !bytes.Contains(page, []byte(want)) {
		b.t.Errorf("%d, does not say %q: %s", status, want, mainOf(string(page)))
	}
}
