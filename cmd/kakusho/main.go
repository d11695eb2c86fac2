// Command kakusho runs a security directive on this machine and for a whole body:
//
//	kakusho serve     the pages, and the collecting of this machine
//	kakusho check     how this machine, or a folder of one, stands, clause by clause
//	kakusho report    how everything registered stands, now or at another time
//	kakusho trace     clause → control → facts → collector → page
//	kakusho what-if   try other values, texts, exceptions or another day
//	kakusho clauses   what the directive demands and what checks it
//	kakusho control   try, lint, explain and begin controls
//	kakusho trail     verify the trail, prove an entry, compare checkpoints, exchange the key
//	kakusho witness   witness the trails of others
//	kakusho registers take every register out as one file, or in
//	kakusho refold    fold the rows again and compare
//	kakusho events    search events, and how they stand
//	kakusho retention what becomes of events by their period
//	kakusho sender    tokens of those who send events
//	kakusho forward   bring the journal and files of this machine to a Kakusho elsewhere
//	kakusho demo      fill a new installation with an invented police body
//
// Exit status: 0 fine, 1 error, 2 usage, 3 non-conformance found, 4 refused,
// 5 integrity failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/cmd/kakusho/backups"
	"kakusho/cmd/kakusho/controls"
	"kakusho/cmd/kakusho/drafts"
	"kakusho/cmd/kakusho/ledgers"
	"kakusho/cmd/kakusho/rules"
	"kakusho/cmd/kakusho/senders"
	"kakusho/cmd/kakusho/trails"
	"kakusho/gate"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Getenv, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit statuses, everywhere.
const (
	statusFine = iota
	statusError
	statusUsage
	statusViolates
	statusRefused
	statusIntegrity
)

// exit is an error with a status of its own. Its text is printed unless empty.
type exit struct {
	status int
	text   bilingual.Text
}

func (e exit) Error() string        { return e.text.EN }
func (e exit) Status() int          { return e.status }
func (e exit) Text() bilingual.Text { return e.text }

// program is what the commands share.
type program struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	lang           bilingual.Lang
	log            *slog.Logger
}

// say prints one line in the reader's language.
func (p *program) say(w io.Writer, ja, en string, a ...any) {
	fmt.Fprintf(w, bilingual.Say(ja, en).In(p.lang)+"\n", a...)
}

// run is the whole program without the process around it, for main and for tests.
func run(ctx context.Context, getenv func(string) string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr}
	p.lang = langOf(getenv, args)
	p.log = slog.New(slog.NewTextHandler(stderr, nil))
	root := p.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	return p.status(err)
}

// langOf finds the language before the flags are parsed, because help is in it.
func langOf(getenv func(string) string, args []string) bilingual.Lang {
	for i, a := range args {
		if a == "--lang" && i+1 < len(args) {
			a = "--lang=" + args[i+1]
		}
		if len(a) > 7 && a[:7] == "--lang=" {
			if l, ok := bilingual.ParseLang(a[7:]); ok {
				return l
			}
		}
	}
	for _, name := range []string{"KAKUSHO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if l, ok := bilingual.ParseLang(v); ok {
				return l
			}
		}
	}
	return bilingual.JA
}

func (p *program) status(err error) int {
	var e interface {
		Status() int
		Text() bilingual.Text
	}
	switch {
	case err == nil:
		return statusFine
	case errors.As(err, &e):
		if text := e.Text().In(p.lang); text != "" {
			fmt.Fprintln(p.stderr, "kakusho: "+text)
		}
		return e.Status()
	case errors.Is(err, gate.ErrRefused):
		fmt.Fprintln(p.stderr, "kakusho: "+err.Error())
		return statusRefused
	}
	fmt.Fprintln(p.stderr, "kakusho: "+err.Error())
	return statusError
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "kakusho",
		Short:         bilingual.Say("情報セキュリティ要件を実行・確認・記録する", "Enforce, verify and record a security directive").In(p.lang),
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if lang, err := cmd.Flags().GetString("lang"); err == nil {
				if _, ok := bilingual.ParseLang(lang); !ok {
					return usage(cmd, "--lang は ja 又は en とすること。", "--lang is ja or en.")
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return usage(cmd, "コマンドを指定すること。", "Name a command.")
		},
	}
	root.PersistentFlags().String("lang", string(p.lang), bilingual.Say("表示言語 ja 又は en", "language, ja or en").In(p.lang))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(cmd, err.Error(), err.Error())
	})
	root.AddCommand(p.serve(), p.check(), p.report(), p.trace(), p.clauses(), p.refold(), p.demo(),
		p.events(), p.retention(), p.forward(), p.index())
	root.AddCommand(trails.Commands(trails.Terminal{Stdout: p.stdout, Stderr: p.stderr, Lang: p.lang, Log: p.log, Progress: p.progress})...)
	root.AddCommand(controls.Command(controls.Terminal{Stdout: p.stdout, Lang: p.lang, Verdict: p.verdictAt}))
	root.AddCommand(senders.Command(senders.Terminal{Stdout: p.stdout, Stderr: p.stderr, Lang: p.lang, Ask: p.control, Usage: usage}))
	root.AddCommand(ledgers.Command(ledgers.Terminal{Stdout: p.stdout, Stderr: p.stderr, Lang: p.lang, Ask: p.controlWith}))
	root.AddCommand(backups.Commands(backups.Terminal{Stdout: p.stdout, Stderr: p.stderr, Lang: p.lang, Version: version, Progress: p.progress, Usage: usage})...)
	root.AddCommand(drafts.Command(drafts.Terminal{Stdout: p.stdout, Lang: p.lang, Ask: p.control}))
	root.AddCommand(rules.Command(rules.Terminal{Stdout: p.stdout, Lang: p.lang, Progress: p.progress}))
	noExtra(root)
	return root
}

// noExtra makes wrong arguments a usage error of ours.
func noExtra(c *cobra.Command) {
	if args := c.Args; args != nil {
		c.Args = func(cmd *cobra.Command, a []string) error {
			if err := args(cmd, a); err != nil {
				return usage(cmd, err.Error(), err.Error())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		noExtra(sub)
	}
}

func usage(cmd *cobra.Command, ja, en string) error {
	hint := fmt.Sprintf("\n  %s --help", cmd.CommandPath())
	return exit{statusUsage, bilingual.Say(ja+hint, en+hint)}
}
