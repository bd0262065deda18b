package warm

import (
	"cmp"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/mesh/front"
)

// Defaults of DoorConfig.
const (
	DefaultAllowance = 8 << 20
	DefaultWaiting   = 64
)

// paddingPace is how many bytes of padding a second all peers together get.
const paddingPace = 2 << 20

// maxGuests is how many peers are remembered before those that ask for
// nothing are forgotten.
const maxGuests = 1024

var errWaiting = errors.New("mesh stream: too many of the peer's have not begun")

// DoorConfig says what a peer may ask for.
type DoorConfig struct {
	// Allowance is how many bytes of padding a peer gets in each period of
	// Every, at most; 0 means 8 MiB, negative is none. Then it gets less than it
	// asks for.
	Allowance int64
	Every     time.Duration // 0 means ten minutes
	// Rate is how many bits a second may leave; 0 is not known. Padding is a
	// quarter of them at most, and no more than a tenth of a second at a time.
	Rate int64
	// Sure reports whether the way to a peer is known to be good. While it is
	// not, it gets no padding. nil is always sure. It must return soon and not
	// call the door.
	Sure func(netip.Addr) bool
	// Waiting is how many streams a peer may have that have not begun; 0
	// means 64. More are reset.
	Waiting int
	Log     *slog.Logger // nil means silence
}

// Door reads the preambles of accepted streams and answers them, before
// services see any.
type Door struct {
	cfg   DoorConfig
	log   *slog.Logger
	zeros []byte

	begun, bad, refused, padding atomic.Uint64

	mu     sync.Mutex
	guests map[netip.Addr]*guest
	turn   time.Time // until then nobody else gets padding
}

// guest is a peer with streams that have not begun, or that was sent padding.
type guest struct {
	waiting int
	left    int64 // of its allowance, at the time
	at      time.Time
}

// DoorStats counts what came.
type DoorStats struct {
	Begun   uint64 `metric:"streams_begun_total" help:"Accepted streams whose preamble said go."`
	Bad     uint64 `metric:"preambles_bad_total" help:"Accepted streams reset for a preamble that makes no sense."`
	Refused uint64 `metric:"streams_refused_total" help:"Accepted streams reset because their peer had too many that had not begun."`
	Padding uint64 `metric:"padding_sent_bytes_total" help:"Bytes sent to peers only to learn the path to them."`
}

// NewDoor makes a door.
func NewDoor(cfg DoorConfig) *Door {
	cfg.Allowance = cmp.Or(cfg.Allowance, DefaultAllowance)
	cfg.Every, cfg.Waiting = cmp.Or(cfg.Every, DefaultEvery), cmp.Or(cfg.Waiting, DefaultWaiting)
	if cfg.Sure == nil {
		cfg.Sure = func(netip.Addr) bool { return true }
	}
	return &Door{
		cfg: cfg, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
		zeros: make([]byte, 16<<10), guests: map[netip.Addr]*guest{},
	}
}

// Stats tells what came.
func (d *Door) Stats() DoorStats {
	return DoorStats{Begun: d.begun.Load(), Bad: d.bad.Load(), Refused: d.refused.Load(), Padding: d.padding.Load()}
}

// Answer is what to call for accepted streams, so that deliver is called for
// those that begin. They are to be Started, and hear the service's bytes only.
func (d *Door) Answer(deliver func(front.Stream)) (accept func(front.Stream)) {
	return func(s front.Stream) {
		if !d.enter(s.Remote().Addr()) {
			d.refused.Add(1)
			s.Abort(errWaiting)
			return
		}
		s.Start(&visitor{door: d, stream: s, deliver: deliver})
	}
}

func (d *Door) enter(addr netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guests[addr]
	if g == nil {
		d.forget()
		g = &guest{left: d.cfg.Allowance, at: time.Now()}
		d.guests[addr] = g
	}
	if g.waiting >= d.cfg.Waiting {
		return false
	}
	g.waiting++
	return true
}

func (d *Door) leave(addr netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.guests[addr].waiting--
}

// forget makes room, if it is needed, by those that would begin anew as they
// are.
func (d *Door) forget() {
	if len(d.guests) < maxGuests {
		return
	}
	now := time.Now()
	for addr, g := range d.guests {
		if d.refill(g, now); g.waiting == 0 && g.left == d.cfg.Allowance {
			delete(d.guests, addr)
		}
	}
}

func (d *Door) refill(g *guest, now time.Time) {
	more := float64(d.cfg.Allowance) * float64(now.Sub(g.at)) / float64(d.cfg.Every)
	g.left, g.at = min(d.cfg.Allowance, g.left+int64(more)), now
}

// grant says how much of the padding that it asks for a peer gets: nothing
// while the way to it is in doubt, or another's is under way.
func (d *Door) grant(addr netip.Addr, padding int) int {
	sure := d.cfg.Sure(addr)
	d.mu.Lock()
	defer d.mu.Unlock()
	g, now := d.guests[addr], time.Now()
	d.refill(g, now)
	n := min(int64(padding), max(0, g.left))
	pace := int64(paddingPace)
	if d.cfg.Rate > 0 {
		pace = min(pace, max(1, d.cfg.Rate/8/4))
		n = min(n, d.cfg.Rate/8/10)
	}
	if !sure || now.Before(d.turn) {
		n = 0
	}
	d.turn = later(d.turn, now.Add(time.Duration(float64(n)/float64(pace)*float64(time.Second))))
	g.left -= n
	d.padding.Add(uint64(n))
	return int(n)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// visitor is the sink of a stream that has not begun.
type visitor struct {
	door    *Door
	stream  front.Stream
	deliver func(front.Stream)
	reader  reader
	head    []byte // of the answer; not yet written
	padding int    // behind it
	gone    bool
}

// Data implements landfall.Sink.
func (v *visitor) Data(b []byte) int {
	n := 0
	for n < len(b) && !v.gone {
		used, q, ok, err := v.reader.read(b[n:])
		n += used
		switch {
		case err != nil, len(v.head)+v.padding > 0:
			v.bad() // or it asks before it has heard the answer
			return len(b)
		case !ok:
		case q.padding > 0:
			v.padding = v.door.grant(v.stream.Remote().Addr(), q.padding)
			v.head = binary.BigEndian.AppendUint32(nil, uint32(v.padding))
			v.stream.Mark(landfall.Bulk) // nobody waits for it, whoever asks
			v.pump()
		default:
			v.begin(q.class)
		}
	}
	return n
}

func (v *visitor) bad() {
	v.door.bad.Add(1)
	v.door.log.Debug("bad preamble", "remote", v.stream.Remote())
	v.leave()
	v.stream.Abort(errPreamble)
}

func (v *visitor) leave() {
	if !v.gone {
		v.gone = true
		v.door.leave(v.stream.Remote().Addr())
	}
}

// begin gives the stream away.
func (v *visitor) begin(c landfall.Class) {
	v.leave()
	v.stream.Mark(c)
	if n, err := v.stream.Write([]byte{taken}); n == 0 || err != nil {
		v.stream.Abort(cmp.Or(err, errPreamble))
		return
	}
	v.door.begun.Add(1)
	v.stream.Start(nil)
	v.deliver(v.stream)
}

// pump writes of the answer what there is room for.
func (v *visitor) pump() {
	for len(v.head)+v.padding > 0 {
		piece := v.head
		if len(piece) == 0 {
			piece = v.door.zeros[:min(len(v.door.zeros), v.padding)]
		}
		n, err := v.stream.Write(piece)
		if len(v.head) > 0 {
			v.head = v.head[n:]
		} else {
			v.padding -= n
		}
		if err != nil || n < len(piece) {
			return // Writable goes on, or Closed ends it
		}
	}
}

// Writable implements landfall.Sink.
func (v *visitor) Writable() { v.pump() }

// EOF implements landfall.Sink: the opener no longer wants it.
func (v *visitor) EOF() { v.stream.Close() }

// Closed implements landfall.Sink.
func (v *visitor) Closed(error) { v.leave() }
