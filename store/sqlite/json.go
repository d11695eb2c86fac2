package sqlite

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"kakusho/store"
)

// inside names the places within two texts of JSON where they differ. When one
// is no JSON, or they differ only in how they are written, that is d itself.
func inside(d store.Difference, want, got any) []store.Difference {
	w, okW := decode(want)
	g, okG := decode(got)
	if !okW || !okG {
		return []store.Difference{d}
	}
	var out []store.Difference
	differ(d, d.Column, w, g, func(d store.Difference) { out = append(out, d) })
	if len(out) == 0 {
		return []store.Difference{d}
	}
	return out
}

func decode(kept any) (any, bool) {
	s, ok := kept.(string)
	if !ok {
		return nil, false
	}
	v, err := store.Decode(s)
	return v, err == nil
}

// differ goes down as long as both are records, or both are lists.
func differ(d store.Difference, path string, want, got any, found func(store.Difference)) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			differRecord(d, path, w, g, found)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			differList(d, path, w, g, found)
			return
		}
	}
	if !reflect.DeepEqual(want, got) {
		d.Column, d.Want, d.Got = path, text(want), text(got)
		found(d)
	}
}

func differRecord(d store.Difference, path string, want, got map[string]any, found func(store.Difference)) {
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		w, inWant := want[k]
		g, inGot := got[k]
		differMember(d, path+"."+member(k), w, g, inWant, inGot, found)
	}
}

func differList(d store.Difference, path string, want, got []any, found func(store.Difference)) {
	for i := range max(len(want), len(got)) {
		var w, g any
		if i < len(want) {
			w = want[i]
		}
		if i < len(got) {
			g = got[i]
		}
		differMember(d, fmt.Sprintf("%s[%d]", path, i), w, g, i < len(want), i < len(got), found)
	}
}

func differMember(d store.Difference, path string, w, g any, inWant, inGot bool, found func(store.Difference)) {
	if inWant && inGot {
		differ(d, path, w, g, found)
		return
	}
	d.Column, d.Want, d.Got = path, "", ""
	if inWant {
		d.Want = text(w)
	}
	if inGot {
		d.Got = text(g)
	}
	found(d)
}

// member is a name within a path; one that is no plain name is quoted.
func member(name string) string {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' {
			return strconv.Quote(name)
		}
	}
	return name
}

// text is a value of JSON for a person.
func text(v any) string {
	switch v.(type) {
	case map[string]any, []any:
	default:
		return literal(v)
	}
	s, err := store.Encode(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(s) > mostLiteral {
		return literal(s)
	}
	return s
}
