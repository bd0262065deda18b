package netlab

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"landfall"
	"landfall/mesh/wan"
)

// Config is a lab before it is opened.
type Config struct {
	Dir    string                      // for the hosts' files and programs' logs; required, and not removed
	Places map[wan.Site]landfall.Place // where hosts may stand
	Links  []Link                      // between places; others are reached at once
	Hosts  []Server                    // at least one
	Path   string                      // a folder whose programs hosts find before those of PATH; may be empty
	Seed   uint64                      // decides losses and jitter; see wan.New
	Named  bool                        // whether hosts know each other's names (/etc/hosts)
	Log    *slog.Logger                // nil means silence
	// Carrier starts what carries packets, on the device that they come out
	// of, which it takes over unless it fails. It is called on a thread in the
	// router's network that lives as long as the lab; nil carries them here.
	Carrier func(dev *os.File) (Carrier, error)
}

// Link joins two places, alike in both directions.
type Link struct {
	A, B wan.Site
	wan.Link
}

// RTT is a Link with nothing but a round trip time.
func RTT(a, b wan.Site, rtt time.Duration) Link {
	return Link{A: a, B: b, Link: wan.Link{Delay: rtt / 2}}
}

// Server is a host before the lab is opened.
type Server struct {
	Name      string       // a label, not used twice; also its hostname
	Place     wan.Site     // a key of Config.Places
	Addresses []netip.Addr // what others reach it by: one of each family at most
	// Inside is the IPv4 address that the host has itself when it stands
	// behind NAT. Such a host has one address, of IPv4.
	Inside netip.Addr
	// NAT is the kind of NAT that it stands behind; its Public is set to the
	// host's address, and the hosts that have it share one NAT. Nil is 1:1.
	NAT *wan.NAT
	// Firewall lets in from outside what it lists, answers and ICMP; nil
	// lets in everything.
	Firewall *Firewall
}

// Firewall lists open ports.
type Firewall struct{ TCP, UDP []uint16 }

// check says everything that is wrong with a Config.
func (c Config) check() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("the lab has no directory"))
	}
	if len(c.Hosts) == 0 {
		faults = append(faults, errors.New("the lab has no hosts"))
	}
	for _, l := range c.Links {
		if err := l.Check(); err != nil {
			faults = append(faults, fmt.Errorf("link %s - %s: %w", l.A, l.B, err))
		}
	}
	names, addrs := map[string]bool{}, map[netip.Addr]bool{}
	for _, s := range c.Hosts {
		if err := c.checkHost(s); err != nil {
			faults = append(faults, fmt.Errorf("host %q: %w", s.Name, err))
		}
		if names[s.Name] {
			faults = append(faults, fmt.Errorf("host %q: there are two", s.Name))
		}
		names[s.Name] = true
		for _, a := range s.Addresses {
			if addrs[a] && s.NAT == nil {
				faults = append(faults, fmt.Errorf("host %q: address %v is another host's", s.Name, a))
			}
			addrs[a] = true
		}
	}
	return errors.Join(faults...)
}

func (c Config) checkHost(s Server) error {
	sixes := 0
	for _, a := range s.Addresses {
		if a.Is6() {
			sixes++
		}
	}
	switch {
	case s.Name == "":
		return errors.New("it has no name")
	case len(s.Addresses) == 0:
		return errors.New("it has no address")
	case sixes > 1 || len(s.Addresses)-sixes > 1:
		return errors.New("it has two addresses of one family")
	case s.Inside.IsValid() && (!s.Inside.Is4() || sixes > 0):
		return errors.New("NAT is for IPv4 alone")
	case s.NAT != nil && !s.Inside.IsValid():
		return errors.New("NAT without an address inside")
	}
	if _, ok := c.Places[s.Place]; !ok {
		return fmt.Errorf("there is no place %q", s.Place)
	}
	return nil
}
