package geodns

import (
	"net/netip"
	"runtime/debug"
	"time"

	"landfall/geodns/tap"
	"landfall/geodns/tsig"

	"github.com/miekg/dns"
)

// core is what one thread answers with: the query in its hands, its figures
// and its clock. It belongs to that thread alone, so that nothing in it is
// locked, and is used again for each query, so that nothing is allocated.
type core struct {
	s     *Server
	place int       // of its figures among those of other cores
	now   time.Time // read once for all that came together
	since time.Duration
	busy  bool // there is much to do

	book  *book // nil: all answers are made anew
	q     query
	a     asker
	r     reply
	tally tally

	tap *tap.Handle    // nil: operators hear of nothing
	at  netip.AddrPort // where all is sent to that it answers; the zero value is several places
}

// The places of cores: those of sockets come after the one that all others
// share.
const shared = 0

// turn tells the time to what comes next.
func (c *core) turn(now time.Time) {
	c.now, c.since = now, now.Sub(c.s.begun)
}

// respond answers one message that came by itself; an empty answer is silence.
// The answer is built in buf, which is grown if need be and must not overlap
// req.
func (s *Server) respond(req []byte, client netip.AddrPort, via transport, buf []byte) []byte {
	c := s.spare.Swap(nil)
	if c == nil {
		c = &core{s: s, place: shared, tap: s.tap.Shared()}
	}
	c.turn(time.Now())
	out := c.respond(req, client, via, buf)
	c.observe(req, out, client, via)
	c.publish()
	s.spare.Store(c)
	return out
}

// respond is Server.respond of the thread that c is of.
func (c *core) respond(req []byte, client netip.AddrPort, via transport, buf []byte) (out []byte) {
	c.tally[countQueries+int(via)]++
	if silent(req) {
		c.tally[countSilences]++
		return buf[:0]
	}
	defer func() {
		if p := recover(); p != nil {
			out = c.fail(req, buf, p)
		}
	}()
	session, rcode := c.session(req, c.q.parse(req))
	c.identify(client.Addr(), via)
	c.begin(req, buf, via, session)
	r, news := &c.r, false
	switch {
	case rcode != dns.RcodeSuccess:
	case len(c.q.question) == 0:
		rcode = c.a.cookieOnly()
	default:
		rcode, news = c.answer(client.Addr())
	}
	rcode, silent := c.restrain(rcode)
	if silent {
		return buf[:0]
	}
	if news && rcode == dns.RcodeSuccess {
		c.note()
	}
	c.answered(rcode)
	c.weigh()
	out = r.finish(rcode)
	if session != nil && r.signable() {
		c.s.heard(r, client.Addr())
		out = session.Sign(out, c.now)
	}
	return out
}

// begin starts the reply to a query, with as much room as its asker may have.
func (c *core) begin(req, buf []byte, via transport, session *tsig.Session) {
	limit := c.q.opt.limit()
	if via != viaUDP {
		limit = dns.MaxMsgSize - 1
	}
	proofs := c.r.proofs[:0] // their room is used again
	c.r = newReply(buf, req, &c.q, limit, &c.a.own)
	r := &c.r
	r.proofs, r.proven, r.via, r.since = proofs, c.a.proven, via, c.since
	if session != nil {
		r.limit -= session.Size()
		r.truncated = !r.signable()
		if session.Error() == 0 {
			r.signer = session.Key()
		}
	}
	r.gain = c.gain(len(req), limit)
}

// fail answers a query that we could not bear.
func (c *core) fail(req, buf []byte, cause any) []byte {
	c.s.faulty(cause)
	r := newReply(buf, req, &query{}, dns.MinMsgSize, &extras{})
	c.tally[countAnswers+dns.RcodeServerFailure]++
	return r.finish(dns.RcodeServerFailure)
}

// faulty counts a fault of ours. The log hears of the first, the second, the
// fourth, the eighth…: a query that harms us comes again.
func (s *Server) faulty(cause any) {
	if n := s.count.panics.Add(1); n&(n-1) == 0 {
		s.log.Error("query: panic", "err", cause, "times", n, "stack", string(debug.Stack()))
	}
}
