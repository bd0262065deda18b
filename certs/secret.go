package certs

import (
	"crypto/hpke"
	"fmt"

	"landfall"
)

// secretInfo binds a sealed secret to what it is for, and to its node.
func secretInfo(purpose, network string, node landfall.NodeID) []byte {
	return []byte("landfall " + purpose + " v1\x00" + network + "\x00" + string(node))
}

// Seal encrypts a secret that is no certificate to a node of the map. The
// purpose is a word that no other kind of secret has; Open wants the same.
func Seal(purpose string, secret []byte, network string, node landfall.NodeID, key landfall.SealingKey) ([]byte, error) {
	public, err := sealingPublic(key)
	if err != nil {
		return nil, fmt.Errorf("sealing key of node %s: %w", node, err)
	}
	sealed, err := hpke.Seal(public, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), secretInfo(purpose, network, node), secret)
	if err != nil {
		return nil, fmt.Errorf("seal for node %s: %w", node, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for this node.
func (s *SealingPrivate) Open(purpose string, sealed []byte, network string, node landfall.NodeID) ([]byte, error) {
	b, err := hpke.Open(s.key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), secretInfo(purpose, network, node), sealed)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be unsealed: it is damaged, or for another key than that of node %s", purpose, node)
	}
	return b, nil
}
