package decision

import (
	"fmt"
	"net/url"
	"strings"
)

// Condition is a control that must hold for a decision to count, under values of its own
// where it names any: "server/clock-offset?time.max_offset_ms.server=60000".
type Condition struct {
	Control string
	With    map[string]string // parameter → value as people write it; they go before what is determined
}

// ParseCondition reads a condition. It reads what String writes.
func ParseCondition(text string) (c Condition, err error) {
	control, query, _ := strings.Cut(text, "?")
	c.Control = control
	values, err := url.ParseQuery(query)
	if err != nil || control == "" || strings.ContainsAny(control, " \t\r\n") {
		return Condition{}, fmt.Errorf("read condition %q: want CONTROL or CONTROL?PARAMETER=VALUE", text)
	}
	for key, v := range values {
		if key == "" || len(v) != 1 || v[0] == "" {
			return Condition{}, fmt.Errorf("read condition %q: want one value of every parameter", text)
		}
		if c.With == nil {
			c.With = map[string]string{}
		}
		c.With[key] = v[0]
	}
	return c, nil
}

// String writes the condition; equal ones alike.
func (c Condition) String() string {
	values := url.Values{}
	for key, v := range c.With {
		values.Set(key, v)
	}
	if len(values) == 0 {
		return c.Control
	}
	return c.Control + "?" + values.Encode()
}
