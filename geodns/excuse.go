package geodns

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// excuse is why there is no answer, as the option Extended DNS Error tells it
// (RFC 8914): people read it, and resolvers pass it on.
type excuse uint16

// The excuses that we have (RFC 8914, 4; RFC 9824, 3.5).
const (
	unexcused        excuse = 0
	unprovable       excuse = excuse(dns.ExtendedErrorCodeNSECMissing)
	notReady         excuse = excuse(dns.ExtendedErrorCodeNotReady)
	notAuthoritative excuse = excuse(dns.ExtendedErrorCodeNotAuthoritative)
	notSupported     excuse = excuse(dns.ExtendedErrorCodeNotSupported)
	invalidType      excuse = excuse(dns.ExtendedErrorCodeInvalidQueryType)
)

// append adds the option to a message that ends with an OPT record, and that
// has room for it, as there are no records in one without an answer.
func (e excuse) append(b []byte, start int) []byte {
	b = appendOption(b, dns.EDNS0EDE, binary.BigEndian.AppendUint16(nil, uint16(e)))
	const fixed = 1 + 2 + 2 + 4 + 2 // root, type, class, TTL, length
	binary.BigEndian.PutUint16(b[start+fixed-2:], uint16(len(b)-start-fixed))
	return b
}
