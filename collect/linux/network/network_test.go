package network_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kakusho/collect/fixture"
	"kakusho/collect/linux/network"
	"kakusho/fact"
)

const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func tcp(lines ...string) string {
	s := "-- proc/net/tcp --\n" + head
	for i, l := range lines {
		w := strings.Fields(l) // address:port uid inode
		s += fmt.Sprintf("%4d: %s 00000000:0000 0A 00000000:00000000 00:00000000 00000000 %s 0 %s 1 0 100 0 0 10 0\n", i, w[0], w[1], w[2])
	}
	return s
}

const base = `
-- etc/systemd/system/x.wants/ --
-- etc/passwd --
root:x:0:0:root:/root:/bin/bash
postgres:x:101:104::/:/bin/sh
-- proc/1/comm --
systemd
-- proc/55/comm --
postgres
-- proc/55/exe -> /usr/lib/postgresql/15/bin/postgres --
-- proc/55/fd/5 -> socket:[777] --
-- proc/56/comm --
postgres
-- proc/56/fd/5 -> socket:[777] --
`

func TestListeners(t *testing.T) {
	f := fixture.Collect(t, fixture.Host(t, base, tcp("0100007F:1538 101 777", "00000000:0050 33 888")), network.Collector())["listeners"]
	got := fmt.Sprint(f.Value)
	want := "[map[address:127.0.0.1 exe:/usr/lib/postgresql/15/bin/postgres loopback:true port:5432 process:postgres proto:tcp user:postgres] " +
		"map[address:0.0.0.0 loopback:false port:80 proto:tcp user:33]]"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if f := fixture.Collect(t, fixture.Host(t, base), network.Collector())["listeners"]; f.Status != fact.Error {
		t.Errorf("no table at all: got %s, want error", f.Status)
	}
}

func list(f fact.Fact) string {
	l, _ := f.Value.([]any)
	var out []string
	for _, e := range l {
		out = append(out, fmt.Sprint(e))
	}
	return strings.Join(out, " | ")
}

func TestClearTextServices(t *testing.T) {
	for _, c := range []struct{ name, host, want string }{
		{"none", tcp("00000000:0016 0 1"), ""},
		{"telnet listens", tcp("00000000:0017 0 777"), "telnet: tcp 0.0.0.0:23 (postgres)"},
		{"telnet listens for this host only", tcp("0100007F:0017 0 1"), ""},
		{"ssh on telnet's port", "-- proc/60/comm --\nsshd\n-- proc/60/fd/3 -> socket:[9] --\n" + tcp("00000000:0017 0 9"), ""},
		{"tftp is UDP", "-- proc/net/udp --\n" + head + "1: 00000000:0045 00000000:0000 07 0:0 0:0 0 0 0 5\n" + tcp("00000000:0045 0 1"), "tftp: udp 0.0.0.0:69"},
		{"inetd starts telnet and rsh", "-- etc/inetd.conf --\n#ftp stream tcp nowait root x x\ntelnet stream tcp nowait root /usr/sbin/tcpd telnetd\n10.0.0.1:shell stream tcp nowait root x x\ndaytime stream tcp nowait root internal\n", "rsh: /etc/inetd.conf:3 | telnet: /etc/inetd.conf:2"},
		{"xinetd, one of two is off", "-- etc/xinetd.d/a --\nservice tftp\n{\n disable = yes\n}\n-- etc/xinetd.d/b --\nservice login\n{\n disable = no\n}\n", "rlogin: /etc/xinetd.d/b:1"},
		{"a socket unit", "-- etc/systemd/system/sockets.target.wants/telnet.socket -> /x --\n", "telnet: /etc/systemd/system/sockets.target.wants/telnet.socket"},
		{"ypserv", "-- etc/systemd/system/multi-user.target.wants/ypserv.service -> /x --\n", "nis: /etc/systemd/system/multi-user.target.wants/ypserv.service"},
		{"plain ftp", "-- etc/systemd/system/multi-user.target.wants/vsftpd.service -> /x --\n-- etc/vsftpd.conf --\nssl_enable=NO\n", "ftp: /etc/systemd/system/multi-user.target.wants/vsftpd.service"},
		{"ftp that insists on TLS", "-- etc/systemd/system/multi-user.target.wants/vsftpd.service -> /x --\n-- etc/vsftpd.conf --\nssl_enable=YES\nanonymous_enable=NO\n", ""},
		{"SNMP by community", "-- etc/snmp/snmpd.conf --\nrocommunity s3cret 10.0.0.0/8\nrouser admin priv\n", "snmp v1/v2c: /etc/snmp/snmpd.conf:1"},
		{"SNMP for this host only", "-- etc/snmp/snmpd.conf --\nagentaddress 127.0.0.1,[::1]\nrocommunity s3cret\n", ""},
		{"SNMP version 3", "-- etc/snmp/snmpd.conf --\nrouser admin priv\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fixture.Collect(t, fixture.Host(t, base, c.host), network.Collector())["insecure_services"]
			if got := list(f); f.Status != fact.Observed || got != c.want {
				t.Errorf("got %s %q (%s), want %q", f.Status, got, f.Reason, c.want)
			}
		})
	}
}

func TestUnreadableSettingsMakeItAPart(t *testing.T) {
	fixture.AsNobody(t)
	h := fixture.Host(t, base, "-- etc/inetd.conf --\ntelnet stream tcp nowait root x x\n-- etc/snmp/snmpd.conf --\nx\n")
	if err := os.Chmod(filepath.Join(h.Root, "etc/snmp/snmpd.conf"), 0); err != nil {
		t.Fatal(err)
	}
	f := fixture.Collect(t, h, network.Collector())["insecure_services"]
	if f.Status != fact.Truncated || list(f) != "telnet: /etc/inetd.conf:1" || !strings.Contains(f.Reason, "permission") {
		t.Errorf("got %s %q (%s)", f.Status, list(f), f.Reason)
	}
}

func TestConfiguredFirewall(t *testing.T) {
	enabled := func(unit string) string {
		return "-- etc/systemd/system/multi-user.target.wants/" + unit + " -> /x --\n"
	}
	one4 := "-- proc/net/if_inet6 --\n00000000000000000000000000000001 01 80 10 80 lo\n"
	for _, c := range []struct{ name, host, want string }{
		{"none", base, "false false"},
		{"no system at all", "-- etc/passwd --\n", "error error"},
		{"ufw on", enabled("ufw.service") + "-- etc/ufw/ufw.conf --\nENABLED=yes\n-- etc/default/ufw --\nIPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\n", "true true"},
		{"ufw off", base + enabled("ufw.service") + "-- etc/ufw/ufw.conf --\nENABLED=no\n", "false false"},
		{"ufw for IPv4 only on a host with IPv6", enabled("ufw.service") + "-- etc/ufw/ufw.conf --\nENABLED=yes\n-- etc/default/ufw --\nIPV6=no\nDEFAULT_INPUT_POLICY=\"DROP\"\n", "true false"},
		{"ufw for IPv4 only on a host without IPv6", one4 + enabled("ufw.service") + "-- etc/ufw/ufw.conf --\nENABLED=yes\n-- etc/default/ufw --\nIPV6=no\nDEFAULT_INPUT_POLICY=\"DROP\"\n", "true true"},
		{"firewalld's public zone", enabled("firewalld.service") + "-- usr/lib/firewalld/zones/public.xml --\n<zone><short>x</short></zone>\n", "true true"},
		{"firewalld's trusted zone", enabled("firewalld.service") + "-- etc/firewalld/firewalld.conf --\nDefaultZone=trusted\n-- usr/lib/firewalld/zones/trusted.xml --\n<?xml version=\"1.0\"?><zone target=\"ACCEPT\"/>\n", "true false"},
		{"firewalld with a zone that is not there", enabled("firewalld.service"), "error error"},
		{"nftables that drops", enabled("nftables.service") + "-- etc/nftables.conf --\n" + dropping, "true true"},
		{"nftables that accepts", enabled("nftables.service") + "-- etc/nftables.conf --\n" + strings.Replace(dropping, "policy drop", "policy accept", 1), "true false"},
		{"nftables in an included file", enabled("nftables.service") + "-- etc/nftables.conf --\nflush ruleset\ninclude \"/etc/nftables.d/*.nft\"\n-- etc/nftables.d/a.nft --\n" + dropping, "true true"},
		{"nftables as Debian ships it", base + enabled("nftables.service") + "-- etc/nftables.conf --\n#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter;\n\t}\n}\n", "false false"},
		{"nftables not enabled", base + "-- etc/nftables.conf --\n" + dropping, "false false"},
		{"iptables-save, by policy", one4 + enabled("netfilter-persistent.service") + "-- etc/iptables/rules.v4 --\n*nat\n:INPUT ACCEPT [0:0]\n*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n", "true true"},
		{"iptables-save, by last rule", one4 + enabled("iptables.service") + "-- etc/sysconfig/iptables --\n*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\nCOMMIT\n", "true true"},
		{"iptables-save that lets all in first", one4 + enabled("iptables.service") + "-- etc/sysconfig/iptables --\n*filter\n:INPUT DROP [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n", "true false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := filters(fixture.Collect(t, fixture.Host(t, c.host), network.Collector())); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

const dropping = `table inet filter {
	set allowed { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 } }
	chain input {
		type filter hook input priority 0; policy drop;
		ct state { established, related } accept
		iif lo accept; tcp dport { 22, 443 } accept
	}
	chain forward { type filter hook forward priority 0; policy accept; }
}
`

func filters(facts map[string]fact.Fact) string {
	var out []string
	for _, n := range []string{"firewall_active", "firewall_default_deny"} {
		f := facts[n]
		if f.Status == fact.Observed {
			out = append(out, fmt.Sprint(f.Value))
			continue
		}
		out = append(out, string(f.Status))
	}
	return strings.Join(out, " ")
}

// Rule sets given to the real kernel, in a network namespace of their own. Each
// is also read as text, and both readings must agree.
var rulesets = []struct{ name, rules, want string }{
	{"nothing", "", "false false"},
	{"drop by policy", dropping, "true true"},
	{"reject by last rule", "table inet f {\n chain i {\n type filter hook input priority 0; policy accept;\n tcp dport 22 accept\n counter log prefix \"x\" reject with icmpx type admin-prohibited\n }\n}\n", "true true"},
	{"all let in before", "table inet f {\n chain i {\n type filter hook input priority 0; policy drop;\n counter accept\n }\n}\n", "true false"},
	{"drop in a chain gone to", "table inet f {\n chain last {\n tcp dport 1 accept\n drop\n }\n chain i {\n type filter hook input priority 0; policy accept;\n goto last\n }\n}\n", "true true"},
	{"a chain jumped to comes back", "table inet f {\n chain logs {\n counter return\n drop\n }\n chain i {\n type filter hook input priority 0; policy accept;\n jump logs\n }\n}\n", "true false"},
	{"IPv4 only", "table ip f {\n chain i {\n type filter hook input priority 0; policy drop;\n }\n}\n", "true false"},
	{"both protocols apart", "table ip f {\n chain i {\n type filter hook input priority 0; policy drop;\n }\n}\ntable ip6 f {\n chain i {\n type filter hook input priority 0; policy drop;\n }\n}\n", "true true"},
	{"only what leaves", "table inet f {\n chain o {\n type filter hook output priority 0; policy drop;\n }\n}\n", "false false"},
	{"an empty chain that accepts", "table inet f {\n chain i {\n type filter hook input priority 0; policy accept;\n }\n}\n", "false false"},
}

func TestRulesetsAsText(t *testing.T) {
	for _, r := range rulesets {
		t.Run(r.name, func(t *testing.T) {
			h := fixture.Host(t, base, "-- etc/systemd/system/multi-user.target.wants/nftables.service -> /x --\n-- etc/nftables.conf --\n"+r.rules)
			if got := filters(fixture.Collect(t, h, network.Collector())); got != r.want {
				t.Errorf("got %s, want %s", got, r.want)
			}
		})
	}
}

func TestRulesetsInTheKernel(t *testing.T) {
	nft := tool(t, "nft")
	inNamespace(t)
	ipv6Up(t)
	for _, r := range rulesets {
		t.Run(r.name, func(t *testing.T) {
			cmd := exec.Command(nft, "-f", "-")
			cmd.Stdin = strings.NewReader("flush ruleset\n" + r.rules)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("nft: %v\n%s", err, out)
			}
			if got := filters(fixture.Collect(t, fixture.Live(), network.Collector())); got != r.want {
				t.Errorf("got %s, want %s", got, r.want)
			}
		})
	}
}

func TestOldTablesInTheKernel(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []string
		want  string
	}{
		{"policy of both", []string{"4 -P INPUT DROP", "6 -P INPUT DROP"}, "true true"},
		{"policy of IPv4 alone", []string{"4 -P INPUT DROP"}, "true false"},
		{"last rule", []string{"4 -A INPUT -p tcp --dport 22 -j ACCEPT", "4 -A INPUT -j REJECT", "6 -P INPUT ACCEPT", "6 -A INPUT -j DROP"}, "true true"},
		{"a rule with a condition is not the last word", []string{"4 -A INPUT -p tcp -j DROP", "6 -A INPUT -s ::1 -j DROP"}, "true false"},
		{"all let in before", []string{"4 -P INPUT DROP", "4 -A INPUT -j ACCEPT", "6 -P INPUT DROP"}, "true false"},
		{"loaded and empty", []string{"4 -P INPUT ACCEPT"}, "false false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			four, six := tool(t, "iptables-legacy"), tool(t, "ip6tables-legacy")
			inNamespace(t)
			ipv6Up(t)
			for _, r := range c.rules {
				bin := map[byte]string{'4': four, '6': six}[r[0]]
				if out, err := exec.Command(bin, strings.Fields(r[1:])...).CombinedOutput(); err != nil {
					t.Fatalf("iptables %s: %v\n%s", r, err, out)
				}
			}
			if got := filters(fixture.Collect(t, fixture.Live(), network.Collector())); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestNobodyMayNotAskForTheFirewall(t *testing.T) {
	fixture.AsNobody(t)
	f := fixture.Collect(t, fixture.Live(), network.Collector())["firewall_active"]
	if f.Status != fact.Denied {
		t.Errorf("got %s %v (%s), want denied", f.Status, f.Value, f.Reason)
	}
}

func TestRoutesAndResolvers(t *testing.T) {
	const line = "eth0\t00000000\t010200C0\t%s\t0\t0\t0\t%s\t0\t0\t0\n"
	for _, c := range []struct {
		name, host string
		want       any
	}{
		{"by IPv4", "-- proc/net/route --\nIface\n" + fmt.Sprintf(line, "0003", "00000000"), true},
		{"only half of the Internet", "-- proc/net/route --\nIface\n" + fmt.Sprintf(line, "0003", "00000080"), false},
		{"that refuses", "-- proc/net/route --\nIface\n" + fmt.Sprintf(line, "0201", "00000000"), false},
		{"by IPv6", "-- proc/net/route --\nIface\n-- proc/net/ipv6_route --\n" + strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " 00 fd000000000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n", true},
		{"IPv6's own that refuses", "-- proc/net/ipv6_route --\n" + strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " 00 " + strings.Repeat("0", 32) + " ffffffff 00000001 00000000 00200200       lo\n", false},
		{"no table", "-- etc/x --\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := fixture.Collect(t, fixture.Host(t, c.host), network.Collector())["default_route"]
			if f.Value != c.want {
				t.Errorf("got %v (%s), want %v", f.Value, f.Reason, c.want)
			}
		})
	}
	stub := "-- etc/resolv.conf --\nnameserver 127.0.0.53\noptions edns0\n-- run/systemd/resolve/resolv.conf --\nnameserver 10.1.1.1\nnameserver fd00::1\n"
	if got := list(fixture.Collect(t, fixture.Host(t, stub), network.Collector())["dns_servers"]); got != "10.1.1.1 | fd00::1" {
		t.Errorf("behind systemd-resolved: got %q", got)
	}
	if f := fixture.Collect(t, fixture.Host(t, "-- etc/x --\n"), network.Collector())["dns_servers"]; f.Status != fact.Absent {
		t.Errorf("no resolv.conf: got %s, want absent", f.Status)
	}
}

func TestInterfacesOfAnImage(t *testing.T) {
	f := fixture.Collect(t, fixture.Host(t, "-- sys/class/net/eth0/address --\n02:00:00:00:00:01\n-- sys/class/net/eth0/flags --\n0x1003\n-- sys/class/net/wlan0/wireless/ --\n-- sys/class/net/wlan0/flags --\n0x1002\n-- sys/class/net/bonding_masters --\n"), network.Collector())["interfaces"]
	if got, want := list(f), "map[mac:02:00:00:00:00:01 name:eth0 up:true wireless:false] | map[name:wlan0 up:false wireless:true]"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestThisHost(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	got := fixture.Collect(t, fixture.Live(), network.Collector())
	for _, name := range []string{"listeners", "interfaces", "default_route", "dns_servers", "firewall_active", "firewall_default_deny", "insecure_services"} {
		t.Log(name, got[name].Status, got[name].Value, got[name].Reason)
	}
	comm, _ := os.ReadFile("/proc/self/comm")
	own := slices.ContainsFunc(got["listeners"].Value.([]any), func(e any) bool {
		r := e.(map[string]any)
		return r["port"] == int64(ln.Addr().(*net.TCPAddr).Port) && r["process"] == strings.TrimSpace(string(comm)) && r["loopback"] == true
	})
	if !own {
		t.Error("this process's own listener is not listed as its own")
	}
	if os.Geteuid() == 0 && got["firewall_active"].Status != fact.Observed {
		t.Errorf("root may ask for the firewall: got %s %s", got["firewall_active"].Status, got["firewall_active"].Reason)
	}
}
