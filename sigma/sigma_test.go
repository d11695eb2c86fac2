package sigma_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kakusho/event"
	"kakusho/sigma"
)

// at is a Tuesday noon in Tokyo.
var at = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)

type fields = map[string]string

// parse compiles one detection, indented by four.
func parse(t *testing.T, detection string) *sigma.Set {
	t.Helper()
	s, err := sigma.Parse("rule.yml", []byte("title: r\nlogsource: {product: kakusho}\ndetection:\n"+detection))
	if err != nil {
		t.Fatalf("%v\n%s", err, detection)
	}
	return s
}

func finds(s *sigma.Set, e event.Event) (n int) {
	if e.At.IsZero() {
		e.At = at
	}
	s.Detector(0).Observe(&e, e.At, sigma.Ref{}, func(sigma.Finding) { n++ })
	return n
}

func TestSelectionsMeanWhatTheFormatSays(t *testing.T) {
	for name, c := range map[string]struct {
		detection string
		yes, no   []event.Event
	}{
		"a value, without regard to case": {"    s: {account: Root}\n    condition: s",
			[]event.Event{{Account: "ROOT"}, {Account: "root"}}, []event.Event{{}, {Account: "roots"}}},
		"of a list one": {"    s: {account: [a, b]}\n    condition: s", []event.Event{{Account: "b"}}, []event.Event{{Account: "c"}}},
		"of a mapping all": {"    s: {account: a, device: d}\n    condition: s",
			[]event.Event{{Account: "a", Device: "d"}}, []event.Event{{Account: "a"}, {Device: "d"}}},
		"of a list of mappings one": {"    s:\n        - account: a\n        - device: d\n    condition: s",
			[]event.Event{{Account: "a"}, {Device: "d"}}, []event.Event{{Account: "d"}}},
		"a field of the source's own": {"    s: {EventID: 4625}\n    condition: s",
			[]event.Event{{Fields: fields{"EventID": "4625"}}, {Event: "4625"}}, []event.Event{{Fields: fields{"EventID": "4624"}, Event: "4625"}}},
		"a public name of an own field": {"    s: {user_name: taro, client_ip: 10.0.0.1}\n    condition: s",
			[]event.Event{{Account: "taro", Source: "10.0.0.1"}}, []event.Event{{Account: "taro"}}},
		"contains": {"    s: {text|contains: [aBc, x*z]}\n    condition: s",
			[]event.Event{{Text: "..AbC.."}, {Text: "1xyyz2"}}, []event.Event{{Text: "ab c"}, {}}},
		"contains all": {"    s: {text|contains|all: [a, b]}\n    condition: s", []event.Event{{Text: "b a"}}, []event.Event{{Text: "a"}}},
		"startswith":   {"    s: {text|startswith: ab}\n    condition: s", []event.Event{{Text: "ABc"}}, []event.Event{{Text: "cab"}}},
		"endswith":     {"    s: {object|endswith: '\\cmd.exe'}\n    condition: s", []event.Event{{Object: `C:\x\CMD.EXE`}}, []event.Event{{Object: `C:\cmd.exe.txt`}}},
		"wildcards":    {"    s: {object: 'prog?.e*'}\n    condition: s", []event.Event{{Object: "proga.exe"}, {Object: "prog警.e"}}, []event.Event{{Object: "prog.exe"}}},
		"escaped wildcards and backslashes": {`    s: {object: ['a\*b', 'c\\*', 'd\e']}` + "\n    condition: s",
			[]event.Event{{Object: "a*b"}, {Object: `c\xyz`}, {Object: `d\e`}}, []event.Event{{Object: "axb"}, {Object: "cxyz"}}},
		"cased":             {"    s: {account|cased: Root}\n    condition: s", []event.Event{{Account: "Root"}}, []event.Event{{Account: "root"}}},
		"re":                {`    s: {text|re: '^a\d+$'}` + "\n    condition: s", []event.Event{{Text: "a12"}}, []event.Event{{Text: "A12"}, {Text: "ba12"}}},
		"re|i":              {`    s: {text|re|i: '^a\d+$'}` + "\n    condition: s", []event.Event{{Text: "A12"}}, []event.Event{{Text: "ab"}}},
		"cidr":              {"    s: {source|cidr: [10.0.0.0/8, '2001:db8::/32']}\n    condition: s", []event.Event{{Source: "10.1.2.3"}, {Source: "::ffff:10.0.0.1"}, {Source: "2001:db8::1"}}, []event.Event{{Source: "11.0.0.1"}, {Source: "host"}, {}}},
		"exists":            {"    s: {source|exists: true, Nope|exists: false}\n    condition: s", []event.Event{{Source: "x"}}, []event.Event{{}, {Source: "x", Fields: fields{"Nope": ""}}}},
		"null":              {"    s: {source: null}\n    condition: s", []event.Event{{}}, []event.Event{{Source: "x"}}},
		"empty":             {"    s: {x: ''}\n    condition: s", []event.Event{{Fields: fields{"x": ""}}}, []event.Event{{Fields: fields{"x": "1"}}}},
		"null among values": {"    s: {result: [success, null]}\n    condition: s", []event.Event{{}, {Result: event.Success}}, []event.Event{{Result: event.Denied}}},
		"numbers": {"    s: {size|gt: 10, size|lte: 20.5}\n    condition: s", []event.Event{{Fields: fields{"size": "11"}}, {Fields: fields{"size": "20.5"}}},
			[]event.Event{{Fields: fields{"size": "10"}}, {Fields: fields{"size": "9"}}, {Fields: fields{"size": "many"}}, {}}},
		"neq":      {"    s: {account|neq: [a, b]}\n    condition: s", []event.Event{{Account: "c"}}, []event.Event{{Account: "a"}, {Account: "b"}}},
		"fieldref": {"    s: {account|fieldref: object}\n    condition: s", []event.Event{{Account: "a", Object: "A"}}, []event.Event{{Account: "a"}, {Account: "a", Object: "b"}, {}}},
		"base64":   {"    s: {text|base64|contains: foobar}\n    condition: s", []event.Event{{Text: "x Zm9vYmFy y"}}, []event.Event{{Text: "foobar"}}},
		"base64offset": {"    s: {text|base64offset|contains: 'evil word'}\n    condition: s",
			[]event.Event{{Text: "ZXZpbCB3b3Jk"}, {Text: "eGV2aWwgd29yZCB5"}, {Text: "eHhldmlsIHdvcmQgeQ=="}}, []event.Event{{Text: "evil word"}}},
		"wide base64":        {"    s: {text|wide|base64offset|contains: 'ping'}\n    condition: s", []event.Event{{Text: "cABpAG4AZwAgAA=="}}, []event.Event{{Text: "cGluZw=="}}},
		"windash":            {"    s: {text|windash|contains: ' -f '}\n    condition: s", []event.Event{{Text: "x /f y"}, {Text: "x –f y"}, {Text: "x -f y"}}, []event.Event{{Text: "x f y"}}},
		"the hour, in Tokyo": {"    s: {at|hour|gte: 12, at|hour|lt: 13}\n    condition: s", []event.Event{{At: at}}, []event.Event{{At: at.Add(time.Hour)}, {At: at.Add(9 * time.Hour)}}},
		"keywords":           {"    k: [evil, 'a*z']\n    condition: k", []event.Event{{Text: "so EVIL"}, {Fields: fields{"x": "evil"}}, {Raw: []byte("evil")}, {Object: "abcz"}}, []event.Event{{Text: "good"}}},
		"all keywords":       {"    k:\n        '|all': [one, two]\n    condition: k", []event.Event{{Text: "two", Object: "one"}}, []event.Event{{Text: "one"}}},
		"one keyword":        {"    k: evil\n    condition: k", []event.Event{{Text: "evil"}}, []event.Event{{}}},
		"not, and, or bind in this order": {"    a: {account: a}\n    d: {device: d}\n    o: {object: o}\n    condition: not a and d or o",
			[]event.Event{{Device: "d"}, {Object: "o", Account: "a"}}, []event.Event{{Account: "a", Device: "d"}, {}}},
		"brackets": {"    a: {account: a}\n    d: {device: d}\n    o: {object: o}\n    condition: a and (d or o)",
			[]event.Event{{Account: "a", Object: "o"}}, []event.Event{{Object: "o"}}},
		"1 of a pattern": {"    s1: {account: a}\n    s2: {device: d}\n    other: {object: o}\n    condition: 1 of s*",
			[]event.Event{{Device: "d"}}, []event.Event{{Object: "o"}}},
		"all of a pattern, not 1 of another": {"    s1: {account: a}\n    s2: {device: d}\n    filter_x: {object: o}\n    condition: all of s* and not 1 of filter_*",
			[]event.Event{{Account: "a", Device: "d"}}, []event.Event{{Account: "a"}, {Account: "a", Device: "d", Object: "o"}}},
		"1 of them leaves out what begins with _": {"    s1: {account: a}\n    _s2: {device: d}\n    condition: 1 of them",
			[]event.Event{{Account: "a"}}, []event.Event{{Device: "d"}}},
		"a list of conditions": {"    a: {account: a}\n    d: {device: d}\n    condition: [a, d]", []event.Event{{Device: "d"}}, []event.Event{{}}},
		"Japanese":             {"    s: {text|contains: 漏えい}\n    condition: s", []event.Event{{Text: "情報の漏えいの疑い"}}, []event.Event{{Text: "漏洩"}}},
		"an audit record in text": {"    s: {type: EXECVE, a0: cat, a1|endswith: shadow}\n    condition: s",
			[]event.Event{{Text: `type=EXECVE msg=audit(1.2:3): argc=2 a0="cat" a1="/etc/shadow"`}, {Text: `type=EXECVE msg=audit(1.2:3): argc=2 a0=636174 a1="/etc/shadow"`}},
			[]event.Event{{Text: `type=EXECVE msg=audit(1.2:3): argc=2 a0="cat" a1="/etc/passwd"`}, {Text: `a0="cat" a1="/etc/shadow"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, c.detection+"\n")
			for _, e := range c.yes {
				if finds(s, e) != 1 {
					t.Errorf("does not find %+v", e)
				}
			}
			for _, e := range c.no {
				if finds(s, e) != 0 {
					t.Errorf("finds %+v", e)
				}
			}
		})
	}
}

func TestLogsourcesChooseEvents(t *testing.T) {
	for source, c := range map[string]struct{ yes, no event.Event }{
		"{category: login-failure}":                      {event.Event{Class: event.LoginFailure}, event.Event{Class: event.Login}},
		"{category: authentication}":                     {event.Event{Class: event.Logout}, event.Event{Class: event.Boot}},
		"{category: process_creation, product: linux}":   {event.Event{Class: event.Process}, event.Event{Class: event.Process, Fields: fields{"EventID": "1"}}},
		"{category: process_creation, product: windows}": {event.Event{Class: event.Process, Fields: fields{"EventID": "1"}}, event.Event{Class: event.Process}},
		"{product: linux, service: sshd}":                {event.Event{Fields: fields{"app": "sshd"}}, event.Event{Fields: fields{"app": "cron"}}},
		"{product: linux, service: auth}":                {event.Event{Fields: fields{"SYSLOG_IDENTIFIER": "sudo"}}, event.Event{}},
		"{product: linux, service: auditd}":              {event.Event{Text: "type=SYSCALL msg=audit(1.2:3): x=y"}, event.Event{Text: "type=x"}},
		"{product: windows, service: security}":          {event.Event{Fields: fields{"Channel": "Security", "EventID": "4625"}}, event.Event{Fields: fields{"Channel": "System", "EventID": "4625"}}},
		"{service: myapp}":                               {event.Event{Fields: fields{"app": "MyApp"}}, event.Event{Fields: fields{"app": "other"}}},
		"{category: webserver}":                          {event.Event{Class: event.Web}, event.Event{Class: event.Mail}},
	} {
		s, err := sigma.Parse("r.yml", []byte("title: r\nlogsource: "+source+"\ndetection: {s: {device: d}, condition: s}\n"))
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		c.yes.Device, c.no.Device = "d", "d"
		if finds(s, c.yes) != 1 || finds(s, c.no) != 0 {
			t.Errorf("%s: finds %d of one and %d of none", source, finds(s, c.yes), finds(s, c.no))
		}
	}
}

func TestWhatCannotBeAnsweredIsAFaultWithItsLine(t *testing.T) {
	rule := func(detection string) string {
		return "title: r\nlogsource: {product: kakusho}\ndetection:\n" + detection
	}
	correlated := func(c string) string {
		return "title: c\ncorrelation:\n" + c + "---\ntitle: b\nname: b\nlogsource: {product: kakusho}\ndetection: {s: {account: a}, condition: s}\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"broken YAML":           {"title: [", "r.yml: yaml: line 1"},
		"no mapping":            {"- a", "line 1: a rule is a mapping"},
		"an alias":              {"title: &a r\nlevel: *a\n", "line 2: aliases"},
		"a key twice":           {"title: r\ntitle: q\n", "line 2: \"title\" stands here twice"},
		"no title":              {"logsource: {product: kakusho}\n", "needs a title"},
		"no detection":          {"title: r\nlogsource: {product: linux}\n", "needs a detection"},
		"no logsource":          {"title: r\ndetection: {s: {a: b}, condition: s}\n", "needs a logsource"},
		"a slip":                {"title: r\ndetections: {}\n", "line 2: unknown key \"detections\": meant is detection"},
		"an unknown level":      {"title: r\nlevel: severe\n", "line 2: level"},
		"an unknown product":    {"title: r\nlogsource: {product: zx81}\ndetection: {s: {a: b}, condition: s}\n", "line 2: logsource product \"zx81\""},
		"an unknown category":   {"title: r\nlogsource:\n    category: registry_set\ndetection: {s: {a: b}, condition: s}\n", "line 3: logsource category"},
		"an unknown modifier":   {rule("    s:\n        a|nearly: b\n    condition: s\n"), "line 5: a|nearly: unknown modifier \"nearly\""},
		"a placeholder":         {rule("    s: {a|expand: '%x%'}\n    condition: s\n"), "line 4: a|expand: placeholders"},
		"two ways":              {rule("    s: {a|contains|endswith: b}\n    condition: s\n"), "do not go together"},
		"a bad expression":      {rule("    s: {a|re: '(?=x)'}\n    condition: s\n"), "line 4: a: regular expression"},
		"a bad network":         {rule("    s: {a|cidr: 10.0.0.0/33}\n    condition: s\n"), "is no network"},
		"no number":             {rule("    s: {a|gt: many}\n    condition: s\n"), "is no number"},
		"an empty keyword":      {rule("    s: ['']\n    condition: s\n"), "stands in everything"},
		"an empty selection":    {rule("    s: {}\n    condition: s\n"), "finds everything"},
		"a nested value":        {rule("    s: {a: {b: c}}\n    condition: s\n"), "a value is a text"},
		"no condition":          {rule("    s: {a: b}\n"), "needs a condition"},
		"an unknown selection":  {rule("    s: {a: b}\n    condition: t\n"), "line 5: condition: no selection is called \"t\""},
		"a condition cut short": {rule("    s: {a: b}\n    condition: s and\n"), "ends too early"},
		"an open bracket":       {rule("    s: {a: b}\n    condition: (s\n"), "not closed"},
		"a word too many":       {rule("    s: {a: b}\n    condition: s s\n"), "\"s\" was not expected"},
		"2 of":                  {rule("    s: {a: b}\n    condition: 2 of s*\n"), "only 1, any and all"},
		"1 of nothing":          {rule("    s: {a: b}\n    condition: 1 of t*\n"), "no selection fits"},
		"the old aggregation":   {rule("    s: {a: b}\n    condition: s | count() > 5\n"), "obsolete: use a correlation"},
		"the old timeframe":     {rule("    s: {a: b}\n    timeframe: 5m\n    condition: s\n"), "line 5: timeframe is obsolete"},
		"too many brackets":     {rule("    s: {a: b}\n    condition: " + strings.Repeat("(", 200) + "s" + strings.Repeat(")", 200) + "\n"), "too deeply"},
		"a deprecated rule":     {"title: r\nstatus: deprecated\n" + rule("    s: {a: b}\n    condition: s\n")[9:], "deprecated"},
		"two rules of one name": {"title: r\nname: x\nlogsource: {product: kakusho}\ndetection: {s: {a: b}, condition: s}\n---\ntitle: q\nname: x\nlogsource: {product: kakusho}\ndetection: {s: {a: b}, condition: s}\n", "\"x\" is also the rule of r.yml line 1"},
		"an unknown type":       {correlated("    type: value_avg\n    rules: [b]\n    timespan: 1m\n    condition: {gte: 1}\n"), "line 3: correlation type \"value_avg\""},
		"an unknown rule":       {correlated("    type: event_count\n    rules: [x]\n    timespan: 1m\n    condition: {gte: 1}\n"), "line 4: correlation: no rule is called \"x\""},
		"fewer than":            {correlated("    type: event_count\n    rules: [b]\n    timespan: 1m\n    condition: {lt: 5}\n"), "line 6: correlation: lt is not supported"},
		"a bad timespan":        {correlated("    type: event_count\n    rules: [b]\n    timespan: 1w\n    condition: {gte: 1}\n"), "line 5: timespan \"1w\""},
		"a timespan too long":   {correlated("    type: event_count\n    rules: [b]\n    timespan: 400d\n    condition: {gte: 1}\n"), "at most 31 days"},
		"no timespan":           {correlated("    type: event_count\n    rules: [b]\n    condition: {gte: 1}\n"), "a timespan is needed"},
		"values without field":  {correlated("    type: value_count\n    rules: [b]\n    timespan: 1m\n    condition: {gte: 1}\n"), "field goes with value_count"},
		"a condition in words":  {correlated("    type: temporal\n    rules: [b, c]\n    timespan: 1m\n    condition: b and c\n"), "conditions in words"},
		"one rule in time":      {correlated("    type: temporal\n    rules: [b]\n    timespan: 1m\n"), "needs two rules"},
		"a rule on itself":      {"title: c\nname: c\ncorrelation:\n    type: event_count\n    rules: [c]\n    timespan: 1m\n    condition: {gte: 2}\n", "rests on itself"},
		"an alias of no rule":   {correlated("    type: event_count\n    rules: [b]\n    group-by: [x]\n    timespan: 1m\n    condition: {gte: 2}\n    aliases: {x: {other: account}}\n"), "alias \"x\" says nothing of rule \"b\""},
	} {
		_, err := sigma.Parse("r.yml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "r.yml") {
			t.Errorf("%s: got %v, want r.yml … %s", name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("title: r\nlogsource: {product: linux}\ndetection:\n    s: {a|contains|all: [b, 'c*']}\n    k: [x]\n    condition: 1 of s* and not (k or all of them)\n"))
	f.Add([]byte("title: c\ncorrelation: {type: event_count, rules: [b], group-by: [account], timespan: 5m, condition: {gte: 3}}\n---\ntitle: b\nname: b\nlogsource: {service: sshd}\ndetection: {s: {a|re|i: 'x+', b|cidr: 10.0.0.0/8}, condition: s}\n"))
	f.Add([]byte("title: r\nlogsource: {category: login}\ndetection:\n    s: {a|windash: '-x', b|base64offset|contains: y, at|hour: 3, c: null}\n    condition: [s, not s]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := sigma.Parse("f.yml", text)
		if err != nil {
			return
		}
		d := s.Detector(4)
		for i := range 3 {
			e := event.Event{At: at, Class: event.Login, Account: "a", Text: fmt.Sprint("b c", i), Fields: fields{"a": "x", "app": "sshd"}}
			d.Observe(&e, at.Add(time.Duration(i)*time.Second), sigma.Ref{Seq: int64(i)}, func(sigma.Finding) {})
		}
	})
}
