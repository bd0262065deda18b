package zone

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"landfall"

	"github.com/miekg/dns"
)

// parsed is a record without its name.
type parsed struct {
	rrtype uint16
	ttl    time.Duration
	data   []byte
}

// records adds the static records.
func (b *builder) records() {
	for i, r := range b.m.Records {
		path := fmt.Sprintf("record[%d]", i)
		name, err := ParseName(r.Name)
		if err != nil || !name.Within(b.zone.Apex) {
			b.fault(path+".name", "name it under "+b.m.Domain, "%q is not a name of the zone", r.Name)
			continue
		}
		p, err := parse(r, b.m.Domain)
		if err != nil {
			b.fault(path+".data", "write it as in a master file (RFC 1035, 5.1)", "%s %s: %v", r.Name, r.Type, err)
			continue
		}
		b.place(path, name, p)
	}
}

// parse reads a record in master file form; names in it that do not end with
// a dot are relative to the domain.
func parse(r landfall.Record, domain string) (parsed, error) {
	if strings.ContainsAny(r.Type, " \t\r\n;()\"\\$") || strings.ContainsAny(r.Data, "\r\n") {
		return parsed{}, errors.New("want one type and one line of data")
	}
	text := fmt.Sprintf("@ 3600 IN %s %s\n", strings.ToUpper(r.Type), r.Data)
	zp := dns.NewZoneParser(strings.NewReader(text), dns.Fqdn(domain), "")
	rr, ok := zp.Next()
	if err := zp.Err(); err != nil {
		return parsed{}, fmt.Errorf("cannot read %q: %w", r.Data, err)
	}
	if !ok {
		return parsed{}, fmt.Errorf("there is no record in %q", r.Data)
	}
	p := parsed{rrtype: rr.Header().Rrtype, ttl: cmp.Or(r.TTL, time.Hour), data: rdata(rr)}
	if p.data == nil {
		return parsed{}, fmt.Errorf("cannot pack %q", r.Data)
	}
	return p, nil
}

// place adds a record where nothing speaks against it.
func (b *builder) place(path string, name Name, p parsed) {
	if why, cure := b.refuse(name, p); why != "" {
		b.fault(path, cure, "%s %s: %s", name, dns.Type(p.rrtype), why)
		return
	}
	b.node(name).add(p.rrtype, seconds(p.ttl), p.data)
}

// refuse says why a record cannot be part of the zone, and the cure.
func (b *builder) refuse(name Name, p parsed) (why, cure string) {
	switch p.rrtype {
	case dns.TypeSOA:
		return "the zone makes its own", "leave it out"
	case dns.TypeNS:
		return b.refuseNS(name)
	case dns.TypeDNAME:
		return "names are not redirected by the tree", "write a CNAME record for each name"
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNSKEY:
		return "records of a signed zone, which this is not", "leave it out"
	}
	if p.rrtype == 0 || p.rrtype == dns.TypeOPT || p.rrtype >= 128 && p.rrtype <= 255 {
		return "not a type for data (RFC 6895, 3.1)", "leave it out"
	}
	node := b.zone.nodes[name]
	if node == nil {
		node = &Node{}
	}
	if set, _ := node.Set(p.rrtype); set.size()+12+len(p.data) > maxSet {
		return "the records of this name and type fill a message", "spread them over several names"
	}
	return node.conflict(p)
}

// conflict says why a record cannot stand beside what is there, and the cure.
func (n *Node) conflict(p parsed) (why, cure string) {
	address := p.rrtype == dns.TypeA || p.rrtype == dns.TypeAAAA || p.rrtype == dns.TypeHTTPS
	if n.Steered != nil && address {
		return "the name is a service, whose addresses are the edges'", "leave it out, or take the service away"
	}
	cname, alias := n.Set(dns.TypeCNAME)
	same := alias && p.rrtype == dns.TypeCNAME && bytes.Equal(cname.Data[0], p.data)
	if !n.Empty() && (alias || p.rrtype == dns.TypeCNAME) && !same {
		return "a name with a CNAME record has no other (RFC 2181, 10.1)", "leave one of them out"
	}
	return "", ""
}

// refuseNS keeps delegations away from what the zone itself answers for.
func (b *builder) refuseNS(name Name) (why, cure string) {
	if name == b.zone.Apex {
		return "the name servers are the nodes with the role dns", "leave it out, or add a node"
	}
	if strings.HasPrefix(string(name), "\x01*") {
		return "a wildcard cannot be delegated (RFC 4592, 4.2)", "write one for each name"
	}
	for other, n := range b.zone.nodes {
		if (n.Steered != nil || other.Within(b.zone.Apex.child("ns"))) && other.Within(name) {
			return fmt.Sprintf("it would give %s away", other), "delegate another name"
		}
	}
	return "", ""
}

func (s Set) size() int {
	n := 0
	for _, d := range s.Data {
		n += 12 + len(d)
	}
	return n
}

// rdata packs the data of a record; nil if it does not fit one.
func rdata(rr dns.RR) []byte {
	rr.Header().Name = "."
	b := make([]byte, 65536)
	n, err := dns.PackRR(rr, b, 0, nil, false)
	if err != nil || n < 11 {
		return nil
	}
	return append([]byte{}, b[11:n]...)
}

// escapeText writes bytes so that miekg/dns packs them as they are.
func escapeText(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		if c < ' ' || c > '~' || c == '\\' || c == '"' {
			fmt.Fprintf(&s, `\%03d`, c)
		} else {
			s.WriteByte(c)
		}
	}
	return s.String()
}
