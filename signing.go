package landfall

import "slices"

// Signing is what name servers sign zones with (RFC 4035). It is written by the
// home region, from the keys that it has; operators declare nothing of it.
type Signing struct {
	// Zones are those that have to be signed: a name server that cannot does
	// not answer for them.
	Zones []SignedZone `json:"zones,omitempty"`
	// Sealed are the private keys to do it with, for each name server: once, or
	// again where there are some that home has lost.
	Sealed []SealedKeys `json:"sealed,omitempty"`
}

// SignedZone is what everybody may know of the keys of a zone.
type SignedZone struct {
	Name string `json:"name"` // lower case, no final dot
	// Bundle is what its KSK has signed, for some months to come.
	Bundle []byte `json:"bundle"`
}

// SealedKeys are the private keys of all zones' ZSKs, encrypted to one node.
type SealedKeys struct {
	Node   NodeID `json:"node"`
	For    []byte `json:"for"`    // a digest of which keys these are, and of whom they are encrypted to
	Secret []byte `json:"secret"` // see package certs
}

func (s Signing) clone() Signing {
	return Signing{slices.Clone(s.Zones), slices.Clone(s.Sealed)}
}

// KeysOf are the sealed keys for a node; none if there are none.
func (s Signing) KeysOf(id NodeID) (out [][]byte) {
	for _, k := range s.Sealed {
		if k.Node == id {
			out = append(out, k.Secret)
		}
	}
	return out
}
