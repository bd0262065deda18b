package wan

import (
	"sync"
	"time"
)

// deadline is a channel that closes when a time has come that can be moved,
// as net.Conn wants it: also under those who wait already.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	set    uint64 // counts changes, so that an overtaken timer does nothing
	passed chan struct{}
	over   bool
}

func newDeadline() *deadline { return &deadline{passed: make(chan struct{})} }

// move sets the time; the zero time is never.
func (d *deadline) move(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.set++
	left := time.Until(t)
	if t.IsZero() || left > 0 {
		if d.over {
			d.passed, d.over = make(chan struct{}), false
		}
		if !t.IsZero() {
			mine := d.set
			d.timer = time.AfterFunc(left, func() { d.pass(mine) })
		}
		return
	}
	d.end()
}

func (d *deadline) pass(set uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if set == d.set {
		d.end()
	}
}

func (d *deadline) end() {
	if !d.over {
		close(d.passed)
		d.over = true
	}
}

// wait is closed once the time has come.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passed
}
