package load

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"
)

// patience is after what time a question counts as lost.
const patience = time.Second

// Query is a packet and what its answer ought to be.
type Query struct {
	Packet []byte     // whole; it is given an ID of ours
	Addr   netip.Addr // the first address of the answer; the zero Addr: there are no answers
	Codes  uint16     // RCODEs that will do: a bit for each
	Signed bool       // there are signatures
}

// Load is what is asked.
type Load struct {
	Server  netip.AddrPort // at an IPv4 address
	Queries []Query        // in turn and all over again; of one length
	Sockets int
	Window  int           // how many questions of a socket wait for answers at any time; up to 65,536
	Rate    int           // questions a second; 0: as many as the windows allow
	For     time.Duration // how long questions are asked
	Every   int           // one answer in so many is checked to the address, and timed
}

// Saw is what came back.
type Saw struct {
	Sent, Answered, Lost uint64
	Checked              uint64          // answers of which the address was looked at
	Wrong                uint64          // answers that were not what they ought to be
	Took                 []time.Duration // of some answers, in no order
	Elapsed              time.Duration   // up to the last answer
	Idle                 time.Duration   // in which no answer was there to take and no question to send
	Busy                 time.Duration   // processor time of the process, by Apart
}

// Speed is how many answers came in a second.
func (s Saw) Speed() float64 { return float64(s.Answered) / s.Elapsed.Seconds() }

func (l Load) check() error {
	if l.Sockets < 1 || l.Window < 2 || l.Window > 1<<16 || l.Every < 1 || len(l.Queries) == 0 || !l.Server.Addr().Is4() {
		return errors.New("load: want queries, a server's IPv4 address, a socket, a window of 2 to 65,536 questions, and to know which answers to check")
	}
	for _, q := range l.Queries {
		if len(q.Packet) != len(l.Queries[0].Packet) {
			return errors.New("load: queries have several lengths, and bursts are of one")
		}
	}
	return nil
}

// runner is a Load that runs.
type runner struct {
	Load
	saw     Saw
	sockets []*socket
	begun   time.Time
}

// Run asks, and waits for the last answers.
func (l Load) Run(ctx context.Context) (Saw, error) {
	if err := l.check(); err != nil {
		return Saw{}, err
	}
	r := &runner{Load: l}
	defer r.close()
	for i := range l.Sockets {
		s, err := dial(l.Server, l.Window)
		if err != nil {
			return Saw{}, fmt.Errorf("load: %w", err)
		}
		s.next = i * len(l.Queries) / l.Sockets
		r.sockets = append(r.sockets, s)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := r.loop(ctx)
	return r.saw, err
}

func (r *runner) close() {
	for _, s := range r.sockets {
		s.close()
	}
}

// loop goes round the sockets until the time is over and nobody waits.
func (r *runner) loop(ctx context.Context) error {
	r.begun = time.Now()
	var now, before, swept time.Duration
	for ; ; now = time.Since(r.begun) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		idle := true
		for i := range r.sockets {
			moved, err := r.turn(i, now)
			if err != nil {
				return err
			}
			idle = idle && !moved
		}
		if idle && now < r.For {
			r.saw.Idle += now - before
		}
		before = now
		if now-swept > patience/10 {
			swept = now
			r.sweep(now)
		}
		if now >= r.For && r.saw.Answered+r.saw.Lost == r.saw.Sent {
			return nil
		}
	}
}

// turn takes a socket's answers and asks its next questions.
func (r *runner) turn(i int, now time.Duration) (moved bool, err error) {
	s := r.sockets[i]
	n, err := r.receive(s)
	if err != nil {
		return false, err
	}
	due := r.due(s, i, now)
	if now >= r.For || due == 0 {
		return n > 0, nil
	}
	return true, r.send(s, due)
}

// due is how many questions a socket is to ask now. Without a rate, it waits
// until half of its window is free, so that questions go in bursts.
func (r *runner) due(s *socket, i int, now time.Duration) int {
	free := min(len(s.free), burst)
	if r.Rate == 0 {
		if len(s.free) < min(r.Window/2, burst) {
			return 0
		}
		return free
	}
	if int(r.saw.Sent)%r.Sockets != i && r.Rate < spread {
		return 0 // in turn, one by one
	}
	due := int(now.Seconds()*float64(r.Rate)) - int(r.saw.Sent)
	if r.Rate < spread {
		due = min(due, 1)
	}
	return min(due, free)
}

// spread is the rate from which on questions go in bursts after all.
const spread = 50_000

// sweep gives up on questions that nobody answered.
func (r *runner) sweep(now time.Duration) {
	for _, s := range r.sockets {
		for id := range s.slots {
			if slot := &s.slots[id]; slot.busy && now-slot.sent > patience {
				slot.busy = false
				s.free = append(s.free, uint16(id))
				r.saw.Lost++
			}
		}
	}
}
