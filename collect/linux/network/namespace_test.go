package network_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tool finds a program of the host, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, p := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if bin, err := exec.LookPath(p); err == nil {
			return bin
		}
	}
	t.Skipf("no %s here: apt-get install nftables iptables", name)
	return ""
}

// inNamespace runs the calling test again in a process with a network of its
// own and skips the rest of it in this one, so that the host's firewall stays.
func inNamespace(t *testing.T) {
	t.Helper()
	const mark = "KAKUSHO_TEST_NAMESPACE"
	if os.Getenv(mark) == t.Name() {
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may make a network namespace")
	}
	var run []string
	for _, part := range strings.Split(t.Name(), "/") {
		run = append(run, "^"+part+"$")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run="+strings.Join(run, "/"), "-test.v")
	cmd.Env = append(os.Environ(), mark+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in a namespace: %v\n%s", err, out)
	}
	t.SkipNow()
}

// ipv6Up gives the namespace an interface beside lo that has an IPv6 address.
func ipv6Up(t *testing.T) {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no /dev/net/tun: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	ifr, err := unix.NewIfreq("tap0")
	if err != nil {
		t.Fatal(err)
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		t.Fatal(err)
	}
	s, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(s)
	ifr.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFINDEX, ifr); err != nil {
		t.Fatal(err)
	}
	in6 := struct { // struct in6_ifreq
		addr   [16]byte
		prefix uint32
		index  int32
	}{prefix: 64, index: int32(ifr.Uint32())}
	in6.addr[0], in6.addr[15] = 0xfd, 1
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&in6))); errno != 0 {
		t.Fatal(errno)
	}
}
