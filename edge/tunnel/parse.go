package tunnel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// maxBody is the longest that may follow the fixed octets: all that an edge
// writes, and as much again for what a newer one may add.
const maxBody = 2048

// ReadHeader reads one header and not an octet more. Fields of types that are
// not known are passed over (2.2); whatever else an edge would not write is an
// error, and nothing that follows it can be trusted.
func ReadHeader(r io.Reader) (Header, error) {
	var fixed [fixedSize]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return Header{}, fmt.Errorf("read the PROXY header: %w", err)
	}
	rest := fixed[len(signature):]
	if string(fixed[:len(signature)]) != signature || rest[0] != proxied {
		return Header{}, errors.New("this is no PROXY header of version 2 (edge and home have to run the same version of Landfall)")
	}
	size := int(binary.BigEndian.Uint16(rest[2:]))
	if size > maxBody {
		return Header{}, fmt.Errorf("PROXY header of %d octets (want %d at most)", size, maxBody)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return Header{}, fmt.Errorf("read the PROXY header: %w", err)
	}
	return parse(rest[1], body)
}

// parse reads what follows the fixed octets.
func parse(family byte, body []byte) (h Header, err error) {
	if body, err = h.parseAddresses(family, body); err != nil {
		return Header{}, err
	}
	err = fields(body, func(kind byte, value []byte) error {
		switch kind {
		case typeALPN:
			return set(&h.ALPN, value, maxALPN)
		case typeAuthority:
			return set(&h.Host, value, MaxHost)
		case typeUniqueID:
			return set(&h.ID, value, maxID)
		case typeSSL:
			return h.parseSSL(value)
		}
		return nil
	})
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

func (h *Header) parseAddresses(family byte, b []byte) (rest []byte, err error) {
	n := map[byte]int{tcp4: 4, tcp6: 16}[family]
	switch {
	case family == unspecified:
		return b, nil
	case n == 0:
		return nil, fmt.Errorf("PROXY header with addresses of the unknown kind %#02x", family)
	case len(b) < 2*n+4:
		return nil, errors.New("PROXY header ends within its addresses")
	}
	from, _ := netip.AddrFromSlice(b[:n])
	to, _ := netip.AddrFromSlice(b[n : 2*n])
	ports := b[2*n:]
	h.Client = netip.AddrPortFrom(from.Unmap(), binary.BigEndian.Uint16(ports))
	h.Edge = netip.AddrPortFrom(to.Unmap(), binary.BigEndian.Uint16(ports[2:]))
	return ports[4:], nil
}

// parseSSL reads PP2_TYPE_SSL (2.2.6).
func (h *Header) parseSSL(b []byte) error {
	if len(b) < 5 || b[0] != clientSSL || h.TLS != "" {
		return errors.New("PROXY header that says of TLS what no edge does")
	}
	err := fields(b[5:], func(kind byte, value []byte) error {
		switch kind {
		case subtypeVersion:
			return set(&h.TLS, value, maxName)
		case subtypeCipher:
			return set(&h.Cipher, value, maxName)
		}
		return nil
	})
	if err == nil && h.TLS == "" {
		err = errors.New("PROXY header that does not say the version of TLS")
	}
	return err
}

// fields calls f for each type, length and value in b.
func fields(b []byte, f func(kind byte, value []byte) error) error {
	for len(b) > 0 {
		if len(b) < 3 {
			return errors.New("PROXY header ends within a field")
		}
		kind, size := b[0], int(binary.BigEndian.Uint16(b[1:]))
		if b = b[3:]; len(b) < size {
			return errors.New("PROXY header ends within a field")
		}
		if err := f(kind, b[:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// set takes the value of a field that may be there once, and not empty.
func set(to *string, value []byte, most int) error {
	if *to != "" || len(value) == 0 || len(value) > most {
		return errors.New("PROXY header with a field twice, empty or too long")
	}
	*to = string(value)
	return nil
}
