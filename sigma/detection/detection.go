// Package detection compiles the detection of a Sigma rule, its logsource and its
// selections, into a test of one event.
//
// Many tests look at one event through one View, which finds each field once. A test
// keeps nothing and fails never: what cannot be compiled is an error that names the
// line. Texts compare without regard to case unless a rule says otherwise.
package detection

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/event"
	"kakusho/sigma/document"
)

// Compile makes a test of a logsource and a detection, and says which classes of
// event it can find.
func (c *Compiler) Compile(d document.Document, logsource, detection *yaml.Node) (t Test, of Classes, err error) {
	source, err := c.logsource(d, logsource, &of)
	if err != nil {
		return nil, of, err
	}
	found, err := c.condition(d, detection)
	return both(source, found), of, err
}

// Classes is a set of numbers of classes; zero is every class and none.
type Classes uint32

// Number is 1 and up in the order of event.Classes; 0 for none.
func Number(c event.Class) int { return slices.Index(event.Classes(), c) + 1 }

// ClassesOf is the set of some.
func ClassesOf(list ...event.Class) (out Classes) {
	for _, c := range list {
		out |= 1 << Number(c)
	}
	return out
}

// Has reports whether a number of a class is in it.
func (c Classes) Has(n int) bool { return c == 0 || c>>n&1 == 1 }

// List is the classes in it.
func (c Classes) List() (out []event.Class) {
	for i, class := range event.Classes() {
		if c.Has(i + 1) {
			out = append(out, class)
		}
	}
	return out
}

// words splits a key at its pipes.
func words(key string) (field string, modifiers []string) {
	parts := strings.Split(key, "|")
	return parts[0], parts[1:]
}
