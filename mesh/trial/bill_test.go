package trial

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"landfall"
	"landfall/mesh/relay"
	"landfall/mesh/wan"
)

// bill counts the bytes of probes, by pairs and ways.
type bill struct {
	who   map[netip.AddrPort]landfall.NodeID
	names map[relay.Name]landfall.NodeID
	first map[relay.ID]bool // of frames on a first hop

	mu    sync.Mutex
	bytes map[fare]int
}

// fare is a pair, the lesser name first, and the node between.
type fare struct{ a, b, via landfall.NodeID }

func newBill(w *world) *bill {
	b := &bill{
		who: map[netip.AddrPort]landfall.NodeID{}, names: map[relay.Name]landfall.NodeID{},
		first: map[relay.ID]bool{}, bytes: map[fare]int{},
	}
	for _, n := range w.m.Nodes {
		b.who[w.at[n.ID]] = n.ID
		b.names[relay.NameOf(w.m.Network, n.Key)] = n.ID
		for _, from := range w.m.Nodes {
			if from.ID == n.ID {
				continue
			}
			key := w.key[n.ID]
			secret, err := key.Shared(from.Key)
			if err != nil {
				w.t.Fatal(err)
			}
			keys, err := relay.NewKeys(secret, n.Key, from.Key)
			if err != nil {
				w.t.Fatal(err)
			}
			b.first[keys.From(relay.First)] = true
		}
	}
	return b
}

// headers are those of UDP and IPv4.
const headers = 28

// far is where a relayed frame has its far end.
const far = 10

// add counts a datagram that is sent.
func (b *bill) add(r wan.Record) {
	from, to := b.who[r.From], b.who[r.To]
	f := fare{from, to, ""}
	if id, err := relay.Peek(r.Bytes); err == nil {
		other := b.names[relay.Name(r.Bytes[far:])]
		if f = (fare{other, to, from}); b.first[id] {
			f = fare{from, other, to}
		}
		if r.Bytes[relay.Overhead] != probe {
			return
		}
	} else if len(r.Bytes) == 0 || r.Bytes[0] != probe {
		return
	}
	if f.a > f.b {
		f.a, f.b = f.b, f.a
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes[f] += len(r.Bytes) + headers
}

// probe is the first byte of one.
const probe = 'L'

// clear begins anew.
func (b *bill) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.bytes)
}

// rates are bytes a second on a way of a pair.
func (b *bill) rates(relayed bool, d time.Duration) Probes {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []int
	for f, n := range b.bytes {
		if (f.via != "") == relayed {
			all = append(all, int(float64(n)/d.Seconds()))
		}
	}
	if len(all) == 0 {
		return Probes{}
	}
	slices.Sort(all)
	return Probes{len(all), all[len(all)/2], all[len(all)-1]}
}
