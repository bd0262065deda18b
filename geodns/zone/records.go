package zone

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
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

// entry is a record on its way into a zone.
type entry struct {
	path string // in the map
	zone *draft
	name Name
	parsed
}

// read reads the static records of the map and those of the zones' files, and
// notes which names have addresses.
func (b *builder) read() {
	for i, r := range b.m.Records {
		path := fmt.Sprintf("record[%d]", i)
		name, err := ParseName(r.Name)
		if err != nil || b.in(name) == nil {
			b.fault(path+".name", "name it under "+b.m.Domain+" or in a [[zone]]", "%q is not a name of a zone", r.Name)
			continue
		}
		b.enter(path, b.in(name), name, r, nil)
	}
	seen := map[*draft]bool{}
	for i, z := range b.m.Zones {
		apex, err := ParseName(z.Name)
		d := b.drafts[apex]
		if err != nil || d == nil || seen[d] {
			continue // told
		}
		seen[d] = true
		all := parseAll(z.Records, d.Apex)
		for j, r := range z.Records {
			b.readZone(fmt.Sprintf("zone[%d].record[%d]", i, j), d, r, all[j])
		}
	}
}

// readZone reads a record of a zone's file.
func (b *builder) readZone(path string, d *draft, r landfall.Record, rr dns.RR) {
	name, err := ParseName(r.Name)
	switch {
	case err != nil || !name.Within(d.Apex):
		b.fault(path+".name", "name it under "+d.Apex.String(), "%q is not a name of the zone", r.Name)
	case name == d.Apex && strings.EqualFold(r.Type, "SOA"):
		b.readSOA(path, d, r)
	default:
		b.enter(path, d, name, r, rr)
	}
}

func (b *builder) readSOA(path string, d *draft, r landfall.Record) {
	rr, err := parse(r, d.Apex)
	soa, ok := rr.(*dns.SOA)
	switch {
	case err != nil || !ok:
		b.fault(path+".data", masterFile, "SOA: %v", err)
	case d.soa != nil:
		b.fault(path, "leave one of them out", "the zone %s has two SOA records (RFC 2181, 6.1)", d.Apex)
	default:
		d.soa = soa
	}
}

const masterFile = "write it as in a master file (RFC 1035, 5.1)"

// enter reads a record, unless rr is what it says, to be placed when all are
// known.
func (b *builder) enter(path string, d *draft, name Name, r landfall.Record, rr dns.RR) {
	var err error
	if rr == nil {
		rr, err = parse(r, d.Apex)
	}
	if err != nil {
		b.fault(path+".data", masterFile, "%s %s: %v", r.Name, r.Type, err)
		return
	}
	p := parsed{rrtype: rr.Header().Rrtype, ttl: cmp.Or(r.TTL, time.Hour), data: rdata(rr)}
	if p.data == nil {
		b.fault(path+".data", masterFile, "%s %s: cannot pack %q", r.Name, r.Type, r.Data)
		return
	}
	if why, cure := doubtText(name, r.Data, rr); why != "" {
		b.fault(path+".data", cure, "%s %s: %s", r.Name, r.Type, why)
		return
	}
	switch p.rrtype {
	case dns.TypeA, dns.TypeAAAA:
		b.addressed[name] = true
	case dns.TypeNS:
		b.targets[Lower(p.data)] = true
	}
	b.entries = append(b.entries, entry{path, d, name, p})
}

// line is a record in master file form, by the name @.
func line(r landfall.Record) (string, error) {
	if strings.ContainsAny(r.Type, " \t\r\n;()\"\\$") || strings.ContainsAny(r.Data, "\r\n") {
		return "", errors.New("want one type and one line of data")
	}
	return "@ 3600 IN " + strings.ToUpper(r.Type) + " " + r.Data + "\n", nil
}

// parse reads a record in master file form; names in it that do not end with
// a dot are relative to the zone's.
func parse(r landfall.Record, apex Name) (dns.RR, error) {
	text, err := line(r)
	if err != nil {
		return nil, err
	}
	zp := dns.NewZoneParser(strings.NewReader(text), dns.Fqdn(apex.String()), "")
	rr, ok := zp.Next()
	if err := zp.Err(); err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", r.Data, err)
	}
	if !ok {
		return nil, fmt.Errorf("there is no record in %q", r.Data)
	}
	return rr, nil
}

// parseAll reads records in one go, in a fraction of the time that parse takes for
// one after the other. Where they do not come out one for one it knows none.
func parseAll(records []landfall.Record, apex Name) []dns.RR {
	none := make([]dns.RR, len(records))
	var all strings.Builder
	for _, r := range records {
		text, err := line(r)
		if err != nil {
			return none
		}
		all.WriteString(text)
	}
	out := make([]dns.RR, 0, len(records))
	zp := dns.NewZoneParser(strings.NewReader(all.String()), dns.Fqdn(apex.String()), "")
	for rr, ok := zp.Next(); ok; rr, ok = zp.Next() {
		out = append(out, rr)
	}
	if zp.Err() != nil || len(out) != len(records) {
		return none
	}
	return out
}

// records places what was read: first what ends the zone's authority, from the
// top down, since what lies below depends on it.
func (b *builder) records() {
	for _, d := range b.drafts {
		for apex := range d.ends { // a zone of ours, so far
			d.node(apex)
		}
	}
	ending, rest := []entry{}, []entry{}
	for _, e := range b.entries {
		if e.rrtype == dns.TypeNS && e.name != e.zone.Apex || e.rrtype == dns.TypeDNAME {
			ending = append(ending, e)
		} else {
			rest = append(rest, e)
		}
	}
	slices.SortStableFunc(ending, func(x, y entry) int { return x.name.Compare(y.name) })
	for _, e := range ending {
		if b.place(e) {
			e.zone.ends[e.name] = true
		}
	}
	for _, e := range rest {
		if b.place(e) && e.rrtype == dns.TypeNS && !e.zone.ns {
			e.zone.ns, e.zone.nsPath = true, e.path
		}
	}
	for _, e := range b.entries {
		if e.leads() != "" {
			b.pointing = append(b.pointing, e)
		}
	}
	b.entries = nil
}

// place adds a record where nothing speaks against it.
func (b *builder) place(e entry) bool {
	if why, cure := b.refuse(e); why != "" {
		b.fault(e.path, cure, "%s %s: %s", e.name, dns.Type(e.rrtype), why)
		return false
	}
	e.zone.node(e.name).add(e.rrtype, seconds(e.ttl), e.data)
	return true
}

// refuse says why a record cannot be part of the zone, and the cure.
func (b *builder) refuse(e entry) (why, cure string) {
	switch e.rrtype {
	case dns.TypeSOA:
		if e.name == e.zone.Apex {
			return "the zone makes its own", "leave it out"
		}
		return "only the top of a zone has one", "leave it out"
	case dns.TypeNS:
		if why, cure := b.refuseNS(e); why != "" {
			return why, cure
		}
	case dns.TypeCNAME:
		if e.name == e.zone.Apex {
			return "the top of a zone is no alias (RFC 1034, 3.6.2)", fmt.Sprintf("write a [[service]] with host = %q, whose addresses are answered directly, or A and AAAA records", e.name)
		}
	case dns.TypeDNAME:
		if why, cure := e.zone.refuseDNAME(e.name, Lower(e.data)); why != "" {
			return why, cure
		}
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY:
		return "the zone's keys and signatures are made here", "leave it out"
	}
	if e.rrtype == 0 || e.rrtype == dns.TypeOPT || e.rrtype == dns.TypeNXNAME || e.rrtype >= 128 && e.rrtype <= 255 {
		return "not a type for data (RFC 6895, 3.1)", "leave it out"
	}
	if why, cure := b.refuseBelow(e); why != "" {
		return why, cure
	}
	node := e.zone.nodes[e.name]
	if node == nil {
		node = &Node{}
	}
	if set, _ := node.Set(e.rrtype); set.size()+12+len(e.data) > maxSet {
		return "the records of this name and type fill a message", "spread them over several names"
	}
	return node.conflict(e.parsed)
}

// conflict says why a record cannot stand beside what is there, and the cure.
func (n *Node) conflict(p parsed) (why, cure string) {
	address := p.rrtype == dns.TypeA || p.rrtype == dns.TypeAAAA || p.rrtype == dns.TypeHTTPS
	if n.Steered != nil && address {
		return "the name is a service, whose addresses are the edges'", "leave it out, or take the service away"
	}
	for _, one := range []uint16{dns.TypeCNAME, dns.TypeDNAME} { // RFC 6672, 2.4
		set, there := n.Set(one)
		if there && p.rrtype == one && !bytes.Equal(set.Data[0], p.data) {
			return fmt.Sprintf("a name has one %s record (RFC 2181, 10.1)", dns.Type(one)), "leave one of them out"
		}
	}
	_, alias := n.Set(dns.TypeCNAME)
	if p.rrtype != dns.TypeCNAME && alias || p.rrtype == dns.TypeCNAME && !alias && !n.Empty() {
		return "a name with a CNAME record has no other (RFC 2181, 10.1)", "leave one of them out"
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
	b := make([]byte, dns.Len(rr)+64)
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
