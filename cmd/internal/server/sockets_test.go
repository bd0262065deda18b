package server

import (
	"net"
	"net/netip"
	"testing"

	"landfall"
	"landfall/cmd/internal/config"
	"landfall/cmd/internal/systemd"
)

// freePort finds a port of loopback that nobody has, by UDP or TCP.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := netip.MustParseAddrPort(l.Addr().String())
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		l.Close()
		if err == nil {
			c.Close()
			return at.Port()
		}
	}
	t.Fatal("no free port")
	return 0
}

// TestEncryptedDNSNeedsACertificate: a map may want it of all name servers, but
// one that has no certificate to show goes on without.
func TestEncryptedDNSNeedsACertificate(t *testing.T) {
	m := &landfall.Map{Ports: landfall.Ports{DNS: freePort(t), DNSTLS: freePort(t), DNSHTTPS: freePort(t)}}
	self := landfall.Node{ID: "fra1", Roles: []landfall.Role{landfall.RoleDNS}, Advertised: addrs("127.0.0.1")}
	for certificate, want := range map[string]int{"": 0, "/etc/ns.pem": 1} {
		local := config.Local{WireGuard: freePort(t), DNS: config.LocalDNS{Certificate: certificate}}
		s, err := bind(t.Context(), m, self, local, new(systemd.Sockets), nil, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.DNSTLS) != want || len(s.DNSHTTPS) != want || len(s.DNSTCP) != 1 {
			t.Errorf("certificate %q: %d by TLS, %d by HTTPS", certificate, len(s.DNSTLS), len(s.DNSHTTPS))
		}
		closeSockets(s)
	}
}
