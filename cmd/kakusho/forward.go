package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"kakusho/bilingual"
	"kakusho/door/forward"
	"kakusho/door/journal"
	"kakusho/door/tail"
	"kakusho/trail"
)

// forwarding is what the flags of kakusho forward say.
type forwarding struct {
	to, token, ca, cert, key, data, receipts string
	journal, fresh                           bool
	journalDirs, files                       []string
	spool                                    int64 // MiB
}

func (p *program) forward() *cobra.Command {
	var f forwarding
	c := &cobra.Command{
		Use:   "forward --to URL (--journal | --file PATH)…",
		Short: bilingual.Say("この機器のjournal及びファイルの記録を、別の機器の確証へ漏れも重複もなく送る", "Bring the journal and files of this machine to a Kakusho elsewhere, each event once").In(p.lang),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			return f.run(cmd.Context(), p.log)
		},
	}
	say := func(ja, en string) string { return bilingual.Say(ja, en).In(p.lang) }
	fl := c.Flags()
	fl.StringVar(&f.to, "to", "", say("送り先のURL。この機器の中以外へはhttpsとする", "address of the other end; https, except inside this machine"))
	fl.StringVar(&f.token, "token-file", "", say("送信元トークンのファイル（送るたびに読む）", "file of the sender's token; read each time"))
	fl.StringVar(&f.ca, "ca", "", say("送り先の証明書を検証するCA証明書（PEM）", "CA certificates the other end is verified by (PEM)"))
	fl.StringVar(&f.cert, "cert", "", say("この機器のクライアント証明書（PEM）", "client certificate of this machine (PEM)"))
	fl.StringVar(&f.key, "key", "", say("クライアント証明書の秘密鍵（PEM）", "its private key (PEM)"))
	fl.StringVar(&f.receipts, "receipt-key", "", say("受領証を検証する公開鍵のファイル（1行に1つ）", "file of public keys that receipts are checked with, one a line"))
	fl.BoolVar(&f.journal, "journal", false, say("この機器のsystemd journalを送る", "bring the systemd journal of this machine"))
	fl.StringArrayVar(&f.journalDirs, "journal-dir", nil, say("journalファイルのフォルダ（既定はこの機器のもの）", "folder of journal files, instead of this machine's"))
	fl.StringArrayVar(&f.files, "file", nil, say("送るファイル又はパターン（複数指定可）", "file or pattern to bring; may be repeated"))
	fl.BoolVar(&f.fresh, "new", false, say("初回は、既にある記録を送らず、これから書かれるものだけを送る", "the first time, bring only what is written from now on"))
	fl.StringVar(&f.data, "data", "/var/lib/kakusho-forward", say("送信待ちと読取位置を置くフォルダ", "folder of what waits and of the places in the sources"))
	fl.Int64Var(&f.spool, "spool", 1024, say("送信待ちの上限（MiB）", "most that may wait, in MiB"))
	return c
}

// check refuses flags that cannot work, before anything is written.
func (f *forwarding) check(cmd *cobra.Command) error {
	to, err := url.Parse(f.to)
	switch {
	case err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http":
		return usage(cmd, "--to に送り先のURLを指定すること。", "--to is the URL of the other end.")
	case to.Scheme == "http" && !loopback(to.Hostname()):
		return usage(cmd, "他の機器へはhttpsで送ること（記録もトークンも平文では送らない）。", "To another machine use https: neither events nor the token go in clear.")
	case !f.journal && len(f.journalDirs) == 0 && len(f.files) == 0:
		return usage(cmd, "--journal 又は --file を指定すること。", "Say what to bring: --journal or --file.")
	case (f.cert == "") != (f.key == ""):
		return usage(cmd, "--cert と --key は両方を指定すること。", "--cert and --key belong together.")
	case f.spool < 16:
		return usage(cmd, "--spool は16以上とすること。", "--spool is at least 16.")
	}
	for _, pattern := range f.files {
		if _, err := filepath.Match(pattern, ""); err != nil || !filepath.IsAbs(pattern) {
			return usage(cmd, "--file "+pattern+" は、絶対パス又はそのパターンとすること。", "--file "+pattern+" is an absolute path or a pattern of one.")
		}
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// run reads and brings until ctx ends.
func (f *forwarding) run(ctx context.Context, log *slog.Logger) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	check, err := f.checker()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.data, 0o700); err != nil {
		return fmt.Errorf("forward: %w", err)
	}
	unlock, err := lock(filepath.Join(f.data, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("forward: %w", err)
	}
	spool, err := forward.OpenSpool(forward.SpoolOptions{Dir: filepath.Join(f.data, "spool"), Name: host, Max: f.spool << 20, Now: time.Now, Log: log})
	if err != nil {
		return err
	}
	defer spool.Close()
	opt := forward.Options{URL: f.to, HTTP: client, Dir: f.data, Check: check, Now: time.Now, Log: log}
	if f.token != "" {
		opt.Token = func() (string, error) { b, err := os.ReadFile(f.token); return strings.TrimSpace(string(b)), err }
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return forward.New(spool, opt).Run(ctx) })
	if f.journal || len(f.journalDirs) > 0 {
		group.Go(func() error {
			return journal.Follow(ctx, journal.Options{Dirs: f.journalDirs, Cursor: filepath.Join(f.data, "journal"), New: f.fresh, Sink: spool, Now: time.Now, Log: log})
		})
	}
	if len(f.files) > 0 {
		group.Go(func() error {
			return tail.Follow(ctx, tail.Options{Paths: f.files, Cursor: filepath.Join(f.data, "files"), New: f.fresh, Device: host, Sink: spool, Now: time.Now, Log: log})
		})
	}
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// lock keeps a second one out of the folder: two would bring everything twice.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("forward: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another kakusho forward works in %s: %w", filepath.Dir(name), err)
	}
	return func() { f.Close() }, nil
}

func (f *forwarding) client() (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("read --ca: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read --ca: %s has no certificate", f.ca)
		}
	}
	if f.cert != "" {
		pair := func() (tls.Certificate, error) { return tls.LoadX509KeyPair(f.cert, f.key) }
		if _, err := pair(); err != nil {
			return nil, fmt.Errorf("read --cert: %w", err)
		}
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // renewed ones are taken up
			c, err := pair()
			return &c, err
		}
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 15 * time.Second, ResponseHeaderTimeout: 2 * time.Minute, IdleConnTimeout: 5 * time.Minute,
	}
	return &http.Client{
		Transport: transport, Timeout: 5 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// checker checks receipts with the keys of a file.
func (f *forwarding) checker() (func(note []byte, count int) error, error) {
	if f.receipts == "" {
		return nil, nil
	}
	file, err := os.Open(f.receipts)
	if err != nil {
		return nil, fmt.Errorf("read --receipt-key: %w", err)
	}
	defer file.Close()
	var keys []string
	for in := bufio.NewScanner(file); in.Scan(); {
		if key := strings.TrimSpace(in.Text()); key != "" && !strings.HasPrefix(key, "#") {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("read --receipt-key: %s has no key", f.receipts)
	}
	return func(note []byte, count int) error {
		var all error
		for _, key := range keys {
			r, err := trail.CheckReceipt(note, key)
			if err == nil && r.Count != int64(count) {
				return fmt.Errorf("receipt is for %d events, the answer for %d", r.Count, count)
			}
			if err == nil {
				return nil
			}
			all = errors.Join(all, err)
		}
		return all
	}, nil
}
