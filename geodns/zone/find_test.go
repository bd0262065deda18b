package zone

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// However a name is looked up, it is found as if all that it lies below had
// been tried, from the longest down.
func TestLookingUpIsTryingAllSuffixes(t *testing.T) {
	z := buildAll(t, severalZones())
	var known []Name
	for _, zone := range z.All() {
		known = append(known, zone.Names()...)
	}
	r, labels := rand.New(rand.NewPCG(5, 6)), []string{"a", "b", "x", "sub", "www", "*", "test", "landfall", strings.Repeat("l", 60)}
	for range 20_000 {
		n := known[r.IntN(len(known))]
		for range r.IntN(3) { // above it
			if len(n) > 1 {
				n = n.parent()
			}
		}
		for range r.IntN(4) { // beside it, and below
			if label := labels[r.IntN(len(labels))]; len(n)+len(label) < maxName {
				n = n.child(label)
			}
		}
		apex := n
		for len(apex) > 1 && z.byApex[apex] == nil {
			apex = apex.parent()
		}
		of := z.Of(n)
		if of != z.byApex[apex] {
			t.Fatalf("%s is of %v, want %s", n, of, apex)
		}
		if of == nil {
			continue
		}
		at := n
		for of.nodes[at] == nil {
			at = at.parent()
		}
		if got, node := of.closest(n); got != at || node != of.nodes[at] {
			t.Fatalf("%s lies below %s, want %s", n, got, at)
		}
	}
}
