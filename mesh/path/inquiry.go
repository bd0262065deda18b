package path

// Doubts are how many doubts ended how.
type Doubts struct {
	Answered uint64 // by the way that was doubted
	Left     uint64 // by taking another
	Dropped  uint64 // undecided: there was no other way, or nothing more to send
}

// count counts the doubt of a way, the primary now being c.
func (t *Doubts) count(c, on *candidate, answered bool) {
	switch {
	case c != on:
		t.Left++
	case answered:
		t.Answered++
	default:
		t.Dropped++
	}
}

// inquire is what a silence of the peer leads to: on a busy pair, to a doubt.
// A peer that says little may have nothing to say, or think: it is asked on
// both ways as in doubt, but nothing is sent twice unless an answer is late.
func (p *peer) inquire(why string, now instant) {
	d := &p.doubt
	if _, gap := p.hears(); d.since != 0 || gap > 0 && gap <= quiet/2 {
		p.begin(why, true, now)
		d.guess = true
	} else if d.asked == 0 {
		d.asked = now
		p.ignite(now)
	}
}

// heed ends an inquiry that has been answered. If the answer says that what was
// sent before has not been heard, there is something to doubt.
func (p *peer) heed(now instant) {
	d, c := &p.doubt, p.primary
	switch {
	case d.asked == 0:
	case c == nil || !p.active(now):
		d.asked = 0
	case c.proved >= d.asked && c.carry.silent > 0:
		p.begin("the peer has not heard what was sent", true, now)
	case c.proved >= d.asked:
		d.asked = 0
		d.calm(now)
	}
}
