package wg

import (
	"os"
	"sync"

	"golang.zx2c4.com/wireguard/tun"

	"landfall/mesh/udp"
)

// tunnel is the front as WireGuard sees it. It implements tun.Device.
type tunnel struct {
	*egress
	*ingress
	events chan tun.Event // nothing to tell; closed at the end
	once   sync.Once
}

func newTunnel(out *egress, in *ingress) *tunnel {
	return &tunnel{egress: out, ingress: in, events: make(chan tun.Event)}
}

// Close implements tun.Device. The front is closed by who closes the device.
func (t *tunnel) Close() error {
	t.once.Do(func() {
		t.ended(os.ErrClosed)
		close(t.events)
	})
	return nil
}

func (t *tunnel) MTU() (int, error)        { return t.egress.mtu, nil }
func (t *tunnel) Name() (string, error)    { return "landfall", nil }
func (t *tunnel) File() *os.File           { return nil }
func (t *tunnel) Events() <-chan tun.Event { return t.events }
func (t *tunnel) BatchSize() int           { return udp.Batch }
