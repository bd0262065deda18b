package udp

import "sync/atomic"

// Stats are the numbers of a Conn. Datagrams per call, and Segmented among
// Sent, say what batches bring.
type Stats struct {
	Received   uint64 `metric:"received_total" help:"Datagrams read."`
	Reads      uint64 `metric:"read_calls_total" help:"System calls that read datagrams."`
	Coalesced  uint64 `metric:"coalesced_total" help:"Datagrams read that the kernel had joined."`
	Cut        uint64 `metric:"cut_total" help:"Datagrams dropped because they were longer than their buffer."`
	Overflowed uint64 `metric:"overflowed_total" help:"Messages that the kernel dropped because nobody read in time, of one datagram or of several joined."`
	Sent       uint64 `metric:"sent_total" help:"Datagrams sent."`
	Writes     uint64 `metric:"write_calls_total" help:"System calls that sent datagrams, or tried to."`
	Messages   uint64 `metric:"messages_total" help:"Messages sent, of one datagram or of several for the kernel to split."`
	Segmented  uint64 `metric:"segmented_total" help:"Datagrams sent that the kernel split."`
	Waits      uint64 `metric:"waits_total" help:"Times that the socket was full, so that what was to be sent waited."`
	TooBig     uint64 `metric:"too_big_total" help:"Datagrams larger than the first hop carries."`
	Unsent     uint64 `metric:"unsent_total" help:"Datagrams that could not be sent for another reason."`
	Refused    uint64 `metric:"refused_total" help:"Errors heard for datagrams sent earlier: refused, unreachable."`
	Segmenting int64  `metric:"segmenting" help:"1 while the kernel is asked to split what is sent."`
}

// counters are Stats that are counted.
type counters struct {
	received, reads, coalesced, cut, overflowed       atomic.Uint64
	sent, writes, messages, segmented, tooBig, unsent atomic.Uint64
	refused, waits                                    atomic.Uint64
	segmenting                                        atomic.Bool
}

func (c *counters) Stats() Stats {
	s := Stats{
		Received: c.received.Load(), Reads: c.reads.Load(), Coalesced: c.coalesced.Load(),
		Cut: c.cut.Load(), Overflowed: c.overflowed.Load(),
		Sent: c.sent.Load(), Writes: c.writes.Load(), Messages: c.messages.Load(), Segmented: c.segmented.Load(),
		Waits: c.waits.Load(), TooBig: c.tooBig.Load(), Unsent: c.unsent.Load(), Refused: c.refused.Load(),
	}
	if c.segmenting.Load() {
		s.Segmenting = 1
	}
	return s
}
