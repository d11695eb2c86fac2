package control

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"kakusho/kind"
)

func check(f kind.Field, v any) (any, error) {
	bad := func() (any, error) { return nil, fmt.Errorf("field %s: %v (%T) is no %s", f.Name, v, v, f.Type) }
	if v == nil {
		return nil, nil
	}
	switch f.Type {
	case kind.String, kind.Text, kind.Enum, kind.Ref:
		if s, ok := v.(string); ok {
			return s, nil
		}
		return bad()
	case kind.Int:
		switch x := v.(type) {
		case int:
			return int64(x), nil
		case int64:
			return x, nil
		case float64:
			if x == math.Trunc(x) {
				return int64(x), nil
			}
		}
		return bad()
	case kind.Number:
		switch x := v.(type) {
		case int:
			return float64(x), nil
		case float64:
			return x, nil
		}
		return bad()
	case kind.Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return bad()
	case kind.Time, kind.Date:
		if t, ok := v.(time.Time); ok {
			return t, nil
		}
		s, _ := v.(string)
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t, nil
		}
		if t, err := time.ParseInLocation(time.DateOnly, s, time.FixedZone("JST", 9*3600)); err == nil {
			return t, nil
		}
		return bad()
	case kind.Duration:
		if d, ok := v.(time.Duration); ok {
			return d, nil
		}
		s, _ := v.(string)
		if n, ok := strings.CutSuffix(s, "d"); ok {
			if i, err := strconv.Atoi(n); err == nil {
				return time.Duration(i) * 24 * time.Hour, nil
			}
		}
		if d, err := time.ParseDuration(s); err == nil {
			return d, nil
		}
		return bad()
	case kind.List:
		list, ok := v.([]any)
		if !ok {
			return bad()
		}
		out := make([]any, len(list))
		for i, e := range list {
			if len(f.Of) == 0 {
				s, ok := e.(string)
				if !ok {
					return bad()
				}
				out[i] = s
				continue
			}
			m, ok := e.(map[string]any)
			if !ok {
				return bad()
			}
			rec := map[string]any{}
			for k, x := range m {
				found := false
				for _, sub := range f.Of {
					if sub.Name == k {
						y, err := check(sub, x)
						if err != nil {
							return nil, err
						}
						rec[k], found = y, true
					}
				}
				if !found {
					return nil, fmt.Errorf("field %s has no %s", f.Name, k)
				}
			}
			out[i] = rec
		}
		return out, nil
	}
	return bad()
}
