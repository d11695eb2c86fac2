package victorialogs

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kakusho/search"
)

// The columns of a row beside those of search.Row.Columns.
const (
	streamColumn = "kstream" // the only field of VictoriaLogs' own streams
	seqColumn    = "kseq"
	bucketColumn = "kseg"
)

// filter writes a query as a filter of LogsQL. Every value is quoted: nothing a
// person writes is read as LogsQL.
func filter(q search.Query) string {
	var b strings.Builder
	writeTime(&b, q.From, q.Until)
	if a := q.After; a.Stream != "" {
		// To the instant itself only by number; among equal numbers the caller looks.
		t := a.Time.UnixNano()
		fmt.Fprintf(&b, " (_time:<%s or (_time:[%s,%s] %s:<=%d))", stamp(t), stamp(t), stamp(t), seqColumn, a.Seq)
	}
	if q.Systems != nil {
		fmt.Fprintf(&b, " system:in(%s)", quoteAll(q.Systems))
	}
	if q.Expr != nil {
		b.WriteByte(' ')
		write(&b, q.Expr)
	}
	if b.Len() == 0 {
		return "*"
	}
	return b.String()
}

func writeTime(b *strings.Builder, from, until time.Time) {
	switch {
	case !from.IsZero() && !until.IsZero():
		fmt.Fprintf(b, "_time:[%s,%s)", stamp(from.UnixNano()), stamp(until.UnixNano()))
	case !from.IsZero():
		fmt.Fprintf(b, "_time:>=%s", stamp(from.UnixNano()))
	case !until.IsZero():
		fmt.Fprintf(b, "_time:<%s", stamp(until.UnixNano()))
	}
}

// stamp is an instant in whole nanoseconds; shorter forms mean a whole second.
func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z") }

func quote(s string) string { return strconv.Quote(s) }

func quoteAll(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = quote(search.Plain(v))
	}
	return strings.Join(out, ",")
}

func write(b *strings.Builder, e search.Expr) {
	switch e := e.(type) {
	case search.And:
		writeList(b, e, " ")
	case search.Or:
		if f, values, ok := sameField(e); ok {
			fmt.Fprintf(b, "%s:in(%s)", name(f.Column), quoteAll(values))
			return
		}
		writeList(b, e, " or ")
	case search.Not:
		b.WriteString("!(")
		write(b, e.Expr)
		b.WriteByte(')')
	case search.Phrase:
		b.WriteString(search.Words + ":" + quote(e.Tokens))
		if e.Prefix {
			b.WriteByte('*')
		}
	case search.Field:
		writeField(b, e)
	}
}

func writeList(b *strings.Builder, list []search.Expr, between string) {
	b.WriteByte('(')
	for i, e := range list {
		if i > 0 {
			b.WriteString(between)
		}
		write(b, e)
	}
	b.WriteByte(')')
}

// sameField recognises one field compared with several values.
func sameField(list search.Or) (f search.Field, values []string, ok bool) {
	for i, e := range list {
		g, is := e.(search.Field)
		if !is || g.Op != search.Equal || i > 0 && g.Column != f.Column {
			return f, nil, false
		}
		f = g
		values = append(values, g.Value)
	}
	return f, values, len(values) > 0
}

// name is a column as VictoriaLogs has it, quoted.
func name(column string) string {
	if column == "stream" {
		return streamColumn
	}
	return quote(column)
}

var signs = map[search.Op]string{search.Less: "<", search.AtMost: "<=", search.Greater: ">", search.AtLeast: ">="}

func writeField(b *strings.Builder, f search.Field) {
	n := name(f.Column)
	switch f.Op {
	case search.Equal:
		fmt.Fprintf(b, "%s:=%s", n, quote(f.Value))
	case search.Begins:
		fmt.Fprintf(b, "%s:=%s*", n, quote(f.Value))
	case search.Contains:
		fmt.Fprintf(b, "%s:*%s*", n, quote(f.Value))
	case search.Present:
		fmt.Fprintf(b, "%s:*", n)
	case search.In:
		fn := "ipv4_range"
		if strings.Contains(f.Value, ":") {
			fn = "ipv6_range"
		}
		fmt.Fprintf(b, "%s:%s(%s)", n, fn, quote(f.Value))
	default:
		fmt.Fprintf(b, "%s:%s%s", n, signs[f.Op], f.Value)
	}
}

// counting writes the pipe of a Stats.
func counting(s search.Stats) string {
	var by []string
	if s.Step > 0 {
		by = append(by, fmt.Sprintf("_time:%dns offset %dns", s.Step.Nanoseconds(), (9*time.Hour).Nanoseconds()))
	}
	for _, f := range s.By {
		by = append(by, name(search.Column(f)))
	}
	out := "| stats "
	if len(by) > 0 {
		out += "by (" + strings.Join(by, ", ") + ") "
	}
	out += "count() kcount"
	if s.Distinct != "" {
		out += ", count_uniq(" + name(search.Column(s.Distinct)) + ") kdistinct"
	}
	if len(by) == 0 {
		return out
	}
	order := "kcount desc"
	if s.Step > 0 {
		order = "_time"
	}
	return fmt.Sprintf("%s | sort by (%s) limit %d", out, order, most(s.Limit, 1000))
}

func most(limit, otherwise int) int {
	if limit <= 0 {
		return otherwise
	}
	return limit
}

// inOrder sorts groups as the contract says: among equal counts or times by keys.
func inOrder(groups []search.Group, byTime bool) {
	slices.SortFunc(groups, func(a, b search.Group) int {
		if byTime {
			if c := a.Time.Compare(b.Time); c != 0 {
				return c
			}
		} else if a.Count != b.Count {
			if a.Count > b.Count {
				return -1
			}
			return 1
		}
		return slices.Compare(a.Keys, b.Keys)
	})
}
