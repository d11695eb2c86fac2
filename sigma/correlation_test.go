package sigma_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/sigma"
)

const base = `---
title: failed
name: failed
level: low
logsource: {category: login-failure}
detection: {s: {class: login-failure}, condition: s}
---
title: succeeded
name: succeeded
logsource: {category: login}
detection: {s: {class: login}, condition: s}
`

func correlated(t *testing.T, text string) *sigma.Set {
	t.Helper()
	s, err := sigma.Parse("c.yml", []byte(text+base))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// step is an event so many seconds after the beginning; a name with "+" is a login,
// else a failed one. "name@source".
func play(s *sigma.Set, d *sigma.Detector, steps ...string) (out []string) {
	if d == nil {
		d = s.Detector(0)
	}
	for i, step := range steps {
		var sec int
		var name string
		fmt.Sscanf(step, "%d %s", &sec, &name)
		name, source, _ := strings.Cut(name, "@")
		e := event.Event{At: at.Add(time.Duration(sec) * time.Second), Class: event.LoginFailure, Source: source}
		if strings.HasSuffix(name, "+") {
			e.Class = event.Login
		}
		e.Account = strings.TrimSuffix(name, "+")
		d.Observe(&e, e.At, sigma.Ref{Stream: "3y", Seq: int64(i)}, func(f sigma.Finding) {
			out = append(out, fmt.Sprintf("%s %d %s %d-%d", f.Rule.ID, f.Count, f.Group, f.First.Ref.Seq, f.Last.Ref.Seq))
		})
	}
	return out
}

func TestEventsTogetherMakeAFinding(t *testing.T) {
	count := "title: c\nid: c\ncorrelation: {type: event_count, rules: [failed], group-by: [account], timespan: 1m, condition: {gte: 3}}\n"
	values := "title: c\nid: c\ncorrelation: {type: value_count, rules: [failed], group-by: [source], timespan: 1m, condition: {field: account, gte: 3}}\n"
	pair := "title: c\nid: c\ncorrelation: {type: temporal, rules: [failed, succeeded], group-by: [account], timespan: 1m}\n"
	order := "title: c\nid: c\ncorrelation: {type: temporal_ordered, rules: [failed, succeeded], group-by: [account], timespan: 1m}\n"
	chain := "title: c\nid: c\ncorrelation: {type: temporal_ordered, rules: [many, succeeded], group-by: [account], timespan: 10m}\n---\n" +
		"title: many\nname: many\ncorrelation: {type: event_count, rules: [failed], group-by: [source], timespan: 1m, condition: {gte: 3}}\n"
	twice := "title: c\nid: c\ncorrelation: {type: temporal_ordered, rules: [again, failed], group-by: [account], timespan: 1m}\n---\n" +
		"title: again\nname: again\nlogsource: {category: login-failure}\ndetection: {s: {account: a}, condition: s}\n"
	alias := "title: c\nid: c\ncorrelation: {type: temporal, rules: [failed, succeeded], group-by: [who], timespan: 1m, aliases: {who: {failed: source, succeeded: account}}}\n"
	for name, c := range map[string]struct {
		rules string
		steps []string
		want  string
	}{
		"too few":                         {count, []string{"0 a", "10 a", "20 b"}, ""},
		"enough, then each further one":   {count, []string{"0 a", "10 a", "59 a", "60 a"}, "c 3 account=a 0-2; c 1 account=a 1-3"},
		"enough, but too far apart":       {count, []string{"0 a", "30 a", "61 a"}, ""},
		"exactly as far apart as allowed": {count, []string{"0 a", "30 a", "60 a"}, "c 3 account=a 0-2"},
		"a pause, and enough again":       {count, []string{"0 a", "1 a", "2 a", "500 a", "501 a", "502 a"}, "c 3 account=a 0-2; c 3 account=a 3-5"},
		"out of order":                    {count, []string{"20 a", "0 a", "10 a"}, "c 3 account=a 1-2"},
		"one that comes hours late":       {count, []string{"9000 a", "9001 a", "5 a"}, ""},
		"of one letter case":              {count, []string{"0 A", "1 a", "2 A"}, "c 3 account=A 0-2"},
		"without the field":               {count, []string{"0", "1", "2", "3"}, ""},
		"different values":                {values, []string{"0 a@s", "1 b@s", "2 c@s"}, "c 3 source=s 0-2"},
		"the same value again and again":  {values, []string{"0 a@s", "1 b@s", "2 b@s", "3 a@s"}, ""},
		"values of two sources":           {values, []string{"0 a@s", "1 b@s", "2 c@r"}, ""},
		"a value seen again lately":       {values, []string{"0 a@s", "50 b@s", "59 a@s", "100 c@s"}, "c 3 source=s 1-3"},
		"two rules in either order":       {pair, []string{"0 a+", "30 a"}, "c 2 account=a 0-1"},
		"two rules of two accounts":       {pair, []string{"0 a+", "30 b"}, ""},
		"two rules too far apart":         {pair, []string{"0 a+", "61 a"}, ""},
		"in order":                        {order, []string{"0 a", "60 a+"}, "c 2 account=a 0-1"},
		"in order, too far apart":         {order, []string{"0 a", "61 a+"}, ""},
		"one event is not two":            {twice, []string{"0 a", "1 a"}, "c 2 account=a 0-1"},
		"one event alone is not two":      {twice, []string{"0 a"}, ""},
		"in the wrong order":              {order, []string{"0 a+", "1 a"}, ""},
		"in order, from the latest start": {order, []string{"0 a", "50 a", "100 a+"}, "c 2 account=a 1-2"},
		"a correlation of a correlation":  {chain, []string{"0 a@s", "1 b@s", "2 c@s", "100 b+", "101 c+"}, "c 2 account=c 2-4"},
		"fields by other names":           {alias, []string{"0 x@a", "1 a+"}, "c 2 who=a 0-1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(play(correlated(t, c.rules), nil, c.steps...), "; "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestARuleThatServesACorrelationIsNoFindingOfItsOwn(t *testing.T) {
	plain := "title: c\nid: c\ncorrelation: {type: event_count, rules: [failed], group-by: [account], timespan: 1m, condition: {gte: 3}%s}\n"
	if got := play(correlated(t, fmt.Sprintf(plain, "")), nil, "0 a"); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if got := play(correlated(t, fmt.Sprintf(plain, ", generate: true")), nil, "0 a"); len(got) != 1 {
		t.Errorf("generated: got %v, want the rule itself", got)
	}
}

// The reference is the definition, written out: of the last so many, all are within
// the span of the newest.
func TestCountingIsThatOfTheDefinition(t *testing.T) {
	s := correlated(t, "title: c\nid: c\ncorrelation: {type: event_count, rules: [failed], group-by: [account], timespan: 60s, condition: {gte: 4}}\n")
	rng := rand.New(rand.NewPCG(3, 9))
	for range 200 {
		d := s.Detector(0)
		var times []int
		newest := 0
		for i := range 40 {
			sec := newest + rng.IntN(40) - 8
			times = append(times, sec)
			newest = max(newest, sec)
			n := 0
			for _, x := range times {
				if x >= newest-60 {
					n++
				}
			}
			want := n >= 4 && sec >= newest-60
			got := len(play(s, d, fmt.Sprintf("%d a", sec))) > 0
			if got != want {
				t.Fatalf("%v: event %d found %v, want %v", times, i, got, want)
			}
		}
	}
}

// Somebody who makes up a new name each time grows nothing, and hides nobody who is
// well under way.
func TestManyGroupsStayWithinBounds(t *testing.T) {
	s := correlated(t, "title: c\nid: c\ncorrelation: {type: event_count, rules: [failed], group-by: [account], timespan: 1h, condition: {gte: 10}}\n")
	d := s.Detector(1000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	found := 0
	for i := range 100_000 {
		e := event.Event{At: at.Add(time.Duration(i) * time.Millisecond), Class: event.LoginFailure, Account: fmt.Sprintf("%d%s", i, strings.Repeat("x", 2000))}
		if i%1000 == 0 {
			e.Account = "victim"
		}
		d.Observe(&e, e.At, sigma.Ref{}, func(sigma.Finding) { found++ })
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("a thousand groups hold %d bytes", grown)
	}
	if d.Evicted() < 90_000 || found < 80 {
		t.Errorf("%d groups forgotten, %d findings; want most of the 100,000, and the victim's from the tenth on", d.Evicted(), found)
	}
	runtime.KeepAlive(d)
}

// After a clock that was years ahead has come back, what happens is found as before.
func TestAClockThatWasAheadBlindsNoGroup(t *testing.T) {
	const years = 20 * 365 * 24 * 3600
	for _, kind := range []string{"type: event_count, rules: [failed]", "type: value_count, rules: [failed]", "type: temporal, rules: [failed, succeeded]"} {
		condition := ", condition: {gte: 3}"
		switch {
		case strings.Contains(kind, "value"):
			condition = ", condition: {gte: 3, field: source}"
		case strings.Contains(kind, "temporal"):
			condition = ""
		}
		s := correlated(t, "title: c\nid: c\nlevel: high\ncorrelation: {"+kind+", group-by: [account], timespan: 10m"+condition+"}\n")
		want := play(s, nil, "60 x@1", "61 x@2", "62 x@3", "63 x+@4")
		got := play(s, nil, fmt.Sprint(years, " x@9"), "60 x@1", "61 x@2", "62 x@3", "63 x+@4")
		if len(want) == 0 || len(got) != len(want) {
			t.Errorf("%s: found %q, want as many as %q", kind, got, want)
		}
	}
}
