package ecs

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// ways is how many addresses a Relay asks from, each in a /24 of its own: the
// resolvers of a large provider have as many, and name servers that limit what
// one network is told leave them alone.
const ways = 128

// Relay passes queries on to a name server and counts them.
type Relay struct {
	Addr netip.AddrPort // where it is asked

	front     *net.UDPConn
	backs     []*back
	next      int
	name      Name
	asked     atomic.Uint64
	truncated atomic.Uint64
	done      sync.WaitGroup
}

// back is one of the addresses that the name server sees.
type back struct {
	*net.UDPConn

	mu      sync.Mutex
	id      uint16
	pending [1 << 16]origin
}

// origin is who asked, and the ID he used.
type origin struct {
	from netip.AddrPort
	id   uint16
}

// NewRelay stands before a server and counts questions about a name.
func NewRelay(server netip.AddrPort, name Name) (*Relay, error) {
	front, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return nil, err
	}
	r := &Relay{Addr: front.LocalAddr().(*net.UDPAddr).AddrPort(), front: front, name: name}
	front.SetReadBuffer(4 << 20)
	for i := range ways {
		from := &net.UDPAddr{IP: net.IPv4(127, 1, byte(i), 1)}
		c, err := net.DialUDP("udp", from, net.UDPAddrFromAddrPort(server))
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		b := &back{UDPConn: c}
		r.backs = append(r.backs, b)
		r.done.Go(func() { r.answers(b) })
	}
	r.done.Go(r.queries)
	return r, nil
}

// Close ends the Relay.
func (r *Relay) Close() error {
	errs := []error{r.front.Close()}
	for _, b := range r.backs {
		errs = append(errs, b.Close())
	}
	r.done.Wait()
	return errors.Join(errs...)
}

// Asked is how many questions about the name went through.
func (r *Relay) Asked() uint64 { return r.asked.Load() }

// Truncated is how many answers said to come back by TCP, which a Relay does
// not speak.
func (r *Relay) Truncated() uint64 { return r.truncated.Load() }

func (r *Relay) queries() {
	buf := make([]byte, 4096)
	for {
		n, from, err := r.front.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		q := buf[:n]
		if n < headerSize {
			continue
		}
		if r.counts(q) {
			r.asked.Add(1)
		}
		b := r.backs[r.next%len(r.backs)]
		r.next++
		b.mu.Lock()
		b.id++
		id := b.id
		b.pending[id] = origin{from, binary.BigEndian.Uint16(q)}
		b.mu.Unlock()
		binary.BigEndian.PutUint16(q, id)
		b.Write(q) // what is lost is asked again
	}
}

// counts reports whether a query is for the addresses of the name, in
// whatever case a resolver writes it.
func (r *Relay) counts(q []byte) bool {
	end := headerSize + len(r.name)
	if len(q) < end+4 || binary.BigEndian.Uint16(q[end:]) != typeA {
		return false
	}
	for i, c := range r.name {
		if d := q[headerSize+i]; c != d && c|0x20 != d|0x20 {
			return false
		}
	}
	return true
}

func (r *Relay) answers(b *back) {
	buf := make([]byte, 4096)
	for {
		n, err := b.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n < headerSize {
			continue
		}
		a := buf[:n]
		if a[2]&2 != 0 {
			r.truncated.Add(1)
		}
		b.mu.Lock()
		to := b.pending[binary.BigEndian.Uint16(a)]
		b.mu.Unlock()
		if to.from.IsValid() {
			binary.BigEndian.PutUint16(a, to.id)
			r.front.WriteToUDPAddrPort(a, to.from) // what is lost is asked again
		}
	}
}
