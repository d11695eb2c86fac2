package file

import "kakusho/bilingual"

// Upload is a file as it comes.
type Upload struct {
	Name    string `json:"name"`
	Content []byte `json:"content"`
}

// CheckAll tells what the files of a record are, of which it wants some at least. All
// faults come back at once.
func CheckAll(uploads []Upload, least int) (files []File, faults []bilingual.Text) {
	bad := func(err error) {
		f, _ := err.(Fault)
		faults = append(faults, bilingual.Text(f))
	}
	switch n := len(uploads); {
	case n < least:
		bad(fault("%d件以上を要する。", "attach %d at least", least))
	case n > MostFiles:
		bad(fault("一度に%d件までとする。", "at most %d at once", MostFiles))
		return nil, faults
	}
	for _, u := range uploads {
		f, err := Check(u.Name, u.Content)
		if err != nil {
			bad(err)
			continue
		}
		files = append(files, f)
	}
	return files, faults
}

// AsRow are files as a row of a store holds them, in canonical JSON; nil: none.
func AsRow(files []File) any {
	if len(files) == 0 {
		return nil
	}
	var out []any
	for _, f := range files {
		out = append(out, map[string]any{"name": f.Name, "type": f.Type, "size": f.Size, "digest": f.Digest})
	}
	return out
}

// OfRow are the files that a row holds.
func OfRow(row any) (files []File) {
	list, _ := row.([]any)
	for _, x := range list {
		m, _ := x.(map[string]any)
		text := func(name string) string { s, _ := m[name].(string); return s }
		size, _ := m["size"].(int64)
		files = append(files, File{Name: text("name"), Type: text("type"), Size: size, Digest: text("digest")})
	}
	return files
}
