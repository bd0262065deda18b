package dnssec

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"landfall/geodns/zone"

	"github.com/miekg/dns"
)

// Algorithm is that of all keys: ECDSA with P-256 and SHA-256 (RFC 6605), which
// every validator must know (RFC 8624, 3.1).
const Algorithm = dns.ECDSAP256SHA256

// The flags of keys (RFC 4034, 2.1.1).
const (
	ZSK uint16 = dns.ZONE           // signs the sets of a zone
	KSK uint16 = dns.ZONE | dns.SEP // signs its keys, and is what the parent zone points at
)

// publicSize is the length of a P-256 point as DNSKEY records hold it (RFC
// 6605, 4).
const publicSize = 64

// Key is a key of a zone. The zero Key is none.
type Key struct {
	Public []byte // RDATA of its DNSKEY record (RFC 4034, 2.1)
	Tag    uint16 // names it in RRSIG and DS records (RFC 4034, appendix B)

	private *ecdsa.PrivateKey // nil where only the public half is known
}

// Generate makes a new key with the flags given, such as ZSK or KSK.
func Generate(flags uint16) (Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generate key: %w", err)
	}
	return NewKey(flags, private)
}

// NewKey is the key with the private half given.
func NewKey(flags uint16, private *ecdsa.PrivateKey) (Key, error) {
	if private == nil || private.Curve != elliptic.P256() {
		return Key{}, errors.New("key is not one for ECDSA with P-256: generate one")
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return Key{}, fmt.Errorf("key: %w", err)
	}
	public := binary.BigEndian.AppendUint16(nil, flags)
	public = append(public, 3, Algorithm) // RFC 4034, 2.1.2
	public = append(public, point[len(point)-publicSize:]...)
	return Key{Public: public, Tag: tag(public), private: private}, nil
}

// ParseKey is the key of the RDATA of a DNSKEY record, without its private
// half.
func ParseKey(public []byte) (Key, error) {
	if len(public) != 4+publicSize || public[2] != 3 || public[3] != Algorithm {
		return Key{}, errors.New("DNSKEY is not one for ECDSA with P-256 (algorithm 13)")
	}
	if _, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, public[4:]...)); err != nil {
		return Key{}, fmt.Errorf("DNSKEY: %w", err)
	}
	return Key{Public: public, Tag: tag(public)}, nil
}

// Flags are those of the DNSKEY record.
func (k Key) Flags() uint16 { return binary.BigEndian.Uint16(k.Public) }

// Private is the private half; nil if it is not known.
func (k Key) Private() *ecdsa.PrivateKey { return k.private }

// DS is the RDATA of the DS record that the parent zone should have for the key,
// with SHA-256 (RFC 4509), which is that of its CDS record, too (RFC 7344, 3.1).
func (k Key) DS(owner zone.Name) []byte {
	digest := sha256.New()
	digest.Write([]byte(owner))
	digest.Write(k.Public)
	ds := binary.BigEndian.AppendUint16(nil, k.Tag)
	return digest.Sum(append(ds, Algorithm, dns.SHA256))
}

// tag is the key tag of a key's RDATA (RFC 4034, appendix B).
func tag(public []byte) uint16 {
	var sum uint32
	for i, c := range public {
		if i%2 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
	}
	return uint16(sum + sum>>16)
}
