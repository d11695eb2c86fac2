package notice

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"kakusho/bilingual"
	"kakusho/calendar"
	"kakusho/identity"
	"kakusho/identity/notice"
	"kakusho/web/inbox/due"
)

// digest is what one person is told at once.
type digest struct {
	to    identity.Holder
	items []due.Item
	late  int
	id    string // the same for the same items: who receives it twice can tell
	at    time.Time
	trial bool // it tells of nothing
}

// errRecipient means that this one cannot be told, and others may be.
var errRecipient = errors.New("not accepted for this person")

// Errors by which a trial tells what to do.
var (
	errStartTLS = errors.New("STARTTLS")
	errLogin    = errors.New("authenticate")
	errAnswer   = errors.New("the receiver answered")
)

// patience is how long one sending may take.
const patience = time.Minute

func pool(s notice.Settings) *x509.CertPool {
	all, err := x509.SystemCertPool()
	if err != nil {
		all = x509.NewCertPool()
	}
	all.AppendCertsFromPEM([]byte(s.CA))
	return all
}

// mailed hands a digest to the relay.
func mailed(ctx context.Context, s notice.Settings, x notice.Secrets, d digest) error {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	to, err := mail.ParseAddress(d.to.Email)
	if err != nil {
		return fmt.Errorf("%w: %w", errRecipient, err)
	}
	host, _, _ := net.SplitHostPort(s.Relay)
	safe := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: pool(s)}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Relay)
	if err != nil {
		return err
	}
	end := context.AfterFunc(ctx, func() { conn.Close() })
	defer end()
	if s.Security == notice.TLS {
		conn = tls.Client(conn, safe)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	defer c.Close()
	if s.Security == notice.StartTLS {
		if err := c.StartTLS(safe); err != nil {
			return fmt.Errorf("%w: %w", errStartTLS, err)
		}
	}
	if s.User != "" {
		if err := c.Auth(smtp.PlainAuth("", s.User, x.Password, host)); err != nil {
			return fmt.Errorf("%w: %w", errLogin, err)
		}
	}
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(to.Address); err != nil {
		var code *textproto.Error
		if errors.As(err, &code) && code.Code >= 500 {
			return fmt.Errorf("%w: %w", errRecipient, err)
		}
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(message(s, from, to, d)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit() // it has been accepted
	return nil
}

// mostLines is how many items a digest names.
const mostLines = 50

func message(s notice.Settings, from, to *mail.Address, d digest) []byte {
	var b bytes.Buffer
	head := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	head("From", from.String())
	head("To", (&mail.Address{Address: to.Address}).String())
	head("Subject", mime.BEncoding.Encode("UTF-8", subject(d)))
	head("Date", d.at.Format(time.RFC1123Z))
	head("Message-ID", "<"+d.id+"@kakusho>")
	head("Auto-Submitted", "auto-generated")
	head("MIME-Version", "1.0")
	head("Content-Type", "text/plain; charset=UTF-8")
	head("Content-Transfer-Encoding", "base64")
	b.WriteString("\r\n")
	text := base64.StdEncoding.EncodeToString([]byte(body(s, d)))
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n")
	return b.Bytes()
}

func subject(d digest) string {
	switch {
	case d.trial:
		return bilingual.Say("【確証】通知の試験", "[Kakusho] Test of notices").In(d.to.Lang)
	case d.to.Lang == bilingual.EN:
		return fmt.Sprintf("[Kakusho] New in your inbox: %d (overdue: %d)", len(d.items), d.late)
	}
	return fmt.Sprintf("【確証】受信箱に新たな事項%d件（うち期限超過%d件）", len(d.items), d.late)
}

// body is the text of a mail, in the language its reader prefers.
func body(s notice.Settings, d digest) string {
	say := func(ja, en string) string { return bilingual.Say(ja, en).In(d.to.Lang) }
	var b strings.Builder
	if !d.trial {
		fmt.Fprintf(&b, say("受信箱に新たな事項が%d件ある（うち期限を過ぎたもの%d件）。\r\n%s/inbox\r\n", "New in your inbox: %d (overdue: %d).\r\n%s/inbox\r\n"), len(d.items), d.late, s.Base)
	}
	for n, i := range d.items {
		if n == mostLines {
			fmt.Fprintf(&b, say("\r\nほかに%d件ある。\r\n", "\r\nAnd %d more.\r\n"), len(d.items)-n)
			break
		}
		by := say("期限の定めなし", "no date set")
		if !i.Due.IsZero() {
			by = say("期限 ", "due ") + i.Due.In(calendar.Tokyo()).Format("2006-01-02 15:04")
		}
		if i.Late(d.at) {
			by += say("（経過）", " (overdue)")
		}
		fmt.Fprintf(&b, say("\r\n・%s\r\n　%s　%s\r\n　%s%s\r\n", "\r\n* %s\r\n  %s  %s\r\n  %s%s\r\n"), i.What.In(d.to.Lang), by, i.Subject, s.Base, i.Link)
	}
	b.WriteString(say("\r\nこのメールは本システムが自動的に送信した。\r\n", "\r\nThis mail was sent by the program by itself.\r\n"))
	return b.String()
}

type travelling struct {
	Sort    due.Sort  `json:"sort"`
	What    string    `json:"what"`
	WhatEN  string    `json:"what_en"`
	Subject string    `json:"subject"`
	Clause  string    `json:"clause,omitempty"`
	Due     time.Time `json:"due,omitzero"`
	Late    bool      `json:"late"`
	Link    string    `json:"link"`
}

// Sign is the signature of a body that is sent at an instant, under a key.
func Sign(key string, at int64, body []byte) string {
	m := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(m, "%d.", at)
	m.Write(body)
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

// posted sends a digest to the webhook.
func posted(ctx context.Context, s notice.Settings, x notice.Secrets, d digest) error {
	out := struct {
		ID     string       `json:"id"`
		Person string       `json:"person"`
		At     time.Time    `json:"at"`
		Trial  bool         `json:"trial,omitempty"`
		Items  []travelling `json:"items"`
	}{d.id, d.to.Person, d.at, d.trial, nil}
	for _, i := range d.items {
		out.Items = append(out.Items, travelling{i.Sort, i.What.JA, i.What.EN, i.Subject, string(i.Clause), i.Due, i.Late(d.at), s.Base + i.Link})
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Webhook, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", d.id)
	r.Header.Set("X-Kakusho-Timestamp", strconv.FormatInt(d.at.Unix(), 10))
	r.Header.Set("X-Kakusho-Signature", Sign(x.Key, d.at.Unix(), text))
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool(s)}, DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // what it says does not matter
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%w %d", errAnswer, answer.StatusCode)
	}
	return nil
}
