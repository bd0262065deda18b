package wg

import (
	"sync"
	"sync/atomic"
	"time"
)

// What is remembered of what was sent to an active peer: as much as memorySpan
// needs, in two halves, so that chat is not forgotten for the sake of pages.
const (
	blockBytes   = 16 << 10 // of datagrams
	blockRecords = 127      // so that all of it is 18 KiB, which the allocator has a size for
	leastBlocks  = 7        // that each half may have, whatever others have
	urgentBlocks = 16       // that the half of Control and Interactive may have
	normalBlocks = 48
	memoryBytes  = (urgentBlocks + normalBlocks) * blockBytes
	// allBlocks is how many there may be for all peers together, but for those
	// that each half may have anyway.
	allBlocks = 1024
	// memorySpan is how old a datagram may be that is sent again. What was
	// lost at the beginning of a blackhole was sent up to half a round trip
	// before it, and doubt begins about 110 ms after it; where only the peer
	// notices, its word for it takes half a round trip more.
	memorySpan = 350 * time.Millisecond
)

// memory keeps copies of what was lately sent to one peer. It takes no room
// until it is used.
type memory struct {
	blocks *atomic.Int64 // of all peers

	mu     sync.Mutex
	urgent half // Control and Interactive
	normal half
	last   time.Time
	timer  *time.Timer // frees the halves once the pair is idle
}

// half is a queue of blocks, the oldest first. It has those that memorySpan
// needs, and one more.
type half struct {
	blocks []*block
	most   int
}

// block is some datagrams, in the order in which they were sent.
type block struct {
	records [blockRecords]record
	n       int // of records
	used    int // of data
	data    [blockBytes]byte
}

// record is one datagram in a block's data.
type record struct {
	when     int64 // nanoseconds since 1970
	at, size uint16
	tos      uint8
}

// full reports whether a datagram has no room.
func (b *block) full(size int) bool { return b.n == blockRecords || b.used+size > blockBytes }

// stale reports whether all of a block is from before a time.
func (b *block) stale(since int64) bool { return b.n == 0 || b.records[b.n-1].when < since }

func (b *block) keep(d []byte, tos uint8, when int64) {
	b.records[b.n] = record{when: when, at: uint16(b.used), size: uint16(copy(b.data[b.used:], d)), tos: tos}
	b.n++
	b.used += len(d)
}

// keep copies a datagram. It forgets what is too old, and the oldest where
// there is no room.
func (h *half) keep(d []byte, tos uint8, when int64, all *atomic.Int64) {
	if len(d) > blockBytes {
		return
	}
	if n := len(h.blocks); n == 0 || h.blocks[n-1].full(len(d)) {
		h.blocks = append(h.blocks, h.fresh(when-int64(memorySpan), all))
	}
	h.blocks[len(h.blocks)-1].keep(d, tos, when)
}

// fresh is an empty block: one of the half's own that are stale, a new one, or
// the oldest.
func (h *half) fresh(since int64, all *atomic.Int64) *block {
	stale := 0
	for stale < len(h.blocks) && h.blocks[stale].stale(since) {
		stale++
	}
	switch n := len(h.blocks); {
	case stale > 1:
		h.drop(stale-1, all)
	case stale == 1:
	case n < h.most && (all.Add(1) <= allBlocks || n < leastBlocks):
		return new(block)
	case n < h.most:
		all.Add(-1)
	}
	b := h.blocks[0]
	h.blocks = append(h.blocks[:0], h.blocks[1:]...)
	b.n, b.used = 0, 0
	return b
}

// drop gives the oldest blocks back.
func (h *half) drop(n int, all *atomic.Int64) {
	all.Add(-int64(n))
	m := copy(h.blocks, h.blocks[n:])
	clear(h.blocks[m:])
	h.blocks = h.blocks[:m]
}

// take gives away what is kept.
func (h *half) take(all *atomic.Int64) []*block {
	all.Add(-int64(len(h.blocks)))
	blocks := h.blocks
	h.blocks = nil
	return blocks
}

// keep remembers a run of one class. The caller holds mu.
func (m *memory) keep(bufs [][]byte, tos uint8, urgent bool, now time.Time) {
	m.urgent.most, m.normal.most = urgentBlocks, normalBlocks
	h := &m.normal
	if urgent {
		h = &m.urgent
	}
	if m.timer == nil {
		m.timer = time.AfterFunc(idleAfter, m.tire)
	}
	m.last = now
	for _, b := range bufs {
		h.keep(b, tos, now.UnixNano(), m.blocks)
	}
}

// recall forgets all, and gives what was lately kept, the urgent half first.
func (m *memory) recall(now time.Time, f func(b []byte, tos uint8)) {
	m.mu.Lock()
	blocks := append(m.urgent.take(m.blocks), m.normal.take(m.blocks)...)
	m.mu.Unlock()
	since := now.Add(-memorySpan).UnixNano()
	for _, b := range blocks {
		for _, r := range b.records[:b.n] {
			if end := r.at + r.size; r.when >= since {
				f(b.data[r.at:end:end], r.tos)
			}
		}
	}
}

// tire frees the halves if the pair is idle.
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
	m.clear()
}

// free forgets everything at once.
func (m *memory) free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer != nil {
		m.timer.Stop()
	}
	m.clear()
}

// clear is called with mu held.
func (m *memory) clear() {
	m.urgent.take(m.blocks)
	m.normal.take(m.blocks)
	m.timer = nil
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
