package sigma

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"kakusho/event"
	"kakusho/sigma/detection"
	"kakusho/sigma/document"
)

// correlation is what a rule asks of several events.
type correlation struct {
	d        document.Document
	kind     string // event_count, value_count, temporal, temporal_ordered
	names    []string
	at       *yaml.Node // of the names
	groupBy  []string
	aliases  map[string]map[string]string // alias → rule → field
	span     time.Duration
	least    int
	field    string // of a value_count
	generate bool

	members []*Rule
	groups  [][]int // by member: the slots of groupBy
	values  []int   // by member: the slot of field
}

// feed says that hits of a rule go to a correlation, as its member number so and so.
type feed struct {
	to     *Rule
	member int
}

// The bounds of a correlation.
const (
	maxSpan    = 31 * 24 * time.Hour
	maxLeast   = 1000
	maxMembers = 20
)

func readCorrelation(d document.Document, h head) (*correlation, error) {
	c := &correlation{d: d, generate: h.generate, aliases: map[string]map[string]string{}}
	var condition *yaml.Node
	err := d.Pairs(h.correlation, func(k, v *yaml.Node) (err error) {
		switch k.Value {
		case "type":
			c.kind = v.Value
			if !slices.Contains([]string{"event_count", "value_count", "temporal", "temporal_ordered"}, c.kind) {
				return d.Fault(v, "correlation type %q is not supported: want event_count, value_count, temporal or temporal_ordered", v.Value)
			}
		case "rules":
			c.at = v
			c.names, err = d.Texts(v)
		case "group-by":
			c.groupBy, err = d.Texts(v)
		case "timespan":
			c.span, err = timespan(v.Value)
			if err != nil {
				return d.Fault(v, "%v", err)
			}
		case "condition":
			condition = v
		case "aliases":
			err = aliases(d, v, c.aliases)
		case "generate":
			c.generate = v.Value == "true"
		default:
			return d.Fault(k, "correlation: unknown key %q", k.Value)
		}
		return err
	})
	if err == nil {
		err = c.check(h.correlation)
	}
	if err == nil {
		err = c.condition(condition, h.correlation)
	}
	return c, err
}

func (c *correlation) check(n *yaml.Node) error {
	switch {
	case c.kind == "":
		return c.d.Fault(n, "correlation: a type is needed")
	case len(c.names) == 0 || len(c.names) > maxMembers:
		return c.d.Fault(n, "correlation: 1 to %d rules are needed", maxMembers)
	case c.span == 0:
		return c.d.Fault(n, "correlation: a timespan is needed")
	case c.kind[0] == 't' && len(c.names) < 2:
		return c.d.Fault(c.at, "correlation: %s needs two rules or more", c.kind)
	}
	for i, name := range c.names {
		if slices.Contains(c.names[:i], name) {
			return c.d.Fault(c.at, "correlation: rule %q stands there twice", name)
		}
	}
	return nil
}

func aliases(d document.Document, n *yaml.Node, into map[string]map[string]string) error {
	return d.Pairs(n, func(k, v *yaml.Node) error {
		into[k.Value] = map[string]string{}
		return d.Pairs(v, func(rule, field *yaml.Node) error {
			into[k.Value][rule.Value] = field.Value
			return nil
		})
	})
}

// timespan reads 90s, 5m, 1h or 7d.
func timespan(s string) (time.Duration, error) {
	if len(s) < 2 {
		return 0, fmt.Errorf("timespan %q: want a number and s, m, h or d", s)
	}
	n, err := strconv.Atoi(s[:len(s)-1])
	unit, ok := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[s[len(s)-1]]
	if err != nil || !ok || n < 1 {
		return 0, fmt.Errorf("timespan %q: want a number and s, m, h or d", s)
	}
	if n > int(maxSpan/unit) {
		return 0, fmt.Errorf("timespan %q: at most %d days", s, maxSpan/(24*time.Hour))
	}
	return time.Duration(n) * unit, nil
}

// condition reads how many are needed. That there are few can only be said when the
// time is over, which a rule over living events cannot wait for.
func (c *correlation) condition(n, whole *yaml.Node) error {
	if n == nil {
		if c.kind[0] == 't' {
			c.least = len(c.names)
			return nil
		}
		return c.d.Fault(whole, "correlation: a condition is needed")
	}
	if n.Kind != yaml.MappingNode {
		return c.d.Fault(n, "correlation: the condition is a mapping as {gte: 10}; conditions in words are not supported")
	}
	err := c.d.Pairs(n, func(k, v *yaml.Node) error {
		if k.Value == "field" {
			c.field = v.Value
			return nil
		}
		if k.Value != "gt" && k.Value != "gte" {
			return c.d.Fault(k, "correlation: %s is not supported, only gt and gte: an alert is raised when there are enough", k.Value)
		}
		least, err := strconv.Atoi(v.Value)
		if k.Value == "gt" {
			least++
		}
		if err != nil || least < 1 || least > maxLeast || c.least > 0 {
			return c.d.Fault(v, "correlation: one number from 1 to %d is wanted", maxLeast)
		}
		c.least = least
		return nil
	})
	switch {
	case err != nil:
		return err
	case c.least == 0:
		return c.d.Fault(n, "correlation: the condition says no number")
	case (c.kind == "value_count") != (c.field != ""):
		return c.d.Fault(n, "correlation: field goes with value_count")
	case c.kind[0] == 't' && c.least > len(c.names):
		return c.d.Fault(n, "correlation: %d of %d rules cannot be", c.least, len(c.names))
	case c.kind == "temporal_ordered" && c.least != len(c.names):
		return c.d.Fault(n, "correlation: temporal_ordered wants all its rules")
	}
	return nil
}

// relate finds the rules that correlations name, and numbers their fields.
func (s *Set) relate(c *detection.Compiler) error {
	s.feeds = make([][]feed, len(s.all))
	for _, r := range s.all {
		if r.correlation == nil {
			continue
		}
		k := r.correlation
		for i, name := range k.names {
			m, ok := s.Rule(name)
			if !ok {
				return k.d.Fault(k.at, "correlation: no rule is called %q", name)
			}
			k.members = append(k.members, m)
			s.feeds[m.number] = append(s.feeds[m.number], feed{to: r, member: i})
			m.Alone = m.Alone && k.generate
			slots, err := k.slots(c, m, name)
			if err != nil {
				return err
			}
			k.groups = append(k.groups, slots)
			if k.field != "" {
				k.values = append(k.values, c.Slot(k.field))
			}
		}
	}
	for _, r := range s.all {
		if err := s.circle(r, nil); err != nil {
			return err
		}
	}
	for _, r := range s.all {
		for _, class := range s.reach(r) {
			r.classes |= detection.ClassesOf(class)
		}
	}
	return nil
}

// slots are where a member's event has the fields grouped by.
func (k *correlation) slots(c *detection.Compiler, m *Rule, called string) ([]int, error) {
	var out []int
	for _, name := range k.groupBy {
		field := name
		if alias, ok := k.aliases[name]; ok {
			field = ""
			for _, id := range []string{called, m.Name, m.ID} {
				if alias[id] != "" {
					field = alias[id]
				}
			}
			if field == "" {
				return nil, k.d.Fault(k.at, "correlation: alias %q says nothing of rule %q", name, called)
			}
		}
		out = append(out, c.Slot(field))
	}
	return out, nil
}

func (s *Set) circle(r *Rule, path []*Rule) error {
	if slices.Contains(path, r) {
		return r.correlation.d.Fault(r.correlation.at, "correlation: rule %q rests on itself", r.ID)
	}
	if r.correlation == nil {
		return nil
	}
	for _, m := range r.correlation.members {
		if err := s.circle(m, append(slices.Clone(path), r)); err != nil {
			return err
		}
	}
	return nil
}

// reach is the classes a correlation can see; none when it can see all.
func (s *Set) reach(r *Rule) (out []event.Class) {
	if r.correlation == nil {
		return nil
	}
	for _, m := range r.correlation.members {
		if m.correlation == nil && m.classes == 0 {
			return nil
		}
		below := m.classes.List()
		if m.correlation != nil {
			if below = s.reach(m); below == nil {
				return nil
			}
		}
		out = append(out, below...)
	}
	return out
}
