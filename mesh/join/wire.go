package join

import (
	"bytes"
	"crypto/mlkem"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"landfall"
)

// ALPN is the protocol by which a TLS connection says that it is for joining
// (RFC 7301). The version changes with any change of what is said.
const ALPN = "landfall-join/1"

// Where and how the two sides talk.
const (
	helloPath       = "/hello"
	joinPath        = "/join"
	signatureHeader = "Landfall-Signature" // of the body of a hello, base64
	proofHeader     = "Landfall-Proof"     // of the body of a request, base64
	mapType         = "application/vnd.landfall.map"
	jsonType        = "application/json"
)

// Bounds of what the two sides say.
const (
	maxHello     = 4 << 10
	maxRequest   = 16 << 10
	maxRefusal   = 64 << 10
	nonceSize    = 32
	maxAddresses = 8 // of each kind
	maxSkew      = 5 * time.Minute
)

// hello is the control's first word.
type hello struct {
	Network string          `json:"network"`
	Serial  landfall.Serial `json:"serial"`
	Node    landfall.NodeID `json:"node"`         // as it was asked; it says nothing about the node
	You     netip.Addr      `json:"you,omitzero"` // where the control sees the asking server
	Time    time.Time       `json:"time"`         // the control's clock
	Nonce   []byte          `json:"nonce"`        // for one request on this connection
}

// request is what the new server says of itself.
type request struct {
	Network    string              `json:"network"`
	Node       landfall.NodeID     `json:"node"`
	Time       time.Time           `json:"time"` // the server's clock
	Version    string              `json:"version,omitempty"`
	Key        landfall.PublicKey  `json:"key"`
	Sealing    landfall.SealingKey `json:"sealing"`
	Advertised []netip.Addr        `json:"advertised,omitempty"`
	Bound      []netip.Addr        `json:"bound,omitempty"`
	Endpoints  []netip.AddrPort    `json:"endpoints,omitempty"`
}

// refusal is an answer of no.
type refusal struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

func (r *refusal) Error() string { return r.Message }

func refuse(c Code, format string, args ...any) error {
	return &refusal{c, fmt.Sprintf(format, args...)}
}

// parseHello reads a hello.
func parseHello(b []byte) (h hello, err error) {
	if len(b) > maxHello {
		return hello{}, errors.New("hello: too long")
	}
	if err := decode(b, &h); err != nil {
		return hello{}, fmt.Errorf("hello: %w", err)
	}
	if len(h.Nonce) != nonceSize {
		return hello{}, fmt.Errorf("hello: a nonce of %d bytes, want %d", len(h.Nonce), nonceSize)
	}
	return h, nil
}

// parseRequest reads a request that makes sense in itself.
func parseRequest(b []byte) (r request, err error) {
	if len(b) > maxRequest {
		return request{}, errors.New("request: too long")
	}
	if err := decode(b, &r); err != nil {
		return request{}, fmt.Errorf("request: %w", err)
	}
	switch {
	case !label(string(r.Node)):
		return request{}, errors.New("request: node: not a name")
	case r.Key.IsZero():
		return request{}, errors.New("request: key: there is none")
	case len(r.Advertised) > maxAddresses || len(r.Bound) > maxAddresses || len(r.Endpoints) > maxAddresses:
		return request{}, fmt.Errorf("request: more than %d addresses", maxAddresses)
	case len(r.Version) > 100:
		return request{}, errors.New("request: version: too long")
	}
	for _, a := range r.Bound { // which Map.Check leaves to the node
		if !a.IsValid() || a.IsMulticast() || a.Zone() != "" {
			return request{}, fmt.Errorf("request: bound: %v is not an address", a)
		}
	}
	if r.Sealing.X25519 == [32]byte{} {
		return request{}, errors.New("request: sealing: there is no X25519 key")
	}
	if _, err := mlkem.NewEncapsulationKey768(r.Sealing.MLKEM); err != nil {
		return request{}, fmt.Errorf("request: sealing: not an ML-KEM-768 key: %w", err)
	}
	return r, nil
}

// decode reads one JSON value with known fields and nothing after it. A field
// that is new is a new protocol.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

// binding is what both ends of one TLS connection know and nobody else: two
// connections never have the same (RFC 8446, 7.5; RFC 5705).
func binding(s tls.ConnectionState) (b [32]byte, err error) {
	if s.Version < tls.VersionTLS13 || s.NegotiatedProtocol != ALPN {
		return b, fmt.Errorf("the connection is not TLS 1.3 for %s", ALPN)
	}
	v, err := s.ExportKeyingMaterial("EXPORTER-landfall-join", nil, len(b))
	if err != nil {
		return b, fmt.Errorf("channel binding: %w", err)
	}
	return [32]byte(v), nil
}
