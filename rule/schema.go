package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"kakusho/bilingual"
	"kakusho/directive"
	"kakusho/kind"
)

// Field is a field that rules may read: one that every kind of the schema has
// with the same type.
type Field struct {
	Name     string
	Type     kind.Type
	Declared bool    // it has that layer in one of the kinds
	Observed bool    // it has that layer in one of the kinds
	Of       *Record // list of records

	cel    *cel.Type
	max    int                       // runes of a string, elements of a list
	ranges []bounds                  // of a number, one for each kind
	labels map[string]bilingual.Text // by kind
}

// bounds is between what a number must lie; nil: no bound.
type bounds struct{ least, most *int64 }

// Refuses says what about a number, a string or the length of a list is beyond
// what the field can hold; empty: nothing. A rule must not read such a value: the
// estimate of what the rule costs rests on the sizes, and what no register and no
// collector could have entered is no evidence.
func (f *Field) Refuses(value any) string {
	switch v := value.(type) {
	case string:
		if f.max > 0 && len(v) > f.max && utf8.RuneCountInString(v) > f.max {
			return fmt.Sprintf("the text is longer than %d characters", f.max)
		}
	case []any:
		if f.max > 0 && len(v) > f.max {
			return fmt.Sprintf("the list has %d elements, more than %d", len(v), f.max)
		}
	case int64:
		return f.outside(float64(v))
	case float64:
		return f.outside(v)
	}
	return ""
}

func (f *Field) outside(n float64) string {
	for _, r := range f.ranges {
		if (r.least == nil || n >= float64(*r.least)) && (r.most == nil || n <= float64(*r.most)) {
			return "" // one of the kinds has such numbers
		}
	}
	if len(f.ranges) == 0 {
		return ""
	}
	return fmt.Sprintf("%v is out of range", n)
}

// Label is what the field is called for subjects of a kind.
func (f *Field) Label(kindID string) bilingual.Text { return f.labels[kindID] }

// Record is the shape of a list's elements.
type Record struct {
	Schema   *Schema
	TypeName string
	Fields   map[string]*Field

	names []string
}

// Param is a parameter that rules may read.
type Param struct {
	Key  string    // auth.pw.min_length
	Name string    // auth_pw_min_length
	Type kind.Type // of its values

	cel *cel.Type
}

// Schema is what the expressions of a control may name. It is cel-go's type
// provider, so a field it does not know is a compile error. Once made it does
// not change, and is safe for concurrent use.
type Schema struct {
	*types.Registry
	Fields []*Field
	Params []*Param

	kinds   []string
	answer  bool // a. is declared
	byName  map[string]*Field
	lacking map[string]string // field → a kind that lacks it or has it with another type
	byParam map[string]*Param
	records map[string]*Record
	env     *cel.Env
}

// Type names of the variables. An expression cannot write the last one's prefix.
const (
	subjectType  = "Subject"
	declaredType = "Declared"
	paramsType   = "Parameters"
	answerType   = "Answer"
	hasPrefix    = "@has " // has(x.f) reads the synthetic field "@has f"
)

// NewSchema joins the kinds and the parameters. With answer, expressions may
// read a.answer and a.at.
func NewSchema(kinds []kind.Kind, params directive.Parameters, answer bool) (*Schema, error) {
	reg, err := types.NewRegistry()
	if err != nil {
		return nil, fmt.Errorf("make type registry: %w", err)
	}
	s := &Schema{
		Registry: reg, answer: answer, byName: map[string]*Field{}, lacking: map[string]string{},
		byParam: map[string]*Param{}, records: map[string]*Record{},
	}
	for i, k := range kinds {
		s.kinds = append(s.kinds, k.ID)
		s.join(k, i == 0)
	}
	s.Fields = slices.DeleteFunc(s.Fields, func(f *Field) bool { return s.byName[f.Name] == nil })
	for _, key := range slices.Sorted(maps.Keys(params)) {
		t := valueType(params[key].Type)
		p := &Param{Key: key, Name: strings.ReplaceAll(key, ".", "_"), Type: t, cel: celType(t)}
		s.Params = append(s.Params, p)
		s.byParam[p.Name] = p
	}
	s.env, err = s.environment()
	return s, err
}

// join narrows the fields to those that k has too.
func (s *Schema) join(k kind.Kind, first bool) {
	seen := map[string]bool{}
	for _, kf := range k.Fields {
		seen[kf.Name] = true
		f := s.byName[kf.Name]
		switch {
		case f == nil && first:
			f = s.add(kf)
		case f == nil:
			if s.lacking[kf.Name] == "" {
				s.lacking[kf.Name] = s.kinds[0]
			}
			continue
		case !f.narrow(kf):
			s.lacking[kf.Name] = k.ID
			delete(s.byName, kf.Name)
			continue
		}
		f.describe(k.ID, kf)
	}
	for name := range s.byName {
		if !seen[name] {
			s.lacking[name] = k.ID
			delete(s.byName, name)
		}
	}
}

func (s *Schema) add(kf kind.Field) *Field {
	f := &Field{Name: kf.Name, Type: kf.Type, cel: celType(kf.Type), labels: map[string]bilingual.Text{}}
	if kf.Type == kind.List && len(kf.Of) > 0 {
		f.Of = &Record{Schema: s, TypeName: "Record of " + kf.Name, Fields: map[string]*Field{}}
		for _, sub := range kf.Of {
			f.Of.Fields[sub.Name] = &Field{Name: sub.Name, Type: sub.Type, cel: celType(sub.Type), labels: map[string]bilingual.Text{}}
			f.Of.names = append(f.Of.names, sub.Name)
		}
		f.cel = cel.ListType(cel.ObjectType(f.Of.TypeName))
		s.records[f.Of.TypeName] = f.Of
	}
	s.Fields = append(s.Fields, f)
	s.byName[kf.Name] = f
	return f
}

// describe takes over what kind k says about the field besides its type.
func (f *Field) describe(k string, kf kind.Field) {
	f.labels[k] = kf.Label
	f.Declared = f.Declared || kf.In(kind.Declared)
	f.Observed = f.Observed || kf.In(kind.Observed)
	f.max = max(f.max, sizeOf(kf))
	f.ranges = append(f.ranges, bounds{kf.Least, kf.Most})
	for _, sub := range kf.Of {
		if f.Of != nil && f.Of.Fields[sub.Name] != nil {
			f.Of.Fields[sub.Name].describe(k, sub)
		}
	}
}

// narrow drops what kf does not have, and reports whether anything is left.
func (f *Field) narrow(kf kind.Field) bool {
	if celType(f.Type) != celType(kf.Type) || (f.Of == nil) != (len(kf.Of) == 0) {
		return false
	}
	if f.Of == nil {
		return true
	}
	for name, sub := range f.Of.Fields {
		i := slices.IndexFunc(kf.Of, func(x kind.Field) bool { return x.Name == name })
		if i < 0 || celType(kf.Of[i].Type) != celType(sub.Type) {
			delete(f.Of.Fields, name)
		}
	}
	return len(f.Of.Fields) > 0
}

// Sizes that kind leaves to its defaults.
const (
	maxLine = 500
	maxText = 20_000
	maxList = 1_000
)

func sizeOf(f kind.Field) int {
	switch {
	case f.Max > 0:
		return f.Max
	case f.Type == kind.Text:
		return maxText
	case f.Type == kind.List:
		return maxList
	}
	return maxLine
}

var stringList = cel.ListType(cel.StringType)

func celType(t kind.Type) *cel.Type {
	switch t {
	case kind.Int:
		return cel.IntType
	case kind.Number:
		return cel.DoubleType
	case kind.Bool:
		return cel.BoolType
	case kind.Time, kind.Date:
		return cel.TimestampType
	case kind.Duration:
		return cel.DurationType
	case kind.List:
		return stringList
	}
	return cel.StringType
}

func valueType(t directive.Type) kind.Type {
	switch t {
	case directive.Int:
		return kind.Int
	case directive.Number:
		return kind.Number
	case directive.Bool:
		return kind.Bool
	case directive.Duration:
		return kind.Duration
	case directive.Date:
		return kind.Date
	case directive.List:
		return kind.List
	}
	return kind.String
}

// Field finds a field by name.
func (s *Schema) Field(name string) (*Field, bool) { f, ok := s.byName[name]; return f, ok }

// Param finds a parameter by the name rules use.
func (s *Schema) Param(name string) (*Param, bool) { p, ok := s.byParam[name]; return p, ok }

func (s *Schema) names(typeName string) (names []string) {
	switch typeName {
	case subjectType, declaredType:
		for _, f := range s.Fields {
			if typeName == subjectType || f.Declared {
				names = append(names, f.Name)
			}
		}
	case paramsType:
		for _, p := range s.Params {
			names = append(names, p.Name)
		}
	case answerType:
		names = []string{"answer", "at"}
	}
	if r, ok := s.records[typeName]; ok {
		return slices.DeleteFunc(slices.Clone(r.names), func(n string) bool { return r.Fields[n] == nil })
	}
	return names
}

// Source is what s, d, p and a stand for while an expression is evaluated. A
// read answers with a value, or with cel-go's unknown; with has it answers
// whether there is a value.
type Source interface {
	ReadField(f *Field, declared, has bool) ref.Val
	ReadParam(p *Param) ref.Val
	ReadAnswer(name string, has bool) ref.Val
}

// Element is one record of a list.
type Element interface {
	ref.Val
	Read(sub *Field, has bool) ref.Val
}

// FindStructType implements types.Provider.
func (s *Schema) FindStructType(name string) (*types.Type, bool) {
	if s.names(name) != nil {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return s.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (s *Schema) FindStructFieldNames(name string) ([]string, bool) {
	if names := s.names(name); names != nil {
		return names, true
	}
	return s.Registry.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (s *Schema) FindStructFieldType(typeName, name string) (*types.FieldType, bool) {
	field, has := strings.CutPrefix(name, hasPrefix)
	ft := s.access(typeName, field, has)
	if ft == nil {
		return s.Registry.FindStructFieldType(typeName, name)
	}
	if has {
		ft.Type = cel.BoolType
	}
	ft.IsSet = func(any) bool { return true }
	return ft, true
}

func (s *Schema) access(typeName, name string, has bool) *types.FieldType {
	switch typeName {
	case subjectType, declaredType:
		f, declared := s.byName[name], typeName == declaredType
		if f == nil || declared && !f.Declared {
			return nil
		}
		return &types.FieldType{Type: f.cel, GetFrom: func(o any) (any, error) { return o.(Source).ReadField(f, declared, has), nil }}
	case paramsType:
		p := s.byParam[name]
		if p == nil || has {
			return nil
		}
		return &types.FieldType{Type: p.cel, GetFrom: func(o any) (any, error) { return o.(Source).ReadParam(p), nil }}
	case answerType:
		t := map[string]*cel.Type{"answer": cel.StringType, "at": cel.TimestampType}[name]
		if t == nil {
			return nil
		}
		return &types.FieldType{Type: t, GetFrom: func(o any) (any, error) { return o.(Source).ReadAnswer(name, has), nil }}
	}
	r, ok := s.records[typeName]
	if !ok || r.Fields[name] == nil {
		return nil
	}
	sub := r.Fields[name]
	return &types.FieldType{Type: sub.cel, GetFrom: func(o any) (any, error) { return o.(Element).Read(sub, has), nil }}
}

// NewValue implements types.Provider. No object is ever built by a rule.
func (s *Schema) NewValue(typeName string, fields map[string]ref.Val) ref.Val {
	if s.names(typeName) != nil {
		return types.NewErr("a rule cannot build a %s", typeName)
	}
	return s.Registry.NewValue(typeName, fields)
}
