package systemd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// The names (FileDescriptorName= in a .socket unit) that a node knows.
const (
	HTTPS = "https" // TCP: the edge
	HTTP  = "http"  // TCP: the redirect to HTTPS
	DNS   = "dns"   // UDP and TCP: the name server
	Mesh  = "mesh"  // UDP: WireGuard

	DNSTLS   = "dns-tls"   // TCP: the name server, by TLS
	DNSHTTPS = "dns-https" // TCP: the name server, by HTTPS
)

// Sockets are what the manager has bound for this process (sd_listen_fds(3)).
// What is taken is a duplicate: a service that starts anew takes them Again.
// It is not safe for concurrent use.
type Sockets struct{ given []*given }

// given is one of them.
type given struct {
	bound
	name  string
	file  *os.File
	taken bool
}

// Inherit takes the sockets that came with this process, none if none came.
// It clears the variables that tell of them, so that no child takes them too;
// a second call therefore finds nothing.
func Inherit() (*Sockets, error) { return Take(activation.Files(true), "") }

// All are all of them and their names, for a process that takes the place of
// this one. They stay the Sockets'.
func (s *Sockets) All(yield func(name string, file *os.File) bool) {
	for _, g := range s.given {
		if !yield(g.name, g.file) {
			return
		}
	}
}

// Take is Inherit by a process that got them from the one before it, by their
// names after a prefix.
func Take(files []*os.File, prefix string) (*Sockets, error) {
	s := new(Sockets)
	for _, f := range files {
		s.given = append(s.given, &given{name: strings.TrimPrefix(f.Name(), prefix), file: f})
	}
	for _, g := range s.given {
		var err error
		if g.bound, err = boundTo(g.file); err != nil {
			return nil, errors.Join(fmt.Errorf("socket %q from the service manager: %w", g.name, err), s.Close())
		}
	}
	return s, nil
}

// Listeners takes the TCP sockets of a name. rest are the wanted addresses
// that none of them serves; the caller binds those itself. A socket that
// serves none of want is an error.
func (s *Sockets) Listeners(name string, want []netip.AddrPort) (got []net.Listener, rest []netip.AddrPort, err error) {
	taken, rest, err := s.match(name, "tcp", want)
	if err != nil {
		return nil, nil, err
	}
	return open(taken, rest, net.FileListener)
}

// Packets takes the UDP sockets of a name. Each must be bound to just one of
// the wanted addresses: an answer from a wildcard socket could leave from
// another address than was asked.
func (s *Sockets) Packets(name string, want []netip.AddrPort) (got []net.PacketConn, rest []netip.AddrPort, err error) {
	taken, rest, err := s.match(name, "udp", want)
	if err != nil {
		return nil, nil, err
	}
	return open(taken, rest, net.FilePacketConn)
}

// open makes Go's sockets of all that were taken, or of none.
func open[T interface{ Close() error }](taken []*given, rest []netip.AddrPort, from func(*os.File) (T, error)) ([]T, []netip.AddrPort, error) {
	var got []T
	for _, g := range taken {
		c, err := from(g.file)
		if err != nil {
			for _, c := range got {
				c.Close()
			}
			return nil, nil, fmt.Errorf("socket %q (%v) from the service manager: %w", g.name, g.bound, err)
		}
		got = append(got, c)
	}
	for _, g := range taken {
		g.taken = true
	}
	return got, rest, nil
}

// match finds the sockets of a name and network, and what they leave of want.
func (s *Sockets) match(name, network string, want []netip.AddrPort) (taken []*given, rest []netip.AddrPort, err error) {
	rest = slices.Clone(want)
	for _, g := range s.given {
		if g.taken || g.name != name || g.network != network {
			continue
		}
		if !slices.ContainsFunc(want, g.serves) {
			return nil, nil, g.misfit(want)
		}
		rest = slices.DeleteFunc(rest, g.serves)
		taken = append(taken, g)
	}
	return taken, rest, nil
}

// misfit says why a socket cannot be used, and what to write instead.
func (g *given) misfit(want []netip.AddrPort) error {
	option := map[string]string{"tcp": "ListenStream", "udp": "ListenDatagram"}[g.network]
	if len(want) == 0 {
		return fmt.Errorf("the service manager hands over socket %q (%v), but this node has no use for it: disable that .socket unit", g.name, g.bound)
	}
	return fmt.Errorf("the service manager hands over socket %q (%v), but this node wants %v: write %s=%v into the .socket unit",
		g.name, g.bound, want, option, want[0])
}

// Unused is an error that names every socket which nobody took, nil if there
// is none. A forgotten socket would accept connections that nobody answers.
func (s *Sockets) Unused() error {
	var errs []error
	for _, g := range s.given {
		if !g.taken {
			errs = append(errs, fmt.Errorf("the service manager hands over socket %q (%v), which fits nothing here: "+
				"FileDescriptorName= is %s, %s, %s, %s or %s (%s also for datagrams), or %s for datagrams", g.name, g.bound, HTTPS, HTTP, DNSTLS, DNSHTTPS, DNS, DNS, Mesh))
		}
	}
	return errors.Join(errs...)
}

// Again lets all of them be taken once more.
func (s *Sockets) Again() {
	for _, g := range s.given {
		g.taken = false
	}
}

// Close closes them; what was taken stays open.
func (s *Sockets) Close() error {
	var errs []error
	for _, g := range s.given {
		errs = append(errs, g.file.Close())
	}
	s.given = nil
	return errors.Join(errs...)
}
