package tap

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"
)

func TestOneQueryOfSoManyIsDue(t *testing.T) {
	h := newHandle(3, nil)
	for i := range 9 {
		if due, want := h.Due(), i%3 == 2; due != want {
			t.Errorf("query %d is due: %v, want %v", i, due, want)
		}
	}
	if (*Handle)(nil).Due() {
		t.Error("nobody is told, and yet something is due")
	}
}

func TestTakingAllocatesNothing(t *testing.T) {
	h := newHandle(1, nil)
	e := asked(t, "192.0.2.99:5353", nil)
	e.Time = time.Now()
	n := testing.AllocsPerRun(slots+100, func() { // also when the ring is full
		if h.Due() {
			h.Take(e)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFullRingLosesTheNewest(t *testing.T) {
	h := newHandle(1, nil)
	for i := range uint32(slots + 10) {
		h.Take(Event{Query: binary.BigEndian.AppendUint32(nil, i)})
	}
	next := uint32(0)
	h.drain(func(s *slot) {
		if got := binary.BigEndian.Uint32(s.Query); got != next {
			t.Fatalf("%d in place of %d", got, next)
		}
		next++
	})
	if next != slots || h.lost.Load() != 10 {
		t.Errorf("%d taken, %d lost", next, h.lost.Load())
	}
}

// Whatever two threads do, each event comes out whole, once and in order.
func TestEventsComeOutAsTheyWentIn(t *testing.T) {
	h := newHandle(1, nil)
	const all = 50_000
	var putting sync.WaitGroup
	putting.Go(func() {
		for i := range uint64(all) {
			b := binary.BigEndian.AppendUint64(nil, i)
			h.Take(Event{Query: b, Answer: append(b, b...)})
		}
	})
	done := make(chan struct{})
	go func() { putting.Wait(); close(done) }()
	last, seen := -1, 0
	check := func(s *slot) {
		q, a := binary.BigEndian.Uint64(s.Query), binary.BigEndian.Uint64(s.Answer[8:])
		if q != a || int(q) <= last {
			t.Errorf("query %d with answer %d after %d", q, a, last)
		}
		last = int(q)
		seen++
	}
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		h.drain(check)
	}
	if got := seen + int(h.lost.Load()); got != all {
		t.Errorf("%d told or lost of %d", got, all)
	}
}

func TestSharedHandleIsForSeveral(t *testing.T) {
	var turn sync.Mutex
	h := newHandle(2, &turn)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			for range 100 {
				if h.Due() {
					h.Take(Event{Query: []byte("q")})
				}
			}
		})
	}
	asking.Wait()
	if n := h.drain(func(*slot) {}); n != 200 {
		t.Errorf("%d of 400 queries were told, want every other", n)
	}
}

func TestLongMessagesDoNotStay(t *testing.T) {
	h := newHandle(1, nil)
	h.Take(Event{Query: make([]byte, 100), Answer: make([]byte, 60000)})
	h.drain(func(s *slot) {
		if len(s.Answer) != 60000 {
			t.Errorf("%d bytes", len(s.Answer))
		}
	})
	if got := cap(h.ring[0].b); got != roomy {
		t.Errorf("the slot keeps %d bytes", got)
	}
}

func BenchmarkTake(b *testing.B) {
	h := newHandle(1, nil)
	e := asked(b, "192.0.2.99:5353", nil)
	e.Time = time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if h.Due() {
			h.Take(e)
		}
		h.tail.Store(h.head.Load())
	}
}

func BenchmarkNotDue(b *testing.B) {
	h := newHandle(1<<31, nil)
	for b.Loop() {
		h.Due()
	}
}
