package geodns

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
	"time"

	"landfall/geodns/dnssec"
	"landfall/geodns/zone"
)

const (
	// onlineRate is how many signatures a second may be made for queries, and
	// as many at once: a fifth of one processor core. What asks for more gets
	// what was signed ahead.
	onlineRate = 4000
	// tokenRate is the same for names that pages make up, which others that
	// are made up must not keep from being told.
	tokenRate = 1000
	// reserve is the part of it that is kept for those whose addresses are no
	// lies: who floods us has others'.
	reserve = time.Second / 4
	// remembered is how many denials are kept. It is a power of two.
	remembered = 8192
)

// online makes signatures for queries: those that nobody could make ahead, as
// they are over names that somebody made up. It is bounded in work and in
// memory, and holds no lock.
type online struct {
	seed    maphash.Seed
	denials []atomic.Pointer[denial] // by hash of name
	denied  budget                   // for denials
	tokens  budget                   // for names that pages make up
	made    atomic.Uint64
	refused atomic.Uint64
}

// denial is an NSEC set for a name that does not exist.
type denial struct {
	name zone.Name
	by   *dnssec.Signer
	set  zone.Set
}

// budget is of signatures.
type budget struct {
	each  int64        // how long one takes, in ns
	spent atomic.Int64 // when it would have been spent evenly, in ns of the server's clock
}

// open begins a budget of so many a second; nothing of it is spent.
func (b *budget) open(rate int64) {
	b.each = int64(time.Second) / rate
	b.spent.Store(-int64(time.Second))
}

func newOnline() *online {
	o := &online{seed: maphash.MakeSeed(), denials: make([]atomic.Pointer[denial], remembered)}
	o.denied.open(onlineRate)
	o.tokens.open(tokenRate)
	return o
}

// sign makes the signature of a set, if there is something left of a budget.
func (o *online) sign(by *dnssec.Signer, owner zone.Name, s *zone.Set, of *budget, r *reply) bool {
	if !of.take(r.since, r.proven) {
		o.refused.Add(1)
		return false
	}
	o.made.Add(1)
	s.Sigs = [][]byte{by.Sign(owner, *s)}
	return true
}

// take takes one signature from the budget.
func (b *budget) take(since time.Duration, proven bool) bool {
	limit := int64(since)
	if !proven {
		limit -= int64(reserve)
	}
	for {
		spent := b.spent.Load()
		next := max(spent, int64(since-time.Second)) + b.each
		if next > limit {
			return false
		}
		if b.spent.CompareAndSwap(spent, next) {
			return true
		}
	}
}

// known is the denial of a name that was made before, by the same signer.
func (o *online) known(by *dnssec.Signer, name zone.Name, ttl uint32) (zone.Set, bool) {
	d := o.place(name).Load()
	if d == nil || d.by != by || d.name != name || d.set.TTL != ttl {
		return zone.Set{}, false
	}
	return d.set, true
}

// deny is the compact denial of a name that does not exist (RFC 9824, 3.1);
// false if there is none, or no budget to sign it.
func (o *online) deny(by *dnssec.Signer, name zone.Name, ttl uint32, r *reply) (zone.Set, bool) {
	if s, ok := o.known(by, name, ttl); ok {
		return s, true
	}
	s, ok := name.Nonexistent(ttl)
	if !ok || !o.sign(by, name, &s, &o.denied, r) {
		return zone.Set{}, false
	}
	name = zone.Name(strings.Clone(string(name))) // the query's will be another's
	o.place(name).Store(&denial{name, by, s})
	return s, true
}

func (o *online) place(name zone.Name) *atomic.Pointer[denial] {
	return &o.denials[maphash.String(o.seed, string(name))&(remembered-1)]
}
