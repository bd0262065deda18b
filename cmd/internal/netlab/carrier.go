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
	SetNAT(n wan.NAT, inside ...netip.Addr) error
	// Begin begins a measured phase, and End ends it.
	Begin(phase string) error
	End() (wan.Phase, error)
	// Close ends it, and returns when it holds the device no more.
	Close() error
}

// inProcess is a carrier that shares this process with all else.
type inProcess struct {
	*wan.Network
	router *wan.Router
	end    func() wan.Phase
}

func startInProcess(seed uint64, dev *os.File) (Carrier, error) {
	n := wan.New(seed)
	r, err := n.Router(dev)
	if err != nil {
		return nil, err
	}
	return &inProcess{Network: n, router: r}, nil
}

func (c *inProcess) SetNAT(n wan.NAT, inside ...netip.Addr) error {
	return c.router.SetNAT(n, inside...)
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
