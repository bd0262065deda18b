package netlab

import (
	"net/netip"
	"os"

	"landfall/mesh/wan"
)

// Carrier carries packets between places: what package wan does, here or in a
// process of its own.
type Carrier interface {
	SetSite(a netip.Addr, s wan.Site) error
	SetLink(from, to wan.Site, l wan.Link) error
	// Begin begins a measured phase, and End ends it.
	Begin(phase string) error
	End() (wan.Phase, error)
	// Close ends it, and returns when it holds the device no more.
	Close() error
}

// inProcess is a carrier that shares this process with all else.
type inProcess struct {
	*wan.Network
	end func() wan.Phase
}

func startInProcess(seed uint64, dev *os.File) (Carrier, error) {
	n := wan.New(seed)
	if _, err := n.Router(dev); err != nil {
		return nil, err
	}
	return &inProcess{Network: n}, nil
}

func (c *inProcess) SetSite(a netip.Addr, s wan.Site) error {
	c.Network.SetSite(netip.AddrPortFrom(a, 0), s)
	return nil
}

func (c *inProcess) Begin(phase string) error {
	c.end = c.Network.Phase(phase)
	return nil
}

func (c *inProcess) End() (wan.Phase, error) { return c.end(), nil }
