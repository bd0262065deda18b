package geodns

import (
	"net"
	"net/netip"

	"landfall/geodns/tap"
)

// observe lets operators hear of a query and its answer.
func (c *core) observe(req, answer []byte, client netip.AddrPort, via transport) {
	if c.tap.Due() {
		c.tap.Take(tap.Event{Time: c.now, Client: client, Server: c.at, Via: via.String(), Query: req, Answer: answer})
	}
}

// localOf is the address that a socket is bound to, if that is one.
func localOf(conn *net.UDPConn) (at netip.AddrPort) {
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok && !a.IP.IsUnspecified() {
		at = unmap(a.AddrPort())
	}
	return at
}
