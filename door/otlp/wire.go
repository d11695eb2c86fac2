package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

var errWire = errors.New("not the protobuf message that was expected")

// each calls f with the fields of a message. Numbers come as n, the rest as b.
func each(message []byte, f func(field protowire.Number, n uint64, b []byte) error) error {
	for len(message) > 0 {
		field, kind, k := protowire.ConsumeTag(message)
		if k < 0 {
			return errWire
		}
		message = message[k:]
		var n uint64
		var b []byte
		switch kind {
		case protowire.VarintType:
			n, k = protowire.ConsumeVarint(message)
		case protowire.Fixed64Type:
			n, k = protowire.ConsumeFixed64(message)
		case protowire.Fixed32Type:
			var small uint32
			small, k = protowire.ConsumeFixed32(message)
			n = uint64(small)
		case protowire.BytesType:
			b, k = protowire.ConsumeBytes(message)
		default:
			k = protowire.ConsumeFieldValue(field, kind, message)
		}
		if k < 0 {
			return errWire
		}
		message = message[k:]
		if err := f(field, n, b); err != nil {
			return err
		}
	}
	return nil
}

// fromWire reads an ExportLogsServiceRequest.
func (r *reader) fromWire(message []byte) error {
	return each(message, func(field protowire.Number, _ uint64, b []byte) error {
		if field != 1 {
			return nil
		}
		return r.resourceLogs(b)
	})
}

func (r *reader) resourceLogs(message []byte) error {
	var resource pairs
	left := values(maxValues)
	err := each(message, func(field protowire.Number, _ uint64, b []byte) error { // the resource, wherever it stands
		switch {
		case field != 1:
			return nil
		case len(b) > maxRecord:
			return errMany
		}
		return each(b, func(field protowire.Number, _ uint64, b []byte) error {
			return resource.add(field, 1, b, &left)
		})
	})
	if err != nil {
		return err
	}
	of := newOrigin(resource)
	return each(message, func(field protowire.Number, _ uint64, b []byte) error {
		if field != 2 {
			return nil
		}
		return r.scopeLogs(b, of)
	})
}

func (r *reader) scopeLogs(message []byte, of origin) error {
	err := each(message, func(field protowire.Number, _ uint64, b []byte) error {
		if field != 1 {
			return nil
		}
		return each(b, func(field protowire.Number, _ uint64, b []byte) error {
			if field == 1 {
				of.scope = text(b)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return each(message, func(field protowire.Number, _ uint64, b []byte) error {
		if field != 2 {
			return nil
		}
		if len(b) > maxRecord {
			return r.reject()
		}
		l, err := wireRecord(b)
		if errors.Is(err, errMany) {
			return r.reject()
		}
		if err != nil {
			return err
		}
		return r.take(l, of)
	})
}

func wireRecord(message []byte) (record, error) {
	var l record
	left := values(maxValues)
	err := each(message, func(field protowire.Number, n uint64, b []byte) (err error) {
		switch field {
		case 1:
			l.time = n
		case 2:
			l.severity = int(int32(n))
		case 3:
			l.severityText = text(b)
		case 5:
			l.body, err = wireValue(b, 0, &left)
		case 6:
			err = l.attributes.add(6, 6, b, &left)
		case 9:
			l.trace = hex.EncodeToString(b)
		case 10:
			l.span = hex.EncodeToString(b)
		case 11:
			l.observed = n
		case 12:
			l.name = text(b)
		}
		return err
	})
	return l, err
}

// add takes a KeyValue, when the field is the one that holds them.
func (p *pairs) add(field, want protowire.Number, message []byte, left *values) error {
	if field != want {
		return nil
	}
	kv, err := wirePair(message, 0, left)
	*p = append(*p, kv)
	return err
}

func wirePair(message []byte, depth int, left *values) (kv pair, err error) {
	if *left--; *left < 0 {
		return kv, errMany
	}
	err = each(message, func(field protowire.Number, _ uint64, b []byte) (err error) {
		switch field {
		case 1:
			kv.name = text(b)
		case 2:
			kv.value, err = wireValue(b, depth, left)
		}
		return err
	})
	return kv, err
}

// values are how many a record may still have: one of two bytes takes a hundred in memory.
type values int

// wireValue reads an AnyValue. What is deeper than maxDepth stays as its bytes.
func wireValue(message []byte, depth int, left *values) (value, error) {
	if *left--; *left < 0 {
		return value{}, errMany
	}
	v := value{kind: empty}
	if depth > maxDepth {
		return value{kind: scalar, text: base64.StdEncoding.EncodeToString(message)}, nil
	}
	err := each(message, func(field protowire.Number, n uint64, b []byte) error {
		switch field {
		case 1:
			v = value{kind: scalar, text: text(b)}
		case 2:
			v = value{kind: scalar, text: strconv.FormatBool(n != 0)}
		case 3:
			v = value{kind: scalar, text: strconv.FormatInt(int64(n), 10)}
		case 4:
			v = value{kind: scalar, text: strconv.FormatFloat(math.Float64frombits(n), 'g', -1, 64)}
		case 5:
			v = value{kind: list}
			return each(b, func(field protowire.Number, _ uint64, b []byte) error {
				inner, err := wireValue(b, depth+1, left)
				v.pairs = append(v.pairs, pair{"", inner})
				return err
			})
		case 6:
			v = value{kind: object}
			return each(b, func(field protowire.Number, _ uint64, b []byte) error {
				kv, err := wirePair(b, depth+1, left)
				v.pairs = append(v.pairs, kv)
				return err
			})
		case 7:
			v = value{kind: scalar, text: base64.StdEncoding.EncodeToString(b)}
		}
		return nil
	})
	return v, err
}

// wireAnswer is an ExportLogsServiceResponse.
func wireAnswer(rejected int) []byte {
	if rejected == 0 {
		return nil
	}
	var partial []byte
	partial = protowire.AppendTag(partial, 1, protowire.VarintType)
	partial = protowire.AppendVarint(partial, uint64(rejected))
	partial = protowire.AppendTag(partial, 2, protowire.BytesType)
	partial = protowire.AppendString(partial, rejectedText)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
}

// wireStatus is a google.rpc.Status. With again, it carries the RetryInfo without
// which a client must not try again.
func wireStatus(code int, message string, again bool) []byte {
	var out []byte
	out = protowire.AppendTag(out, 1, protowire.VarintType)
	out = protowire.AppendVarint(out, uint64(code))
	out = protowire.AppendTag(out, 2, protowire.BytesType)
	out = protowire.AppendString(out, message)
	if again {
		seconds := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), retrySeconds)
		info := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), seconds)
		any := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "type.googleapis.com/google.rpc.RetryInfo")
		any = protowire.AppendBytes(protowire.AppendTag(any, 2, protowire.BytesType), info)
		out = protowire.AppendBytes(protowire.AppendTag(out, 3, protowire.BytesType), any)
	}
	return out
}
