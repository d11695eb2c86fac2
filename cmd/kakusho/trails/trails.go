// Package trails has the commands kakusho trail and kakusho witness: to verify and
// prove a trail, compare its checkpoints, exchange its key, and witness others.
package trails

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
)

// Terminal is where the commands speak.
type Terminal struct {
	Stdout, Stderr io.Writer
	Lang           bilingual.Lang
	Log            *slog.Logger
	Progress       func(ja, en string) func(done, total int64) // a line that rewrites itself
}

// Commands are trail and witness.
func Commands(t Terminal) []*cobra.Command {
	p := &program{t.Stdout, t.Stderr, t.Lang, t.Log, t.Progress}
	return []*cobra.Command{p.trail(), p.witness()}
}

type program struct {
	stdout, stderr io.Writer
	lang           bilingual.Lang
	log            *slog.Logger
	progress       func(ja, en string) func(done, total int64)
}

// say prints one line in the reader's language.
func (p *program) say(w io.Writer, ja, en string, a ...any) {
	fmt.Fprintf(w, bilingual.Say(ja, en).In(p.lang)+"\n", a...)
}

// The exit statuses of the program that occur here.
const (
	statusError     = 1
	statusUsage     = 2
	statusIntegrity = 5
)

// exit is an error with a status of its own, and a text for people.
type exit struct {
	status int
	text   bilingual.Text
}

func (e exit) Error() string        { return e.text.EN }
func (e exit) Status() int          { return e.status }
func (e exit) Text() bilingual.Text { return e.text }

func usage(cmd *cobra.Command, ja, en string) error {
	hint := fmt.Sprintf("\n  %s --help", cmd.CommandPath())
	return exit{statusUsage, bilingual.Say(ja+hint, en+hint)}
}
