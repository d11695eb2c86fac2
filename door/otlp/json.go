package otlp

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// The JSON form, as the specification of OTLP has it: names in camel case, IDs in
// hexadecimal, 64-bit numbers as numbers or texts.
type (
	jsonRequest struct {
		ResourceLogs []json.RawMessage `json:"resourceLogs"`
	}
	jsonResourceLogs struct {
		Resource struct {
			Attributes []jsonPair `json:"attributes"`
		} `json:"resource"`
		ScopeLogs []struct {
			Scope struct {
				Name string `json:"name"`
			} `json:"scope"`
			LogRecords []json.RawMessage `json:"logRecords"`
		} `json:"scopeLogs"`
	}
	jsonRecord struct {
		Time         number     `json:"timeUnixNano"`
		Observed     number     `json:"observedTimeUnixNano"`
		Severity     number     `json:"severityNumber"`
		SeverityText string     `json:"severityText"`
		Body         *jsonValue `json:"body"`
		Attributes   []jsonPair `json:"attributes"`
		Trace        string     `json:"traceId"`
		Span         string     `json:"spanId"`
		Name         string     `json:"eventName"`
	}
	jsonPair struct {
		Key   string     `json:"key"`
		Value *jsonValue `json:"value"`
	}
	jsonValue struct {
		String *string `json:"stringValue"`
		Bool   *bool   `json:"boolValue"`
		Int    number  `json:"intValue"`
		Double any     `json:"doubleValue"`
		Bytes  *string `json:"bytesValue"`
		Array  *struct {
			Values []*jsonValue `json:"values"`
		} `json:"arrayValue"`
		Object *struct {
			Values []jsonPair `json:"values"`
		} `json:"kvlistValue"`
	}
)

// number is a number, or a text with one.
type number string

func (n *number) UnmarshalJSON(b []byte) error {
	*n = number(strings.Trim(string(b), `"`))
	return nil
}

func (n number) uint() uint64 {
	v, _ := strconv.ParseUint(string(n), 10, 64)
	return v
}

// fromJSON reads the JSON form of an ExportLogsServiceRequest.
func (r *reader) fromJSON(body []byte) error {
	if r.parsed = 64 * int64(bytes.Count(body, []byte{','})+bytes.Count(body, []byte{'{'})); r.parsed > maxParsed {
		r.parsed = 0
		return errMany
	}
	if err := r.budget.Take(r.parsed); err != nil {
		r.parsed = 0
		return err
	}
	var request jsonRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return errJSON
	}
	for _, raw := range request.ResourceLogs {
		var logs jsonResourceLogs
		if err := json.Unmarshal(raw, &logs); err != nil {
			return errJSON
		}
		of := newOrigin(jsonPairs(logs.Resource.Attributes, 0))
		for _, scope := range logs.ScopeLogs {
			of.scope = scope.Scope.Name
			for _, raw := range scope.LogRecords {
				if err := r.jsonRecord(raw, of); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// jsonRecord takes a record; one that is wrong harms no other.
func (r *reader) jsonRecord(raw json.RawMessage, of origin) error {
	var j jsonRecord
	if len(raw) > maxRecord || json.Unmarshal(raw, &j) != nil {
		return r.reject()
	}
	severity, err := strconv.Atoi(string(j.Severity))
	if err != nil {
		severity = 0
	}
	return r.take(record{time: j.Time.uint(), observed: j.Observed.uint(), severity: severity, severityText: j.SeverityText,
		body: j.Body.value(0), attributes: jsonPairs(j.Attributes, 0), trace: j.Trace, span: j.Span, name: j.Name}, of)
}

func jsonPairs(in []jsonPair, depth int) pairs {
	out := make(pairs, len(in))
	for i, p := range in {
		out[i] = pair{p.Key, p.Value.value(depth)}
	}
	return out
}

func (j *jsonValue) value(depth int) value {
	switch {
	case j == nil:
		return value{}
	case depth > maxDepth:
		text, _ := json.Marshal(j)
		return value{kind: scalar, text: string(text)}
	case j.String != nil:
		return value{kind: scalar, text: *j.String}
	case j.Bool != nil:
		return value{kind: scalar, text: strconv.FormatBool(*j.Bool)}
	case j.Int != "":
		return value{kind: scalar, text: string(j.Int)}
	case j.Double != nil:
		text, _ := json.Marshal(j.Double)
		return value{kind: scalar, text: strings.Trim(string(text), `"`)}
	case j.Bytes != nil:
		return value{kind: scalar, text: *j.Bytes}
	case j.Array != nil:
		v := value{kind: list}
		for _, inner := range j.Array.Values {
			v.pairs = append(v.pairs, pair{"", inner.value(depth + 1)})
		}
		return v
	case j.Object != nil:
		return value{kind: object, pairs: jsonPairs(j.Object.Values, depth+1)}
	}
	return value{}
}

func jsonAnswer(rejected int) []byte {
	if rejected == 0 {
		return []byte("{}")
	}
	out, _ := json.Marshal(map[string]any{"partialSuccess": map[string]any{"rejectedLogRecords": strconv.Itoa(rejected), "errorMessage": rejectedText}})
	return out
}
