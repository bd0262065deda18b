package tap

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/miekg/dns"
)

// line is what the query log tells of a query.
type line struct {
	Time   time.Time  `json:"time"`
	Client netip.Addr `json:"client,omitzero"`
	Port   uint16     `json:"port,omitzero"`
	Via    string     `json:"via"`
	Name   string     `json:"name,omitempty"` // as the client wrote it
	Type   string     `json:"type,omitempty"`
	Rcode  string     `json:"rcode"`            // "SILENCE" for no answer
	Subnet string     `json:"subnet,omitempty"` // of the client, if the query told one
	Scope  *uint8     `json:"scope,omitempty"`  // for which part of the subnet's address the answer holds
	Edge   string     `json:"edge,omitempty"`   // that the answer names first
	Size   int        `json:"size"`             // of the answer, in bytes
	Took   float64    `json:"took_us"`          // from when the query was read until the answer was made
}

// describe makes the line of an event.
func (t *Tap) describe(s *slot) line {
	l := line{
		Time: s.Time.UTC(), Client: s.Client.Addr(), Port: s.Client.Port(), Via: s.Via,
		Rcode: "SILENCE", Size: len(s.Answer), Took: float64(s.took) / float64(time.Microsecond),
	}
	m, _ := read(s.Answer)
	if len(s.Answer) == 0 {
		m, _ = read(s.Query)
	} else {
		l.Rcode = rcodeName(m.rcode)
	}
	if m.name != "" {
		l.Name, l.Type = m.name, dns.Type(m.rrtype).String()
	}
	l.Subnet, l.Scope = subnet(m.subnet)
	if m.first.IsValid() && t.cfg.Edge != nil {
		l.Edge = t.cfg.Edge(m.first)
	}
	return l
}

func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers { // the table has its other name, BADSIG
		return "BADVERS"
	}
	if name, ok := dns.RcodeToString[rcode]; ok {
		return name
	}
	return strconv.Itoa(rcode)
}

// subnet reads the option of RFC 7871, 6.
func subnet(data []byte) (text string, scope *uint8) {
	if len(data) < 4 {
		return "", nil
	}
	var a netip.Addr
	switch family := data[1]; family {
	case 1:
		var b [4]byte
		copy(b[:], data[4:])
		a = netip.AddrFrom4(b)
	case 2:
		var b [16]byte
		copy(b[:], data[4:])
		a = netip.AddrFrom16(b)
	default:
		return "", nil
	}
	return fmt.Sprintf("%v/%d", a, data[2]), new(data[3])
}
