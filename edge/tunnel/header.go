package tunnel

import (
	"crypto/tls"
	"encoding/binary"
	"net/netip"
)

// Header is what an edge says of a connection, in the PROXY protocol, version
// 2 (HAProxy's proxy-protocol.txt, 2.2). Empty fields are not said.
type Header struct {
	Client, Edge netip.AddrPort // the ends of the client's connection; both or none are valid

	Host string // of the service, PP2_TYPE_AUTHORITY; at most MaxHost octets
	ALPN string // the protocol negotiated (RFC 7301), PP2_TYPE_ALPN
	ID   string // names the stream in logs, PP2_TYPE_UNIQUE_ID; at most 128 octets (2.2.5)

	TLS    string // the version of TLS, such as "TLSv1.3", PP2_SUBTYPE_SSL_VERSION; empty: none was used
	Cipher string // the name of the cipher suite in IANA's list, PP2_SUBTYPE_SSL_CIPHER
}

// Limits of what a header holds.
const (
	MaxHost = 253 // the longest host name (RFC 1035, 2.3.4)
	maxALPN = 255 // RFC 7301, 3.1
	maxID   = 128 // proxy-protocol.txt, 2.2.5
	maxName = 64  // of a version or cipher suite
)

// The fixed octets of a header (2.2).
const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	proxied   = 0x21 // version 2, command PROXY
	fixedSize = len(signature) + 4

	unspecified = 0x00 // AF_UNSPEC
	tcp4        = 0x11
	tcp6        = 0x21
)

// The types of what follows the addresses (2.2.1 to 2.2.6).
const (
	typeALPN, typeAuthority, typeUniqueID, typeSSL = 0x01, 0x02, 0x05, 0x20

	subtypeVersion, subtypeCipher = 0x21, 0x23

	clientSSL  = 0x01 // the client connected over TLS
	unverified = 1    // it has shown no certificate
)

// Describe adds to a header what the handshake has brought.
func (h *Header) Describe(c tls.ConnectionState) {
	h.ALPN = c.NegotiatedProtocol
	h.Cipher = tls.CipherSuiteName(c.CipherSuite)
	switch c.Version {
	case tls.VersionTLS12:
		h.TLS = "TLSv1.2"
	case tls.VersionTLS13:
		h.TLS = "TLSv1.3"
	}
}

// Append writes the header's octets behind b.
func (h Header) Append(b []byte) []byte {
	b = append(b, signature...)
	b = append(b, proxied)
	family, body := h.addresses()
	body = appendField(body, typeALPN, h.ALPN)
	body = appendField(body, typeAuthority, h.Host)
	body = appendField(body, typeUniqueID, h.ID)
	if h.TLS != "" {
		ssl := binary.BigEndian.AppendUint32([]byte{clientSSL}, unverified)
		ssl = appendField(ssl, subtypeVersion, h.TLS)
		ssl = appendField(ssl, subtypeCipher, h.Cipher)
		body = appendField(body, typeSSL, string(ssl))
	}
	b = append(b, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

// addresses are of one family: where the two differ, both are written as
// those of IPv6 (RFC 4291, 2.5.5.2).
func (h Header) addresses() (family byte, body []byte) {
	from, to := h.Client.Addr().Unmap(), h.Edge.Addr().Unmap()
	switch {
	case !from.IsValid() || !to.IsValid():
		return unspecified, nil
	case from.Is4() && to.Is4():
		family, body = tcp4, append(from.AsSlice(), to.AsSlice()...)
	default:
		a, b := from.As16(), to.As16()
		family, body = tcp6, append(a[:], b[:]...)
	}
	body = binary.BigEndian.AppendUint16(body, h.Client.Port())
	return family, binary.BigEndian.AppendUint16(body, h.Edge.Port())
}

func appendField(b []byte, kind byte, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}
