package bundle

import (
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"landfall/geodns/dnssec"
	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// BaseName is the name that files of a key have, without their endings:
// Kexample.com.+013+12345.
func BaseName(apex zone.Name, k dnssec.Key) string {
	return fmt.Sprintf("K%s+%03d+%05d", strings.ToLower(dns.Fqdn(apex.String())), dnssec.Algorithm, k.Tag)
}

// FormatKey is a key as BIND writes it: the public half for the .key file, the
// private one for the .private file, which is empty if the key has none.
func FormatKey(apex zone.Name, k dnssec.Key, ttl uint32) (public, private string) {
	rr := record(apex, k, ttl)
	public = rr.String() + "\n"
	if k.Private() != nil {
		private = rr.PrivateKeyString(k.Private())
	}
	return public, private
}

func record(apex zone.Name, k dnssec.Key, ttl uint32) *dns.DNSKEY {
	return &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: dns.Fqdn(apex.String()), Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: ttl},
		Flags: k.Flags(), Protocol: 3, Algorithm: dnssec.Algorithm, PublicKey: base64.StdEncoding.EncodeToString(k.Public[4:]),
	}
}

// ParseKey reads a key as BIND writes it. The private half may be empty.
func ParseKey(public, private string) (zone.Name, dnssec.Key, error) {
	rr, err := dns.NewRR(public)
	if err != nil {
		return "", dnssec.Key{}, fmt.Errorf("public half: %w", err)
	}
	rec, ok := rr.(*dns.DNSKEY)
	if !ok {
		return "", dnssec.Key{}, errors.New("public half: it is no DNSKEY record")
	}
	apex, err := zone.ParseName(strings.ToLower(rec.Hdr.Name))
	if err != nil {
		return "", dnssec.Key{}, fmt.Errorf("public half: %w", err)
	}
	point, err := base64.StdEncoding.DecodeString(rec.PublicKey)
	if err != nil {
		return "", dnssec.Key{}, fmt.Errorf("public half: %w", err)
	}
	k, err := dnssec.ParseKey(append([]byte{byte(rec.Flags >> 8), byte(rec.Flags), rec.Protocol, rec.Algorithm}, point...))
	if err != nil || private == "" {
		return apex, k, err
	}
	secret, err := rec.NewPrivateKey(private)
	if err != nil {
		return "", dnssec.Key{}, fmt.Errorf("private half: %w", err)
	}
	ec, ok := secret.(*ecdsa.PrivateKey)
	if !ok {
		return "", dnssec.Key{}, errors.New("private half: it is none for ECDSA")
	}
	raw, err := ec.Bytes()
	if err != nil {
		return "", dnssec.Key{}, fmt.Errorf("private half: %w", err)
	}
	k, err = withPrivate(k, raw)
	return apex, k, err
}

// DS is the record that the parent zone is to have for a key, as registrars and
// master files want it.
func DS(apex zone.Name, k dnssec.Key) string { return text(apex, dns.TypeDS, k.DS(apex)) }

// Records are the DS, CDS and CDNSKEY records of a key, a line each.
func Records(apex zone.Name, k dnssec.Key) []string {
	return []string{DS(apex, k), text(apex, dns.TypeCDS, k.DS(apex)), text(apex, dns.TypeCDNSKEY, k.Public)}
}

// Anchor is keys as trust anchors of a zone, as delv and BIND want them.
func Anchor(apex zone.Name, keys []dnssec.Key) string {
	var b strings.Builder
	b.WriteString("trust-anchors {\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "\t%q static-key %d 3 %d %q;\n", dns.Fqdn(apex.String()), k.Flags(), dnssec.Algorithm, base64.StdEncoding.EncodeToString(k.Public[4:]))
	}
	b.WriteString("};\n")
	return b.String()
}

// text is a record in master file form (RFC 1035, 5.1).
func text(apex zone.Name, rrtype uint16, data []byte) string {
	name := dns.Fqdn(apex.String())
	if rrtype == dns.TypeCDNSKEY {
		return fmt.Sprintf("%s IN CDNSKEY %d 3 %d %s", name, uint16(data[0])<<8|uint16(data[1]), data[3], base64.StdEncoding.EncodeToString(data[4:]))
	}
	return fmt.Sprintf("%s IN %s %d %d %d %X", name, dns.Type(rrtype), uint16(data[0])<<8|uint16(data[1]), data[2], data[3], data[4:])
}
