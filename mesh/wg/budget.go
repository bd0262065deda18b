package wg

import (
	"maps"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// recount is how often the budget looks at what streams hold. What arrives
// meanwhile is beyond it.
const recount = 250 * time.Millisecond

// buffers are the limits of what a stream may hold, each way.
type buffers struct{ receive, send int64 }

// keepBudget bounds what the buffers of all streams hold. Most hold nothing;
// those whose readers stall hold all that they may. So once the budget is
// spent buffers no longer grow, those that have grown are cut as far as that
// loses nothing, and new streams begin with small ones. All is undone once
// half of the budget is free.
func (d *Device) keepBudget() {
	tick := time.NewTicker(recount)
	defer tick.Stop()
	for {
		select {
		case <-d.closing:
			return
		case <-tick.C:
		}
		streams := d.everyStream()
		var held int64
		for _, s := range streams {
			held += s.held()
		}
		was := d.spent.Load()
		spent := held > d.budget || was && held > d.budget/2
		d.spent.Store(spent)
		if spent != was {
			d.log.Warn("mesh buffers", "held", held, "budget", d.budget, "spent", spent)
		}
		for _, s := range streams {
			if spent {
				s.squeeze()
			} else {
				s.release()
			}
		}
	}
}

func (d *Device) everyStream() []*Stream {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.streams))
}

// held is what the stream's buffers hold: what is unread, the room to read
// that was promised to the peer beyond what all begin with, and what is
// unsent, if that is all that there is room for. Of less the stack does not
// tell.
func (s *Stream) held() int64 {
	o := s.ep.SocketOptions()
	held := s.unread() + max(0, o.GetReceiveBufferSize()-startBuffer)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wantsRoom {
		held += o.GetSendBufferSize()
	}
	return held
}

func (s *Stream) unread() int64 {
	n, _ := s.ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption)
	return int64(n)
}

// squeeze cuts the room to send, and a grown one to read unless data is there:
// then what the peer was promised room for would be dropped. The endpoint is
// not told, or it would never again tune them itself.
func (s *Stream) squeeze() {
	o := s.ep.SocketOptions()
	now := buffers{o.GetReceiveBufferSize(), o.GetSendBufferSize()}
	if now.receive > startBuffer && s.unread() == 0 {
		s.before.receive = max(now.receive, s.before.receive)
		o.SetReceiveBufferSize(startBuffer, false)
	}
	if now.send > minBuffer {
		s.before.send = max(now.send, s.before.send)
		o.SetSendBufferSize(minBuffer, false)
	}
}

// release gives back what squeeze took.
func (s *Stream) release() {
	o := s.ep.SocketOptions()
	if s.before.receive > o.GetReceiveBufferSize() {
		o.SetReceiveBufferSize(s.before.receive, false)
	}
	if s.before.send > o.GetSendBufferSize() {
		o.SetSendBufferSize(s.before.send, false)
	}
	s.before = buffers{}
}
