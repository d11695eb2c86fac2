package trails

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"kakusho/bilingual"
	"kakusho/trail"
)

// trailReceipt looks whether the trail kept its word: a sender keeps the receipts of
// what was taken, and whoever has them can ask.
func (p *program) trailReceipt() *cobra.Command {
	var a *auditor
	c := &cobra.Command{
		Use:   "receipt FILE…",
		Short: bilingual.Say("受領証のとおりに記録が証跡にあるかを確かめる", "Check that the trail holds what its receipts say").In(p.lang),
		Long: bilingual.Say("受領証は一つずつのファイル、又は kakusho forward が残す receipts ファイルを与える。",
			"Give a file of one receipt, or the file receipts that kakusho forward keeps.").In(p.lang),
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			t, _, err := p.trust(a)
			if err != nil {
				return err
			}
			r, err := trail.NewReader(a.folder())
			if err != nil {
				return err
			}
			defer r.Close()
			held := holding{p: p, cmd: cmd, trail: r, keys: keysOf(t)}
			for _, file := range files {
				if err := held.file(file); err != nil {
					return err
				}
			}
			return held.result()
		},
	}
	a = p.auditor(c)
	return c
}

// keysOf is all keys that are believed.
func keysOf(t trail.Trust) []string {
	keys := append([]string{t.Key}, t.Chain.Trusted(t.Key, math.MaxInt64, t.Accepted...)...)
	for _, s := range t.Chain {
		keys = append(keys, t.Chain.Trusted(t.Key, s.Size, t.Accepted...)...)
	}
	return keys
}

// holding counts receipts.
type holding struct {
	p                    *program
	cmd                  *cobra.Command
	trail                *trail.Reader
	keys                 []string
	kept, broken, others int
}

func (h *holding) file(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read receipts: %w", err)
	}
	if !bytes.HasPrefix(b, []byte("{")) {
		return h.receipt(name, b)
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		var kept struct {
			Note string `json:"note"`
		}
		where := fmt.Sprintf("%s:%d", name, i+1)
		if err := json.Unmarshal(line, &kept); err != nil || kept.Note == "" {
			return fmt.Errorf("%s: not a line of receipts", where)
		}
		if err := h.receipt(where, []byte(kept.Note)); err != nil {
			return err
		}
	}
	return nil
}

// receipt looks for what one says. A trail that cannot be read is an error.
func (h *holding) receipt(where string, note []byte) error {
	r, err := h.read(note)
	if err == nil {
		err = trail.Honoured(h.cmd.Context(), r, h.trail)
	}
	switch {
	case err == nil:
		h.kept++
	case errors.Is(err, errOther):
		h.others++
	case errors.Is(err, trail.ErrReceipt):
		h.broken++
		h.p.say(h.p.stdout, "%s: %v", "%s: %v", where, err)
	default:
		return err
	}
	return nil
}

var errOther = errors.New("receipt of another trail")

func (h *holding) read(note []byte) (trail.Receipt, error) {
	name, _, _ := strings.Cut(h.keys[0], "+")
	if _, rest, ok := bytes.Cut(note, []byte("\norigin ")); ok && !bytes.HasPrefix(rest, []byte(name+"\n")) {
		return trail.Receipt{}, errOther
	}
	var first error
	for _, key := range h.keys {
		r, err := trail.CheckReceipt(note, key)
		if err == nil {
			return r, nil
		}
		if first == nil {
			first = err
		}
	}
	return trail.Receipt{}, first
}

func (h *holding) result() error {
	h.p.say(h.p.stdout, "受領証 %d件のとおりに記録がある。他の証跡の受領証 %d件は見ていない。",
		"%d receipts are kept; %d are of other trails and were not looked at", h.kept, h.others)
	if h.broken > 0 {
		return exit{statusIntegrity, bilingual.Say(
			fmt.Sprintf("受領証 %d件が守られていない。", h.broken), fmt.Sprintf("%d receipts are not kept", h.broken))}
	}
	return nil
}
