package inbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"kakusho/actor"
	"kakusho/bilingual"
	"kakusho/gate"
	"kakusho/identity/notice"
	"kakusho/kind"
	"kakusho/web"
)

type noticesData struct {
	notice.Settings
	Fields   []noticeField
	Security []security
	Faults   []kind.Fault
	States   []state
	Saved    bool
	Tried    bool
	Trials   []trial
}

type trial struct {
	Label bilingual.Text
	notice.Trial
}

var channels = map[notice.Channel]bilingual.Text{notice.Mail: bilingual.Say("電子メール", "Mail"), notice.Webhook: bilingual.Say("Webhook", "Webhook")}

type noticeField struct {
	Name, Type, Text, Fault string
	Label, Hint             bilingual.Text
	Long                    bool
}

type security struct {
	Value notice.Security
	Label bilingual.Text
}

type state struct {
	Label bilingual.Text
	notice.State
}

var securities = []security{
	{notice.StartTLS, bilingual.Say("STARTTLS（必須）", "STARTTLS, required")}, {notice.TLS, bilingual.Say("TLS", "TLS")}, {notice.Plain, bilingual.Say("なし（同一機器の中継サーバに限る）", "None (a relay on this machine)")},
}

// keeps are those who set up notices, and may see how they are set.
func keeps(r *web.Request) error {
	if !slices.ContainsFunc([]actor.Duty{actor.Operator, actor.SecurityAdministrator}, r.Actor.Has) {
		return fmt.Errorf("settings of notices: %w", gate.ErrRefused)
	}
	return nil
}

func (p pages) settings(r *web.Request) (web.Answer, error) {
	if err := keeps(r); err != nil {
		return web.Answer{}, err
	}
	s, err := p.notices.Settings(r.Context())
	if err != nil {
		return web.Answer{}, err
	}
	if s.Minutes == 0 { // nobody set anything yet
		s = notice.Settings{Base: r.Base(), Minutes: 60, Security: notice.StartTLS}
	}
	return p.noticesPage(r, s, nil), nil
}

func (p pages) noticesPage(r *web.Request, s notice.Settings, faults []kind.Fault) web.Answer {
	d := noticesData{Settings: s, Security: securities, Faults: faults, Saved: r.URL.Query().Has("saved")}
	unchanged := bilingual.Say("空欄とすると変更しない。表示はしない。", "Left empty it stays as it is. It is never shown.")
	for _, f := range []noticeField{
		{Name: "base", Type: "url", Text: s.Base, Hint: bilingual.Say("通知に記載するリンクの先頭", "Before the links in notices")},
		{Name: "minutes", Type: "number", Text: strconv.FormatInt(s.Minutes, 10), Hint: bilingual.Say("一人への通知は、この間に1通までとし、まとめて送る。", "To each person one digest at most in this time")},
		{Name: "relay", Type: "text", Text: s.Relay, Hint: bilingual.Say("空欄は、電子メールを送らない。例　mail.example.jp:587", "Empty: no mail. As in mail.example.jp:587")},
		{Name: "from", Type: "email", Text: s.From}, {Name: "user", Type: "text", Text: s.User, Hint: bilingual.Say("空欄は、認証しない。", "Empty: without authentication")},
		{Name: "password", Type: "password", Hint: unchanged},
		{Name: "webhook", Type: "url", Text: s.Webhook, Hint: bilingual.Say("空欄は、送らない。", "Empty: none")},
		{Name: "key", Type: "password", Hint: unchanged},
		{Name: "ca", Text: s.CA, Long: true, Hint: bilingual.Say("中継サーバ又は受信側の証明書が庁内の認証局による場合に入力する。", "When relay or receiver are certified by an authority of your own")},
	} {
		f.Label = notice.Labels[f.Name]
		for _, fault := range faults {
			if fault.Field == f.Name {
				f.Fault = fault.Message.In(r.Lang)
			}
		}
		d.Fields = append(d.Fields, f)
	}
	for c, label := range channels {
		if s.Has(c) {
			d.States = append(d.States, state{label, p.notices.State(c)})
		}
	}
	slices.SortFunc(d.States, func(a, b state) int { return strings.Compare(a.Label.EN, b.Label.EN) })
	a := web.Answer{Page: "notices", Title: bilingual.Say("通知の設定", "Notices"), Data: d}
	if len(faults) > 0 {
		a.Status = http.StatusUnprocessableEntity
	}
	return a
}

func (p pages) set(r *web.Request) (web.Answer, error) {
	text := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	s := notice.Settings{On: text("on") != "", Base: strings.TrimRight(text("base"), "/"), Relay: text("relay"), Security: notice.Security(text("security")), From: text("from"), User: text("user"),
		Webhook: text("webhook"), CA: text("ca")}
	s.Minutes, _ = strconv.ParseInt(text("minutes"), 10, 64) // what is no number is none: a fault
	err := p.notices.Set(r.Context(), r.Actor, s, notice.Secrets{Password: r.PostForm.Get("password"), Key: text("key")}, r.At)
	var wrong notice.Faults
	if errors.As(err, &wrong) {
		if _, err := r.Read(); err != nil {
			return web.Answer{}, err
		}
		return p.noticesPage(r, s, wrong), nil
	}
	return web.Answer{Redirect: "/notices?saved"}, err
}

// try hands a notice to whoever asks for it, by every channel as it is saved.
func (p pages) try(r *web.Request) (web.Answer, error) {
	if err := keeps(r); err != nil {
		return web.Answer{}, err
	}
	if _, err := r.Read(); err != nil {
		return web.Answer{}, err
	}
	s, err := p.notices.Settings(r.Context())
	if err != nil {
		return web.Answer{}, err
	}
	trials, err := p.trial(r.Context(), r.Actor.Person)
	if err != nil {
		return web.Answer{}, err
	}
	a := p.noticesPage(r, s, nil)
	d := a.Data.(noticesData)
	d.Tried = true
	for _, t := range trials {
		d.Trials = append(d.Trials, trial{channels[t.Channel], t})
	}
	a.Data = d
	return a, nil
}
