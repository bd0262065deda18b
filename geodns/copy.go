package geodns

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"landfall/geodns/transfer"
	"landfall/geodns/tsig"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// handed counts what secondaries asked for.
type handed struct {
	whole, differences, alone, failed, refused, unbelieved atomic.Uint64
}

// session is that of a signed query; nil for one that is not signed. The rcode
// is that given, or why the query is refused.
func (c *core) session(req []byte, rcode int) (*tsig.Session, int) {
	extra := int(binary.BigEndian.Uint16(req[10:]))
	if rcode != dns.RcodeSuccess || extra == 0 || extra == 1 && c.q.opt.present {
		return nil, rcode
	}
	at, ok := tsig.Find(req)
	if ok && at == 0 {
		return nil, rcode
	}
	var session *tsig.Session
	if ok {
		session, ok = c.s.secrets.Verify(req, at, c.now)
	}
	switch {
	case !ok:
		return nil, dns.RcodeFormatError
	case session.Error() != 0: // RFC 8945, 5.2
		c.s.handed.unbelieved.Add(1)
		return session, dns.RcodeNotAuth
	}
	return session, rcode
}

// signer is the key that a query is signed with; empty: none.
func signer(session *tsig.Session) zone.Name {
	if session == nil {
		return ""
	}
	return session.Key()
}

// signable reports whether there is room for a signature. Where there is none
// even beside the question, by names as long as they may be, an answer without
// one says to come again by TCP: it is no longer than the client takes.
func (r *reply) signable() bool { return r.limit >= headerSize+len(r.q.question) }

// copying is a zone, or its differences, on the way to a secondary. Nothing in
// it points into the query, whose place another takes.
type copying struct {
	s       *Server
	asked   transfer.Request
	opt     opt
	own     extras
	session *tsig.Session // nil: nothing is signed
	all     iter.Seq[transfer.Record]
	count   *atomic.Uint64
	done    func() // the secondary has it
}

// transfer is what a query asks to be sent, if whoever sent it may have it; nil
// for all other queries, which respond answers.
func (s *Server) transfer(req []byte, client netip.AddrPort) *copying {
	if silent(req) || !asksTransfer(req) {
		return nil
	}
	c := &core{s: s, place: shared}
	c.turn(time.Now())
	session, rcode := c.session(req, c.q.parse(req))
	if rcode != dns.RcodeSuccess || c.q.class != dns.ClassINET {
		return nil
	}
	apex := zone.Name(c.q.lower())
	history := s.histories()[apex]
	if history == nil || !s.admits(apex, client.Addr(), signer(session)) {
		return nil
	}
	t := &copying{s: s, session: session, own: extras{nsid: s.nsid}}
	t.opt = opt{present: c.q.opt.present, do: c.q.opt.do, nsid: c.q.opt.nsid}
	t.asked = transfer.Request{Header: [headerSize]byte(req), Question: slices.Clone(c.q.question), Apex: apex}
	t.all, t.count = history.Whole(), &s.handed.whole
	if c.q.rrtype == dns.TypeIXFR {
		serial, ok := knownSerial(req)
		if !ok {
			return nil
		}
		t.all, t.count = s.since(history, serial)
	}
	t.done = func() { s.notifier.Seen(apex, client.Addr(), signer(session), history.Serial()) }
	return t
}

// since is what a secondary needs that has a serial.
func (s *Server) since(h *transfer.History, serial uint32) (iter.Seq[transfer.Record], *atomic.Uint64) {
	all, whole := h.Since(serial)
	switch {
	case whole:
		return all, &s.handed.whole
	case transfer.Newer(h.Serial(), serial):
		return all, &s.handed.differences
	}
	return all, &s.handed.alone
}

// admits reports whether somebody may have a zone.
func (s *Server) admits(apex zone.Name, from netip.Addr, key zone.Name) bool {
	snap := s.current.Load()
	return snap != nil && snap.in.access.Allows(apex, from, key)
}

// send sends all of it, message by message.
func (t *copying) send(emit func([]byte) error) {
	if t.session != nil {
		t.asked.Reserve += t.session.Size()
	}
	tail := t.opt.appendOPT(nil, dns.RcodeSuccess, 0, &t.own)
	t.asked.Reserve += len(tail)
	err := t.asked.Send(t.all, func(msg []byte) error {
		if len(tail) > 0 {
			msg = append(msg, tail...)
			msg[11] = 1
		}
		if t.session != nil {
			msg = t.session.Sign(msg, time.Now())
		}
		return emit(msg)
	})
	if err != nil {
		t.s.handed.failed.Add(1)
		t.s.log.Info("zone not sent to its end", "zone", t.asked.Apex.String(), "err", err)
		return
	}
	t.count.Add(1)
	t.done()
}

// alone answers who asks for a transfer by what cannot carry one: with the SOA
// record, from which is seen whether there is anything to come for by TCP (RFC
// 1995, 2). A whole zone is only ever asked for by TCP (RFC 5936, 4.2). Of a
// name that is no zone's here there is nothing to send (RFC 5936, 2.2.1).
func (s *Server) alone(r *reply, snap *snapshot, client netip.Addr) (rcode int) {
	z := snap.zones.Of(r.q.name)
	if z == nil || z.Apex != r.q.name {
		return dns.RcodeNotAuth
	}
	if r.q.rrtype != dns.TypeIXFR || !snap.in.access.Allows(z.Apex, client, r.signer) {
		s.handed.refused.Add(1)
		return dns.RcodeRefused
	}
	s.handed.alone.Add(1)
	m := z.Find(z.Apex)
	soa, _ := m.Node.Set(dns.TypeSOA)
	r.authoritative = true
	r.apex = z.Apex
	r.set(sectionAnswer, z.Apex, soa)
	return dns.RcodeSuccess
}

// heard notes that a secondary has asked for a serial, and so knows it.
func (s *Server) heard(r *reply, client netip.Addr) {
	name := zone.Name(r.q.lower())
	if h := s.histories()[name]; h != nil && r.signer != "" && r.q.rrtype == dns.TypeSOA {
		s.notifier.Seen(name, client, r.signer, h.Serial())
	}
}

// asksTransfer reports whether the question of a message is for a transfer.
func asksTransfer(msg []byte) bool {
	r := reader{msg: msg, off: headerSize}
	if binary.BigEndian.Uint16(msg[4:]) != 1 || !r.skipName(false) || len(msg)-r.off < 4 {
		return false
	}
	rrtype := binary.BigEndian.Uint16(msg[r.off:])
	return rrtype == dns.TypeAXFR || rrtype == dns.TypeIXFR
}

// knownSerial is the serial that who asks for differences has: that of the SOA
// record in the authority section (RFC 1995, 3).
func knownSerial(msg []byte) (serial uint32, ok bool) {
	r := reader{msg: msg, off: headerSize}
	r.skipName(false)
	r.off += 4
	if binary.BigEndian.Uint16(msg[6:]) != 0 || binary.BigEndian.Uint16(msg[8:]) != 1 {
		return 0, false
	}
	soa, ok := r.record()
	const times = 20 // what follows the names (RFC 1035, 3.3.13)
	if !ok || soa.rrtype != dns.TypeSOA || len(soa.data) < times+2 {
		return 0, false
	}
	return binary.BigEndian.Uint32(soa.data[len(soa.data)-times:]), true
}
