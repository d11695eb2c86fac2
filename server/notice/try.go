package notice

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/textproto"
	"syscall"
	"time"

	"kakusho/bilingual"
	"kakusho/identity/notice"
	"kakusho/web/inbox/due"
)

// shortly is how long a trial of one channel may take: somebody waits for it.
const shortly = 15 * time.Second

// Try hands a notice that says nothing new to a person, by every channel that is set up,
// whether notices are on or not, and says what became of it.
func (t *Teller) Try(ctx context.Context, person string) (out []notice.Trial, err error) {
	s, err := t.cfg.Keeper.Settings(ctx)
	if err != nil {
		return nil, err
	}
	x, err := t.cfg.Keeper.Secrets(s)
	if err != nil {
		return nil, err
	}
	at := t.cfg.Now()
	holders, _, err := t.cfg.Identity.Holders(ctx, at)
	if err != nil {
		return nil, err
	}
	d := digest{at: at, trial: true, items: []due.Item{{What: bilingual.Say("通知の試験（対応は要しない。）", "Test of notices; nothing is to be done"), Subject: "notices", Link: "/notices"}}}
	for _, h := range holders {
		if h.Person == person {
			d.to = h
		}
	}
	sum := sha256.Sum256([]byte("trial " + person + at.String()))
	d.id = hex.EncodeToString(sum[:16])
	s.On = true
	for _, c := range notice.Channels {
		if !s.Has(c) {
			continue
		}
		out = append(out, try(ctx, s, x, c, d))
	}
	return out, nil
}

func try(ctx context.Context, s notice.Settings, x notice.Secrets, c notice.Channel, d digest) notice.Trial {
	r := notice.Trial{Channel: c, To: s.Webhook}
	if c == notice.Mail {
		if r.To = d.to.Email; r.To == "" {
			r.Fault = bilingual.Say("職員等の台帳に、あなたの電子メールのアドレスが登録されていない。登録してから試験する。", "Your address is not in the register of persons. Enter it and try again.")
			return r
		}
	}
	ctx, stop := context.WithTimeout(ctx, shortly)
	defer stop()
	if err := ways[c](ctx, s, x, d); err != nil {
		r.Fault, r.Cause = explain(ctx, err), err.Error()
	}
	return r
}

// ways are how a digest goes out.
var ways = map[notice.Channel]func(context.Context, notice.Settings, notice.Secrets, digest) error{notice.Mail: mailed, notice.Webhook: posted}

// explain says what to do about a failure.
func explain(ctx context.Context, err error) bilingual.Text {
	var name *net.DNSError
	var stranger x509.UnknownAuthorityError
	var other x509.HostnameError
	var invalid x509.CertificateInvalidError
	var clear tls.RecordHeaderError
	var alert tls.AlertError
	var reply *textproto.Error
	var timed net.Error
	switch {
	case errors.As(err, &name):
		return bilingual.Say("サーバの名前を解決できない。ホスト名及び名前解決の設定を確かめる。", "The host's name is not known. Look at the name, and at how names are resolved here.")
	case errors.Is(err, syscall.ECONNREFUSED):
		return bilingual.Say("接続を拒否された。ポート及びサーバの稼働を確かめる。", "The connection was refused. Look at the port, and whether the server runs.")
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return bilingual.Say("サーバに到達できない。経路及び通信の許可を確かめる。", "The host cannot be reached. Look at the route and at what is let through.")
	case errors.As(err, &stranger):
		return bilingual.Say("証明書の発行者を信頼できない。庁内の認証局による場合は、その証明書を設定に登録する。", "Its certificate is of an authority that is not trusted. If that is your own, enter its certificate in the settings.")
	case errors.As(err, &other):
		return bilingual.Say("証明書の名前がホスト名と一致しない。証明書に記載された名前を設定する。", "Its certificate is for another name. Set the name that stands in it.")
	case errors.As(err, &invalid):
		return bilingual.Say("証明書が有効でない（期限切れ等）。サーバの証明書を更新する。", "Its certificate is not valid, as when it has run out. Have it renewed.")
	case errors.As(err, &clear), errors.As(err, &alert):
		return bilingual.Say("TLSによる応答がない。ポートと保護の方式（STARTTLS、TLS）の組合せを確かめる。", "It does not speak TLS there. Look at port and protection together: STARTTLS or TLS.")
	case errors.Is(err, errStartTLS):
		return bilingual.Say("STARTTLSに対応していない。中継サーバの設定又は保護の方式を改める。", "The relay offers no STARTTLS. Change the relay, or the protection.")
	case errors.Is(err, errLogin):
		return bilingual.Say("認証に失敗した。利用者名及びパスワードを確かめる。", "It did not accept user and password. Look at both.")
	case errors.Is(err, errRecipient):
		return bilingual.Say("宛先が受け付けられない。職員等の台帳の電子メールを確かめる。", "The address is not accepted. Look at it in the register of persons.")
	case errors.Is(err, errAnswer):
		return bilingual.Say("受信側が受け付けなかった。アドレス及び受信側の記録を確かめる。", "The receiver did not accept it. Look at the address and at the receiver's log.")
	case errors.As(err, &reply):
		return bilingual.Say("中継サーバが受け付けなかった。差出人及び中継の許可を確かめる。", "The relay did not accept it. Look at the sender, and whether it relays for this machine.")
	case ctx.Err() != nil, errors.As(err, &timed) && timed.Timeout():
		return bilingual.Say("応答がない。ホスト、ポート及び保護の方式を確かめる。", "There is no answer. Look at host, port and protection.")
	}
	return bilingual.Say("送信できなかった。下の原因を確かめる。", "It could not be handed over. Look at the cause below.")
}
