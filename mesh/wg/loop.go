package wg

import (
	"sync"
	"sync/atomic"
)

// loop runs tasks on a few goroutines, each task on one at a time. Streams
// and listeners are tasks: the stack's notifications, which come with its
// locks held, only wake them.
type loop struct {
	workers sync.WaitGroup

	mu     sync.Mutex
	some   sync.Cond
	queue  []*task
	closed bool
}

// task is work that is woken again and again. Embed it and set run.
type task struct {
	loop  *loop
	run   func(scratch []byte) (again bool)
	state atomic.Int32
}

// A task's states: a wake during a run causes another run after it.
//
//	idle --wake--> queued --worker--> running --done--> idle
//	                 ^                   | wake
//	                 +------done------ woken
const (
	idle int32 = iota
	queued
	running
	woken
)

// scratchSize is the largest piece that a stream hands to its sink.
const scratchSize = 64 << 10

func newLoop(workers int) *loop {
	l := &loop{}
	l.some.L = &l.mu
	for range workers {
		l.workers.Go(l.work)
	}
	return l
}

// wake makes the task run soon. It never blocks, and may be called with any
// lock held but the loop's own.
func (t *task) wake() {
	for {
		switch s := t.state.Load(); {
		case s == queued || s == woken:
			return
		case s == idle && t.state.CompareAndSwap(idle, queued):
			t.loop.push(t)
			return
		case s == running && t.state.CompareAndSwap(running, woken):
			return
		}
	}
}

func (l *loop) push(t *task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, t)
	l.some.Signal()
}

func (l *loop) pop() *task {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 {
		if l.closed {
			return nil
		}
		l.some.Wait()
	}
	t := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	return t
}

func (l *loop) work() {
	scratch := make([]byte, scratchSize)
	for t := l.pop(); t != nil; t = l.pop() {
		t.state.Store(running)
		again := t.run(scratch)
		if again || !t.state.CompareAndSwap(running, idle) {
			t.state.Store(queued)
			l.push(t)
		}
	}
}

// close runs what is queued and ends the workers.
func (l *loop) close() {
	l.mu.Lock()
	l.closed = true
	l.some.Broadcast()
	l.mu.Unlock()
	l.workers.Wait()
}
