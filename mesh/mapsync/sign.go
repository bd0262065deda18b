package mapsync

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"landfall"
)

// MaxSize bounds a signed map: 4096 nodes (landfall.MaxNodes) with all their
// keys and addresses need about 10 MiB.
const MaxSize = 16 << 20

// The envelope is one line, the heading and the signature in base64, and then
// the body: the map as JSON, to the last byte.
const (
	heading = "landfall map v1 "
	sigSize = 88 // 64 bytes in base64
)

// signedPrefix goes before the body into the signature, so that no signature
// of this key can be taken for one of another kind of document.
const signedPrefix = "landfall map v1\x00"

// Signed is a map on its journey. Nothing is proven about it until Verify.
// The zero Signed is no map.
type Signed struct {
	Serial landfall.Serial // as the bytes say; for whoever only passes them on
	Bytes  []byte          // the envelope; nobody changes it
}

// Faulty is the error about a map that is not fit to be used.
type Faulty struct {
	Serial landfall.Serial
	Faults []landfall.Fault
}

// Error tells all the faults.
func (e *Faulty) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Error()
	}
	return fmt.Sprintf("map serial %d: %s", e.Serial, strings.Join(lines, "; "))
}

// refusal is why a map was not taken; why is the label it is counted under.
type refusal struct {
	why string
	err error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func refuse(why, format string, args ...any) error {
	return &refusal{why, fmt.Errorf(format, args...)}
}

// Sign makes the document that travels. The map must have a serial and no
// faults.
func Sign(m *landfall.Map, key SigningKey) (Signed, error) {
	if key.IsZero() {
		return Signed{}, fmt.Errorf("sign map serial %d: no signing key", m.Serial)
	}
	if m.Serial == 0 {
		return Signed{}, errors.New("sign map: serial 0 is for bootstrap maps, which are not signed")
	}
	if faults := m.Check(); len(faults) > 0 {
		return Signed{}, &Faulty{m.Serial, faults}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return Signed{}, fmt.Errorf("sign map serial %d: %w", m.Serial, err)
	}
	sig := ed25519.Sign(key.k, message(body))
	b := make([]byte, 0, len(heading)+sigSize+1+len(body))
	b = append(b, heading...)
	b = base64.StdEncoding.AppendEncode(b, sig)
	b = append(append(b, '\n'), body...)
	if len(b) > MaxSize {
		return Signed{}, fmt.Errorf("sign map serial %d: %d bytes, more than %d", m.Serial, len(b), MaxSize)
	}
	return Signed{m.Serial, b}, nil
}

// Verify returns the map of a document if the key signed it and the map has
// no faults. Fields that this release does not know are passed over: see
// DESIGN.md.
func Verify(b []byte, key landfall.MapKey) (*landfall.Map, error) {
	body, err := unseal(b, key)
	if err != nil {
		return nil, err
	}
	m := new(landfall.Map)
	if err := json.Unmarshal(body, m); err != nil {
		return nil, refuse("malformed", "signed map: %w", err)
	}
	if m.Serial == 0 {
		return nil, refuse("malformed", "signed map without a serial")
	}
	if faults := m.Check(); len(faults) > 0 {
		return nil, &refusal{"faulty", &Faulty{m.Serial, faults}}
	}
	return m, nil
}

// unseal returns the body if the signature fits.
func unseal(b []byte, key landfall.MapKey) ([]byte, error) {
	if len(b) > MaxSize {
		return nil, refuse("malformed", "signed map of %d bytes, more than %d", len(b), MaxSize)
	}
	// The base64 has one length only: a decoder that passes over line ends
	// must not let two envelopes stand for one map.
	rest, ok := bytes.CutPrefix(b, []byte(heading))
	if !ok || len(rest) <= sigSize || rest[sigSize] != '\n' {
		return nil, refuse("malformed", "not a signed map: want a first line of %q and a signature; the rest may be cut off", strings.TrimSpace(heading))
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(string(rest[:sigSize]))
	if err != nil || len(sig) != ed25519.SignatureSize {
		return nil, refuse("malformed", "signed map: the signature is not %d bytes in base64", ed25519.SignatureSize)
	}
	body := rest[sigSize+1:]
	if !ed25519.Verify(key[:], message(body), sig) {
		return nil, refuse("signature", "signed map: the signature does not fit: the map was changed or cut off on its way, or is not of the network with key %v", key)
	}
	return body, nil
}

// known refuses a verified document with fields that this release does not
// know: signing a changed copy would silently drop them.
func known(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b[len(heading)+sigSize+1:]))
	d.DisallowUnknownFields()
	if err := d.Decode(new(landfall.Map)); err != nil {
		return fmt.Errorf("the map was written by a newer landfall (%w): upgrade this node before changing the map", err)
	}
	return nil
}

func message(body []byte) []byte { return append([]byte(signedPrefix), body...) }

// tag is the document's ETag: Ed25519 signatures are a function of key and
// body (RFC 8032, 5.1.6), so a part of one tells documents apart.
func (s Signed) tag() string {
	const part = 16
	if len(s.Bytes) < len(heading)+part {
		return ""
	}
	return fmt.Sprintf(`"%d-%s"`, s.Serial, s.Bytes[len(heading):len(heading)+part])
}
