package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"

	"landfall/geodns/tsig"
)

// OpenSecrets reads the keys that secondaries sign messages with (RFC 8945).
// A file that everybody on the machine may read is refused. No name is no keys.
func OpenSecrets(file string) (*tsig.Ring, error) {
	if file == "" {
		return nil, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("secrets of secondaries: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("secrets of secondaries: %s may be read by everybody here: chmod o= %s", file, file)
	}
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("secrets of secondaries: %w", err)
	}
	return tsig.ParseRing(file, src)
}

// dialFrom reaches secondaries from an address that the name server answers
// at, by which they know it.
func dialFrom(socks []*net.UDPConn) func(context.Context, netip.AddrPort) (net.Conn, error) {
	var own []netip.Addr
	for _, c := range socks {
		own = append(own, c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap())
	}
	return func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
		var d net.Dialer
		for _, a := range own {
			if a.Is4() == to.Addr().Unmap().Is4() && a.IsLoopback() == to.Addr().IsLoopback() && !a.IsUnspecified() {
				d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0))
				break
			}
		}
		return d.DialContext(ctx, "udp", to.String())
	}
}
