package collect_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"kakusho/collect"
	"kakusho/collect/fixture"
	"kakusho/fact"
	"kakusho/kind"
)

func computer() kind.Kind { return kind.Default()["computer"] }

func banner(local, remote, present fact.Fact) []fact.Fact {
	local.Field, remote.Field, present.Field = "banner_local", "banner_remote", "banner_present"
	return []fact.Fact{local, remote, present}
}

func TestRunAnswersEveryFieldWhateverACollectorDoes(t *testing.T) {
	good := banner(collect.Saw("", "hello"), collect.None("", "none: /etc/issue.net"), collect.Saw("", true))
	for _, tt := range []struct {
		name    string
		collect func(context.Context, collect.Host) []fact.Fact
		status  []fact.Status
		reason  string
	}{
		{"a collector that does its work", func(context.Context, collect.Host) []fact.Fact { return good },
			[]fact.Status{fact.Observed, fact.Absent, fact.Observed}, ""},
		{"one that panics", func(context.Context, collect.Host) []fact.Fact { panic("boom") },
			[]fact.Status{fact.Error, fact.Error, fact.Error}, "panic: boom at collect_test.go:"},
		{"one that brings nothing", func(context.Context, collect.Host) []fact.Fact { return nil },
			[]fact.Status{fact.Error, fact.Error, fact.Error}, "no answer"},
		{"one that hangs", func(context.Context, collect.Host) []fact.Fact { <-make(chan int); return nil },
			[]fact.Status{fact.Timeout, fact.Timeout, fact.Timeout}, "timeout: no answer within 1s"},
		{"one that heeds its context", func(ctx context.Context, _ collect.Host) []fact.Fact { <-ctx.Done(); return good },
			[]fact.Status{fact.Observed, fact.Absent, fact.Observed}, ""},
		{"one that brings the wrong type", func(context.Context, collect.Host) []fact.Fact {
			return banner(collect.Saw("", 1), collect.Saw("", "x"), collect.Saw("", "yes"))
		}, []fact.Status{fact.Error, fact.Observed, fact.Error}, "no value of type"},
		{"one that answers twice", func(context.Context, collect.Host) []fact.Fact { return append(good, good[0]) },
			[]fact.Status{fact.Error, fact.Absent, fact.Observed}, "more than one answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := collect.Collector{Group: "banner", Version: "1", Timeout: time.Second, Collect: tt.collect}
			var steps []string
			bs := collect.Run(t.Context(), collect.Host{Now: fixture.Now}, "computer/PC-1", []collect.Collector{c},
				func(done, total int, group string) { steps = append(steps, fmt.Sprint(done, total, group)) })
			if len(bs) != 1 {
				t.Fatalf("%d batches", len(bs))
			}
			b := bs[0]
			if err := collect.Check(computer(), b); err != nil {
				t.Error(err)
			}
			if b.Subject != "computer/PC-1" || b.Collector != "banner" || b.Version != "1" || b.Method != "native" || !b.ObservedAt.Equal(fixture.Now) || len(b.ID) != 32 {
				t.Errorf("envelope %+v", b)
			}
			all := ""
			for i, f := range b.Facts {
				if f.Status != tt.status[i] {
					t.Errorf("%s: %s (%s), want %s", f.Field, f.Status, f.Reason, tt.status[i])
				}
				all += f.Reason
			}
			if !strings.Contains(all, tt.reason) {
				t.Errorf("reasons %q, want one with %q", all, tt.reason)
			}
			if got := strings.Join(steps, ","); got != "0 1banner,1 1" {
				t.Errorf("progress %q", got)
			}
		})
	}
}

func TestRunGoesOnAfterOneThatHangs(t *testing.T) {
	// Not in a bubble of synctest: the point is a goroutine that never ends.
	hang := collect.Collector{Group: "kernel", Timeout: time.Millisecond, Collect: func(context.Context, collect.Host) []fact.Fact { select {} }}
	good := collect.Collector{Group: "banner", Collect: func(context.Context, collect.Host) []fact.Fact {
		return banner(collect.Saw("", "a"), collect.Saw("", "b"), collect.Saw("", true))
	}}
	bs := collect.Run(t.Context(), collect.Host{}, "computer/PC-1", []collect.Collector{hang, good}, nil)
	if len(bs) != 2 || bs[0].Facts[0].Status != fact.Timeout || bs[1].Facts[0].Status != fact.Observed {
		t.Errorf("got %+v", bs)
	}
}

func TestRunGivesThirtySecondsUnlessToldOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := collect.Collector{Group: "banner", Collect: func(ctx context.Context, _ collect.Host) []fact.Fact {
			<-ctx.Done()
			return banner(collect.Failed("", ctx.Err()), collect.Failed("", ctx.Err()), collect.Failed("", ctx.Err()))
		}}
		bs := collect.Run(t.Context(), collect.Host{}, "computer/PC-1", []collect.Collector{c}, nil)
		if got := time.Since(start); got != 30*time.Second {
			t.Errorf("took %v", got)
		}
		if f := bs[0].Facts[0]; f.Status != fact.Timeout {
			t.Errorf("got %+v", f)
		}
	})
}

func TestRunCutsAListAtItsLimitAndSaysSo(t *testing.T) {
	c := collect.Collector{Group: "account", Collect: func(context.Context, collect.Host) []fact.Fact {
		long := make([]any, 6000)
		for i := range long {
			long[i] = map[string]any{"who": "a\x1b[31mb", "all": true}
		}
		return []fact.Fact{collect.Saw("sudo_rules", long)}
	}}
	b := collect.Run(t.Context(), collect.Host{}, "computer/PC-1", []collect.Collector{c}, nil)[0]
	for _, f := range b.Facts {
		if f.Field != "sudo_rules" {
			continue
		}
		l := f.Value.([]any)
		if f.Status != fact.Truncated || len(l) != 5000 || f.Reason != "limit: 6000 elements, 5000 kept" {
			t.Errorf("%s %q with %d", f.Status, f.Reason, len(l))
		}
		if got := l[0].(map[string]any)["who"]; got != `a\x1b[31mb` {
			t.Errorf("who %q", got)
		}
	}
}

func TestCheckNamesEveryFault(t *testing.T) {
	b := fact.Batch{Collector: "banner", Facts: []fact.Fact{
		{Field: "banner_local", Status: fact.Absent},
		{Field: "banner_present", Status: fact.Observed},
		{Field: "banner_present", Status: "green", Value: true},
		{Field: "hostname", Status: fact.Observed, Value: "x"},
	}}
	err := collect.Check(computer(), b)
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, want := range []string{
		`"banner_local": status absent without a reason`,
		`"banner_present": status observed without a value`,
		`"banner_present": unknown status "green"`,
		`"banner_present": brought 2 times`,
		`"banner_remote": brought 0 times`,
		`"hostname": not an observed field of this group`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
	if err := collect.Check(computer(), fact.Batch{Collector: "nothing"}); err == nil {
		t.Error("an unknown group passed")
	}
}

func TestCheckIsStrictAboutTypes(t *testing.T) {
	k := kind.Kind{ID: "thing", Fields: []kind.Field{
		{Name: "f", Layers: []kind.Layer{kind.Observed}, Group: "g"},
	}}
	records := []kind.Field{{Name: "n", Type: kind.Int}, {Name: "c", Type: kind.Enum, Choices: []kind.Choice{{Value: "a"}}}}
	for _, tt := range []struct {
		typ kind.Type
		of  []kind.Field
		v   any
		ok  bool
	}{
		{kind.Int, nil, int64(1), true}, {kind.Int, nil, 1, false}, {kind.Int, nil, 1.0, false},
		{kind.Number, nil, 1.5, true}, {kind.Number, nil, int64(1), false},
		{kind.Bool, nil, false, true}, {kind.Bool, nil, "false", false},
		{kind.Time, nil, fixture.Now, true}, {kind.Time, nil, time.Time{}, false}, {kind.Time, nil, "2026-01-01", false},
		{kind.Duration, nil, time.Second, true}, {kind.Duration, nil, int64(1), false},
		{kind.String, nil, "日本", true}, {kind.String, nil, "a\nb", false}, {kind.String, nil, "\xff", false},
		{kind.String, nil, strings.Repeat("あ", 500), true}, {kind.String, nil, strings.Repeat("あ", 501), false},
		{kind.Text, nil, "a\nb", true}, {kind.Text, nil, "a\x00b", false},
		{kind.List, nil, []any{"a"}, true}, {kind.List, nil, []any{}, true}, {kind.List, nil, []string{"a"}, false},
		{kind.List, nil, []any{1}, false}, {kind.List, nil, make([]any, 1001), false},
		{kind.List, records, []any{map[string]any{"n": int64(1), "c": "a"}}, true},
		{kind.List, records, []any{map[string]any{}}, true},
		{kind.List, records, []any{map[string]any{"n": 1}}, false},
		{kind.List, records, []any{map[string]any{"c": "b"}}, false},
		{kind.List, records, []any{map[string]any{"x": int64(1)}}, false},
		{kind.List, records, []any{"a"}, false},
	} {
		k.Fields[0].Type, k.Fields[0].Of = tt.typ, tt.of
		err := collect.Check(k, fact.Batch{Collector: "g", Facts: []fact.Fact{collect.Saw("f", tt.v)}})
		if (err == nil) != tt.ok {
			t.Errorf("%s from %T %.20v: %v, want ok %v", tt.typ, tt.v, tt.v, err, tt.ok)
		}
	}
}

func TestStatusKeepsDeniedMissingAndTimeoutApart(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status fact.Status
		reason string
	}{
		{&fs.PathError{Op: "open", Path: "etc/shadow", Err: syscall.EACCES}, fact.Denied, "permission: open /etc/shadow"},
		{fmt.Errorf("read rules: %w", &fs.PathError{Op: "open", Path: "etc/sudoers", Err: syscall.EPERM}), fact.Denied, "permission: open /etc/sudoers"},
		{&fs.PathError{Op: "open", Path: "etc/x", Err: syscall.ENOENT}, fact.Error, "missing: open /etc/x"},
		{&fs.PathError{Op: "read", Path: "etc/x", Err: collect.ErrTooLarge}, fact.Error, "limit: read /etc/x: larger than the limit"},
		{&fs.PathError{Op: "read", Path: "sys/x", Err: syscall.EIO}, fact.Error, "error: read /sys/x: input/output error"},
		{context.DeadlineExceeded, fact.Timeout, "timeout: context deadline exceeded"},
		{fmt.Errorf("read rules: %w", collect.Why("malformed: /etc/x:3: odd")), fact.Error, "malformed: /etc/x:3: odd"},
		{errors.New("odd"), fact.Error, "error: odd"},
	} {
		if s, r := collect.Status(tt.err); s != tt.status || r != tt.reason {
			t.Errorf("Status(%v) = %s, %q; want %s, %q", tt.err, s, r, tt.status, tt.reason)
		}
	}
}

func TestLookRemembersWhatItReadButNoDigestOfASecret(t *testing.T) {
	l := fixture.Host(t, "-- etc/issue --\nhello\n-- etc/shadow mode=0600 --\nroot:*\n-- proc/x --\n1\n").Look()
	for _, p := range []string{"/etc/issue", "etc/issue", "/proc/x"} {
		if _, err := l.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.ReadSecret("/etc/shadow"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.ReadFile("/etc/none"); !collect.Missing(err) {
		t.Errorf("got %v", err)
	}
	got := ""
	for _, s := range l.Sources() {
		got += fmt.Sprintf("%s %d %v; ", s, len(s.SHA256), !s.ModTime.IsZero())
	}
	if want := "file:/etc/issue 64 true; proc:/proc/x 0 false; file:/etc/shadow 0 true; "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func FuzzCleanIsSafeAndSettles(f *testing.F) {
	f.Add("a\x1b[31m\u202e\xff日本", 10)
	f.Add("…", 1)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 1 || most > 1000 {
			return
		}
		once := collect.Clean(s, false, most)
		if n := len([]rune(once)); n > most {
			t.Errorf("%d runes, at most %d", n, most)
		}
		if strings.ContainsAny(once, "\x00\x1b\n\u202e") {
			t.Errorf("%q kept a control character", once)
		}
		if twice := collect.Clean(once, false, most); twice != once {
			t.Errorf("%q then %q", once, twice)
		}
	})
}

func TestRunMakesAnswersFitToSend(t *testing.T) {
	bring := func(group string, facts ...fact.Fact) map[string]fact.Fact {
		c := collect.Collector{Group: group, Collect: func(context.Context, collect.Host) []fact.Fact { return facts }}
		out := map[string]fact.Fact{}
		for _, f := range collect.Run(t.Context(), collect.Host{}, "computer/PC-1", []collect.Collector{c}, nil)[0].Facts {
			out[f.Field] = f
		}
		return out
	}
	full := make([]any, 5000)
	for i := range full {
		full[i] = map[string]any{"who": "a"}
	}
	got := bring("account", collect.Saw("sudo_rules", full), collect.Saw("admins", []any{"a\nb", "c"}), collect.Unclear("uid0_accounts", "error: line\nbreak"))
	if f := got["sudo_rules"]; f.Status != fact.Observed || len(f.Value.([]any)) != 5000 || f.Reason != "" {
		t.Errorf("a full list: %s %q", f.Status, f.Reason)
	}
	if l := got["admins"].Value.([]any); l[0] != `a\x0ab` || l[1] != "c" {
		t.Errorf("a list of strings: %q", l)
	}
	if r := got["uid0_accounts"].Reason; r != `error: line\x0abreak` {
		t.Errorf("a reason: %q", r)
	}
	got = bring("banner", collect.Saw("banner_local", "two\nlines\u202e"), collect.Saw("banner_remote", strings.Repeat("長", 501)), collect.Saw("banner_present", true))
	if v := got["banner_local"].Value; v != `two\x0alines\u202e` {
		t.Errorf("a string: %q", v)
	}
	if v := []rune(got["banner_remote"].Value.(string)); len(v) != 500 || v[499] != '…' {
		t.Errorf("a long string: %d runes", len(v))
	}
}
