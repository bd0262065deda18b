package wan

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"net/netip"
	"time"
)

// Record is a packet as it was sent into a Memory.
type Record struct {
	At       time.Duration  // since the Memory was made
	From, To netip.AddrPort // as the sender sees them
	TOS      uint8
	Bytes    []byte // the UDP payload; not to be kept
}

// Trace sums up all packets sent so far: those that were lost, too.
type Trace struct {
	Hash    string          // of time, from, to, first byte, length and TOS of each packet, sorted by these
	Packets uint64          //
	Bytes   uint64          // of UDP payload
	Kinds   map[byte]uint64 // packets by their first byte
}

// tracer hashes records that come in order.
type tracer struct {
	sum     hash.Hash
	line    []byte
	packets uint64
	bytes   uint64
	kinds   [256]uint64
}

func newTracer() tracer { return tracer{sum: sha256.New()} }

func (t *tracer) add(r Record) {
	var first byte
	if len(r.Bytes) > 0 {
		first = r.Bytes[0]
	}
	from, to := r.From.Addr().As16(), r.To.Addr().As16()
	l := binary.BigEndian.AppendUint64(t.line[:0], uint64(r.At))
	l = binary.BigEndian.AppendUint16(append(l, from[:]...), r.From.Port())
	l = binary.BigEndian.AppendUint16(append(l, to[:]...), r.To.Port())
	l = binary.BigEndian.AppendUint32(append(l, first, r.TOS), uint32(len(r.Bytes)))
	t.sum.Write(l)
	t.line = l
	t.packets++
	t.bytes += uint64(len(r.Bytes))
	t.kinds[first]++
}

func (t *tracer) trace() Trace {
	s := Trace{Hash: hex.EncodeToString(t.sum.Sum(nil)), Packets: t.packets, Bytes: t.bytes, Kinds: map[byte]uint64{}}
	for k, n := range t.kinds {
		if n > 0 {
			s.Kinds[byte(k)] = n
		}
	}
	return s
}

// earlier orders parcels as a trace has them. Those that are alike in all of
// this have the same fates whichever comes first.
func earlier(a, b *parcel) int {
	return cmp.Or(a.sent.Compare(b.sent), a.from.Compare(b.from), a.to.Compare(b.to),
		cmp.Compare(a.first(), b.first()), cmp.Compare(len(a.b), len(b.b)), cmp.Compare(a.tos, b.tos))
}
