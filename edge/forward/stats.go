package forward

import "sync/atomic"

// Stats counts what was carried. Faults and Statuses have all their labels
// from the start.
type Stats struct {
	Requests    uint64            `metric:"requests_total" help:"Requests taken on."`
	Open        int64             `metric:"requests_open" help:"Requests not yet answered in full, upgraded ones among them."`
	Upgraded    int64             `metric:"upgraded_open" help:"Open WebSockets and their like."`
	Retries     uint64            `metric:"retries_total" help:"Requests sent again or to another target."`
	Statuses    map[string]uint64 `metric:"responses_total" label:"class" help:"Answers by class of status."`
	Faults      map[string]uint64 `metric:"faults_total" label:"fault" help:"Requests not answered in full, by who was to blame."`
	Slow        map[string]uint64 `metric:"slow_total" label:"way" help:"Requests cut because the client was too slow, up (sending it) or down (taking the answer)."`
	Dials       map[string]uint64 `metric:"dials_total" label:"kind" help:"Connections first used on a spare or after a direct dial, and failed dials of either kind."`
	SparesReady int64             `metric:"spares_ready" help:"Connections that wait for a request."`
}

// tally is what all exchanges count into.
type tally struct {
	requests, retries atomic.Uint64
	open, upgraded    atomic.Int64
	statuses          [6]atomic.Uint64 // by first digit
	client, mesh      atomic.Uint64
	origin, ours      atomic.Uint64
	slowUp, slowDown  atomic.Uint64
}

// dials is what all links count into.
type dials struct {
	spare, direct, failed atomic.Uint64
	ready                 atomic.Int64
}

func (t *tally) status(code int) {
	if class := code / 100; class > 0 && class < len(t.statuses) {
		t.statuses[class].Add(1)
	}
}

func (t *tally) fault(f Fault) {
	switch f {
	case Client:
		t.client.Add(1)
	case Mesh:
		t.mesh.Add(1)
	case Origin:
		t.origin.Add(1)
	case Ours:
		t.ours.Add(1)
	}
}

// Stats returns the counts so far.
func (f *Forwarder) Stats() Stats {
	s := f.proxy.tally.stats()
	s.SparesReady = f.dials.ready.Load()
	s.Dials = map[string]uint64{
		"spare":  f.dials.spare.Load(),
		"direct": f.dials.direct.Load(),
		"failed": f.dials.failed.Load(),
	}
	return s
}

func (t *tally) stats() Stats {
	s := Stats{
		Requests: t.requests.Load(),
		Open:     t.open.Load(),
		Upgraded: t.upgraded.Load(),
		Retries:  t.retries.Load(),
		Statuses: make(map[string]uint64),
		Faults: map[string]uint64{
			string(Client): t.client.Load(),
			string(Mesh):   t.mesh.Load(),
			string(Origin): t.origin.Load(),
			string(Ours):   t.ours.Load(),
		},
		Slow: map[string]uint64{"up": t.slowUp.Load(), "down": t.slowDown.Load()},
	}
	for class, name := range []string{1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"} {
		if name != "" {
			s.Statuses[name] = t.statuses[class].Load()
		}
	}
	return s
}
