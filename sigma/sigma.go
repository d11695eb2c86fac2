// Package sigma finds events by detection rules in the public Sigma format, one by
// one and together: so many within a time, so many different values, one kind
// after another.
//
// A rule is read once and compiled; what it asks that cannot be answered here is an
// error with file and line, never a rule that quietly finds less. Texts compare
// without regard to case, as the format has it. Matching needs no clock, no disk
// and no network, and the memory of a detector is bounded.
//
// Own keys beside the public ones: title_en, and group-by of a detection, which says
// which of its hits belong together. A logsource category may be a class of
// log.events; time modifiers (at|hour) read the time in Tokyo.
package sigma

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"kakusho/bilingual"
	"kakusho/event"
	"kakusho/sigma/detection"
	"kakusho/sigma/document"
)

//go:embed rules/*.yml
var rules embed.FS

// Level is how serious a hit is.
type Level string

// The levels, lowest first. A hit of the lowest is no alert.
const (
	Informational Level = "informational"
	Low           Level = "low"
	Medium        Level = "medium"
	High          Level = "high"
	Critical      Level = "critical"
)

// Levels are all of them.
func Levels() []Level { return []Level{Informational, Low, Medium, High, Critical} }

// Valid reports whether l is a level.
func (l Level) Valid() bool { return slices.Contains(Levels(), l) }

// Rule is one detection or correlation. Nothing of it changes once it is loaded.
type Rule struct {
	ID          string // of the rule; its name, or its file's when it has none
	Name        string
	Title       bilingual.Text // both halves alike in a rule of others
	Description string
	Status      string
	Level       Level
	Tags        []string
	False       []string // known false positives
	File        string
	Line        int
	GroupBy     []string // fields whose values, joined, tell one alert from another

	// Alone is false for a rule that only serves a correlation.
	Alone bool

	number      int
	classes     detection.Classes
	group       []int // slots of GroupBy
	test        detection.Test
	correlation *correlation
}

// Correlates reports whether r looks at several events.
func (r *Rule) Correlates() bool { return r.correlation != nil }

// Span is how far apart the events of a correlation may be; zero for one event.
func (r *Rule) Span() time.Duration {
	if r.correlation == nil {
		return 0
	}
	return r.correlation.span
}

// Classes are the classes of event the rule can find; all of them when it asks for none.
func (r *Rule) Classes() []event.Class { return r.classes.List() }

// Set is compiled rules. It is safe for concurrent use; each user takes a Detector.
type Set struct {
	all     []*Rule
	fields  *detection.Compiler
	byClass [][]*Rule // detections, by number of class; 0: no class
	feeds   [][]feed  // by number of rule: the correlations it feeds
}

// Rules lists all, in the order of their files.
func (s *Set) Rules() []*Rule { return s.all }

// Rule finds one by ID or name.
func (s *Set) Rule(id string) (*Rule, bool) {
	i := slices.IndexFunc(s.all, func(r *Rule) bool { return r.ID == id || id != "" && r.Name == id })
	if i < 0 {
		return nil, false
	}
	return s.all[i], true
}

// Span is the longest of the rules: what a detector must have seen to find what
// one sees that never stopped.
func (s *Set) Span() time.Duration {
	var longest time.Duration
	for _, r := range s.all {
		longest = max(longest, r.Span())
	}
	return longest
}

// Shipped is the folder of rules that ship with the program.
func Shipped() fs.FS {
	sub, err := fs.Sub(rules, "rules")
	if err != nil {
		panic(err) // the name is written here
	}
	return sub
}

// Default is the rules that ship. It panics when they are broken, which go test finds
// first.
func Default() *Set {
	s, err := Load(Shipped())
	if err != nil {
		panic(err)
	}
	return s
}

// The bounds of a set.
const (
	maxFile  = 1 << 20
	maxRules = 10_000
)

// Load reads every *.yml and *.yaml file at the root of each folder; a rule may refer
// to one of another folder. All faults are reported at once, each naming file and line.
func Load(folders ...fs.FS) (*Set, error) {
	var docs []document.Document
	var faults []error
	for _, fsys := range folders {
		for _, pattern := range []string{"*.yml", "*.yaml"} {
			names, err := fs.Glob(fsys, pattern)
			if err != nil {
				return nil, fmt.Errorf("list rules: %w", err)
			}
			for _, name := range names {
				found, err := readFile(fsys, name)
				docs = append(docs, found...)
				faults = append(faults, err)
			}
		}
	}
	s, err := build(docs)
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, err
	}
	return s, nil
}

// Parse compiles the rules of one text, which may hold several documents.
func Parse(name string, text []byte) (*Set, error) {
	docs, err := document.Read(name, text)
	if err != nil {
		return nil, err
	}
	return build(docs)
}

func readFile(fsys fs.FS, name string) ([]document.Document, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read rule: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d", name, info.Size(), maxFile)
	}
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read rule: %w", err)
	}
	return document.Read(name, text)
}

// build compiles documents into a set: detections first, then what correlates them.
func build(docs []document.Document) (*Set, error) {
	if len(docs) > maxRules {
		return nil, fmt.Errorf("%d rules, at most %d", len(docs), maxRules)
	}
	c := &detection.Compiler{}
	s := &Set{}
	var faults []error
	seen := map[string]*Rule{}
	for _, d := range docs {
		r, err := compile(c, d)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, id := range []string{r.ID, r.Name} {
			if other, twice := seen[id]; twice && id != "" && other != r {
				faults = append(faults, d.Fault(d.Root, "%q is also the rule of %s line %d", id, other.File, other.Line))
			}
			seen[id] = r
		}
		r.number = len(s.all)
		s.all = append(s.all, r)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if err := s.relate(c); err != nil {
		return nil, err
	}
	s.fields = c
	s.byClass = make([][]*Rule, len(event.Classes())+1)
	for i := range s.byClass {
		for _, r := range s.all {
			if r.test != nil && r.classes.Has(i) {
				s.byClass[i] = append(s.byClass[i], r)
			}
		}
	}
	return s, nil
}
