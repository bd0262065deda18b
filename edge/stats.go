package edge

import (
	"maps"
	"sync/atomic"
)

// Stats are the counts of an edge.
type Stats struct {
	Connections int64             `metric:"connections_open" help:"Connections of clients, upgraded ones among them."`
	Accepted    uint64            `metric:"connections_total" help:"Connections accepted."`
	Shed        uint64            `metric:"connections_shed_total" help:"Idle connections closed to make room."`
	Turned      uint64            `metric:"connections_refused_total" help:"Connections closed at once because their address had its share."`
	Unaccepted  uint64            `metric:"accept_errors_total" help:"Errors of listeners, such as too many open files."`
	Handshakes  map[string]uint64 `metric:"handshakes_total" label:"kind" help:"TLS handshakes completed, full or resumed."`
	Refused     uint64            `metric:"handshakes_refused_total" help:"Handshakes for a host that no service has."`
	Browsers    uint64            `metric:"handshakes_http_refused_total" help:"Handshakes for a service of kind tcp by clients that offer what browsers do."`
	Uncertified uint64            `metric:"handshakes_uncertified_total" help:"Handshakes for which there was no certificate."`
	Misdirected uint64            `metric:"misdirected_total" help:"Requests answered 421."`
	Panics      uint64            `metric:"panics_total" help:"Requests and connections that met a bug."`
	Handed      map[string]uint64 `metric:"connections_handed_total" label:"protocol" help:"Connections handed over by the protocol of their hello."`

	Streams      uint64            `metric:"streams_total" help:"Connections of services of kind tcp."`
	StreamsOpen  int64             `metric:"streams_open" help:"Connections of services of kind tcp that have not ended."`
	StreamBytes  map[string]uint64 `metric:"stream_bytes_total" label:"way" help:"Octets of services of kind tcp, up (from clients) or down."`
	StreamFaults map[string]uint64 `metric:"stream_faults_total" label:"fault" help:"Connections of services of kind tcp that did not end in order, by who was to blame."`
	Ports        map[string]uint64 `metric:"port_open" label:"port" help:"1 for each port of a service of kind tcp that is open, 0 for one that cannot be."`
	PortErrors   uint64            `metric:"port_errors_total" help:"Attempts to open a port of a service of kind tcp that failed."`

	Cancelling uint64            `metric:"connections_cancelling_total" help:"Connections closed because they cancelled too many requests."`
	Throttled  map[string]uint64 `metric:"requests_refused_total" label:"why" help:"Requests answered 503: the address had its share of those under way, or had cancelled too many."`

	Requests    uint64            `metric:"requests_total" help:"Requests forwarded."`
	Open        int64             `metric:"requests_open" help:"Requests not yet answered in full, upgraded ones among them."`
	Upgraded    int64             `metric:"upgraded_open" help:"Open WebSockets and their like."`
	Retries     uint64            `metric:"retries_total" help:"Requests sent again or to another target."`
	Statuses    map[string]uint64 `metric:"responses_total" label:"class" help:"Forwarded requests by class of the answer's status."`
	Faults      map[string]uint64 `metric:"faults_total" label:"fault" help:"Requests not answered in full, by who was to blame."`
	Slow        map[string]uint64 `metric:"slow_total" label:"way" help:"Requests cut because the client was too slow, up (sending it) or down (taking the answer)."`
	Dials       map[string]uint64 `metric:"dials_total" label:"kind" help:"Connections first used on a spare or after a direct dial, and failed dials of either kind."`
	SparesReady int64             `metric:"spares_ready" help:"Connections to targets that wait for a request."`

	Serial   uint64 `metric:"map_serial" help:"Serial of the map in use."`
	Draining int64  `metric:"draining" help:"1 while the map drains this node."`
}

type tally struct {
	full, resumed        atomic.Uint64
	refused, uncertified atomic.Uint64
	browsers             atomic.Uint64
	misdirected, panics  atomic.Uint64
	unaccepted           atomic.Uint64
	portErrors           atomic.Uint64
}

func (t *tally) handshake(resumed bool) {
	if resumed {
		t.resumed.Add(1)
	} else {
		t.full.Add(1)
	}
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	f, v := s.forward.Stats(), s.view.Load()
	out := Stats{
		Connections: int64(s.guests.open()),
		Accepted:    s.guests.total.Load(),
		Shed:        s.guests.shed.Load(),
		Turned:      s.guests.turned.Load(),
		Unaccepted:  s.tally.unaccepted.Load(),
		Handshakes:  map[string]uint64{"full": s.tally.full.Load(), "resumed": s.tally.resumed.Load()},
		Refused:     s.tally.refused.Load(),
		Browsers:    s.tally.browsers.Load(),
		Uncertified: s.tally.uncertified.Load(),
		Misdirected: s.tally.misdirected.Load(),
		Panics:      s.tally.panics.Load(),
		Cancelling:  s.guests.cancelled.Load(),
		Throttled:   map[string]uint64{"share": s.guests.greedy.Load(), "cancels": s.guests.hasty.Load()},
		Requests:    f.Requests,
		Open:        f.Open,
		Upgraded:    f.Upgraded,
		Retries:     f.Retries,
		Statuses:    f.Statuses,
		Faults:      f.Faults,
		Slow:        f.Slow,
		Dials:       f.Dials,
		SparesReady: f.SparesReady,
		Serial:      uint64(v.serial),

		Handed:       make(map[string]uint64),
		Streams:      s.streams.total.Load(),
		StreamsOpen:  s.streams.open.Load(),
		StreamBytes:  map[string]uint64{"up": s.streams.traffic.Up.Load(), "down": s.streams.traffic.Down.Load()},
		StreamFaults: s.streams.faults(),
		Ports:        maps.Clone(*s.ports.Load()),
		PortErrors:   s.tally.portErrors.Load(),
	}
	for name, h := range s.hands {
		out.Handed[name] = h.taken.Load()
	}
	if !v.draining.IsZero() {
		out.Draining = 1
	}
	return out
}
