package landfall

import "time"

// Class says how urgent the bytes of a stream are.
type Class uint8

// The classes, most urgent last. The zero Class is Normal.
const (
	Normal      Class = iota // pages, API calls
	Bulk                     // downloads and uploads: may wait
	Interactive              // chat messages, WebSockets
	Control                  // maps, certificates, probes
)

// Target says where a stream on the mesh goes.
type Target struct {
	Node     NodeID
	Service  MeshService
	Class    Class
	Deadline time.Time // when opening must have succeeded; zero leaves it to the context
}

// Stream is a two-way flow of bytes whose owner keeps no goroutine for it:
// writes never block, and what arrives is handed to a Sink. All methods may
// be called from any goroutine, also from within the Sink's.
type Stream interface {
	// Write takes as many bytes as there is room for and never blocks. When
	// it takes fewer than len(b) it returns a nil error, and the Sink hears
	// Writable once there is room again.
	Write(b []byte) (n int, err error)
	// Resume asks for Data again after the Sink took less than it was given.
	Resume()
	// CloseWrite ends our half; the peer reads to the end of what was written.
	CloseWrite() error
	// Close ends both halves at once. The Sink still hears Closed, once.
	Close() error
}

// Sink is told what happens on one Stream, one call at a time. Its methods
// must return soon: the carrier waits for them.
type Sink interface {
	// Data hands over bytes that arrived, valid until it returns, and says
	// how many it took. After fewer than len(b) nothing more is handed over
	// until the owner calls Resume; the peer is held back meanwhile.
	Data(b []byte) (taken int)
	// EOF says that the peer ended its half.
	EOF()
	// Writable says that there is room again after a short Write.
	Writable()
	// Closed is the last call: the stream is over, err says why (nil after
	// both halves ended in order or the owner's own Close).
	Closed(err error)
}
