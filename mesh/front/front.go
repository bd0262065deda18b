package front

import (
	"context"
	"net/netip"

	"landfall"
)

// Packets is the side of a front that carries packets: IPv6, whole, one to a
// buffer, each beginning at the offset.
type Packets interface {
	// Read waits for packets that the front sends and says how many there
	// are, and their sizes; os.ErrClosed at the end. It has one caller. The
	// room before the offset, 10 bytes at least, is the front's to use.
	Read(bufs [][]byte, sizes []int, offset int) (n int, err error)
	// Write hands over packets that arrived. Their buffers may be changed. It
	// may be called by many.
	Write(bufs [][]byte, offset int) (int, error)
	// BatchSize is how many buffers Read and Write make use of.
	BatchSize() int
	// Close resets all streams and ends the front; see Streams.
	Close() error
}

// Streams is the side of a front that carries streams.
type Streams interface {
	// Open connects to a port of a peer, in the class of its packets, and
	// sends the first bytes; they must be few (64 KiB always fit). The sink
	// hears of what arrives once Open has returned or first was written,
	// whichever comes first. Errors are those of a kernel's connect, the
	// cause of ctx, and net.ErrClosed after Close.
	Open(ctx context.Context, to netip.AddrPort, class landfall.Class, first []byte, sink landfall.Sink) (Stream, error)
	// Listen calls accept for every stream that peers open to the port, until
	// Unlisten. accept must return soon; the stream is to be Started, or
	// Aborted.
	Listen(port uint16, accept func(Stream)) error
	// Unlisten refuses further streams to the port. Those accepted go on.
	Unlisten(port uint16)
	// Streams counts the open ones.
	Streams() int
	// End ends all streams to and from an address, for a reason that their
	// sinks are told.
	End(addr netip.Addr, why error)
	// Close resets all streams and ends the front. What tells their peers
	// still leaves through Packets.Read for some milliseconds.
	Close() error
}

// Front is both sides.
type Front interface {
	Packets
	Streams
}

// Stream is a stream between two addresses of the mesh.
type Stream interface {
	landfall.Stream
	// Start begins to feed the sink of an accepted stream. Later it hands any
	// stream over to another sink, which is told everything that the one
	// before was not, and asked anew to take what that one has not taken.
	// With nil the stream keeps all to itself until the next Start. The sink
	// before may still be within a call, which ends before the next begins.
	Start(landfall.Sink)
	// Mark says what class our packets have from now on. Accepted streams
	// begin as Normal.
	Mark(landfall.Class)
	// Local is our address and port.
	Local() netip.AddrPort
	// Remote is the peer's address and port; WireGuard vouches for the address.
	Remote() netip.AddrPort
	// Abort resets the stream, for a reason that its sink is told.
	Abort(why error)
}
