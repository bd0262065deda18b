package zone

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Doubt says why the data of a record can be served and yet mean nothing to
// anybody, and the cure: an alias of itself, an address or a URL where a name
// stands, a digest that is not as long as its kind is. It is empty for all
// other records.
func Doubt(owner Name, rr dns.RR) (why, cure string) {
	switch d := rr.(type) {
	case *dns.SOA:
		if name, err := ParseName(d.Mbox); err == nil && strings.Contains(string(name), "@") {
			return fmt.Sprintf("%s has an @, which no name has", d.Mbox), "write a dot in its place: host.example.com. is host@example.com (RFC 1035, 3.3.13)"
		}
	case *dns.DS:
		return doubtDigest(len(d.Digest), [256]int{1: 20, 2: 32, 3: 32, 4: 48, 5: 32, 6: 32}[d.DigestType])
	case *dns.TLSA:
		return doubtDigest(len(d.Certificate), [256]int{1: 32, 2: 64}[d.MatchingType])
	case *dns.SMIMEA:
		return doubtDigest(len(d.Certificate), [256]int{1: 32, 2: 64}[d.MatchingType])
	case *dns.SSHFP:
		return doubtDigest(len(d.FingerPrint), [256]int{1: 20, 2: 32}[d.Type])
	}
	text := target(rr)
	if text == "" {
		return "", ""
	}
	name, err := ParseName(text)
	if err != nil {
		return "", "" // whoever packs it tells
	}
	if _, alias := rr.(*dns.CNAME); alias && name == owner {
		return "the name is an alias of itself", "name what it stands for, or leave it out"
	}
	return doubtName(name.String())
}

// doubtText is Doubt for a record as it was written, in which an address that a
// zone's name would follow can still be seen.
func doubtText(owner Name, data string, rr dns.RR) (why, cure string) {
	if words := strings.Fields(data); target(rr) != "" && len(words) > 0 && Address(words[len(words)-1]) {
		return doubtName(words[len(words)-1])
	}
	return Doubt(owner, rr)
}

// doubtDigest judges hexadecimal digits by the bytes that there should be; 0
// is any number of them.
func doubtDigest(digits, bytes int) (why, cure string) {
	if bytes == 0 || digits == 2*bytes {
		return "", ""
	}
	return fmt.Sprintf("the digest has %d hexadecimal digits, and %d are a digest of its kind", digits, 2*bytes), "copy it anew, whole, from where it was made"
}

// doubtName judges what stands where a name should; relative addresses are not
// told from names any more.
func doubtName(text string) (why, cure string) {
	first, _, _ := strings.Cut(text, ".")
	switch {
	case strings.Contains(text, "://"):
		return fmt.Sprintf("%s is a URL, and a name is wanted", text), "write the name of the host alone"
	case Address(text) || Address(first):
		return fmt.Sprintf("%s is an address, and a name is wanted", text), "give a name that has the address in an A or AAAA record"
	}
	return "", ""
}

// Address reports whether a text is an IP address.
func Address(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// target is the name that a record leads to; empty if it leads to none.
func target(rr dns.RR) string {
	switch d := rr.(type) {
	case *dns.NS:
		return d.Ns
	case *dns.CNAME:
		return d.Target
	case *dns.DNAME:
		return d.Target
	case *dns.PTR:
		return d.Ptr
	case *dns.MX:
		return d.Mx
	case *dns.SRV:
		return d.Target
	}
	return ""
}
