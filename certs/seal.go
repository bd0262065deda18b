package certs

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"errors"
	"fmt"

	"landfall"
)

// sealedMagic begins every sealed bundle. An HPKE encapsulated key and
// ciphertext (RFC 9180, 5) follow, of MLKEM768-X25519, HKDF-SHA256 and
// ChaCha20Poly1305.
const sealedMagic = "landfall sealed certificates 1\n"

// sealingInfo binds a sealed bundle to the node that it is for.
func sealingInfo(network string, node landfall.NodeID) []byte {
	return []byte("landfall certs v1\x00" + network + "\x00" + string(node))
}

// seal encrypts a bundle to a node of the map.
func seal(bundle []byte, network string, node landfall.NodeID, key landfall.SealingKey) ([]byte, error) {
	public, err := sealingPublic(key)
	if err != nil {
		return nil, fmt.Errorf("sealing key of node %s: %w", node, err)
	}
	sealed, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), sealingInfo(network, node), bundle)
	if err != nil {
		return nil, fmt.Errorf("seal for node %s: %w", node, err)
	}
	return append([]byte(sealedMagic), sealed...), nil
}

func sealingPublic(key landfall.SealingKey) (hpke.PublicKey, error) {
	if key.IsZero() {
		return nil, errors.New("the map has none: the node has to join again")
	}
	x, err := ecdh.X25519().NewPublicKey(key.X25519[:])
	if err != nil {
		return nil, err
	}
	kem, err := mlkem.NewEncapsulationKey768(key.MLKEM)
	if err != nil {
		return nil, err
	}
	return hpke.NewHybridPublicKey(kem, x)
}

// SealingPrivate is the secret half of a node's landfall.SealingKey. Whatever
// prints it prints "(private)".
type SealingPrivate struct {
	key    hpke.PrivateKey
	public landfall.SealingKey
}

// NewSealingPrivate joins the two keys.
func NewSealingPrivate(x *ecdh.PrivateKey, kem *mlkem.DecapsulationKey768) (*SealingPrivate, error) {
	key, err := hpke.NewHybridPrivateKey(kem, x)
	if err != nil {
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	public := landfall.SealingKey{MLKEM: kem.EncapsulationKey().Bytes()}
	copy(public.X25519[:], x.PublicKey().Bytes())
	return &SealingPrivate{key: key, public: public}, nil
}

// Public is the half that the map tells.
func (s *SealingPrivate) Public() landfall.SealingKey { return s.public }

// Format keeps the secret out of logs and errors.
func (s *SealingPrivate) Format(f fmt.State, _ rune) { f.Write([]byte("(private)")) }

// open decrypts what seal made for this node.
func (s *SealingPrivate) open(sealed []byte, network string, node landfall.NodeID) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(sealedMagic))
	if !ok {
		return nil, errors.New("it holds no sealed certificates")
	}
	b, err := hpke.Open(s.key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), sealingInfo(network, node), rest)
	if err != nil {
		return nil, fmt.Errorf("it cannot be unsealed: it is damaged, or for another key than that of node %s", node)
	}
	return b, nil
}
