package systemd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// child, in the environment, makes this test binary a service that takes
// sockets: "NAME NETWORK WANTED...", one on each line.
const child = "LANDFALL_TEST_TAKES"

func TestMain(m *testing.M) {
	if takes, ok := os.LookupEnv(child); ok {
		if err := service(takes); err != nil {
			fmt.Println("error:", err)
		}
		return
	}
	os.Exit(m.Run())
}

// service does what a node does at its start, and prints what it got.
func service(takes string) error {
	s, err := Inherit()
	if err != nil {
		return err
	}
	defer s.Close()
	for line := range strings.Lines(takes) {
		words := strings.Fields(line)
		var want []netip.AddrPort
		for _, w := range words[2:] {
			want = append(want, netip.MustParseAddrPort(w))
		}
		if err := take(s, words[0], words[1], want); err != nil {
			return err
		}
	}
	if again, err := Inherit(); err != nil || len(again.given) > 0 {
		return fmt.Errorf("the sockets are there a second time, or %v", err)
	}
	return s.Unused()
}

func take(s *Sockets, name, network string, want []netip.AddrPort) error {
	if network == "udp" {
		got, rest, err := s.Packets(name, want)
		for _, c := range got {
			fmt.Println(name, "udp", c.LocalAddr(), "rest", rest)
		}
		return err
	}
	got, rest, err := s.Listeners(name, want)
	for _, l := range got {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		there, err := l.Accept()
		if err != nil {
			return err
		}
		fmt.Println(name, "tcp", l.Addr(), "rest", rest)
		if err := errors.Join(c.Close(), there.Close()); err != nil {
			return err
		}
	}
	return err
}

// start runs the service with sockets handed in as systemd does it.
func start(t *testing.T, names []string, files []*os.File, takes string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+takes, "GORACE=atexit_sleep_ms=20",
		fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	cmd.ExtraFiles = files
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

type filer interface{ File() (*os.File, error) }

// listening binds a socket and gives it as systemd hands it over.
func listening(t *testing.T, network, addr string) (*os.File, netip.AddrPort) {
	t.Helper()
	var c filer
	var at net.Addr
	if strings.HasPrefix(network, "udp") {
		pc, err := net.ListenPacket(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer pc.Close()
		c, at = pc.(*net.UDPConn), pc.LocalAddr()
	} else {
		l, err := net.Listen(network, addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, at = l.(*net.TCPListener), l.Addr()
	}
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, netip.MustParseAddrPort(at.String())
}

func TestServiceTakesTheSocketsItWants(t *testing.T) {
	https, at := listening(t, "tcp4", "127.0.0.1:0")
	dnsTCP, dnsAt := listening(t, "tcp4", "127.0.0.1:0")
	dnsUDP, udpAt := listening(t, "udp4", "127.0.0.1:0")
	takes := fmt.Sprintf("https tcp %v 192.0.2.1:443\ndns tcp %v\ndns udp %v\nmesh udp 127.0.0.1:9\n", at, dnsAt, udpAt)
	want := fmt.Sprintf("https tcp %v rest [192.0.2.1:443]\ndns tcp %v rest []\ndns udp %v rest []\n", at, dnsAt, udpAt)
	if got := start(t, []string{"https", "dns", "dns"}, []*os.File{https, dnsTCP, dnsUDP}, takes); got != want {
		t.Errorf("the service says\n%swant\n%s", got, want)
	}
}

func TestOneSocketOnAllAddressesServesEachOfThem(t *testing.T) {
	f, at := listening(t, "tcp", ":0")
	takes := fmt.Sprintf("https tcp 192.0.2.1:%[1]d [2001:db8::1]:%[1]d", at.Port())
	if got := start(t, []string{"https"}, []*os.File{f}, takes); !strings.HasSuffix(got, "rest []\n") {
		t.Errorf("the service says\n%s", got)
	}
}

func TestSocketThatFitsNothingIsSaid(t *testing.T) {
	f, at := listening(t, "tcp4", "127.0.0.1:0")
	all, allAt := listening(t, "udp", ":0")
	unix, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	path, err := unix.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer path.Close()
	conn := connection(t)
	for name, test := range map[string]struct {
		name  string
		file  *os.File
		takes string
		want  string
	}{
		"another address":  {"https", f, "https tcp 192.0.2.1:443", "ListenStream=192.0.2.1:443"},
		"no such role":     {"https", f, "https tcp", "no use for it"},
		"unknown name":     {"web", f, "https tcp 192.0.2.1:443", `socket "web" (tcp ` + at.String() + `), which fits nothing here`},
		"wildcard for UDP": {"dns", all, fmt.Sprintf("dns udp 192.0.2.1:%d", allAt.Port()), "ListenDatagram=192.0.2.1:"},
		"not of IP":        {"https", path, "", "neither TCP nor UDP"},
		"a connection":     {"https", conn, "", "Accept=yes"},
	} {
		t.Run(name, func(t *testing.T) {
			got := start(t, []string{test.name}, []*os.File{test.file}, test.takes)
			if !strings.HasPrefix(got, "error: ") || !strings.Contains(got, test.want) {
				t.Errorf("the service says\n%swant an error with %s", got, test.want)
			}
		})
	}
}

// connection is the end of a TCP connection, as Accept=yes hands it over.
func connection(t *testing.T) *os.File {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWhichSocketServesWhichAddress(t *testing.T) {
	addr := netip.MustParseAddrPort
	want := []netip.AddrPort{addr("192.0.2.1:443"), addr("[2001:db8::1]:443")}
	for _, test := range []struct {
		bound bound
		want  []bool
	}{
		{bound{"tcp", addr("192.0.2.1:443"), false}, []bool{true, false}},
		{bound{"tcp", addr("192.0.2.1:8443"), false}, []bool{false, false}},
		{bound{"tcp", addr("0.0.0.0:443"), false}, []bool{true, false}},
		{bound{"tcp", addr("[::]:443"), false}, []bool{false, true}},
		{bound{"tcp", addr("[::]:443"), true}, []bool{true, true}},
		{bound{"udp", addr("[::]:443"), true}, []bool{false, false}},
		{bound{"udp", addr("[2001:db8::1]:443"), true}, []bool{false, true}},
	} {
		var got []bool
		for _, w := range want {
			got = append(got, test.bound.serves(w))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%v (both families: %v) serves %v: %v, want %v", test.bound, test.bound.both, want, got, test.want)
		}
	}
	if !(bound{"udp", addr("[::]:51820"), true}).serves(addr("[::]:51820")) {
		t.Error("a wildcard does not serve itself")
	}
}

// What a process was given, the one that takes its place has by the same names.
func TestSocketsPassOn(t *testing.T) {
	file, at := listening(t, "tcp", "127.0.0.1:0")
	fd, err := unix.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	first, err := Take([]*os.File{os.NewFile(uintptr(fd), "given https")}, "given ")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	var all []string
	for name, f := range first.All {
		all = append(all, name)
		if f.Name() != "given https" {
			t.Errorf("%s is %s", name, f.Name())
		}
	}
	if !slices.Equal(all, []string{HTTPS}) {
		t.Errorf("got %v", all)
	}
	got, rest, err := first.Listeners(HTTPS, []netip.AddrPort{at})
	if err != nil || len(got) != 1 || len(rest) != 0 {
		t.Fatalf("%v, %v, %v", got, rest, err)
	}
	got[0].Close()
}
