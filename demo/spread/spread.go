// Package spread makes many rows out of few: data whose values are days counted from
// today, texts that speak of other fields, and what is drawn by lot. What looks like
// chance depends on names alone.
package spread

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

// Sheet is one file of data: the entries of one register, in blocks.
type Sheet struct {
	By      string  `yaml:"by"`      // staff number of who enters them; empty: the program, at the first set-up
	Entered int     `yaml:"entered"` // the day they are first entered, from today
	Blocks  []Block `yaml:"blocks"`
}

// Block is some entries alike. The fields of With hold for each; a row overrides
// them. Names beginning with "_" are for the making only and enter no register.
type Block struct {
	Name  string              `yaml:"name"` // by which another body's block names it
	As    string              `yaml:"as"`   // fields of With are those of that block too
	With  map[string]any      `yaml:"with"`
	Rows  []map[string]any    `yaml:"rows"`
	Count int                 `yaml:"count"` // that many, numbered by {n} from 1
	Each  string              `yaml:"each"`  // once for each entry of this kind, whose fields are {of.FIELD}
	Where map[string][]string `yaml:"where"` // only those with one of these texts in the field
}

// Place is where a value of the data stands, and what it may speak of.
type Place struct {
	Name string // what is drawn by lot depends on this alone
	N    int    // from 0
	Now  time.Time
	Row  map[string]any // fields of the row itself
	Of   map[string]any // fields of the entry it is made for
}

// Day is midnight in Tokyo, the given number of days from today.
func (p Place) Day(days int) time.Time {
	y, m, d := p.Now.In(calendar.Tokyo()).Date()
	return calendar.Day(y, m, d+days)
}

// Lot is a source of chance that gives the same for the same name.
func Lot(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 99))
}

// Value turns a value as the data write it into the value meant:
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
func (p Place) Value(v any) any {
	switch v := v.(type) {
	case string:
		return p.text(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			q := p
			q.Name += "/" + strconv.Itoa(i)
			out[i] = q.Value(e)
		}
		return out
	case map[string]any:
		if drawn, ok := p.draw(v); ok {
			return drawn
		}
		out := make(map[string]any, len(v))
		for name, e := range v {
			q := p
			q.Name += "/" + name
			out[name] = q.Value(e)
		}
		return out
	}
	return v
}

func (p Place) draw(v map[string]any) (any, bool) {
	list := func(name string) []any { l, _ := v[name].([]any); return l }
	between := func(name string) int {
		l := list(name)
		low, high := l[0].(int), l[1].(int)
		return low + Lot(p.Name).IntN(high-low+1)
	}
	switch {
	case v["cycle"] != nil:
		l := list("cycle")
		return p.Value(l[p.N%len(l)]), true
	case v["step"] != nil:
		l := list("of")
		return p.Value(l[p.N/v["step"].(int)%len(l)]), true
	case v["pick"] != nil:
		l := list("pick")
		return p.Value(l[Lot(p.Name).IntN(len(l))]), true
	case v["days"] != nil:
		return p.Day(between("days")), true
	case v["range"] != nil:
		return between("range"), true
	case v["columns"] != nil:
		return p.table(list("columns"), list("lines")), true
	}
	return nil, false
}

// table is a list of records. "-" in a line leaves the field out.
func (p Place) table(columns, lines []any) []any {
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

func (p Place) text(s string) any {
	if m := dayForm.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1])
		hour, _ := strconv.Atoi(m[2])
		minute, _ := strconv.Atoi(m[3])
		return p.Day(n).Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	if rest, ok := strings.CutPrefix(s, "@"); ok {
		if d, err := time.ParseDuration(rest); err == nil {
			return p.Now.Add(d)
		}
	}
	return fieldForm.ReplaceAllStringFunc(s, func(m string) string {
		name := m[1 : len(m)-1]
		from, of := p.Row, false
		if name, of = strings.CutPrefix(name, "of."); of {
			from = p.Of
		}
		switch v := from[name]; {
		case name == "n" && !of:
			return strconv.Itoa(p.N + 1)
		case name == "nn" && !of:
			return fmt.Sprintf("%02d", p.N+1)
		case name == "nnn" && !of:
			return fmt.Sprintf("%03d", p.N+1)
		case v == nil:
			return m
		default:
			return fmt.Sprint(v)
		}
	})
}

// Make makes a block's rows. others finds the entries it is made for.
func (b Block) Make(kind string, now time.Time, others func(kind string) []map[string]any) []map[string]any {
	var out []map[string]any
	ofs := []map[string]any{nil}
	if b.Each != "" {
		ofs = slices.DeleteFunc(slices.Clone(others(b.Each)), func(of map[string]any) bool { return !b.Fits(of) })
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
			out = append(out, fill(raw, Place{Name: fmt.Sprintf("%s/%v/%d", kind, of["_id"], n), N: n, Now: now, Of: of}))
		}
	}
	return out
}

// Fits reports whether an entry is one of those that Where names.
func (b Block) Fits(of map[string]any) bool {
	for field, texts := range b.Where {
		if !slices.Contains(texts, fmt.Sprint(of[field])) {
			return false
		}
	}
	return true
}

// fill turns every field of a row, those that speak of other fields last. A field
// that is nil is left out.
func fill(raw map[string]any, p Place) map[string]any {
	out := map[string]any{}
	for _, last := range []bool{false, true} {
		p.Row = out
		for _, name := range slices.Sorted(maps.Keys(raw)) {
			if speaks(raw[name]) != last {
				continue
			}
			q := p
			q.Name += "." + name
			if v := q.Value(raw[name]); v != nil {
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
