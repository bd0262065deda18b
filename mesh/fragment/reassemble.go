package fragment

import (
	"errors"
	"net/netip"
	"time"
)

// Timeout is how long the parts of a datagram are waited for, from the first
// of them on.
const Timeout = time.Second

// Places for datagrams that are not whole yet, each of MaxSize bytes. A place
// is allocated when it is first needed, and then kept.
const (
	placesKnown   = 128
	placesStrange = 32
	share         = 4 // no source has more than one in share of the places
)

// Why Add refuses a part, beside ErrMalformed.
var (
	ErrDuplicate    = errors.New("fragment heard before")
	ErrInconsistent = errors.New("fragment contradicts another of its datagram")
)

// Stats counts what happened to parts, since the Reassembler was made.
type Stats struct {
	Parts        uint64 `metric:"received_total" help:"Fragments received."`
	Whole        uint64 `metric:"reassembled_total" help:"Datagrams put together from fragments."`
	Malformed    uint64 `metric:"malformed_total" help:"Fragments dropped because nobody makes such."`
	Duplicates   uint64 `metric:"duplicate_total" help:"Fragments dropped because they were heard before."`
	Inconsistent uint64 `metric:"inconsistent_total" help:"Fragments dropped because they contradict others."`
	Expired      uint64 `metric:"expired_total" help:"Datagrams given up because fragments were missing for too long."`
	Evicted      uint64 `metric:"evicted_total" help:"Datagrams given up to make room for others."`
}

// Reassembler puts datagrams together. The zero Reassembler is ready. It is
// not safe for concurrent use.
type Reassembler struct {
	known, strange []place
	stats          Stats
	ecn            uint8
	chance         uint64 // of all ids so far, of which strangers do not know all
}

// place holds a datagram that is not whole yet.
type place struct {
	busy  bool
	from  netip.AddrPort
	id    uint32
	total uint16
	count uint8
	heard uint8 // bit i: part i is here
	ecn   uint8
	since time.Time
	data  *[MaxSize]byte
}

// Add takes a part that came from an address, with the ECN bits of its header.
// Known says that it is Genuine, and from a peer of ours: strangers have fewer
// places, of their own. The datagram is nil until the part was its last; it stays as it
// is until the next Add.
func (r *Reassembler) Add(from netip.AddrPort, known bool, ecn uint8, b []byte, now time.Time) (datagram []byte, err error) {
	r.stats.Parts++
	p, err := parse(b)
	if err != nil {
		r.stats.Malformed++
		return nil, err
	}
	r.chance = (r.chance^uint64(p.id))*0x9e3779b97f4a7c15 + 1
	room, limit := &r.strange, placesStrange
	if known {
		room, limit = &r.known, placesKnown
	}
	d := r.find(*room, from, p.id, now)
	if d == nil {
		d = r.take(room, limit, from, now)
		d.id, d.total, d.count, d.ecn = p.id, uint16(p.total), uint8(p.count), ecn
	}
	switch bit := uint8(1) << p.index; {
	case int(d.total) != p.total || int(d.count) != p.count:
		r.stats.Inconsistent++
		return nil, ErrInconsistent
	case d.heard&bit != 0:
		r.stats.Duplicates++
		return nil, ErrDuplicate
	default:
		d.heard |= bit
	}
	if ecn == ce {
		d.ecn = ce
	}
	copy(d.data[p.at():], p.body)
	if int(d.heard) != 1<<p.count-1 {
		return nil, nil
	}
	d.busy, r.ecn = false, d.ecn
	r.stats.Whole++
	return d.data[:d.total], nil
}

// ECN is that of the datagram that Add has just given: Congestion Experienced
// if any part had met it (RFC 3168, 5.3), else that of the first to come.
func (r *Reassembler) ECN() uint8 { return r.ecn }

// ce is Congestion Experienced (RFC 3168, 5).
const ce = 3

// Stats are the counters so far.
func (r *Reassembler) Stats() Stats { return r.stats }

// find is the place of a datagram that has been begun.
func (r *Reassembler) find(room []place, from netip.AddrPort, id uint32, now time.Time) *place {
	for i := range room {
		d := &room[i]
		if !d.busy {
			continue
		}
		if now.Sub(d.since) > Timeout {
			d.busy = false
			r.stats.Expired++
			continue
		}
		if d.id == id && d.from == from {
			return d
		}
	}
	return nil
}

// take makes a place for a datagram from a source: a free one, a new one, or,
// if there is none or the source has its share, any of the source that has
// most.
func (r *Reassembler) take(room *[]place, limit int, from netip.AddrPort, now time.Time) *place {
	free, mine := -1, 0
	for i := range *room {
		switch d := &(*room)[i]; {
		case !d.busy:
			free = i
		case d.from == from:
			mine++
		}
	}
	switch {
	case mine >= limit/share:
		free = r.any(*room, from)
		r.stats.Evicted++
	case free >= 0:
	case len(*room) < limit:
		*room = append(*room, place{data: new([MaxSize]byte)})
		free = len(*room) - 1
	default:
		free = r.any(*room, greediest(*room))
		r.stats.Evicted++
	}
	d := &(*room)[free]
	*d = place{busy: true, from: from, since: now, data: d.data}
	return d
}

// any is one of a source's places: whoever sends parts in its name must not
// know which of its own he pushes out.
func (r *Reassembler) any(room []place, from netip.AddrPort) int {
	var found [placesKnown]int
	n := 0
	for i := range room {
		if d := &room[i]; d.busy && d.from == from {
			found[n] = i
			n++
		}
	}
	return found[r.chance>>32%uint64(n)]
}

// greediest is the source that has most of a room without a free place. Of
// those that have the same number it is the one that has the oldest.
func greediest(room []place) netip.AddrPort {
	counts := make(map[netip.AddrPort]int, len(room))
	for i := range room {
		counts[room[i].from]++
	}
	best := &room[0]
	for i := range room {
		d := &room[i]
		more := counts[d.from] - counts[best.from]
		if more > 0 || more == 0 && d.since.Before(best.since) {
			best = d
		}
	}
	return best.from
}
