package judge

import (
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"kakusho/bilingual"
	"kakusho/control"
	"kakusho/directive"
	"kakusho/kind"
)

// field is a field that rules may read, common to all kinds of a control.
type field struct {
	index  int
	name   string
	typ    kind.Type
	cel    *cel.Type
	layers [3]bool // declared, observed, derived
	max    int
	of     *record                   // list of records
	labels map[string]bilingual.Text // by kind
}

// record is the shape of a list's elements.
type record struct {
	adapter  types.Adapter
	typeName string
	fields   map[string]*field
	names    []string
}

// param is a parameter that rules may read.
type param struct {
	index    int
	key      string // auth.pw.min_length
	name     string // auth_pw_min_length
	declared directive.Parameter
	cel      *cel.Type
}

// schema is what the expressions of one control may name. It is cel-go's type
// provider: a field that it does not know is a compile error.
type schema struct {
	*types.Registry
	kinds   []string
	fields  []*field
	byName  map[string]*field
	partial map[string]string // field → a kind of the control that lacks it or has it otherwise
	params  []*param
	byParam map[string]*param
	records map[string]*record
	record  bool // a. is declared
}

// Type names of the variables; none can be written in an expression.
const (
	subjectType  = "Subject"
	declaredType = "Declared"
	paramsType   = "Parameters"
	answerType   = "Answer"
	hasPrefix    = "@has " // has(x.f) reads the synthetic field "@has f"
)

func newSchema(c control.Control, kinds kind.Set, params directive.Parameters) (*schema, error) {
	reg, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	s := &schema{
		Registry: reg, kinds: c.Kinds, record: c.Record != nil,
		byName: map[string]*field{}, partial: map[string]string{},
		byParam: map[string]*param{}, records: map[string]*record{},
	}
	for i, id := range c.Kinds {
		s.addKind(kinds[id], i == 0)
	}
	s.fields = slices.DeleteFunc(s.fields, func(f *field) bool { return s.byName[f.name] == nil })
	for i, f := range s.fields {
		f.index = i
	}
	for _, key := range slices.Sorted(maps.Keys(params)) {
		p := &param{index: len(s.params), key: key, name: strings.ReplaceAll(key, ".", "_"), declared: params[key], cel: paramType(params[key].Type)}
		s.params = append(s.params, p)
		s.byParam[p.name] = p
	}
	return s, nil
}

// addKind narrows the fields to those that k has with the same type.
func (s *schema) addKind(k kind.Kind, first bool) {
	seen := map[string]bool{}
	for _, kf := range k.Fields {
		seen[kf.Name] = true
		f := s.byName[kf.Name]
		if f == nil {
			if first {
				s.addField(k.ID, kf)
			} else if _, ok := s.partial[kf.Name]; !ok {
				s.partial[kf.Name] = s.kinds[0]
			}
			continue
		}
		f.labels[k.ID] = kf.Label
		for i, l := range []kind.Layer{kind.Declared, kind.Observed, kind.Derived} {
			f.layers[i] = f.layers[i] || kf.In(l)
		}
		f.max = max(f.max, sizeOf(kf))
		if !sameType(f, kf) {
			s.partial[kf.Name] = k.ID
			delete(s.byName, kf.Name)
		}
	}
	for name := range s.byName {
		if !seen[name] {
			s.partial[name] = k.ID
			delete(s.byName, name)
		}
	}
}

func (s *schema) addField(kindID string, kf kind.Field) {
	f := &field{name: kf.Name, typ: kf.Type, max: sizeOf(kf), labels: map[string]bilingual.Text{kindID: kf.Label}}
	for i, l := range []kind.Layer{kind.Declared, kind.Observed, kind.Derived} {
		f.layers[i] = kf.In(l)
	}
	f.cel = fieldType(kf.Type)
	if kf.Type == kind.List && len(kf.Of) > 0 {
		f.of = &record{adapter: s, typeName: "Record of " + kf.Name, fields: map[string]*field{}}
		for _, sub := range kf.Of {
			f.of.fields[sub.Name] = &field{
				name: sub.Name, typ: sub.Type, cel: fieldType(sub.Type), max: sizeOf(sub),
				labels: map[string]bilingual.Text{kindID: sub.Label},
			}
			f.of.names = append(f.of.names, sub.Name)
		}
		f.cel = cel.ListType(cel.ObjectType(f.of.typeName))
		s.records[f.of.typeName] = f.of
	}
	s.fields = append(s.fields, f)
	s.byName[kf.Name] = f
}

func sameType(f *field, kf kind.Field) bool {
	if fieldType(f.typ) != fieldType(kf.Type) && f.typ != kf.Type {
		return false
	}
	if (f.of == nil) != (len(kf.Of) == 0) {
		return false
	}
	if f.of == nil {
		return true
	}
	// A sub-field that one of the kinds lacks is none that a rule may read.
	for name, sub := range f.of.fields {
		i := slices.IndexFunc(kf.Of, func(x kind.Field) bool { return x.Name == name })
		if i < 0 || kf.Of[i].Type != sub.typ {
			delete(f.of.fields, name)
		}
	}
	return true
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

func fieldType(t kind.Type) *cel.Type {
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

func paramType(t directive.Type) *cel.Type {
	switch t {
	case directive.Int:
		return cel.IntType
	case directive.Number:
		return cel.DoubleType
	case directive.Bool:
		return cel.BoolType
	case directive.Duration:
		return cel.DurationType
	case directive.Date:
		return cel.TimestampType
	case directive.List:
		return stringList
	}
	return cel.StringType
}

var stringList = cel.ListType(cel.StringType)

// label is what a field is called for subjects of a kind.
func (f *field) label(kindID string) bilingual.Text {
	if l, ok := f.labels[kindID]; ok {
		return l
	}
	for _, l := range f.labels {
		return l
	}
	return bilingual.Text{}
}

// FindStructType implements types.Provider.
func (s *schema) FindStructType(name string) (*types.Type, bool) {
	switch name {
	case subjectType, declaredType, paramsType, answerType:
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	if _, ok := s.records[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return s.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (s *schema) FindStructFieldNames(name string) ([]string, bool) {
	if names := s.names(name); names != nil {
		return names, true
	}
	return s.Registry.FindStructFieldNames(name)
}

func (s *schema) names(typeName string) (names []string) {
	switch typeName {
	case subjectType, declaredType:
		for _, f := range s.fields {
			if typeName == subjectType || f.layers[0] {
				names = append(names, f.name)
			}
		}
	case paramsType:
		for _, p := range s.params {
			names = append(names, p.name)
		}
	case answerType:
		names = []string{"answer", "at"}
	}
	if r, ok := s.records[typeName]; ok {
		return r.names
	}
	return names
}

// FindStructFieldType implements types.Provider.
func (s *schema) FindStructFieldType(typeName, name string) (*types.FieldType, bool) {
	name, has := strings.CutPrefix(name, hasPrefix)
	ft := s.access(typeName, name, has)
	if ft == nil {
		return s.Registry.FindStructFieldType(typeName, name)
	}
	if has {
		ft.Type = cel.BoolType
	}
	ft.IsSet = func(any) bool { return true }
	return ft, true
}

func (s *schema) access(typeName, name string, has bool) *types.FieldType {
	switch typeName {
	case subjectType, declaredType:
		f, ok := s.byName[name]
		if !ok || typeName == declaredType && !f.layers[0] {
			return nil
		}
		declared := typeName == declaredType
		return &types.FieldType{Type: f.cel, GetFrom: func(o any) (any, error) {
			return o.(layer).e.cell(f, declared).read(has), nil
		}}
	case paramsType:
		p, ok := s.byParam[name]
		if !ok {
			return nil
		}
		return &types.FieldType{Type: p.cel, GetFrom: func(o any) (any, error) { return o.(layer).e.param(p).read(has), nil }}
	case answerType:
		t, ok := map[string]*cel.Type{"answer": cel.StringType, "at": cel.TimestampType}[name]
		if !ok || !s.record {
			return nil
		}
		return &types.FieldType{Type: t, GetFrom: func(o any) (any, error) { return o.(layer).e.answered().readAnswer(name, has), nil }}
	}
	if r, ok := s.records[typeName]; ok {
		sub, ok := r.fields[name]
		if !ok {
			return nil
		}
		return &types.FieldType{Type: sub.cel, GetFrom: func(o any) (any, error) {
			st := o.(*element).state(sub)
			return st.read(has), nil
		}}
	}
	return nil
}

// NewValue implements types.Provider; no object is ever built by a rule.
func (s *schema) NewValue(typeName string, fields map[string]ref.Val) ref.Val {
	if s.names(typeName) != nil {
		return types.NewErr("a rule cannot build a %s", typeName)
	}
	return s.Registry.NewValue(typeName, fields)
}
