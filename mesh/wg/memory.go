package wg

import (
	"sync"
	"time"
)

// What is remembered of what was sent to an active peer: 256 KiB at most, in
// two halves, so that chat is not forgotten for the sake of pages.
const (
	memoryBytes   = 112 << 10 // of datagrams, each half
	memoryRecords = 448       // each half
	// memorySpan is how old a datagram may be that is sent again. What was
	// lost at the beginning of a blackhole was sent up to half a round trip
	// before it, and doubt begins about 110 ms after it.
	memorySpan = 350 * time.Millisecond
)

// memory keeps copies of what was lately sent to one peer. The zero memory is
// ready, and takes no room until it is used.
type memory struct {
	mu     sync.Mutex
	urgent *ring // Control and Interactive
	normal *ring
	last   time.Time
	timer  *time.Timer // frees the rings once the pair is idle
}

// ring is the last datagrams of one half. It is not safe for concurrent use.
type ring struct {
	records     [memoryRecords]record
	first, size int // of records
	next        int // where the next datagram goes
	data        [memoryBytes]byte
}

// record is one datagram in a ring's data.
type record struct {
	at, size int32
	tos      uint8
	when     int64 // nanoseconds since 1970
}

// keep copies a datagram, and forgets the oldest to make room.
func (r *ring) keep(b []byte, tos uint8, when int64) {
	if len(b) > len(r.data) {
		return
	}
	if r.next+len(b) > len(r.data) { // the rest of this lap stays unused
		for r.size > 0 && int(r.oldest().at) >= r.next {
			r.forget()
		}
		r.next = 0
	}
	end := r.next + len(b)
	for r.size == memoryRecords || r.size > 0 && int(r.oldest().at) >= r.next && int(r.oldest().at) < end {
		r.forget()
	}
	copy(r.data[r.next:], b)
	r.records[(r.first+r.size)%memoryRecords] = record{at: int32(r.next), size: int32(len(b)), tos: tos, when: when}
	r.size++
	r.next = end
}

func (r *ring) oldest() *record { return &r.records[r.first] }

func (r *ring) forget() {
	r.first = (r.first + 1) % memoryRecords
	r.size--
}

// each gives what was kept since a time, oldest first, and forgets it all.
func (r *ring) each(since int64, f func(b []byte, tos uint8)) {
	for ; r.size > 0; r.forget() {
		if o := r.oldest(); o.when >= since {
			f(r.data[o.at:o.at+o.size:o.at+o.size], o.tos)
		}
	}
	r.next = 0
}

// keep remembers a run of one class. The caller holds mu.
func (m *memory) keep(bufs [][]byte, tos uint8, urgent bool, now time.Time) {
	half := &m.normal
	if urgent {
		half = &m.urgent
	}
	if *half == nil {
		*half = new(ring)
	}
	if m.timer == nil {
		m.timer = time.AfterFunc(idleAfter, m.tire)
	}
	m.last = now
	for _, b := range bufs {
		(*half).keep(b, tos, now.UnixNano())
	}
}

// recall gives what was lately kept, the urgent half first, and forgets it.
// The caller holds mu until it is done with what it was given.
func (m *memory) recall(now time.Time, f func(b []byte, tos uint8)) {
	for _, half := range []*ring{m.urgent, m.normal} {
		if half != nil {
			half.each(now.Add(-memorySpan).UnixNano(), f)
		}
	}
}

// tire frees the rings if the pair is idle.
func (m *memory) tire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer == nil {
		return
	}
	if rest := idleAfter - time.Since(m.last); rest > 0 {
		m.timer.Reset(rest)
		return
	}
	m.urgent, m.normal, m.timer = nil, nil, nil
}

// free forgets everything at once.
func (m *memory) free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer != nil {
		m.timer.Stop()
	}
	m.urgent, m.normal, m.timer = nil, nil, nil
}

// allowance bounds bytes per second: a bucket that fills at rate and holds
// burst. The zero allowance is full.
type allowance struct {
	mu   sync.Mutex
	used float64 // bytes
	at   time.Time
}

// take uses n bytes if that leaves at least keep of the burst.
func (a *allowance) take(n, keep, rate, burst int, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used = max(0, a.used-now.Sub(a.at).Seconds()*float64(rate))
	a.at = now
	if a.used+float64(n) > float64(burst-keep) {
		return false
	}
	a.used += float64(n)
	return true
}
