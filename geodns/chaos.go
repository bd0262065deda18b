package geodns

import (
	"encoding/binary"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// chaos answers questions about the server itself (RFC 4892), as far as the
// map wants them answered; all others of the class are refused.
func (s *snapshot) chaos(r *reply, version string, id []byte) (rcode int) {
	text := ""
	switch r.q.name {
	case zone.Name("\x07version\x04bind\x00"), zone.Name("\x07version\x06server\x00"):
		if s.in.Map.DNS.Version {
			text = version
		}
	case zone.Name("\x08hostname\x04bind\x00"), zone.Name("\x02id\x06server\x00"):
		if s.in.Map.DNS.Identity {
			text = string(id)
		}
	}
	if text == "" || len(text) > 255 {
		return dns.RcodeRefused
	}
	r.authoritative = true
	if r.q.rrtype == dns.TypeTXT || r.q.rrtype == dns.TypeANY {
		r.set(sectionAnswer, r.q.name, zone.Set{Type: dns.TypeTXT, Data: [][]byte{append([]byte{byte(len(text))}, text...)}})
		if !r.truncated { // its name is a pointer
			binary.BigEndian.PutUint16(r.b[headerSize+len(r.q.question)+4:], dns.ClassCHAOS)
		}
	}
	return dns.RcodeSuccess
}
