package resolver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landfall"
)

const (
	// maxResolvers is how many resolvers are known at most.
	maxResolvers = 4096
	// glance is how many of them are compared when one has to go.
	glance = 64
	// HalfLife is after what time a fetch counts half: clients move, and
	// resolvers do.
	HalfLife = 12 * time.Hour
)

// Book joins who asked for tokens with who fetched them. All methods may be
// called at once.
//
// What is known is bounded, and a flood does not wash it away: a resolver that
// is new takes the place of the least known with a chance of 1 in so many
// fetches as that one has.
type Book struct {
	secret [32]byte // decides which edge a token names
	asked  *questions
	fates  [fates]atomic.Uint64
	noted  atomic.Uint64
	joined atomic.Uint64

	mu       sync.Mutex // guards what follows; not taken by Asked
	known    map[netip.Addr]*picture
	replaced uint64
	ticked   time.Time
}

// New makes a Book that knows nothing.
func New() *Book {
	b := &Book{asked: newQuestions(time.Now()), known: map[netip.Addr]*picture{}}
	rand.Read(b.secret[:]) // never fails
	return b
}

// Edge is whom to name in the answer for a token: one edge, and each as often
// as the others, wherever the client is. The fetches of a resolver's clients
// then come to all edges alike, and none can shape the picture alone. It hangs
// on a secret of the Book, so that nobody can find tokens that name an edge of
// his choice; another name server may name another edge, and joins only what
// it was asked itself. No edges: the empty name. A nil Book has no secret.
func (b *Book) Edge(token string, edges []landfall.NodeID) landfall.NodeID {
	if len(edges) == 0 {
		return ""
	}
	keyed := make([]byte, 0, len(b.secret)+maxToken)
	if b != nil {
		keyed = append(keyed, b.secret[:]...)
	}
	sum := sha256.Sum256(append(keyed, token...))
	sorted := slices.Sorted(slices.Values(edges))
	return sorted[binary.BigEndian.Uint64(sum[:])%uint64(len(sorted))]
}

// Asked notes that a resolver was answered a question for a token. If the
// answer named one edge, told is that, and only it may report the fetch; empty
// believes any. It takes no lock. Questions with a client subnet (RFC 7871)
// need not be noted: their resolvers say themselves whom they ask for.
func (b *Book) Asked(token string, resolver netip.Addr, told landfall.NodeID) {
	if !resolver.IsValid() || !WellFormed(token) {
		b.fates[malformed].Add(1)
		return
	}
	b.noted.Add(1)
	if f := b.asked.note(token, resolver.Unmap().WithZone(""), told, time.Now()); f == flood {
		b.fates[f].Add(1)
	}
}

// Fetched says that a client of an edge fetched what a token names. What
// nobody asked this name server for is dropped: edges tell all of them.
func (b *Book) Fetched(from landfall.NodeID, token string, client netip.Addr) {
	f := malformed
	var resolver netip.Addr
	if plausible(client) && WellFormed(token) {
		resolver, f = b.asked.spend(token, from, time.Now())
	}
	if f != counted {
		b.fates[f].Add(1)
		return
	}
	b.joined.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(resolver, landfall.ClientPrefix(client), from, 1, b.chance(token))
}

func plausible(client netip.Addr) bool {
	return client.IsValid() && !client.IsUnspecified() && !client.IsMulticast()
}

// chance is a number from 0 to 1 that hangs on a token, and that nobody who
// makes one up can know.
func (b *Book) chance(token string) float64 {
	return float64(maphash.String(b.asked.seed, token)>>11) / (1 << 53)
}

// add counts fetches, with b.mu held.
func (b *Book) add(resolver netip.Addr, client netip.Prefix, edge landfall.NodeID, weight, chance float64) {
	p := b.known[resolver]
	if p == nil {
		if len(b.known) >= maxResolvers && !b.makeRoom(weight, chance) {
			return
		}
		p = &picture{}
		b.known[resolver] = p
	}
	p.add(client, edge, weight, chance)
}

// makeRoom forgets the resolver of which least is known, of some at hand, or
// nobody, by chance.
func (b *Book) makeRoom(weight, chance float64) bool {
	var least netip.Addr
	lightest, seen := math.Inf(1), 0
	for a, p := range b.known {
		if p.total < lightest {
			least, lightest = a, p.total
		}
		if seen++; seen == glance {
			break
		}
	}
	if chance*(lightest+weight) >= weight {
		return false
	}
	delete(b.known, least)
	b.replaced++
	return true
}

// Tick lets what is known age; call it every minute or so.
func (b *Book) Tick(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ticked.IsZero() {
		b.age(now.Sub(b.ticked))
	}
	b.ticked = now
}

func (b *Book) age(by time.Duration) {
	if by <= 0 {
		return
	}
	factor := math.Exp2(-by.Hours() / HalfLife.Hours())
	for a, p := range b.known {
		if p.age(factor); len(p.cells) == 0 {
			delete(b.known, a)
		}
	}
}

// Freeze is what is known well enough.
func (b *Book) Freeze() *View {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := &View{}
	for a, p := range b.known {
		if clients, total, ok := p.clients(); ok {
			v.resolvers = append(v.resolvers, Resolver{a, total, clients})
		}
	}
	v.sort()
	return v
}

// Stats are the counts of a Book.
type Stats struct {
	Asked     uint64            `metric:"asked_total" help:"Questions for names that tell who stands behind a resolver."`
	Joined    uint64            `metric:"joined_total" help:"Fetches joined with the question before."`
	Dropped   map[string]uint64 `metric:"dropped_total" label:"why" help:"Questions and fetches that do not count. Unknown are also those whose question went to another name server."`
	Resolvers int64             `metric:"known" help:"Resolvers of which some clients are known."`
	Replaced  uint64            `metric:"replaced_total" help:"Resolvers forgotten because others ask more."`
}

// Stats returns the counts so far.
func (b *Book) Stats() Stats {
	s := Stats{Asked: b.noted.Load(), Joined: b.joined.Load(), Dropped: map[string]uint64{}}
	for f := flood; f < fates; f++ {
		s.Dropped[f.String()] = b.fates[f].Load()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Resolvers, s.Replaced = int64(len(b.known)), b.replaced
	return s
}
