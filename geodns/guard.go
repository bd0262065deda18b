package geodns

import (
	"encoding/binary"
	"net/netip"
	"time"

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
	when   time.Time
	proven bool   // the address is no lie: it has heard from us
	cookie []byte // the data of the query's cookie option
	valid  bool   // the cookie holds ours
	own    extras // what to tell in return
}

// identify finds out whether the address of a query is the asker's, and makes
// the cookie that will prove it next time (RFC 7873, 5.2).
func (s *Server) identify(o *opt, addr netip.Addr, via transport) asker {
	a := asker{addr: addr, when: time.Now(), proven: via != viaUDP, cookie: o.cookie, own: extras{nsid: s.nsid}}
	if o.keepalive && (via == viaTCP || via == viaTLS) {
		a.own.keepalive = s.conns.patience()
	}
	if a.cookie != nil {
		a.valid = s.secret.Valid(a.cookie, addr, a.when)
		a.proven = via != viaUDP || a.valid
		s.count.cookie(a.valid)
		s.secret.Append(a.own.cookie[:0], a.cookie, addr, a.when)
	}
	return a
}

// cookieOnly answers who asks for nothing but a cookie (RFC 7873, 5.4).
func (a *asker) cookieOnly() (rcode int) {
	if len(a.cookie) > cookie.ClientSize && !a.valid {
		return dns.RcodeBadCookie
	}
	return dns.RcodeSuccess
}

// restrain holds back what is more than the network of an unproven asker may
// have. Every other answer is dropped, so that a victim gets fewer packets
// than were sent in its name. The rest are as small as the query, give or take
// the cookie, and tell who does ask how to go on: with that cookie (RFC 7873,
// 5.2.3), else by TCP.
func (s *Server) restrain(r *reply, a *asker, rcode int) (_ int, silent bool) {
	if a.proven || s.limit.Take(a.addr, kindOf(r, rcode), a.when.Sub(s.begun)) {
		return rcode, false
	}
	r.whom = netip.Addr{}
	n := s.count.limited.Add(1)
	if s.flooding.due() {
		s.log.Warn("answers held back", "times", n, "remote", a.addr)
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

// hearsay is how many queries a second are counted for where clients are, of a
// network whose addresses may be lies: what one sender makes up stays little.
const hearsay = 100

// weigh counts whom an answer was for.
func (s *Server) weigh(r *reply, a *asker) {
	if s.traffic != nil && r.whom.IsValid() && (a.proven || s.hearsay.Take(a.addr, limit.Data, a.when.Sub(s.begun))) {
		s.traffic.Add(r.whom)
	}
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
