package geodns

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// read is what the client's own message package makes of a message: all its
// records, one by one, none left over.
type read struct {
	names      []string
	rrtype     uint16
	class      uint16
	compressed bool       // the name in the question
	outside    []*dns.OPT // in sections where they have no place
	opts       []*dns.OPT
	raw        [][]byte // the data of opts
	others     int      // records of other types
}

// readAll is the oracle. It says no to less than we do, see stricter.
func readAll(msg []byte) (m read, err error) {
	off := headerSize
	for range binary.BigEndian.Uint16(msg[4:]) {
		start := off
		name, next, err := dns.UnpackDomainName(msg, off)
		if err != nil || len(msg)-next < 4 {
			return m, errors.Join(err, errors.New("question"))
		}
		m.names = append(m.names, name)
		m.compressed = m.compressed || slices.ContainsFunc(labels(msg, start), func(n byte) bool { return n >= 0xc0 })
		m.rrtype, m.class = binary.BigEndian.Uint16(msg[next:]), binary.BigEndian.Uint16(msg[next+2:])
		off = next + 4
	}
	for _, section := range []int{6, 8, 10} {
		for range binary.BigEndian.Uint16(msg[section:]) {
			rr, next, err := dns.UnpackRR(msg, off)
			if err == nil && next == off { // it says nothing where a message ends
				err = errors.New("a record is missing")
			}
			if err != nil {
				m.others += sawOther(msg, off)
				return m, err
			}
			opt, ok := rr.(*dns.OPT)
			switch {
			case !ok:
				m.others++
			case section != 10:
				m.outside = append(m.outside, opt)
			default:
				m.opts = append(m.opts, opt)
				m.raw = append(m.raw, msg[next-int(opt.Hdr.Rdlength):next])
			}
			off = next
		}
	}
	if off != len(msg) {
		return m, errors.New("bytes left over")
	}
	return m, nil
}

// labels are the length bytes of a name.
func labels(msg []byte, off int) (out []byte) {
	for off < len(msg) {
		n := msg[off]
		out = append(out, n)
		if n == 0 || n >= 64 { // the root, or a pointer
			break
		}
		off += 1 + int(n)
	}
	return out
}

// sawOther is 1 if the record at a place is none of ours to read. Its name may
// point anywhere.
func sawOther(msg []byte, off int) int {
	for _, n := range labels(msg, off) {
		off += 1 + int(n&0x3f)
		if n >= 0xc0 {
			off += 1 - int(n&0x3f)
		}
	}
	if len(msg)-off >= 10 && binary.BigEndian.Uint16(msg[off:]) != dns.TypeOPT {
		return 1
	}
	return 0
}

// stricter are the messages that we refuse and the oracle does not, and why.
var stricter = []struct {
	why     string
	applies func(read) bool
}{
	{"RFC 9619, 4: one question", func(m read) bool { return len(m.names) > 1 }},
	{"RFC 7873, 5.4: none only if there is a cookie", func(m read) bool { return len(m.names) == 0 && cookies(m) == nil }},
	{"RFC 1035, 4.1.4: there is no name before the first to point to", func(m read) bool { return m.compressed }},
	{"RFC 6891, 6.1.1: OPT is in the additional section", func(m read) bool { return len(m.outside) > 0 }},
	{"RFC 6891, 6.1.1: once", func(m read) bool { return len(m.opts) > 1 }},
	{"RFC 6891, 6.1.2: its name is the root", func(m read) bool {
		return slices.ContainsFunc(m.opts, func(o *dns.OPT) bool { return o.Hdr.Name != "." })
	}},
	{"RFC 6891, 6.1.2: and written as such, in one byte", func(m read) bool { return len(m.opts) > 0 }},
	{"RFC 6891, 6.1.3: version 0", func(m read) bool {
		return slices.ContainsFunc(m.opts, func(o *dns.OPT) bool { return o.Version() != 0 })
	}},
	{"RFC 7871, 6: no more and no less of the address than the prefix, bits beyond it 0, scope 0", func(m read) bool {
		return slices.ContainsFunc(options(m, dns.EDNS0SUBNET), func(data []byte) bool { return !wellFormedSubnet(data) })
	}},
	{"RFC 7871, 6: one subnet", func(m read) bool { return len(options(m, dns.EDNS0SUBNET)) > 1 }},
	{"RFC 7873, 5.2.2: cookies of 8, or 16 to 40 bytes", func(m read) bool {
		c := cookies(m)
		return c != nil && len(c) != 8 && (len(c) < 16 || len(c) > 40)
	}},
}

// laxer are the messages that we take and the oracle does not, and why.
var laxer = []struct {
	why     string
	applies func(read, *query) bool
}{
	{"RFC 1035, 4.1.1: what other records are of, and hold, is of no matter to a query", func(m read, _ *query) bool { return m.others > 0 }},
	{"RFC 6891, 6.1.2: options that we do not know are ignored, whatever is in them", func(_ read, q *query) bool { return q.opt.present }},
}

// options are the data of those with a code, of the first OPT record.
func options(m read, code uint16) (out [][]byte) {
	if len(m.raw) == 0 {
		return nil
	}
	for data := m.raw[0]; len(data) >= 4; {
		size := int(binary.BigEndian.Uint16(data[2:]))
		if binary.BigEndian.Uint16(data) == code {
			out = append(out, data[4:4+size])
		}
		data = data[4+size:]
	}
	return out
}

// cookies is the first; nil if there is none.
func cookies(m read) []byte {
	if all := options(m, dns.EDNS0COOKIE); len(all) > 0 {
		return append([]byte{}, all[0]...)
	}
	return nil
}

// wellFormedSubnet judges in the arithmetic of net/netip.
func wellFormedSubnet(data []byte) bool {
	if len(data) < 4 || data[3] != 0 {
		return false
	}
	family, bits, rest := binary.BigEndian.Uint16(data), int(data[2]), data[4:]
	if family == 0 {
		return bits == 0 && len(rest) == 0
	}
	sizes := map[uint16]int{1: 4, 2: 16}
	if sizes[family] == 0 || bits > 8*sizes[family] || len(rest) != (bits+7)/8 {
		return false
	}
	a, _ := netip.AddrFromSlice(append(slices.Clone(rest), make([]byte, sizes[family]-len(rest))...))
	return netip.PrefixFrom(a, bits).Masked().Addr() == a
}

// compare reads a message in both ways; empty if they agree, or differ for a
// reason.
func compare(msg []byte) (fault string) {
	if silent(msg) || msg[2]>>3&0xf != dns.OpcodeQuery {
		return "" // what follows is not read
	}
	var q query
	rcode := q.parse(msg)
	m, err := readAll(msg)
	switch {
	case rcode == dns.RcodeSuccess && err == nil:
		return sameMeaning(&q, m)
	case rcode == dns.RcodeSuccess:
		for _, d := range laxer {
			if d.applies(m, &q) {
				return ""
			}
		}
		return fmt.Sprintf("we take it; the oracle: %v", err)
	case err == nil:
		for _, d := range stricter {
			if d.applies(m) {
				return ""
			}
		}
		return fmt.Sprintf("we refuse it with %s; the oracle does not", rcodeName(rcode))
	}
	return ""
}

// sameMeaning compares what both have understood.
func sameMeaning(q *query, m read) string {
	for _, d := range stricter {
		if d.applies(m) && !strings.Contains(d.why, "one byte") {
			return "we take it in spite of " + d.why
		}
	}
	var faults []string
	differ := func(what string, ours, theirs any) {
		if ours != theirs {
			faults = append(faults, fmt.Sprintf("%s: %v, the oracle says %v", what, ours, theirs))
		}
	}
	if len(m.names) == 1 {
		var name [256]byte
		n, err := dns.PackDomainName(m.names[0], name[:], 0, nil, false)
		differ("fault of the name", nil, err)
		differ("name", strings.ToLower(hex.EncodeToString(q.lower())), hex.EncodeToString(name[:lower(name[:], name[:n])]))
		differ("type", q.rrtype, m.rrtype)
		differ("class", q.class, m.class)
	}
	differ("OPT", q.opt.present, len(m.opts) > 0)
	if len(m.opts) == 0 {
		return strings.Join(faults, "; ")
	}
	opt := m.opts[0]
	differ("size", q.opt.size, opt.UDPSize())
	differ("DO", q.opt.do, opt.Do())
	differ("CO", q.opt.co, opt.Co())
	differ("NSID", q.opt.nsid, len(options(m, dns.EDNS0NSID)) > 0)
	differ("cookie", string(q.opt.cookie), string(cookies(m)))
	subnet := options(m, dns.EDNS0SUBNET)
	differ("subnet", q.opt.subnet.present(), len(subnet) > 0)
	for _, o := range opt.Option {
		if s, ok := o.(*dns.EDNS0_SUBNET); ok && len(subnet) > 0 {
			differ("prefix", q.opt.subnet.source, int(s.SourceNetmask))
			if a, ok := netip.AddrFromSlice(s.Address); ok && s.SourceNetmask > 0 {
				differ("address", q.opt.subnet.addr.Unmap(), a.Unmap())
			} else {
				differ("address", q.opt.subnet.addr.IsValid(), false)
			}
		}
	}
	return strings.Join(faults, "; ")
}

func TestQueriesMeanWhatTheyMeanToClients(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 10_000
	}
	s := newServer(t, nil)
	r := rand.New(rand.NewPCG(3, 4))
	both := 0
	for range n {
		msg := somePacket(r, s)
		if fault := compare(msg); fault != "" {
			t.Fatalf("%x: %s", msg, fault)
		}
		if !silent(msg) && new(query).parse(msg) == dns.RcodeSuccess {
			both++
		}
	}
	if both < n/10 || both > n*9/10 {
		t.Errorf("%d of %d are good: want both kinds", both, n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(wire(plain, ""))
	f.Add(wire(withOPT, opt0))
	f.Add(wire(withOPT, subnetOPT("0001 18 00 0a0200")))
	f.Add(wire(withOPT, subnetOPT("0002 30 00 20010db80002")))
	f.Add(wire(withOPT, subnetOPT("0000 00 00")))
	f.Add(wire(withOPT, "00 0029 1000 00008000 000c 000a 0008 0011223344556677"))
	f.Add(wire("0100 0001 0000 0000 0002", opt0+"00 0001 0001 00000000 0004 7f000001"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if fault := compare(msg); fault != "" {
			t.Fatalf("%x: %s", msg, fault)
		}
	})
}
