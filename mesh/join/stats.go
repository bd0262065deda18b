package join

import "sync/atomic"

// counts are what a Server's Stats are read from.
type counts struct {
	open    atomic.Int64
	hellos  atomic.Uint64
	joined  atomic.Uint64
	busy    atomic.Uint64
	gaveWay atomic.Uint64

	reasons [len(codes)]atomic.Uint64
}

// codes are the refusals that a Server says.
var codes = [...]Code{CodeUnknown, CodeUsed, CodeExpired, CodeGone, CodeNetwork, CodeClock, CodeFaulty, CodeAddress, CodeRequest, CodeTrouble}

func (c *counts) refused(code Code) {
	for i, known := range codes {
		if known == code {
			c.reasons[i].Add(1)
		}
	}
}

// Stats are a Server's counters.
type Stats struct {
	Open    int64             `metric:"open" help:"Conversations with servers that want to join, now."`
	Hellos  uint64            `metric:"hellos_total" help:"Questions who we are."`
	Joined  uint64            `metric:"joined_total" help:"Requests to join that were granted, repetitions included."`
	Busy    uint64            `metric:"busy_total" help:"Connections closed unheard: too many at once, or from one address."`
	GaveWay uint64            `metric:"gave_way_total" help:"Conversations with strangers ended for others: too many at once."`
	Refused map[string]uint64 `metric:"refused_total" label:"code" help:"Requests refused."`
}

// Stats returns the counters.
func (s *Server) Stats() Stats {
	c := &s.counts
	out := Stats{c.open.Load(), c.hellos.Load(), c.joined.Load(), c.busy.Load(), c.gaveWay.Load(), map[string]uint64{}}
	for i, code := range codes {
		out.Refused[string(code)] = c.reasons[i].Load()
	}
	return out
}
