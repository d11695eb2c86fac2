package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kakusho/actor"
	"kakusho/fact"
	"kakusho/procedure"
	"kakusho/register"
	"kakusho/verdict"
)

// walker leads one entry through its procedure, line by line of a walk.
type walker struct {
	*body
	base  string
	p     procedure.Procedure
	ref   fact.Ref
	taken map[string]bool // steps that were taken, of all walks
	no    map[string]bool // steps that were refused
}

// Every procedure is walked end to end through HTTP by persons of the body, as its
// walk in procedure/testdata tells; every step is taken once and refused once. Before a
// step that is taken, every duty is asked for: those it names are offered it, and no
// other is.
func TestEveryProcedureIsWalked(t *testing.T) {
	for _, id := range found(t).Register.Procedures().IDs() {
		t.Run(id, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "procedure", "testdata", id+".walk"))
			if err != nil {
				t.Fatal(err)
			}
			w := walker{taken: map[string]bool{}, no: map[string]bool{}}
			for i, walk := range strings.Split("\n"+string(text), "\nwalk ")[1:] {
				t.Run(strconv.Itoa(i), func(t *testing.T) {
					b := found(t)
					w := w
					w.body, w.base, w.p = b, b.open(), b.Register.Procedures()[id]
					for n, line := range strings.Split(walk, "\n")[1:] {
						if line != "" && !strings.HasPrefix(line, "#") {
							w.line(fmt.Sprintf("%s, line %d, %s", strings.SplitN(walk, "\n", 2)[0], n+1, line), line)
						}
					}
				})
			}
			t.Cleanup(func() {
				for _, s := range w.p.Steps {
					if !w.taken[s.ID] || !w.no[s.ID] {
						t.Errorf("step %s: taken %v, refused %v; want both", s.ID, w.taken[s.ID], w.no[s.ID])
					}
				}
			})
			w.p = procedure.Default(found(t).Kinds)[id]
		})
	}
}

// line does one line of a walk: a step and what comes of it, or one of these.
//
//	holds PERSON DUTY SCOPE       he has it from now on
//	put KIND/ID FIELD=VALUE …     something that is there
//	has KIND/ID FIELD=VALUE …     is so; "-" is blank
//	says KIND/ID CONTROL OUTCOME  the judge says so
//	wait DURATION                 time passes
func (w *walker) line(name, line string) {
	w.t.Helper()
	words := split(line)
	switch words[0] {
	case "holds":
		w.put(actor.Program, "assignment", values{"assignment_no": strings.Join(words[1:], "-"), "post": strings.ToUpper(strings.TrimPrefix(words[1], "s-")),
			"person": words[1], "duty": words[2], "scope": words[3], "from": "2026-04-01"})
	case "put":
		ref := fact.Ref(words[1])
		v := w.values(ref.Kind(), words[2:])
		v[w.Kinds[ref.Kind()].Key] = ref.ID()
		if ref.Kind() == w.p.Kind {
			w.ref = ref
		}
		w.put(actor.Program, ref.Kind(), v)
	case "has":
		got := w.entry(fact.Ref(words[1])).Values
		for _, pair := range words[2:] {
			field, want, _ := strings.Cut(pair, "=")
			f, _ := w.Kinds[fact.Ref(words[1]).Kind()].Field(field)
			if v, err := f.Parse(strings.TrimSuffix(want, "-")); err != nil || fact.Digest(fact.Canonical(v)) != fact.Digest(fact.Canonical(got[field])) {
				w.t.Errorf("%s: %s is %v", name, field, got[field])
			}
		}
	case "says":
		w.says(fact.Ref(words[1]), words[2], w.Now(), verdict.Outcome(words[3]))
	case "wait":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			w.t.Fatal(err)
		}
		w.tick(d)
	default:
		w.step(name, words)
	}
}

// step is "STEP PERSON [FIELD=VALUE …] -> STATE", or "! STATUS or fields at fault". A step
// that begins an entry gives its key; note=… is the note, file=… a PDF of that name, or a report of
// package scan's examples.
func (w *walker) step(name string, words []string) {
	w.t.Helper()
	id, person, want, sign := words[0], words[1], words[len(words)-1], words[len(words)-2]
	s, known := w.p.Step(id)
	k := w.Kinds[w.p.Kind]
	note, pairs, files := "", []string(nil), []register.Upload{}
	for _, pair := range words[2 : len(words)-2] {
		if text, ok := strings.CutPrefix(pair, "note="); ok {
			note = text
			continue
		}
		if text, ok := strings.CutPrefix(pair, "file="); ok {
			files = append(files, register.Upload{Name: text, Content: attachment(text)})
			continue
		}
		pairs = append(pairs, pair)
	}
	v := w.values(k.ID, pairs)
	if key, ok := v[k.Key].(string); ok {
		w.ref = fact.NewRef(k.ID, key)
		delete(v, k.Key)
	}
	before := w.entry(w.ref)
	if sign == "->" && known && len(s.From) > 0 {
		w.offered(name, s)
	}
	got := w.ask(name, "/api/v1/step/"+id+"/"+string(w.ref), person, map[string]any{"rev": before.Rev, "values": v, "note": note, "files": files})
	after := w.entry(w.ref)
	switch state, _ := after.Values[w.p.Field].(string); {
	case sign == "->" && (got != "200" || state != want):
		w.t.Errorf("%s: got %s, and it is %q", name, got, state)
	case sign == "!" && (got != want || after.Rev != before.Rev):
		w.t.Errorf("%s: got %s, revision %d after %d", name, got, after.Rev, before.Rev)
	}
	if w.taken[id] = w.taken[id] || sign == "->"; sign == "!" {
		w.no[id] = true
	}
}

// offered: of all duties over everything, those that the step names are offered it. Who
// must be above the applicant is nobody here.
func (w *walker) offered(name string, s procedure.Step) {
	w.t.Helper()
	for _, duty := range actor.Duties {
		who := actor.Actor{Person: "s-nobody-before", Session: "x", Assignments: []actor.Assignment{{Post: "CHIEF", Duty: duty, Scope: "*"}}}
		course, err := w.Register.Course(w.ctx, w.permit(who), w.ref, w.Now())
		if err != nil { // his duties do not open the register
			if slices.Contains(s.Who, duty) {
				w.t.Errorf("%s: %s: %v", name, duty, err)
			}
			continue
		}
		offers := course.Offers
		i := slices.IndexFunc(offers, func(o register.Offer) bool { return o.ID == s.ID })
		if i < 0 || offers[i].May && !slices.Contains(s.Who, duty) || !offers[i].May && slices.Contains(s.Who, duty) && s.Superior == "" {
			w.t.Errorf("%s: %s may take it: %v", name, duty, i >= 0 && offers[i].May)
		}
	}
}

// ask is the status of a change asked for over HTTP; of faults the fields, sorted.
func (w *walker) ask(name, path, person string, body any) string {
	w.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPut, w.base+path, bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	w.as(person)
	r.AddCookie(&http.Cookie{Name: "kakusho", Value: w.sessions[person]})
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var faults struct {
		Faults []struct{ Field, Message string }
	}
	if answer.StatusCode != http.StatusUnprocessableEntity || json.Unmarshal(said, &faults) != nil {
		return strconv.Itoa(answer.StatusCode)
	}
	fields := map[string]bool{}
	for _, f := range faults.Faults {
		fields[f.Field] = true
		if f.Message == "" {
			w.t.Errorf("%s: the fault at %s says nothing", name, f.Field)
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(fields)), ",")
}

// values are what "FIELD=VALUE" pairs say, as JSON carries it.
func (w *walker) values(kindID string, pairs []string) values {
	w.t.Helper()
	v := values{}
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		f, known := w.Kinds[kindID].Field(name)
		if !ok || !known {
			w.t.Fatalf("%q is no value of %s", pair, kindID)
		}
		value, err := f.Parse(text)
		if err != nil {
			w.t.Fatalf("%q: %v", pair, err)
		}
		v[name] = fact.Canonical(value)
	}
	return v
}

// split cuts a line into words; "…" holds spaces, and \n is the end of a line.
func split(line string) (words []string) {
	quoted := false
	for _, w := range strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	}) {
		words = append(words, strings.NewReplacer(`"`, "", `\n`, "\n").Replace(w))
	}
	return words
}

// attachment is a file for a step: what its name says.
func attachment(name string) []byte {
	switch name {
	case "clean.sarif":
		return []byte(`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "gosec", "version": "2.21"}}, "results": []}]}`)
	case "open.sarif":
		return []byte(`{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "gosec", "version": "2.21"}}, "results": [{"level": "error", "message": {"text": "x"}}]}]}`)
	case "bill.json":
		return []byte(`{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a"}, {"name": "b"}]}`)
	}
	return []byte("%PDF-1.7\n" + name)
}
