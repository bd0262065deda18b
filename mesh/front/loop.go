package front

import (
	"sync"
	"sync/atomic"
)

// Loop runs tasks on a few goroutines, each task on one at a time. Flows and
// listeners are tasks: the notifications of what carries them, which come
// with its locks held, only wake them.
type Loop struct {
	workers sync.WaitGroup

	mu     sync.Mutex
	some   sync.Cond
	queue  []*Task // queue[head:] waits
	head   int
	closed bool
}

// Task is work that is woken again and again. Embed it and Init it.
type Task struct {
	loop  *Loop
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

// ScratchSize is the largest piece that a flow hands to its sink.
const ScratchSize = 64 << 10

// NewLoop starts the workers. Its owner must Close it.
func NewLoop(workers int) *Loop {
	l := &Loop{}
	l.some.L = &l.mu
	for range workers {
		l.workers.Go(l.work)
	}
	return l
}

// Init says where the task runs and what it does there: run is called once
// for one or more wakes, and once more when it says again. The scratch is
// its for as long as it runs.
func (t *Task) Init(l *Loop, run func(scratch []byte) (again bool)) { t.loop, t.run = l, run }

// Wake makes the task run soon. It never blocks, and may be called with any
// lock held but the loop's own.
func (t *Task) Wake() {
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

// Run is Wake for whoever holds no lock and has time for one run, with a
// scratch of ScratchSize: then nobody else need be woken for it.
func (t *Task) Run(scratch []byte) {
	if !t.state.CompareAndSwap(idle, running) {
		t.Wake()
		return
	}
	t.once(scratch)
}

// once runs a task that is running, and queues it if it is to run again.
func (t *Task) once(scratch []byte) {
	again := t.run(scratch)
	if again || !t.state.CompareAndSwap(running, idle) {
		t.state.Store(queued)
		t.loop.push(t)
	}
}

func (l *Loop) push(t *Task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head > len(l.queue)/2 {
		n := copy(l.queue, l.queue[l.head:])
		clear(l.queue[n:])
		l.queue, l.head = l.queue[:n], 0
	}
	l.queue = append(l.queue, t)
	l.some.Signal()
}

func (l *Loop) pop() *Task {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.head == len(l.queue) {
		if l.closed {
			return nil
		}
		l.some.Wait()
	}
	t := l.queue[l.head]
	l.queue[l.head] = nil
	l.head++
	return t
}

func (l *Loop) work() {
	scratch := make([]byte, ScratchSize)
	for t := l.pop(); t != nil; t = l.pop() {
		t.state.Store(running)
		t.once(scratch)
	}
}

// Close runs what is queued and ends the workers.
func (l *Loop) Close() {
	l.mu.Lock()
	l.closed = true
	l.some.Broadcast()
	l.mu.Unlock()
	l.workers.Wait()
}
