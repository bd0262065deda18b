package dnssec

import (
	"bytes"
	"encoding/binary"
	"slices"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// appendSet appends the records of a set in canonical form and order (RFC 4034,
// 6.2 and 6.3), under the name that their signature is for.
func appendSet(b []byte, owner zone.Name, s zone.Set) []byte {
	records := make([][]byte, len(s.Data))
	for i, d := range s.Data {
		records[i] = canonical(s.Type, d)
	}
	slices.SortFunc(records, bytes.Compare)
	for _, d := range slices.CompactFunc(records, bytes.Equal) {
		b = append(b, owner...)
		b = binary.BigEndian.AppendUint16(b, s.Type)
		b = binary.BigEndian.AppendUint16(b, dns.ClassINET)
		b = binary.BigEndian.AppendUint32(b, s.TTL)
		b = binary.BigEndian.AppendUint16(b, uint16(len(d)))
		b = append(b, d...)
	}
	return b
}

// canonical is RDATA with the names in it in lower case, for the types whose
// are (RFC 4034, 6.2, as RFC 6840, 5.1 has it). It is the same slice if nothing
// is different.
func canonical(rrtype uint16, data []byte) []byte {
	at, names := names(rrtype, data)
	if names == 0 {
		return data
	}
	end := at
	for range names {
		for end < len(data) && data[end] != 0 {
			end += 1 + int(data[end])
		}
		end++
	}
	if end > len(data) {
		return data // no record of its type: as it came
	}
	lower := zone.Lower(data[at:end])
	if string(data[at:end]) == string(lower) {
		return data
	}
	return slices.Concat(data[:at], []byte(lower), data[end:])
}

// names tells where the names in RDATA begin, and how many there are.
func names(rrtype uint16, data []byte) (at, count int) {
	switch rrtype {
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR, dns.TypeDNAME, dns.TypeMB, dns.TypeMD, dns.TypeMF, dns.TypeMG, dns.TypeMR:
		return 0, 1
	case dns.TypeSOA, dns.TypeMINFO, dns.TypeRP:
		return 0, 2
	case dns.TypeMX, dns.TypeAFSDB, dns.TypeRT, dns.TypeKX:
		return 2, 1
	case dns.TypePX:
		return 2, 2
	case dns.TypeSRV:
		return 6, 1
	case dns.TypeSIG:
		return rrsigFixed, 1
	case dns.TypeNXT:
		return 0, 1
	case dns.TypeNAPTR: // order, preference, and three strings (RFC 3403, 4.1)
		at = 4
		for range 3 {
			if at >= len(data) {
				return 0, 0
			}
			at += 1 + int(data[at])
		}
		return at, 1
	}
	return 0, 0
}
