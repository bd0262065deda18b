package cli

import (
	"errors"
	"net"
	"os"
	"slices"
	"syscall"

	"landfall"
	"landfall/cmd/internal/node"
	"landfall/geodns/tsig"
)

// private reads what a name server keeps to itself: its certificate, nil
// without listeners for it, and the keys of its secondaries.
func (s dnsServing) private(env *Env) (cert *node.Certificate, secrets *tsig.Ring, err error) {
	encrypted := s.tls != "" || s.https != ""
	if encrypted != (s.cert != "") || encrypted != (s.key != "") {
		return nil, nil, Usagef("--tls-listen and --https-listen need --cert and --key, and these one of those")
	}
	if encrypted {
		if cert, err = node.OpenCertificate(env.Path(s.cert), env.Path(s.key), s.log); err != nil {
			return nil, nil, err
		}
	}
	if s.tsig != "" {
		secrets, err = node.OpenSecrets(env.Path(s.tsig))
	}
	return cert, secrets, err
}

// writable makes sure that a file can be added to. A pipe that nobody reads yet
// will do.
func writable(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640)
	if errors.Is(err, syscall.ENXIO) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// nodeAt is the id of the first node of a map that has the address of one of
// the sockets; empty if none has.
func nodeAt(m *landfall.Map, socks []*net.UDPConn) string {
	for _, n := range m.Nodes {
		for _, c := range socks {
			at := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
			if slices.Contains(n.Advertised, at) || slices.Contains(n.Bound, at) {
				return string(n.ID)
			}
		}
	}
	return ""
}
