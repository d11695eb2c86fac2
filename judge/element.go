package judge

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// element is one record of a list. A field that the record lacks is unknown, one
// that is null is absent.
type element struct {
	of     *record
	fields map[string]any
}

func (r *element) state(sub *field) state {
	raw, ok := r.fields[sub.name]
	switch {
	case !ok:
		return state{code: codeMissing, detail: "the record does not say"}
	case raw == nil:
		return state{code: codeAbsent}
	}
	st := state{raw: raw}
	var err string
	if st.val, err = toValue(r.of.adapter, raw, sub); err != "" {
		st.code, st.detail = codeError, err
	}
	return st
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
func (r *element) Type() ref.Type { return types.NewObjectType(r.of.typeName) }

// Value implements ref.Val: package judge itself knows how to read a record.
func (r *element) Value() any { return r }
