package main

import (
	"fmt"
	"os"

	"github.com/mattn/go-isatty"

	"kakusho/bilingual"
)

// progress returns a line that rewrites itself on a terminal and is silent
// elsewhere, so that a pipe sees results only.
func (p *program) progress(ja, en string) func(done, total int64) {
	f, ok := p.stderr.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return func(int64, int64) {}
	}
	return func(done, total int64) {
		fmt.Fprintf(f, "\r\x1b[K%s %d/%d", bilingual.Say(ja, en).In(p.lang), done, total)
		if done >= total {
			fmt.Fprint(f, "\r\x1b[K")
		}
	}
}

func plural(n int, format string) string { return fmt.Sprintf(format, n) }
