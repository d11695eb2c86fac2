package peers

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	nation "kakusho/bench/fleet"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
	"kakusho/kind"
	"kakusho/verdict"
)

// size is how many subjects the body has: KAKUSHO_SUBJECTS, or 350,000.
func size() int {
	if n, err := strconv.Atoi(os.Getenv("KAKUSHO_SUBJECTS")); err == nil && n > 0 {
		return n
	}
	return 350_000
}

func setting(b *testing.B, n int) *Setting {
	b.Helper()
	s, err := NewSetting(n)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkPeers compares the fleet with its peers by the same controls.
func BenchmarkPeers(b *testing.B) {
	s := setting(b, size())
	goNS, celNS, opaNS, err := s.Peers(context.Background(), b.ReportMetric)
	if err != nil {
		b.Fatal(err)
	}
	f := s.Fill(s.Terms, false)
	cold := measure(func() { f.Judge(At) })
	codes, parts := f.warm(At)
	pair := func(c cost) float64 { return float64(c.cpu) / float64(f.Pairs) }
	coldNS, warmNS, partsNS := pair(cold), pair(codes), pair(parts)
	for unit, v := range map[string]float64{
		"go-ns/pair": goNS, "cel-ns/pair": celNS, "opa-ns/pair": opaNS, "cold-ns/pair": coldNS, "warm-ns/pair": warmNS,
		"x-go-cold": goNS / coldNS, "x-cel-cold": celNS / coldNS, "x-opa-cold": opaNS / coldNS,
		"x-go-warm": goNS / warmNS, "x-cel-warm": celNS / warmNS, "x-opa-warm": opaNS / warmNS, "pairs": float64(f.Pairs),
		"parts-ns/pair": partsNS, "x-go-parts": goNS / partsNS, "x-cel-parts": celNS / partsNS, "x-opa-parts": opaNS / partsNS,
	} {
		b.ReportMetric(v, unit)
	}
}

// warm judges everybody again with all tables known: from the codes of each
// subject's values, or from what each part of a rule came to. Several times in a
// round, since one is over before the process's own work is.
func (h *Held) warm(at time.Time) (codes, parts cost) {
	const times = 20
	round := func(forget func()) cost {
		c := median(5, func() {
			for range times {
				forget()
				h.Judge(at)
			}
		})
		return cost{cpu: c.cpu / times, wall: c.wall / times, allocs: c.allocs / times}
	}
	return round(h.Forget), round(h.Again)
}

// BenchmarkNation judges the body by every control that ships.
func BenchmarkNation(b *testing.B) {
	s := setting(b, size())
	load := median(3, func() {
		kinds, d := kind.Default(), directive.Default()
		if _, err := judge.Rules(control.Default(kinds, d), kinds, d); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(ms(load.cpu), "load-ms")
	before := heap()
	terms := s.Terms
	terms.Rules = s.Rules
	f := s.Fill(terms, true)
	b.ReportMetric(float64(f.Putting.cpu)/1e3/1000, "put-µs")
	cold := measure(func() { f.Judge(At) })
	b.ReportMetric(float64(f.Pairs), "pairs")
	b.ReportMetric(ms(cold.wall), "cold-wall-ms")
	b.ReportMetric(ms(cold.cpu), "cold-cpu-ms")
	b.ReportMetric(float64(f.Evaluations()), "cold-evaluations")
	n := f.Evaluations()
	codes, parts := f.warm(At)
	b.ReportMetric(ms(codes.wall), "warm-wall-ms")
	b.ReportMetric(ms(codes.cpu), "warm-cpu-ms")
	b.ReportMetric(ms(parts.cpu), "parts-cpu-ms")
	b.ReportMetric(float64(f.Evaluations()-n)/200, "warm-evaluations")
	b.ReportMetric(float64(heap()-before)/1e6, "core-MB")
	b.ReportMetric(resident(), "rss-MB")
	s.drafts(b, f)
	s.changes(b, f)
	s.explain(b, f)
	s.clock(b, f)
	saved(b, s, f, terms)
}

// BenchmarkGrowth judges bodies of several sizes; the largest at night only.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{size() / 10, size()}
	if os.Getenv("KAKUSHO_NIGHTLY") != "" {
		sizes = append(sizes, size()*10)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := setting(b, n)
			terms := s.Terms
			terms.Rules = s.Rules
			before := heap()
			f := s.Fill(terms, true)
			cold := measure(func() { f.Judge(At) })
			codes, parts := f.warm(At)
			b.ReportMetric(ms(cold.wall), "cold-wall-ms")
			b.ReportMetric(ms(codes.wall), "warm-wall-ms")
			b.ReportMetric(ms(codes.cpu), "warm-cpu-ms")
			b.ReportMetric(ms(parts.cpu), "parts-cpu-ms")
			b.ReportMetric(float64(heap()-before)/1e6, "core-MB")
			b.ReportMetric(float64(f.Evaluations()), "evaluations")
		})
	}
}

// drafts tries parameters first, on a fork, and counts by prefecture who would
// newly fail.
func (s *Setting) drafts(b *testing.B, f *Held) {
	var all []time.Duration
	before := f.Judge(At)
	for key, v := range map[string]any{
		"auth.pw.min_length": int64(15), "av.definition_max_age_days.online": 24 * time.Hour, "vuln.deadline.critical": 7 * 24 * time.Hour,
		"acct.disable.inactive_days": 45 * 24 * time.Hour, "auth.lockout.threshold": int64(3), "log.retention.min": 730 * 24 * time.Hour,
		"crypto.rsa.min_bits": int64(3072), "time.max_offset_ms.server": 50 * time.Millisecond,
	} {
		terms := f.terms
		terms.Settings = append(slices.Clone(terms.Settings), directive.Setting{
			ID: "draft", Key: key, Layer: directive.LayerNational, Value: v, From: At.Add(-time.Hour), Entry: 1 << 40, By: "p", Approver: "q",
		})
		var newly [48]int // that fail, by prefecture
		n := 0
		c := median(3, func() {
			clear(newly[:])
			n = 0
			g := f.Fork()
			g.Hold(terms)
			for c := range g.Judge(At).Changes(before) {
				if c.To == verdict.Violates {
					newly[nation.Group(c.Ref)]++
					n++
				}
			}
		})
		b.Logf("what-if %s: %.3g ms wall, %.3g ms CPU, %d allocs, %d newly fail", key, ms(c.wall), ms(c.cpu), c.allocs, n)
		all = append(all, c.wall)
	}
	slices.Sort(all)
	b.ReportMetric(ms(all[len(all)/2]), "what-if-median-ms")
	b.ReportMetric(ms(all[len(all)-1]), "what-if-worst-ms")
	b.ReportMetric(ms(s.edited(b, f).wall), "edited-rule-ms")
}

// edited tries another text of one rule.
func (s *Setting) edited(b *testing.B, f *Held) cost {
	return median(3, func() {
		terms := f.terms
		terms.Rules = slices.Clone(terms.Rules)
		i := slices.IndexFunc(terms.Rules, func(r *judge.Rule) bool { return r.Control().ID == "auth/password-length" })
		c := terms.Rules[i].Control()
		c.Rule = "s.pw_min_length >= p.auth_pw_min_length + 1 || s.pw_classes >= 4 && s.pw_min_length >= 10"
		c.Needs = append(slices.Clone(c.Needs), "pw_classes")
		slices.Sort(c.Needs)
		r, err := judge.Compile(c, s.Kinds, terms.Parameters, judge.EffectiveFrom(s.Directive.EffectiveFrom))
		if err != nil {
			b.Fatal(err)
		}
		terms.Rules[i] = r
		g := f.Fork()
		g.Hold(terms)
		g.Judge(At)
	})
}

// changes brings single facts and whole machines.
func (s *Setting) changes(b *testing.B, f *Held) {
	computers := s.Sample(400)
	for _, x := range []struct {
		name, field string
		values      []any
	}{
		{"pw-length", "pw_min_length", []any{int64(8), int64(14)}},
		{"definitions", "malware_definitions_at", []any{At.Add(-time.Hour), At.Add(-90 * 24 * time.Hour)}},
		{"pending", "pending_security_count", []any{int64(0), int64(3)}},
		{"ssh", "sshd_installed", []any{true, false}},
	} {
		var cells [2]map[string]judge.Cell
		for i := range cells {
			c := computers[0].Facts[x.field]
			c.Fact.Status, c.Fact.Value, c.Fact.Reason = fact.Observed, x.values[i], ""
			c.ObservedAt = At.Add(-time.Hour)
			cells[i] = map[string]judge.Cell{x.field: c}
		}
		change := func() {
			for i, c := range computers {
				f.See(c.Ref, cells[i%2])
				f.Judge(At)
				f.See(c.Ref, cells[(i+1)%2])
				f.Judge(At)
			}
		}
		change()
		c := median(3, change)
		n := float64(2 * len(computers))
		b.ReportMetric(float64(c.cpu)/1e3/n, "fact-"+x.name+"-µs")
		b.ReportMetric(float64(c.allocs)/n, "fact-"+x.name+"-allocs")
	}
	c := median(3, func() {
		for _, x := range computers {
			f.Put(x)
			f.Judge(At)
		}
	})
	b.ReportMetric(float64(c.cpu)/1e3/float64(len(computers)), "host-µs")
}

// explain gives the reasons of violations, as a page does.
func (s *Setting) explain(b *testing.B, f *Held) {
	type pair struct {
		r *judge.Rule
		x fleet.Subject
	}
	var found []pair
	o := f.Judge(At)
	for _, x := range s.Sample(300) {
		for r, out := range o.Row(x.Ref) {
			if out == verdict.Violates {
				found = append(found, pair{r, x})
			}
		}
	}
	c := median(3, func() {
		for _, p := range found {
			p.r.Judge(p.x.Subject, s.Values(p.x.Scope), At, nil)
		}
	})
	b.ReportMetric(float64(c.cpu)/1e3/float64(len(found)), "explain-µs")
}

// clock lets an hour pass, asks for the hundred nearest turns, and holds what was
// moved against a full judgement.
func (s *Setting) clock(b *testing.B, f *Held) {
	f.Judge(At)
	var hours []cost
	var o *fleet.Outcomes
	for i := range 5 {
		hours = append(hours, measure(func() { o = f.Judge(At.Add(time.Duration(i+1) * time.Hour)) }))
	}
	slices.SortFunc(hours, func(a, b cost) int { return int(a.cpu - b.cpu) })
	b.ReportMetric(ms(hours[2].cpu), "hour-ms")
	next := measure(func() {
		n := 0
		for range o.Soonest() {
			if n++; n == 100 {
				break
			}
		}
	})
	b.ReportMetric(ms(next.cpu), "soonest-ms")
	f.Again()
	whole := f.Judge(o.At())
	for c := range whole.Changes(o) {
		b.Errorf("moved by the clock, %s by %s is %q; judged anew %q", c.Ref, c.Control, c.From, c.To)
	}
}

// saved writes the fleet and reads it again.
func saved(b *testing.B, s *Setting, f *Held, terms fleet.Terms) {
	var file bytes.Buffer
	save := measure(func() {
		if err := f.Save(&file); err != nil {
			b.Error(err)
		}
	})
	load := measure(func() {
		if _, err := fleet.Load(bytes.NewReader(file.Bytes()), s.Kinds, terms); err != nil {
			b.Error(err)
		}
	})
	b.ReportMetric(ms(save.wall), "save-ms")
	b.ReportMetric(ms(load.wall), "load-saved-ms")
	b.ReportMetric(float64(file.Len())/1e6, "saved-MB")
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below 2^63
}

// resident is the process's memory in MB, given back first.
func resident() float64 {
	debug.FreeOSMemory()
	b, _ := os.ReadFile("/proc/self/statm")
	var total, rss float64
	if _, err := fmt.Sscan(string(b), &total, &rss); err != nil {
		return 0
	}
	return rss * float64(os.Getpagesize()) / 1e6
}
