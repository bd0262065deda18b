package packet

import "net/netip"

const (
	// Most is how many messages a Batch has at most.
	Most = 64
	// MaxMessage is how long a message may be; of a longer one, only so much is
	// read. What name servers tell others to send at most is less (RFC 9715, 3).
	MaxMessage = 1600
	// maxAnswer is the room for an answer. A longer one has to find its own.
	maxAnswer = 1344
)

// Neither length is a power of two, so that the beginnings of messages, which
// is all that is looked at of most, do not meet in the same few lines of cache.

// Batch is messages that have come in together, and their answers. It is its
// Loop's, and nobody's after the handler has returned.
type Batch struct {
	n       int
	in      [Most][MaxMessage]byte
	out     [Most][maxAnswer]byte
	lengths [Most]int // of in
	from    [Most]netip.AddrPort
	answers [Most][]byte // empty: silence
}

// Len is how many messages there are.
func (b *Batch) Len() int { return b.n }

// Message is one of them.
func (b *Batch) Message(i int) []byte { return b.in[i][:b.lengths[i]:b.lengths[i]] }

// From is where it came from. The address of an IPv4 client of an IPv6 socket
// is an IPv4 address.
func (b *Batch) From(i int) netip.AddrPort { return b.from[i] }

// Room is an empty slice with room for an answer of any length that suits
// datagrams.
func (b *Batch) Room(i int) []byte { return b.out[i][:0] }

// Answer sets what goes back to where message i came from, once the handler
// has returned; what is empty is not sent.
func (b *Batch) Answer(i int, msg []byte) { b.answers[i] = msg }
