package resolver

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"landfall"
	"landfall/geodns/limit"
)

const (
	// wait is how long a token waits for its fetch.
	wait = time.Minute
	// places is how many tokens wait at most.
	places = 1 << 15
	// pace is how many tokens a second one network of resolvers may ask for,
	// and span all those of an IPv4 /16 or an IPv6 /32 together: enough to know
	// them by, and too few to take the places of others.
	pace = 16
	span = 64
)

// questions are tokens that wait for their fetch, in a table of fixed size.
// Each token has one place, and a newer one takes it.
type questions struct {
	seed  maphash.Seed
	begun time.Time
	limit *limit.Table
	spans *limit.Table
	slots [places]atomic.Pointer[question]
}

type question struct {
	token    uint64 // its hash; the seed is secret
	resolver netip.Addr
	told     landfall.NodeID // the one edge that the answer named; empty: any may report
	at       time.Duration   // since begun
	spent    bool            // the fetch was counted
}

func newQuestions(now time.Time) *questions {
	seed := maphash.MakeSeed()
	return &questions{seed: seed, begun: now, limit: limit.New(pace, seed), spans: limit.New(span, seed)}
}

func (q *questions) place(token string) (uint64, *atomic.Pointer[question]) {
	h := maphash.String(q.seed, token)
	return h, &q.slots[h%places]
}

// note notes a question. Of several for one token the first stays: a browser
// asks for A, AAAA and HTTPS, and a token counts once.
func (q *questions) note(token string, resolver netip.Addr, told landfall.NodeID, now time.Time) fate {
	at := now.Sub(q.begun)
	if !q.limit.Take(resolver, limit.Data, at) || !q.spans.Take(first(resolver), limit.Data, at) {
		return flood
	}
	h, slot := q.place(token)
	if was := slot.Load(); was != nil && was.token == h && at-was.at <= wait {
		return repeated
	}
	slot.Store(&question{token: h, resolver: resolver, told: told, at: at})
	return counted
}

// first is the first address of the span that holds one.
func first(a netip.Addr) netip.Addr {
	bits := 32
	if a.Is4() {
		bits = 16
	}
	return netip.PrefixFrom(a, bits).Masked().Addr()
}

// spend is the resolver that asked for a token, once.
func (q *questions) spend(token string, from landfall.NodeID, now time.Time) (netip.Addr, fate) {
	h, slot := q.place(token)
	was := slot.Load()
	switch {
	case was == nil || was.token != h:
		return netip.Addr{}, unknown
	case now.Sub(q.begun)-was.at > wait:
		return netip.Addr{}, late
	case was.spent:
		return netip.Addr{}, repeated
	case was.told != "" && was.told != from:
		return netip.Addr{}, elsewhere
	}
	spent := *was
	spent.spent = true
	if !slot.CompareAndSwap(was, &spent) {
		return netip.Addr{}, repeated
	}
	return was.resolver, counted
}

// fate is what became of a question or a fetch.
type fate int

const (
	counted   fate = iota
	flood          // its network asks for too many
	unknown        // nobody asked us for the token, or so long ago that others took its place
	late           // it was asked for more than a minute ago
	repeated       // it was there before
	elsewhere      // another edge was named for it
	malformed      // no token, or no address
	fates
)

// String is the fate as the figures name it.
func (f fate) String() string {
	return [fates]string{"counted", "flood", "unknown", "late", "repeated", "elsewhere", "malformed"}[f]
}
