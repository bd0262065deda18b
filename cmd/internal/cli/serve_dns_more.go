package cli

import (
	"context"
	"errors"
	"fmt"
	"net"

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

// sockets opens all that there is to answer on.
func (s dnsServing) sockets(ctx context.Context) (*dnsSockets, error) {
	socks, err := listenDNS(ctx, s.listen)
	if err != nil {
		return nil, err
	}
	for _, more := range []struct {
		flag, addr string
		to         *[]net.Listener
	}{{"--tls-listen", s.tls, &socks.tls}, {"--https-listen", s.https, &socks.https}} {
		if more.addr == "" {
			continue
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", more.addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s %s: %w", more.flag, more.addr, err), socks.close())
		}
		*more.to = append(*more.to, l)
	}
	return socks, nil
}
