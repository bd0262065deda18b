package netstack

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"landfall"
	"landfall/mesh/class"
)

// maxQueued is how many bytes of a class wait between the stack and WireGuard
// before what sends them has to wait too.
const maxQueued = 128 << 10

// batch is how many packets are read at once.
const batch = 64

// ranks are the classes, most urgent first.
var ranks = [...]landfall.Class{landfall.Control, landfall.Interactive, landfall.Normal, landfall.Bulk}

// nic joins the stack to package wg. Packets that the stack sends wait in a
// queue of their class that is bounded and drops nothing. Senders block while
// it is full, with a TCP endpoint's lock held, so whoever empties it must never
// take a lock of the stack. WireGuard's reader does not.
type nic struct {
	mtu      uint32
	dispatch atomic.Pointer[stack.NetworkDispatcher]
	taken    [batch]*stack.PacketBuffer // of the one reader

	mu       sync.Mutex
	notEmpty sync.Cond
	notFull  sync.Cond
	queues   [len(ranks)]queue // by class
	closed   bool
}

// queue is what waits of one class.
type queue struct {
	packets []*stack.PacketBuffer // packets[head:] wait
	head    int
	bytes   int
	waiting int // senders
}

func (q *queue) len() int { return len(q.packets) - q.head }

// pop moves packets to where they are read.
func (q *queue) pop(into []*stack.PacketBuffer) int {
	k := copy(into, q.packets[q.head:])
	clear(q.packets[q.head : q.head+k])
	if q.head += k; q.head > len(q.packets)/2 {
		q.packets = slices.Delete(q.packets, 0, q.head)
		q.head = 0
	}
	for _, p := range into[:k] {
		q.bytes -= p.Size()
	}
	return k
}

// classOf is what the traffic class of a packet's header says.
func classOf(p *stack.PacketBuffer) landfall.Class {
	h := p.NetworkHeader().Slice()
	if len(h) < header.IPv6MinimumSize {
		return landfall.Normal
	}
	tos, _ := header.IPv6(h).TOS()
	return class.Of(tos >> 2)
}

func newNIC(mtu int) *nic {
	n := &nic{mtu: uint32(mtu)}
	n.notEmpty.L, n.notFull.L = &n.mu, &n.mu
	return n
}

// WritePackets implements stack.LinkWriter.
func (n *nic) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	pkts := list.AsSlice()
	for i, p := range pkts {
		q := &n.queues[classOf(p)]
		for q.bytes >= maxQueued && !n.closed {
			n.notEmpty.Signal()
			q.waiting++
			n.notFull.Wait()
			q.waiting--
		}
		if n.closed {
			return i, &tcpip.ErrClosedForSend{}
		}
		q.packets = append(q.packets, p.IncRef())
		q.bytes += p.Size()
	}
	n.notEmpty.Signal()
	return len(pkts), nil
}

// take moves up to len(into) waiting packets, at least one, most urgent first.
// No class gets more than half of the room that is left while others wait, so
// that none stands still: what sends it may be about to send something urgent.
func (n *nic) take(into []*stack.PacketBuffer) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.empty() && !n.closed {
		n.notEmpty.Wait()
	}
	if n.closed {
		return 0, os.ErrClosed
	}
	k := 0
	for k < len(into) && !n.empty() {
		for _, c := range ranks {
			room := into[k:]
			k += n.queues[c].pop(room[:(len(room)+1)/2])
		}
	}
	for i := range n.queues {
		if q := &n.queues[i]; q.waiting > 0 && q.bytes < maxQueued/2 {
			n.notFull.Broadcast()
			break
		}
	}
	return k, nil
}

func (n *nic) empty() bool {
	for i := range n.queues {
		if n.queues[i].len() > 0 {
			return false
		}
	}
	return true
}

// close ends both directions. Packets that wait are dropped.
func (n *nic) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.closed = true
	for i := range n.queues {
		q := &n.queues[i]
		for _, p := range q.packets[q.head:] {
			p.DecRef()
		}
		q.packets, q.head = nil, 0
	}
	n.notEmpty.Broadcast()
	n.notFull.Broadcast()
}

// deliver hands one packet from a peer to the stack.
func (n *nic) deliver(packet []byte) {
	d := n.dispatch.Load()
	if d == nil || len(packet) == 0 || packet[0]>>4 != header.IPv6Version {
		return
	}
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	defer p.DecRef()
	(*d).DeliverNetworkPacket(header.IPv6ProtocolNumber, p)
}

// The rest of stack.LinkEndpoint. Addresses and frames are for links with
// neighbours; this one leads to WireGuard, which routes by address.

func (n *nic) MTU() uint32                             { return n.mtu }
func (n *nic) SetMTU(uint32)                           {}
func (n *nic) MaxHeaderLength() uint16                 { return 0 }
func (n *nic) LinkAddress() tcpip.LinkAddress          { return "" }
func (n *nic) SetLinkAddress(tcpip.LinkAddress)        {}
func (n *nic) Wait()                                   {}
func (n *nic) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareNone }
func (n *nic) AddHeader(*stack.PacketBuffer)           {}
func (n *nic) ParseHeader(*stack.PacketBuffer) bool    { return true }
func (n *nic) Close()                                  {}
func (n *nic) SetOnCloseAction(func())                 {}
func (n *nic) IsAttached() bool                        { return n.dispatch.Load() != nil }

// GSOMaxSize and SupportedGSO let TCP hand the stack up to 64 KiB at once,
// which the stack itself cuts into segments.
func (n *nic) GSOMaxSize() uint32               { return 1<<16 - 1 }
func (n *nic) SupportedGSO() stack.SupportedGSO { return stack.GVisorGSOSupported }

// Capabilities tells the stack that package wg has authenticated what arrives:
// checksums need no second look.
func (n *nic) Capabilities() stack.LinkEndpointCapabilities {
	return stack.CapabilityRXChecksumOffload
}

func (n *nic) Attach(d stack.NetworkDispatcher) {
	if d == nil {
		n.dispatch.Store(nil)
		return
	}
	n.dispatch.Store(&d)
}

// read is front.Packets' Read.
func (n *nic) read(bufs [][]byte, sizes []int, offset int) (int, error) {
	k, err := n.take(n.taken[:min(len(bufs), batch)])
	for i, p := range n.taken[:k] {
		sizes[i] = 0
		for _, s := range p.AsSlices() {
			sizes[i] += copy(bufs[i][offset+sizes[i]:], s)
		}
		p.DecRef()
		n.taken[i] = nil
	}
	return k, err
}
