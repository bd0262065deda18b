package netstack

import (
	"cmp"
	"context"
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"landfall"
	"landfall/mesh/front"
)

// Open implements front.Streams.
func (f *Front) Open(ctx context.Context, to netip.AddrPort, c landfall.Class, first []byte, sink landfall.Sink) (front.Stream, error) {
	if !f.Enter() {
		return nil, net.ErrClosed
	}
	defer f.Leave()
	wq := new(waiter.Queue)
	ep, e := f.stack.NewEndpoint(tcp.ProtocolNumber, header.IPv6ProtocolNumber, wq)
	if e != nil {
		return nil, goError(e)
	}
	mark(ep, c)
	if err := f.connect(ctx, ep, wq, to); err != nil {
		ep.Close()
		return nil, err
	}
	s, err := f.add(ep, wq)
	if err != nil {
		return nil, err
	}
	return s.Begin(first, sink)
}

// connect waits until the peer has accepted.
func (f *Front) connect(ctx context.Context, ep tcpip.Endpoint, wq *waiter.Queue, to netip.AddrPort) error {
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	wq.EventRegister(&entry)
	defer wq.EventUnregister(&entry)
	e := ep.Connect(fullAddress(to))
	if _, started := e.(*tcpip.ErrConnectStarted); started {
		select {
		case <-ready:
			e = ep.LastError()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-f.Closing():
			return net.ErrClosed
		}
	}
	return goError(e)
}

// add makes a flow of a connected endpoint.
func (f *Front) add(ep tcpip.Endpoint, wq *waiter.Queue) (*front.Flow, error) {
	local, e1 := ep.GetLocalAddress()
	remote, e2 := ep.GetRemoteAddress()
	if err := cmp.Or(goError(e1), goError(e2)); err != nil {
		ep.Close()
		return nil, err
	}
	return f.Add(f.newEndpoint(ep, wq), fromFull(local), fromFull(remote))
}
