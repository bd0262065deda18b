package warm

import (
	"context"
	"slices"
	"time"
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
	dropped bool // the use is no longer kept
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

// mayPad reports whether padding may be asked for, and counts it if so.
func (sh *shelf) mayPad(now time.Time, spares int, every time.Duration) bool {
	sh.padded = slices.DeleteFunc(sh.padded, func(t time.Time) bool { return now.Sub(t) >= every })
	if len(sh.padded) >= spares {
		return false
	}
	sh.padded = append(sh.padded, now)
	return true
}

// fill opens what is missing and warms what has cooled down. It returns when
// to look again.
func (p *Pool) fill(ctx context.Context, now time.Time) time.Duration {
	p.mu.Lock()
	next := p.cfg.Every / looks
	var missing []*shelf
	var cool []*spare
	padding := p.padding()
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
		for _, s := range sh.spares {
			if s.idle() && padding > 0 && now.Sub(s.padded) >= p.cfg.Every && sh.mayPad(now, p.cfg.Spares, p.cfg.Every) {
				s.asked, s.padded = padding, now
				cool = append(cool, s)
			}
		}
	}
	p.mu.Unlock()
	for _, s := range cool {
		s.ask(padding)
	}
	for _, sh := range missing {
		p.busy.Go(func() { p.put(ctx, sh) }) // Run, which waits for it, has called
	}
	return next
}

// padding is how much to ask for at a time.
func (p *Pool) padding() int {
	return min(p.cfg.Padding, p.cfg.Padding*fullPadding/max(1, len(p.uses)))
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
	padding := p.padding()
	pad := padding > 0 && sh.mayPad(now, p.cfg.Spares, p.cfg.Every)
	if pad {
		s.asked, s.padded = padding, now
	}
	p.mu.Unlock()
	stream.Start(s)
	if pad {
		s.ask(padding)
	}
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
