package judge_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"kakusho/bilingual"
	"kakusho/clause"
	"kakusho/control"
	"kakusho/decision"
	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/kind"
	"kakusho/rule/ruletest"
	"kakusho/verdict"
)

// TestChangesByTimeAlone judges a second before, at and a second after each
// instant at which time alone changes an outcome.
func TestChangesByTimeAlone(t *testing.T) {
	length := func(v int64) map[string]any { return map[string]any{"length": v} }
	overlay := func(change func(*decision.Decision), in ...time.Time) judge.Subject {
		s := subject(length(8), nil)
		s.Facts["length"] = judge.Cell{Fact: s.Facts["length"].Fact, ObservedAt: now.Add(-day)}
		d := decision.Decision{ID: "E", Type: decision.Exception, Control: "area/name", At: now.Add(-9 * day), From: now.Add(-8 * day), ApprovedAt: now.Add(-8 * day), Until: now.Add(90 * day)}
		change(&d)
		s.Decisions = []decision.Decision{d}
		for _, t := range in {
			s.InServiceOn = t
		}
		return s
	}
	answer := func(at time.Time, until time.Time) judge.Subject {
		s := subject(nil, nil)
		s.Decisions = []decision.Decision{{ID: "A", Type: decision.Attestation, Control: "area/name", Answer: "fitted", At: at, From: at, Until: until}}
		return s
	}
	judgement := func(at time.Time) judge.Subject {
		s := answer(at, time.Time{})
		s.Decisions[0].Type = decision.Judgement
		return s
	}
	withdrawn := func(s judge.Subject, at time.Time) judge.Subject {
		s.Decisions[0].WithdrawnAt = at
		return s
	}
	defs := func(at time.Time) judge.Subject {
		return cell(subject(map[string]any{"definitions_at": at}, map[string]any{"ends_on": now.Add(10 * day)}), "definitions_at", func(c *judge.Cell) { c.Fresh = "" })
	}
	min := rule(t, "s.length >= p.pw_length", nil)
	attested := rule(t, `a.answer == "fitted"`, attestation)
	half := now.Add(300 * time.Millisecond)
	for _, c := range []struct {
		name     string
		rule     *judge.Rule
		subject  judge.Subject
		at       time.Time // when it changes
		from, to verdict.Outcome
	}{
		{"a fact goes stale", min, subject(length(12), nil), now.Add(-time.Hour + 7*day), verdict.Conforms, verdict.Unknown},
		{"a violation goes stale", min, subject(length(8), nil), now.Add(-time.Hour + 7*day), verdict.Violates, verdict.Unknown},
		{"an answer goes stale", attested, answer(now.Add(-300*day), time.Time{}), now.Add(65 * day), verdict.Conforms, verdict.Unknown},
		{"an answer ends", attested, answer(now.Add(-3*day), now.Add(2*day)), now.Add(2 * day), verdict.Conforms, verdict.Unknown},
		{"an answer given ahead begins", attested, answer(now.Add(day), time.Time{}), now.Add(day), verdict.Unknown, verdict.Conforms},
		{"an exception ends", min, overlay(func(*decision.Decision) {}), now.Add(90 * day), verdict.Excepted, verdict.Violates},
		{"a deferral ends", min, overlay(func(d *decision.Decision) { d.Type = decision.Deferral }, effective), now.Add(90 * day), verdict.Deferred, verdict.Violates},
		{"a special provision ends", min, overlay(func(d *decision.Decision) { d.Type = decision.Special }), now.Add(90 * day), verdict.Special, verdict.Violates},
		{"a judgement goes stale", rule(t, `a.answer == "fitted"`, record(decision.Judgement)), judgement(now.Add(-300 * day)), now.Add(65 * day), verdict.Conforms, verdict.Undecided},
		{"an answer is withdrawn", attested, withdrawn(answer(now.Add(-3*day), time.Time{}), now.Add(4*day)), now.Add(4 * day), verdict.Conforms, verdict.Unknown},
		{"that something is absent goes stale", rule(t, "!has(s.product)", nil), cell(subject(map[string]any{"product": "x"}, nil), "product", status(fact.Absent, "none")), now.Add(-time.Hour + 3*day), verdict.Conforms, verdict.Unknown},
		{"an exception is withdrawn", min, overlay(func(d *decision.Decision) { d.WithdrawnAt = now.Add(3 * day) }), now.Add(3 * day), verdict.Excepted, verdict.Violates},
		{"an exception begins", min, overlay(func(d *decision.Decision) { d.From = now.Add(3 * day) }), now.Add(3 * day), verdict.Violates, verdict.Excepted},
		{"an approval takes effect", min, overlay(func(d *decision.Decision) { d.ApprovedAt = now.Add(3 * day) }), now.Add(3 * day), verdict.Violates, verdict.Excepted},
		{"a fact from the future comes of age", min, cell(subject(length(12), nil), "length", func(c *judge.Cell) { c.ObservedAt = now.Add(time.Hour) }), now.Add(55 * time.Minute), verdict.Unknown, verdict.Conforms},
		{"an age reaches its limit", rule(t, "now - s.definitions_at <= p.malware_age", nil), defs(now.Add(-day)), now.Add(2*day + time.Second), verdict.Conforms, verdict.Violates},
		{"an age passes below its limit", rule(t, "now - s.definitions_at < p.malware_age", nil), defs(now.Add(-day)), now.Add(2 * day), verdict.Conforms, verdict.Violates},
		{"an age written the other way round", rule(t, "p.malware_age >= now - s.definitions_at", nil), defs(now.Add(-day)), now.Add(2*day + time.Second), verdict.Conforms, verdict.Violates},
		{"an age under a negation", rule(t, "!(now - s.definitions_at > p.malware_age)", nil), defs(now.Add(-day)), now.Add(2*day + time.Second), verdict.Conforms, verdict.Violates},
		{"a term comes near", rule(t, "s.ends_on - now >= p.malware_age", nil), defs(now), now.Add(7*day + time.Second), verdict.Conforms, verdict.Violates},
		{"a term is over", rule(t, "s.ends_on > now", nil), defs(now), now.Add(10 * day), verdict.Conforms, verdict.Violates},
		{"a term is over, the last instant included", rule(t, "now <= s.ends_on", nil), defs(now), now.Add(10*day + time.Second), verdict.Conforms, verdict.Violates},
		{"a sum of both", rule(t, "s.definitions_at + p.malware_age > now", nil), defs(now.Add(-day)), now.Add(2 * day), verdict.Conforms, verdict.Violates},
		{"a difference on the side of now", rule(t, "now - p.malware_age < s.definitions_at", nil), defs(now.Add(-day)), now.Add(2 * day), verdict.Conforms, verdict.Violates},
		{"a wait is over", rule(t, "now - s.definitions_at >= p.malware_age", nil), defs(now.Add(-day)), now.Add(2 * day), verdict.Violates, verdict.Conforms},
		{"between two seconds", rule(t, "now - s.definitions_at < p.malware_age", nil), defs(half.Add(-day)), now.Add(2*day + time.Second), verdict.Conforms, verdict.Violates},
		{"between two seconds, exactly", rule(t, "now - s.definitions_at <= p.malware_age", nil), defs(half.Add(-day)), now.Add(2*day + time.Second), verdict.Conforms, verdict.Violates},
		{"of two ages, the shorter", rule(t, `now - s.definitions_at < duration("96h") && now - s.definitions_at < duration("72h")`, nil), defs(now.Add(-day)), now.Add(2 * day), verdict.Conforms, verdict.Violates},
		{"of two ages, the longer", rule(t, `now - s.definitions_at < duration("96h") || now - s.definitions_at < duration("72h")`, nil), defs(now.Add(-day)), now.Add(3 * day), verdict.Conforms, verdict.Violates},
		{"in one record of many", rule(t, "s.volumes.all(v, v.until > now)", nil), volumesUntil(now.Add(9*day), now.Add(4*day), now.Add(12*day)), now.Add(4 * day), verdict.Conforms, verdict.Violates},
		{"in the last record of many", rule(t, "s.volumes.exists(v, v.until > now)", nil), volumesUntil(now.Add(9*day), now.Add(4*day), now.Add(12*day)), now.Add(12 * day), verdict.Conforms, verdict.Violates},
		{"in the second record counted", rule(t, "s.volumes.filter(v, v.until < now).size() < 2", nil), volumesUntil(now.Add(9*day), now.Add(4*day), now.Add(12*day)), now.Add(9*day + time.Second), verdict.Conforms, verdict.Violates},
		{"what a count rests on goes stale", rule(t, "s.volumes.filter(v, v.bits > 5 || s.length > 8).size() >= 1", nil), counted(), now.Add(-time.Hour + 7*day), verdict.Conforms, verdict.Unknown},
		{"it does not apply any more", rule(t, "true", func(c *control.Control) { c.Applies = "s.ends_on > now" }), defs(now), now.Add(10 * day), verdict.Conforms, verdict.NotApplicable},
		{"its own exception ends", rule(t, "false", func(c *control.Control) {
			c.Exceptions = []control.Exception{{Clause: "npa-r3@2.3.1.1", When: "s.ends_on > now"}}
		}), defs(now), now.Add(10 * day), verdict.Excepted, verdict.Violates},
	} {
		t.Run(c.name, func(t *testing.T) {
			outcome := func(at time.Time) verdict.Outcome { return c.rule.Judge(c.subject, values(), at, nil).Outcome }
			for _, x := range []struct {
				at   time.Time
				want verdict.Outcome
			}{{now, c.from}, {c.at.Add(-time.Second), c.from}, {c.at, c.to}, {c.at.Add(time.Second), c.to}} {
				if got := outcome(x.at); got != x.want {
					t.Errorf("at %v: %q, want %q", x.at, got, x.want)
				}
			}
			for _, at := range []time.Time{now, now.Add(100 * time.Millisecond), c.at.Add(-time.Second)} {
				if v := c.rule.Judge(c.subject, values(), at, nil); !v.NextChange.Equal(c.at) || v.ChangesTo != c.to {
					t.Errorf("judged at %v: changes at %v to %q, want %v to %q", at, v.NextChange, v.ChangesTo, c.at, c.to)
				}
			}
			if v := c.rule.Judge(c.subject, values(), c.at, nil); v.Since.After(c.at) {
				t.Errorf("is so since %v, which is after %v", v.Since, c.at)
			}
		})
	}
}

// counted has one record of bits and one without, so that only the latter's
// being counted hangs on the length.
func counted() judge.Subject {
	s := subject(map[string]any{"length": int64(12), "volumes": []any{map[string]any{"bits": int64(9)}, map[string]any{"bits": int64(1)}}}, nil)
	return cell(s, "volumes", func(c *judge.Cell) { c.Fresh = "" })
}

func volumesUntil(ts ...time.Time) judge.Subject {
	var list []any
	for _, t := range ts {
		list = append(list, map[string]any{"until": t})
	}
	return cell(subject(map[string]any{"volumes": list}, nil), "volumes", func(c *judge.Cell) { c.Fresh = "" })
}

// TestACountIsFollowedInLeaps has more instants at which an element changes than
// nextChange looks at.
func TestACountIsFollowedInLeaps(t *testing.T) {
	var ts []time.Time
	for i := range 3000 {
		ts = append(ts, now.Add(time.Duration(i)*time.Hour))
	}
	s := volumesUntil(ts...)
	for _, c := range []struct {
		text    string
		outcome verdict.Outcome
		next    time.Time
	}{
		{"s.volumes.filter(v, v.until <= now).size() > 0", verdict.Conforms, time.Time{}},
		{"s.volumes.filter(v, v.until <= now).size() <= 2998", verdict.Conforms, ts[2998]},
		{"2500 >= s.volumes.filter(v, v.until > now).size()", verdict.Violates, ts[499]},
		{"s.volumes.filter(v, v.until > now).size() == 3000", verdict.Violates, time.Time{}},
		{"s.volumes.filter(v, v.until > now).size() != 1500", verdict.Conforms, ts[1499]},
		{"s.volumes.exists(v, v.until > now)", verdict.Conforms, ts[2999]},
		{"s.volumes.all(v, v.until < now)", verdict.Violates, ts[2999].Add(time.Second)},
	} {
		v := judged(rule(t, c.text, nil), s)
		if v.Outcome != c.outcome || !v.NextChange.Equal(c.next) {
			t.Errorf("%s: %q until %v, want %q until %v", c.text, v.Outcome, v.NextChange, c.outcome, c.next)
		}
	}
}

func TestAParameterThatChangesHidesWhatComesAfter(t *testing.T) {
	r := rule(t, "s.length >= p.pw_length || s.active", nil)
	s := cell(subject(map[string]any{"length": int64(12), "active": false}, nil), "length", func(c *judge.Cell) { c.Fresh = "" })
	s = cell(s, "active", func(c *judge.Cell) { c.Fresh = "" })
	vs := values()
	next := now.Add(5*day + 200*time.Millisecond)
	vs["pw.length"] = directive.Value{Value: int64(12), Layer: "national", From: now.Add(-3 * day), Next: next}
	v := r.Judge(s, vs, now, nil)
	if want := next.Truncate(time.Second).Add(time.Second); !v.NextChange.Equal(want) || v.ChangesTo != "" {
		t.Errorf("changes at %v to %q, want %v to something not known", v.NextChange, v.ChangesTo, want)
	}
	if !v.Since.Equal(now.Add(-3 * day)) {
		t.Errorf("since %v, want the day the parameter took effect", v.Since)
	}
	// It does not matter where the rest decides.
	s.Facts["active"] = judge.Cell{Fact: subject(map[string]any{"active": true}, nil).Facts["active"].Fact, ObservedAt: now}
	if v := r.Judge(s, vs, now, nil); !v.NextChange.IsZero() {
		t.Errorf("changes at %v to %q, want never", v.NextChange, v.ChangesTo)
	}
	// How long a fact holds may change as well.
	held := rule(t, "s.length >= 12", nil)
	vs["fresh.account"] = directive.Value{Value: 7 * day, Layer: "national", Next: next}
	if v := held.Judge(subject(map[string]any{"length": int64(12)}, nil), vs, now, nil); !v.NextChange.Equal(next.Truncate(time.Second).Add(time.Second)) || v.ChangesTo != "" {
		t.Errorf("changes at %v to %q, want %v to something not known", v.NextChange, v.ChangesTo, next)
	}
}

// TestAParameterTakesEffectAtItsSecond judges under the values of each instant,
// as whoever keeps the settings does.
func TestAParameterTakesEffectAtItsSecond(t *testing.T) {
	from, until := now.Add(5*day), now.Add(9*day)
	r, s := rule(t, "s.length >= p.pw_length", nil), subject(map[string]any{"length": int64(12)}, nil)
	s = cell(s, "length", func(c *judge.Cell) { c.Fresh = "" })
	for _, c := range []struct {
		name    string
		setting directive.Setting
		from    verdict.Outcome
		at      time.Time
		to      verdict.Outcome
	}{
		{"a stricter value begins", directive.Setting{ID: "S", Key: "pw.length", Layer: "national", Value: int64(14), From: from}, verdict.Conforms, from, verdict.Violates},
		{"a stricter value ends", directive.Setting{ID: "S", Key: "pw.length", Layer: "national", Value: int64(14), From: now.Add(-day), Until: until}, verdict.Violates, until, verdict.Conforms},
		{"a looser value begins", directive.Setting{ID: "S", Key: "pw.length", Layer: "national", Value: int64(8), From: from}, verdict.Conforms, time.Time{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			judge := func(at time.Time) verdict.Verdict {
				return r.Judge(s, params().Resolve([]directive.Setting{c.setting}, directive.Scope{}, at), at, nil)
			}
			v := judge(now)
			if v.Outcome != c.from || !v.NextChange.Equal(c.at) && !c.at.IsZero() {
				t.Errorf("%q until %v, want %q until %v", v.Outcome, v.NextChange, c.from, c.at)
			}
			if c.at.IsZero() {
				return
			}
			for d, want := range map[time.Duration]verdict.Outcome{-time.Second: c.from, 0: c.to, time.Second: c.to} {
				if v := judge(c.at.Add(d)); v.Outcome != want {
					t.Errorf("%v from it: %q, want %q", d, v.Outcome, want)
				}
			}
		})
	}
}

func TestAnOverrideThatEndsHidesWhatComesAfter(t *testing.T) {
	r := rule(t, "s.zone == 3", nil)
	s := cell(subject(map[string]any{"zone": int64(3)}, nil), "zone", func(c *judge.Cell) { c.Fresh = "" })
	d := decision.Decision{ID: "O", Type: decision.Override, Subject: s.Ref, Field: "zone", Value: int64(3), At: now.Add(-day), From: now.Add(-day), ApprovedAt: now.Add(-day), Until: now.Add(9 * day)}
	s.Decisions = []decision.Decision{d}
	if v := judged(r, s); v.Outcome != verdict.Conforms || !v.NextChange.Equal(now.Add(9*day)) || v.ChangesTo != "" {
		t.Errorf("got %q until %v, then %q; want conforms until the override ends, then something not known", v.Outcome, v.NextChange, v.ChangesTo)
	}
	for _, change := range []func(*decision.Decision){
		func(d *decision.Decision) { d.Field = "status" }, func(d *decision.Decision) { d.Subject = "system/S-1" }, func(d *decision.Decision) { d.Until = now.Add(-time.Hour) },
	} {
		other := d
		change(&other)
		s.Decisions = []decision.Decision{other}
		if v := judged(r, s); !v.NextChange.IsZero() {
			t.Errorf("%+v: until %v, want no change", other, v.NextChange)
		}
	}
}

func TestSince(t *testing.T) {
	age := rule(t, "now - s.definitions_at <= p.malware_age", nil)
	s := cell(subject(map[string]any{"definitions_at": now.Add(-5 * day)}, nil), "definitions_at", func(c *judge.Cell) { c.Since = now.Add(-4 * day) })
	if v := judged(age, s); !v.Since.Equal(now.Add(-2 * day)) {
		t.Errorf("since %v, want the instant at which the age was reached", v.Since)
	}
	min := rule(t, "s.length >= p.pw_length && s.active", nil)
	s = subject(map[string]any{"length": int64(8), "active": true}, nil)
	s = cell(s, "active", func(c *judge.Cell) { c.Since = now.Add(-time.Hour) })
	if v := judged(min, s); !v.Since.Equal(now.Add(-10 * day)) {
		t.Errorf("since %v, want since the length is so: the rest did not decide", v.Since)
	}
	s = cell(s, "length", func(c *judge.Cell) { c.Since = time.Time{} })
	if v := judged(min, s); !v.Since.Equal(now.Add(-time.Hour)) {
		t.Errorf("since %v, want when it was observed", v.Since)
	}
	stale := cell(s, "length", func(c *judge.Cell) { c.ObservedAt = now.Add(-9 * day) })
	if v := judged(rule(t, "s.length >= 12", nil), stale); !v.Since.Equal(now.Add(-2 * day)) {
		t.Errorf("since %v, want when it went stale", v.Since)
	}
	excepted := subject(map[string]any{"length": int64(8), "zone": int64(3)}, nil)
	excepted = cell(excepted, "zone", func(c *judge.Cell) { c.Since = now.Add(-5 * day) })
	own := rule(t, "s.length >= 12", func(c *control.Control) {
		c.Exceptions = []control.Exception{{Clause: "npa-r3@2.3.1.1", When: "s.zone == 3"}}
	})
	if v := judged(own, excepted); v.Outcome != verdict.Excepted || !v.Since.Equal(now.Add(-5*day)) {
		t.Errorf("%q since %v, want excepted since the zone is so", v.Outcome, v.Since)
	}
	ended := subject(map[string]any{"length": int64(8)}, nil)
	ended.Decisions = []decision.Decision{{ID: "E", Type: decision.Exception, Control: "area/name", From: now.Add(-30 * day), ApprovedAt: now.Add(-30 * day), Until: now.Add(-3 * day)}}
	if v := judged(rule(t, "s.length >= 12", nil), ended); !v.Since.Equal(now.Add(-3 * day)) {
		t.Errorf("since %v, want when the exception ended", v.Since)
	}
}

// TestNextChangeIsTheFirst makes random rules, subjects and decisions, and looks
// for a change before the one that was told.
func TestNextChangeIsTheFirst(t *testing.T) {
	g := ruletest.New(20261101)
	kinds := kind.Set{"thing": ruletest.Kind()}
	told := 0
	for range 500 {
		c := control.Control{
			ID: "area/name", Clauses: []clause.ID{"npa-r3@2.3.1"}, Kinds: []string{"thing"}, Empty: "ok",
			Rule: g.Expr(2).String(), Applies: g.Expr(1).String() + " || true", Exceptions: []control.Exception{{When: g.Expr(1).String()}},
			Missing: []control.Missing{control.MissingUnknown, control.MissingViolates, control.MissingNotApplicable}[g.IntN(3)], Title: bilingual.Say("名", "Name"),
		}
		c.Needs, c.Parameters = judge.Named(c, kinds, ruletest.Params())
		r, err := judge.Compile(c, kinds, ruletest.Params(), judge.EffectiveFrom(effective))
		if err != nil {
			t.Fatalf("%s: %v", c.Rule, err)
		}
		s := judge.Subject{Ref: "thing/1", Facts: g.Cells(), Declared: g.Cells(), Decisions: randomDecisions(g.Rand)}
		ps := ruletest.Params().Resolve(nil, directive.Scope{}, now)
		at := now.Add(time.Duration(g.IntN(1000)) * time.Millisecond)
		v := r.Judge(s, ps, at, nil)
		outcome := func(at time.Time) verdict.Outcome { return r.Judge(s, ps, at, nil).Outcome }
		end := v.NextChange
		if end.IsZero() {
			end = now.Add(40 * day)
		} else {
			told++
			if got := outcome(end); got != v.ChangesTo || got == v.Outcome {
				t.Fatalf("%s\nat %v: %q, told %q, before %q", c.Rule, end, got, v.ChangesTo, v.Outcome)
			}
		}
		last := end.Add(-time.Second)
		for i := 0; i < 12 && last.After(at); i++ {
			if got := outcome(last); got != v.Outcome {
				t.Fatalf("%s | %s\nat %v: %q, but told %q until %v", c.Rule, c.Exceptions[0].When, last, got, v.Outcome, v.NextChange)
			}
			last = at.Add(time.Duration(g.Int64N(int64(end.Sub(at))))).Truncate(time.Second)
		}
	}
	if told < 100 {
		t.Errorf("only %d changes were told: the test shows little", told)
	}
}

func randomDecisions(r *rand.Rand) (ds []decision.Decision) {
	instant := func() time.Time { return now.Add(time.Duration(r.IntN(40)-20) * 12 * time.Hour) }
	for i := range r.IntN(3) {
		d := decision.Decision{
			ID: string(rune('A' + i)), Type: []decision.Type{decision.Exception, decision.Special}[r.IntN(2)], Control: "area/name",
			At: instant(), From: instant(), ApprovedAt: instant(), Until: instant(),
		}
		if r.IntN(3) == 0 {
			d.WithdrawnAt = instant()
		}
		ds = append(ds, d)
	}
	return ds
}
