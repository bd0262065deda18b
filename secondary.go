package landfall

import (
	"net/netip"
	"strings"
)

// Secondary is a name server, not of this network, that holds copies of zones
// (RFC 1996, 2.1). The secret of its key is not here: every node has the map,
// and only name servers may have the secret.
type Secondary struct {
	// Address is where it is told of changes, by UDP; it may ask for copies
	// from there if there is no key. Not valid: it is not told.
	Address netip.AddrPort `json:"address,omitzero"`
	// From are prefixes that requests for copies may come from, also those
	// that are signed. Without any, who holds the key may ask from anywhere.
	From []netip.Prefix `json:"from,omitempty"`
	// Key is the name of the key that both sign messages with (RFC 8945).
	// Empty: messages are not signed, and addresses alone are believed.
	Key string `json:"key,omitempty"`
	// Zone is the one that it holds; empty: all.
	Zone string `json:"zone,omitempty"`
}

// Who tells secondaries apart.
func (s Secondary) Who() string {
	var parts []string
	if s.Address.IsValid() {
		parts = append(parts, s.Address.String())
	}
	for _, p := range s.From {
		parts = append(parts, p.String())
	}
	for _, word := range []string{s.Key, s.Zone} {
		if word != "" {
			parts = append(parts, word)
		}
	}
	return strings.Join(parts, " ")
}

// DNS is what name servers tell of themselves to those who ask by queries of
// the class CHAOS; the zero DNS tells nothing (RFC 4892).
type DNS struct {
	Version  bool `json:"version,omitzero"`  // the program's, by version.bind and version.server
	Identity bool `json:"identity,omitzero"` // the node's id, by hostname.bind and id.server
}
