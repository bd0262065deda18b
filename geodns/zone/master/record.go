package master

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"landfall"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// name is the name that a word stands for, in full and with its final dot.
func (s *state) name(w word) (full string, ok bool) {
	bare := strings.TrimSuffix(s.r.name, ".")
	switch lower := strings.ToLower(w.text); {
	case w.quoted:
		s.faultAt(w, "write it without the quotes", "a name is not written in quotes")
		return "", false
	case w.text == "@":
		return s.origin, true
	case strings.HasSuffix(w.text, ".") && dns.IsFqdn(w.text):
		full = w.text
	case s.origin != "." && landfall.InZone(lower, bare):
		s.faultAt(w, fmt.Sprintf("write %s. for that, or leave .%s out", w.text, bare), "%s has no dot at its end, and would be %s.%s", w.text, w.text, s.origin)
		return "", false
	case s.origin == ".":
		full = w.text + "."
	default:
		full = w.text + "." + s.origin
	}
	if _, err := zone.ParseName(full); err != nil {
		s.faultAt(w, "a name has labels of up to 63 bytes and 255 in all (RFC 1035, 2.3.4)", "%s is not a name, or too long", full)
		return "", false
	}
	return full, true
}

// record is [NAME] [TTL] [CLASS] TYPE DATA.
func (s *state) record(e entry) {
	words := e.words
	if !e.blank {
		var ok bool
		if s.owner, ok = s.name(words[0]); !ok {
			s.owner = ""
			return
		}
		words = words[1:]
	} else if s.owner == "" {
		s.faultAt(words[0], "begin the line with the record's name, @ for the origin", "the record has no name: no good one is before it")
		return
	}
	words, ttl, ok := s.head(e, words)
	if !ok {
		return
	}
	kind := strings.ToUpper(words[0].text)
	rrtype, ok := typeOf(kind)
	if !ok || words[0].quoted {
		s.faultAt(words[0], `the order is NAME TTL CLASS TYPE DATA; types without a name are written TYPE12345 \# LENGTH DATA (RFC 3597)`, "%q is not a type of record", words[0].text)
		return
	}
	if data, ok := s.data(rrtype, words); ok && s.sound(rrtype, words, data) {
		s.take(e.words[0], words[len(words)-1], rrtype, ttl, data)
	}
}

// head takes the TTL and the class, which come in any order, or not.
func (s *state) head(e entry, words []word) (rest []word, ttl time.Duration, ok bool) {
	ttl = time.Hour
	if s.hasTTL {
		ttl = s.ttl
	}
	for range 2 {
		if len(words) == 0 || words[0].quoted {
			break
		}
		switch w := strings.ToUpper(words[0].text); {
		case w == "IN" || w == "CLASS1":
			words = words[1:]
		case w == "CH" || w == "HS" || w == "CS" || strings.HasPrefix(w, "CLASS"):
			s.faultAt(words[0], "write IN, or leave the class out", "class %s is not served", w)
			return nil, 0, false
		case w[0] >= '0' && w[0] <= '9':
			if ttl, ok = parseTTL(w); !ok {
				s.faultAt(words[0], "write seconds up to 2147483647, or units as in 1h30m", "%q is not a TTL", words[0].text)
				return nil, 0, false
			}
			if !s.preset {
				s.ttl, s.hasTTL = ttl, true
			}
			words = words[1:]
		}
	}
	if len(words) == 0 {
		last := e.words[len(e.words)-1]
		s.faultAt(last, "write NAME TTL CLASS TYPE DATA; TTL and CLASS may be left out", "the record has no type")
		return nil, 0, false
	}
	return words, ttl, true
}

// typeOf is the type of a name such as MX or TYPE65280.
func typeOf(kind string) (uint16, bool) {
	if t, ok := dns.StringToType[kind]; ok {
		return t, t != dns.TypeNone && t != dns.TypeReserved
	}
	number, generic := strings.CutPrefix(kind, "TYPE")
	n, err := strconv.ParseUint(number, 10, 16)
	return uint16(n), generic && err == nil && n != 0
}

// data reads the data of a record; words begin with its type.
func (s *state) data(rrtype uint16, words []word) (dns.RR, bool) {
	for _, i := range names(rrtype) {
		if i < len(words) && words[i].text != "." {
			if _, ok := s.name(words[i]); !ok {
				return nil, false
			}
		}
	}
	texts := make([]string, 0, len(words))
	for _, w := range words[1:] {
		texts = append(texts, w.master())
	}
	rr, err := parse(rrtype, strings.Join(texts, " "), s.origin)
	if err != nil {
		s.misread(rrtype, words, err)
		return nil, false
	}
	return rr, true
}

// sound tells of data that can be read and yet is not what anybody means;
// words begin with its type.
func (s *state) sound(rrtype uint16, words []word, rr dns.RR) bool {
	last, kind := words[len(words)-1], dns.Type(rrtype)
	switch generic := len(words) < 2 || words[1].text == `\#`; {
	case generic:
	case rrtype == dns.TypeSOA && len(words) < 8: // the last of the numbers would be 0
		s.fault(words[0].from, last.to, form(rrtype), "SOA: %d of its 7 parts are there", len(words)-1)
		return false
	case rrtype == dns.TypeSOA:
		last = words[2]
	case slices.Contains(names(rrtype), len(words)-1) && zone.Address(last.text) && !strings.HasSuffix(s.origin, ".arpa."):
		s.faultAt(last, "give a name that has the address in an A or AAAA record", "%s: %s is an address, and a name is wanted", kind, last.text)
		return false
	}
	owner, _ := zone.ParseName(s.owner)
	why, cure := zone.Doubt(owner, rr)
	if why != "" {
		s.faultAt(last, cure, "%s: %s", kind, why)
	}
	return why == ""
}

// parse has miekg/dns read the data of a record.
func parse(rrtype uint16, data, origin string) (dns.RR, error) {
	zp := dns.NewZoneParser(strings.NewReader("@ 0 IN "+dns.Type(rrtype).String()+" "+data+"\n"), origin, "")
	rr, ok := zp.Next()
	switch err := zp.Err(); {
	case err != nil:
		return nil, err
	case !ok:
		return nil, &dns.Error{}
	}
	return rr, nil
}

// misread tells of data that could not be read, at the word that it is about
// if that is known.
func (s *state) misread(rrtype uint16, words []word, err error) {
	kind, cure := dns.Type(rrtype).String(), form(rrtype)
	said := err.Error()
	if i := strings.LastIndex(said, " at line: "); i >= 0 {
		said = said[:i]
	}
	token := ""
	if i := strings.LastIndex(said, `: "`); i >= 0 {
		token, _ = strconv.Unquote(said[i+2:])
	}
	i := slices.IndexFunc(words[1:], func(w word) bool { return w.text == token })
	switch last := words[len(words)-1]; {
	case i >= 0 && strings.Contains(said, "garbage"):
		s.faultAt(words[1+i], cure, "%s: %q is too much", kind, token)
	case i >= 0:
		s.faultAt(words[1+i], cure, "%s: %q cannot be read", kind, token)
	case strings.TrimSpace(token) == "":
		s.fault(words[0].from, last.to, cure, "%s: the data ends too early", kind)
	default:
		s.fault(words[0].from, last.to, cure, "%s: the data cannot be read", kind)
	}
}

// names are the words of a record that are names, its type being the first.
func names(rrtype uint16) []int {
	switch rrtype {
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR, dns.TypeDNAME:
		return []int{1}
	case dns.TypeMX, dns.TypeAFSDB, dns.TypeKX, dns.TypeSVCB, dns.TypeHTTPS:
		return []int{2}
	case dns.TypeSRV:
		return []int{4}
	case dns.TypeSOA, dns.TypeRP:
		return []int{1, 2}
	}
	return nil
}

// form is how the data of a type is written.
func form(rrtype uint16) string {
	switch rrtype {
	case dns.TypeA:
		return "want an IPv4 address, such as A 192.0.2.1"
	case dns.TypeAAAA:
		return "want an IPv6 address, such as AAAA 2001:db8::1"
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR, dns.TypeDNAME:
		return "want one name, such as " + dns.Type(rrtype).String() + " www.example.com."
	case dns.TypeMX:
		return "want PREFERENCE NAME, such as MX 10 mail.example.com."
	case dns.TypeSRV:
		return "want PRIORITY WEIGHT PORT NAME, such as SRV 10 100 5060 sip.example.com."
	case dns.TypeTXT:
		return `want texts in quotes, such as TXT "v=spf1 -all"`
	case dns.TypeSOA:
		return "want NAME MAILBOX ( SERIAL REFRESH RETRY EXPIRE MINIMUM )"
	case dns.TypeCAA:
		return `want FLAGS TAG "VALUE", such as CAA 0 issue "letsencrypt.org"`
	case dns.TypeSVCB, dns.TypeHTTPS:
		return "want PRIORITY NAME and parameters, such as HTTPS 1 . alpn=h2 (RFC 9460)"
	case dns.TypeDS:
		return "want KEYTAG ALGORITHM DIGESTTYPE DIGEST (RFC 4034, 5.3)"
	case dns.TypeTLSA:
		return "want USAGE SELECTOR MATCHING DATA, such as TLSA 3 1 1 0b9f… (RFC 6698, 2.2)"
	}
	return `write it as its specification says, or as \# LENGTH DATA (RFC 3597)`
}

// take adds a record to the zone.
func (s *state) take(first, last word, rrtype uint16, ttl time.Duration, rr dns.RR) {
	r, at := s.r, Place{s.file, first.from, last.to}
	name, _ := zone.ParseName(s.owner)
	if !name.Within(r.apex) {
		r.fault(at, "take it out: whoever serves that zone tells it", "%s is outside the zone %s", s.owner, r.name)
		return
	}
	if len(r.out.Zone.Records) >= landfall.MaxRecords {
		r.full = true
		r.fault(at, "serve the largest zones elsewhere: the map, which every node has, holds all records", "the zone has more than %d records", landfall.MaxRecords)
		return
	}
	wire, data, err := both(rr)
	if err != nil {
		r.fault(at, form(rrtype), "%s: %v", dns.Type(rrtype), err)
		return
	}
	if !r.fits(at, set{name, rrtype}, ttl, wire) {
		return
	}
	r.out.Zone.Records = append(r.out.Zone.Records, landfall.Record{
		Name: name.String(), Type: dns.Type(rrtype).String(), Data: data, TTL: max(ttl, time.Nanosecond), // an hour is what 0 would say
	})
	r.out.Places = append(r.out.Places, at)
}

// both are the data of a record on the wire and in the master file form that
// everything with the same data on the wire has. Data whose own form would not
// be read as it was written has that of unknown types.
func both(rr dns.RR) (wire []byte, text string, err error) {
	if wire, err = pack(rr); err != nil {
		return nil, "", err
	}
	rrtype := rr.Header().Rrtype
	h := dns.RR_Header{Name: ".", Rrtype: rrtype, Class: dns.ClassINET, Rdlength: uint16(len(wire))}
	if rr, _, err := dns.UnpackRRWithHeader(h, wire, 0); err == nil {
		parts := strings.SplitN(rr.String(), "\t", 5)
		text = strings.TrimRight(parts[len(parts)-1], " ")
		if same(rrtype, text, wire) {
			return wire, text, nil
		}
	}
	text = strings.TrimRight(fmt.Sprintf(`\# %d %x`, len(wire), wire), " ")
	if !same(rrtype, text, wire) {
		return nil, "", errors.New("the data cannot be kept")
	}
	return wire, text, nil
}

// same reports whether a text is read as data, and can go wherever maps go: it
// is printable ASCII.
func same(rrtype uint16, text string, wire []byte) bool {
	if !plain(text) {
		return false
	}
	rr, err := parse(rrtype, text, ".")
	if err != nil {
		return false
	}
	b, err := pack(rr)
	return err == nil && slices.Equal(b, wire)
}

func plain(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// pack is the data of a record on the wire.
func pack(rr dns.RR) ([]byte, error) {
	rr = dns.Copy(rr)
	rr.Header().Name = "."
	b := make([]byte, dns.Len(rr)+64)
	n, err := dns.PackRR(rr, b, 0, nil, false)
	if err != nil || n < 11 {
		return nil, errors.New("the data fits no record")
	}
	return b[11:n], nil
}
