package warm

import (
	"context"
	"slices"
	"time"

	"landfall"
)

// looks is how often within Config.Every spares are looked at.
const looks = 10

// shelf is what stands ready for one use. Pool.mu guards it.
type shelf struct {
	use     Use
	spares  []*spare
	opening int
	fails   int       // in a row
	pause   time.Time // until then nothing is opened
	padded  []time.Time
	refused time.Time // when a peer last had no padding to give
	owed    int       // spares that may still be padded for what was sent last
	dropped bool      // the use is no longer kept
}

// clear takes all off the shelf.
func (sh *shelf) clear() []*spare {
	out := sh.spares
	sh.spares = nil
	return out
}

// failed makes the shelf wait, longer each time. What fails meanwhile does so
// for the same reason.
func (sh *shelf) failed(now time.Time) {
	if now.Before(sh.pause) {
		return
	}
	sh.pause = now.Add(min(maxPause, firstPause<<min(sh.fails, 10)))
	sh.fails++
}

// mayPad reports whether padding may be asked for.
func (sh *shelf) mayPad(now time.Time, spares int, every time.Duration) bool {
	sh.padded = slices.DeleteFunc(sh.padded, func(t time.Time) bool { return now.Sub(t) >= every })
	return sh.owed > 0 && len(sh.padded) < spares && now.Sub(sh.refused) >= every/looks
}

// next is the spare whose padding is due, or nil.
func (sh *shelf) next(now time.Time, every time.Duration) *spare {
	for _, s := range sh.spares {
		if now.Sub(s.padded) >= every {
			return s
		}
	}
	return nil
}

// pad notes that a spare asks for padding.
func (sh *shelf) pad(s *spare, padding int, now time.Time) {
	s.asked, s.padded = padding, now
	sh.padded = append(sh.padded, now)
	sh.owed--
}

// refuse notes that the peer has none to give.
func (sh *shelf) refuse(s *spare, now time.Time) {
	sh.padded = slices.DeleteFunc(sh.padded, s.padded.Equal)
	sh.owed++
	sh.refused, s.padded = now, time.Time{}
}

// sent notes that something goes on a stream of a use: more may follow, and is
// worth padding.
func (p *Pool) sent(u Use) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if sh := p.uses[u]; sh != nil && sh.owed < p.cfg.Spares {
		sh.owed = p.cfg.Spares
		p.look()
	}
}

// fill opens what is missing and warms what has cooled down. It returns when
// to look again.
func (p *Pool) fill(ctx context.Context, now time.Time) time.Duration {
	p.mu.Lock()
	next := p.cfg.Every / looks
	var missing []*shelf
	for u, sh := range p.uses {
		lack := p.cfg.Spares - len(sh.spares) - sh.opening
		switch {
		case !p.cfg.Sure(u.Node):
			next = min(next, lookAgain)
			continue
		case lack > 0 && now.Before(sh.pause):
			next = min(next, sh.pause.Sub(now))
		case lack > 0:
			sh.opening += lack
			missing = append(missing, slices.Repeat([]*shelf{sh}, lack)...)
		}
	}
	cool, padding := p.coolest(now)
	p.mu.Unlock()
	if cool != nil {
		cool.ask(padding)
	}
	for _, sh := range missing {
		p.busy.Go(func() { p.put(ctx, sh) }) // Run, which waits for it, has called
	}
	return next
}

// coolest is the spare that is to ask for padding now, if there is one, and
// how much of it. It waits until no other's is under way.
func (p *Pool) coolest(now time.Time) (cool *spare, padding int) {
	var on *shelf
	for _, sh := range p.uses {
		if slices.ContainsFunc(sh.spares, func(s *spare) bool { return !s.idle() && now.Sub(s.padded) < p.cfg.Every/looks }) {
			return nil, 0
		}
		if on != nil || !sh.mayPad(now, p.cfg.Spares, p.cfg.Every) || !p.cfg.Sure(sh.use.Node) {
			continue
		}
		s, n := sh.next(now, p.cfg.Every), p.padding(sh.use.Node)
		if s != nil && n > 0 {
			on, cool, padding = sh, s, n
		}
	}
	if on != nil {
		on.pad(cool, padding, now)
	}
	return cool, padding
}

// padding is how much to ask a node for at a time: what a connection has to
// carry before it is at the speed of such a way.
func (p *Pool) padding(id landfall.NodeID) int {
	rtt := p.cfg.RTT(id)
	if rtt < near {
		return 0
	}
	pays := min(int64(p.cfg.Padding), int64(paddingRate*rtt.Seconds()))
	return int(min(pays, pays*fullPadding/int64(max(1, len(p.uses)))))
}

// put opens a spare and puts it on its shelf.
func (p *Pool) put(ctx context.Context, sh *shelf) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	stream, err := p.cfg.Open(ctx, sh.use.target(), nil, nil)
	now := time.Now()
	p.mu.Lock()
	sh.opening--
	if err != nil {
		sh.failed(now)
		p.mu.Unlock()
		p.log.Debug("no spare connection", "peer", sh.use.Node, "service", sh.use.Service, "err", err)
		p.look()
		return
	}
	s := &spare{pool: p, shelf: sh, stream: stream, born: now}
	if sh.dropped {
		p.mu.Unlock()
		stream.Close()
		return
	}
	sh.spares = append(sh.spares, s)
	p.mu.Unlock()
	stream.Start(s)
	p.look()
}

// take takes the spare off its shelf that knows its path best, if one is
// there, for an heir.
func (p *Pool) take(u Use, heir *attempt) *spare {
	p.mu.Lock()
	defer p.mu.Unlock()
	sh := p.uses[u]
	if sh == nil {
		return nil
	}
	best := -1
	for i, s := range sh.spares {
		if s.idle() && (best < 0 || s.padded.After(sh.spares[best].padded)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	s := sh.spares[best]
	sh.spares = slices.Delete(sh.spares, best, best+1)
	sh.fails = 0
	heir.stream, heir.opened.now, s.heir = s.stream, heir, heir
	p.look()
	return s
}
