package kakusho_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors are the house's, lowest first. A package imports from its own floor only
// where allowed says so, and from higher ones never.
var floors = []struct {
	name    string
	rooms   []string // folders; what is inside them belongs to them
	sees    []string // floors
	mustNot []string // rooms it may not see although the floor would allow it
}{
	{name: "words", rooms: []string{"bilingual", "calendar", "clause", "fact", "verdict", "actor", "decision", "calendar", "event"}, sees: []string{"words"}},
	{name: "texts", rooms: []string{"kind", "directive", "control", "procedure"}, sees: []string{"words", "texts"}},
	{name: "tools", rooms: []string{"collect", "rule", "judge", "store", "door", "search", "sigma", "scan", "blob"}, sees: []string{"words", "texts", "tools"}},
	{name: "trail", rooms: []string{"trail"}, sees: []string{"words"}},
	{name: "gate", rooms: []string{"gate"}, sees: []string{"words", "trail"}},
	{name: "work", rooms: []string{"intake", "ingest", "retention", "watch", "register", "posture", "govern", "identity", "audit"}, sees: []string{"words", "texts", "tools", "trail", "gate"}},
	{name: "face", rooms: []string{"web", "report"}, sees: []string{"words", "texts", "gate", "work", "face"}}, // web shows the documents that report makes; the way back would be a circle
	{name: "whole", rooms: []string{"server", "cmd", "demo", "bench"}, sees: []string{"words", "texts", "tools", "trail", "gate", "work", "face", "whole"}},
}

func floorOf(room string) int {
	return slices.IndexFunc(floors, func(f struct {
		name    string
		rooms   []string
		sees    []string
		mustNot []string
	}) bool {
		return slices.Contains(f.rooms, room)
	})
}

// source is one Go file of the house.
type source struct {
	path string // slash-separated, from the root
	file *ast.File
	fset *token.FileSet
}

func (s source) room() string { room, _, _ := strings.Cut(s.path, "/"); return room }
func (s source) test() bool   { return strings.HasSuffix(s.path, "_test.go") }

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		out = append(out, source{filepath.ToSlash(path), f, fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryImportGoesDownstairs(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() || s.path == "doc.go" {
			continue
		}
		from := floorOf(s.room())
		if from < 0 {
			t.Errorf("%s: room %q is on no floor; add it to floors and to ARCHITECTURE.md", s.path, s.room())
			continue
		}
		for _, imp := range s.file.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			rest, ours := strings.CutPrefix(path, "kakusho/")
			if !ours {
				continue
			}
			room, _, _ := strings.Cut(rest, "/")
			to := floorOf(room)
			switch {
			case to < 0:
				t.Errorf("%s imports %s, which is on no floor", s.path, path)
			case room == s.room():
			case !slices.Contains(floors[from].sees, floors[to].name):
				t.Errorf("%s (%s) imports %s (%s): %s may see %v", s.path, floors[from].name, path, floors[to].name, floors[from].name, floors[from].sees)
			}
		}
	}
}

// The engine knows no clause: which there are, and what they are called, is data.
func TestEnginesNameNoClause(t *testing.T) {
	named := regexp.MustCompile(`[a-z0-9-]+@[0-9]`)
	engines := []string{"clause", "procedure", "directive", "control", "kind", "rule", "judge", "verdict", "decision", "gate", "govern", "register", "posture", "report", "store"}
	for _, s := range sources(t) {
		if s.test() || !slices.Contains(engines, s.room()) || strings.HasPrefix(s.path, "store/storetest/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && named.MatchString(lit.Value) && !strings.Contains(lit.Value, "%q") {
				t.Errorf("%s: %s names a clause", s.fset.Position(lit.Pos()), lit.Value)
			}
			return true
		})
	}
}

func TestWordsSeeOnlyTheStandardLibrary(t *testing.T) {
	for _, s := range sources(t) {
		if floorOf(s.room()) != 0 || s.test() {
			continue
		}
		for _, imp := range s.file.Imports {
			path, _ := strconv.Unquote(imp.Path.Value)
			if !strings.HasPrefix(path, "kakusho/") && strings.Contains(strings.Split(path, "/")[0], ".") {
				t.Errorf("%s imports %s", s.path, path)
			}
			if slices.Contains([]string{"os", "net", "net/http", "database/sql", "io/fs"}, path) {
				t.Errorf("%s imports %s: words have no disk and no network", s.path, path)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	said := map[string]int{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		dir := filepath.Dir(s.path)
		if s.file.Doc != nil {
			said[dir]++
		} else {
			said[dir] += 0
		}
	}
	for dir, n := range said {
		if n != 1 {
			t.Errorf("%s: %d package comments, want one", dir, n)
		}
	}
}

func TestFunctionsAndPackagesStaySmall(t *testing.T) {
	lines := map[string]int{}
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		lines[filepath.Dir(s.path)] += s.fset.Position(s.file.FileEnd).Line
		for _, d := range s.file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1
			if n > 100 {
				t.Errorf("%s: %s has %d lines, at most 100", s.path, fn.Name.Name, n)
			}
		}
	}
	for dir, n := range lines {
		if n > 1500 && dir != "store/storetest" { // a suite of tests, though not in _test files
			t.Errorf("%s has %d lines, at most 1,500", dir, n)
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	banned := []string{"util", "utils", "common", "core", "helper", "helpers", "types", "models", "misc", "base", "shared"}
	for _, s := range sources(t) {
		name := strings.TrimSuffix(s.file.Name.Name, "_test")
		if slices.Contains(banned, name) {
			t.Errorf("%s: package %s says nothing", s.path, name)
		}
		for _, d := range s.file.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init", s.path)
			}
		}
	}
}

// Only the whole reads the clock, and what it starts: below, time is an argument.
func TestOnlyTheWholeReadsTheClock(t *testing.T) {
	for _, s := range sources(t) {
		if s.test() || floorOf(s.room()) >= floorOf("server") || s.path == "doc.go" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Since") {
				at := s.fset.Position(sel.Pos())
				if !strings.Contains(clockReaders, s.path) {
					t.Errorf("%s reads the clock", at)
				}
			}
			return true
		})
	}
}

// clockReaders are files below the whole that measure a duration or stamp an
// arrival, each for a reason that its comment gives.
const clockReaders = `collect/fixture/fixture.go: makes deadlines of tests
web/stream.go: sets a deadline of the network`

func TestTheArchitecturePageNamesEveryRoom(t *testing.T) {
	page, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range floors {
		for _, room := range f.rooms {
			if !strings.Contains(string(page), room+"/") {
				t.Errorf("ARCHITECTURE.md does not name %s/", room)
			}
		}
	}
	if n := strings.Count(string(page), "\n"); n > 140 {
		t.Errorf("ARCHITECTURE.md has %d lines; two pages hold 140", n)
	}
}
