package peers

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"kakusho/directive"
	"kakusho/fact"
	"kakusho/judge"
	"kakusho/judge/fleet"
)

//go:embed policy.rego
var policy string

// OPA is a prepared query over the policy: which controls a machine violates.
type OPA struct {
	query  rego.PreparedEvalQuery
	fields []string // that the controls read
}

// NewOPA prepares the query.
func NewOPA(ctx context.Context, fields []string) (*OPA, error) {
	q, err := rego.New(rego.Query("data.kakusho.deny"), rego.Module("policy.rego", policy)).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare policy: %w", err)
	}
	return &OPA{q, fields}, nil
}

// Prepare makes OPA's own form of a subject, so that no conversion is timed.
// What is not known, or no longer, is left out.
func (o *OPA) Prepare(s fleet.Subject, v directive.Values, at time.Time) (ast.Value, error) {
	in := map[string]any{"now": at.UnixMilli()}
	for _, cells := range []map[string]judge.Cell{s.Declared, s.Facts} {
		for name, c := range cells {
			if !slices.Contains(o.fields, name) || c.Fact.Status != fact.Observed {
				continue
			}
			limit, _ := v[c.Fresh].Value.(time.Duration)
			if c.Fresh == "" || at.Before(c.ObservedAt.Add(limit)) {
				in[name] = plain(c.Fact.Value)
			}
		}
	}
	p := map[string]any{}
	for key, x := range v {
		p[strings.ReplaceAll(key, ".", "_")] = plain(x.Value)
	}
	in["p"] = p
	return ast.InterfaceToValue(in)
}

// plain is a value as JSON has it; lengths and instants become milliseconds.
func plain(v any) any {
	switch x := v.(type) {
	case time.Time:
		return x.UnixMilli()
	case time.Duration:
		return float64(x) / 1e6
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = plain(e)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			out[k] = plain(e)
		}
		return out
	}
	return v
}

// Deny lists the controls that OPA says are violated.
func (o *OPA) Deny(ctx context.Context, input ast.Value) ([]string, error) {
	rs, err := o.query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil || len(rs) != 1 {
		return nil, fmt.Errorf("evaluate policy: %w", err)
	}
	var out []string
	list, _ := rs[0].Expressions[0].Value.([]any)
	for _, e := range list {
		out = append(out, text(e))
	}
	return out, nil
}
