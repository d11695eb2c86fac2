package sigma

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kakusho/bilingual"
	"kakusho/sigma/detection"
	"kakusho/sigma/document"
)

// head are the parts of a document that need more than their text.
type head struct {
	logsource, detection, correlation *yaml.Node
	titleEN                           string
	generate                          bool
}

// unread are the public keys that say nothing about what is found. Any key of one's
// own is allowed by the format, so a key nobody knows is passed over too, unless it
// looks like a slip of one that matters.
var slips = map[string]string{
	"detections": "detection", "log_source": "logsource", "logsources": "logsource", "severity": "level", "correlations": "correlation",
	"group_by": "group-by", "groupby": "group-by", "filter": "a filter inside detection",
}

func read(d document.Document, r *Rule) (h head, err error) {
	one := func(v *yaml.Node, into *string) error {
		list, err := d.Texts(v)
		if err == nil && len(list) != 1 {
			err = d.Fault(v, "want one text")
		}
		if err == nil {
			*into = strings.TrimSpace(list[0])
		}
		return err
	}
	many := func(v *yaml.Node, into *[]string) (err error) {
		*into, err = d.Texts(v)
		return err
	}
	err = d.Pairs(d.Root, func(k, v *yaml.Node) error {
		switch k.Value {
		case "title":
			return one(v, &r.Title.JA)
		case "title_en":
			return one(v, &h.titleEN)
		case "id":
			return one(v, &r.ID)
		case "name":
			return one(v, &r.Name)
		case "description":
			return one(v, &r.Description)
		case "status":
			return one(v, &r.Status)
		case "level":
			var s string
			if err := one(v, &s); err != nil {
				return err
			}
			if r.Level = Level(strings.ToLower(s)); !r.Level.Valid() {
				return d.Fault(v, "level %q: want one of %v", s, Levels())
			}
		case "tags":
			return many(v, &r.Tags)
		case "falsepositives":
			return many(v, &r.False)
		case "group-by":
			return many(v, &r.GroupBy)
		case "generate":
			h.generate = v.Value == "true"
		case "logsource":
			h.logsource = v
		case "detection":
			h.detection = v
		case "correlation":
			h.correlation = v
		case "action":
			return d.Fault(k, "rule collections (action) are obsolete: write the rules out")
		default:
			if want, slip := slips[k.Value]; slip {
				return d.Fault(k, "unknown key %q: meant is %s", k.Value, want)
			}
		}
		return nil
	})
	return h, err
}

// compile reads one document. What a correlation refers to is resolved later.
func compile(c *detection.Compiler, d document.Document) (*Rule, error) {
	r := &Rule{File: d.File, Line: d.Root.Line, Level: Medium, Alone: true}
	h, err := read(d, r)
	if err != nil {
		return nil, err
	}
	if r.Title.JA == "" || len(r.Title.JA) > 1024 {
		return nil, d.Fault(d.Root, "a rule needs a title of at most 256 characters")
	}
	r.Title = bilingual.Say(r.Title.JA, cmp.Or(h.titleEN, r.Title.JA))
	base := strings.TrimSuffix(path.Base(d.File), path.Ext(d.File))
	if d.Part > 0 {
		base = fmt.Sprintf("%s-%d", base, d.Part+1)
	}
	r.ID = cmp.Or(r.ID, r.Name, base)
	switch {
	case h.detection != nil && h.correlation != nil:
		return nil, d.Fault(h.correlation, "a rule has either a detection or a correlation")
	case h.correlation != nil:
		r.correlation, err = readCorrelation(d, h)
		if err == nil && len(r.GroupBy) > 0 {
			err = d.Fault(d.Root, "group-by of a correlation stands inside correlation")
		}
		if err == nil {
			r.GroupBy = r.correlation.groupBy
		}
		return r, err
	case h.detection == nil:
		return nil, d.Fault(d.Root, "a rule needs a detection or a correlation")
	case h.logsource == nil:
		return nil, d.Fault(d.Root, "a detection needs a logsource")
	case slices.Contains([]string{"unsupported", "deprecated"}, r.Status):
		return nil, d.Fault(d.Root, "the rule says of itself that it is %s", r.Status)
	}
	return r, detect(c, d, h, r)
}

func detect(c *detection.Compiler, d document.Document, h head, r *Rule) (err error) {
	if r.test, r.classes, err = c.Compile(d, h.logsource, h.detection); err != nil {
		return err
	}
	if r.GroupBy == nil {
		r.GroupBy = []string{"device", "account"}
	}
	for _, name := range r.GroupBy {
		r.group = append(r.group, c.Slot(name))
	}
	return nil
}
