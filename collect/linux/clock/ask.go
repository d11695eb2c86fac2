package clock

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/facebook/time/ntp/chrony"

	"kakusho/collect"
	"kakusho/fact"
)

var errNotLive = errors.New("not live: the time service was not asked")

// patience is how long a daemon on the same host may take to answer.
const patience = 2 * time.Second

func dial(ctx context.Context, h collect.Host, addr string) (net.Conn, error) {
	conn, err := h.Dial(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	if at, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(at)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// localClock is chronyd's reference when it follows nobody but itself.
const localClock = 0x7f7f0101

// askChrony asks chronyd over UDP, where it answers anyone on the host. Its Unix
// socket is not tried: one must leave a file beside it to get an answer.
func askChrony(ctx context.Context, h collect.Host, l *collect.Look) (state, error) {
	if h.Dial == nil {
		return state{}, errNotLive
	}
	c, err := chronyConf(l)
	if err != nil && !collect.Missing(err) {
		return state{}, err
	}
	port, host := "323", "127.0.0.1"
	switch {
	case c.Port == 0:
		return state{}, errors.New("not told: chronyd's command port is closed (cmdport 0)")
	case c.Port > 0:
		port = strconv.Itoa(c.Port)
	}
	if ip := net.ParseIP(c.Address); ip != nil && !ip.IsUnspecified() {
		host = c.Address
	}
	addr := net.JoinHostPort(host, port)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dial(ctx, h, addr)
	if err != nil {
		return state{}, fmt.Errorf("ask chronyd: %w", err)
	}
	defer conn.Close()
	client := chrony.Client{Connection: conn}
	answer, err := client.Communicate(chrony.NewTrackingPacket())
	if err != nil {
		return state{}, fmt.Errorf("ask chronyd: %w", err)
	}
	t, ok := answer.(*chrony.ReplyTracking)
	if !ok {
		return state{}, fmt.Errorf("ask chronyd: answer of type %T", answer)
	}
	return tracked(t.Tracking, addr)
}

func tracked(t chrony.Tracking, addr string) (state, error) {
	const unsynchronised = 3
	d := seconds(t.CurrentCorrection)
	st := state{
		synchronized: t.LeapStatus != unsynchronised && t.RefID != 0 && t.RefID != localClock,
		stratum:      int(t.Stratum), source: fact.Source{Kind: "socket", Ref: "udp " + addr},
	}
	if st.synchronized {
		st.offset, st.last = &d, t.RefTime.UTC()
	}
	return st, nil
}

// seconds is exact to a nanosecond as far as a duration goes, and holds at its
// ends beyond.
func seconds(f float64) time.Duration {
	const most = 9e9
	return time.Duration(max(min(f, most), -most) * float64(time.Second))
}

// askNTPD asks for ntpd's system variables. openntpd has no such door and does
// not answer.
func askNTPD(ctx context.Context, h collect.Host, _ *collect.Look) (state, error) {
	if h.Dial == nil {
		return state{}, errNotLive
	}
	const addr = "127.0.0.1:123"
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dial(ctx, h, addr)
	if err != nil {
		return state{}, fmt.Errorf("ask ntpd: %w", err)
	}
	defer conn.Close()
	vars, err := readVariables(conn)
	if err != nil {
		return state{}, fmt.Errorf("ask ntpd: %w", err)
	}
	st := variables(vars)
	st.source = fact.Source{Kind: "socket", Ref: "udp " + addr}
	return st, nil
}

const (
	controlMode = 6
	readVars    = 2
	sequence    = 1
	headerSize  = 12
	mostParts   = 64
)

func readVariables(conn net.Conn) (map[string]string, error) {
	// Version 2, mode 6, operation "read variables", of the system itself.
	ask := make([]byte, headerSize)
	ask[0], ask[1] = 2<<3|controlMode, readVars
	binary.BigEndian.PutUint16(ask[2:], sequence)
	if _, err := conn.Write(ask); err != nil {
		return nil, err
	}
	var parts [][]byte
	for range mostParts {
		b := make([]byte, 1500)
		n, err := conn.Read(b)
		if err != nil {
			return nil, err
		}
		parts = append(parts, b[:n])
		text, err := ParseControl(parts)
		if err == nil {
			return ParseVariables(text), nil
		}
		if !errors.Is(err, ErrMore) {
			return nil, err
		}
	}
	return nil, errors.New("answer in too many parts")
}

// ErrMore says that parts of an answer are still missing.
var ErrMore = errors.New("more parts to come")

// ParseControl joins the packets of one answer to a mode 6 question (RFC 9327),
// in whatever order they came.
func ParseControl(parts [][]byte) (string, error) {
	const response, failure, more = 0x80, 0x40, 0x20
	data := map[int][]byte{}
	total := -1
	for _, p := range parts {
		if len(p) < headerSize || p[0]&7 != controlMode || p[1]&response == 0 || p[1]&0x1f != readVars {
			return "", errors.New("no answer of mode 6")
		}
		if p[1]&failure != 0 {
			return "", fmt.Errorf("refused with status %#x", binary.BigEndian.Uint16(p[4:]))
		}
		at, n := int(binary.BigEndian.Uint16(p[8:])), int(binary.BigEndian.Uint16(p[10:]))
		if n > len(p)-headerSize {
			return "", errors.New("cut answer")
		}
		if data[at] = p[headerSize : headerSize+n]; p[1]&more == 0 {
			total = at + n
		}
	}
	var b strings.Builder
	for b.Len() < total {
		d, ok := data[b.Len()]
		if !ok || len(d) == 0 {
			return "", ErrMore
		}
		b.Write(d)
	}
	if total < 0 {
		return "", ErrMore
	}
	return b.String(), nil
}

// ParseVariables reads `leap=0, stratum=2, version="ntpd 4.2"`.
func ParseVariables(s string) map[string]string {
	out := map[string]string{}
	for s != "" {
		key, rest, _ := strings.Cut(s, "=")
		end := strings.IndexByte(rest, ',')
		if strings.HasPrefix(rest, `"`) {
			if q := strings.IndexByte(rest[1:], '"'); q >= 0 {
				end = strings.IndexByte(rest[q+1:], ',')
				if end >= 0 {
					end += q + 1
				}
			}
		}
		value := rest
		if s = ""; end >= 0 {
			value, s = rest[:end], rest[end+1:]
		}
		if key = strings.TrimSpace(key); key != "" {
			out[key] = strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return out
}

func variables(v map[string]string) state {
	const unsynchronised = 16
	st := state{stratum: -1}
	if n, err := strconv.Atoi(v["stratum"]); err == nil && n >= 0 {
		st.stratum = n
	}
	local := strings.HasPrefix(v["refid"], "LOC") || v["refid"] == "127.127.1.0"
	st.synchronized = v["leap"] != "" && v["leap"] != "3" && v["leap"] != "11" && st.stratum >= 0 && st.stratum < unsynchronised && !local
	if !st.synchronized {
		return st
	}
	if ms, err := strconv.ParseFloat(v["offset"], 64); err == nil && !math.IsNaN(ms) {
		d := seconds(ms / 1000)
		st.offset = &d
	}
	whole, _, _ := strings.Cut(strings.TrimPrefix(v["reftime"], "0x"), ".")
	if n, err := strconv.ParseUint(whole, 16, 32); err == nil && n > 0 {
		const since1900 = 2_208_988_800
		st.last = time.Unix(int64(n)-since1900, 0).UTC()
	}
	return st
}
