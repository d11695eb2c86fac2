package judge_test

import (
	"testing"
	"time"

	"kakusho/control"
	"kakusho/directive"
	"kakusho/judge"
	"kakusho/kind"
)

const mixed = `s.length >= p.pw_length && (s.product == "clamav" || s.active) && now - s.definitions_at <= p.malware_age && !("guest" in s.groups)`

func mixedSubject() judge.Subject {
	return subject(map[string]any{
		"length": int64(14), "product": "clamav", "active": true, "definitions_at": now.Add(-day), "groups": []any{"wheel", "adm"},
	}, map[string]any{"status": "in-service"})
}

// BenchmarkJudge judges one subject by one rule: outcome, reasons, evidence and
// next change.
func BenchmarkJudge(b *testing.B) {
	r, s, p := rule(b, mixed, nil), mixedSubject(), values()
	b.ReportAllocs()
	for b.Loop() {
		r.Judge(s, p, now, nil)
	}
}

// BenchmarkOutcome settles the outcome alone.
func BenchmarkOutcome(b *testing.B) {
	r, s, p := rule(b, mixed, nil), mixedSubject(), values()
	b.ReportAllocs()
	for b.Loop() {
		r.Outcome(s, p, now)
	}
}

// BenchmarkPlain evaluates the same rule as one program of cel-go, which says
// true or false and nothing else.
func BenchmarkPlain(b *testing.B) {
	r, s, p := rule(b, mixed, nil), mixedSubject(), values()
	b.ReportAllocs()
	for b.Loop() {
		r.Plain(s, p, now)
	}
}

// BenchmarkJudgeList judges a list of a thousand records with a date in each.
func BenchmarkJudgeList(b *testing.B) {
	var until []time.Time
	for i := range 1000 {
		until = append(until, now.Add(time.Duration(i+1)*time.Hour))
	}
	r, s, p := rule(b, "s.volumes.all(v, v.until > now)", nil), volumesUntil(until...), values()
	b.ReportAllocs()
	for b.Loop() {
		r.Judge(s, p, now, nil)
	}
}

// BenchmarkCompile compiles every control that ships with the program.
func BenchmarkCompile(b *testing.B) {
	kinds, d := kind.Default(), directive.Default()
	controls := control.Default(kinds, d)
	for b.Loop() {
		if _, err := judge.Rules(controls, kinds, d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(controls)), "controls")
}
