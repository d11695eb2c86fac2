package network

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Chain is one chain of nftables.
type Chain struct {
	Family string // ip, ip6, inet; others are not looked at
	Table  string
	Name   string
	Input  bool // hangs at the input hook
	Drop   bool // by policy
	Rules  []Rule
}

// Rule is what matters here of a rule: whether it is for everything, and what
// it then does.
type Rule struct {
	Always bool
	Do     string // accept, drop, jump, goto, return; "" goes on
	To     string // the chain to jump or go to
}

// judge finds what becomes of a packet that no rule with a condition speaks of.
func judge(chains []Chain) filter {
	by := map[[3]string]Chain{}
	for _, c := range chains {
		by[[3]string{c.Family, c.Table, c.Name}] = c
	}
	var f filter
	for _, c := range chains {
		if !c.Input {
			continue
		}
		end := outcome(by, c, 0)
		deny := end == "drop" || end == "" && c.Drop
		f = f.or(filter{
			len(c.Rules) > 0 || c.Drop,
			deny && c.Family != "ip6",
			deny && c.Family != "ip",
		})
	}
	return f
}

// outcome follows the rules for everything: accept, drop, or "" when the chain
// is left without either.
func outcome(by map[[3]string]Chain, c Chain, depth int) string {
	const deepest = 16 // as the kernel
	for _, r := range c.Rules {
		if !r.Always {
			continue
		}
		switch r.Do {
		case "accept", "drop":
			return r.Do
		case "return":
			return ""
		case "jump", "goto":
			if to, ok := by[[3]string{c.Family, c.Table, r.To}]; ok && depth < deepest {
				if end := outcome(by, to, depth+1); end != "" || r.Do == "goto" {
					return end
				}
			}
		}
	}
	return ""
}

// Numbers of the nftables netlink protocol (linux/netfilter/nf_tables.h).
const (
	newChain, getChain = unix.NFNL_SUBSYS_NFTABLES<<8 | 3, unix.NFNL_SUBSYS_NFTABLES<<8 | 4
	newRule, getRule   = unix.NFNL_SUBSYS_NFTABLES<<8 | 6, unix.NFNL_SUBSYS_NFTABLES<<8 | 7

	chainTable, chainName, chainHook, chainPolicy = 1, 3, 4, 5
	hookNumber, hookInput                         = 1, 1
	ruleTable, ruleChain, ruleExpressions         = 1, 2, 4
	exprName, exprData                            = 1, 2
	immediateData, dataVerdict                    = 2, 2
	verdictCode, verdictChain                     = 1, 2
	targetName                                    = 1
)

// kernelChains asks the kernel for every chain and rule.
func kernelChains() ([]Chain, error) {
	var dump []byte
	for _, kind := range []uint16{getChain, getRule} {
		b, err := ask(kind)
		if err != nil {
			return nil, err
		}
		dump = append(dump, b...)
	}
	return ParseDump(dump)
}

// ask dumps one kind of object over netlink.
func ask(kind uint16) ([]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil // a kernel without netfilter filters nothing
	}
	if err != nil {
		return nil, os.NewSyscallError("netlink netfilter", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(2 * time.Second / time.Second)}); err != nil {
		return nil, os.NewSyscallError("netlink netfilter", err)
	}
	msg := make([]byte, unix.SizeofNlMsghdr+4) // and struct nfgenmsg: every family
	binary.NativeEndian.PutUint32(msg, uint32(len(msg)))
	binary.NativeEndian.PutUint16(msg[4:], kind)
	binary.NativeEndian.PutUint16(msg[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("netlink netfilter", err)
	}
	var out []byte
	for b := make([]byte, 1<<17); len(out) < 64<<20; {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			return nil, os.NewSyscallError("netlink netfilter", err)
		}
		done, err := ended(b[:n])
		if err != nil {
			return nil, err
		}
		if out = append(out, b[:n]...); done {
			return out, nil
		}
	}
	return nil, errors.New("netlink netfilter: more than 64 MiB of rules")
}

// ended looks for the end of a dump and for the kernel's refusal.
func ended(b []byte) (bool, error) {
	done := false
	err := messages(b, func(kind uint16, body []byte) error {
		switch kind {
		case unix.NLMSG_DONE:
			done = true
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return errCut
			}
			errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
			if errno == unix.EINVAL { // no such subsystem: the kernel has no nftables
				done = true
				return nil
			}
			return os.NewSyscallError("netlink nf_tables", errno)
		}
		return nil
	})
	return done, err
}

var errCut = errors.New("netlink nf_tables: cut message")

// messages calls fn for each netlink message with what follows its header.
func messages(b []byte, fn func(kind uint16, body []byte) error) error {
	for len(b) > 0 {
		if len(b) < unix.SizeofNlMsghdr {
			return errCut
		}
		n := int(binary.NativeEndian.Uint32(b))
		if n < unix.SizeofNlMsghdr || n > len(b) {
			return errCut
		}
		if err := fn(binary.NativeEndian.Uint16(b[4:]), b[unix.SizeofNlMsghdr:n]); err != nil {
			return err
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}

// attributes calls fn for each attribute with its type and value.
func attributes(b []byte, fn func(kind uint16, v []byte) error) error {
	const head, flags = 4, 0xc000 // nested, byte order
	for len(b) >= head {
		n := int(binary.NativeEndian.Uint16(b))
		if n < head || n > len(b) {
			return errCut
		}
		if err := fn(binary.NativeEndian.Uint16(b[2:])&^flags, b[head:n]); err != nil {
			return err
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}

var families = map[byte]string{unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6"}

// ParseDump reads the kernel's messages about chains, then about rules.
func ParseDump(b []byte) ([]Chain, error) {
	var out []Chain
	at := map[[3]string]int{}
	err := messages(b, func(kind uint16, body []byte) error {
		if kind != newChain && kind != newRule {
			return nil
		}
		if len(body) < 4 {
			return errCut
		}
		family := families[body[0]]
		if family == "" {
			return nil
		}
		if kind == newChain {
			c, err := parseChain(body[4:])
			if err != nil {
				return err
			}
			c.Family = family
			at[[3]string{family, c.Table, c.Name}] = len(out)
			out = append(out, c)
			return nil
		}
		table, chain, r, err := parseRule(body[4:])
		if err != nil {
			return err
		}
		if i, ok := at[[3]string{family, table, chain}]; ok {
			out[i].Rules = append(out[i].Rules, r)
		}
		return nil
	})
	return out, err
}

func text(b []byte) string { return string(bytes.TrimRight(b, "\x00")) }

func number(b []byte) uint32 {
	if len(b) != 4 {
		return 1<<32 - 1
	}
	return binary.BigEndian.Uint32(b)
}

func parseChain(b []byte) (c Chain, err error) {
	err = attributes(b, func(kind uint16, v []byte) error {
		switch kind {
		case chainTable:
			c.Table = text(v)
		case chainName:
			c.Name = text(v)
		case chainPolicy:
			c.Drop = number(v) == 0
		case chainHook:
			return attributes(v, func(kind uint16, v []byte) error {
				c.Input = c.Input || kind == hookNumber && number(v) == hookInput
				return nil
			})
		}
		return nil
	})
	return c, err
}

func parseRule(b []byte) (table, chain string, r Rule, err error) {
	r.Always = true
	err = attributes(b, func(kind uint16, v []byte) error {
		switch kind {
		case ruleTable:
			table = text(v)
		case ruleChain:
			chain = text(v)
		case ruleExpressions:
			return attributes(v, func(_ uint16, v []byte) error { return r.expression(v) })
		}
		return nil
	})
	return table, chain, r, err
}

// expression takes one expression of a rule into account. Every one that is not
// known to let all packets pass is taken as a condition.
func (r *Rule) expression(b []byte) error {
	var name string
	var data []byte
	err := attributes(b, func(kind uint16, v []byte) error {
		switch kind {
		case exprName:
			name = text(v)
		case exprData:
			data = v
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch name {
	case "counter", "log", "notrack":
	case "reject":
		r.Do = "drop"
	case "immediate":
		return r.immediate(data)
	case "target": // of iptables-nft
		return attributes(data, func(kind uint16, v []byte) error {
			switch {
			case kind != targetName:
			case strings.HasPrefix(text(v), "REJECT"), text(v) == "DROP":
				r.Do = "drop"
			case text(v) != "LOG" && text(v) != "NFLOG":
				r.Always = false
			}
			return nil
		})
	default:
		r.Always = false
	}
	return nil
}

func (r *Rule) immediate(b []byte) error {
	return attributes(b, func(kind uint16, v []byte) error {
		if kind != immediateData {
			return nil
		}
		return attributes(v, func(kind uint16, v []byte) error {
			if kind != dataVerdict {
				return nil
			}
			return attributes(v, func(kind uint16, v []byte) error {
				switch kind {
				case verdictCode:
					r.Do = verdicts[int32(number(v))]
				case verdictChain:
					r.To = text(v)
				}
				return nil
			})
		})
	})
}

var verdicts = map[int32]string{0: "drop", 1: "accept", -3: "jump", -4: "goto", -5: "return"}

// ParseRuleset reads the text of an nftables rule set as far as chains, hooks,
// policies and rules for everything go, and what it includes.
func ParseRuleset(b []byte) (chains []Chain, includes []string) {
	var p ruleset
	for _, line := range strings.Split(string(b), "\n") {
		line, _, _ = strings.Cut(line, "#")
		for _, part := range strings.Split(line, ";") {
			p.statement(part)
		}
	}
	return p.chains, p.includes
}

type ruleset struct {
	chains        []Chain
	includes      []string
	family, table string
	depth         int // of braces; 1 in a table, 2 in a chain
	chain         int // index in chains while depth is 2, else -1
}

// statement reads the words between line ends, semicolons and the braces of
// tables and chains. Braces of sets stay part of their rule.
func (p *ruleset) statement(s string) {
	for {
		s = strings.TrimSpace(s)
		open := strings.IndexByte(s, '{')
		shut := strings.IndexByte(s, '}')
		w := strings.Fields(s)
		switch {
		case s == "":
			return
		case shut == 0:
			p.depth = max(p.depth-1, 0)
			s = s[1:]
		case p.depth < 2 && open >= 0:
			p.block(strings.Fields(s[:open]))
			s = s[open+1:]
		case p.depth == 2 && p.chain >= 0 && shut > 0 && (open < 0 || open > shut):
			p.rule(strings.Fields(s[:shut]))
			s = s[shut:]
		case p.depth > 2 && shut > 0 && (open < 0 || open > shut):
			s = s[shut:]
		case p.depth == 2 && p.chain >= 0:
			p.rule(w)
			p.depth += strings.Count(s, "{") - strings.Count(s, "}")
			return
		default:
			if w[0] == "include" && len(w) > 1 {
				p.includes = append(p.includes, strings.Trim(w[1], `"'`))
			}
			p.depth = max(p.depth+strings.Count(s, "{")-strings.Count(s, "}"), 0)
			return
		}
	}
}

func (p *ruleset) block(w []string) {
	p.depth++
	p.chain = -1
	switch {
	case len(w) >= 2 && w[0] == "table" && p.depth == 1:
		p.family, p.table = "ip", w[1]
		if len(w) > 2 {
			p.family, p.table = w[1], w[2]
		}
	case len(w) >= 2 && w[0] == "chain" && p.depth == 2:
		p.chain = len(p.chains)
		p.chains = append(p.chains, Chain{Family: p.family, Table: p.table, Name: w[1]})
	}
}

func (p *ruleset) rule(w []string) {
	if len(w) == 0 {
		return
	}
	c := &p.chains[p.chain]
	switch w[0] {
	case "type":
		c.Input = strings.Contains(strings.Join(w, " ")+" ", " hook input ")
		return
	case "policy":
		c.Drop = len(w) > 1 && w[1] == "drop"
		return
	case "comment":
		return
	}
	r := Rule{Always: true}
	for i := 0; i < len(w); i++ {
		switch w[i] {
		case "counter":
		case "packets", "bytes":
			i++
		case "accept", "return":
			r.Do = w[i]
		case "drop", "reject":
			r.Do = "drop"
			i = len(w) // "with icmpx …" follows
		case "jump", "goto":
			if r.Do = w[i]; i+1 < len(w) {
				r.To = w[i+1]
			}
			i = len(w)
		case "log":
			for i+1 < len(w) && !strings.Contains(" accept drop reject jump goto ", " "+w[i+1]+" ") {
				i++ // prefix, level and the like
			}
		case "comment":
			i = len(w)
		default:
			r.Always = false
		}
	}
	c.Rules = append(c.Rules, r)
}

// String is for messages of tests.
func (r Rule) String() string { return fmt.Sprintf("%v %s %s", r.Always, r.Do, r.To) }
