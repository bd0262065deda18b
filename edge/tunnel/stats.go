package tunnel

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// Stats counts what a Front has carried. Failed has all its labels from the
// start.
type Stats struct {
	Streams uint64            `metric:"streams_total" help:"Streams with a header."`
	Open    int64             `metric:"streams_open" help:"Streams that have not ended."`
	Shed    uint64            `metric:"streams_shed_total" help:"Quiet streams ended to make room for others."`
	Bytes   map[string]uint64 `metric:"stream_bytes_total" label:"way" help:"Octets carried, up (to the upstream) or down."`
	Failed  map[string]uint64 `metric:"streams_failed_total" label:"why" help:"Streams that were refused or did not end in order: bad header, too many of a peer without one, unknown service, upstream unreachable, no room for upstreams, upstream broke, edge or client broke, node stopped."`
}

type tally struct {
	streams                       atomic.Uint64
	open                          atomic.Int64
	headers, unknown, unreachable atomic.Uint64
	upstream, edge, stopped       atomic.Uint64
	crowded, full                 atomic.Uint64
}

// Stats returns the counts so far.
func (f *Front) Stats() Stats {
	t := &f.tally
	_, shed := f.places.counts()
	return Stats{
		Streams: t.streams.Load(),
		Open:    t.open.Load(),
		Shed:    shed,
		Bytes:   map[string]uint64{"up": f.traffic.Up.Load(), "down": f.traffic.Down.Load()},
		Failed: map[string]uint64{
			"header":      t.headers.Load(),
			"crowded":     t.crowded.Load(),
			"full":        t.full.Load(),
			"unknown":     t.unknown.Load(),
			"unreachable": t.unreachable.Load(),
			"upstream":    t.upstream.Load(),
			"edge":        t.edge.Load(),
			"stopped":     t.stopped.Load(),
		},
	}
}

// silent reports whether a stream ended before it said anything, as those do
// that edges hold ready and do not need.
func silent(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe)
}
