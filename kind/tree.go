package kind

import "fmt"

// Branch is a record of a list that is a tree, and how deep it stands: 0 at the top.
type Branch struct {
	Record map[string]any
	Depth  int
}

// Branches are the records of a checked list, each followed by those under it.
func (f Field) Branches(list []any) (out []Branch) {
	above := f.above(list)
	var grow func(under, depth int)
	grow = func(under, depth int) {
		for i, r := range list {
			if record, ok := r.(map[string]any); ok && above[i] == under && depth < len(list) {
				out = append(out, Branch{record, depth})
				grow(i, depth+1)
			}
		}
	}
	grow(-1, 0)
	return out
}

// above is, of each record, the number of the first that has the name which its Tree
// names; -1: it names none, -2: there is none of that name.
func (f Field) above(list []any) []int {
	first := map[string]int{}
	text := func(i int, name string) string {
		record, _ := list[i].(map[string]any)
		s, _ := record[name].(string)
		return s
	}
	for i := range list {
		if _, there := first[text(i, f.Of[0].Name)]; !there {
			first[text(i, f.Of[0].Name)] = i
		}
	}
	out := make([]int, len(list))
	for i := range list {
		under := text(i, f.Tree)
		at, there := first[under]
		switch {
		case under == "":
			at = -1
		case !there:
			at = -2
		}
		out[i] = at
	}
	return out
}

// checkTree: what a record is under is in the list, and not under it in turn.
func (f Field) checkTree(list []any) error {
	above := f.above(list)
	for i := range list {
		place := f
		place.Name = fmt.Sprintf("%s[%d].%s", f.Name, i, f.Tree)
		at := above[i]
		for n := 0; at >= 0 && n <= len(list); n++ {
			at = above[at]
		}
		if at >= 0 {
			return place.fault("互いに相手の下となっている。", "they stand under each other")
		}
		if above[i] == -2 {
			return place.fault("この一覧にない名称である。", "nothing of that name is in this list")
		}
	}
	return nil
}
