package library

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"kakusho/directive"
)

// changesFile says which inherited parameters have another value.
const changesFile = "parameters/changes.yaml"

// record is a YAML mapping.
type record = map[string]any

// expansion writes out what a directive inherits, so that directive.Load reads a
// whole one. It works on the files: a clause takes over what it does not say from
// the clause it is "like", a group without a file of its own is its parent's, with
// the clauses it serves followed through the crosswalk and the changes laid over it.
type expansion struct {
	own    fs.FS
	parent fs.FS // whole
	model  *directive.Directive
	walk   *Crosswalk
	out    txtar.Archive
	faults []error

	models    map[string]record // the parent's clauses, as they are written
	delegates map[string]string // group → clause that delegates it
	changes   map[string]record // by key; what is left at the end changes nothing
}

func (e *expansion) bad(file, format string, a ...any) {
	e.faults = append(e.faults, fmt.Errorf("directive %s: %s", file, fmt.Sprintf(format, a...)))
}

// expand returns the folder own with everything it inherits written out.
func expand(own, parent fs.FS, model *directive.Directive, walk *Crosswalk) (fs.FS, error) {
	e := &expansion{own: own, parent: parent, model: model, walk: walk,
		models: written(model, parent), delegates: map[string]string{}, changes: map[string]record{}}
	for _, pattern := range []string{"*.yaml", "parameters/*.yaml"} {
		names, err := fs.Glob(own, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			e.file(name)
		}
	}
	e.groups()
	for _, key := range slices.Sorted(maps.Keys(e.changes)) {
		e.bad(changesFile, "parameter %s is not inherited", key)
	}
	if len(e.faults) > 0 {
		return nil, errors.Join(e.faults...)
	}
	return txtar.FS(&e.out)
}

// file takes over one file of the directive's own.
func (e *expansion) file(name string) {
	b, err := fs.ReadFile(e.own, name)
	if err != nil {
		e.bad(name, "%v", err)
		return
	}
	switch {
	case name == changesFile:
		e.readChanges(b)
	case path.Dir(name) == "." && name != "source.yaml":
		e.section(name, b)
	default:
		e.out.Files = append(e.out.Files, txtar.File{Name: name, Data: b})
	}
}

func (e *expansion) write(name string, doc any) {
	b, err := yaml.Marshal(doc)
	if err != nil {
		e.bad(name, "%v", err)
	}
	e.out.Files = append(e.out.Files, txtar.File{Name: name, Data: b})
}

// section fills in the words that clauses take over from others.
func (e *expansion) section(name string, b []byte) {
	var doc record
	if err := yaml.Unmarshal(b, &doc); err != nil {
		e.bad(name, "%v", err)
		return
	}
	clauses, _ := doc["clauses"].([]any)
	for _, c := range clauses {
		if c, ok := c.(record); ok {
			e.alike(name, c)
			if group, ok := c["delegates"].(string); ok {
				e.delegates[group] = fmt.Sprint(c["id"])
			}
		}
	}
	e.write(name, doc)
}

// alike takes over what c does not say itself.
func (e *expansion) alike(name string, c record) {
	like, ok := c["like"].(string)
	if !ok {
		return
	}
	delete(c, "like")
	model, ok := e.models[like]
	if !ok {
		e.bad(name, "clause %v: like %s, which %s has not", c["id"], like, e.model.Source)
		return
	}
	for key, value := range model {
		if _, said := c[key]; !said && key != "id" && key != "label" && key != "maps" {
			c[key] = value
		}
	}
}

// written are the clauses of a directive as its folder has them, by ID.
func written(d *directive.Directive, folder fs.FS) map[string]record {
	out := map[string]record{}
	for _, s := range d.Sections {
		_, number, _ := strings.Cut(string(s.ID), "@")
		for _, c := range list(folder, number+".yaml", "clauses") {
			out[fmt.Sprint(c["id"])] = c
		}
	}
	return out
}

// list reads the records under a key of a file that was read before.
func list(fsys fs.FS, name, key string) (out []record) {
	var doc record
	b, err := fs.ReadFile(fsys, name)
	if err != nil || yaml.Unmarshal(b, &doc) != nil {
		return nil
	}
	all, _ := doc[key].([]any)
	for _, x := range all {
		if r, ok := x.(record); ok {
			out = append(out, r)
		}
	}
	return out
}

// readChanges reads the form of changesFile: key, basis, and what is another.
func (e *expansion) readChanges(b []byte) {
	var f struct {
		Changes []record `yaml:"changes"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		e.bad(changesFile, "%v", err)
	}
	for _, c := range f.Changes {
		key := fmt.Sprint(c["key"])
		if _, twice := e.changes[key]; twice || c["basis"] == nil {
			e.bad(changesFile, "parameter %s stands twice, or its change has no basis", key)
		}
		for _, name := range slices.Sorted(maps.Keys(c)) {
			if !slices.Contains([]string{"key", "default", "about", "basis", "clauses"}, name) {
				e.bad(changesFile, "parameter %s: %s cannot be changed", key, name)
			}
		}
		e.changes[key] = c
	}
}

// groups writes the parent's groups for which the directive has no file.
func (e *expansion) groups() {
	for _, g := range slices.Concat(e.model.Groups, []directive.Group{e.model.Lifetimes}) {
		name := "parameters/" + g.ID + ".yaml"
		if _, err := fs.Stat(e.own, name); err == nil || g.ID == "" {
			continue
		}
		var doc record
		b, err := fs.ReadFile(e.parent, name)
		if err == nil {
			err = yaml.Unmarshal(b, &doc)
		}
		if err != nil {
			e.bad(name, "%v", err)
			continue
		}
		if to, ok := e.delegates[g.ID]; ok {
			doc["clause"] = to
		}
		parameters, _ := doc["parameters"].([]any)
		for _, p := range parameters {
			if p, ok := p.(record); ok {
				e.parameter(p, e.delegates[g.ID])
			}
		}
		e.write(name, doc)
	}
}

// parameter follows the clauses of one parameter and lays its change over it. What
// served a clause that is no more serves the one that delegates its group.
func (e *expansion) parameter(p record, delegating string) {
	var serves []string
	parameter := e.model.Parameters[fmt.Sprint(p["key"])]
	for _, id := range parameter.Clauses {
		for _, to := range e.walk.Counterparts(id) {
			if !slices.Contains(serves, string(to)) {
				serves = append(serves, string(to))
			}
		}
	}
	if len(serves) == 0 && delegating != "" {
		serves = []string{delegating}
	}
	p["clauses"] = serves
	maps.Copy(p, e.changes[parameter.Key])
	delete(e.changes, parameter.Key)
}
