package geodns

import (
	"maps"
	"time"

	"landfall/geodns/plan"
	"landfall/geodns/transfer"
	"landfall/geodns/zone"
)

// inputs are all that snapshots are made of.
type inputs struct {
	plan.Input
	counted  map[zone.Name]uint16 // places of names in an asked; never changed
	zones    *zone.Zones          // plain, with serials that secondaries can follow
	plain    *zone.Zones          // as the map has them
	serials  map[zone.Name]uint32
	access   transfer.Access
	rings    *keyring // nil: nothing is signed
	informed bool     // the challenges in zones are what the issuer wants now

	changes  uint64 // of any of this
	prepared uint64 // the change that was the last of what plan.Prepare reads
	planned  uint64 // the change that was the last of what a plan hangs on
}

// changed notes a change of what is told beside plans.
func (in *inputs) changed() { in.changes++ }

// replanned notes a change of what plan.Prepared.Compile reads.
func (in *inputs) replanned() {
	in.changes++
	in.planned = in.changes
}

// upset notes a change of what plan.Prepare reads.
func (in *inputs) upset() {
	in.replanned()
	in.prepared = in.changes
}

// publish returns when answers go by all that was set before it was called.
// Plans are made one at a time and with s.mu free: they may take a second in a
// large world.
func (s *Server) publish() {
	s.making.Lock()
	defer s.making.Unlock()
	before, began := s.current.Load(), time.Now()
	now := before
	for made := false; ; made = true {
		s.mu.Lock()
		in := s.in
		if in.zones == nil || now != nil && now.in.changes == in.changes {
			if made {
				s.took = time.Since(began)
				s.current.Store(now)
				s.tellLoad(before, now)
			}
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		aside(func() { // and what changed meanwhile is made of this
			now = s.snapshot(in, now)
			s.sooner(now)
			now.ahead()
		})
	}
}

// tellLoad logs when clients begin, or cease, to ask for more than all edges can
// serve.
func (s *Server) tellLoad(before, now *snapshot) {
	was, is := before != nil && before.plan.Overloaded(), now.plan.Overloaded()
	switch {
	case is && !was:
		s.log.Warn("clients ask for more than all edges together can serve", "requests", now.plan.Demand())
	case was && !is:
		s.log.Warn("edges can serve all that clients ask for again", "requests", now.plan.Demand())
	}
}

// snapshot makes one of inputs, and of what still holds of the one before.
func (s *Server) snapshot(in inputs, before *snapshot) *snapshot {
	next := &snapshot{
		in: in, resolvers: s.resolvers, counter: s.count.edge, online: s.online, uninformed: !in.informed,
	}
	next.secure(before)
	switch {
	case before != nil && before.in.planned == in.planned:
		next.keep(before)
	case before != nil && before.in.prepared == in.prepared:
		next.settle(before.prepared, before.prepared.Compile(state(in)))
	default:
		p := plan.Prepare(in.Input)
		next.settle(p, p.Compile(state(in)))
	}
	next.vary(before)
	return next
}

// sooner has answers go by a snapshot before all is signed that may be, if an
// edge died, or if there was none before it.
func (s *Server) sooner(now *snapshot) {
	before := s.current.Load()
	if before != nil && maps.Equal(before.in.Down, now.in.Down) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.changes == now.in.changes {
		s.current.Store(now)
	}
}

func state(in inputs) plan.State { return plan.State{Down: in.Down, Demand: in.Demand} }

// hasten has answers go by a new verdict while something larger is in the
// making, by what they went by until now.
func (s *Server) hasten() {
	now := s.current.Load()
	if now == nil {
		return
	}
	s.mu.Lock()
	in := now.in
	in.Down = s.in.Down
	s.mu.Unlock()
	next := *now
	next.settle(now.prepared, now.prepared.Compile(state(in)))
	next.vary(now)
	s.current.CompareAndSwap(now, &next)
}
