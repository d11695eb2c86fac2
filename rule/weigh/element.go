package weigh

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"kakusho/rule"
)

// element is one record of a list. A field that the record lacks is unknown; one that
// it has without a value is absent: whoever entered the record left it blank.
type element struct {
	of     *rule.Record
	fields map[string]any
}

func (r *element) state(sub *rule.Field) State {
	raw, there := r.fields[sub.Name]
	if raw == nil && there {
		return State{Code: Absent, Detail: "left blank"}
	}
	if raw == nil {
		return State{Code: Missing, Detail: "the record does not say"}
	}
	st := State{Raw: raw}
	var err string
	if st.val, err = toValue(r.of.Schema, raw, sub); err != "" {
		st.Code, st.Detail = Failed, err
	}
	return st
}

// Read implements rule.Element.
func (r *element) Read(sub *rule.Field, has bool) ref.Val {
	st := r.state(sub)
	return st.read(has)
}

// ConvertToNative implements ref.Val.
func (r *element) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a record cannot be converted to %v", t)
}

// ConvertToType implements ref.Val.
func (r *element) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a record cannot be converted to %s", t.TypeName())
}

// Equal implements ref.Val.
func (r *element) Equal(other ref.Val) ref.Val {
	o, ok := other.(*element)
	return types.Bool(ok && o == r)
}

// Type implements ref.Val.
func (r *element) Type() ref.Type { return types.NewObjectType(r.of.TypeName) }

// Value implements ref.Val: package weigh itself knows how to read a record.
func (r *element) Value() any { return r }

// Record is the element as it was collected, when v is one.
func Record(v ref.Val) (map[string]any, bool) {
	r, ok := v.(*element)
	if !ok {
		return nil, false
	}
	return r.fields, true
}
