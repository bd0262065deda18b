package netstack

import "time"

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
func (f *Front) keepBudget() {
	tick := time.NewTicker(recount)
	defer tick.Stop()
	for {
		select {
		case <-f.Closing():
			return
		case <-tick.C:
		}
		var held int64
		flows := f.All()
		for _, s := range flows {
			held += s.Endpoint().(*endpoint).held()
		}
		was := f.spent.Load()
		spent := held > f.budget || was && held > f.budget/2
		f.spent.Store(spent)
		if spent != was {
			f.log.Warn("mesh buffers", "held", held, "budget", f.budget, "spent", spent)
		}
		for _, s := range flows {
			if e := s.Endpoint().(*endpoint); spent {
				e.squeeze()
			} else {
				e.release()
			}
		}
	}
}

// held is what the stream's buffers hold: what is unread, the room to read
// that was promised to the peer beyond what all begin with, and what is
// unsent, if that is all that there is room for. Of less the stack does not
// tell.
func (e *endpoint) held() int64 {
	o := e.SocketOptions()
	held := e.unread() + max(0, o.GetReceiveBufferSize()-startBuffer)
	if e.full.Load() {
		held += o.GetSendBufferSize()
	}
	return held
}

// squeeze cuts the room to send, and a grown one to read unless data is there:
// then what the peer was promised room for would be dropped. The endpoint is
// not told, or it would never again tune them itself.
func (e *endpoint) squeeze() {
	o := e.SocketOptions()
	now := buffers{o.GetReceiveBufferSize(), o.GetSendBufferSize()}
	if now.receive > startBuffer && e.unread() == 0 {
		e.before.receive = max(now.receive, e.before.receive)
		o.SetReceiveBufferSize(startBuffer, false)
	}
	if now.send > minBuffer {
		e.before.send = max(now.send, e.before.send)
		o.SetSendBufferSize(minBuffer, false)
	}
}

// release gives back what squeeze took.
func (e *endpoint) release() {
	o := e.SocketOptions()
	if e.before.receive > o.GetReceiveBufferSize() {
		o.SetReceiveBufferSize(e.before.receive, false)
	}
	if e.before.send > o.GetSendBufferSize() {
		o.SetSendBufferSize(e.before.send, false)
	}
	e.before = buffers{}
}
