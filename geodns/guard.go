package geodns

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"landfall/geodns/cookie"
	"landfall/geodns/limit"

	"github.com/miekg/dns"
)

// DefaultRate is the limit of answers by UDP where Config says nothing: with
// answers of 1232 bytes, no network gets more than 10 Mbit/s that it may not
// have asked for.
const DefaultRate = 1000

// asker is who asks, as far as we can tell.
type asker struct {
	addr   netip.Addr
	proven bool   // the address is no lie: it has heard from us
	cookie []byte // the data of the query's cookie option
	valid  bool   // the cookie holds ours
	own    extras // what to tell in return
}

// identify finds out whether the address of a query is the asker's, and makes
// the cookie that will prove it next time (RFC 7873, 5.2).
func (c *core) identify(addr netip.Addr, via transport) {
	a, o := &c.a, &c.q.opt
	a.addr, a.proven, a.cookie, a.valid = addr, via != viaUDP, o.cookie, false
	a.own.nsid, a.own.keepalive = c.s.nsid, 0
	if o.keepalive && (via == viaTCP || via == viaTLS) {
		a.own.keepalive = c.s.conns.patience()
	}
	if a.cookie == nil {
		return
	}
	var told []byte
	told, a.valid = c.s.secret.Load().Answer(a.own.cookie[:0], a.cookie, addr, c.now)
	copy(a.own.cookie[:], told)
	if a.valid {
		a.proven = true
		c.tally[countCookies+1]++
	} else {
		c.tally[countCookies]++
	}
}

// cookieOnly answers who asks for nothing but a cookie (RFC 7873, 5.4).
func (a *asker) cookieOnly() (rcode int) {
	if len(a.cookie) > cookie.ClientSize && !a.valid {
		return dns.RcodeBadCookie
	}
	return dns.RcodeSuccess
}

// mostGain is how many times as long as its query an answer may be, by which
// somebody else is hit if the address is a lie. Signatures are longer than that
// now and then: who asks for them has to bear them.
const mostGain = 10

// gain is how long the reply may be without signatures, less what the OPT
// record needs; with it, limit is how long it may be. A client says what it can
// take, not what it must be sent (RFC 6891, 6.2.3): of what is longer it hears
// that there is more, and whoever does ask comes again with a cookie, or by TCP.
func (c *core) gain(query, limit int) int {
	if c.a.proven {
		return c.r.limit
	}
	return min(c.r.limit, mostGain*query-(limit-c.r.limit))
}

// restrain holds back what is more than the network of an unproven asker may
// have. Every other answer is dropped, so that a victim gets fewer packets
// than were sent in its name. The rest are as small as the query, give or take
// the cookie, and tell who does ask how to go on: with that cookie (RFC 7873,
// 5.2.3), else by TCP.
func (c *core) restrain(rcode int) (_ int, silent bool) {
	r, a := &c.r, &c.a
	if a.proven || c.s.limit.Take(a.addr, kindOf(r, rcode), c.since) {
		return rcode, false
	}
	r.whom, r.named = netip.Addr{}, nil
	n := c.s.count.limited.Add(1)
	if c.s.flooding.due() {
		c.s.log.Warn("answers held back", "times", n, "remote", a.addr)
	}
	switch {
	case n%2 == 0:
		return rcode, true
	case a.cookie != nil:
		r.empty()
		r.authoritative, r.truncated, r.scope = false, false, 0
		return dns.RcodeBadCookie, false
	default:
		r.truncated = true
		return rcode, false
	}
}

// How many queries a second of one network are counted for where clients are.
const (
	// hearsay is for one whose addresses may be lies: what one sender makes up
	// stays little.
	hearsay = 100
	// word is for one that has proved its address: that tells who asks, but not
	// that he has the clients he asks for (RFC 7871).
	word = 1000
	// part is of what part of all that is counted it may be, if that is more:
	// a large resolver is, where there is much to count.
	part = 4
	// grains are what an allowance for a second is cut into.
	grains = 1_000_000
)

// few is of how many clients one is counted, for all, by who has much to do.
const few = 8

// weigh counts whom an answer was for.
func (c *core) weigh() {
	t, whom := c.s.traffic, c.r.whom
	if t == nil || !whom.IsValid() || c.busy && rand.Uint32()%few != 0 {
		return
	}
	n := t.Sample()
	if c.busy {
		n *= few
	}
	if n > 0 && c.believed(int(n)) {
		t.AddSome(whom, n)
	}
}

// believed reports whether so many queries may be counted on the word of who
// asks. What is above a network's allowance is left out whoever it is for, so
// that among the clients of a resolver each counts for as much as it asks.
func (c *core) believed(n int) bool {
	kind, rate := limit.Data, hearsay
	if c.a.proven { // by an allowance that others cannot use up in its name
		kind, rate = limit.Nothing, max(word, int(c.s.traffic.Rate()/part))
	}
	return c.s.hearsay.TakeSome(c.a.addr, kind, n*grains/rate, c.since)
}

func kindOf(r *reply, rcode int) limit.Kind {
	switch {
	case rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError:
		return limit.Fault
	case binary.BigEndian.Uint16(r.b[sectionAnswer:]) > 0:
		return limit.Data
	default:
		return limit.Nothing
	}
}
