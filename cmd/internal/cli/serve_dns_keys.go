package cli

import (
	"fmt"
	"slices"
)

// tellKeys prints which zones are signed, and warns of keys that no zone has.
func (k *dnsDesk) tellKeys() {
	served := zonesOf(k.m())
	for _, z := range k.d.Keys() {
		if !slices.Contains(served, z.Zone) {
			k.log.Warn("keys of a zone that is not served", "zone", z.Zone)
			continue
		}
		with := ""
		for _, tag := range slices.Concat(z.KSK, z.ZSK) {
			with += fmt.Sprintf(" %d", tag)
		}
		if with != "" {
			with = " with keys" + with
		}
		fmt.Fprintf(k.env.Stdout, "signing %s%s\n", z.Zone, with)
	}
}
