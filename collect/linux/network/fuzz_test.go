package network_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"kakusho/collect/linux/network"
)

func FuzzParseDump(f *testing.F) {
	f.Add([]byte{24, 0, 0, 0, 3, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 8, 0, 3, 0})
	b, _ := hex.DecodeString("20000000060a000000000000000000000200000008000400040001000800010061")
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		cs, err := network.ParseDump(b)
		for _, c := range cs {
			if err == nil && c.Family == "" {
				t.Errorf("chain without a family: %+v", c)
			}
		}
	})
}

func FuzzParseRuleset(f *testing.F) {
	for _, r := range rulesets {
		f.Add(r.rules)
	}
	f.Add("table{chain{}}}}} table a { chain b { type filter hook input; policy drop; x { y } } }")
	f.Fuzz(func(t *testing.T, s string) {
		cs, _ := network.ParseRuleset([]byte(s))
		if n := strings.Count(s, "chain"); len(cs) > n {
			t.Errorf("%d chains from %d words", len(cs), n)
		}
	})
}

func FuzzParseTable(f *testing.F) {
	f.Add(make([]byte, 84), make([]byte, 400))
	f.Fuzz(func(t *testing.T, info, entries []byte) {
		for _, parse := range []func(a, b []byte) (bool, bool, error){network.ParseTable4, network.ParseTable6} {
			if active, deny, err := parse(info, entries); err == nil && deny && !active {
				t.Error("denies without filtering")
			}
		}
	})
}

func FuzzParseText(f *testing.F) {
	f.Add([]byte("*filter\n:INPUT DROP\n-A INPUT -j\n"))
	f.Add([]byte("service telnet\n{\n disable = no\n}\n}\n"))
	f.Add([]byte("agentaddress udp:[::1]:161\nrocommunity a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if active, deny := network.ParseSaved(b); deny && !active {
			t.Error("denies without filtering")
		}
		for _, s := range append(network.ParseInetd(b), network.ParseXinetd(b)...) {
			if s.Line < 1 || s.Name == "" && strings.Contains(string(b), "\x00") {
				t.Errorf("got %+v", s)
			}
		}
		network.ParseSNMP(b)
		network.ParseResolv(b)
		network.HasDefault4(b)
		network.HasDefault6(b)
	})
}
