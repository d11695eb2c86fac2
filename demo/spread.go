package demo

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/calendar"
)

// sheet is one file of data: the entries of one register, in blocks.
type sheet struct {
	Kind    string  // the file's name
	By      string  `yaml:"by"`      // staff number of who enters them; empty: the program, at the first set-up
	Entered int     `yaml:"entered"` // the day they are first entered, from today
	Blocks  []block `yaml:"blocks"`
}

// block is some entries alike. The fields of With hold for each; a row overrides
// them. Names beginning with "_" are for the making only and enter no register.
type block struct {
	Name  string              `yaml:"name"` // by which another body's block names it
	As    string              `yaml:"as"`   // fields of With are those of that block too
	With  map[string]any      `yaml:"with"`
	Rows  []map[string]any    `yaml:"rows"`
	Count int                 `yaml:"count"` // that many, numbered by {n} from 1
	Each  string              `yaml:"each"`  // once for each entry of this kind, whose fields are {of.FIELD}
	Where map[string][]string `yaml:"where"` // only those with one of these texts in the field
}

// place is where a value of the data stands, and what it may speak of.
type place struct {
	name string // what is drawn by lot depends on this alone
	n    int    // from 0
	now  time.Time
	row  map[string]any // fields of the row itself
	of   map[string]any // fields of the entry it is made for
}

// day is midnight in Tokyo, the given number of days from today.
func (p place) day(days int) time.Time {
	y, m, d := p.now.In(calendar.Tokyo()).Date()
	return calendar.Day(y, m, d+days)
}

// lot is a source of chance that gives the same for the same name.
func lot(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 99))
}

// value turns a value as the data write it into the value meant:
//
//	"@-30"  "@-30 09:10"     a day, or an instant of that day, from today
//	"@-3h"                   an instant, from now
//	"… {n} {field} {of.f}"   with what these stand for
//	{cycle: […]}             one after the other; {step: k, of: […]} each k times
//	{pick: […]}              by lot
//	{days: [-60, -10]}       a day between, by lot
//	{range: [1, 9]}          a whole number between, by lot
//	{columns: […], lines: […]}  a list of records, one a line, "|" between
//
// Lists and records are turned element by element.
func (p place) value(v any) any {
	switch v := v.(type) {
	case string:
		return p.text(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			q := p
			q.name += "/" + strconv.Itoa(i)
			out[i] = q.value(e)
		}
		return out
	case map[string]any:
		if drawn, ok := p.draw(v); ok {
			return drawn
		}
		out := make(map[string]any, len(v))
		for name, e := range v {
			q := p
			q.name += "/" + name
			out[name] = q.value(e)
		}
		return out
	}
	return v
}

func (p place) draw(v map[string]any) (any, bool) {
	list := func(name string) []any { l, _ := v[name].([]any); return l }
	between := func(name string) int {
		l := list(name)
		low, high := l[0].(int), l[1].(int)
		return low + lot(p.name).IntN(high-low+1)
	}
	switch {
	case v["cycle"] != nil:
		l := list("cycle")
		return p.value(l[p.n%len(l)]), true
	case v["step"] != nil:
		l := list("of")
		return p.value(l[p.n/v["step"].(int)%len(l)]), true
	case v["pick"] != nil:
		l := list("pick")
		return p.value(l[lot(p.name).IntN(len(l))]), true
	case v["days"] != nil:
		return p.day(between("days")), true
	case v["range"] != nil:
		return between("range"), true
	case v["columns"] != nil:
		return p.table(list("columns"), list("lines")), true
	}
	return nil, false
}

// table is a list of records. "-" in a line leaves the field out.
func (p place) table(columns, lines []any) []any {
	out := make([]any, 0, len(lines))
	for _, l := range lines {
		record := map[string]any{}
		for i, cell := range strings.Split(fmt.Sprint(l), "|") {
			cell = strings.TrimSpace(cell)
			if cell == "-" || i >= len(columns) {
				continue
			}
			record[fmt.Sprint(columns[i])] = scalar(p.text(cell))
		}
		out = append(out, record)
	}
	return out
}

// scalar reads the words that stand for truth and the numbers; a text that begins
// with "'" stays one.
func scalar(v any) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	switch s {
	case "true", "false":
		return s == "true"
	}
	return strings.TrimPrefix(s, "'")
}

var (
	dayForm   = regexp.MustCompile(`^@([+-]\d+)(?: (\d\d):(\d\d))?$`)
	fieldForm = regexp.MustCompile(`\{([a-z_]+(?:\.[a-z0-9_]+)?)\}`)
)

func (p place) text(s string) any {
	if m := dayForm.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1])
		hour, _ := strconv.Atoi(m[2])
		minute, _ := strconv.Atoi(m[3])
		return p.day(n).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	if rest, ok := strings.CutPrefix(s, "@"); ok {
		if d, err := time.ParseDuration(rest); err == nil {
			return p.now.Add(d)
		}
	}
	return fieldForm.ReplaceAllStringFunc(s, func(m string) string {
		name := m[1 : len(m)-1]
		from, of := p.row, false
		if name, of = strings.CutPrefix(name, "of."); of {
			from = p.of
		}
		switch v := from[name]; {
		case name == "n" && !of:
			return strconv.Itoa(p.n + 1)
		case name == "nn" && !of:
			return fmt.Sprintf("%02d", p.n+1)
		case name == "nnn" && !of:
			return fmt.Sprintf("%03d", p.n+1)
		case v == nil:
			return m
		default:
			return fmt.Sprint(v)
		}
	})
}

// rows makes a block's rows. others finds the entries it is made for.
func (b block) rows(kind string, now time.Time, others func(kind string) []map[string]any) []map[string]any {
	var out []map[string]any
	ofs := []map[string]any{nil}
	if b.Each != "" {
		ofs = slices.DeleteFunc(slices.Clone(others(b.Each)), func(of map[string]any) bool { return !b.fits(of) })
	}
	if b.Rows == nil {
		b.Rows = make([]map[string]any, max(b.Count, 1))
	}
	for _, of := range ofs {
		for n, row := range b.Rows {
			raw := maps.Clone(b.With)
			if raw == nil {
				raw = map[string]any{}
			}
			maps.Copy(raw, row)
			out = append(out, fill(raw, place{name: fmt.Sprintf("%s/%v/%d", kind, of["_id"], n), n: n, now: now, of: of}))
		}
	}
	return out
}

func (b block) fits(of map[string]any) bool {
	for field, texts := range b.Where {
		if !slices.Contains(texts, fmt.Sprint(of[field])) {
			return false
		}
	}
	return true
}

// fill turns every field of a row, those that speak of other fields last. A field
// that is nil is left out.
func fill(raw map[string]any, p place) map[string]any {
	out := map[string]any{}
	for _, last := range []bool{false, true} {
		p.row = out
		for _, name := range slices.Sorted(maps.Keys(raw)) {
			if speaks(raw[name]) != last {
				continue
			}
			q := p
			q.name += "." + name
			if v := q.value(raw[name]); v != nil {
				out[name] = v
			}
		}
	}
	return out
}

// speaks reports whether a value speaks of other fields.
func speaks(v any) bool {
	switch v := v.(type) {
	case string:
		return fieldForm.MatchString(v)
	case []any:
		return slices.ContainsFunc(v, speaks)
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(v)), speaks)
	}
	return false
}
